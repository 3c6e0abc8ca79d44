"""The two ways to turn a weight into a sign, and the mean of many random signs: the lecture's rule and the paper's."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.methods.binarize import hard_sigmoid
from course_utils.panels.engine import Button, Choice, Control, Panel, Slider
from course_utils.plots import COLOURS, FAINT, legend, number

__all__ = ["rounding_rules"]

W = torch.arange(-200, 201) / 100
GRID = torch.arange(-20, 21) / 10  # the weights for which signs are drawn

Probability = Callable[[Tensor], Tensor]


class SignDraws(NamedTuple):
    """On W the probability of +1 and the expectation; the mean of the signs drawn for GRID; the signs drawn for w."""

    probability: np.ndarray
    expectation: np.ndarray
    means: np.ndarray
    w: float
    draws: np.ndarray


def rounding_rules(*, probability: Probability | None = None) -> Panel:
    """Probability, single draws and expectation of a binarized weight (lecture, (10) to (12)).

    `probability`: your own function from weights (a tensor of any shape) to the probability of +1, instead of the
    hard sigmoid.
    """
    rules = {"paper: +1 with probability σ(w)": "paper", "slide: −1 with probability σ(w)": "slide"}
    controls: list[Control] = [
        Slider(name="w", label="Weight w", values=[round(-2 + 0.1 * i, 1) for i in range(41)], value=0.4),
        Slider(name="draws", label="Signs drawn for each weight", values=[1, 3, 10, 30, 100, 1000], value=10),
        Button(name="again", label="Draw again"),
    ]
    if probability is None:
        rules |= {"deterministic: the sign (10)": "sign"}
        controls.insert(0, Choice(name="rule", label="Rule", options=rules))

    def compute(w: float, draws: float, again: int, rule: str = "paper") -> SignDraws:
        p = probability_of_plus(W, rule, probability)
        weights = torch.cat([GRID, torch.tensor([w])])
        uniform = torch.rand(int(draws), len(weights), generator=torch.Generator().manual_seed(again))
        signs = torch.where(uniform < probability_of_plus(weights, rule, probability), 1.0, -1.0)
        return SignDraws(p.numpy(), (2 * p - 1).numpy(), signs[:, :-1].mean(0).numpy(), w, signs[:, -1].numpy())

    title = "A sign for a weight" if probability is None else "A sign for a weight, by your probability"
    return Panel(title, controls, compute, lambda figure: RulePicture(figure).show, size=(960, 390))


def probability_of_plus(w: Tensor, rule: str, probability: Probability | None) -> Tensor:
    """The probability of +1 for each weight, by a rule or by a reader's function."""
    if probability is None:
        return {"paper": hard_sigmoid(w), "slide": 1 - hard_sigmoid(w), "sign": (w >= 0).float()}[rule]
    p = probability(w.clone())
    must = "probability must return numbers from 0 to 1"
    if not isinstance(p, Tensor) or p.shape != w.shape:
        got = f"a tensor of shape {tuple(p.shape)}" if isinstance(p, Tensor) else type(p).__name__
        raise ValueError(f"{must} in the shape {tuple(w.shape)} of w, got {got}")
    wrong = ~((p >= 0) & (p <= 1))
    if bool(wrong.any()):
        at = number(w[wrong][0].item(), "g")
        raise ValueError(f"{must}, got {number(p[wrong][0].item(), '.3g')} for w = {at}; clamp them")
    return p.detach()


class RulePicture:
    """The probability of +1 on the left; expectation and mean of the signs on the right."""

    def __init__(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        (self.probability,) = left.plot([], [], color=COLOURS["blue"], label="probability of +1")
        (self.marker,) = left.plot([], [], "o", ms=9, color=COLOURS["orange"], label="your weight")
        left.set(xlim=(-2.1, 2.1), ylim=(-0.05, 1.05), xlabel="weight w", title="Probability of +1")
        right.plot(W, W, color=FAINT, lw=1.4, label="w itself")
        (self.means,) = right.plot([], [], "o", ms=4, color=COLOURS["orange"], label="mean of the signs drawn")
        (self.expectation,) = right.plot([], [], "--", color=COLOURS["blue"], label="expectation")
        right.set(xlim=(-2.1, 2.1), ylim=(-1.5, 1.5), xlabel="weight w", title="What the signs are on average")
        legend(figure, loc="outside lower left", ncols=5, fontsize=10, columnspacing=1)

    def show(self, drawn: SignDraws) -> str:
        """Draw the curves and the points."""
        p = drawn.probability[int(np.argmin(abs(W.numpy() - drawn.w)))]
        self.probability.set_data(W, drawn.probability)
        self.marker.set_data([drawn.w], [p])
        self.means.set_data(GRID, drawn.means)
        self.expectation.set_data(W, drawn.expectation)
        return describe(drawn, p)


def describe(drawn: SignDraws, p: float) -> str:
    """The sentences under the panel: the probability `p` of +1 for w, the first ten signs drawn, and the bias."""
    inner = abs(W.numpy()) <= 1
    bias = abs(drawn.expectation - W.numpy())[inner].max()
    unbiased = "the expectation is w itself" if bias < 1e-6 else f"the expectation is up to {bias:.2f} away from w"
    signs = " ".join("+1" if s > 0 else "−1" for s in drawn.draws[:10])
    if len(drawn.draws) > 10:
        signs += " …"
    return (
        f"w = {number(drawn.w, 'g')} becomes +1 with probability {p:.2f}. Drawn: {signs}, mean "
        f"{number(drawn.draws.mean(), '+.2f')}. For w from −1 to 1 {unbiased}."
    )
