"""Accuracy against parameters: fixed, parametric and flexible activations in networks of several sizes."""

from itertools import cycle
from typing import NamedTuple

from matplotlib.figure import Figure

from course_utils._support.words import plural
from course_utils.data import Dataset
from course_utils.experiments.flexible.activations import ACTIVATIONS, WIDTHS, Comparison, comparison
from course_utils.panels.engine import Choice, Panel, Slider, Toggle
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS, legend

__all__ = ["size_against_accuracy"]


class Chosen(NamedTuple):
    """The highlighted activation, the shape of its network, and whether the lines of the others are shown."""

    name: str
    depth: int
    width: int
    others: bool


def size_against_accuracy(data: str | Dataset | Comparison = "digits") -> Panel:
    """Accuracy against trainable parameters for each activation (the lecture's comparison, in small)."""
    networks = data if isinstance(data, Comparison) else comparison(data)
    names = {name: name for name in ACTIVATIONS}
    controls = [
        Choice(name="name", label="Highlighted activation", options=names, value="KAF, D = 20 (17)"),
        Slider(name="depth", label="Hidden layers", values=(1, 2), value=1),
        Slider(name="width", label="Neurons per layer", values=WIDTHS, value=12),
        Toggle(name="others", label="Show the others", value=True),
    ]

    def compute(name: str, depth: float, width: float, others: bool) -> Chosen:
        return Chosen(name, int(depth), int(width), others)

    title = "Accuracy against parameters"
    return Panel(title, controls, compute, lambda figure: ActivationsPicture(figure, networks).show, size=(960, 420))


class ActivationsPicture:
    """A line for each activation, and a ring round the network that is chosen."""

    def __init__(self, figure: Figure, networks: Comparison) -> None:
        self.networks = networks
        axes = figure.subplots()
        self.lines = {}
        styles = zip(networks.points, cycle(LINE_STYLES), [*MARKERS, "P", "X", "*"], COLOURS.values(), strict=False)
        for name, dashes, marker, colour in styles:
            (self.lines[name],) = axes.plot([], [], linestyle=dashes, marker=marker, ms=6, color=colour, label=name)
        (self.marker,) = axes.plot([], [], "o", ms=16, mfc="none", mew=2.4, color=COLOURS["ink"])
        points = [point for points in networks.points.values() for point in points]
        low, high = min(p.parameters for p in points), max(p.parameters for p in points)
        axes.set(xscale="log", xlim=(low / 1.2, high * 1.2), xlabel="trainable parameters", ylabel="test accuracy")
        axes.set_ylim(min(p.accuracy for p in points) - 0.03, 1.0)
        self.legend = legend(figure, loc="outside lower left", ncols=4, fontsize=10, columnspacing=1)

    def show(self, chosen: Chosen) -> str:
        """Draw the networks of this depth, with one activation highlighted."""
        for name, line in self.lines.items():
            points = [p for p in self.networks.points[name] if p.depth == chosen.depth]
            line.set_data([p.parameters for p in points], [p.accuracy for p in points])
            if name == chosen.name:
                line.set(visible=True, linewidth=3.0, alpha=1.0)
            else:
                line.set(visible=chosen.others, linewidth=1.2, alpha=0.55)
        point = self.networks.point(chosen.name, width=chosen.width, depth=chosen.depth)
        self.marker.set_data([point.parameters], [point.accuracy])
        name_what_is_drawn(self.legend)
        return describe(chosen, self.networks)


def describe(chosen: Chosen, networks: Comparison) -> str:
    """The sentence under the panel: the highlighted activation beside ReLU in the same network."""
    point, relu = (networks.point(name, width=chosen.width, depth=chosen.depth) for name in (chosen.name, "ReLU"))
    return (
        f"{chosen.name}, {plural(chosen.depth, 'hidden layer')} of {chosen.width}: "
        f"{point.parameters:,} parameters, test accuracy {point.accuracy:.1%}; ReLU in the same network: "
        f"{relu.parameters:,}, {relu.accuracy:.1%}."
    )
