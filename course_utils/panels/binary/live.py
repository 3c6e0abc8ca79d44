"""A binary network during training: real weights drift to the ends, signs flip, errors fall."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.binary.sign_training import EPOCHS, SignTraining, train_signs
from course_utils.experiments.lesson import lesson_data
from course_utils.panels.engine import Choice, Panel, Slider, Train
from course_utils.plots import COLOURS, Histogram, legend

__all__ = ["live_training"]

BINS = np.linspace(-1.0, 1.0, 42)
KINDS = {"stochastic (11)": "stoch", "deterministic (10)": "det", "none: real weights": "none"}


def live_training(data: str | Dataset = "digits") -> Panel:
    """Training with binary weights, epoch by epoch; real weights accumulate the updates and are clipped to [-1, 1]."""
    dataset = lesson_data(data)
    dataset = dataset.subset(min(len(dataset.y_train), 3000))
    controls = [
        Train(),
        Choice(name="kind", label="Binarization", options=KINDS),
        Slider(name="lr", label="Learning rate η", values=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3], value=0.1),
        Choice(name="seed", label="Initial weights", options={"seed 0": 0, "seed 1": 1}),
    ]

    def compute(train: bool, kind: str, lr: float, seed: int) -> Iterator[SignTraining | None]:
        yield from train_signs(dataset, kind, lr=lr, seed=seed, epochs=EPOCHS if train else 0)

    title = "A binary network while it trains"
    return Panel(title, controls, compute, lambda figure: SignTrainingPicture(figure).show, size=(960, 350))


class SignTrainingPicture:
    """The histogram of the real weights, and two curves over the epochs."""

    def __init__(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        self.bars = Histogram(left, color=COLOURS["blue"])
        left.axvline(0, color=COLOURS["ink"], lw=1)
        left.set(xlim=(-1.05, 1.05), ylim=(0, 1.05), yticks=[], xlabel="real weight of the first layer")
        left.set_xticks([-1, -0.5, 0, 0.5, 1])
        left.set_title("Where the real weights are")
        (self.accuracy,) = right.plot([], [], "o-", ms=5, color=COLOURS["blue"], label="test accuracy")
        (self.flipped,) = right.plot([], [], "s--", ms=5, color=COLOURS["orange"], label="signs flipped in the epoch")
        right.set(xlim=(-0.3, EPOCHS + 0.3), ylim=(-0.03, 1.03), xlabel="epoch", title="Training")
        legend(figure, loc="outside lower right", ncols=2)

    def show(self, state: SignTraining) -> str:
        """Draw the weights now and the epochs so far."""
        counts, _ = np.histogram(np.clip(state.weights, -1, 1), BINS)
        self.bars.show(counts / counts.max(), BINS)
        epochs = range(len(state.accuracies))
        self.accuracy.set_data(epochs, state.accuracies)
        self.flipped.set_data(epochs, state.flipped)
        return describe(state)


def describe(state: SignTraining) -> str:
    """The sentence under the panel: accuracy, flips, and the real weights at the ends."""
    clipped = np.mean(abs(state.weights) > 0.99)
    # Only binary training clips its real weights; the picture gathers those beyond in the outermost bars.
    where = "at" if abs(state.weights).max() <= 1 else "at or beyond"
    return (
        f"Epoch {len(state.accuracies) - 1}: accuracy {state.accuracies[-1]:.1%}; {state.flipped[-1]:.1%} of the signs "
        f"flipped in the last epoch; {clipped:.0%} of the real weights lie {where} −1 or +1."
    )
