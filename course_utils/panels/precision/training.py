"""A network that trains at b bits with updates of b' bits, beside one that trains in float32 (Algorithm 1)."""

from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.lesson import last, lesson_data
from course_utils.experiments.precision.low_precision import EPOCHS, TrainingCurves, train_low_precision
from course_utils.panels.engine import Choice, Panel, Slider, Toggle, Train
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, legend, number

__all__ = ["low_precision_training"]


class Comparison(NamedTuple):
    """A finished training in float32, one with few bits so far, the bits b and b', and whether the latter diverged."""

    float32: TrainingCurves
    few_bits: TrainingCurves
    compute_bits: int
    update_bits: int | None
    failed: bool = False


def low_precision_training(data: str | Dataset = "digits") -> Panel:
    """Training with b bits for the computation and b' bits for updates, epoch by epoch (lecture, Algorithm 1).

    `data`: a name of `load_dataset`, or a data set.
    """
    dataset = lesson_data(data)
    dataset = dataset.subset(min(len(dataset.y_train), 3000))
    updates = {"float32": 0} | {f"{b} bits": b for b in (16, 14, 12, 10, 8, 6)}
    controls = [
        Train(),
        Slider(name="compute_bits", label="Bits b of the computation", values=list(range(3, 13)), value=8),
        Choice(name="update_bits", label="Bits b′ of the updates", options=updates, value=12),
        Toggle(name="stochastic", label="Stochastic rounding of the updates"),
    ]
    float32 = last(train_low_precision(dataset, compute_bits=None, update_bits=None))

    def compute(train: bool, compute_bits: float, update_bits: int, stochastic: bool) -> Iterator[Comparison | None]:
        b, b_update = int(compute_bits), update_bits or None
        now = Comparison(float32, TrainingCurves([], []), b, b_update)
        if not train:
            start = (c for c in train_low_precision(dataset, compute_bits=b, update_bits=b_update) if c is not None)
            yield now._replace(few_bits=next(start))
            return
        try:
            for curves in train_low_precision(dataset, compute_bits=b, update_bits=b_update, stochastic=stochastic):
                if curves is not None:
                    now = now._replace(few_bits=curves)
                yield curves and now
        except FloatingPointError:
            yield now._replace(failed=True)

    title = "Training at b bits"
    return Panel(title, controls, compute, lambda figure: CurvesPicture(figure).show, size=(960, 360))


class CurvesPicture:
    """Loss and accuracy over the epochs, in float32 and with few bits."""

    def __init__(self, figure: Figure) -> None:
        losses, accuracies = figure.subplots(1, 2)
        self.lines = []
        for axes in (losses, accuracies):
            (float32,) = axes.plot([], [], "s--", ms=4, color=COLOURS["grey"], label="float32")
            (few_bits,) = axes.plot([], [], "o-", ms=6, color=COLOURS["blue"], label="b bits, b′ for updates")
            self.lines.append((float32, few_bits))
            axes.set(xlim=(-0.3, EPOCHS + 0.3), xlabel="epoch")
        losses.set(ylim=(0, 2.4), ylabel="training loss", title="Loss")
        accuracies.set(ylim=(0, 1.03), ylabel="accuracy on the test rows", title="Accuracy")
        self.legend = legend(figure, handles=self.lines[0], loc="outside lower right", ncols=2)

    def show(self, result: Comparison) -> str:
        """Draw the epochs so far."""
        curves = (result.float32, result.few_bits)
        for (loss, accuracy), training in zip(zip(*self.lines, strict=True), curves, strict=True):
            loss.set_data(range(1, len(training.losses) + 1), training.losses)
            accuracy.set_data(range(len(training.accuracies)), training.accuracies)
        name_what_is_drawn(self.legend)
        return describe(result)


def describe(result: Comparison) -> str:
    """The sentence under the panel: how far the training is, and how good compared with float32."""
    updates = "float32" if result.update_bits is None else f"{result.update_bits} bits"
    setting = f"{result.compute_bits} bits for the computation, {updates} for the updates"
    float32 = f"training in float32 ended at {result.float32.accuracies[-1]:.1%}"
    losses, accuracies = result.few_bits
    if not losses and not result.failed:
        return f"Ready to train with {setting}; {float32}."
    if result.failed:
        return f"Failed after {len(losses)} epochs with {setting}: the training diverged; {float32}."
    loss = f", training loss {number(losses[-1], '.3g')}" if losses else ""
    return f"After {len(losses)} epochs with {setting}: accuracy {accuracies[-1]:.1%}{loss}; {float32}."
