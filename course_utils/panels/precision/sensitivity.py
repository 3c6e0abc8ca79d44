"""Which layer is most sensitive: each layer alone at b bits, then all of them, then their inputs too."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from course_utils.data import Dataset
from course_utils.experiments.lesson import lesson_data, measure_accuracy, trained_network
from course_utils.methods.quantize import quantize_model
from course_utils.methods.weights import weights_of
from course_utils.panels.engine import Choice, Panel, Slider
from course_utils.plots import COLOURS, loss_limits, move_limits, write

__all__ = ["sensitivity"]


class Sensitivity(NamedTuple):
    """The accuracy by what is quantized, the accuracy in float32, and the bytes of all weights with so many bits."""

    accuracies: dict[str, float]
    float_accuracy: float
    bits: int
    kilobytes: float


def sensitivity(data: str | Dataset = "digits") -> Panel:
    """Accuracy with one layer at b bits, with all, and with their inputs at b bits too (lecture, figures 12, 13)."""
    dataset, model = lesson_data(data), trained_network(data)
    layers = weights_of(model)
    parts = {f"only W{i + 1}": [name] for i, name in enumerate(layers)} | {"all weights": list(layers)}
    weight_count = sum(weight.tensor.numel() for weight in layers.values())
    float_accuracy = measure_accuracy(model, dataset)
    controls = [
        Slider(name="bits", label="Bits b", values=list(range(2, 9)), value=3),
        Choice(name="ranges", label="A range for", options={"the whole matrix": "tensor", "each row": "row"}),
        Choice(name="codes", label="Codes", options={"affine (min to max)": "affine", "symmetric": "symmetric"}),
    ]

    @lru_cache(maxsize=256)
    def measure(bits: int, ranges: str, codes: str) -> Sensitivity:
        settings: dict[str, Any] = {"symmetric": codes == "symmetric", "per_channel": ranges == "row"}
        accuracies = {
            title: measure_accuracy(quantize_model(model, bits=dict.fromkeys(names, bits), **settings), dataset)
            for title, names in parts.items()
        }
        with_inputs = quantize_model(
            model, bits=bits, activation_bits=bits, calibration=dataset.x_train[:256], **settings
        )
        accuracies["weights and inputs"] = measure_accuracy(with_inputs, dataset)
        return Sensitivity(accuracies, float_accuracy, bits, weight_count * bits / 8e3)

    def compute(bits: float, ranges: str, codes: str) -> Sensitivity:
        return measure(int(bits), ranges, codes)

    titles = [*parts, "weights\nand inputs"]
    title = "Which layer suffers"
    return Panel(title, controls, compute, lambda figure: SensitivityPicture(figure, titles).show, size=(960, 330))


class SensitivityPicture:
    """For each part that is quantized a bar from the accuracy in float32 to its own: the longer, the more is lost."""

    def __init__(self, figure: Figure, titles: list[str]) -> None:
        self.axes = axes = figure.subplots()
        self.bars = axes.barh(titles, np.ones(len(titles)), color=COLOURS["blue"], height=0.62)
        for bar, hatch in zip(self.bars, ["", "", "", "///", "..."], strict=False):
            bar.set(hatch=hatch, edgecolor="white")
        bold: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 10.5, "fontweight": "bold"}
        left = ScaledTranslation(-5 / 72, 0, figure.dpi_scale_trans)  # of the bar, by so many points
        self.texts = [axes.text(0, i, "", transform=axes.transData + left, **bold) for i in range(len(titles))]
        self.float_accuracy = axes.axvline(1, color=COLOURS["orange"], ls="--", lw=1.8)
        axes.invert_yaxis()
        axes.set(title="What is lost", xlabel="accuracy on the test rows; dashed: float32")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)

    def show(self, result: Sensitivity) -> str:
        """Set the bars."""
        float32 = result.float_accuracy
        for bar, text, accuracy in zip(self.bars, self.texts, result.accuracies.values(), strict=True):
            bar.set(x=float32, width=accuracy - float32)
            write(text, text=f"{accuracy:.1%}", position=(min(accuracy, float32), text.get_position()[1]))
        self.float_accuracy.set_xdata([float32] * 2)
        move_limits(self.axes, x=loss_limits(float32, list(result.accuracies.values())))
        return describe(result)


def describe(result: Sensitivity) -> str:
    """The sentences under the panel: the accuracy of each part, and the bytes of all weights."""
    accuracies = ", ".join(f"{title} {accuracy:.1%}" for title, accuracy in result.accuracies.items())
    return (
        f"At {result.bits} bits: {accuracies}; in float32 {result.float_accuracy:.1%}. All weights then take "
        f"{result.kilobytes:.1f} kB, in float32 {result.kilobytes * 32 / result.bits:.1f} kB."
    )
