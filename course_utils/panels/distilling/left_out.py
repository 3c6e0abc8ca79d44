"""A class that the student has never seen: what the teacher's soft answers say of it, and how a bias brings it back."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom
from course_utils.methods.distill import best_bias
from course_utils.panels.distilling.live import Taught, student_for
from course_utils.panels.distilling.teacher import teacher
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, move_limits
from course_utils.train import fit_epochs

__all__ = ["left_out"]

EPOCHS = 25
SHIFTS = tuple(round(0.25 * i, 2) for i in range(-8, 33))


class Missing(NamedTuple):
    """Logits of the test rows now, the class that was left out, the shift of its bias, and the shift that is best."""

    logits: Tensor
    labels: Tensor
    label: int
    shift: float
    best: float
    epoch: int


def left_out(data: str | Dataset = "digits") -> Panel:
    """Errors of a student from whose training rows a class was left out, as its bias is raised (Hinton et al. 2015)."""
    room, large = classroom(data), teacher(data)
    half = len(room.y_test) // 2  # the best shift is found on one half of the test rows and shown on the other
    controls = [
        Choice(name="label", label="Class left out", options={str(i): i for i in range(room.classes)}, value=3),
        Slider(name="shift", label="Shift of the bias of that class", values=SHIFTS, value=0.0),
        Slider(name="temperature", label="Temperature T", values=(1, 2, 4, 8, 20), value=2),
    ]
    done: dict[tuple[int, float], Tensor] = {}

    def compute(label: int, shift: float, temperature: float) -> Iterator[Missing]:
        key = (label, temperature)
        if key not in done:
            keep = room.y_train != label
            part = Dataset(room.name, room.x_train[keep], room.y_train[keep], room.x_test, room.y_test, room.classes)
            student = student_for(room, 64, 0)
            taught = Taught(student, large, temperature=temperature, alpha=1.0, own=None)
            run = fit_epochs(taught, part, epochs=EPOCHS, lr=0.01, batch_size=64, schedule="cosine", loss=taught.loss,
                             evaluate_every=0, device="cpu")  # fmt: skip
            for history in run:
                with torch.no_grad():
                    logits = student.eval()(room.x_test)
                if len(history) < EPOCHS:
                    yield Missing(logits[half:], room.y_test[half:], label, shift, 0.0, len(history))
            done[key] = logits
        logits = done[key]
        best = best_bias(logits[:half], room.y_test[:half], label=label)
        yield Missing(logits[half:], room.y_test[half:], label, shift, best, EPOCHS)

    return Panel("A class left out", controls, compute, drawing(room.classes), size=(960, 360))


def errors_at(found: Missing, shift: float) -> tuple[int, int]:
    """All errors, and those on the class that was left out, with its logit shifted."""
    logits = found.logits.clone()
    logits[:, found.label] += shift
    wrong = logits.argmax(1) != found.labels
    return int(wrong.sum()), int((wrong & (found.labels == found.label)).sum())


def drawing(classes: int) -> Draw:
    """The drawing for so many classes."""

    def draw(figure: Figure) -> Show:
        curves, bars_side = figure.subplots(1, 2, width_ratios=[1.4, 1])
        (total,) = curves.plot([], [], "-", color=COLOURS["blue"], label="all errors")
        (own,) = curves.plot([], [], "--", color=COLOURS["orange"], label="errors on the class left out")
        here = curves.axvline(0, color=COLOURS["ink"], lw=1.2)
        (mark,) = curves.plot([], [], "v", ms=9, color=COLOURS["green"], label="best shift, found on other rows")
        curves.set(xlim=(SHIFTS[0], SHIFTS[-1]), xlabel="shift of the bias", ylabel="errors", ylim=(0, 100))
        curves.legend(loc="upper center", fontsize=10)
        bars = bars_side.bar(range(classes), np.ones(classes), color=COLOURS["blue"])
        bars_side.set(xticks=range(classes), xlabel="class", title="Errors by class, at this shift", ylim=(0, 30))

        def show(found: Missing) -> str:
            pairs = np.array([errors_at(found, shift) for shift in SHIFTS])
            total.set_data(SHIFTS, pairs[:, 0])
            own.set_data(SHIFTS, pairs[:, 1])
            here.set_xdata([found.shift] * 2)
            mark.set_data([found.best], [3])
            most = 2.2 * max(10, int(pairs[SHIFTS.index(0.0), 0]))
            move_limits(curves, y=(0.0, most))
            logits = found.logits.clone()
            logits[:, found.label] += found.shift
            wrong = logits.argmax(1) != found.labels
            counts = torch.bincount(found.labels[wrong], minlength=classes)
            for i, (bar, value) in enumerate(zip(bars, counts.tolist(), strict=True)):
                bar.set_height(value)
                bar.set_facecolor(COLOURS["orange"] if i == found.label else COLOURS["blue"])
                bar.set_hatch("///" if i == found.label else "")
            return words(found)

        return show

    return draw


def words(found: Missing) -> str:
    """Errors before and after the correction."""
    total, own = errors_at(found, found.shift)
    best, best_own = errors_at(found, found.best)
    rows = int((found.labels == found.label).sum())
    said = (
        f"Class {found.label} was left out. Shift {found.shift:+g}: {total} errors on {len(found.labels):,} test rows, "
        f"{own} of them on the {rows} rows of that class."
    )
    if found.epoch < EPOCHS:
        return f"Epoch {found.epoch} of {EPOCHS}. {said}"
    return f"{said} With the best shift, {found.best:+.2f}: {best} errors, {best_own} of them on that class."
