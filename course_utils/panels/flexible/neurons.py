"""Figure 17: the activation functions of six neurons, before training (dashed) and while they train."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy
from course_utils.methods.activations import KAF
from course_utils.models import mlp
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS
from course_utils.train import fit_epochs

__all__ = ["neurons"]

S = torch.linspace(-4, 4, 161)
EPOCHS = 8
SHOWN = 6
STARTS = {"random, normal": "normal", "tanh, by (20)": "tanh", "ELU, by (20)": "elu"}


class Curves(NamedTuple):
    """The curves of SHOWN neurons at the start and now, (SHOWN, points), and the accuracy so far."""

    start: np.ndarray
    now: np.ndarray
    accuracy: list[float]
    place: str = ""  # which neurons they are, in words


def neurons(data: str | Dataset = "digits") -> Panel:
    """A network of KAFs, epoch by epoch, and what its neurons' activations become (lecture, figure 17)."""
    room = classroom(data)
    room = room.subset(min(len(room.y_train), 3000))
    controls = [
        Toggle(name="train", label="Train live"),
        Choice(name="start", label="Start from", options=STARTS),
        Slider(name="layer", label="Hidden layer", values=(1, 2), value=2),
        Slider(name="first", label="First neuron shown", values=tuple(range(1, 26, SHOWN)), value=1),
        Slider(name="lr", label="Step size η", values=(0.001, 0.003, 0.01, 0.03), value=0.01),
    ]

    def compute(train: bool, start: str, layer: float, first: float, lr: float) -> Iterator[Curves]:
        init: Any = {"normal": "normal", "tanh": torch.tanh, "elu": torch.nn.functional.elu}[start]
        with random_numbers(0):
            model = mlp([room.features, 30, 30, room.classes], activation=lambda width: KAF(width, init=init))
        unit = [layer for layer in model if isinstance(layer, KAF)][int(layer) - 1]
        rows = slice(int(first) - 1, int(first) - 1 + SHOWN)
        before = curves(unit)[rows]
        place = f"neurons {rows.start + 1} to {rows.stop} of hidden layer {layer:g}"
        found = Curves(before, before, [measure_accuracy(model.eval(), room)], place)
        yield found
        if not train:
            return
        for history in fit_epochs(model, room, epochs=EPOCHS, lr=lr, batch_size=64, schedule="cosine", evaluate_every=0,
                                  device="cpu"):  # fmt: skip
            if history:
                accuracy = [*found.accuracy, measure_accuracy(model.eval(), room)]
                found = Curves(before, curves(unit)[rows], accuracy, place)
                yield found

    return Panel("Neurons that learn their activation", controls, compute, drawing(room.name), size=(960, 420))


@torch.no_grad()
def curves(unit: KAF) -> np.ndarray:
    """The activation of each neuron on S, (neurons, points)."""
    return unit(S.unsqueeze(1).expand(-1, unit.features)).T.numpy().copy()


def drawing(name: str) -> Draw:
    """The drawing, for a data set of this name."""

    def draw(figure: Figure) -> Show:
        maps, side = figure.subfigures(1, 2, width_ratios=[2.3, 1], squeeze=False)[0]
        panels = maps.subplots(2, 3, sharex=True, sharey=True).flat
        lines = []
        for axes in panels:
            axes.axhline(0, color="#D4D9DE", lw=1)
            (start,) = axes.plot([], [], "--", color=COLOURS["orange"], lw=1.6)
            (now,) = axes.plot([], [], color=COLOURS["blue"], lw=2.2)
            axes.set(xlim=(-4, 4), ylim=(-3, 3))
            lines.append((start, now))
        maps.suptitle("dashed: before training · line: now", fontsize=11)
        course = side.subplots()
        (accuracy,) = course.plot([], [], "o-", ms=4, color=COLOURS["blue"])
        course.set(xlim=(0, EPOCHS), ylim=(0, 1.03), xlabel="epoch", title=f"Right, {name}")

        def show(found: Curves) -> str:
            for (start, now), a, b in zip(lines, found.start, found.now, strict=True):
                start.set_data(S, a)
                now.set_data(S, b)
            accuracy.set_data(range(len(found.accuracy)), found.accuracy)
            moved = np.abs(found.now - found.start).max(1)
            return (
                f"Epoch {len(found.accuracy) - 1}: {found.accuracy[-1]:.1%} right; the six curves, of "
                f"{found.place}, have moved by {moved.min():.2f} to {moved.max():.2f}."
            )

        return show

    return draw
