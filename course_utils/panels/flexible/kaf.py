"""A kernel activation function and its basis: gamma, D, the coefficients, and their start by ridge regression."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils._support.random_numbers import random_numbers
from course_utils.methods.activations import KAF, krr_coefficients
from course_utils.panels.engine import Button, Choice, Control, Panel, Slider, Text
from course_utils.panels.engine.typed import typed_function
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, FAINT, legend, move_limits, number, round_up

__all__ = ["kaf"]

S = torch.linspace(-5, 5, 251)
BOUNDARY = 3.0
MAX_SIZE = 30
FACTORS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
CHANGES = [round(0.1 * i, 1) for i in range(-30, 31)]
RIDGES = {1e-8: "10⁻⁸", 1e-6: "10⁻⁶", 1e-4: "10⁻⁴", 1e-2: "0.01", 1e-1: "0.1", 1.0: "1"}

LINEAR = 2  # the heights up to which the axis of the curves is linear
TICKS = {0: "0", 1: "1", 2: "2", 10: "10", 100: "100", 1e3: "10³"}
FEW_TICKS = {0: "0", 1: "1", 10: "10", 1e3: "10³", 1e5: "10⁵", 1e7: "10⁷"}  # beyond those
ALPHA_TICKS = {0: "0", 100: "100", 1e5: "10⁵", 1e8: "10⁸"}

# Of the axes: few, because a new one means that all is drawn anew.
ENDS = (20.0, 100.0, 1e3, 1e4, 1e5)
ALPHA_ENDS = (2e5, 2e8)

Function = Callable[[Tensor], Tensor]


class Basis(NamedTuple):
    """On S each scaled kernel, their sum, and the target if there is one; the dictionary, alpha and gamma.

    `changed`: the index of the kernel whose alpha the reader has changed, and by how much.
    """

    parts: np.ndarray  # (D, points)
    value: np.ndarray
    target: np.ndarray | None
    dictionary: np.ndarray
    alpha: np.ndarray
    gamma: float
    changed: tuple[int, float]


def kaf(*, function: Function | None = None) -> Panel:
    """A KAF with its basis (lecture, (17) to (20), figures 15 and 16).

    `function`: a function of s (a tensor) to start from by kernel ridge regression, in the place of the typed one.
    """
    texts = [f"{f:g} × 1/(6Δ²)" for f in FACTORS]
    controls: list[Control] = [
        Slider(name="size", label="D, size of the dictionary", values=list(range(4, MAX_SIZE + 1)), value=20),
        Slider(name="factor", label="γ (larger is narrower)", values=FACTORS, value=1.0, texts=texts),
        Slider(name="ridge", label="ε of the ridge (20)", values=list(RIDGES), value=1e-6, texts=list(RIDGES.values())),
        Slider(name="kernel", label="Kernel i to change", values=list(range(1, MAX_SIZE + 1)), value=8),
        Slider(
            name="change",
            label="Add to its α",
            values=CHANGES,
            value=0.0,
            texts=[number(c, "+g" if c else "g") for c in CHANGES],
        ),
    ]
    if function is None:
        starts = {"a function, by (20)": "krr", "random (normal)": "normal"}
        controls.insert(0, Choice(name="start", label="Initial α", options=starts))
        controls.append(Text(name="target", label="Function of s", value="tanh(s)", max_length=60))
        controls.append(Button(name="again", label="Sample α again"))

    def compute(
        size: float,
        factor: float,
        ridge: float,
        kernel: float,
        change: float,
        start: str = "krr",
        target: str = "",
        again: int = 0,
    ) -> Basis:
        d = int(size)
        i = min(int(kernel), d) - 1
        spacing = 2 * BOUNDARY / (d - 1)
        gamma = factor / (6 * spacing**2)
        followed = None if start == "normal" else (function or typed_function(target))
        with random_numbers(again):
            unit = KAF(1, size=d, boundary=BOUNDARY, gamma=gamma)
        with torch.no_grad():
            if followed is not None:
                unit.alpha.copy_(krr_coefficients(followed, unit.dictionary, gamma=gamma, ridge=ridge))
            unit.alpha[0, i] += change
            value = unit(S.unsqueeze(1)).squeeze(1)
            alpha = unit.alpha.detach()[0]
            parts = alpha.unsqueeze(1) * torch.exp(-gamma * (S - unit.dictionary.unsqueeze(1)) ** 2)
        target_values = None if followed is None else followed(S.clone()).detach().numpy()
        return Basis(
            parts.numpy(), value.numpy(), target_values, unit.dictionary.numpy(), alpha.numpy(), gamma, (i, change)
        )

    title = "A kernel activation function" if function is None else "A KAF that starts from your function"
    name = "the function" if function is None else "yours"
    return Panel(title, controls, compute, lambda figure: KafPicture(figure, name).show, size=(960, 420))


class KafPicture:
    """The KAF and its basis on the left, the coefficients on the right; `name` is that of the target function."""

    def __init__(self, figure: Figure, name: str) -> None:
        curve, coefficients = figure.subplots(1, 2, width_ratios=[2.2, 1])
        (self.parts,) = curve.plot([], [], color=FAINT, lw=1.0, label="α times each kernel")
        for edge in (-BOUNDARY, BOUNDARY):
            curve.axvline(edge, color="#8A939C", ls=":", lw=1.2)
        (self.changed_part,) = curve.plot([], [], "-.", color=COLOURS["green"], lw=2, label="kernel i")
        (self.target,) = curve.plot([], [], "--", color=COLOURS["orange"], lw=2, label=name)
        (self.value,) = curve.plot([], [], color=COLOURS["blue"], lw=2.6, label="the KAF, their sum")
        curve.set(xlim=(-5, 5), xlabel="s", title="The KAF and its basis")
        curve.set_yscale("symlog", linthresh=LINEAR, linscale=2)  # kernels are hundreds high where they cancel
        curve.set_ylabel(f"beyond ±{LINEAR} logarithmic")
        curve.minorticks_off()
        self.curve = curve
        self.legend = legend(figure, loc="outside lower left", fontsize=10, ncols=4, columnspacing=1)
        self.stems = coefficients.vlines([0], 0, 1, color=COLOURS["blue"], lw=1.4)
        (self.dots,) = coefficients.plot([], [], "o", ms=5, color=COLOURS["blue"])
        (self.changed_dot,) = coefficients.plot([], [], "D", ms=8, color=COLOURS["green"])
        coefficients.axhline(0, color="#C9CFD5", lw=1)
        coefficients.set(xlim=(-3.3, 3.3), xlabel="dictionary d", title="Coefficients α")
        coefficients.set_yscale("symlog", linthresh=1)  # they go from hundredths to 10⁵ and beyond
        set_ticks(coefficients, ALPHA_TICKS)
        coefficients.minorticks_off()
        self.coefficients = coefficients

    def show(self, basis: Basis) -> str:
        """Draw the kernels, their sum and their coefficients."""
        # All kernels as one line, which is drawn much faster than a line for each; NaN lifts the pen between them.
        gap = np.full((len(basis.parts), 1), np.nan)
        self.parts.set_data(np.tile(np.append(S, np.nan), len(basis.parts)), np.hstack([basis.parts, gap]).ravel())
        highest = max(np.abs(basis.parts).max(), np.abs(basis.value).max())
        top = next((end for end in ENDS if end >= highest), round_up(highest))
        if self.curve.get_ylim() != (-top, top):
            set_ticks(self.curve, TICKS if top <= max(TICKS) else FEW_TICKS)
        move_limits(self.curve, y=(-top, top))
        i = basis.changed[0]
        self.changed_part.set_data(S, basis.parts[i])
        self.changed_dot.set_data([basis.dictionary[i]], [basis.alpha[i]])
        self.value.set_data(S, basis.value)
        if basis.target is None:
            self.target.set_data([], [])
        else:
            self.target.set_data(S, basis.target)
        largest = np.abs(basis.alpha).max()
        top = next((end for end in ALPHA_ENDS if end >= largest), round_up(largest))
        move_limits(self.coefficients, y=(-top, top))
        self.stems.set_segments([[(d, 0), (d, alpha)] for d, alpha in zip(basis.dictionary, basis.alpha, strict=True)])
        self.dots.set_data(basis.dictionary, basis.alpha)
        name_what_is_drawn(self.legend)
        return describe(basis)


def set_ticks(axes: Axes, heights: Mapping[float, str]) -> None:
    """Ticks at these heights, above 0 and below."""
    ticks = {sign * height: "−" * (sign < 0) + name for sign in (1, -1) for height, name in heights.items()}
    axes.set_yticks(list(ticks), ["0" if not height else name for height, name in ticks.items()])


def coefficient(value: float) -> str:
    """A coefficient in three digits, or in whole numbers where it is large."""
    return number(value, ".3g" if abs(value) < 1000 else ",.0f")


def describe(basis: Basis) -> str:
    """The sentences under the panel: the KAF, the kernel that is changed, and the error."""
    i, change = basis.changed
    moved = f"has been changed by {number(change, '+g')} to" if change else "is"
    text = (
        f"D = {len(basis.alpha)} kernels, γ = {number(basis.gamma, '.3g')}; the largest |α| is "
        f"{coefficient(np.abs(basis.alpha).max())}; at s = 5, outside of the dictionary, g is "
        f"{number(basis.value[-1])}. α of kernel {i + 1} {moved} {coefficient(basis.alpha[i])}."
    )
    if basis.target is None:
        return text
    errors = np.abs(basis.value - basis.target)[np.abs(S.numpy()) <= BOUNDARY]
    known = np.isfinite(errors)
    where = "the function" if known.all() else "the function, where that is finite"
    return f"{text} From −3 to 3 the KAF is at most {number(errors[known].max(), '.2g')} away from {where}."
