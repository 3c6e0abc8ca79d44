"""A convolution by hand: a kernel slides over a digit, and each place gives one sum of nine products (figure 2)."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, FAINT, HeatMap, weight_map

__all__ = ["KERNELS", "Place", "feature_map", "one_of_each", "sliding_kernel"]

KERNELS = {
    "edges, from left to right": [[-1.0, 0.0, 1.0]] * 3,
    "edges, from top to bottom": [[-1.0] * 3, [0.0] * 3, [1.0] * 3],
    "outline": [[-1.0] * 3, [-1.0, 8.0, -1.0], [-1.0] * 3],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]],
}
SIZE = 3
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


def feature_map(image: Tensor, kernel: Tensor, *, relu: bool = False) -> Tensor:
    """The sums of a kernel at each place where it fits into an image, both (rows, columns); then the ReLU.

    >>> feature_map(torch.ones(4, 5), torch.ones(3, 3)).tolist()
    [[9.0, 9.0, 9.0], [9.0, 9.0, 9.0]]
    """
    sums = F.conv2d(image[None, None], kernel[None, None])[0, 0]
    return sums.relu() if relu else sums


def one_of_each(data: Dataset) -> Tensor:
    """The first test image of each class, (classes, rows, columns), values from 0 to 1; colours are averaged."""
    if len(data.input_shape) < 2:
        raise ValueError(f"a kernel slides over images, and {data.name} has none; take 'digits' or 'mnist'")
    first = [int((data.y_test == label).nonzero()[0]) for label in range(data.classes)]
    images = data.x_test[first]
    return images.mean(1) if images.ndim == 4 else images


def sliding_kernel(data: str | Dataset = "digits", *, kernel: Tensor | None = None) -> Panel:
    """A kernel at one place of a digit, the products there, and the map of all places.

    `data`: images, by name or as a data set. `kernel`: your own, a tensor of 3 x 3 numbers.
    """
    images = one_of_each(classroom(data))
    kernels = {name: torch.tensor(rows) for name, rows in KERNELS.items()}
    if kernel is not None:
        kernels = {"your kernel": checked(kernel)} | kernels
    height, width = (side - SIZE + 1 for side in images.shape[1:])
    digits = list(range(len(images)))
    controls = [
        Slider(name="place", label="Place", values=list(range(height * width)), value=height * width // 2 + width // 3),
        Choice(name="chosen", label="Kernel", options={name: name for name in kernels}),
        Slider(name="digit", label="Class of the image", values=digits, value=3 % len(digits)),
        Toggle(name="relu", label="ReLU (2) afterwards"),
    ]

    def compute(place: float, chosen: str, digit: float, relu: bool) -> Place:
        image = images[int(digit)]
        found = feature_map(image, kernels[chosen], relu=relu)
        return Place(image.numpy(), kernels[chosen].numpy(), found.numpy(), *divmod(int(place), width), relu)

    title = "A kernel slides over a digit" if kernel is None else "Your kernel slides over a digit"
    return Panel(title, controls, compute, drawing(images, kernels), size=(960, 350))


def checked(kernel: Tensor) -> Tensor:
    """The kernel as floats; ValueError where it is not 3 x 3."""
    kernel = torch.as_tensor(kernel, dtype=torch.float32)
    if kernel.shape != (SIZE, SIZE) or not bool(kernel.isfinite().all()):
        raise ValueError(f"kernel must be a tensor of 3 x 3 finite numbers, got shape {tuple(kernel.shape)}")
    return kernel


def drawing(images: Tensor, kernels: dict[str, Tensor]) -> Draw:
    """The drawing for these images and kernels."""
    rows, columns = images.shape[1:]

    def draw(figure: Figure) -> Show:
        left, middle, right = figure.subplots(1, 3)
        image = left.imshow(images[0].numpy(), cmap="Greys", vmin=0, vmax=1)
        frame = Rectangle((0, 0), SIZE, SIZE, fill=False, ec=COLOURS["orange"], lw=3)
        left.add_patch(frame)
        left.spines[:].set_visible(True)
        left.set(xticks=[], yticks=[], title=f"Image, {rows} × {columns}")
        colours = HeatMap(middle, np.zeros((SIZE, SIZE)), limit=1.0, cmap=PALE)
        middle.add_image(colours)
        middle.set(xlim=(-0.5, SIZE - 0.5), ylim=(SIZE - 0.5, -0.5), xticks=[], yticks=[], aspect="equal")
        middle.set_title("Pixel × weight")
        middle.spines[:].set_visible(True)
        for edge in (0.5, 1.5):
            middle.axhline(edge, color="#C3CBD2", lw=1)
            middle.axvline(edge, color="#C3CBD2", lw=1)
        cells = [middle.text(i % SIZE, i // SIZE, "", ha="center", va="center", fontsize=10, linespacing=1.5)
                 for i in range(SIZE * SIZE)]  # fmt: skip
        sheet = weight_map(right, np.zeros((rows - SIZE + 1, columns - SIZE + 1)), limit=1.0)
        (later,) = right.plot([], [], ".", ms=4, color=FAINT)
        here = Rectangle((0, 0), 1, 1, fill=False, ec=COLOURS["orange"], lw=3)
        right.add_patch(here)
        right.set(xticks=[], yticks=[], aspect="equal", title=f"Map so far, {rows - SIZE + 1} × {columns - SIZE + 1}")

        def show(found: Place) -> str:
            image.set_data(found.image)
            frame.set_xy((found.column - 0.5, found.row - 0.5))
            limit = float(np.abs(found.kernel).max()) or 1.0
            colours.set_data(found.kernel)
            colours.set_clim(-limit, limit)
            products = found.window * found.kernel
            for cell, pixel, weight, product in zip(
                cells, found.window.flat, found.kernel.flat, products.flat, strict=True
            ):
                cell.set_text(f"{number(pixel)} × {bracketed(weight)}\n= {number(product)}")
            at = found.row * found.map.shape[1] + found.column
            done = np.where(np.arange(found.map.size).reshape(found.map.shape) <= at, found.map, 0.0)
            edge = float(np.abs(found.map).max()) or 1.0
            sheet.set_data(np.round(done / edge * 50) * edge / 50)  # a hundred shades travel as a palette
            sheet.set_clim(-edge, edge)
            missing = np.arange(at + 1, found.map.size)
            later.set_data(missing % found.map.shape[1], missing // found.map.shape[1])
            here.set_xy((found.column - 0.5, found.row - 0.5))
            total = float(products.sum())
            after = f", after the ReLU {number(found.map[found.row, found.column])}" if found.relu else ""
            return (
                f"Row {found.row + 1}, column {found.column + 1}: the nine products add up to {number(total)}{after}. "
                f"The map has values from {number(found.map.min())} to {number(found.map.max())}; it takes 9 weights."
            )

        return show

    return draw


def number(value: float) -> str:
    """Two decimals at most, with a true minus sign."""
    return f"{round(float(value), 2) + 0.0:g}".replace("-", "−")


def bracketed(value: float) -> str:
    """A factor: negative ones in brackets."""
    return f"({number(value)})" if value < 0 else number(value)
