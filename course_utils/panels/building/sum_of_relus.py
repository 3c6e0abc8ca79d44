"""One hidden layer of ReLUs draws any continuous function of one number, bend by bend."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import Tensor

from course_utils._support.words import plural
from course_utils.experiments.building.approximation import MAX_UNITS, Approximations, Layer, X, values_of
from course_utils.panels.engine import Choice, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT, legend, number

__all__ = ["FUNCTIONS", "sum_of_relus"]

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "a wave, sin 5x": lambda x: torch.sin(5 * x),
    "a bell, exp(−20x²)": lambda x: torch.exp(-20 * x**2),
    "a corner, |x|": torch.abs,
    "a steep step, tanh 20x": lambda x: torch.tanh(20 * x),
}
PLACEMENTS = {"at the largest error": "greedy", "at equal distances": "even"}
ZERO = 1e-9  # an error below this is rounding, and has no place on a logarithmic axis


class Approximation(NamedTuple):
    """The function on X, the layer, the place of the newest bend, and the largest error for 1, 2, ... units."""

    target: Tensor
    layer: Layer
    newest: float
    errors: dict[str, list[float]]
    placement: str


def sum_of_relus(function: Callable[[Tensor], Tensor] | None = None) -> Panel:
    """A function of one number as a sum of ReLU units, bend by bend.

    `function`: your own, of a tensor of places from -1 to 1, which returns as many values.
    """
    functions = FUNCTIONS if function is None else {"your function": function}
    values = torch.stack([values_of(f) for f in functions.values()])
    low, high = float(values.min()), float(values.max())
    controls = [
        Slider(name="units", label="Units in the hidden layer", values=list(range(1, MAX_UNITS + 1)), value=5),
        Choice(name="place", label="Bends are placed", options=PLACEMENTS),
        Choice(name="target", label="Function", options={name: name for name in functions}),
    ]

    @lru_cache(maxsize=8)
    def approximations(name: str) -> Approximations:
        return Approximations(functions[name])

    def compute(units: float, place: str, target: str) -> Approximation:
        chosen = approximations(target)
        layer, newest = chosen.layer(int(units), place)
        return Approximation(chosen.target, layer, newest, chosen.errors, place)

    def draw(figure: Figure) -> Show:
        return SumPicture(figure, low, high).show

    title = "A sum of ReLUs" if function is None else "A sum of ReLUs, your function"
    return Panel(title, controls, compute, draw, size=(960, 350))


class SumPicture:
    """The sum, its parts and the error by the number of units, for functions between two values."""

    def __init__(self, figure: Figure, low: float, high: float) -> None:
        height = max(high - low, 0.1)
        total, single, curve = figure.subplots(1, 3, width_ratios=[1.25, 1, 1])
        (self.target,) = total.plot([], [], color=FAINT, lw=7, solid_capstyle="round", label="function")
        (self.output,) = total.plot([], [], color=COLOURS["blue"], lw=2.2, label="network")
        (self.dots,) = total.plot([], [], "o", ms=6, color=COLOURS["blue"], mec="white", mew=0.8, label="bend")
        total.set(xlim=(-1.05, 1.05), ylim=(low - 0.14 * height, high + 0.3 * height), xlabel="x", title="The sum")
        legend(total, loc="upper center", ncols=3, fontsize=9.5, columnspacing=0.9, handlelength=1.4)
        self.parts = LineCollection([], colors=COLOURS["sky"], linewidths=1.2)
        single.add_collection(self.parts, autolim=False)
        (self.newest,) = single.plot([], [], "--", color=COLOURS["orange"], lw=2.6, label="the newest unit")
        # Steep units leave the picture: an axis that moved with them would hide how steep they are.
        single.set(xlim=(-1.05, 1.05), ylim=(-4 * height, 4 * height), xlabel="x", title="Each unit, v · g(w x + b)")
        single.legend(loc="lower left", fontsize=9.5)
        self.errors = {
            placement: curve.plot([], [], style, ms=4, lw=1.4, color=COLOURS[colour], label=label)[0]
            for (label, placement), style, colour in zip(
                PLACEMENTS.items(), ("o-", "s--"), ("blue", "orange"), strict=True
            )
        }
        (self.ring,) = curve.plot([], [], "o", ms=13, mfc="none", mew=2.2, color=COLOURS["ink"])
        curve.set(xscale="log", yscale="log", xlim=(0.85, 47), ylim=(2e-4 * height, 2 * height), xlabel="units")
        curve.set_xticks([1, 2, 5, 10, 20, 40], ["1", "2", "5", "10", "20", "40"])
        curve.minorticks_off()
        curve.yaxis.set_major_formatter(lambda value, _: number(value, "g"))
        curve.set_title("Largest error")
        curve.legend(loc="lower left", fontsize=9.5, handlelength=1.8, title="bends placed", alignment="left")

    def show(self, result: Approximation) -> str:
        layer, x = result.layer, X.numpy()
        parts = layer.parts(X).numpy()
        self.target.set_data(x, result.target)
        self.output.set_data(x, layer(X))
        bends = -layer.b
        self.dots.set_data(bends, layer(bends))
        self.parts.set_segments([np.column_stack([x, part]) for part in parts])
        newest = int((bends - result.newest).abs().argmin())
        self.newest.set_data(x, parts[newest])
        for placement, line in self.errors.items():
            errors = np.array(result.errors[placement])
            line.set_data(range(1, MAX_UNITS + 1), np.where(errors > ZERO, errors, np.nan))
        units = len(bends)
        error = result.errors[result.placement][units - 1]
        self.ring.set_data([units], [error if error > ZERO else np.nan])
        return describe(result, error, newest)


def describe(result: Approximation, error: float, newest: int) -> str:
    """The sentences under the panel: parameters, the largest error, and the unit with the newest bend."""
    units, largest = len(result.layer.b), number(error if error > ZERO else 0, ".3g")
    return (
        f"{plural(units, 'unit')}, {3 * units + 1} parameters: each unit has a weight, a bias and an output "
        f"weight, and the output one bias. The largest error is {largest}. The newest "
        f"bend is at x = {number(result.newest)}, the output weight of its unit "
        f"{number(float(result.layer.v[newest]))}."
    )
