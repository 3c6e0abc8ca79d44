"""APL: hinges that add up to a function with S + 1 kinks (lecture, (15))."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from course_utils.experiments.flexible.apl_fit import RANGE, S, fit_apl
from course_utils.panels.engine import Panel, Slider, Text, Toggle
from course_utils.panels.engine.typed import typed_function
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, legend, number

__all__ = ["piecewise"]

MAX_HINGES = 10


class Fitted(NamedTuple):
    """On S the target, its approximation and each hinge; where the kinks are."""

    target: np.ndarray
    value: np.ndarray
    hinges: np.ndarray  # (S, points)
    kinks: list[float]


def piecewise() -> Panel:
    """A function that the reader types, by max(0, s) and S hinges a_i max(0, -s + b_i) (lecture, (15)).

    All b but the last two lie at equal distances within the range, the a are fitted by least squares.
    """
    controls = [
        Slider(name="segments", label="S, number of hinges", values=list(range(1, MAX_HINGES + 1)), value=8),
        Text(name="target", label="Target function of s", value="sin(2*s)", max_length=60),
        Toggle(name="parts", label="Show the hinges", value=True),
    ]

    def compute(segments: float, target: str, parts: bool) -> Fitted:
        function = typed_function(target)
        unit = fit_apl(function, int(segments))
        with torch.no_grad():
            value = unit(S.unsqueeze(1)).squeeze(1)
            hinges = torch.stack([a * (b - S).clamp(min=0) for a, b in zip(unit.a[:, 0], unit.b[:, 0], strict=True)])
        kinks = sorted([0.0, *unit.b[:, 0].tolist()])
        return Fitted(function(S).numpy(), value.numpy(), (hinges if parts else hinges[:0]).numpy(), kinks)

    title = "Adaptive piecewise linear"
    return Panel(title, controls, compute, lambda figure: HingePicture(figure).show, size=(960, 360))


class HingePicture:
    """The function, the sum of the hinges, its parts and its kinks."""

    def __init__(self, figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(0, color="#C9CFD5", lw=1)
        (self.target,) = axes.plot([], [], "--", color=COLOURS["orange"], label="target function")
        self.hinges = [axes.plot([], [], ":", color=COLOURS["green"], lw=1.3)[0] for _ in range(MAX_HINGES)]
        self.hinges[0].set_label("hinges")
        (self.value,) = axes.plot([], [], color=COLOURS["blue"], lw=2.4, label="max(0, s) + the hinges")
        (self.kinks,) = axes.plot([], [], "|", ms=14, mew=2, color=COLOURS["ink"], label="kinks")
        axes.set(xlim=(-RANGE, RANGE), ylim=(-3.2, 3.2), xlabel="s")
        self.legend = legend(figure, loc="outside lower left", ncols=4, fontsize=10)

    def show(self, fitted: Fitted) -> str:
        """Draw the curves."""
        self.target.set_data(S, fitted.target)
        self.value.set_data(S, fitted.value)
        self.kinks.set_data(fitted.kinks, [-3.0] * len(fitted.kinks))
        for i, line in enumerate(self.hinges):
            if i < len(fitted.hinges):
                line.set_data(S, fitted.hinges[i])
            else:
                line.set_data([], [])
        name_what_is_drawn(self.legend)
        return describe(fitted)


def describe(fitted: Fitted) -> str:
    """The sentence under the panel: hinges, parameters, kinks, and the largest error."""
    hinges = len(fitted.kinks) - 1
    kinks = ", ".join(number(kink) for kink in fitted.kinks if abs(kink) < RANGE)
    error = float(np.abs(fitted.value - fitted.target).max())
    return (
        f"Hinges S = {hinges}, {2 * hinges} parameters per neuron, visible kinks at {kinks}; the "
        f"largest error is {number(error)}."
    )
