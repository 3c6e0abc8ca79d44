"""A class that the student has never seen: what the teacher's soft answers tell it, and how a bias corrects it."""

from collections.abc import Iterator

import numpy as np
import torch
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.distilling.left_out_class import EPOCHS, LeftOutClass, Student, train_without_class
from course_utils.experiments.distilling.teacher import teacher
from course_utils.experiments.lesson import lesson_data
from course_utils.panels.engine import Choice, Panel, Slider
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, legend, move_limits, number, round_up

__all__ = ["left_out"]

SHIFTS = tuple(round(0.25 * i, 2) for i in range(-8, 33))


def left_out(data: str | Dataset = "digits") -> Panel:
    """Errors of a student trained without one class, as the bias of that class is raised (Hinton et al. 2015)."""
    dataset, large = lesson_data(data), teacher(data)
    controls = [
        Choice(name="label", label="Class left out", options={str(i): i for i in range(dataset.classes)}, value=3),
        Slider(name="shift", label="Shift of the bias of that class", values=SHIFTS, value=0.0),
        Slider(name="temperature", label="Temperature T", values=(1, 2, 4, 8, 20), value=2),
    ]
    students: dict[tuple[int, float], Student] = {}

    def compute(label: int, shift: float, temperature: float) -> Iterator[LeftOutClass | None]:
        key = (label, temperature)
        if key not in students:
            for student in train_without_class(dataset, large, label=label, temperature=temperature):
                if student is not None and student.epoch == EPOCHS:
                    students[key] = student
                else:
                    yield student and student.evaluate(shift)
        yield students[key].evaluate(shift)

    title = "A class left out"
    return Panel(title, controls, compute, lambda figure: LeftOutPicture(figure, dataset.classes).show, size=(960, 360))


class LeftOutPicture:
    """Errors against the shift on the left, by class on the right."""

    def __init__(self, figure: Figure, classes: int) -> None:
        self.curves, right = figure.subplots(1, 2, width_ratios=[1.4, 1])
        curves = self.curves
        (self.all_errors,) = curves.plot([], [], "-", color=COLOURS["blue"], label="all errors")
        (self.class_errors,) = curves.plot([], [], "--", color=COLOURS["orange"], label="errors on the class left out")
        self.shift = curves.axvline(0, color=COLOURS["ink"], lw=1.2)
        (self.best,) = curves.plot([], [], "v", ms=9, color=COLOURS["green"], label="best shift on held-out rows")
        curves.set(xlim=(SHIFTS[0], SHIFTS[-1]), xlabel="shift of the bias", ylim=(0, 100), title="Errors by shift")
        self.legend = legend(figure, loc="outside lower left", ncols=3, fontsize=10)
        self.bars = right.bar(range(classes), np.ones(classes), color=COLOURS["blue"])
        right.set(xticks=range(classes), xlabel="class", title="Errors by class, at this shift")
        self.by_class = right

    def show(self, result: LeftOutClass) -> str:
        """Draw the curves and the bars at the shift."""
        errors = np.array([result.errors(shift) for shift in SHIFTS])
        self.all_errors.set_data(SHIFTS, errors[:, 0])
        self.class_errors.set_data(SHIFTS, errors[:, 1])
        self.shift.set_xdata([result.shift] * 2)
        best = [result.best] if result.epoch == EPOCHS else []  # it is searched in the end
        self.best.set_data(best, [result.errors(shift)[0] for shift in best])
        move_limits(self.curves, y=(0.0, round_up(2 * max(10, int(errors[SHIFTS.index(0.0), 0])))))
        wrong_labels = result.labels[result.wrong(result.shift)]
        counts = torch.bincount(wrong_labels, minlength=len(self.bars))
        rows = torch.bincount(result.labels, minlength=len(self.bars))
        move_limits(self.by_class, y=(0.0, max(30.0, 1.05 * int(rows.max()))))
        for i, (bar, count) in enumerate(zip(self.bars, counts.tolist(), strict=True)):
            bar.set_height(count)
            bar.set_facecolor(COLOURS["orange"] if i == result.label else COLOURS["blue"])
            bar.set_hatch("///" if i == result.label else "")
        name_what_is_drawn(self.legend)
        return describe(result)


def describe(result: LeftOutClass) -> str:
    """The sentences under the panel: errors at this shift and at the best one."""
    total, on_class = result.errors(result.shift)
    rows = int((result.labels == result.label).sum())
    errors = (
        f"Class {result.label} was left out. Shift {signed(result.shift)}: {total} errors on {len(result.labels):,} "
        f"test rows, {on_class} of them on the {rows} rows of that class."
    )
    if result.epoch < EPOCHS:
        return f"Epoch {result.epoch} of {EPOCHS}. {errors}"
    best_total, best_on_class = result.errors(result.best)
    return (
        f"{errors} With the best shift, {signed(result.best)}: {best_total} errors, {best_on_class} of them on that "
        "class."
    )


def signed(shift: float) -> str:
    """A shift with its sign, and 0 without one."""
    return number(shift, "+.3g" if shift else "g")
