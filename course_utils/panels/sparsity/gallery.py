"""Figure 10: one layer's weight matrix under each penalty, side by side."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from course_utils.data import Dataset
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.panels.sparsity.path import KINDS, LambdaPath, Look, lambda_path
from course_utils.panels.sparsity.weights import lam_slider, threshold_slider
from course_utils.plots import weight_map

__all__ = ["gallery"]

NAMES = {"none": "no penalty", "l2": "l2", "l1": "l1", "elastic_net": "elastic net", "group": "group lasso"}
NAMES["sparse_group"] = "sparse group"


class Wall(NamedTuple):
    """A look for each penalty, the lambda in use and the layer shown."""

    looks: dict[str, Look]
    at: int
    layer: int


def gallery(data: str | Dataset | LambdaPath = "digits") -> Panel:
    """The weight matrix of one layer without a penalty and under each of five (lecture, figure 10).

    `data`: a name of `load_dataset`, a data set, or a path from `lambda_path`.
    """
    path = data if isinstance(data, LambdaPath) else lambda_path(data)
    ratios = path.plan.ratios
    layers = {f"W{i + 1}, {n} × {m}": i for i, (m, n) in enumerate(zip(path.sizes, path.sizes[1:], strict=False))}
    controls = [
        lam_slider(path),
        Slider(
            name="l1_ratio",
            label="l1_ratio, in the mixtures",
            values=ratios,
            value=ratios[len(ratios) // 2],
        ),
        threshold_slider(),
        Choice(name="layer", label="Layer", options=layers),
    ]

    def compute(lam: float, l1_ratio: float, threshold: float, layer: int) -> Wall:
        looks = {kind: path.look(kind, l1_ratio, threshold) for kind in KINDS.values()}
        return Wall(looks, path.index(lam), layer)

    return Panel("The same layer under each penalty", controls, compute, drawing(path), size=(960, 470))


def drawing(path: LambdaPath) -> Draw:
    """The drawing for the networks of `path`."""

    def draw(figure: Figure) -> Show:
        axes = dict(zip(NAMES, figure.subplots(2, 3).flat, strict=True))
        maps = {kind: weight_map(ax, np.zeros((2, 2)), limit=1.0) for kind, ax in axes.items()}
        captions = {kind: caption(ax) for kind, ax in axes.items()}
        for kind, ax in axes.items():
            ax.set(title=NAMES[kind], xticks=[], yticks=[])

        def show(wall: Wall) -> str:
            found = {}
            for kind, image in maps.items():
                # Every path begins without a penalty, and from the same weights.
                look, i = (wall.looks["l2"], 0) if kind == "none" else (wall.looks[kind], wall.at)
                w = look.weights[wall.layer][i]
                image.set_data(w)
                image.set_clim(-path.limits[wall.layer], path.limits[wall.layer])
                found[kind] = look.sparsity[i, wall.layer]
                zeros, accuracy = captions[kind]
                zeros.set_text(f"{found[kind]:.0%}")
                accuracy.set_text(f"{look.accuracy[i]:.1%}")
            told = ", ".join(f"{NAMES[kind]} {share:.0%}" for kind, share in found.items())
            return f"λ = {path.lams[wall.at]:.3g}, zeros in layer {wall.layer + 1}: {told}."

        return show

    return draw


def caption(axes: Axes) -> tuple[Text, Text]:
    """A line below a matrix; returns the texts of its two numbers, apart from the words, which need no new picture."""

    def text(x: float, words: str, side: str) -> Text:
        return axes.text(x, -0.03, words, transform=axes.transAxes, ha=side, va="top", fontsize=10)

    text(0.15, "zeros", "left")
    text(0.84, "accuracy", "right")
    return text(0.13, "0%", "right"), text(1.0, "100.0%", "right")
