"""Parameters, operations and accuracy of published networks (lecture, figure 7)."""

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

from course_utils.experiments.parameters.published import EIGHT_BITS, FAMILIES, Network, chosen, frontier
from course_utils.panels.engine import Choice, Panel, Sheet, Slider, Toggle
from course_utils.panels.legends import name_what_is_drawn
from course_utils.panels.parameters.labels import place_labels
from course_utils.plots import COLOURS, FAINT, HALO, INK, legend, move_limits, number, write

__all__ = ["zoo"]

AXES = {
    "parameters": "parameters (millions)",
    "gflops": "operations (GFLOPs)",
    "megabytes": "file (MB)",
    "top1": "top-1 accuracy (%)",
    "top5": "top-5 accuracy (%)",
    "density": "top-1 accuracy (%) per million parameters",
}
TICKS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
LINEAR = ("top1", "top5")
SIZE = (960, 470)
AROUND = (69, 125)  # pixels of the picture around the axes: names are placed by what is left
AROUND_NARROW = (69, 163)  # with a title and a legend of more lines
NARROW = 0.6  # of the intended width
MOST_NAMES = 26
RING = 130  # square points by which the ring of the marked network is larger than its dot
FAMOUS = ("alexnet", "vgg19", "resnet50", "resnet152", "densenet161")


class Scene(NamedTuple):
    """What is to be drawn."""

    networks: list[Network]
    x: str
    y: str
    family: str
    marked: Network
    area: bool

    def column(self, name: str) -> np.ndarray:
        """One number of each network."""
        return np.array([getattr(network, name) for network in self.networks])

    @property
    def frontier(self) -> list[Network]:
        """The networks that no other one beats; none where more parameters are no merit."""
        return [] if self.y == "parameters" else frontier(self.networks, self.x, self.y)


def zoo() -> Panel:
    """Published networks by parameters, operations, size of the file and accuracy (lecture, figure 7)."""
    names = [network.name for network in chosen("first")]
    sizes = ("gflops", "parameters", "megabytes")
    qualities = ("top1", "top5", "density", "parameters")
    families = {"all": "all"} | {family: family for family in (*FAMILIES, EIGHT_BITS)}
    controls = [
        Slider(
            name="network", label="Network, by size", values=range(len(names)), texts=names,
            value=names.index("vgg16"),
        ),
        Choice(name="family", label="Family", options=families),
        Choice(name="x", label="Horizontal axis", options={AXES[name]: name for name in sizes}),
        Choice(name="y", label="Vertical axis", options={AXES[name]: name for name in qualities}),
        Choice(name="weights", label="Weights", options={"as first published": "first", "the best since": "best"}),
        Toggle(name="area", label="Area of a dot: parameters", value=True),
    ]  # fmt: skip

    def compute(network: float, family: str, x: str, y: str, weights: str, area: bool) -> Scene:
        shown = chosen(weights)
        marked = next(n for n in shown if n.name == names[int(network)])
        return Scene(shown, x, y, family, marked, area)

    return Panel(
        "Parameters, operations, accuracy", controls, compute, lambda figure: ZooPicture(figure).show, size=SIZE
    )


class ZooPicture:
    """A dot for each network, the frontier, and as many names as there is room for."""

    def __init__(self, figure: Sheet) -> None:
        self.axes = axes = figure.subplots()
        wide, high = AROUND_NARROW if figure.share < NARROW else AROUND
        self.paper = Paper(figure.pixels[0] - wide, figure.pixels[1] - high, min(1.0, figure.share))
        (self.edge,) = axes.plot([], [], "--", lw=1.4, color=COLOURS["green"], label="Pareto frontier")
        self.others = axes.scatter([], [], color="#CDD3D8", lw=0.9, edgecolors=FAINT)
        self.circles = axes.scatter([], [], color=COLOURS["blue"], alpha=0.75, label="32 bits per weight", lw=0.9,
                                    edgecolors="white")  # fmt: skip
        self.squares = axes.scatter([], [], color=COLOURS["blue"], alpha=0.75, marker="s", label="8 bits", lw=0.9,
                                    edgecolors="white")  # fmt: skip
        self.ring = axes.scatter([], [], facecolors="none", edgecolors=COLOURS["orange"], lw=2.6, zorder=4)
        look: dict[str, Any] = {"fontsize": 9.5, "va": "center", "path_effects": HALO, "visible": False}
        self.names = {
            network.name: axes.text(0, 0, network.name, zorder=5, transform=axes.transAxes, **look)
            for network in chosen("first")
        }  # a text of its own for each, so that only those that have moved are set anew
        axes.grid(color="#E9ECEF", lw=0.8)
        axes.set_axisbelow(True)
        axes.set_ylabel(" ")  # room for long numbers
        self.legend = legend(figure, loc="outside upper right", ncols=3, fontsize=10, columnspacing=1.2)
        for handle in self.legend.legend_handles[1:]:
            handle.set_sizes([45])  # type: ignore[union-attr]

    def show(self, scene: Scene) -> str:
        x, y = scene.column(scene.x), scene.column(scene.y)
        scale(self.axes, scene, x, y, narrow=self.paper.share < NARROW)
        eight_bits = np.array([n.family == EIGHT_BITS for n in scene.networks])
        coloured = np.array([scene.family in ("all", n.family) for n in scene.networks])
        sizes = np.array([self.paper.area(n, scene) for n in scene.networks])
        for dots, which in (
            (self.others, ~coloured),
            (self.circles, coloured & ~eight_bits),
            (self.squares, coloured & eight_bits),
        ):
            dots.set_offsets(np.column_stack([x[which], y[which]]))
            dots.set_sizes(sizes[which])
        self.ring.set_offsets([[getattr(scene.marked, scene.x), getattr(scene.marked, scene.y)]])
        self.ring.set_sizes([self.paper.area(scene.marked, scene) + RING])
        best = scene.frontier
        self.edge.set_data([getattr(n, scene.x) for n in best], [getattr(n, scene.y) for n in best])
        label(self.axes, self.names, scene, self.paper)
        name_what_is_drawn(self.legend)
        return describe(scene)


class Paper(NamedTuple):
    """The pixels of the axes, and their width as a share of the intended one, but at most 1."""

    width: int
    height: int
    share: float

    def area(self, network: Network, scene: Scene) -> float:
        """The area of a dot in square points."""
        return (16 + 2.3 * network.parameters if scene.area else 45.0) * self.share


def scale(axes: Axes, scene: Scene, x: np.ndarray, y: np.ndarray, *, narrow: bool) -> None:
    """Logarithmic axes with plain numbers, fewer where they are `narrow`; an accuracy is linear."""
    linear = scene.y in LINEAR
    limits = (x.min() / 1.5, x.max() * 2.2), (y.min() - 2, y.max() + 5) if linear else (y.min() / 2, y.max() * 2)
    if axes.get_xlim() == limits[0] and axes.get_ylim() == limits[1]:
        return
    axes.set_xscale("log")
    axes.set_yscale("linear" if linear else "log")
    move_limits(axes, x=limits[0], y=limits[1])
    for axis, (low, high) in zip((axes.xaxis, axes.yaxis), limits, strict=True):
        if axis is axes.yaxis and linear:
            axis.set_ticks([tick for tick in range(5, 100, 5) if low <= tick <= high])
            continue
        ticks = [tick for tick in TICKS[:: 2 if narrow else 1] if low <= tick <= high]
        axis.set_ticks(ticks, [f"{tick:,g}" for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.set_xlabel(AXES[scene.x])
    title = axes.set_title(f"Vertical axis:{chr(10) if narrow else ' '}{AXES[scene.y]}", loc="left", fontweight="bold")
    title.set_fontsize(10 if narrow else 12)


def label(axes: Axes, texts: dict[str, Text], scene: Scene, paper: Paper) -> None:
    """Names beside the dots: the marked one first, then its family or the frontier, as far as there is room."""
    best = scene.frontier
    family = [n for n in scene.networks if scene.family == n.family]
    famous = [n for n in scene.networks if n.name in FAMOUS]
    order = list(dict.fromkeys([scene.marked, *(family or [*famous, *best[::-1]])]))

    def dot(network: Network) -> tuple[float, float, float]:
        sides = []
        for name, kind, ends in (
            (scene.x, "log", axes.get_xlim()),
            (scene.y, axes.get_yscale(), axes.get_ylim()),
        ):
            value, low, high = (math.log(v) if kind == "log" else v for v in (getattr(network, name), *ends))
            sides.append((value - low) / (high - low))
        area = paper.area(network, scene) + RING * (network is scene.marked)
        return sides[0], sides[1], math.sqrt(area / math.pi) * 100 / 72

    named = [dot(n) for n in order]
    places = place_labels(
        [n.name for n in order],
        [(x, y) for x, y, _ in named],
        [radius for *_, radius in named],
        size=(paper.width, paper.height),
        dots=[dot(n) for n in scene.networks] + points_between([dot(n) for n in best], paper),
    )
    placed = {n.name: place for n, place in zip(order, places, strict=True) if place is not None}
    for name in list(placed)[MOST_NAMES:]:
        del placed[name]
    for name, text in texts.items():
        write(text, visible=name in placed)
        if name in placed:
            marked = name == scene.marked.name
            write(text, position=placed[name], color=INK["orange"] if marked else COLOURS["ink"])
            write(text, fontweight="bold" if marked else "normal")


def points_between(ends: list[tuple[float, float, float]], paper: Paper) -> list[tuple[float, float, float]]:
    """Small dots along a line through `ends`, so that no name is put over it."""
    points = []
    for (x0, y0, _), (x1, y1, _) in pairwise(ends):
        steps = max(1, round(math.hypot((x1 - x0) * paper.width, (y1 - y0) * paper.height) / 6))
        points += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, 3.0) for i in range(steps)]
    return points


def describe(scene: Scene) -> str:
    """The sentences under the panel: the marked network, the smallest one that is as good, and what is drawn."""
    n = scene.marked
    smallest = min((m for m in scene.networks if m.top1 >= n.top1), key=lambda m: m.parameters)
    if smallest is n:
        comparison = "no smaller one of these is as good"
    else:
        times = n.parameters / smallest.parameters
        comparison = (
            f"{smallest.name} is as good with {times:.1f} times fewer parameters"
            if times >= 1.05
            else f"{smallest.name} is as good and no larger"
        )
    operations = number(n.gflops, ".3g" if n.gflops < 999.5 else ",.0f")
    return (
        f"{n.name}: {n.parameters:,.1f} million parameters, {4 * n.parameters:,.0f} MB at 32 bits each (its file: "
        f"{n.megabytes:,.0f} MB), {operations} GFLOPs for a picture, top-1 accuracy {n.top1:.1f} %; "
        f"{comparison}. {drawn(scene)}"
    )


def drawn(scene: Scene) -> str:
    """Which networks the picture shows, and by what."""
    shown = [m for m in scene.networks if scene.family in ("all", m.family)]
    family = "networks" if scene.family == "all" else f"of the family {scene.family}"
    half = float(np.median([m.top1 for m in shown]))
    return (
        f"In colour {len(shown)} {family}, {AXES[scene.y]} by {AXES[scene.x]}; half of them have a top-1 accuracy "
        f"above {half:.1f} %."
    )
