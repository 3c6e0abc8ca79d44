"""Training data that mean nothing: random labels, shuffled and random pixels (Zhang et al. 2016, arXiv:1611.03530).

A network that can fit these can fit anything of that size: nothing in them generalises, so it has memorised them. For
one seed the rows corrupted at a small share are among those corrupted at a larger one, and the same row is corrupted in
the same way at both, so that a path over the share is a path.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from course_utils._support.check import in_range
from course_utils.data.dataset import Dataset

__all__ = ["CORRUPTIONS", "random_labels", "random_pixels", "shuffled_pixels"]

Change = Callable[[Tensor, torch.Generator], Tensor]  # of rows (n, features), and what it draws from


def random_labels(data: Dataset, share: float, *, seed: int = 0) -> Dataset:
    """The data set with the labels of a share of its training rows drawn anew, each class equally likely.

    A new label may by chance be the old one, so at share s about s (1 - 1 / classes) of the labels are wrong. The test
    part keeps its true labels: an error there is an error about the world.

    Raises: ValueError unless 0 <= share <= 1.

    >>> from course_utils.data.load import load_dataset
    >>> digits = load_dataset("digits")
    >>> wrong = random_labels(digits, 0.5).y_train != digits.y_train
    >>> abs(float(wrong.float().mean()) - 0.45) < 0.03
    True
    """
    chosen, generator = _chosen(len(data.y_train), share, seed)
    drawn = torch.randint(data.classes, (len(data.y_train),), generator=generator)
    device = data.y_train.device
    return replace(data, y_train=torch.where(chosen.to(device), drawn.to(device), data.y_train))


def shuffled_pixels(data: Dataset, share: float = 1.0, *, seed: int = 0) -> Dataset:
    """The data set with the pixels of a share of its rows, training and test, put into one other order.

    The order is the same for every row: whatever a pixel said, it now says at another place.

    Raises: ValueError unless 0 <= share <= 1.

    >>> from course_utils.data.load import load_dataset
    >>> digits = load_dataset("digits")
    >>> torch.equal(shuffled_pixels(digits).x_train.sum((1, 2, 3)), digits.x_train.sum((1, 2, 3)))
    True
    """
    order = torch.randperm(data.features, generator=torch.Generator().manual_seed(seed))
    return _with_rows(data, share, seed, lambda x, _: x[:, order.to(x.device)])


def random_pixels(data: Dataset, share: float = 1.0, *, seed: int = 0) -> Dataset:
    """The data set with the pixels of a share of its rows, training and test, put into an order of their own each.

    What is left of an image is how many pixels of each grey it has.

    Raises: ValueError unless 0 <= share <= 1.

    >>> from course_utils.data.load import load_dataset
    >>> digits = load_dataset("digits")
    >>> mixed, image = random_pixels(digits).x_train[:1], digits.x_train[:1]
    >>> torch.equal(mixed, image), torch.equal(mixed.flatten().sort().values, image.flatten().sort().values)
    (False, True)
    """

    def mixed(x: Tensor, generator: torch.Generator) -> Tensor:
        orders = torch.rand(x.shape, generator=generator).argsort(1)
        return x.gather(1, orders.to(x.device))

    return _with_rows(data, share, seed, mixed)


CORRUPTIONS = {"labels": random_labels, "shuffled": shuffled_pixels, "random": random_pixels}


def _chosen(rows: int, share: float, seed: int) -> tuple[Tensor, torch.Generator]:
    """Which rows are corrupted, and the generator that goes on from there."""
    in_range("share", share, 0, 1)
    generator = torch.Generator().manual_seed(seed)
    ranks = torch.randperm(rows, generator=generator)
    return ranks < round(share * rows), generator


def _with_rows(data: Dataset, share: float, seed: int, change: Change) -> Dataset:
    parts = []
    for number, x in enumerate((data.x_train, data.x_test)):
        chosen, generator = _chosen(len(x), share, seed + 1_000_003 * number)
        flat = x.flatten(1)
        changed = torch.where(chosen.to(x.device)[:, None], change(flat, generator), flat)
        parts.append(changed.reshape(x.shape))
    return replace(data, x_train=parts[0], x_test=parts[1])
