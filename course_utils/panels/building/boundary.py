"""The decision boundary of a multilayer perceptron while it trains: width, depth, learning rate, batch size, and Q."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.classroom import ready_to_train
from course_utils.models import count_parameters, mlp
from course_utils.panels.engine import Choice, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, FAINT
from course_utils.train import fit_epochs

__all__ = ["Boundary", "boundary", "make_points"]

EPOCHS = 60
EVERY = 3  # epochs between two pictures
SIDE = 64  # points of the map per axis
TRAIN, TEST = 400, 400
EDGE = 1.25
TURNS = 1.25  # of each spiral
SHAPES = {"two spirals": "spirals", "two moons": "moons", "ring and core": "rings"}
STARTS = {"new network": 0, "another one": 1, "a third one": 2}
SIDES = LinearSegmentedColormap.from_list("sides", ["#F2C6A8", "#FBEFE7", "#E6F0F7", "#A9CDE6"])


class Boundary(NamedTuple):
    """The probability of class 1 on the map, the cost and the share right on test points so far, and what was built."""

    chance: np.ndarray
    costs: list[float]
    right: list[float]
    sizes: list[int]
    parameters: int
    data: Dataset
    diverged: bool


@lru_cache(maxsize=8)
def make_points(shape: str, seed: int = 0) -> Dataset:
    """Points of two classes in the plane, between -1.25 and 1.25: "spirals", "moons" or "rings"; 400 + 400."""
    rng = np.random.default_rng(seed)
    n = TRAIN + TEST
    label = np.arange(n) % 2
    t = rng.random(n)
    if shape == "spirals":
        radius, angle = 0.12 + 0.95 * t, TURNS * 2 * np.pi * t + np.pi * label
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + rng.normal(0, 0.035, (n, 2))
    elif shape == "moons":
        angle = np.pi * t
        upper = np.stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25], 1)
        points = np.where(label[:, None] == 0, upper, -upper) * 0.68 + rng.normal(0, 0.08, (n, 2))
    else:
        radius = np.where(label == 0, 0.45 * np.sqrt(t), 0.75 + 0.3 * t)
        angle = rng.random(n) * 2 * np.pi
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + rng.normal(0, 0.05, (n, 2))
    x, y = torch.tensor(points, dtype=torch.float32), torch.tensor(label)
    return Dataset(shape, x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:], classes=2)


def places() -> Tensor:
    """The places of the map, (SIDE * SIDE, 2), row by row from the bottom."""
    line = torch.linspace(-EDGE, EDGE, SIDE)
    return torch.cartesian_prod(line, line).flip(1)


@torch.no_grad()
def look(model: nn.Module, data: Dataset) -> tuple[np.ndarray, float, float]:
    """The chances on the map, the cost (3) on the training points, and the share of test points that are right."""
    chance = model(places()).softmax(1)[:, 1].reshape(SIDE, SIDE).numpy()
    cost = float(nn.functional.cross_entropy(model(data.x_train), data.y_train))
    return chance, cost, float((model(data.x_test).argmax(1) == data.y_test).float().mean())


def boundary() -> Panel:
    """Width and depth of a perceptron against its decision boundary and its number of parameters, training live."""
    ready_to_train()
    controls = [
        Toggle(name="train", label="Train live"),
        Choice(name="shape", label="Points", options=SHAPES),
        Slider(name="width", label="Width of a hidden layer", values=[1, 2, 4, 8, 16, 32, 64], value=16),
        Slider(name="depth", label="Hidden layers", values=[0, 1, 2, 3, 4], value=2),
        Slider(
            name="eta", label="Learning rate η", values=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0], value=0.03
        ),
        Slider(name="size", label="Batch size", values=[8, 32, 128, 400], value=32),
        Choice(name="seed", label="Start from", options=STARTS),
    ]

    def compute(
        train: bool, shape: str, width: float, depth: float, eta: float, size: float, seed: int
    ) -> Iterator[Boundary]:
        data = make_points(shape)
        sizes = [2, *[int(width)] * int(depth), 2]
        with random_numbers(seed):
            model = mlp(sizes)
        chance, cost, share = look(model, data)
        found = Boundary(chance, [cost], [share], sizes, count_parameters(model), data, False)
        yield found
        if not train:
            return
        epochs = fit_epochs(model, data, epochs=EPOCHS, batch_size=int(size), lr=eta, optimizer="sgd", momentum=0.9,
                            evaluate_every=0, device="cpu")  # fmt: skip
        try:
            for history in epochs:
                if not history or len(history) % EVERY:
                    continue
                chance, cost, share = look(model, data)
                found = found._replace(chance=chance, costs=[*found.costs, cost], right=[*found.right, share])
                yield found
        except FloatingPointError:  # the loss has left the numbers: a result here, not a mistake
            yield found._replace(diverged=True)

    return Panel("Width, depth and the decision boundary", controls, compute, draw, size=(960, 390))


def draw(figure: Figure) -> Show:
    """The map with the training points; the cost and the share right at each look."""
    plane, course = figure.subplots(1, 2, width_ratios=[1, 1.15])
    extent = (-EDGE, EDGE, -EDGE, EDGE)
    sides = plane.imshow(np.zeros((SIDE, SIDE)), origin="lower", extent=extent, cmap=SIDES, vmin=0, vmax=1,
                         interpolation="nearest", aspect="equal")  # fmt: skip
    dots = [
        plane.plot([], [], mark, ms=4.5, color=COLOURS[colour], mec="white", mew=0.5)[0]
        for mark, colour in (("o", "orange"), ("s", "blue"))
    ]
    plane.spines[:].set_visible(True)
    plane.set(xticks=[], yticks=[], title="Training points and the two sides")
    x = np.arange(0, EPOCHS + 1, EVERY)
    (cost,) = course.plot([], [], "s--", ms=4, color=COLOURS["orange"], label="cost J, training points")
    (right,) = course.plot([], [], "o-", ms=4, color=COLOURS["blue"], label="share right, test points")
    course.axhline(0.5, color=FAINT, lw=1, ls=":")
    course.set(xlim=(-0.5, EPOCHS + 0.5), ylim=(-0.03, 1.35), xlabel="epoch", title="Course of the training")
    course.set_yticks([0, 0.25, 0.5, 0.75, 1])
    course.legend(loc="upper right", fontsize=10, ncols=2, columnspacing=1.2)

    def show(found: Boundary) -> str:
        # Fifty shades are enough for the eye, and travel to the browser as a palette.
        sides.set_data(np.round(np.nan_to_num(found.chance, nan=0.5) * 50) / 50)
        for label, dot in enumerate(dots):
            dot.set_data(*found.data.x_train[found.data.y_train == label].T)
        seen = len(found.costs)
        cost.set_data(x[:seen], found.costs)
        right.set_data(x[:seen], found.right)
        built = f"{'-'.join(map(str, found.sizes))}, Q = {found.parameters:,} parameters"
        if found.diverged:
            return f"{built}: the cost has left the numbers, training diverged; take a smaller η."
        return (
            f"{built}. Epoch {x[seen - 1]}: cost {found.costs[-1]:.3f}, {found.right[-1]:.1%} of "
            f"{len(found.data.y_test)} test points right."
        )

    return show
