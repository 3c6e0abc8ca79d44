"""One hidden layer of ReLUs, (1) and (2), draws any continuous function of one number: each unit adds one bend."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT, number

__all__ = ["FUNCTIONS", "Layer", "X", "bends", "build_layer", "sum_of_relus"]

X = torch.linspace(-1, 1, 401, dtype=torch.float64)  # where the functions are looked at
MOST = 40
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "a wave, sin 5x": lambda x: torch.sin(5 * x),
    "a bell, exp(−20x²)": lambda x: torch.exp(-20 * x**2),
    "a corner, |x|": torch.abs,
    "a steep step, tanh 20x": lambda x: torch.tanh(20 * x),
}
PLACES = {"at the largest error": "greedy", "at equal distances": "even"}


class Layer(NamedTuple):
    """A hidden layer h = g(W x + b) of one input, and the output v h + c: `w`, `b`, `v` of shape (units,)."""

    w: Tensor
    b: Tensor
    v: Tensor
    c: float

    def parts(self, x: Tensor) -> Tensor:
        """What each unit contributes to the output, (units, n), at the n places `x`."""
        hidden = torch.relu(self.w[:, None] * x + self.b[:, None])  # (1) and (2)
        return self.v[:, None] * hidden

    def __call__(self, x: Tensor) -> Tensor:
        """The output at the places `x`."""
        return self.parts(x).sum(0) + self.c


class Approximation(NamedTuple):
    """The function on X, the layer, the place of the newest bend, and the largest error for 1, 2, ... units."""

    wanted: Tensor
    layer: Layer
    newest: float
    errors: dict[str, list[float]]
    place: str


def build_layer(wanted: Tensor, knots: list[int]) -> Layer:
    """The layer that meets the function at some places of X and is straight between them.

    The unit of the k-th place t_k is g(x - t_k); its outer weight is the change of the slope at its bend.

    `wanted`: the function on X; `knots`: numbers of places, the first and the last among them.

    >>> layer = build_layer(X.abs(), [0, 200, 400])
    >>> layer.v.tolist(), layer.c
    ([-1.0, 2.0], 1.0)
    """
    places = sorted(knots)
    t, f = X[places], wanted[places]
    slopes = f.diff() / t.diff()
    v = torch.cat([slopes[:1], slopes.diff()])
    return Layer(torch.ones_like(v), -t[:-1], v, float(f[0]))


@torch.no_grad()
def bends(wanted: Tensor, place: str, most: int = MOST) -> list[list[int]]:
    """Numbers of the places at which 1, 2, ..., `most` units meet the function; the right end is none's bend.

    `place`: "even", or "greedy", where each unit more bends the line at the place of the largest error.
    """
    last = len(X) - 1
    if place == "even":
        return [[round(last * i / n) for i in range(n + 1)] for n in range(1, most + 1)]
    found = [[0, last]]
    while len(found) < most:
        error = (build_layer(wanted, found[-1])(X) - wanted).abs()
        error[found[-1]] = -1.0  # a place is taken once
        found.append([*found[-1], int(error.argmax())])
    return found


def sum_of_relus(function: Callable[[Tensor], Tensor] | None = None) -> Panel:
    """A function of one number as a sum of ReLU units, bend by bend.

    `function`: your own, of a tensor of places from -1 to 1, which returns as many values.
    """
    functions = FUNCTIONS if function is None else {"your function": function}
    ranges = torch.stack([values_of(f) for f in functions.values()])
    low, high = float(ranges.min()), float(ranges.max())
    controls = [
        Slider(name="units", label="Units in the hidden layer", values=list(range(1, MOST + 1)), value=5),
        Choice(name="place", label="Bends are placed", options=PLACES),
        Choice(name="target", label="Function", options={name: name for name in functions}),
    ]

    @lru_cache(maxsize=8)
    def plans(name: str) -> tuple[Tensor, dict[str, list[list[int]]], dict[str, list[float]]]:
        wanted = values_of(functions[name])
        knots = {place: bends(wanted, place) for place in PLACES.values()}
        errors = {
            place: [float((build_layer(wanted, k)(X) - wanted).abs().max()) for k in plan]
            for place, plan in knots.items()
        }
        return wanted, knots, errors

    def compute(units: float, place: str, target: str) -> Approximation:
        wanted, knots, errors = plans(target)
        chosen = knots[place][int(units) - 1]
        newest = chosen[-1] if place == "greedy" and units > 1 else sorted(chosen)[-2]
        return Approximation(wanted, build_layer(wanted, chosen), float(X[newest]), errors, place)

    title = "A sum of ReLUs" if function is None else "A sum of ReLUs, your function"
    return Panel(title, controls, compute, drawing(low, high), size=(960, 350))


def values_of(function: Callable[[Tensor], Tensor]) -> Tensor:
    """The function on X; ValueError where it does not give one number for each place."""
    values = torch.as_tensor(function(X.clone()), dtype=torch.float64)
    if values.shape != X.shape or not bool(values.isfinite().all()):
        raise ValueError(
            f"the function must give one finite number for each of the {len(X)} places, got shape "
            f"{tuple(values.shape)}; try lambda x: torch.sin(5 * x)"
        )
    return values


def drawing(low: float, high: float) -> Draw:
    """The drawing for functions between two values."""
    room = max(high - low, 0.1)

    def draw(figure: Figure) -> Show:
        whole, single, course = figure.subplots(1, 3, width_ratios=[1.25, 1, 1])
        (target,) = whole.plot([], [], color=FAINT, lw=7, solid_capstyle="round", label="function")
        (output,) = whole.plot([], [], color=COLOURS["blue"], lw=2.2, label="network")
        (dots,) = whole.plot([], [], "o", ms=6, color=COLOURS["blue"], mec="white", mew=0.8, label="bend")
        whole.set(xlim=(-1.05, 1.05), ylim=(low - 0.14 * room, high + 0.3 * room), xlabel="x", title="The sum")
        whole.legend(loc="upper center", ncols=3, fontsize=9.5, columnspacing=0.9, handlelength=1.4)
        lines = LineCollection([], colors=COLOURS["sky"], linewidths=1.2)
        single.add_collection(lines, autolim=False)
        (newest,) = single.plot([], [], "--", color=COLOURS["orange"], lw=2.6, label="the newest unit")
        # Steep units leave the picture: an axis that moved with them would hide how steep they are.
        single.set(xlim=(-1.05, 1.05), ylim=(-4 * room, 4 * room), xlabel="x", title="Each unit, v · g(w x + b)")
        single.legend(loc="lower left", fontsize=9.5)
        curves = {
            place: course.plot([], [], look, ms=4, lw=1.4, color=COLOURS[colour], label=said)[0]
            for (said, place), look, colour in zip(PLACES.items(), ("o-", "s--"), ("blue", "orange"), strict=True)
        }
        (here,) = course.plot([], [], "o", ms=13, mfc="none", mew=2.2, color=COLOURS["ink"])
        course.set(xscale="log", yscale="log", xlim=(0.85, 47), ylim=(2e-4 * room, 2 * room), xlabel="units")
        course.set_xticks([1, 2, 5, 10, 20, 40], ["1", "2", "5", "10", "20", "40"])
        course.minorticks_off()
        course.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        course.set_title("Largest error")
        course.legend(loc="lower left", fontsize=9.5, handlelength=1.8, title="bends placed", alignment="left")

        def show(found: Approximation) -> str:
            layer, x = found.layer, X.numpy()
            parts = layer.parts(X).numpy()
            target.set_data(x, found.wanted)
            output.set_data(x, layer(X))
            t = -layer.b
            dots.set_data(t, layer(t))
            lines.set_segments([np.column_stack([x, part]) for part in parts])
            latest = int((t - found.newest).abs().argmin())
            newest.set_data(x, parts[latest])
            for place, curve in curves.items():
                errors = np.array(found.errors[place])
                curve.set_data(range(1, MOST + 1), np.where(errors > 1e-9, errors, np.nan))  # a zero has no logarithm
            n = len(t)
            error = found.errors[found.place][n - 1]
            here.set_data([n], [error if error > 1e-9 else np.nan])
            said = f"{error:.3g}" if error > 1e-9 else "0"
            return (
                f"{n} unit{'s' if n > 1 else ''}, {3 * n + 1} parameters: each unit has a weight, a bias and an outer "
                f"weight, and the output one bias. The largest error is {said}. The newest bend is at "
                f"x = {number(found.newest)}, the outer weight of its unit {number(float(layer.v[latest]))}."
            )

        return show

    return draw
