"""Figure 17: the activation functions of six neurons, before training (dashed) and while they train."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.flexible.learned_curves import EPOCHS, S, train_kafs
from course_utils.experiments.lesson import lesson_data
from course_utils.panels.engine import Choice, Panel, Slider, Train
from course_utils.plots import COLOURS, legend

__all__ = ["neurons"]

NEURONS = 6  # in a picture
STARTS: dict[str, Literal["normal"] | Callable[[Tensor], Tensor]] = {
    "normal": "normal",
    "tanh": torch.tanh,
    "elu": torch.nn.functional.elu,
}


class NeuronCurves(NamedTuple):
    """The curves of NEURONS neurons at the start and now, (NEURONS, points), the accuracy so far, their names."""

    start: np.ndarray
    now: np.ndarray
    accuracies: list[float]
    place: str


def neurons(data: str | Dataset = "digits") -> Panel:
    """A network of KAFs, epoch by epoch, and what its neurons' activations become (lecture, figure 17)."""
    dataset = lesson_data(data)
    dataset = dataset.subset(min(len(dataset.y_train), 3000))
    starts = {"random (normal)": "normal", "tanh, by (20)": "tanh", "ELU, by (20)": "elu"}
    controls = [
        Train(),
        Choice(name="start", label="Initial activation", options=starts),
        Slider(name="layer", label="Hidden layer", values=(1, 2), value=2),
        Slider(name="first", label="First neuron shown", values=tuple(range(1, 26, NEURONS)), value=1),
        Slider(name="lr", label="Learning rate η", values=(0.001, 0.003, 0.01, 0.03), value=0.01),
    ]

    def compute(train: bool, start: str, layer: float, first: float, lr: float) -> Iterator[NeuronCurves | None]:
        rows = slice(int(first) - 1, int(first) - 1 + NEURONS)
        place = f"neurons {rows.start + 1} to {rows.stop} of hidden layer {layer:g}"
        epochs = EPOCHS if train else 0
        for curves in train_kafs(dataset, init=STARTS[start], layer=int(layer), lr=lr, epochs=epochs):
            yield curves and NeuronCurves(curves.start[rows], curves.now[rows], curves.accuracies, place)

    title = "Neurons that learn their activation"
    return Panel(title, controls, compute, lambda figure: NeuronPicture(figure, dataset.name).show, size=(960, 420))


class NeuronPicture:
    """The curves of six neurons, and the accuracy over the epochs; `name` is that of the data set."""

    def __init__(self, figure: Figure, name: str) -> None:
        left, right = figure.subfigures(1, 2, width_ratios=[2.3, 1], squeeze=False)[0]
        self.curves = []
        for axes in left.subplots(2, 3, sharex=True, sharey=True).flat:
            axes.axhline(0, color="#D4D9DE", lw=1)
            (now,) = axes.plot([], [], color=COLOURS["blue"], lw=2.4, label="now")
            # On top, because before the training both are one curve.
            (start,) = axes.plot([], [], "--", color=COLOURS["orange"], lw=1.6, label="before training")
            axes.set(xlim=(-4, 4), ylim=(-3, 3), xticks=[-4, 0, 4], yticks=[-2, 0, 2])
            self.curves.append((start, now))
        legend(left, handles=[now, start], loc="outside upper left", ncols=2)
        course = right.subplots()
        (self.accuracy,) = course.plot([], [], "o-", ms=5, color=COLOURS["blue"])
        course.set(xlim=(-0.3, EPOCHS + 0.3), ylim=(0, 1.03), xlabel="epoch", title=f"Test accuracy, {name}")

    def show(self, curves: NeuronCurves) -> str:
        """Draw the curves at the start and now, and the epochs so far."""
        for (start, now), start_values, now_values in zip(self.curves, curves.start, curves.now, strict=True):
            start.set_data(S, start_values)
            now.set_data(S, now_values)
        self.accuracy.set_data(range(len(curves.accuracies)), curves.accuracies)
        return describe(curves)


def describe(curves: NeuronCurves) -> str:
    """The sentence under the panel: the accuracy, and how far the curves have changed."""
    change = np.abs(curves.now - curves.start).max(1)
    return (
        f"Epoch {len(curves.accuracies) - 1}: test accuracy {curves.accuracies[-1]:.1%}; the curves of "
        f"{curves.place} have changed by {change.min():.2f} to {change.max():.2f}."
    )
