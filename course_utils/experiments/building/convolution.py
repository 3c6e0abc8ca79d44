"""Convolutions: the map of one kernel, and a small convolutional network while it trains (lecture, figure 2)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.lesson import PAUSE_EVERY, measure_accuracy
from course_utils.train import fit_epochs

__all__ = [
    "EPOCHS",
    "FILTERS",
    "SIZE",
    "Snapshot",
    "checked_kernel",
    "dense_parameters",
    "feature_map",
    "image_of_each_class",
    "small_cnn",
    "snapshot",
    "train_filters",
]

SIZE = 3  # of a kernel that slides
FILTERS = 8
EPOCHS = 12


def feature_map(image: Tensor, kernel: Tensor, *, relu: bool = False) -> Tensor:
    """The sums of a kernel at each place where it fits into an image, both (rows, columns); then the ReLU.

    >>> feature_map(torch.ones(4, 5), torch.ones(3, 3)).tolist()
    [[9.0, 9.0, 9.0], [9.0, 9.0, 9.0]]
    """
    sums = F.conv2d(image[None, None], kernel[None, None])[0, 0]
    return sums.relu() if relu else sums


def image_of_each_class(data: Dataset) -> Tensor:
    """The first test image of each class, (classes, rows, columns), values from 0 to 1; colours are averaged."""
    if len(data.input_shape) < 2:
        raise ValueError(f"a kernel slides over images, and {data.name} has none; take 'digits' or 'mnist'")
    first = [int((data.y_test == label).nonzero()[0]) for label in range(data.classes)]
    images = data.x_test[first]
    return images.mean(1) if images.ndim == 4 else images


def checked_kernel(kernel: Tensor) -> Tensor:
    """A reader's kernel as floats; ValueError where it is not 3 x 3."""
    kernel = torch.as_tensor(kernel, dtype=torch.float32)
    if kernel.shape != (SIZE, SIZE) or not bool(kernel.isfinite().all()):
        raise ValueError(f"kernel must be a tensor of 3 x 3 finite numbers, got shape {tuple(kernel.shape)}")
    return kernel


class Snapshot(NamedTuple):
    """A network in training and what its first layer makes of an image."""

    filters: np.ndarray  # of the first layer, (FILTERS, size, size)
    maps: np.ndarray  # (FILTERS, rows, columns)
    image: np.ndarray
    accuracy: list[float]  # on the test images, before the first epoch and after each
    digit: int  # the class of the image


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


def train_filters(data: Dataset, *, size: int, seed: int) -> Iterator[tuple[nn.Sequential, list[float]] | None]:
    """Train a small CNN with filters of `size`, and yield it with its accuracies at first and after each epoch.

    None in a pause within an epoch.
    """
    model = small_cnn(data, size=size, seed=seed)
    accuracy = [measure_accuracy(model, data)]
    yield model, accuracy
    for history in fit_epochs(model, data, epochs=EPOCHS, lr=4e-3, batch_size=32, schedule="cosine", seed=seed,
                              evaluate_every=0, device="cpu", pause_every=PAUSE_EVERY):  # fmt: skip
        if history is None:
            yield None
        elif history:
            accuracy.append(measure_accuracy(model, data))
            yield model, accuracy


@torch.no_grad()
def snapshot(model: nn.Sequential, image: Tensor, accuracy: list[float], digit: int) -> Snapshot:
    """The filters now, and their maps of an image (channels, rows, columns) after the ReLU."""
    first = model[0]
    assert isinstance(first, nn.Conv2d)
    maps = torch.relu(first(image[None]))[0]
    return Snapshot(first.weight.mean(1).numpy().copy(), maps.numpy(), image.mean(0).numpy(), list(accuracy), digit)
