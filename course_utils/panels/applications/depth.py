"""Why deep networks could not be trained for long: how much of the gradient reaches each layer of a new network.

    plain:     h_{l+1} = g(W_l h_l)                       g: sigmoid, or ReLU
    shortcut:  h_{l+1} = h_l + W_l ReLU(normalised h_l)   as in residual networks (He et al. 2015, arXiv:1512.03385)

The weights of a sigmoid layer are drawn after Glorot, Bengio 2010, those of a ReLU layer after He et al. 2015
(arXiv:1502.01852), each so that signals keep their size as well as they can.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.panels.applications.lesson import one_thread, picture_room
from course_utils.panels.engine import Choice, Panel, Show, Slider
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS, number

__all__ = ["KINDS", "depth", "gradients"]

KINDS = ("sigmoid", "ReLU", "ReLU and shortcuts")
DEPTHS = (2, 5, 10, 20, 50, 100)
WIDTH, BATCH = 48, 32
SCALES = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)


@one_thread()
def gradients(kind: str, layers: int, x: Tensor, labels: Tensor, *, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    """The norm of the gradient of the cross-entropy with respect to the weights of each hidden layer, new network.

    `x` of shape (n, features), `labels` (n,); all hidden weights are drawn `scale` times as large as they should be.
    Returns an array of shape (layers,).

    >>> float(gradients("sigmoid", 10, torch.rand(8, 64), torch.arange(8))[0]) < 1e-5
    True
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(n: int, m: int) -> Tensor:
        deviation = (2 / n) ** 0.5 if kind != "sigmoid" else (2 / (n + m)) ** 0.5
        return (torch.randn(n, m, generator=generator, dtype=torch.float64) * deviation * scale).requires_grad_()

    h = x.double() @ drawn(x.shape[1], WIDTH).detach()
    weights = [drawn(WIDTH, WIDTH) for _ in range(layers)]
    for w in weights:
        if kind == "sigmoid":
            h = torch.sigmoid(h @ w)
        elif kind == "ReLU":
            h = torch.relu(h @ w)
        else:
            h = h + torch.relu(F.layer_norm(h, (WIDTH,))) @ w
    if kind == KINDS[-1]:
        h = F.layer_norm(h, (WIDTH,))
    F.cross_entropy(h @ drawn(WIDTH, 10).detach(), labels).backward()
    return np.array([float(w.grad.norm()) for w in weights if w.grad is not None])


class Deep(NamedTuple):
    """For each kind, the gradient of every layer."""

    norms: dict[str, np.ndarray]


def depth(data: str | Dataset = "digits") -> Panel:
    """The gradient that reaches each layer of new networks of 2 to 100 hidden layers (lecture, section 02)."""
    room = picture_room(data)
    x, labels = room.x_train[:BATCH].flatten(1), room.y_train[:BATCH]
    controls = [
        Slider(name="layers", label="Hidden layers", values=DEPTHS, value=20),
        Slider(name="scale", label="Weights multiplied by", values=SCALES, value=1.0),
        Choice(name="seed", label="Weights", options={"one draw": 0, "another one": 1, "a third one": 2}),
    ]

    @lru_cache(maxsize=32)
    def found(layers: int, scale: float, seed: int) -> Deep:
        return Deep({kind: gradients(kind, layers, x, labels, scale=scale, seed=seed) for kind in KINDS})

    def compute(layers: float, scale: float, seed: int) -> Deep:
        return found(int(layers), scale, seed)

    return Panel("How much of the gradient arrives", controls, compute, draw, size=(960, 380))


def draw(figure: Figure) -> Show:
    """One curve for each kind of layer."""
    axes = figure.subplots()
    colours = [COLOURS["orange"], COLOURS["blue"], COLOURS["green"]]
    lines = [
        axes.plot(
            [], [], linestyle=LINE_STYLES[i], marker=MARKERS[i], ms=5, markevery=0.06, color=colours[i], label=kind
        )[0]
        for i, kind in enumerate(KINDS)
    ]
    axes.set(xlim=(-0.03, 1.03), ylim=(1e-20, 1e14), yscale="log", xlabel="place of the layer in the network")
    axes.set_xticks([0, 0.5, 1], ["first (at the picture)", "middle", "last (at the answer)"])
    axes.set_yticks([1e-20, 1e-15, 1e-10, 1e-5, 1, 1e5, 1e10])
    axes.minorticks_off()
    axes.set_title("Length of the gradient of a layer's weights")
    axes.legend(loc="upper left", ncols=3, fontsize=10)

    def show(deep: Deep) -> str:
        parts = []
        for line, (kind, norms) in zip(lines, deep.norms.items(), strict=True):
            line.set_data(np.linspace(0, 1, len(norms)), np.clip(norms, 1e-30, 1e30))
            parts.append(f"{kind} {scientific(norms[0])} and {scientific(norms[-1])}")
        layers = len(next(iter(deep.norms.values())))
        return f"{layers} hidden layers; gradient of the first and of the last: {'; '.join(parts)}."

    return show


def scientific(value: float) -> str:
    """A number for a sentence, with a power of ten where it is very small or very large.

    >>> scientific(0.09), scientific(2.1e-13), scientific(3.4e8)
    ('0.09', '2.1 × 10⁻¹³', '3.4 × 10⁸')
    """
    if value == 0 or 0.01 <= value < 1000:
        return f"{value:.2g}" if value < 100 else f"{value:.0f}"
    return number(value, ".1e")
