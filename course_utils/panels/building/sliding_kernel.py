"""A convolution by hand: a kernel slides over a digit, and each place gives one sum of nine products (figure 2)."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.building.convolution import SIZE, checked_kernel, feature_map, image_of_each_class
from course_utils.experiments.lesson import lesson_data
from course_utils.panels.building.factors import bracketed
from course_utils.panels.engine import Choice, Panel, Slider, Toggle
from course_utils.plots import COLOURS, FAINT, HeatMap, number, weight_map

__all__ = ["KERNELS", "sliding_kernel"]

KERNELS = {
    "edges, from left to right": [[-1.0, 0.0, 1.0]] * 3,
    "edges, from top to bottom": [[-1.0] * 3, [0.0] * 3, [1.0] * 3],
    "outline": [[-1.0] * 3, [-1.0, 8.0, -1.0], [-1.0] * 3],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]],
}
PALE = LinearSegmentedColormap.from_list("pale", ["#F3C9AE", "#FFFFFF", "#BBDAEE"], N=255)


class Place(NamedTuple):
    """An image, a kernel, the map that the kernel makes of it, and the place (row, column) where it stands."""

    image: np.ndarray
    kernel: np.ndarray
    map: np.ndarray
    row: int
    column: int
    relu: bool

    @property
    def window(self) -> np.ndarray:
        """The nine pixels under the kernel."""
        return self.image[self.row : self.row + SIZE, self.column : self.column + SIZE]


def sliding_kernel(data: str | Dataset = "digits", *, kernel: Tensor | None = None) -> Panel:
    """A kernel at one place of a digit, the products there, and the map of all places.

    `data`: images, by name or as a data set. `kernel`: your own, a tensor of 3 x 3 numbers.
    """
    images = image_of_each_class(lesson_data(data))
    kernels = {name: torch.tensor(rows) for name, rows in KERNELS.items()}
    if kernel is not None:
        kernels = {"your kernel": checked_kernel(kernel)} | kernels
    height, width = (side - SIZE + 1 for side in images.shape[1:])
    digits = list(range(len(images)))
    start = height * width // 2 + width // 3
    controls = [
        Slider(name="place", label="Position", values=list(range(height * width)), value=start),
        Choice(name="chosen", label="Kernel", options={name: name for name in kernels}),
        Slider(name="digit", label="Class of the image", values=digits, value=3 % len(digits)),
        Toggle(name="relu", label="ReLU (2) afterwards"),
    ]

    def compute(place: float, chosen: str, digit: float, relu: bool) -> Place:
        image = images[int(digit)]
        sums = feature_map(image, kernels[chosen], relu=relu)
        return Place(image.numpy(), kernels[chosen].numpy(), sums.numpy(), *divmod(int(place), width), relu)

    title = "A kernel slides over a digit" if kernel is None else "Your kernel slides over a digit"
    return Panel(title, controls, compute, lambda figure: SlidingPicture(figure, images[0]).show, size=(960, 350))


class SlidingPicture:
    """The image with the kernel's frame, the nine products, and the map so far; for images like the first one."""

    def __init__(self, figure: Figure, first: Tensor) -> None:
        rows, columns = first.shape
        left, middle, right = figure.subplots(1, 3)
        self.image = left.imshow(first.numpy(), cmap="Greys", vmin=0, vmax=1)
        self.frame = frame(left, SIZE)
        left.spines[:].set_visible(True)
        left.set(xticks=[], yticks=[], title=f"Image, {rows} × {columns}")
        self._draw_products(middle)
        rows, columns = rows - SIZE + 1, columns - SIZE + 1
        self.map = weight_map(right, np.zeros((rows, columns)), limit=1.0)
        (self.later,) = right.plot([], [], ".", ms=4, color=FAINT)
        self.place = frame(right, 1)
        right.set(xticks=[], yticks=[], aspect="equal", title=f"Map so far, {rows} × {columns}")

    def _draw_products(self, axes: Axes) -> None:
        self.kernel = HeatMap(axes, np.zeros((SIZE, SIZE)), limit=1.0, cmap=PALE)
        axes.add_image(self.kernel)
        axes.set(xlim=(-0.5, SIZE - 0.5), ylim=(SIZE - 0.5, -0.5), xticks=[], yticks=[], aspect="equal")
        axes.set_title("Pixel × weight")
        axes.spines[:].set_visible(True)
        for edge in (0.5, 1.5):
            axes.axhline(edge, color="#C3CBD2", lw=1)
            axes.axvline(edge, color="#C3CBD2", lw=1)
        self.cells = [
            axes.text(i % SIZE, i // SIZE, "", ha="center", va="center", fontsize=10, linespacing=1.5)
            for i in range(SIZE * SIZE)
        ]

    def show(self, place: Place) -> str:
        corner = (place.column - 0.5, place.row - 0.5)
        self.image.set_data(place.image)
        self.frame.set_xy(corner)
        limit = float(np.abs(place.kernel).max()) or 1.0
        self.kernel.set_data(place.kernel)
        self.kernel.set_clim(-limit, limit)
        products = place.window * place.kernel
        cells = zip(self.cells, place.window.flat, place.kernel.flat, products.flat, strict=True)
        for cell, pixel, weight, product in cells:
            cell.set_text(f"{short(pixel)} × {bracketed(short(weight))}\n= {short(product)}")
        self._show_map(place)
        self.place.set_xy(corner)
        return describe(place)

    def _show_map(self, place: Place) -> None:
        """The map up to the place, and dots where it is still to come."""
        columns = place.map.shape[1]
        index = place.row * columns + place.column
        done = np.where(np.arange(place.map.size).reshape(place.map.shape) <= index, place.map, 0.0)
        edge = float(np.abs(place.map).max()) or 1.0
        self.map.set_data(np.round(done / edge * 50) * edge / 50)  # a hundred shades travel as a palette
        self.map.set_clim(-edge, edge)
        missing = np.arange(index + 1, place.map.size)
        self.later.set_data(missing % columns, missing // columns)


def describe(place: Place) -> str:
    """The sentences under the panel: the sum of the products at the place, and the values of the map."""
    total = short((place.window * place.kernel).sum())
    after = f", after the ReLU {short(place.map[place.row, place.column])}" if place.relu else ""
    return (
        f"Row {place.row + 1}, column {place.column + 1}: the nine products add up to {total}{after}. "
        f"The map has values from {short(place.map.min())} to {short(place.map.max())}; it takes 9 weights."
    )


def frame(axes: Axes, size: int) -> Rectangle:
    """An orange frame around so many pixels."""
    rectangle = Rectangle((0, 0), size, size, fill=False, ec=COLOURS["orange"], lw=3)
    axes.add_patch(rectangle)
    return rectangle


def short(value: float) -> str:
    """A number with two decimals at most."""
    return number(round(float(value), 2), "g")
