"""Figure 6: accuracy against bytes on the disk for pruning, sharing, both, and low rank."""

import copy
from functools import lru_cache
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from torch import nn

from course_utils.coding.container import layout
from course_utils.compress import Recipe
from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy, trained
from course_utils.methods.lowrank import low_rank_layer
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.panels.storage.stack import written
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS
from course_utils.train import fit

__all__ = ["Frontier", "Point", "figure6", "frontier"]

SERIES = ("pruning", "sharing", "pruning and sharing", "low rank (SVD)")
KEPT = (0.5, 0.3, 0.2, 0.12, 0.08, 0.05, 0.03)
LEVELS = (64, 32, 16, 8, 4, 3, 2)
RANKS = (40, 25, 16, 10, 7, 5, 3)


class Point(NamedTuple):
    """One network: bytes of its file, share of test rows it gets right, and what was done to it."""

    size: int
    accuracy: float
    setting: str


class Frontier(NamedTuple):
    """The points of each series, from large to small files, and the dense network."""

    series: dict[str, list[Point]]
    dense: int
    whole: float
    data: str

    def __repr__(self) -> str:
        return f"{sum(map(len, self.series.values()))} compressed networks on {self.data}, each written as a file"


def frontier(data: str | Dataset = "digits") -> Frontier:
    """Compress the lesson's network in 28 ways, retrain each a little, write each as a file; once for each data set."""
    return _of_name(data) if isinstance(data, str) else _make(data)


@lru_cache(maxsize=2)
def _of_name(name: str) -> Frontier:
    return _make(name)


def _make(data: str | Dataset) -> Frontier:
    room, model = classroom(data), trained(data)
    dense, whole = 4 * sum(p.numel() for p in model.parameters()), measure_accuracy(model, room)
    epochs = 4 if room.features <= 100 else 1
    base: dict[str, Any] = {"lr": 2e-3, "share_lr": 5e-4, "init": "exact", "batch_size": 64}
    trains: dict[str, Any] = {"prune_epochs": epochs, "share_epochs": max(1, epochs // 2)}
    recipes = {
        "pruning": {f"{k:.0%} kept": Recipe(prune=1 - k, prune_epochs=epochs, **base) for k in KEPT},
        "sharing": {f"{n} values": Recipe(levels=n, share_epochs=max(1, epochs // 2), **base) for n in LEVELS},
        "pruning and sharing": {
            f"{k:.0%} kept, 8 values": Recipe(prune=1 - k, levels=8, **trains, **base) for k in KEPT
        },
    }
    series = {
        name: [
            Point(*written(model, recipe, room, dense, whole)[0:3:2], setting) for setting, recipe in settings.items()
        ]
        for name, settings in recipes.items()
    }
    series["low rank (SVD)"] = [low_rank_point(model, room, rank, epochs) for rank in RANKS]
    return Frontier(series, dense, whole, room.name)


def low_rank_point(model: nn.Sequential, data: Dataset, rank: int, epochs: int) -> Point:
    """Each layer as a product of two matrices of this rank, trained again, written as float32."""
    layers = [
        low_rank_layer(copy.deepcopy(layer), rank=rank)
        if isinstance(layer, nn.Linear) and rank < min(layer.weight.shape)
        else copy.deepcopy(layer)
        for layer in model
    ]
    thin = nn.Sequential(*layers)
    fit(
        thin,
        data,
        epochs=epochs,
        lr=2e-3,
        schedule="cosine",
        batch_size=64,
        evaluate_every=0,
        device="cpu",
        progress=False,
    )
    arrays = {name: tensor.numpy() for name, tensor in thin.state_dict().items()}
    size = sum(len(part.data) for part in layout(arrays))
    return Point(size, measure_accuracy(thin.eval(), data), f"rank {rank}")


class Chosen(NamedTuple):
    """The point that is looked at: of which series, and which."""

    name: str
    number: int


def figure6(data: str | Dataset | Frontier = "digits") -> Panel:
    """Accuracy against bytes on the disk for each method alone and together (lecture, figure 6)."""
    found = data if isinstance(data, Frontier) else frontier(data)
    controls = [
        Choice(name="series", label="Method", options={name: name for name in SERIES}, value="pruning and sharing"),
        Slider(name="number", label="From mild to strong", values=list(range(1, len(KEPT) + 1)), value=4),
    ]

    def compute(series: str, number: float) -> Chosen:
        return Chosen(series, int(number) - 1)

    return Panel("Accuracy against bytes on the disk", controls, compute, drawing(found), size=(960, 420))


def drawing(found: Frontier) -> Draw:
    """The drawing for these points."""

    def draw(figure: Figure) -> Show:
        axes = figure.subplots()
        colours = list(COLOURS.values())
        for i, (name, points) in enumerate(found.series.items()):
            shares = [100 * point.size / found.dense for point in points]
            heights = [100 * point.accuracy for point in points]
            axes.plot(shares, heights, linestyle=LINE_STYLES[i], marker=MARKERS[i], ms=6, color=colours[i], label=name)
        axes.axhline(100 * found.whole, color=COLOURS["grey"], ls="--", lw=1.3, label="dense network")
        (here,) = axes.plot([], [], "o", ms=15, mfc="none", mew=2.4, color=COLOURS["ink"])
        axes.set(
            xscale="log", xlabel="bytes of the file, % of the dense float32 bytes", ylabel="right on test rows (%)"
        )
        axes.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
        axes.minorticks_off()
        axes.legend(loc="lower right", fontsize=10)

        def show(chosen: Chosen) -> str:
            point = found.series[chosen.name][chosen.number]
            here.set_data([100 * point.size / found.dense], [100 * point.accuracy])
            return (
                f"{chosen.name}, {point.setting}: a file of {point.size:,} bytes, {found.dense / point.size:.1f} times "
                f"smaller than the dense network, {point.accuracy:.1%} right (dense {found.whole:.1%})."
            )

        return show

    return draw
