"""Activations with one or two trainable parameters: the scaled tanh and PReLU, with their derivatives."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from course_utils.panels.engine import Choice, Control, Panel, Slider
from course_utils.plots import COLOURS, legend, move_limits, number, round_up

__all__ = ["parametric"]

S = torch.arange(-200, 201) / 50  # 0 is one of them
VALUE_ENDS, SLOPE_ENDS = (4.2, 8.5), (6.5,)  # of the axes: few, as a new one means that all is drawn anew

Activation = Callable[..., Tensor]


class Curve(NamedTuple):
    """A function and its derivative on S, what it is called, and its slope at 0 in words."""

    value: np.ndarray
    slope: np.ndarray
    name: str
    at_zero: str


def scaled_tanh(s: Tensor, a: float, b: float) -> Tensor:
    """a (1 - e^(-b s)) / (1 + e^(-b s)), (13)."""
    return a * torch.tanh(b * s / 2)


def parametric(*, activation: Activation | None = None) -> Panel:
    """The scaled tanh (13) and PReLU (14) under their parameters.

    `activation`: a function ``activation(s, a, b)`` of a tensor and two numbers, in the place of these.
    """
    steepness = "b (tanh only)" if activation is None else "b"
    controls: list[Control] = [
        Slider(name="a", label="a", values=[round(-2 + 0.1 * i, 1) for i in range(41)], value=1.0),
        Slider(name="b", label=steepness, values=[round(0.1 * i, 1) for i in range(1, 61)], value=2.0),
    ]
    if activation is None:
        kinds = {"scaled tanh (13)": "tanh", "PReLU (14), slope a below 0": "prelu"}
        controls.insert(0, Choice(name="kind", label="Activation", options=kinds))

    def compute(a: float, b: float, kind: str = "yours") -> Curve:
        s = S.clone().requires_grad_()
        if activation is not None:
            g, name = checked(activation, s, a, b), f"your g with a = {number(a, 'g')}, b = {b:g}"
        elif kind == "tanh":
            g, name = scaled_tanh(s, a, b), f"g(s) = {number(a, 'g')} (1 − e^(−{b:g} s)) / (1 + e^(−{b:g} s))"
        else:
            sign = "−" if a < 0 else "+"
            g, name = s.clamp(min=0) + a * s.clamp(max=0), f"g(s) = max(0, s) {sign} {abs(a):g} min(0, s)"
        slope = torch.autograd.grad(g.sum(), s, allow_unused=True)[0] if g.requires_grad else None
        slope = torch.zeros_like(s) if slope is None else slope
        at_zero = kink(a) if kind == "prelu" else slope_in_words(float(slope[len(S) // 2]))
        return Curve(g.detach().numpy(), slope.numpy(), name, at_zero)

    title = "Activations with parameters" if activation is None else "Your activation"
    return Panel(title, controls, compute, lambda figure: CurvePicture(figure).show, size=(960, 370))


def slope_in_words(slope: float) -> str:
    """A slope at 0 in words, also where there is none."""
    return f"slope {number(slope)} at 0" if math.isfinite(slope) else "and no slope at 0"


def kink(a: float) -> str:
    """The slope of PReLU at 0 in words: it has one only where a is 1."""
    return "slope 1 everywhere" if a == 1 else f"slope {number(a, 'g')} below 0, 1 above, and none at 0"


def checked(activation: Activation, s: Tensor, a: float, b: float) -> Tensor:
    """What a reader's function returns, if it is a tensor like `s`."""
    g = activation(s, a, b)
    if not isinstance(g, Tensor) or g.shape != s.shape:
        got = f"a tensor of shape {tuple(g.shape)}" if isinstance(g, Tensor) else type(g).__name__
        raise ValueError(f"activation must return a tensor of shape {tuple(s.shape)} like s, got {got}")
    if not bool(g.isfinite().all()):
        at = number(float(s.detach()[~g.isfinite()][0]), ".3g")
        raise ValueError(f"activation must return finite numbers, and does not for s = {at}; clamp them")
    return g


class CurvePicture:
    """The function beside its derivative."""

    def __init__(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for axes in (left, right):
            axes.axhline(0, color="#C9CFD5", lw=1)
            axes.axvline(0, color="#C9CFD5", lw=1)
            axes.set(xlim=(-4, 4), xlabel="s")
        self.left, self.right = left, right
        left.plot(S, S.clamp(min=0), ":", color=COLOURS["grey"], lw=1.5, label="ReLU")
        (self.value,) = left.plot([], [], color=COLOURS["blue"], label="g(s)")
        (self.slope,) = right.plot([], [], color=COLOURS["orange"], label="dg/ds")
        left.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4, 10], integer=True))  # −7.5 would be cut off
        left.set(title="The activation")
        right.set(title="Its derivative")
        legend(figure, loc="outside lower left", ncols=3)

    def show(self, curve: Curve) -> str:
        """Draw both curves."""
        self.value.set_data(S, curve.value)
        self.slope.set_data(S, curve.slope)
        for axes, values, ends in ((self.left, curve.value, VALUE_ENDS), (self.right, curve.slope, SLOPE_ENDS)):
            end = end_of(values, ends)
            move_limits(axes, y=(-end, end))
        return describe(curve)


def end_of(values: np.ndarray, ends: tuple[float, ...]) -> float:
    """The end of an axis that holds all values: the first of `ends` that does, or a round number."""
    highest = float(np.abs(values[np.isfinite(values)]).max(initial=0))
    return next((end for end in ends if end >= highest), round_up(highest))


def describe(curve: Curve) -> str:
    """The sentence under the panel: the function, its range, and its slope."""
    low, high = number(float(curve.value.min())), number(float(curve.value.max()))
    return f"{curve.name}: from {low} to {high} for s from −4 to 4, {curve.at_zero}."
