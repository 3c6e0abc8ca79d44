"""How a weight becomes exactly zero: proximal steps beside steps along the subgradient."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.methods.penalties import prox_elastic_net, prox_l1, prox_l2
from course_utils.panels.engine import Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT, number

__all__ = ["shrinkage"]

W = torch.arange(-200, 201) / 100
STEPS = 40
LR = 0.3

Prox = Callable[..., Tensor]


class Shrunk(NamedTuple):
    """`maps`: a new weight per old weight W, for each penalty; `paths`: the weight after each step, for each way."""

    maps: dict[str, np.ndarray]
    paths: dict[str, np.ndarray]


def shrinkage(*, prox: Prox | None = None) -> Panel:
    """What one proximal step does to a weight, and where many of them lead (lecture, (5), (7) and (8)).

    Right: least of (w - a)^2 / 2 + lambda |w| by STEPS steps of size LR. `prox`: your own ``prox(w, *, step)`` in place
    of `prox_l1`; `w` is a tensor of any shape, `step` a number.
    """
    controls = [
        Slider(
            name="lam", label="λ, weight of the penalty", values=np.linspace(0, 1.5, 31).round(2).tolist(), value=0.5
        ),
        Slider(name="a", label="a, where the cost wants w", values=np.linspace(-2, 2, 41).round(1).tolist(), value=0.3),
    ]

    def compute(lam: float, a: float) -> Shrunk:
        step = prox or prox_l1
        return Shrunk(
            maps={
                "l2": prox_l2(W, step=lam).numpy(),
                "elastic net": prox_elastic_net(W, step=lam, l1_ratio=0.5).numpy(),
                "l1": checked(step, W.clone(), lam).numpy(),
            },
            paths={"subgradient": descend(a, lam), "proximal": descend(a, lam, step)},
        )

    title = "One proximal step, and forty" if prox is None else "Your proximal step, once and forty times"
    return Panel(title, controls, compute, drawing("l1" if prox is None else "yours"), size=(960, 380))


def checked(prox: Prox, w: Tensor, step: float) -> Tensor:
    """What a reader's function returns, if it is a tensor like `w`."""
    new = prox(w, step=step)
    if not isinstance(new, Tensor) or new.shape != w.shape:
        got = f"a tensor of shape {tuple(new.shape)}" if isinstance(new, Tensor) else type(new).__name__
        raise ValueError(f"prox must return a tensor of shape {tuple(w.shape)} like w, got {got}")
    return new.detach()


def descend(a: float, lam: float, prox: Prox | None = None) -> np.ndarray:
    """The weight before and after each step on (w - a)^2 / 2 + lam |w|, from w = 1.5; without `prox` by (8)."""
    w, seen = torch.tensor([1.5]), []
    for _ in range(STEPS + 1):
        seen.append(float(w))
        w = w - LR * (w - a + lam * w.sign()) if prox is None else checked(prox, w - LR * (w - a), LR * lam)
    return np.array(seen)


def drawing(name: str) -> Draw:
    """The drawing, with `name` for the function that may be the reader's."""

    def draw(figure: Figure) -> Show:
        once, many = figure.subplots(1, 2)
        for axes in (once, many):
            axes.axhline(0, color="#C4CAD0", lw=1)
        once.plot(W, W, color=FAINT, lw=1, label="no step")
        looks = {"l2": ("sky", ":"), "elastic net": ("green", "-."), "l1": ("orange", "-")}
        lines = {
            kind: once.plot([], [], style, color=COLOURS[colour], label=name if kind == "l1" else kind)[0]
            for kind, (colour, style) in looks.items()
        }
        once.set(xlim=(-2, 2), ylim=(-2, 2), xlabel="weight before", ylabel="weight after")
        once.set_title("One step of size λ")
        once.legend(loc="upper left")
        looks = {"subgradient": ("blue", "s-"), "proximal": ("orange", "o-")}
        labels = {"subgradient": "subgradient of (8)", "proximal": f"proximal step, {name}"}
        paths = {
            way: many.plot([], [], style, color=COLOURS[colour], ms=3.5, lw=1.2, label=labels[way])[0]
            for way, (colour, style) in looks.items()
        }
        many.set(xlim=(0, STEPS), ylim=(-2, 2), xlabel="step", ylabel="w", title="Many small steps on cost + λ |w|")
        many.legend(loc="lower right")

        def show(result: Shrunk) -> str:
            for kind, line in lines.items():
                line.set_data(W, result.maps[kind])
            for way, line in paths.items():
                line.set_data(range(STEPS + 1), result.paths[way])
            return words(result)

        return show

    return draw


def words(result: Shrunk) -> str:
    """The result in a sentence or two."""
    zeros = np.flatnonzero(result.maps["l1"] == 0)
    dead = (
        f"Weights from {number(float(W[zeros[0]]))} to {number(float(W[zeros[-1]]))} become exactly 0"
        if len(zeros) > 1
        else "Only 0 stays 0"
    )

    def end(way: str) -> str:
        w, before = result.paths[way][-1], result.paths[way][-2]
        return (
            "exactly 0"
            if w == 0
            else number(w, ".3f") + (f" (before that at {number(before, '.3f')})" if abs(w - before) > 1e-3 else "")
        )

    ends = f"the subgradient is at {end('subgradient')}, the proximal step at {end('proximal')}"
    return f"{dead}. After {STEPS} steps {ends}."
