"""APL: hinges that add up to a function with S + 1 kinks (lecture, (15))."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from course_utils.methods.activations import APL
from course_utils.panels.engine import Panel, Show, Slider, Text, Toggle
from course_utils.panels.engine.typed import typed_function
from course_utils.plots import COLOURS, number

__all__ = ["fitted_apl", "piecewise"]

RANGE = 3.0
S = torch.linspace(-RANGE, RANGE, 301)
MOST = 10


class Fitted(NamedTuple):
    """On S the target, its approximation and each hinge; where the kinks are."""

    target: np.ndarray
    value: np.ndarray
    hinges: np.ndarray  # (S, points)
    kinks: list[float]


def piecewise() -> Panel:
    """A function that the reader types, by max(0, s) and S hinges a_i max(0, -s + b_i) (lecture, (15)).

    All b but the last two lie at equal distances within the range, the a are the best for them (least squares).
    """
    controls = [
        Slider(name="segments", label="S, number of hinges", values=list(range(1, MOST + 1)), value=5),
        Text(name="target", label="Function of s to follow", value="sin(2*s)", max_length=60),
        Toggle(name="parts", label="Show the hinges", value=True),
    ]

    def compute(segments: float, target: str, parts: bool) -> Fitted:
        unit, goal = fitted_apl(target, int(segments))
        with torch.no_grad():
            value = unit(S.unsqueeze(1)).squeeze(1)
            hinges = torch.stack([a * (b - S).clamp(min=0) for a, b in zip(unit.a[:, 0], unit.b[:, 0], strict=True)])
        kinks = sorted([0.0, *unit.b[:, 0].tolist()])
        return Fitted(goal.numpy(), value.numpy(), (hinges if parts else hinges[:0]).numpy(), kinks)

    return Panel("Adaptive piecewise linear", controls, compute, draw, size=(960, 360))


def fitted_apl(target: str, segments: int) -> tuple[APL, torch.Tensor]:
    """An APL unit near a typed function, and the function on S."""
    goal = typed_function(target)(S)
    unit = APL(1, segments=segments)
    with torch.no_grad():
        # Hinges with kinks far to the right are straight lines within the range: two of them give height and slope.
        far = torch.tensor([2 * RANGE, 4 * RANGE])[:segments]
        # Not at 0, where the ReLU has its kink already.
        n = segments - len(far)
        inside = -RANGE + 2 * RANGE * (torch.arange(n) + 1 / 3) / max(1, n)
        b = torch.cat([inside, far])
        hinges = (b - S.unsqueeze(1)).clamp(min=0).double()
        a = torch.linalg.lstsq(hinges, (goal - S.clamp(min=0)).double().unsqueeze(1)).solution
        unit.a.copy_(a.float())
        unit.b.copy_(b.unsqueeze(1))
    return unit, goal


def draw(figure: Figure) -> Show:
    """The target, the sum, and its parts."""
    axes = figure.subplots()
    axes.axhline(0, color="#C9CFD5", lw=1)
    (target,) = axes.plot([], [], "--", color=COLOURS["orange"], label="the function to follow")
    parts = [
        axes.plot([], [], ":", color=COLOURS["green"], lw=1.3, label="hinges" if not i else None)[0]
        for i in range(MOST)
    ]
    (value,) = axes.plot([], [], color=COLOURS["blue"], lw=2.4, label="max(0, s) + the hinges")
    (kinks,) = axes.plot([], [], "|", ms=14, mew=2, color=COLOURS["ink"], label="kinks")
    axes.set(xlim=(-RANGE, RANGE), ylim=(-3.2, 3.2), xlabel="s")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    def show(fitted: Fitted) -> str:
        target.set_data(S, fitted.target)
        value.set_data(S, fitted.value)
        kinks.set_data(fitted.kinks, [-3.0] * len(fitted.kinks))
        for i, line in enumerate(parts):
            known = i < len(fitted.hinges)
            line.set_data(S if known else [], fitted.hinges[i] if known else [])
        inside = [k for k in fitted.kinks if abs(k) < RANGE]
        error = float(np.abs(fitted.value - fitted.target).max())
        return (
            f"Hinges S = {len(fitted.kinks) - 1}, {2 * (len(fitted.kinks) - 1)} numbers for each neuron, kinks in the "
            f"picture at {', '.join(number(k) for k in inside)}; the largest distance to the function is {error:.2f}."
        )

    return show
