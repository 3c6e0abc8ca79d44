"""Accuracy against parameters: fixed, parametric and flexible activations in networks of several sizes."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from torch import nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy
from course_utils.methods.activations import APL, KAF, Maxout, ParametricTanh
from course_utils.models import count_parameters, mlp
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS
from course_utils.train import fit

__all__ = ["ACTIVATIONS", "Comparison", "comparison", "make_network", "size_against_accuracy"]

WIDTHS = (6, 12, 24, 48)
ACTIVATIONS: dict[str, Callable[..., nn.Module] | None] = {
    "ReLU": nn.ReLU,
    "ELU": nn.ELU,
    "SELU": nn.SELU,
    "PReLU (14)": nn.PReLU,
    "scaled tanh (13)": ParametricTanh,
    "APL, S = 3 (15)": lambda width: APL(width, 3),
    "maxout, K = 3 (16)": None,  # it is a layer and its activation in one
    "KAF, D = 20 (17)": lambda width: KAF(width, init="normal"),
}
MARKED = [*MARKERS, "P", "X", "*"]


class Point(NamedTuple):
    """A trained network: its width and depth, parameters, and share of test rows it gets right."""

    width: int
    depth: int
    parameters: int
    accuracy: float


class Comparison:
    """Trained networks by activation; `points` lists those of each."""

    def __init__(self, data: str, points: dict[str, list[Point]]) -> None:
        self.data, self.points = data, points

    def __repr__(self) -> str:
        return f"{sum(map(len, self.points.values()))} networks with {len(self.points)} activations on {self.data}"


def make_network(activation: str, data: Dataset, *, width: int, depth: int) -> nn.Sequential:
    """A perceptron with so many hidden layers of this width and activation."""
    make = ACTIVATIONS[activation]
    with random_numbers(0):
        if make is not None:
            one_each = make is nn.PReLU
            return mlp(
                [data.features, *[width] * depth, data.classes],
                activation=(lambda n: nn.PReLU(n)) if one_each else make,
            )
        layers = [Maxout(data.features if i == 0 else width, width, 3) for i in range(depth)]
        return nn.Sequential(nn.Flatten(), *layers, nn.Linear(width, data.classes))


def comparison(data: str | Dataset = "digits") -> Comparison:
    """Train networks of four widths and two depths with each activation; once for each data set that is named."""
    return _of_name(data) if isinstance(data, str) else _train(data)


@lru_cache(maxsize=2)
def _of_name(name: str) -> Comparison:
    return _train(name)


def _train(data: str | Dataset) -> Comparison:
    room = classroom(data)
    if len(room.y_train) > 3000:
        room = room.subset(3000)
    settings: dict[str, Any] = {"epochs": 12, "lr": 0.01, "batch_size": 64, "schedule": "cosine", "evaluate_every": 0}
    points: dict[str, list[Point]] = {name: [] for name in ACTIVATIONS}
    for name in ACTIVATIONS:
        for depth in (1, 2):
            for width in WIDTHS:
                model = make_network(name, room, width=width, depth=depth)
                fit(model, room, device="cpu", progress=False, **settings)
                points[name].append(Point(width, depth, count_parameters(model), measure_accuracy(model.eval(), room)))
    return Comparison(room.name, points)


class View(NamedTuple):
    """What is shown: the activation in front, the depth, the width that is marked, and whether all others are there."""

    name: str
    depth: int
    width: int
    others: bool


def size_against_accuracy(data: str | Dataset | Comparison = "digits") -> Panel:
    """Accuracy against trainable parameters for each activation (the lecture's comparison, in small)."""
    found = data if isinstance(data, Comparison) else comparison(data)
    controls = [
        Choice(
            name="name",
            label="Activation in front",
            options={name: name for name in ACTIVATIONS},
            value="KAF, D = 20 (17)",
        ),
        Slider(name="depth", label="Hidden layers", values=(1, 2), value=1),
        Slider(name="width", label="Neurons in a layer", values=WIDTHS, value=12),
        Toggle(name="others", label="Show the others", value=True),
    ]

    def compute(name: str, depth: float, width: float, others: bool) -> View:
        return View(name, int(depth), int(width), others)

    return Panel("Accuracy against parameters", controls, compute, drawing(found), size=(960, 420))


def drawing(found: Comparison) -> Draw:
    """The drawing for these networks."""
    every = [point for points in found.points.values() for point in points]

    def draw(figure: Figure) -> Show:
        axes = figure.subplots()
        colours = list(COLOURS.values())
        lines = {}
        for i, name in enumerate(found.points):
            style = LINE_STYLES[i % len(LINE_STYLES)]
            (lines[name],) = axes.plot([], [], linestyle=style, marker=MARKED[i], ms=6, color=colours[i], label=name)
        (here,) = axes.plot([], [], "o", ms=16, mfc="none", mew=2.4, color=COLOURS["ink"])
        low, high = min(p.parameters for p in every), max(p.parameters for p in every)
        axes.set(xscale="log", xlim=(low / 1.2, high * 1.2), xlabel="trainable parameters", ylabel="right on test rows")
        axes.set_ylim(min(p.accuracy for p in every) - 0.03, 1.0)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=10)

        def show(view: View) -> str:
            for name, line in lines.items():
                points = [p for p in found.points[name] if p.depth == view.depth]
                line.set_data([p.parameters for p in points], [p.accuracy for p in points])
                front = name == view.name
                line.set(visible=view.others or front, linewidth=3.0 if front else 1.2, alpha=1.0 if front else 0.55)
            point = next(p for p in found.points[view.name] if (p.depth, p.width) == (view.depth, view.width))
            here.set_data([point.parameters], [point.accuracy])
            relu = next(p for p in found.points["ReLU"] if (p.depth, p.width) == (view.depth, view.width))
            return (
                f"{view.name}, {view.depth} hidden layer{'s' if view.depth > 1 else ''} of {view.width}: "
                f"{point.parameters:,} parameters, {point.accuracy:.1%} right; ReLU of the same shape: "
                f"{relu.parameters:,}, {relu.accuracy:.1%}."
            )

        return show

    return draw
