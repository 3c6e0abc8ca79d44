"""Which layer suffers most: one layer at a time at b bits, then all of them, then their inputs too."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy, trained
from course_utils.methods.layers import weight_layers
from course_utils.methods.quantize import quantize_model
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS

__all__ = ["sensitivity"]


BADGE = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none"}


class Bars(NamedTuple):
    """The accuracy for each bar, in float32, and the bytes of all weights at so many bits."""

    accuracies: dict[str, float]
    whole: float
    bits: int
    kilobytes: float


def sensitivity(data: str | Dataset = "digits") -> Panel:
    """Accuracy with one layer at b bits, with all, and with their inputs at b bits too (lecture, figures 12, 13)."""
    room, model = classroom(data), trained(data)
    layers = weight_layers(model)
    titles = {f"only W{i + 1}": [name] for i, name in enumerate(layers)} | {"all weights": list(layers)}
    weights = sum(layer.weight.numel() for layer in layers.values())
    whole = measure_accuracy(model, room)
    controls = [
        Slider(name="bits", label="Bits b", values=list(range(2, 9)), value=3),
        Choice(name="ranges", label="A range for", options={"the whole matrix": "tensor", "each row": "row"}),
        Choice(name="codes", label="Codes", options={"affine (min to max)": "affine", "symmetric": "symmetric"}),
    ]

    @lru_cache(maxsize=256)
    def bars(bits: int, ranges: str, codes: str) -> Bars:
        settings: dict[str, Any] = {"symmetric": codes == "symmetric", "per_channel": ranges == "row"}
        found = {
            title: measure_accuracy(quantize_model(model, bits=dict.fromkeys(names, bits), **settings), room)
            for title, names in titles.items()
        }
        both = quantize_model(model, bits=bits, activation_bits=bits, calibration=room.x_train[:256], **settings)
        found["weights and inputs"] = measure_accuracy(both, room)
        return Bars(found, whole, bits, weights * bits / 8e3)

    def compute(bits: float, ranges: str, codes: str) -> Bars:
        return bars(int(bits), ranges, codes)

    return Panel("Which layer suffers", controls, compute, drawing([*titles, "weights and inputs"]), size=(960, 330))


def drawing(titles: list[str]) -> Draw:
    """The drawing, with a bar for each title."""

    def draw(figure: Figure) -> Show:
        axes = figure.subplots()
        bars = axes.barh(titles, np.ones(len(titles)), color=COLOURS["blue"], height=0.62)
        for bar, hatch in zip(bars, ["", "", "", "///", "..."], strict=False):
            bar.set(hatch=hatch, edgecolor="white")
        texts = [
            axes.text(0.02, i, "", va="center", fontsize=10.5, fontweight="bold", bbox=BADGE)
            for i in range(len(titles))
        ]
        line = axes.axvline(1, color=COLOURS["orange"], ls="--", lw=1.8, label="float32")
        axes.invert_yaxis()
        axes.set(xlim=(0, 1.02), xlabel="right on the test rows")
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

        def show(found: Bars) -> str:
            for bar, text, value in zip(bars, texts, found.accuracies.values(), strict=True):
                bar.set_width(value)
                text.set_text(f"{value:.1%}")
            line.set_xdata([found.whole] * 2)
            each = ", ".join(f"{title} {value:.1%}" for title, value in found.accuracies.items())
            return (
                f"At {found.bits} bits: {each}; in float32 {found.whole:.1%}. All weights then take "
                f"{found.kilobytes:.1f} kB, in float32 {found.kilobytes * 32 / found.bits:.1f} kB."
            )

        return show

    return draw
