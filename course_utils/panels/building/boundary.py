"""The decision boundary of a multilayer perceptron while it trains: width, depth, learning rate, batch size, and Q."""

from collections.abc import Iterator

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from course_utils.experiments.building.boundary import EDGE, EPOCHS, EVERY, SIDE, Boundary, make_points, train_boundary
from course_utils.experiments.lesson import ready_to_train
from course_utils.panels.engine import Choice, Panel, Slider, Train
from course_utils.plots import COLOURS, FAINT, legend

__all__ = ["boundary"]

RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
SHAPES = {"two spirals": "spirals", "two moons": "moons", "ring and core": "rings"}
SEEDS = {"seed 0": 0, "seed 1": 1, "seed 2": 2}
SIDES = LinearSegmentedColormap.from_list("sides", ["#F2C6A8", "#FBEFE7", "#E6F0F7", "#A9CDE6"])


def boundary() -> Panel:
    """Width and depth of a perceptron against its decision boundary and its number of parameters, training live."""
    ready_to_train()
    controls = [
        Train(),
        Choice(name="shape", label="Points", options=SHAPES),
        Slider(name="width", label="Width of a hidden layer", values=[1, 2, 4, 8, 16, 32, 64], value=16),
        Slider(name="depth", label="Hidden layers", values=[0, 1, 2, 3, 4], value=2),
        Slider(name="eta", label="Learning rate η", values=RATES, value=0.03),
        Slider(name="size", label="Batch size", values=[8, 32, 128, 400], value=32),
        Choice(name="seed", label="Initial weights", options=SEEDS),
    ]

    def compute(
        train: bool, shape: str, width: float, depth: float, eta: float, size: float, seed: int
    ) -> Iterator[Boundary | None]:
        for result in train_boundary(
            make_points(shape), width=int(width), depth=int(depth), eta=eta, batch_size=int(size), seed=seed
        ):
            yield result
            if not train:
                return

    title = "Width, depth and the decision boundary"
    return Panel(title, controls, compute, lambda figure: BoundaryPicture(figure).show, size=(960, 390))


class BoundaryPicture:
    """The map with the training points; the cost and the accuracy so far."""

    def __init__(self, figure: Figure) -> None:
        plane, course = figure.subplots(1, 2, width_ratios=[1, 1.15])
        extent = (-EDGE, EDGE, -EDGE, EDGE)
        self.map = plane.imshow(np.zeros((SIDE, SIDE)), origin="lower", extent=extent, cmap=SIDES, vmin=0, vmax=1,
                                interpolation="nearest", aspect="equal")  # fmt: skip
        self.points = [
            plane.plot([], [], mark, ms=4.5, color=COLOURS[colour], mec="white", mew=0.5)[0]
            for mark, colour in (("o", "orange"), ("s", "blue"))
        ]
        plane.spines[:].set_visible(True)
        plane.set(xticks=[], yticks=[], title="Training points and decision boundary")
        (self.cost,) = course.plot([], [], "s--", ms=4, color=COLOURS["orange"], label="cost J, training points")
        (self.accuracy,) = course.plot([], [], "o-", ms=4, color=COLOURS["blue"], label="accuracy, test points")
        course.axhline(0.5, color=FAINT, lw=1, ls=":")
        course.set(xlim=(-0.5, EPOCHS + 0.5), ylim=(-0.03, 1.35), xlabel="epoch", title="Training curves")
        course.set_yticks([0, 0.25, 0.5, 0.75, 1])
        legend(course, loc="upper right", fontsize=10, ncols=2, columnspacing=1.2, borderaxespad=0)

    def show(self, result: Boundary) -> str:
        # Fifty shades are enough for the eye, and travel to the browser as a palette.
        self.map.set_data(np.round(np.nan_to_num(result.probability, nan=0.5) * 50) / 50)
        for label, dots in enumerate(self.points):
            dots.set_data(*result.data.x_train[result.data.y_train == label].T)
        epochs = range(0, EVERY * len(result.costs), EVERY)
        self.cost.set_data(epochs, result.costs)
        self.accuracy.set_data(epochs, result.accuracy)
        return describe(result)


def describe(result: Boundary) -> str:
    """The sentence under the panel: the network, its cost and its accuracy."""
    network = f"{'-'.join(map(str, result.sizes))}, Q = {result.parameters:,} parameters"
    if result.diverged:
        return f"{network}: the cost is no longer finite, training diverged; take a smaller η."
    return (
        f"{network}. Epoch {EVERY * (len(result.costs) - 1)}: cost {result.costs[-1]:.3f}, accuracy "
        f"{result.accuracy[-1]:.1%} on {len(result.data.y_test)} test points."
    )
