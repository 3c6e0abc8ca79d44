"""The teacher's answer to one input, softened by a temperature: which wrong classes are nearly right."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom
from course_utils.panels.distilling.teacher import teacher
from course_utils.panels.engine import Draw, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, FAINT, number

__all__ = ["softened"]

TEMPERATURES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 40.0)
SHOWN = 24  # inputs on the slider, from doubtful to clear

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

    `softmax`: your own function of logits z (n, classes) and T, in the place of softmax(z / T).
    """
    room = classroom(data)
    model = teacher(data)
    with torch.no_grad():
        logits = model(room.x_test)
    clear = torch.softmax(logits, 1).max(1).values
    # Beginning with those of which the teacher is least sure.
    rows = clear.argsort()[torch.linspace(0, len(clear) - 1, SHOWN).round().long()]
    controls = [
        Slider(name="temperature", label="Temperature T", values=TEMPERATURES, value=4.0),
        Slider(name="row", label="Input, from doubtful to clear", values=list(range(1, SHOWN + 1)), value=2),
        Toggle(name="logarithmic", label="Logarithmic axis"),
    ]

    def compute(temperature: float, row: float, logarithmic: bool) -> Answer:
        i = rows[int(row) - 1]
        z = logits[i : i + 1]
        soft = torch.softmax(z / temperature, 1) if softmax is None else checked(softmax, z, temperature)
        image = room.x_test[i].reshape(room.input_shape[-2:] if len(room.input_shape) > 1 else (1, -1))
        hard = torch.softmax(z, 1)[0].numpy()
        return Answer(image.numpy(), int(room.y_test[i]), soft[0].numpy(), hard, temperature, logarithmic)

    title = "What the teacher thinks" if softmax is None else "What the teacher thinks, by your softmax"
    return Panel(title, controls, compute, drawing(room), size=(960, 350))


def checked(softmax: Softmax, z: Tensor, temperature: float) -> Tensor:
    """What a reader's function returns, if it is a row of probabilities."""
    found = softmax(z.clone(), temperature)
    if not isinstance(found, Tensor) or found.shape != z.shape:
        got = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"softmax must return a tensor of shape {tuple(z.shape)} like z, got {got}")
    if not bool(((found >= 0) & (found <= 1)).all()) or abs(float(found.sum()) - 1) > 1e-3:
        raise ValueError(f"probabilities lie between 0 and 1 and add up to 1, yours add up to {float(found.sum()):.4f}")
    return found.detach()


def drawing(data: Dataset) -> Draw:
    """The drawing for inputs and classes like those of a data set."""
    classes = data.classes
    shape = data.input_shape[-2:] if len(data.input_shape) > 1 else (1, data.features)

    def draw(figure: Figure) -> Show:
        picture, axes = figure.subplots(1, 2, width_ratios=[1, 2.6])
        image = picture.imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1)
        picture.set(xticks=[], yticks=[])
        picture.spines[:].set_visible(False)
        caption = picture.set_title("Label 0")
        places = np.arange(classes)
        hard = axes.bar(
            places - 0.2, np.ones(classes), 0.38, color="#DDE2E6", label="T = 1", hatch="///", edgecolor=FAINT
        )
        soft = axes.bar(places + 0.2, np.ones(classes), 0.38, color=COLOURS["blue"], label="at T")
        axes.set(xticks=places, xlabel="class", ylabel="probability", ylim=(0, 1.05))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2, fontsize=10)

        def show(answer: Answer) -> str:
            image.set_data(answer.image)
            image.set_clim(0, float(answer.image.max()))
            caption.set_text(f"Label {answer.label}")
            scale = "log" if answer.logarithmic else "linear"
            if axes.get_yscale() != scale:
                axes.set_yscale(scale)
                axes.set_ylim(1e-6 if scale == "log" else 0, 2 if scale == "log" else 1.05)
            for bars, values in ((hard, answer.hard), (soft, answer.soft)):
                for bar, value in zip(bars, values, strict=True):
                    bar.set_height(max(float(value), 1e-9))
            return words(answer)

        return show

    return draw


def words(answer: Answer) -> str:
    """The three most likely classes."""
    order = np.argsort(-answer.soft)[:3]
    likely = ", ".join(f"{i} with {number(answer.soft[i], '.2g')}" for i in order)
    entropy = float(-(answer.soft * np.log2(np.maximum(answer.soft, 1e-12))).sum())
    return (
        f"An input with label {answer.label}. At T = {answer.temperature:g} the teacher says {likely}; its answer "
        f"holds {entropy:.2f} bits of doubt, from 0 (sure) to {np.log2(len(answer.soft)):.2f} (no idea)."
    )
