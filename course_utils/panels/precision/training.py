"""A network that trains at b bits with updates of b' bits, beside one that trains in float32 (Algorithm 1)."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy
from course_utils.methods.quantize import LowPrecision
from course_utils.models import mlp
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS
from course_utils.train import fit_epochs

__all__ = ["low_precision_training"]

EPOCHS = 12


class Courses(NamedTuple):
    """For float32 and for few bits: the loss of each epoch and the accuracy before training and after each."""

    whole: tuple[list[float], list[float]]
    few: tuple[list[float], list[float]]
    bits: tuple[int, int | None]
    failed: bool = False  # its numbers grew beyond all bounds


def low_precision_training(data: str | Dataset = "digits") -> Panel:
    """Training with b bits for computing and b' bits for updates, epoch by epoch (lecture, Algorithm 1).

    `data`: a name of `load_dataset`, or a data set.
    """
    room = classroom(data)
    room = room.subset(min(len(room.y_train), 3000))
    updates = {"float32": 0} | {f"{b} bits": b for b in (16, 14, 12, 10, 8, 6)}
    controls = [
        Toggle(name="train", label="Train live"),
        Slider(name="compute_bits", label="Bits b of computing", values=list(range(3, 13)), value=8),
        Choice(name="update_bits", label="Bits b′ of the updates", options=updates, value=12),
        Toggle(name="stochastic", label="Round updates at random"),
    ]
    float_run = list(training(room, None, None, False))[-1]

    def compute(train: bool, compute_bits: float, update_bits: int, stochastic: bool) -> Iterator[Courses]:
        bits = (int(compute_bits), update_bits or None)
        if not train:
            yield Courses(float_run, ([], []), bits)
            return
        run: tuple[list[float], list[float]] = ([], [])
        try:
            for run in training(room, *bits, stochastic):
                yield Courses(float_run, run, bits)
        except FloatingPointError:
            yield Courses(float_run, run, bits, failed=True)

    return Panel("Training at b bits", controls, compute, drawing(EPOCHS), size=(960, 360))


def training(
    data: Dataset, compute_bits: int | None, update_bits: int | None, stochastic: bool
) -> Iterator[tuple[list[float], list[float]]]:
    """Loss and accuracy so far, after each epoch of a training."""
    with random_numbers(0):
        model = mlp([data.features, 64, 64, data.classes])
    around: Any = nullcontext()
    if compute_bits is not None:
        generator = torch.Generator().manual_seed(0)
        around = LowPrecision(
            model, compute_bits=compute_bits, update_bits=update_bits, stochastic=stochastic, generator=generator,
            update_every=10,
        )  # fmt: skip
    accuracies: list[float] = []
    settings: dict[str, Any] = {"optimizer": "sgd", "lr": 0.05, "batch_size": 64}
    with around:
        for history in fit_epochs(model, data, epochs=EPOCHS, evaluate_every=0, device="cpu", **settings):
            accuracies.append(measure_accuracy(model, data))
            yield [epoch.train_loss for epoch in history], list(accuracies)


def drawing(epochs: int) -> Draw:
    """The drawing of a training of so many epochs."""

    def draw(figure: Figure) -> Show:
        losses, accuracies = figure.subplots(1, 2)
        lines = []
        for axes in (losses, accuracies):
            (whole,) = axes.plot([], [], "s--", ms=4, color=COLOURS["grey"], label="float32")
            (few,) = axes.plot([], [], "o-", ms=4, color=COLOURS["blue"], label="b bits, b′ for updates")
            lines.append((whole, few))
            axes.set(xlim=(0, epochs), xlabel="epoch")
        losses.set(ylim=(0, 2.4), ylabel="training loss", title="Loss")
        accuracies.set(ylim=(0, 1.03), ylabel="right on test rows", title="Accuracy")
        accuracies.legend(loc="lower right")

        def show(found: Courses) -> str:
            for line, (loss, accuracy) in zip(zip(*lines, strict=True), (found.whole, found.few), strict=True):
                line[0].set_data(range(1, len(loss) + 1), loss)
                line[1].set_data(range(len(accuracy)), accuracy)
            return words(found)

        return show

    return draw


def words(found: Courses) -> str:
    """Where the training stands."""
    bits, updates = found.bits
    setting = f"{bits} bits for computing, {'float32' if updates is None else f'{updates} bits'} for updates"
    whole = f"in float32 it ended at {found.whole[1][-1]:.1%}"
    if not found.few[1]:
        return f"Ready to train with {setting}; {whole}."
    if found.failed:
        return f"Failed after {len(found.few[0])} epochs with {setting}: its numbers grew beyond all bounds; {whole}."
    loss = f", training loss {found.few[0][-1]:.3g}" if found.few[0] else ""
    return f"After {len(found.few[0])} epochs with {setting}: {found.few[1][-1]:.1%} right{loss}; {whole}."
