"""Data sets as tensors: `load_dataset` gives a training and a test part that fit a network as they are.

Images lie in [0, 1] with shape (n, channels, height, width); tables have shape (n, features) and are standardised
with the training part's mean and deviation. `digits` needs no internet; the others are downloaded at the first call,
and only then.
"""

import hashlib
import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils._support.check import one_of
from course_utils.data.sources import (
    DataError,
    Table,
    check_record,
    checksum,
    data_root,
    fetch,
    place,
    plain_errors,
    staging,
)
from course_utils.data.vision import cifar10, mnist

__all__ = ["DataError", "Dataset", "at_hand", "available", "data_root", "load_dataset"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A training and a test part; a frozen value whose methods return new data sets.

    x_train, x_test: float tensors of shape (n, *input_shape). y_train, y_test: int64 tensors of shape (n,), labels
    from 0 to `classes` - 1. `note` is empty, or says that this is a sample of something larger (print it beside every
    number).
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
        return f"{self.name}: {rows} of shape {self.input_shape}, {self.classes} classes" + (
            f" ({self.note})" if self.note else ""
        )

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
        """Return the data set with only `n` training rows, drawn without replacement; the test part stays whole.

        Raises: ValueError unless 1 <= n <= the number of training rows.
        """
        if not 1 <= n <= len(self.y_train):
            raise ValueError(f"n must be between 1 and the {len(self.y_train)} training rows of {self.name}, got {n}")
        rows = torch.from_numpy(np.random.default_rng(seed).permutation(len(self.y_train))[:n]).to(self.y_train.device)
        return replace(self, x_train=self.x_train[rows], y_train=self.y_train[rows])

    def without(self, label: int) -> "Dataset":
        """Return the data set with no training rows of one class; the test part stays whole.

        >>> load_dataset("digits").without(3)
        digits: 1,210 training and 450 test rows of shape (1, 8, 8), 10 classes
        """
        rows = self.y_train != label
        return replace(self, x_train=self.x_train[rows], y_train=self.y_train[rows])

    def split(self, fraction: float = 0.2, *, seed: int = 0) -> "Dataset":
        """Return the training part, split in two: the test part of the result is a validation set.

        `fraction` of each class is held out. Choose settings on the result, and touch the real test part once.

        Raises: ValueError unless 0 < fraction < 1, or if one of the two parts would be empty.

        >>> load_dataset("digits").split(0.25)
        digits: 1,010 training and 337 test rows of shape (1, 8, 8), 10 classes
        """
        keep, held = _stratified(self.y_train.cpu().numpy(), fraction, seed)
        if not len(keep) or not len(held):
            raise ValueError(
                f"fraction must leave rows on both sides, got {fraction!r} of {len(self.y_train)} rows; try 0.2"
            )
        train, held_out = (torch.from_numpy(rows).to(self.y_train.device) for rows in (keep, held))
        return replace(
            self,
            x_train=self.x_train[train],
            y_train=self.y_train[train],
            x_test=self.x_train[held_out],
            y_test=self.y_train[held_out],
        )


def load_dataset(
    name: str, *, root: str | os.PathLike[str] | None = None, sample: bool = True, progress: bool = True
) -> Dataset:
    """Return the data set `name`, downloading it into the data folder at the first call.

    `root` is the data folder, else the environment variable COURSE_DATA, else a cache folder of this user. Where the
    folder holds only a sample of a set, that sample is returned and `note` says so; ``sample=False`` downloads the
    whole instead. `progress` shows a bar while downloading. Parts: MNIST, CIFAR-10 and SUSY (the last 500,000 rows)
    have their published test parts; of the others a fixed quarter of each class is the test part.

    Verified before use, each time: MNIST and CIFAR-10 by torchvision's MD5s, Covertype by the SHA-256 in
    scikit-learn. For Sensorless and SUSY no checksum is published: the first download is checked for its rows,
    columns and classes, and its SHA-256 is recorded beside it (``<file>.sha256``); from then on the file has to match
    that record.

    Raises: ValueError for an unknown name; DataError, in one sentence, without internet, with a full disk, for a wrong
    checksum or a damaged file, and where the folder is read-only and the data are not there.

    Sources: digits: Alpaydin and Kaynak 1998; MNIST: LeCun et al. 1998; Sensorless Drive Diagnosis: Bator 2013;
    Covertype: Blackard and Dean 1999; SUSY: Baldi, Sadowski and Whiteson 2014, arXiv:1402.4735; CIFAR-10: Krizhevsky
    2009.

    >>> data = load_dataset("digits")
    >>> data
    digits: 1,347 training and 450 test rows of shape (1, 8, 8), 10 classes
    >>> data.x_train.dtype, data.features, float(data.x_train.max())
    (torch.float32, 64, 1.0)
    """
    one_of("name", name, list(_SETS))
    folder, source = data_root(root), _SETS[name]
    with plain_errors(name, folder, f"{source.filename} into {folder / source.folder} by hand"):
        return source.load(folder, sample, progress)


def available() -> dict[str, str]:
    """Return what each name of `load_dataset` stands for: size and source.

    >>> for name in available():
    ...     print(name)
    digits
    mnist
    sensorless
    covertype
    susy
    cifar10
    """
    return {name: source.about for name, source in _SETS.items()}


def at_hand(name: str, *, root: str | os.PathLike[str] | None = None) -> bool:
    """Whether a data set, or a sample of it, lies in the data folder, so that `load_dataset` need not download it.

    `name`: one of `available`, or "resnet20" for the pretrained weights. The files are not verified here.

    Raises: ValueError for another name.

    >>> at_hand("digits")
    True
    """
    one_of("name", name, [*_SETS, "resnet20"])
    folder = "resnet_cifar10" if name == "resnet20" else _SETS[name].folder
    place = data_root(root) / folder
    return not folder or (place.is_dir() and any(place.iterdir()))


def _stratified(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out `fraction` of each class: two shuffled arrays of row numbers, kept and held out."""
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie strictly between 0 and 1, got {fraction!r}; try 0.2")
    rng = np.random.default_rng(seed)
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        held[rng.permutation(rows)[: round(fraction * len(rows))]] = True
    return rng.permutation(np.flatnonzero(~held)), rng.permutation(np.flatnonzero(held))


def _load_digits(root: Path, sample: bool, progress: bool) -> Dataset:
    from sklearn.datasets import load_digits  # it takes a second, which users of other sets need not wait

    digits = load_digits()
    x = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)  # (1797, 1, 8, 8), from grey levels 0..16
    y = torch.tensor(digits.target, dtype=torch.int64)
    train, test = _stratified(digits.target, 0.25, seed=0)
    return Dataset("digits", x[train], y[train], x[test], y[test], classes=10)


def _load_mnist(root: Path, sample: bool, progress: bool) -> Dataset:
    return _images("mnist", *mnist(root, progress=progress))


def _load_cifar10(root: Path, sample: bool, progress: bool) -> Dataset:
    samples = sorted((root / "cifar10").glob("cifar10_test_first*.bin")) if sample else []
    parts = cifar10(root / "cifar10", progress=progress, may_download=not samples)
    return _cifar10_sample(samples[0]) if parts is None else _images("cifar10", *parts)


def _cifar10_sample(path: Path) -> Dataset:
    """A few test images in the official binary layout: a label byte, then 3 x 32 x 32 bytes, row by row."""
    data = np.fromfile(path, dtype=np.uint8)
    if not len(data) or len(data) % 3073:
        raise DataError(f"{path} is damaged: {len(data)} bytes are not a whole number of images of 3073; delete it")
    rows = torch.from_numpy(data.reshape(-1, 3073))
    x, y = rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]
    note = f"a sample of {len(y):,} of 60,000 rows, test images only"
    return _images("cifar10", (x[:0], y[:0]), (x, y), note=note)


def _images(name: str, *parts: tuple[Tensor, Tensor], note: str = "") -> Dataset:
    (x_train, y_train), (x_test, y_test) = ((x.float().div_(255).contiguous(), y.long()) for x, y in parts)
    return Dataset(name, x_train, y_train, x_test, y_test, classes=10, note=note)


_UCI = "https://archive.ics.uci.edu"
_LEGACY = f"{_UCI}/ml/machine-learning-databases"
_TABLES = {
    "sensorless": Table(
        "Sensorless_drive_diagnosis.txt",
        (
            f"{_UCI}/static/public/325/dataset+for+sensorless+drive+diagnosis.zip",
            f"{_LEGACY}/00325/Sensorless_drive_diagnosis.txt",
        ),
        rows=58_509,
        features=48,
        classes=11,
        first_label=1,
        label_column=-1,
        delimiter=None,
    ),
    "covertype": Table(
        "covtype.data.gz",
        ("https://ndownloader.figshare.com/files/5976039", f"{_LEGACY}/covtype/covtype.data.gz"),
        rows=581_012,
        features=54,
        classes=7,
        first_label=1,
        label_column=-1,
        sha256="614360d0257557dd1792834a85a1cdebfadc3c4f30b011d56afee7ffb5b15771",
    ),
    "susy": Table(
        "SUSY.csv.gz",
        (f"{_LEGACY}/00279/SUSY.csv.gz",),
        rows=5_000_000,
        features=18,
        classes=2,
        first_label=0,
        label_column=0,
        test_rows=500_000,
    ),
}


@dataclass(frozen=True)
class _Set:
    # Takes the data folder, whether a sample will do, and whether to show progress.
    load: Callable[[Path, bool, bool], Dataset]
    filename: str  # what a person without internet puts there, and where
    folder: str
    about: str


def _table(name: str, about: str) -> _Set:
    def load(root: Path, sample: bool, progress: bool) -> Dataset:
        table, folder = _TABLES[name], root / name
        if not (folder / table.filename).exists():
            values = _sample(table, folder) if sample else None
            if values is not None:
                note = f"a sample of {len(values):,} of {table.rows:,} rows"
                return _tabular(name, replace(table, test_rows=0), values, note)
            _download(table, root, name, progress)
        return _tabular(name, table, _whole(table, root, name))

    return _Set(load, _TABLES[name].filename, name, about)


def _download(table: Table, root: Path, name: str, progress: bool) -> None:
    known = table.sha256 and f"sha256:{table.sha256}"
    with staging(root, name) as stage:
        file = fetch(table.urls, stage, table.filename, known=known, progress=progress)
        if table.sha256 is None:
            table.parse(file, table.rows)
        place(file, root / name / table.filename)


def _whole(table: Table, root: Path, name: str) -> np.ndarray:
    """Read the published file: once as text, later from a copy in NumPy's format (for SUSY minutes against seconds)."""
    file = root / name / table.filename
    digest = checksum(file) if table.sha256 else check_record(file)
    if table.sha256 and digest != table.sha256:
        raise DataError(f"{file} has a wrong checksum (sha256 {digest}, expected {table.sha256}); delete it")
    copy = file.with_name(f"{file.name}.{digest[:16]}.npy")
    if copy.exists():
        check_record(copy)
        return np.load(copy)
    values = table.parse(file, table.rows)
    with suppress(OSError), staging(root, name) as stage:  # the copy only saves time
        np.save(stage / copy.name, values)
        place(stage / copy.name, copy)
        check_record(copy)
    return values


def _sample(table: Table, folder: Path) -> np.ndarray | None:
    """Look for a few of the rows: in the published format under another name, or as kios_X.npy and kios_Y.npy."""
    if table.filename.endswith(".gz"):
        for path in sorted(folder.glob("*." + table.filename.split(".", 1)[1])):
            return table.parse(path, None)
    x, y = folder / "kios_X.npy", folder / "kios_Y.npy"
    if not (x.exists() and y.exists()):
        return None
    try:
        # Their labels start at 0, the published ones at 1.
        values = np.column_stack([np.load(x), np.load(y) + table.first_label]).astype(np.float32)
    except ValueError as error:
        raise DataError(f"{x.name} or {y.name} in {folder} is damaged ({error}); delete both") from error
    return table.check(x, values, None)


def _tabular(name: str, table: Table, values: np.ndarray, note: str = "") -> Dataset:
    """Split, and standardise with the training part's statistics: the test part must not leak into them."""
    x = np.delete(values, table.label_column, axis=1)
    y = values[:, table.label_column].astype(np.int64) - table.first_label
    if table.test_rows:
        train, test = np.split(np.arange(len(y)), [len(y) - table.test_rows])
    else:
        train, test = _stratified(y, 0.25, seed=0)
    x_train, x_test = x[train], x[test]
    for feature in range(x.shape[1]):  # one by one: a double-precision copy of SUSY would not fit into a small machine
        column = x_train[:, feature].astype(np.float64)
        mean, deviation = column.mean(), column.std()
        for part in (x_train, x_test):
            part[:, feature] = (part[:, feature] - mean) / (deviation or 1.0)  # a constant feature becomes zero
    parts = (torch.from_numpy(x_train), torch.from_numpy(y[train]), torch.from_numpy(x_test), torch.from_numpy(y[test]))
    return Dataset(name, *parts, classes=table.classes, note=note)


_SETS = {
    "digits": _Set(_load_digits, "nothing", "", "1,797 images of 8 x 8, 10 classes; in scikit-learn, no download"),
    "mnist": _Set(
        _load_mnist, "four *-ubyte.gz", "MNIST/raw", "70,000 images of 28 x 28, 10 classes; torchvision, 12 MB"
    ),
    "sensorless": _table("sensorless", "58,509 rows of 48 features, 11 classes; UCI 325, 25 MB"),
    "covertype": _table("covertype", "581,012 rows of 54 features, 7 classes; UCI 31, 11 MB"),
    "susy": _table("susy", "5,000,000 rows of 18 features, 2 classes; UCI 279, 880 MB"),
    "cifar10": _Set(
        _load_cifar10,
        "cifar-10-python.tar.gz",
        "cifar10",
        "60,000 images of 3 x 32 x 32, 10 classes; torchvision, 170 MB",
    ),
}
