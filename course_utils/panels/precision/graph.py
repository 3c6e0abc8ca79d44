"""The quantized ReLU as a graph that computes: floats to codes, a maximum of codes, codes to floats (figure 12)."""

from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from torch import Tensor

from course_utils.methods.quantize import QParams, choose_qparams, dequantize, quantize, quantized_relu
from course_utils.panels.engine import Panel, Slider
from course_utils.plots import number, write

__all__ = ["Flow", "relu_graph"]

PLACES = torch.tensor([0.0, 0.13, 0.37, 0.55, 0.81, 1.0])  # of the six inputs, between the smallest and the largest
LEAST_WIDTH = 650  # pixels that the graph takes from left to right

# Where it goes, from 0 to 10 along the flow; its middle, from 0 to 1 across it.
BOXES = {"quantize": (2.07, "#E8F1F8"), "quantized\nReLU": (5.0, "#FBE9DD"), "dequantize": (7.93, "#E8F1F8")}
HEADS = {"x, float32": 0.45, "codes q": 3.535, "max(q, zero)": 6.465, "y, float32": 9.55}
FORMS = (".3f", ".0f", ".0f", ".3f")  # of the numbers under each head
ARROWS = ((0.95, 1.25), (2.89, 3.17), (3.9, 4.18), (5.82, 6.1), (6.83, 7.11), (8.75, 9.05))
MIDDLE = 0.55
FIGURE_SPACE = "\u2007"  # as wide as a digit


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
    """Three boxes, and between them the numbers that flow: from left to right, or down where there is no room."""

    def __init__(self, figure: Figure) -> None:
        width, height = figure.get_size_inches()
        self.down = 100 * width < LEAST_WIDTH
        figure.set_size_inches(width, height + 2.0 * self.down)
        self.axes = figure.subplots()
        self.axes.set(xticks=[], yticks=[])
        self.axes.set(**{"xlim": (0, 1), "ylim": (11.4, 0)} if self.down else {"xlim": (0, 10), "ylim": (0, 1)})
        self.axes.spines[:].set_visible(False)
        for name, (along, colour) in BOXES.items():
            self.draw_box(along, name, colour)
        for start, end in ARROWS:
            self.draw_arrow([(start, MIDDLE), (end, MIDDLE)], color="#4A5560")
        self.columns = [self.draw_numbers(along, head) for head, along in HEADS.items()]
        first, _, last = (along for along, _ in BOXES.values())
        edge, aside = (MIDDLE + 0.25, 0.93) if self.down else (MIDDLE - 0.25, 0.12)
        self.draw_arrow([(first, edge), (first, aside), (last, aside), (last, edge)], color="#009E73", ls="--")
        place = (0.5, 10.15) if self.down else (5.0, 0.07)
        self.ranges = self.axes.text(*place, "", ha="center", va="top", fontsize=11, color="#00694C")

    def at(self, along: float, across: float) -> tuple[float, float]:
        """The place on the axes that is so far along the flow, from 0 to 10, and across it, from 0 to 1."""
        return (across, along) if self.down else (along, across)

    def draw_box(self, along: float, name: str, colour: str) -> None:
        """A step of the computation."""
        size = self.at(1.6, 0.5)
        box = Rectangle(self.at(along - 0.8, MIDDLE - 0.25), *size, fc=colour, ec="#8A939C")
        self.axes.add_patch(box)
        self.axes.text(*self.at(along, MIDDLE), name, ha="center", va="center", fontsize=11.5, fontweight="bold")

    def draw_arrow(self, places: list[tuple[float, float]], *, color: str, ls: str = "-") -> None:
        """A line through these places, with its point at the last one."""
        points = [self.at(*place) for place in places]
        self.axes.plot(*zip(*points[:-1], strict=True), color=color, ls=ls, lw=1.6)
        arrow = {"arrowstyle": "-|>", "color": color, "lw": 1.6, "shrinkA": 0, "shrinkB": 0}
        self.axes.annotate("", points[-1], points[-2], arrowprops=arrow)

    def draw_numbers(self, along: float, head: str) -> Text:
        """Numbers with a head above or beside them; returns the text to be set."""
        place, side = ((0.0, along), "left") if self.down else ((along, 0.97), "center")
        self.axes.text(*place, head, ha=side, va="center", fontsize=10, color="#4A5560")
        numbers: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 11, "multialignment": "right"}
        return self.axes.text(*self.at(along, MIDDLE), "", linespacing=1.2 if self.down else 1.6, **numbers)

    def show(self, flow: Flow) -> str:
        """Write the numbers at each edge of the graph."""
        for text, values, form in zip(self.columns, (flow.x, flow.q, flow.relu, flow.y), FORMS, strict=True):
            words = [number(value, form) for value in values.tolist()]
            words = [word.rjust(max(map(len, words)), FIGURE_SPACE) for word in words]
            rows = ["   ".join(words[:3]), "   ".join(words[3:])] if self.down else words
            write(text, text="\n".join(rows))
        zero, scale, largest = int(flow.qparams.zero_point), float(flow.qparams.scale), flow.qparams.qmax
        parts = ["min and max are passed on", f"scale {scale:.5f} · zero = code {zero}", f"codes 0 to {largest}"]
        write(self.ranges, text=("\n" if self.down else " · ").join(parts))
        return describe(flow)


def describe(flow: Flow) -> str:
    """The sentences under the panel: the codes, and the error of the result."""
    zero, scale, largest = int(flow.qparams.zero_point), float(flow.qparams.scale), flow.qparams.qmax
    error = float((flow.y - flow.x.clamp(min=0)).abs().max())
    return (
        f"Codes from 0 to {largest}, a step of {scale:.5f}, 0 is code {zero}. The ReLU is one comparison "
        f"of integers with {zero}. The error of the result is {error:.4f} at most, half a step is {scale / 2:.4f}."
    )
