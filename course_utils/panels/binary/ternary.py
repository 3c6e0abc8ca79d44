"""Ternary weights: which become zero, which value the others share, and how accurate the network is with them."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.lesson import accuracy_with_weights, lesson_data, trained_network
from course_utils.methods.binarize import ternarize
from course_utils.methods.weights import weights_of
from course_utils.panels.engine import Choice, Panel, Slider
from course_utils.plots import COLOURS, Histogram, legend, move_limits

__all__ = ["ternary"]

FACTORS = [round(0.1 * i, 1) for i in range(21)]
BINS = 81


class TernaryLayer(NamedTuple):
    """A layer's weights, threshold and scale; over FACTORS the error of the layer and the accuracy of the network."""

    weights: np.ndarray
    threshold: float
    scale: float
    zeros: float
    errors: np.ndarray
    accuracies: np.ndarray
    factor: float


def ternary(data: str | Dataset = "digits") -> Panel:
    """The ternary threshold on a trained network, without any retraining (Li, Zhang, Liu 2016; lecture, section 06)."""
    dataset, model = lesson_data(data), trained_network(data)
    layers = [weight.tensor.detach() for weight in weights_of(model).values()]
    controls = [
        Slider(name="factor", label="Threshold as a multiple of the mean |w|", values=FACTORS, value=0.7),
        Choice(name="layer", label="Layer", options={f"W{i + 1}": i for i in range(len(layers))}),
    ]

    def ternarized(factor: float) -> list[Tensor]:
        return [codes * scale for codes, scale in (ternarize(w, factor=factor) for w in layers)]

    @lru_cache(maxsize=1)
    def accuracies() -> np.ndarray:
        return np.array([accuracy_with_weights(model, ternarized(factor), dataset) for factor in FACTORS])

    @lru_cache(maxsize=8)
    def errors(layer: int) -> np.ndarray:
        w = layers[layer]
        return np.array(
            [float((w - ternarized(factor)[layer]).square().sum() / w.square().sum()) for factor in FACTORS]
        )

    def compute(factor: float, layer: int) -> TernaryLayer:
        w = layers[layer]
        codes, scale = ternarize(w, factor=factor)
        threshold = factor * float(w.abs().mean())
        zeros = float((codes == 0).float().mean())
        return TernaryLayer(w.numpy(), threshold, float(scale), zeros, errors(layer), accuracies(), factor)

    rows = len(dataset.y_test)
    return Panel(
        "Ternary weights", controls, compute, lambda figure: TernaryPicture(figure, rows).show, size=(960, 350)
    )


class TernaryPicture:
    """The weights and their three values on the left; error and accuracy at every threshold on the right."""

    def __init__(self, figure: Figure, test_rows: int) -> None:
        self.weights, right = figure.subplots(1, 2)
        left = self.weights
        self.large = Histogram(left, color=COLOURS["sky"])
        self.small = Histogram(left, color="#C3CBD2")
        self.values = left.vlines([0, 0, 0], 0, 1.04, color=COLOURS["orange"], lw=2.2, label="the three values")
        left.set(yticks=[], ylim=(0, 1.08), xlabel="value of a weight", title="Grey becomes 0, blue −t or +t")
        (self.error,) = right.plot(
            [], [], "s--", ms=4, color=COLOURS["orange"], label="error of the layer, ‖w − t·codes‖²/‖w‖²"
        )
        (self.accuracy,) = right.plot(
            [], [], "o-", ms=4, color=COLOURS["blue"], label=f"accuracy, all layers ternary ({test_rows:,} rows)"
        )
        self.marker = right.axvline(0.7, color=COLOURS["ink"], lw=1)
        right.set(xlim=(-0.05, 2.05), ylim=(0, 1.03), xlabel="threshold / mean |w|", title="Every threshold")
        right.set_yticks([0, 0.25, 0.5, 0.75, 1])
        legend(figure, loc="outside lower left", ncols=3, fontsize=10, columnspacing=1)

    def show(self, layer: TernaryLayer) -> str:
        """Colour the weights by the threshold, and mark it on the curves."""
        edge = float(np.abs(layer.weights).max()) * 1.05
        counts, edges = np.histogram(layer.weights, BINS, (-edge, edge))
        # Without any zeros no bar is grey, not even the one around 0.
        small = (np.abs(edges[:-1] + edges[1:]) / 2 <= layer.threshold) & (layer.zeros > 0)
        self.large.show(counts / counts.max() * ~small, edges)
        self.small.show(counts / counts.max() * small, edges)
        self.values.set_segments([[(v, 0), (v, 1.04)] for v in (-layer.scale, 0, layer.scale)])
        move_limits(self.weights, x=(-edge, edge))
        self.error.set_data(FACTORS, layer.errors)
        self.accuracy.set_data(FACTORS, layer.accuracies)
        self.marker.set_xdata([layer.factor] * 2)
        return describe(layer)


def describe(layer: TernaryLayer) -> str:
    """The sentence under the panel: the threshold, the zeros, the layer's error and the accuracy."""
    at = FACTORS.index(layer.factor)
    best = FACTORS[int(np.argmin(layer.errors))]
    return (
        f"Threshold {layer.factor:g} × mean |w| = {layer.threshold:.3f}: {layer.zeros:.0%} of the weights "
        f"become 0, the others ±{layer.scale:.3f}; the layer's error is {layer.errors[at]:.2f} (minimum at "
        f"{best:g}); with all layers ternary the accuracy is {layer.accuracies[at]:.1%}."
    )
