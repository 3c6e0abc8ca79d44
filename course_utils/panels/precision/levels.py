"""Min-max quantization of a trained layer: its weights, their quantized values, and the accuracy of the network."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.lesson import accuracy_with_weights, lesson_data, measure_accuracy, trained_network
from course_utils.methods.quantize import fake_quantize
from course_utils.methods.weights import weights_of
from course_utils.panels.engine import Choice, Control, Panel, Slider
from course_utils.plots import COLOURS, Histogram, move_limits

__all__ = ["QuantizedLayer", "levels"]

BITS = list(range(2, 11))
BINS = 81

Quantizer = Callable[[Tensor, int], Tensor]


class QuantizedLayer(NamedTuple):
    """A layer's weights, what they became, and the accuracy of the whole network for each of BITS and in float32."""

    weights: np.ndarray
    quantized: np.ndarray
    accuracies: np.ndarray
    bits: int
    float_accuracy: float
    layer: str


def levels(data: str | Dataset = "digits", *, quantizer: Quantizer | None = None) -> Panel:
    """The weights of a trained network at b bits: the quantized values, and its accuracy (lecture, figure 13).

    `data`: a name of `load_dataset`, or a data set. `quantizer`: your own function of a weight matrix (out, in) and a
    number of bits, which returns a tensor like the matrix, instead of min-max codes.
    """
    dataset, model = lesson_data(data), trained_network(data)
    matrices = [weight.tensor.detach() for weight in weights_of(model).values()]
    names = {f"W{i + 1}, {w.shape[0]} × {w.shape[1]}": i for i, w in enumerate(matrices)}
    controls: list[Control] = [
        Slider(name="bits", label="Bits b", values=BITS, value=4),
        Choice(name="layer", label="Layer in the picture", options=names),
    ]
    if quantizer is None:
        controls += [
            Choice(name="codes", label="Codes", options={"affine (min to max)": "affine", "symmetric": "symmetric"}),
            Choice(name="ranges", label="A range for", options={"the whole matrix": "tensor", "each row": "row"}),
            Choice(name="rounding", label="Rounding", options={"to nearest": "nearest", "stochastic": "stochastic"}),
        ]

    def quantized(bits: int, codes: str, ranges: str, rounding: str) -> list[Tensor]:
        if quantizer is not None:
            return [checked(quantizer, w.clone(), bits) for w in matrices]
        generator = torch.Generator().manual_seed(0)
        return [
            fake_quantize(
                w,
                bits=bits,
                symmetric=codes == "symmetric",
                axis=0 if ranges == "row" else None,
                stochastic=rounding == "stochastic",
                generator=generator,
            )
            for w in matrices
        ]

    @lru_cache(maxsize=64)
    def accuracies(codes: str, ranges: str, rounding: str) -> np.ndarray:
        networks = [quantized(bits, codes, ranges, rounding) for bits in BITS]
        return np.array([accuracy_with_weights(model, weights, dataset) for weights in networks])

    float_accuracy = measure_accuracy(model, dataset)

    def compute(
        bits: float, layer: int, codes: str = "affine", ranges: str = "tensor", rounding: str = "nearest"
    ) -> QuantizedLayer:
        return QuantizedLayer(
            matrices[layer].numpy(),
            quantized(int(bits), codes, ranges, rounding)[layer].numpy(),
            accuracies(codes, ranges, rounding),
            int(bits),
            float_accuracy,
            f"W{layer + 1}",
        )

    title = "A trained network at b bits" if quantizer is None else "A trained network by your quantizer"
    rows = len(dataset.y_test)
    return Panel(title, controls, compute, lambda figure: LevelsPicture(figure, rows).show, size=(960, 400))


def checked(quantizer: Quantizer, w: Tensor, bits: int) -> Tensor:
    """What a reader's function returns, if it is a tensor with the shape of `w`."""
    new = quantizer(w, bits)
    if not isinstance(new, Tensor) or new.shape != w.shape:
        got = f"a tensor of shape {tuple(new.shape)}" if isinstance(new, Tensor) else type(new).__name__
        raise ValueError(f"quantizer must return a tensor of shape {tuple(w.shape)} like w, got {got}")
    if not bool(new.isfinite().all()):
        raise ValueError("quantizer must return finite numbers, got some that are infinite or none; clamp the codes")
    return new.detach().to(w.dtype)


class LevelsPicture:
    """The weights and their levels on the left, the accuracy for each number of bits on the right."""

    def __init__(self, figure: Figure, test_rows: int) -> None:
        self.weights, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
        self.bars = Histogram(self.weights, color="#CBD3DA")
        self.levels = self.weights.vlines([0], 0, 1, color=COLOURS["orange"], lw=1.1)
        self.weights.set(xlabel="value of a weight", ylabel="count", yticks=[], ylim=(0, 1.08))
        self.weights.set_title("Weights (grey) and their quantized values (orange)")
        (self.accuracies,) = right.plot([], [], "o-", color=COLOURS["blue"], label="quantized")
        self.float_accuracy = right.axhline(1, color=COLOURS["grey"], ls="--", lw=1.4, label="float32")
        (self.marker,) = right.plot([], [], "o", ms=12, mfc="none", mew=2.2, color=COLOURS["orange"])
        right.set(xlim=(1.5, 10.5), ylim=(0, 1.03), xticks=BITS, xlabel="bits b")
        right.set_ylabel(f"accuracy on {test_rows:,} test rows")
        right.set_title("All layers at b bits")
        right.legend(loc="lower right")

    def show(self, layer: QuantizedLayer) -> str:
        """Draw the levels among the weights, and mark the bits on the curve."""
        distinct = np.unique(layer.quantized)
        # At 2 bits the outermost code lies half a step, a third of it, beyond the outermost weight. One axis for all
        # bits, because a new one means that the whole picture is drawn anew; its end lies between two ticks, as the
        # number of one at the end would be cut off.
        edge = float(np.ceil(14 * np.abs(layer.weights).max())) / 10 + 0.04
        counts, edges = np.histogram(layer.weights, BINS, (-edge, edge))
        self.bars.show(counts / counts.max(), edges)
        lines = distinct[np.linspace(0, len(distinct) - 1, min(len(distinct), 400)).astype(int)]
        height = 1.0 if len(distinct) <= 40 else 0.18
        self.levels.set_segments([[(v, 0), (v, height)] for v in lines])
        move_limits(self.weights, x=(-edge, edge))
        accuracy = layer.accuracies[BITS.index(layer.bits)]
        self.accuracies.set_data(BITS, layer.accuracies)
        self.float_accuracy.set_ydata([layer.float_accuracy] * 2)
        self.marker.set_data([layer.bits], [accuracy])
        return describe(layer, len(distinct), accuracy)


def describe(layer: QuantizedLayer, values: int, accuracy: float) -> str:
    """The sentences under the panel: how many values the layer has left, how far they moved, and the accuracy."""
    error = np.abs(layer.quantized - layer.weights)
    return (
        f"At {layer.bits} bits {layer.layer} has {values:,} different values; a weight changes by "
        f"{error.mean():.4f} on average and by {error.max():.4f} at most. With all layers at {layer.bits} bits "
        f"the accuracy is {accuracy:.1%}, in float32 {layer.float_accuracy:.1%}."
    )
