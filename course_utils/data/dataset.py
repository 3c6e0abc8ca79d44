"""The value that every training and every picture takes: `Dataset`, a training and a test part as tensors."""

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Dataset", "stratified_split"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A training and a test part; a frozen value whose methods return new data sets.

    x_train, x_test: float tensors of shape (n, *input_shape). y_train, y_test: int64 tensors of shape (n,), labels
    from 0 to `classes` - 1. `note` is empty, or says that this is a sample of something larger (print it beside every
    number).

    Raises: ValueError for tensors of other types, or parts whose inputs and labels differ in number.

    >>> x, y = torch.zeros(3, 2), torch.tensor([0, 1, 1])
    >>> Dataset("pairs", x, y, x[:1], y[:1], classes=2)
    pairs: 3 training and 1 test rows of shape (2,), 2 classes
    """

    name: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    classes: int
    note: str = ""

    def __post_init__(self) -> None:
        for part, x, y in (("train", self.x_train, self.y_train), ("test", self.x_test, self.y_test)):
            if len(x) != len(y) or not x.is_floating_point() or y.dtype != torch.int64:
                raise ValueError(
                    f"x_{part} must be floating-point and y_{part} int64, both with n rows; "
                    f"got {x.dtype} with {len(x)} rows and {y.dtype} with {len(y)}; convert with x.float() and y.long()"
                )

    def __repr__(self) -> str:
        rows = f"{len(self.y_train):,} training and {len(self.y_test):,} test rows"
        note = f" ({self.note})" if self.note else ""
        return f"{self.name}: {rows} of shape {self.input_shape}, {self.classes} classes{note}"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, such as (1, 28, 28) or (48,)."""
        return tuple(self.x_train.shape[1:])

    @property
    def features(self) -> int:
        """The numbers in one input: the first size of an MLP."""
        return math.prod(self.input_shape)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the rows and labels as a network sees them; of equal data sets it is the same.

        >>> from course_utils.data.load import load_dataset
        >>> load_dataset("digits").checksum[:12]
        '872ee52ceca0'
        """
        digest = hashlib.sha256()
        for tensor in (self.x_train, self.y_train, self.x_test, self.y_test):
            rows: Any = tensor.cpu().contiguous().numpy()
            digest.update(rows)
        return digest.hexdigest()

    def to(self, device: str | torch.device) -> "Dataset":
        """Return the data set with all tensors on `device`."""
        x_train, y_train, x_test, y_test = (
            t.to(device) for t in (self.x_train, self.y_train, self.x_test, self.y_test)
        )
        return replace(self, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)

    def subset(self, n: int, *, seed: int = 0) -> "Dataset":
        """Return the data set with only `n` training rows, drawn without replacement; the test part is unchanged.

        Raises: ValueError unless 1 <= n <= the number of training rows.
        """
        if not 1 <= n <= len(self.y_train):
            raise ValueError(f"n must be between 1 and the {len(self.y_train)} training rows of {self.name}, got {n}")
        rows = torch.from_numpy(np.random.default_rng(seed).permutation(len(self.y_train))[:n]).to(self.y_train.device)
        return replace(self, x_train=self.x_train[rows], y_train=self.y_train[rows])

    def without(self, label: int) -> "Dataset":
        """Return the data set with no training rows of one class; the test part is unchanged.

        >>> from course_utils.data.load import load_dataset
        >>> load_dataset("digits").without(3)
        digits: 1,210 training and 450 test rows of shape (1, 8, 8), 10 classes
        """
        rows = self.y_train != label
        return replace(self, x_train=self.x_train[rows], y_train=self.y_train[rows])

    def split(self, fraction: float = 0.2, *, seed: int = 0) -> "Dataset":
        """Return the training part, split in two: the test part of the result is a validation set.

        `fraction` of each class is held out. Choose settings on the result, and touch the real test part once.

        Raises: ValueError unless 0 < fraction < 1, or if one of the two parts would be empty.

        >>> from course_utils.data.load import load_dataset
        >>> load_dataset("digits").split(0.25)
        digits: 1,010 training and 337 test rows of shape (1, 8, 8), 10 classes
        """
        training, validation = stratified_split(self.y_train.cpu().numpy(), fraction, seed=seed)
        if not len(training) or not len(validation):
            raise ValueError(
                f"fraction must leave rows on both sides, got {fraction!r} of {len(self.y_train)} rows; try 0.2"
            )
        train, test = (torch.from_numpy(rows).to(self.y_train.device) for rows in (training, validation))
        return replace(
            self,
            x_train=self.x_train[train],
            y_train=self.y_train[train],
            x_test=self.x_train[test],
            y_test=self.y_train[test],
        )


def stratified_split(labels: np.ndarray, fraction: float, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out `fraction` of each class: two shuffled arrays of row numbers, the remaining ones and those held out.

    Raises: ValueError unless 0 < fraction < 1.

    >>> [len(rows) for rows in stratified_split(np.repeat([0, 1], [8, 4]), 0.25, seed=0)]
    [9, 3]
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie strictly between 0 and 1, got {fraction!r}; try 0.2")
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        held_out[rng.permutation(rows)[: round(fraction * len(rows))]] = True
    return rng.permutation(np.flatnonzero(~held_out)), rng.permutation(np.flatnonzero(held_out))
