"""Parameters, operations and accuracy of published networks, from torchvision's own notes on them (figure 7)."""

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from course_utils.data.vision import import_torchvision
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, Toggle
from course_utils.panels.parameters.labels import place_labels
from course_utils.plots import COLOURS, FAINT, INK, move_limits, write

__all__ = ["FAMILIES", "Network", "networks", "zoo"]

MIB = 2**20 / 1e6  # torchvision notes file sizes in units of 2^20 bytes
# The first part of a name in torchvision, and the family that the reader sees.
FAMILIES = {
    "AlexNet": ("alexnet",),
    "VGG": ("vgg",),
    "ResNet, ResNeXt": ("resnet", "resnext", "wide"),
    "GoogLeNet, Inception": ("googlenet", "inception"),
    "DenseNet": ("densenet",),
    "SqueezeNet": ("squeezenet",),
    "MobileNet, MNASNet, ShuffleNet": ("mobilenet", "mnasnet", "shufflenet"),
    "EfficientNet": ("efficientnet",),
    "RegNet": ("regnet",),
    "ConvNeXt": ("convnext",),
    "transformers: ViT, Swin, MaxViT": ("vit", "swin", "maxvit"),
}
EIGHT_BITS = "stored in 8 bits"
AXES = {
    "parameters": "parameters (millions)",
    "gflops": "operations (GFLOPs)",
    "megabytes": "file (MB)",
    "top1": "right at the first guess (%)",
    "top5": "right within five guesses (%)",
    "density": "right (%) per million parameters",
}
TICKS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
LINEAR = ("top1", "top5")
SIZE = (960, 470)
INSIDE = (900, 365)  # pixels of the axes, about: labels are placed by them


class Network(NamedTuple):
    """A network with published weights: as torchvision describes it, `megabytes` in millions of bytes."""

    name: str
    family: str
    weights: str
    parameters: float  # in millions
    gflops: float
    megabytes: float
    top1: float
    top5: float

    @property
    def density(self) -> float:
        """Percent right for each million parameters."""
        return self.top1 / self.parameters


@lru_cache(maxsize=1)
def networks() -> list[Network]:
    """All sets of weights that torchvision knows for the thousand classes of ImageNet, by number of parameters.

    Nothing is downloaded: the counts, the accuracies and the sizes of the files are noted beside the weights' names.
    """
    models = import_torchvision().models
    found = []
    for module in (models, models.quantization):
        for name in models.list_models(module=module):
            for weights in models.get_model_weights(name):
                accuracy = weights.meta["_metrics"].get("ImageNet-1K", {})
                if not math.isfinite(accuracy.get("acc@1", math.nan)):
                    continue
                shown = name.replace("quantized_", "") + (" (8 bits)" if module is not models else "")
                sizes = weights.meta["num_params"] / 1e6, weights.meta["_ops"], weights.meta["_file_size"] * MIB
                found.append(Network(shown, _family(name), weights.name, *sizes, accuracy["acc@1"], accuracy["acc@5"]))
    return sorted(found, key=lambda network: (network.parameters, network.name))


def _family(name: str) -> str:
    if name.startswith("quantized"):
        return EIGHT_BITS
    return next(family for family, starts in FAMILIES.items() if name.startswith(starts))


def chosen(which: str) -> list[Network]:
    """One set of weights for each name: the first published, or that with the fewest errors."""
    named: dict[str, list[Network]] = {}
    for network in networks():
        named.setdefault(network.name, []).append(network)
    order = {network: i for i, network in enumerate(networks())}
    best = max if which == "best" else (lambda group, key: min(group, key=lambda n: (_version(n.weights), order[n])))
    return [best(group, key=lambda n: n.top1) for group in named.values()]


def _version(weights: str) -> tuple[int, str]:
    """Sorts plain first weights before later ones, and those before weights from more data."""
    return len(weights), weights


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
        Choice(name="x", label="To the right", options={AXES[name]: name for name in sizes}),
        Choice(name="y", label="Upwards", options={AXES[name]: name for name in qualities}),
        Choice(name="weights", label="Weights", options={"as first published": "first", "the best since": "best"}),
        Toggle(name="area", label="Area of a dot: parameters", value=True),
    ]  # fmt: skip

    def compute(network: float, family: str, x: str, y: str, weights: str, area: bool) -> Scene:
        shown = chosen(weights)
        marked = next(n for n in shown if n.name == names[int(network)])
        return Scene(shown, x, y, family, marked, area)

    return Panel("Parameters, operations, accuracy", controls, compute, drawing(), size=SIZE)


def frontier(scene: Scene) -> list[Network]:
    """The networks to which no other is at least as good on both axes, from left to right."""
    kept: list[Network] = []
    for network in sorted(scene.networks, key=lambda n: (getattr(n, scene.x), -getattr(n, scene.y))):
        if not kept or getattr(network, scene.y) > getattr(kept[-1], scene.y):
            kept.append(network)
    return kept


def drawing() -> Draw:
    """The drawing."""

    def draw(figure: Figure) -> Show:
        axes = figure.subplots()
        (edge,) = axes.plot([], [], "--", lw=1.4, color=COLOURS["green"], label="none with less is as good")
        look: dict[str, Any] = {"lw": 0.9, "edgecolors": "white"}
        others = axes.scatter([], [], color="#CDD3D8", lw=0.9, edgecolors=FAINT)
        circles = axes.scatter([], [], color=COLOURS["blue"], alpha=0.75, label="32 bits a weight", **look)
        squares = axes.scatter([], [], color=COLOURS["blue"], alpha=0.75, marker="s", label="8 bits", **look)
        ring = axes.scatter([], [], facecolors="none", edgecolors=COLOURS["orange"], lw=2.6, zorder=4)
        halo = [patheffects.withStroke(linewidth=3, foreground="white")]
        at: dict[str, Any] = {"transform": axes.transAxes, "path_effects": halo}
        texts = [axes.text(0, 0, "", fontsize=9.5, va="center", zorder=5, **at) for _ in range(26)]
        axes.grid(color="#E9ECEF", lw=0.8)
        axes.set_axisbelow(True)
        axes.set_title(AXES["density"])
        axes.set_ylabel(" ")  # room for long numbers
        legend = figure.legend(loc="outside upper right", ncols=3, fontsize=10)
        for handle in legend.legend_handles[1:]:
            handle.set_sizes([45])  # type: ignore[union-attr]

        def show(scene: Scene) -> str:
            x, y = scene.column(scene.x), scene.column(scene.y)
            scale(axes, scene, x, y)
            small = np.array([n.family == EIGHT_BITS for n in scene.networks])
            mine = np.array([scene.family in ("all", n.family) for n in scene.networks])
            sizes = np.array([size_of(n, scene) for n in scene.networks])
            for dots, which in ((others, ~mine), (circles, mine & ~small), (squares, mine & small)):
                dots.set_offsets(np.column_stack([x[which], y[which]]))
                dots.set_sizes(sizes[which])
            ring.set_offsets([[getattr(scene.marked, scene.x), getattr(scene.marked, scene.y)]])
            ring.set_sizes([size_of(scene.marked, scene) + 130])
            comparable = scene.y != "parameters"
            best = frontier(scene) if comparable else []
            edge.set_data([getattr(n, scene.x) for n in best], [getattr(n, scene.y) for n in best])
            label(axes, texts, scene, best)
            return words(scene)

        return show

    return draw


def size_of(network: Network, scene: Scene) -> float:
    """The area of a dot in square points."""
    return 16 + 2.3 * network.parameters if scene.area else 45.0


def scale(axes: Axes, scene: Scene, x: np.ndarray, y: np.ndarray) -> None:
    """Logarithmic axes with plain numbers; an accuracy is linear."""
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
        ticks = [tick for tick in TICKS if low <= tick <= high]
        axis.set_ticks(ticks, [f"{tick:,g}" for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.set_xlabel(AXES[scene.x])
    axes.set_title("Upwards: " + AXES[scene.y], loc="left", fontweight="bold")


def label(axes: Axes, texts: list[Text], scene: Scene, best: list[Network]) -> None:
    """Names beside the dots: the marked one first, then its family or the frontier, as far as there is room."""
    family = [n for n in scene.networks if scene.family == n.family]
    known = [n for n in scene.networks if n.name in ("alexnet", "vgg19", "resnet50", "resnet152", "densenet161")]
    order = list(dict.fromkeys([scene.marked, *(family or [*known, *best[::-1]])]))

    def dot(network: Network) -> tuple[float, float, float]:
        sides = []
        for name, kind, ends in (
            (scene.x, "log", axes.get_xlim()),
            (scene.y, axes.get_yscale(), axes.get_ylim()),
        ):
            value, low, high = (math.log(v) if kind == "log" else v for v in (getattr(network, name), *ends))
            sides.append((value - low) / (high - low))
        return sides[0], sides[1], math.sqrt(size_of(network, scene) / math.pi) * 100 / 72

    named = [dot(n) for n in order]
    places = place_labels(
        [n.name for n in order],
        [(x, y) for x, y, _ in named],
        [radius for *_, radius in named],
        size=INSIDE,
        dots=[dot(n) for n in scene.networks] + points_between([dot(n) for n in best]),
    )
    placed = [(n, place) for n, place in zip(order, places, strict=True) if place is not None]
    for i, text in enumerate(texts):
        text.set_visible(i < len(placed))
        if i < len(placed):
            network, place = placed[i]
            marked = network is scene.marked
            write(text, text=network.name, position=place, color=INK["orange"] if marked else COLOURS["ink"])
            write(text, fontweight="bold" if marked else "normal")


def points_between(ends: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Small dots along a line through `ends`, so that no name is put over it."""
    found = []
    for (x0, y0, _), (x1, y1, _) in pairwise(ends):
        steps = max(1, round(math.hypot((x1 - x0) * INSIDE[0], (y1 - y0) * INSIDE[1]) / 6))
        found += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, 3.0) for i in range(steps)]
    return found


def words(scene: Scene) -> str:
    """The marked network in numbers, and the smallest one that is as good."""
    n = scene.marked
    smallest = min((m for m in scene.networks if m.top1 >= n.top1), key=lambda m: m.parameters)
    if smallest is n:
        other = "no smaller one of these is as good"
    else:
        times = n.parameters / smallest.parameters
        other = (
            f"{smallest.name} is as good with {times:.1f} times fewer parameters"
            if times >= 1.05
            else f"{smallest.name} is as good and no larger"
        )
    return (
        f"{n.name}: {n.parameters:,.1f} million parameters, {4 * n.parameters:,.0f} MB at 32 bits each (its file: "
        f"{n.megabytes:,.0f} MB), {n.gflops:,.3g} GFLOPs for a picture, {n.top1:.1f} % right at the first guess; "
        f"{other}. {drawn(scene)}"
    )


def drawn(scene: Scene) -> str:
    """Which networks the picture shows, and by what."""
    shown = [m for m in scene.networks if scene.family in ("all", m.family)]
    family = "networks" if scene.family == "all" else f"of the family {scene.family}"
    half = float(np.median([m.top1 for m in shown]))
    return (
        f"In colour {len(shown)} {family}, {AXES[scene.y]} by {AXES[scene.x]}; half of them are right on more than "
        f"{half:.1f} %."
    )
