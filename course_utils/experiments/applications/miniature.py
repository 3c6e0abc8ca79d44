"""What the miniatures of notebook 02 share: pictures of digits, one thread, and how large a network is, in words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.lesson import lesson_data
from course_utils.models import count_parameters

__all__ = [
    "bytes_in_words",
    "digit_pictures",
    "most_doubtful_first",
    "new_network",
    "on_one_thread",
    "one_thread",
    "size_in_words",
]

ROWS = 3000  # enough for a miniature; MNIST then takes little longer than the digits
UNITS = ("bytes", "kB", "MB", "GB", "TB")

Network = TypeVar("Network", bound=nn.Module)
Result = TypeVar("Result")


def digit_pictures(data: str | Dataset) -> Dataset:
    """Data for a lesson, by name or as they are, with at most 3,000 training rows.

    Raises: ValueError for data that are no square pictures of one channel, or are not of the ten digits.
    """
    data = lesson_data(data)
    shape = data.input_shape
    if len(shape) != 3 or shape[0] != 1 or shape[1] != shape[2] or data.classes != 10:
        raise ValueError(
            f"this notebook needs pictures of the ten digits, got {data.name} of shape {shape} with {data.classes} "
            'classes; use "digits" or "mnist"'
        )
    return data.subset(min(ROWS, len(data.y_train)))


def new_network(make: Callable[[], Network], *, seed: int) -> Network:
    """A network whose first weights depend on the seed alone; the global generator is left as it was."""
    with random_numbers(seed):
        return make()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: on a busy machine small convolutions that are split wait longer than they compute.

    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def on_one_thread(results: Iterator[Result]) -> Iterator[Result]:
    """The same results, each of them computed on one thread.

    >>> list(on_one_thread(torch.get_num_threads() for _ in range(2)))
    [1, 1]
    """
    while True:
        try:
            with one_thread():
                result = next(results)
        except StopIteration:
            return
        yield result


def bytes_in_words(count: float) -> str:
    """A number of bytes as people write it, in powers of 1,000.

    >>> bytes_in_words(832), bytes_in_words(244_403_360), bytes_in_words(7e11)
    ('832 bytes', '244 MB', '700 GB')
    """
    power = 0
    while count >= 999.5 and power < len(UNITS) - 1:
        count, power = count / 1000, power + 1
    return f"{count:.3g} {UNITS[power]}"


def size_in_words(model: nn.Module) -> str:
    """Q and the bytes that it takes at 32 bits each.

    >>> size_in_words(nn.Linear(99, 10))
    'Q = 1,000, 4 kB'
    """
    count = count_parameters(model)
    return f"Q = {count:,}, {bytes_in_words(4 * count)}"


def most_doubtful_first(probabilities: Tensor) -> Tensor:
    """Rows of a table of probabilities, the most doubtful first: those whose largest entry is smallest."""
    return probabilities.max(1).values.argsort(stable=True)
