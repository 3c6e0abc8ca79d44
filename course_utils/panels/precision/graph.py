"""The quantized ReLU as a graph that computes: floats to codes, a maximum of codes, codes to floats (figure 12)."""

from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text
from torch import Tensor

from course_utils.methods.quantize import QParams, choose_qparams, dequantize, quantize, quantized_relu
from course_utils.panels.engine import Panel, Slider

__all__ = ["Flow", "relu_graph"]

PLACES = torch.tensor([0.0, 0.13, 0.37, 0.55, 0.81, 1.0])  # of the six inputs, between the smallest and the largest
BOXES = {"quantize": (2.15, "#E8F1F8"), "quantized\nReLU": (5.0, "#FBE9DD"), "dequantize": (7.85, "#E8F1F8")}


class Flow(NamedTuple):
    """What flows along: floats, codes, codes after the ReLU, floats again; and how codes represent numbers."""

    x: Tensor
    q: Tensor
    relu: Tensor
    y: Tensor
    qparams: QParams


def relu_graph() -> Panel:
    """Six numbers through quantize, an integer ReLU and dequantize; min and max are passed on (figure 12)."""
    minima, maxima = [round(-4 + 0.1 * i, 1) for i in range(41)], [round(0.1 * i, 1) for i in range(61)]
    controls = [
        Slider(name="bits", label="Bits b", values=list(range(2, 9)), value=8),
        Slider(name="low", label="Minimum of the inputs", values=minima, value=-1.0),
        Slider(name="high", label="Maximum of the inputs", values=maxima, value=3.0),
    ]

    def compute(bits: float, low: float, high: float) -> Flow:
        x = low + (high - low) * PLACES
        qparams = choose_qparams(x, bits=int(bits))
        q = quantize(x, qparams)
        relu = quantized_relu(q, qparams)
        return Flow(x, q, relu, dequantize(relu, qparams), qparams)

    title = "The quantized ReLU, computing"
    return Panel(title, controls, compute, lambda figure: GraphPicture(figure).show, size=(960, 360))


class GraphPicture:
    """Three boxes, and between them the numbers that flow."""

    def __init__(self, figure: Figure) -> None:
        axes = figure.subplots()
        axes.set(xlim=(0, 10), ylim=(0.2, 4.7), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        for name, (x, colour) in BOXES.items():
            shape = "round,pad=0.02,rounding_size=0.14"
            axes.add_patch(FancyBboxPatch((x - 0.62, 1.6), 1.24, 1.9, boxstyle=shape, fc=colour, ec="#8A939C"))
            axes.text(x, 2.55, name, ha="center", va="center", fontsize=12, fontweight="bold")
        arrow = {"arrowstyle": "-|>", "color": "#4A5560", "lw": 1.6}
        for start, end in ((1.1, 1.5), (2.8, 3.05), (4.1, 4.35), (5.65, 5.9), (6.95, 7.2), (8.5, 8.85)):
            axes.annotate("", (end, 2.55), (start, 2.55), arrowprops=arrow)
        heads = ["x, float32", "codes q", "max(q, zero)", "y, float32"]
        self.columns = [column(axes, x, head) for x, head in zip((0.55, 3.57, 6.42, 9.4), heads, strict=True)]
        axes.plot([2.15, 2.15, 7.85], [1.55, 1.0, 1.0], "--", color="#009E73", lw=1.6)
        axes.annotate("", (7.85, 1.58), (7.85, 0.98), arrowprops={"arrowstyle": "-|>", "color": "#009E73", "lw": 1.6})
        self.ranges = axes.text(5.0, 0.55, "", ha="center", va="center", fontsize=11, color="#00694C")

    def show(self, flow: Flow) -> str:
        """Write the numbers at each edge of the graph."""
        formats = ("6.3f", "4d", "4d", "6.3f")
        for text, values, form in zip(self.columns, (flow.x, flow.q, flow.relu, flow.y), formats, strict=True):
            text.set_text("\n".join(f"{value:{form}}" for value in values.tolist()))
        zero, scale, largest = int(flow.qparams.zero_point), float(flow.qparams.scale), flow.qparams.qmax
        self.ranges.set_text(
            f"min and max are passed on:  scale {scale:.5f}   ·   zero = code {zero}   ·   codes 0 to {largest}"
        )
        return describe(flow)


def describe(flow: Flow) -> str:
    """The sentences under the panel: the codes, and the error of the result."""
    zero, scale, largest = int(flow.qparams.zero_point), float(flow.qparams.scale), flow.qparams.qmax
    error = float((flow.y - flow.x.clamp(min=0)).abs().max())
    return (
        f"Codes from 0 to {largest}, a step of {scale:.5f}, 0 is code {zero}. The ReLU is one comparison "
        f"of integers with {zero}. The error of the result is {error:.4f} at most, half a step is {scale / 2:.4f}."
    )


def column(axes: Axes, x: float, head: str) -> Text:
    """A column of numbers with a head; returns the text to be set."""
    axes.text(x, 4.35, head, ha="center", va="center", fontsize=10, color="#4A5560")
    return axes.text(x, 2.55, "", ha="center", va="center", fontsize=11, family="monospace", linespacing=1.55)
