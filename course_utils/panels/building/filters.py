"""A small convolutional network while it trains: its filters, their maps of a digit, and their number (figure 2)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy, ready_to_train
from course_utils.models import count_parameters
from course_utils.panels.building.sliding import one_of_each
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, HeatMap, weight_map
from course_utils.train import fit_epochs

__all__ = ["Sight", "dense_parameters", "filters", "small_cnn"]

FILTERS = 8
EPOCHS = 12
ROWS = 3000
STARTS = {"new network": 0, "another one": 1}


class Sight(NamedTuple):
    """The filters of the first layer (FILTERS, size, size), their maps of an image, (FILTERS, rows, columns), the share
    right so far, and the class of the image."""

    filters: np.ndarray
    maps: np.ndarray
    image: np.ndarray
    right: list[float]
    digit: int


def small_cnn(data: Dataset, *, size: int = 3, seed: int = 0) -> nn.Sequential:
    """Two convolutions with ReLU and pooling, 8 and 16 filters, and a dense layer; the padding keeps images large."""
    channels, side = data.input_shape[0], data.input_shape[-2:]
    with random_numbers(seed):
        return nn.Sequential(
            nn.Conv2d(channels, FILTERS, size, padding=size // 2),  # (n, 8, rows, columns)
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(FILTERS, 2 * FILTERS, 3, padding=1),  # (n, 16, rows / 2, columns / 2)
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * FILTERS * (side[0] // 4) * (side[1] // 4), data.classes),
        )


def dense_parameters(data: Dataset) -> int:
    """Parameters of a dense layer with as many outputs as the first convolution: weights and biases."""
    outputs = FILTERS * data.input_shape[-2] * data.input_shape[-1]
    return data.features * outputs + outputs


@torch.no_grad()
def see(model: nn.Sequential, image: Tensor, right: list[float], digit: int) -> Sight:
    """The filters now, and their maps of an image (channels, rows, columns) after the ReLU."""
    first = model[0]
    assert isinstance(first, nn.Conv2d)
    maps = torch.relu(first(image[None]))[0]
    return Sight(first.weight.mean(1).numpy().copy(), maps.numpy(), image.mean(0).numpy(), list(right), digit)


def filters(data: str | Dataset = "digits") -> Panel:
    """The filters of a small convolutional network, epoch by epoch (lecture, figure 2)."""
    ready_to_train()
    room = classroom(data)
    room = room.subset(min(len(room.y_train), ROWS))
    images = one_of_each(room)
    digits = list(range(len(images)))
    controls = [
        Toggle(name="train", label="Train live"),
        Slider(name="digit", label="Class of the image", values=digits, value=3 % len(digits)),
        Choice(name="size", label="Filters of", options={"3 × 3 pixels": 3, "5 × 5 pixels": 5}),
        Choice(name="seed", label="Start from", options=STARTS),
    ]
    finished: dict[tuple[int, int], tuple[nn.Sequential, list[float]]] = {}

    def compute(train: bool, digit: float, size: int, seed: int) -> Iterator[Sight]:
        label = int(digit)
        image = room.x_test[int((room.y_test == label).nonzero()[0])]
        if train and (size, seed) in finished:  # another digit is no reason to train again
            yield see(finished[size, seed][0], image, finished[size, seed][1], label)
            return
        finished.clear()
        model = small_cnn(room, size=size, seed=seed)
        right = [measure_accuracy(model, room)]
        yield see(model, image, right, label)
        if not train:
            return
        for history in fit_epochs(model, room, epochs=EPOCHS, lr=4e-3, batch_size=32, schedule="cosine", seed=seed,
                                  evaluate_every=0, device="cpu"):  # fmt: skip
            if history:
                right.append(measure_accuracy(model, room))
                yield see(model, image, right, label)
        finished[size, seed] = model, right

    counts = {size: count_parameters(small_cnn(room, size=size)[0]) for size in (3, 5)}
    title = "The filters of a small convolutional network"
    return Panel(title, controls, compute, drawing(room, counts), size=(960, 480))


def drawing(room: Dataset, counts: dict[int, int]) -> Draw:
    """The drawing for images of `room`; `counts`: parameters of the first layer by the size of its filters."""
    dense = dense_parameters(room)

    def draw(figure: Figure) -> Show:
        above, below = figure.subfigures(2, 1, height_ratios=[1.12, 1], squeeze=False)[:, 0]
        grid = above.subplots(2, FILTERS + 1)
        for axes in grid.flat:
            axes.spines[:].set_visible(True)
            axes.set(xticks=[], yticks=[], aspect="equal")
        grid[0, 0].set_axis_off()
        head = grid[0, 0].text(0.5, 0.5, "", ha="center", va="center", fontsize=11, transform=grid[0, 0].transAxes)
        image = grid[1, 0].imshow(np.zeros(room.input_shape[-2:]), cmap="Greys", vmin=0, vmax=1)
        grid[1, 0].set_xlabel("image")
        weights = [weight_map(axes, np.zeros((3, 3)), limit=1.0) for axes in grid[0, 1:]]
        maps = [weight_map(axes, np.zeros(room.input_shape[-2:]), limit=1.0) for axes in grid[1, 1:]]
        for i, (top, bottom) in enumerate(zip(grid[0, 1:], grid[1, 1:], strict=True), 1):
            top.set_xlabel(f"filter {i}")  # below, because a title would be painted again with every frame
            bottom.set_xlabel(f"map {i}")
            top.set_aspect("equal")
            bottom.set_aspect("equal")
        course, bars = below.subplots(1, 2, width_ratios=[1.3, 1])
        (right,) = course.plot([], [], "o-", ms=5, color=COLOURS["blue"])
        course.set(xlim=(-0.3, EPOCHS + 0.3), ylim=(0, 1.05), xlabel="epoch", title="Share right, test images")
        names = ["convolution", "dense layer"]
        both = bars.barh(names, [1.0, dense], height=0.55, color=[COLOURS["blue"], COLOURS["orange"]],
                         hatch=["", "///"], edgecolor="white")  # fmt: skip
        bars.set(xscale="log", xlim=(10, dense * 60), title="First layer, parameters (log)")
        bars.invert_yaxis()
        bars.minorticks_off()
        texts = [bars.text(1, i, "", va="center", fontsize=11) for i in range(2)]
        texts[1].set_text(f"  {dense:,}")
        texts[1].set_x(dense)

        def show(found: Sight) -> str:
            size = len(found.filters[0])
            head.set_text(f"{FILTERS} filters\nof {size} × {size}")
            image.set_data(found.image)
            # The same colour means the same number in all filters, and in all maps; a hundred shades are enough.
            for artists, values in ((weights, found.filters), (maps, found.maps)):
                edge = float(np.abs(values).max()) or 1.0
                for artist, value in zip(artists, values, strict=True):
                    fitted(artist, np.round(value / edge * 50) * edge / 50)
                    artist.set_clim(-edge, edge)
            right.set_data(range(len(found.right)), found.right)
            count = counts[size]
            both[0].set_width(count)
            texts[0].set_text(f"  {count:,}")
            texts[0].set_x(count)
            return (
                f"Epoch {len(found.right) - 1}: {found.right[-1]:.1%} of {len(room.y_test):,} test images right; the "
                f"maps are of an image of class {found.digit}. The first layer has {count:,} parameters; a dense layer "
                f"with as many outputs would have {dense:,}, {dense / count:,.0f} times as many."
            )

        return show

    return draw


def fitted(image: HeatMap, values: np.ndarray) -> None:
    """Show a matrix, also of another size than before."""
    rows, columns = values.shape
    image.set_data(values)
    image.set_extent((-0.5, columns - 0.5, rows - 0.5, -0.5))
