"""A small convolutional network while it trains: its filters, their maps of a digit, and their number (figure 2)."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from torch import nn

from course_utils.data import Dataset
from course_utils.experiments.building.convolution import (
    EPOCHS,
    FILTERS,
    Snapshot,
    dense_parameters,
    image_of_each_class,
    small_cnn,
    snapshot,
    train_filters,
)
from course_utils.experiments.lesson import lesson_data, ready_to_train
from course_utils.models import count_parameters
from course_utils.panels.engine import Choice, Panel, Sheet, Slider, Train
from course_utils.plots import COLOURS, HeatMap, weight_map

__all__ = ["filters"]

ROWS = 3000
SIZES = {"3 × 3 pixels": 3, "5 × 5 pixels": 5}
SEEDS = {"seed 0": 0, "seed 1": 1}


def filters(data: str | Dataset = "digits") -> Panel:
    """The filters of a small convolutional network, epoch by epoch (lecture, figure 2)."""
    ready_to_train()
    data = lesson_data(data)
    data = data.subset(min(len(data.y_train), ROWS))
    digits = list(range(len(image_of_each_class(data))))
    controls = [
        Train(),
        Slider(name="digit", label="Class of the image", values=digits, value=3 % len(digits)),
        Choice(name="size", label="Filters of", options=SIZES),
        Choice(name="seed", label="Initial weights", options=SEEDS),
    ]
    finished: dict[tuple[int, int], tuple[nn.Sequential, list[float]]] = {}

    def compute(train: bool, digit: float, size: int, seed: int) -> Iterator[Snapshot | None]:
        label = int(digit)
        image = data.x_test[int((data.y_test == label).nonzero()[0])]
        if train and (size, seed) in finished:  # another digit is no reason to train again
            model, accuracy = finished[size, seed]
            yield snapshot(model, image, accuracy, label)
            return
        finished.clear()
        for state in train_filters(data, size=size, seed=seed):
            if state is None:
                yield None
                continue
            model, accuracy = state
            yield snapshot(model, image, accuracy, label)
            if not train:
                return
        finished[size, seed] = model, accuracy

    title = "The filters of a small convolutional network"
    return Panel(title, controls, compute, lambda figure: FiltersPicture(figure, data).show, size=(960, 480))


class FiltersPicture:
    """Above the filters and their maps, below the accuracy by epoch and the parameters of the first layer."""

    def __init__(self, figure: Sheet, data: Dataset) -> None:
        self.tests = len(data.y_test)
        self.counts = {size: count_parameters(small_cnn(data, size=size)[0]) for size in SIZES.values()}
        self.dense = dense_parameters(data)
        rows, small = [1.0] * (FILTERS + 1), [0.6] * (FILTERS + 1)
        above, middle, (curve, bars) = figure.rows(
            rows, rows, [1.3, 1], heights=[0.56, 0.56, 1], least=[small, small, [0.8, 0.8]]
        )
        self._draw_filters(np.array([above, middle]), data.input_shape[-2:])
        (self.accuracy,) = curve.plot([], [], "o-", ms=5, color=COLOURS["blue"])
        curve.set(xlim=(-0.3, EPOCHS + 0.3), ylim=(0, 1.05), yticks=[0, 0.5, 1], xlabel="epoch", title="Test accuracy")
        self._draw_bars(bars)

    def _draw_filters(self, grid: np.ndarray, side: tuple[int, ...]) -> None:
        for axes in grid.flat:
            axes.spines[:].set_visible(True)
            axes.set(xticks=[], yticks=[], aspect="equal")
        corner, below = grid[:, 0]
        corner.set_axis_off()
        self.head = corner.text(0.5, 0.5, "", ha="center", va="center", fontsize=11, transform=corner.transAxes)
        self.image = below.imshow(np.zeros(side), cmap="Greys", vmin=0, vmax=1)
        below.set_xlabel("image")
        self.filters = [weight_map(axes, np.zeros((3, 3)), limit=1.0) for axes in grid[0, 1:]]
        self.maps = [weight_map(axes, np.zeros(side), limit=1.0) for axes in grid[1, 1:]]
        for i, (top, bottom) in enumerate(zip(grid[0, 1:], grid[1, 1:], strict=True), 1):
            top.set_xlabel(f"filter {i}")  # below, because a title would be painted again with every frame
            bottom.set_xlabel(f"map {i}")
            top.set_aspect("equal")
            bottom.set_aspect("equal")

    def _draw_bars(self, axes: Axes) -> None:
        names = ["convolution", "dense layer"]
        self.bar, _ = axes.barh(names, [1.0, self.dense], height=0.55, color=[COLOURS["blue"], COLOURS["orange"]],
                                hatch=["", "///"], edgecolor="white")  # fmt: skip
        axes.set(xscale="log", xlim=(10, self.dense * 60), title="First layer, parameters (log)")
        axes.invert_yaxis()
        axes.minorticks_off()
        self.count = axes.text(1, 0, "", va="center", fontsize=11)
        axes.text(self.dense, 1, f"  {self.dense:,}", va="center", fontsize=11)

    def show(self, result: Snapshot) -> str:
        size = len(result.filters[0])
        self.head.set_text(f"{FILTERS} filters\nof {size} × {size}")
        self.image.set_data(result.image)
        show_all(self.filters, result.filters)
        show_all(self.maps, result.maps)
        self.accuracy.set_data(range(len(result.accuracy)), result.accuracy)
        count = self.counts[size]
        self.bar.set_width(count)
        self.count.set_text(f"  {count:,}")
        self.count.set_x(count)
        return describe(result, count, self.dense, test_images=self.tests)


def describe(result: Snapshot, parameters: int, dense: int, *, test_images: int) -> str:
    """The sentences under the panel: accuracy, class, and the parameters of the first layer and of a dense one."""
    return (
        f"Epoch {len(result.accuracy) - 1}: accuracy {result.accuracy[-1]:.1%} on {test_images:,} test images; the "
        f"maps are of an image of class {result.digit}. The first layer has {parameters:,} parameters; a dense layer "
        f"with as many outputs would have {dense:,}, {dense / parameters:,.0f} times as many."
    )


def show_all(images: list[HeatMap], matrices: np.ndarray) -> None:
    """Show matrices, also of another size than before; the same colour means the same number in all of them."""
    edge = float(np.abs(matrices).max()) or 1.0
    for image, matrix in zip(images, matrices, strict=True):
        rows, columns = matrix.shape
        image.set_data(np.round(matrix / edge * 50) * edge / 50)  # a hundred shades are enough
        image.set_extent((-0.5, columns - 0.5, rows - 0.5, -0.5))
        image.set_clim(-edge, edge)
