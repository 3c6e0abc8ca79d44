"""A binary network while it trains: real weights drift to the ends, signs flip, errors fall."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy
from course_utils.panels.binary.features import first_layer, make_network, settings_for
from course_utils.panels.engine import Choice, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, Histogram
from course_utils.train import fit_epochs

__all__ = ["live_training"]

EPOCHS = 15
BINS = np.linspace(-1.0, 1.0, 42)
KINDS = {"stochastic (11)": "stoch", "deterministic (10)": "det", "none: real weights": "none"}


class Growing(NamedTuple):
    """The real weights of the first layer now, and so far: share right, and share of signs that flipped in an epoch."""

    weights: np.ndarray
    accuracy: list[float]
    flipped: list[float]


def live_training(data: str | Dataset = "digits") -> Panel:
    """Training with binary weights, epoch by epoch; real weights accumulate the updates and are clipped to [-1, 1]."""
    room = classroom(data)
    room = room.subset(min(len(room.y_train), 3000))
    controls = [
        Toggle(name="train", label="Train live"),
        Choice(name="kind", label="Binarization", options=KINDS),
        Slider(name="lr", label="Step size η", values=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3], value=0.1),
        Choice(name="seed", label="Start from", options={"new network": 0, "another one": 1}),
    ]

    def compute(train: bool, kind: str, lr: float, seed: int) -> Iterator[Growing]:
        model = make_network(kind, room, hidden=96, seed=seed)
        first = first_layer(model).weight
        start = first.detach().clone().numpy()
        accuracy, flipped = [measure_accuracy(model.eval(), room)], [0.0]
        yield Growing(start, list(accuracy), list(flipped))
        if not train:
            return
        before = start
        settings = settings_for(kind) | {"lr": lr}
        for history in fit_epochs(model, room, epochs=EPOCHS, evaluate_every=0, device="cpu", seed=seed, **settings):
            if not history:
                continue
            now = first.detach().clone().numpy()
            model.eval()
            accuracy.append(measure_accuracy(model, room))
            flipped.append(float(np.mean((now >= 0) != (before >= 0))))
            before = now
            yield Growing(now, list(accuracy), list(flipped))

    return Panel("A binary network while it trains", controls, compute, draw, size=(960, 350))


def draw(figure: Figure) -> Show:
    """The histogram of the real weights, and two curves."""
    left, right = figure.subplots(1, 2)
    bars = Histogram(left, color=COLOURS["blue"])
    left.axvline(0, color=COLOURS["ink"], lw=1)
    left.set(xlim=(-1.05, 1.05), ylim=(0, 1.05), yticks=[], xlabel="real weight of the first layer")
    left.set_xticks([-1, -0.5, 0, 0.5, 1])
    left.set_title("Where the real weights are")
    (accuracy,) = right.plot([], [], "o-", ms=4, color=COLOURS["blue"], label="right on test rows")
    (flipped,) = right.plot([], [], "s--", ms=4, color=COLOURS["orange"], label="signs flipped in the epoch")
    right.set(xlim=(0, EPOCHS), ylim=(-0.03, 1.03), xlabel="epoch", title="Course of the training")
    right.legend(loc="center right")

    def show(growing: Growing) -> str:
        counts, _ = np.histogram(np.clip(growing.weights, -1, 1), BINS)
        bars.show(counts / counts.max(), BINS)
        x = range(len(growing.accuracy))
        accuracy.set_data(x, growing.accuracy)
        flipped.set_data(x, growing.flipped)
        ends = np.mean(abs(growing.weights) > 0.99)
        # Only binary training clips its real weights; the picture gathers those beyond in the outermost bars.
        where = "at" if abs(growing.weights).max() <= 1 else "at or beyond"
        return (
            f"Epoch {len(x) - 1}: {growing.accuracy[-1]:.1%} right; {growing.flipped[-1]:.1%} of the signs flipped in "
            f"the last epoch; {ends:.0%} of the real weights lie {where} −1 or +1."
        )

    return show
