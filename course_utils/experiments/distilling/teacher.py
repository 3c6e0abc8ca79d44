"""Trains the teacher: a large network with dropout, on images that are moved a little each time."""

import copy
from functools import lru_cache

from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.data.augment import random_affine
from course_utils.experiments.lesson import SMALL_INPUT, lesson_data
from course_utils.models import mlp
from course_utils.train import fit

__all__ = ["teacher"]


class Jitter(nn.Module):
    """Moves its images a little in training mode, as Hinton's teacher saw them."""

    def __init__(self, shape: tuple[int, ...], shift: float) -> None:
        super().__init__()
        self.shape, self.shift = shape, shift

    def forward(self, x: Tensor) -> Tensor:
        """The images, or others like them; anything that is no image stays as it is."""
        if not self.training or len(self.shape) != 3:
            return x
        images = x.reshape(len(x), *self.shape)
        return random_affine(images, degrees=6, shift=self.shift, stretch=0.05).reshape(x.shape)


def teacher(data: str | Dataset = "digits") -> nn.Module:
    """A copy of the trained teacher for a data set, which is trained once for each name."""
    return copy.deepcopy(_load(data)) if isinstance(data, str) else _train(lesson_data(data))


@lru_cache(maxsize=2)
def _load(name: str) -> nn.Module:
    return _train(lesson_data(name))


def _train(data: Dataset) -> nn.Module:
    small = data.features <= SMALL_INPUT
    width = 300 if small else 800
    with random_numbers(0):
        flatten, first, relu, second, relu2, last = mlp([data.features, width, width, data.classes])
        model = nn.Sequential(
            Jitter(data.input_shape, 0.5 if small else 2.0),
            flatten, first, relu, nn.Dropout(0.5), second, relu2, nn.Dropout(0.5), last,
        )  # fmt: skip
    fit(
        model,
        data,
        epochs=40 if small else 12,
        lr=3e-3,
        batch_size=128,
        schedule="cosine",
        evaluate_every=0,
        device="cpu",
        progress=False,
    )
    return model.eval()
