"""The closing panel: methods stacked by check boxes, on one plot of accuracy against bytes that are on the disk."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.closing.methods import LABELS, CompressedNetwork, Methods, reference_networks, steps
from course_utils.experiments.lesson import lesson_data
from course_utils.panels.engine import Choice, Control, Panel, Toggle
from course_utils.plots import COLOURS, INK, legend, move_limits, smaller, write

__all__ = ["everything"]

LINES = 12  # of the table
MAX_LETTERS = 30  # of a line; where the methods take more, those after the second are counted
ORDERS = {"bytes, smallest first": "size", "accuracy, highest first": "accuracy", "order of training": "trained"}
COLUMNS = {"methods": (0.0, "left"), "bytes": (0.62, "right"), "ratio": (0.78, "right"), "accuracy": (1.0, "right")}
NARROW_COLUMNS = {"methods": (0.0, "left"), "bytes": (0.75, "right"), "accuracy": (1.0, "right")}
TABLE_WIDTH = 450  # pixels that all columns take
SHORT = {
    "penalty": "penalty",
    "low_rank": "low rank",
    "distill": "student",
    "kaf": "KAF",
    "prune": "prune",
    "binary": "1 bit",
    "quantize": "4 bit",
    "share": "share",
    "coder": "coder",
}


class Scene(NamedTuple):
    """All networks so far, which is the present one, whether it is finished, and how the table is sorted."""

    networks: list[CompressedNetwork]
    now: CompressedNetwork
    finished: bool
    order: str


def everything(data: str | Dataset = "digits", *, networks: Sequence[CompressedNetwork] | None = None) -> Panel:
    """Every method of the course on one network (lecture, section 10); each state is trained and written as a file.

    `networks`: those to begin with, by default the `reference_networks`.
    """
    dataset = lesson_data(data)
    finished = {network.methods: network for network in (reference_networks(data) if networks is None else networks)}
    controls: list[Control] = [Toggle(name=name, label=label) for name, label in LABELS.items()]
    controls.append(Choice(name="order", label="Sort the table by", options=ORDERS))

    def compute(order: str, **choices: bool) -> Iterator[Scene | None]:
        methods = Methods(**choices)
        if methods not in finished:
            for now in steps(data, methods):
                if now is not None:
                    network = now
                yield now and Scene(list(finished.values()), now, False, order)
            finished[methods] = network
        yield Scene(list(finished.values()), finished[methods], True, order)

    title, rows = "The whole course on one network", len(dataset.y_test)
    return Panel(title, controls, compute, lambda figure: NetworksPicture(figure, rows).show, size=(960, 470))


def ordered(scene: Scene) -> list[CompressedNetwork]:
    """The networks in the chosen order."""
    if scene.order == "size":
        return sorted(scene.networks, key=lambda network: (network.size, -network.accuracy))
    if scene.order == "accuracy":
        return sorted(scene.networks, key=lambda network: (-network.accuracy, network.size))
    return scene.networks


def short(methods: Methods) -> str:
    """The methods in a few letters, for the table.

    >>> short(Methods(prune=True, coder=True))
    'prune + coder'
    """
    chosen = [word for name, word in SHORT.items() if getattr(methods, name)]
    if len(" + ".join(chosen)) > MAX_LETTERS:
        chosen = [*chosen[:2], f"{len(chosen) - 2} more"]
    return " + ".join(chosen) or "dense network"


class NetworksPicture:
    """Accuracy against bytes on the left, a table of the networks on the right."""

    def __init__(self, figure: Figure, test_rows: int) -> None:
        self.axes, table = figure.subplots(1, 2, width_ratios=[1, 1])
        self.draw_plot(test_rows)
        self.columns = COLUMNS if 100 * figure.get_size_inches()[0] >= TABLE_WIDTH else NARROW_COLUMNS
        self.draw_table(table)
        legend(figure, loc="outside upper left", ncols=3, fontsize=10)

    def draw_plot(self, test_rows: int) -> None:
        """The points and their frontier."""
        axes = self.axes
        (self.points,) = axes.plot(
            [], [], "o", ms=7, color=COLOURS["sky"], mec=COLOURS["blue"], label="networks so far"
        )
        (self.frontier,) = axes.plot(
            [], [], "-", color=COLOURS["blue"], lw=1.4, drawstyle="steps-post", label="best accuracy at this size"
        )
        (self.marker,) = axes.plot([], [], "*", ms=17, color=COLOURS["orange"], label="this network")
        axes.set(xscale="log", xlim=(400, 100_000), ylim=(0.8, 1.0), xlabel="bytes of the file on the disk")
        axes.set_ylabel(f"accuracy on {test_rows:,} test rows")
        ticks = {500: "500", 1_000: "1k", 2_000: "2k", 5_000: "5k", 10_000: "10k", 20_000: "20k", 50_000: "50k"}
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.minorticks_off()

    def draw_table(self, axes: Axes) -> None:
        """The heads of the columns, and empty lines."""
        axes.set(xlim=(0, 1), ylim=(LINES + 0.5, -1.3), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        for name, (x, side) in self.columns.items():
            axes.text(x, -0.85, name, ha=side, va="center", fontsize=10.5, fontweight="bold")
        self.cells = [
            [axes.text(x, line, "", ha=side, va="center", fontsize=10) for x, side in self.columns.values()]
            for line in range(LINES)
        ]

    def show(self, scene: Scene) -> str:
        """Draw all networks, the present one among them."""
        now = scene.now
        networks = scene.networks if scene.finished else [*scene.networks, now]
        self.points.set_data([network.size for network in networks], [network.accuracy for network in networks])
        front = frontier(networks)
        self.frontier.set_data([network.size for network in front], [network.accuracy for network in front])
        self.marker.set_data([now.size], [now.accuracy])
        smallest, largest = min(network.size for network in networks), max(network.size for network in networks)
        if not self.axes.get_xlim()[0] <= smallest <= largest <= self.axes.get_xlim()[1]:
            self.axes.set_xlim(smallest / 1.5, largest * 1.5)
        lowest = min(network.accuracy for network in networks)
        move_limits(self.axes, y=(max(0.0, np.floor(10 * lowest - 0.2) / 10), 1.0))
        self.show_table(window(ordered(scene), now), now.methods if scene.finished else None)
        return describe(scene)

    def show_table(self, lines: list[CompressedNetwork], current: Methods | None) -> None:
        """A line for each network, that of the current methods in bold; the rest stays empty."""
        for i, row in enumerate(self.cells):
            texts = dict.fromkeys(self.columns, "")
            style = {"fontweight": "normal", "color": COLOURS["ink"]}
            if i < len(lines):
                network = lines[i]
                texts = {
                    "methods": short(network.methods),
                    "bytes": f"{network.size:,}",
                    "ratio": f"{network.ratio:.1f}×",
                    "accuracy": f"{network.accuracy:.1%}",
                }
                if network.methods == current:
                    style = {"fontweight": "bold", "color": INK["orange"]}
            for name, cell in zip(self.columns, row, strict=True):
                write(cell, text=texts[name], **style)


def window(networks: list[CompressedNetwork], now: CompressedNetwork) -> list[CompressedNetwork]:
    """At most LINES of the table, the present network among them."""
    at = next((i for i, network in enumerate(networks) if network.methods == now.methods), 0)
    start = max(0, min(at - LINES // 2, len(networks) - LINES)) if at >= LINES else 0
    return networks[start : start + LINES]


def frontier(networks: list[CompressedNetwork]) -> list[CompressedNetwork]:
    """The networks that no smaller one beats, from small to large."""
    front: list[CompressedNetwork] = []
    for network in sorted(networks, key=lambda network: (network.size, -network.accuracy)):
        if not front or network.accuracy > front[-1].accuracy:
            front.append(network)
    return front


def describe(scene: Scene) -> str:
    """The sentence under the panel: the present network, and how many are better."""
    now = scene.now
    state = "" if scene.finished else "On the way to: "
    better = sum(network.size < now.size and network.accuracy > now.accuracy for network in scene.networks)
    count = {0: "no network so far is", 1: "one network so far is"}.get(better, f"{better} networks so far are")
    return (
        f"{state}{now.methods}: a file of {now.size:,} bytes, {smaller(now.ratio)} the dense weights, "
        f"accuracy {now.accuracy:.1%}; {count} smaller and more accurate."
    )
