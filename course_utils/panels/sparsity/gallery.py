"""Figure 10: one layer's weight matrix under each penalty, side by side."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

from course_utils.data import Dataset
from course_utils.experiments.sparsity.lambda_path import KINDS, LambdaPath, Pruned, lambda_path
from course_utils.panels.engine import Choice, Panel, Sheet, Slider
from course_utils.panels.sparsity.sliders import lam_slider, threshold_slider
from course_utils.plots import number, weight_map

__all__ = ["gallery"]

NAMES = {
    "none": "no penalty",
    "l2": "l2",
    "l1": "l1",
    "elastic_net": "elastic net",
    "group": "group lasso",
    "sparse_group": "sparse group",
}


class Gallery(NamedTuple):
    """The pruned networks under each penalty, the number of the lambda in use and the layer shown."""

    pruned: dict[str, Pruned]
    place: int
    layer: int

    def network(self, kind: str) -> tuple[Pruned, int]:
        """The path of the network under a penalty, and its place there; "none": under no penalty."""
        # Every path begins without a penalty, and from the same weights.
        return (self.pruned["l2"], 0) if kind == "none" else (self.pruned[kind], self.place)


def gallery(data: str | Dataset | LambdaPath = "digits") -> Panel:
    """The weight matrix of one layer without a penalty and under each of five (lecture, figure 10).

    `data`: a name of `load_dataset`, a data set, or a path from `lambda_path`.
    """
    path = data if isinstance(data, LambdaPath) else lambda_path(data)
    ratios = path.plan.ratios
    layers = {f"W{i + 1}, {n} × {m}": i for i, (m, n) in enumerate(zip(path.sizes, path.sizes[1:], strict=False))}
    middle = ratios[len(ratios) // 2]
    controls = [
        lam_slider(path),
        Slider(name="l1_ratio", label="l1_ratio, in the mixtures", values=ratios, value=middle),
        threshold_slider(),
        Choice(name="layer", label="Layer", options=layers),
    ]

    def compute(lam: float, l1_ratio: float, threshold: float, layer: int) -> Gallery:
        pruned = {kind: path.pruned(kind, l1_ratio, threshold) for kind in KINDS.values()}
        return Gallery(pruned, path.index(lam), layer)

    title = "The same layer under each penalty"
    return Panel(title, controls, compute, lambda figure: GalleryPicture(figure, path).show, size=(960, 470))


class GalleryPicture:
    """Six weight matrices of the networks of `path`, each above its zeros and its accuracy."""

    def __init__(self, figure: Sheet, path: LambdaPath) -> None:
        self.path = path
        axes = dict(zip(NAMES, figure.grid(len(NAMES), 3, least=0.5), strict=True))
        self.maps = {kind: weight_map(ax, np.zeros((2, 2)), limit=1.0) for kind, ax in axes.items()}
        self.captions = {kind: caption(ax) for kind, ax in axes.items()}
        for kind, ax in axes.items():
            ax.set(title=NAMES[kind], xticks=[], yticks=[])

    def show(self, gallery: Gallery) -> str:
        layer, limit = gallery.layer, self.path.limits[gallery.layer]
        for kind, image in self.maps.items():
            pruned, i = gallery.network(kind)
            image.set_data(pruned.weights[layer][i])
            image.set_clim(-limit, limit)
            zeros, accuracy = self.captions[kind]
            zeros.set_text(f"{pruned.sparsity[i, layer]:.0%}")
            accuracy.set_text(f"{pruned.accuracy[i]:.1%}")
        return describe(gallery, self.path)


def describe(gallery: Gallery, path: LambdaPath) -> str:
    """The sentence under the panel: the zeros in the layer under each penalty."""
    layer, shares = gallery.layer, []
    for kind, name in NAMES.items():
        pruned, i = gallery.network(kind)
        shares.append(f"{name} {pruned.sparsity[i, layer]:.0%}")
    return f"λ = {number(path.lams[gallery.place], '.3g')}, zeros in layer {layer + 1}: {', '.join(shares)}."


def caption(axes: Axes) -> tuple[Text, Text]:
    """Two lines below a matrix; returns the texts of its two numbers, apart from the words, which stay."""

    def text(offset: tuple[float, float], words: str) -> Text:
        return axes.annotate(words, (0, 0), offset, xycoords="axes fraction", textcoords="offset points", va="top",
                             fontsize=10)  # fmt: skip

    numbers = text((56, -3), "0%"), text((56, -17), "100.0%")
    text((0, -3), "zeros")
    text((0, -17), "accuracy")
    return numbers
