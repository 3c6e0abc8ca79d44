"""The teacher's answer to one input, softened by a temperature: which wrong classes are nearly right."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.distilling.teacher import teacher
from course_utils.experiments.lesson import lesson_data
from course_utils.panels.engine import Panel, Slider, Toggle
from course_utils.plots import COLOURS, FAINT, legend, number

__all__ = ["softened"]

TEMPERATURES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 40.0)
TICKS = {  # on either scale equally wide, so that the plot keeps its place
    "linear": {0: "0.00", 0.25: "0.25", 0.5: "0.50", 0.75: "0.75", 1: "1.00"},
    "log": {1e-6: "10⁻⁶", 1e-4: "10⁻⁴", 1e-2: "10⁻²", 1: "1"},
}
LIMITS = {"linear": (0, 1.05), "log": (1e-6, 2)}
INPUTS = 24  # on the slider, from ambiguous to clear

Softmax = Callable[[Tensor, float], Tensor]


class Answer(NamedTuple):
    """An input, its label, and the teacher's probabilities at T and at 1."""

    image: np.ndarray
    label: int
    soft: np.ndarray
    hard: np.ndarray
    temperature: float
    logarithmic: bool


def softened(data: str | Dataset = "digits", *, softmax: Softmax | None = None) -> Panel:
    """The teacher's softened probabilities softmax(z / T) for one input at a time (Hinton, Vinyals, Dean 2015).

    `softmax`: a function of logits z (n, classes) and T, in the place of softmax(z / T).
    """
    dataset, model = lesson_data(data), teacher(data)
    with torch.no_grad():
        logits = model(dataset.x_test)
    confidence = torch.softmax(logits, 1).max(1).values
    # Those on which the teacher is least confident come first.
    rows = confidence.argsort()[torch.linspace(0, len(confidence) - 1, INPUTS).round().long()]
    controls = [
        Slider(name="temperature", label="Temperature T", values=TEMPERATURES, value=4.0),
        Slider(name="row", label="Input, from ambiguous to clear", values=list(range(1, INPUTS + 1)), value=2),
        Toggle(name="logarithmic", label="Logarithmic axis"),
    ]
    shape = dataset.input_shape[-2:] if len(dataset.input_shape) > 1 else (1, dataset.features)

    def compute(temperature: float, row: float, logarithmic: bool) -> Answer:
        i = rows[int(row) - 1]
        z = logits[i : i + 1]
        soft = torch.softmax(z / temperature, 1) if softmax is None else checked(softmax, z, temperature)
        hard = torch.softmax(z, 1)[0].numpy()
        image = dataset.x_test[i].reshape(shape).numpy()
        return Answer(image, int(dataset.y_test[i]), soft[0].numpy(), hard, temperature, logarithmic)

    title = "What the teacher thinks" if softmax is None else "What the teacher thinks, by your softmax"
    classes = dataset.classes
    return Panel(title, controls, compute, lambda figure: AnswerPicture(figure, shape, classes).show, size=(960, 350))


def checked(softmax: Softmax, z: Tensor, temperature: float) -> Tensor:
    """What a reader's function returns, if it is a row of probabilities."""
    p = softmax(z.clone(), temperature)
    if not isinstance(p, Tensor) or p.shape != z.shape:
        got = f"a tensor of shape {tuple(p.shape)}" if isinstance(p, Tensor) else type(p).__name__
        raise ValueError(f"softmax must return a tensor of shape {tuple(z.shape)} like z, got {got}")
    if not bool(((p >= 0) & (p <= 1)).all()) or abs(float(p.sum()) - 1) > 1e-3:
        raise ValueError(f"probabilities lie between 0 and 1 and add up to 1, yours add up to {float(p.sum()):.4f}")
    return p.detach()


class AnswerPicture:
    """The input on the left, the teacher's probabilities at T and at 1 on the right."""

    def __init__(self, figure: Figure, shape: tuple[int, ...], classes: int) -> None:
        left, self.probabilities = figure.subplots(1, 2, width_ratios=[1, 2.6])
        self.image = left.imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1)
        left.set(xticks=[], yticks=[])
        left.spines[:].set_visible(False)
        self.label = left.set_title("Label 0")
        axes = self.probabilities
        places = np.arange(classes)
        self.hard = axes.bar(
            places - 0.2, np.ones(classes), 0.38, color="#DDE2E6", label="T = 1", hatch="///", edgecolor=FAINT
        )
        self.soft = axes.bar(places + 0.2, np.ones(classes), 0.38, color=COLOURS["blue"], label="at T")
        axes.set(xticks=places, xlabel="class", title="Probability of each class")
        self.scale("linear")
        legend(figure, loc="outside lower right", ncols=2, fontsize=10)

    def show(self, answer: Answer) -> str:
        """Draw the input, and set the bars on their scale."""
        self.image.set_data(answer.image)
        self.image.set_clim(0, float(answer.image.max()))
        self.label.set_text(f"Label {answer.label}")
        scale = "log" if answer.logarithmic else "linear"
        if self.probabilities.get_yscale() != scale:
            self.scale(scale)
        for bars, values in ((self.hard, answer.hard), (self.soft, answer.soft)):
            for bar, value in zip(bars, values, strict=True):
                bar.set_height(max(float(value), 1e-9))
        return describe(answer)

    def scale(self, kind: str) -> None:
        """Set the axis of the probabilities, which is "linear" or "log"."""
        axes, ticks = self.probabilities, TICKS[kind]
        axes.set_yscale(kind)
        axes.set_yticks(list(ticks), list(ticks.values()))
        axes.minorticks_off()
        axes.set_ylim(LIMITS[kind])


def describe(answer: Answer) -> str:
    """The sentences under the panel: the three most likely classes, and the entropy."""
    order = np.argsort(-answer.soft)[:3]
    likely = ", ".join(f"{i} with {probability(float(answer.soft[i]))}" for i in order)
    entropy = float(-(answer.soft * np.log2(np.maximum(answer.soft, 1e-12))).sum())
    return (
        f"An input with label {answer.label}. At T = {answer.temperature:g} the teacher says {likely}; the "
        f"entropy of its answer is {number(entropy)} bits, from 0 (certain) to {np.log2(len(answer.soft)):.2f} "
        "(uniform)."
    )


def probability(p: float) -> str:
    """A probability in two digits; one that rounding may have made of nothing, or nothing of, only by its size."""
    return number(p, ".2g") if p >= 1e-20 else "less than 10⁻²⁰"
