"""Min-max quantization of a trained layer: its weights, the values that are left, what the network still gets right."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy, trained
from course_utils.methods.layers import weight_layers
from course_utils.methods.quantize import fake_quantize
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, Histogram, move_limits

__all__ = ["Levelled", "levels"]

BITS = list(range(2, 11))
BINS = 81

Quantizer = Callable[[Tensor, int], Tensor]


class Levelled(NamedTuple):
    """A layer's weights, what they became, and the accuracy of the whole network for each of BITS."""

    weights: np.ndarray
    quantized: np.ndarray
    accuracies: np.ndarray
    bits: int
    float_accuracy: float
    layer: str


def levels(data: str | Dataset = "digits", *, quantizer: Quantizer | None = None) -> Panel:
    """The weights of a trained network at b bits: the values that are left, and its accuracy (lecture, figure 13).

    `data`: a name of `load_dataset`, or a data set. `quantizer`: your own function of a weight matrix (out, in) and a
    number of bits, which returns a tensor like the matrix, in the place of min-max codes.
    """
    room, model = classroom(data), trained(data)
    layers = weight_layers(model)
    names = {
        f"W{i + 1}, {layer.weight.shape[0]} × {layer.weight.shape[1]}": i for i, layer in enumerate(layers.values())
    }
    controls: list = [
        Slider(name="bits", label="Bits b", values=BITS, value=4),
        Choice(name="layer", label="Layer in the picture", options=names),
    ]
    if quantizer is None:
        controls += [
            Choice(name="codes", label="Codes", options={"affine (min to max)": "affine", "symmetric": "symmetric"}),
            Choice(name="ranges", label="A range for", options={"the whole matrix": "tensor", "each row": "row"}),
            Choice(name="rounding", label="Rounding", options={"to the nearest": "nearest", "at random": "random"}),
        ]

    def quantized(bits: int, codes: str, ranges: str, rounding: str) -> list[Tensor]:
        generator = torch.Generator().manual_seed(0)
        found = []
        for layer in layers.values():
            w = layer.weight.detach()
            if quantizer is not None:
                found.append(checked(quantizer, w.clone(), bits))
                continue
            axis = 0 if ranges == "row" else None
            stochastic = rounding == "random"
            found.append(
                fake_quantize(
                    w, bits=bits, symmetric=codes == "symmetric", axis=axis, stochastic=stochastic, generator=generator
                )
            )
        return found

    @lru_cache(maxsize=64)
    def accuracies(codes: str, ranges: str, rounding: str) -> np.ndarray:
        return np.array([accuracy_with(model, quantized(bits, codes, ranges, rounding), room) for bits in BITS])

    float_accuracy = measure_accuracy(model, room)

    def compute(
        bits: float, layer: int, codes: str = "affine", ranges: str = "tensor", rounding: str = "nearest"
    ) -> Levelled:
        weights = list(layers.values())[layer].weight.detach().numpy()
        now = quantized(int(bits), codes, ranges, rounding)[layer].numpy()
        curve = accuracies(codes, ranges, rounding)
        return Levelled(weights, now, curve, int(bits), float_accuracy, f"W{layer + 1}")

    title = "A trained network at b bits" if quantizer is None else "A trained network by your quantizer"
    return Panel(title, controls, compute, drawing(len(room.y_test)), size=(960, 400))


def checked(quantizer: Quantizer, w: Tensor, bits: int) -> Tensor:
    """What a reader's function returns, if it is a tensor of numbers like `w`."""
    new = quantizer(w, bits)
    if not isinstance(new, Tensor) or new.shape != w.shape:
        got = f"a tensor of shape {tuple(new.shape)}" if isinstance(new, Tensor) else type(new).__name__
        raise ValueError(f"quantizer must return a tensor of shape {tuple(w.shape)} like w, got {got}")
    return new.detach().to(w.dtype)


@torch.no_grad()
def accuracy_with(model: torch.nn.Module, weights: list[Tensor], data: Dataset) -> float:
    """The accuracy of a network with these weights in the place of its own."""
    named = dict(zip(weight_layers(model), weights, strict=True))
    logits = torch.func.functional_call(model, {f"{name}.weight": w for name, w in named.items()}, (data.x_test,))
    return float((logits.argmax(1) == data.y_test).float().mean())


def drawing(rows: int) -> Draw:
    """The drawing, for a test set of so many rows."""

    def draw(figure: Figure) -> Show:
        left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
        bars = Histogram(left, color="#CBD3DA")
        values = left.vlines([0], 0, 1, color=COLOURS["orange"], lw=1.1)
        left.set(xlabel="value of a weight", ylabel="how many", yticks=[], ylim=(0, 1.08))
        left.set_title("Weights (grey) and the values that are left (orange)")
        (curve,) = right.plot([], [], "o-", color=COLOURS["blue"], label="quantized")
        whole = right.axhline(1, color=COLOURS["grey"], ls="--", lw=1.4, label="float32")
        (here,) = right.plot([], [], "o", ms=12, mfc="none", mew=2.2, color=COLOURS["orange"])
        right.set(
            xlabel="bits b", ylabel=f"right, of {rows:,} test rows", ylim=(0, 1.03), xlim=(1.5, 10.5), xticks=BITS
        )
        right.set_title("All layers at b bits")
        right.legend(loc="lower right")

        def show(found: Levelled) -> str:
            different = np.unique(found.quantized)
            # At 2 bits the outermost code lies half a step, a third of it, beyond the outermost weight. One axis for
            # all bits, because a new one means that the whole picture is drawn anew.
            edge = 1.4 * float(np.abs(found.weights).max())
            counts, edges = np.histogram(found.weights, BINS, (-edge, edge))
            bars.show(counts / counts.max(), edges)
            shown = different[np.linspace(0, len(different) - 1, min(len(different), 400)).astype(int)]
            height = 1.0 if len(different) <= 40 else 0.18
            values.set_segments([[(v, 0), (v, height)] for v in shown])
            move_limits(left, x=(-edge, edge))
            curve.set_data(BITS, found.accuracies)
            whole.set_ydata([found.float_accuracy] * 2)
            here.set_data([found.bits], [found.accuracies[BITS.index(found.bits)]])
            return words(found, len(different))

        return show

    return draw


def words(found: Levelled, different: int) -> str:
    """The picture in two sentences."""
    error = np.abs(found.quantized - found.weights)
    return (
        f"At {found.bits} bits {found.layer} has {different:,} different values; a weight moves by "
        f"{error.mean():.4f} on average and by {error.max():.4f} at most. With all layers at {found.bits} bits "
        f"{found.accuracies[BITS.index(found.bits)]:.1%} are right, in float32 {found.float_accuracy:.1%}."
    )
