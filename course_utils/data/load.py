"""The catalogue of the data sets: `load_dataset` gives one by its name, downloaded at the first call where needed.

Images lie in [0, 1] with shape (n, channels, height, width); tables have shape (n, features) and are standardised
with the training part's mean and deviation. `digits` needs no internet; the others are downloaded at the first call,
and only then.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils._support.check import one_of
from course_utils._support.extras import require
from course_utils.data.carried import digits
from course_utils.data.dataset import Dataset, stratified_split
from course_utils.data.sources import DataError, data_root, plain_errors
from course_utils.data.tabular import TABLES, load_table
from course_utils.data.vision import cifar10, mnist

__all__ = ["available", "is_local", "load_dataset"]


class Entry(NamedTuple):
    """A line of the catalogue: what the set is, and which file a person without internet puts where."""

    about: str
    filename: str = "nothing"
    folder: str = ""


CATALOGUE = {
    "digits": Entry("1,797 images of 8 x 8, 10 classes; part of the course, no download"),
    "mnist": Entry("70,000 images of 28 x 28, 10 classes; torchvision, 12 MB", "four *-ubyte.gz", "MNIST/raw"),
    "sensorless": Entry(
        "58,509 rows of 48 features, 11 classes; UCI 325, 25 MB", TABLES["sensorless"].filename, "sensorless"
    ),
    "covertype": Entry(
        "581,012 rows of 54 features, 7 classes; UCI 31, 11 MB", TABLES["covertype"].filename, "covertype"
    ),
    "susy": Entry("5,000,000 rows of 18 features, 2 classes; UCI 279, 880 MB", TABLES["susy"].filename, "susy"),
    "cifar10": Entry(
        "60,000 images of 3 x 32 x 32, 10 classes; torchvision, 170 MB", "cifar-10-python.tar.gz", "cifar10"
    ),
}


def load_dataset(
    name: str, *, root: str | os.PathLike[str] | None = None, sample: bool = True, progress: bool = True
) -> Dataset:
    """Return the data set `name`, downloading it into the data folder at the first call.

    `root` is the data folder, else the environment variable COURSE_DATA, else a cache folder of this user.
    `progress` shows a bar while downloading. Parts: MNIST, CIFAR-10 and SUSY (the last 500,000 rows) have their
    published test parts; of the others a fixed quarter of each class is the test part.

    **Samples.** Where the folder of a set holds only a sample, that sample is returned and `note` says so;
    ``sample=False`` downloads the complete set instead. A sample of a table is a file of the published format and
    ending under another name (``covertype/some.data.gz``), or a pair ``NAME_X.npy`` (rows, features) and ``NAME_Y.npy``
    (labels from 0); one of CIFAR-10 is a file ``cifar10/*test*.bin`` of test images in the published binary layout.

    **Verified before use**, each time: MNIST and CIFAR-10 by torchvision's MD5s, Covertype by the SHA-256 in
    scikit-learn's source. For Sensorless and SUSY no checksum is published: the first download is checked for its rows,
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
    one_of("name", name, list(CATALOGUE))
    if name == "digits":
        return _digits()
    require("torchvision", "pooch", "platformdirs")
    folder, entry = data_root(root), CATALOGUE[name]
    with plain_errors(name, folder, f"{entry.filename} into {folder / entry.folder} by hand"):
        if name == "mnist":
            return _images("mnist", *mnist(folder, progress=progress))
        if name == "cifar10":
            return _cifar10(folder / "cifar10", sample=sample, progress=progress)
        return load_table(name, folder, sample=sample, progress=progress)


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
    return {name: entry.about for name, entry in CATALOGUE.items()}


def is_local(name: str, *, root: str | os.PathLike[str] | None = None) -> bool:
    """Whether a data set, or a sample of it, lies in the data folder, so that `load_dataset` need not download it.

    `name`: one of `available`, or "resnet20" for the pretrained weights. The files are not verified.

    Raises: ValueError for another name.

    >>> is_local("digits")
    True
    """
    one_of("name", name, [*CATALOGUE, "resnet20"])
    if name == "digits":
        return True
    folder = data_root(root) / ("resnet_cifar10" if name == "resnet20" else CATALOGUE[name].folder)
    return folder.is_dir() and any(folder.iterdir())


def _digits() -> Dataset:
    images, labels = digits()
    x = torch.from_numpy(images)[:, None].float() / 16  # (1797, 1, 8, 8)
    y = torch.from_numpy(labels).long()
    train, test = stratified_split(labels, 0.25, seed=0)
    return Dataset("digits", x[train], y[train], x[test], y[test], classes=10)


def _cifar10(folder: Path, *, sample: bool, progress: bool) -> Dataset:
    samples = sorted(folder.glob("*test*.bin")) if sample else []
    parts = cifar10(folder, progress=progress, may_download=not samples)
    return _cifar10_sample(samples[0]) if parts is None else _images("cifar10", *parts)


def _cifar10_sample(path: Path) -> Dataset:
    """Test images in the published binary layout: a label byte, then 3 x 32 x 32 bytes, row by row."""
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
