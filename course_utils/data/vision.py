"""The one place through which the course uses torchvision: its import trap, and its data sets put in place safely.

torchvision's wheel, next to a torch that was built for the CPU only, fails on import with ``operator torchvision::nms
does not exist``: its compiled operators need CUDA's libraries, and its Python code registers a fake kernel for an
operator that was never loaded. Data sets, transforms and models need none of these operators, so declaring the two
missing schemas is enough.
"""

import importlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from course_utils.data.sources import checksum, fetch, place, staging

__all__ = ["cifar10", "import_torchvision", "mnist"]

Part = tuple[Tensor, Tensor]  # images and labels

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# A Library takes its schemas back when it is collected, so one reference stays for the life of the process.
_libraries: list[torch.library.Library] = []


def import_torchvision() -> ModuleType:
    """Return the module torchvision, in every pairing of torch and torchvision that pip may have installed.

    Where the compiled operators load, this is a plain import. Where they do not, the schemas of ``nms`` and ``qnms``
    are declared without an implementation: calling either of them still raises NotImplementedError.

    Raises: ImportError without torchvision; any other failure of the import is handed on as it is.

    >>> tv = import_torchvision()
    >>> tv.datasets.MNIST.__name__, tv.models.alexnet.__name__
    ('MNIST', 'alexnet')
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
    _forget_half_an_import()
    _declare_schemas()
    return importlib.import_module("torchvision")


def _forget_half_an_import() -> None:
    """Drop the submodules that a failed import leaves behind; the second import would take them for finished ones."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]


def _declare_schemas() -> None:
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _libraries.append(library)


_MNIST_UNPACKED = {  # sha256 of the content of the four archives whose MD5s torchvision knows
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def _verified(path: Path, known: str) -> bool:
    algorithm, expected = known.split(":")
    return path.is_file() and checksum(path, algorithm) == expected


def _copy_or_fetch(urls: Sequence[str], folder: Path, local: Path, known: str, progress: bool) -> None:
    """Bring a right archive into `folder`. A copy and not a link: a link could be written through by accident."""
    folder.mkdir(parents=True, exist_ok=True)
    if _verified(local, known):
        shutil.copyfile(local, folder / local.name)
    else:
        fetch(urls, folder, local.name, known=known, progress=progress)


def mnist(root: Path, *, progress: bool = True) -> list[Part]:
    """Return the training and the test part of MNIST below `root`: uint8 images (n, 1, 28, 28) and labels (n,)."""
    source = import_torchvision().datasets.MNIST
    raw = root / "MNIST" / "raw"
    if not all(_verified(raw / name, f"sha256:{known}") for name, known in _MNIST_UNPACKED.items()):
        # torchvision unpacks in place and later asks only whether the files exist, so it does both in staging.
        with staging(root, "mnist") as stage:
            for name, md5 in source.resources:
                urls = [mirror + name for mirror in source.mirrors]
                _copy_or_fetch(urls, stage / "MNIST" / "raw", raw / name, f"md5:{md5}", progress)
            source(str(stage), download=True)
            for file in (stage / "MNIST" / "raw").iterdir():
                place(file, raw / file.name)
    parts = [source(str(root), train=train) for train in (True, False)]
    return [(part.data[:, None], part.targets) for part in parts]


def cifar10(folder: Path, *, progress: bool = True, may_download: bool = True) -> list[Part] | None:
    """Return the training and the test part of CIFAR-10 in `folder`: images (n, 3, 32, 32) and labels (n,).

    Returns None where they are not in the folder and `may_download` is False.
    """
    source = import_torchvision().datasets.CIFAR10
    files = [*source.train_list, *source.test_list, (source.meta["filename"], source.meta["md5"])]
    unpacked, archive = folder / source.base_folder, folder / source.filename
    if not all(_verified(unpacked / name, f"md5:{md5}") for name, md5 in files):
        if not may_download and not archive.exists():
            return None
        with staging(folder.parent, "cifar10") as stage:
            _copy_or_fetch([source.url], stage, archive, f"md5:{source.tgz_md5}", progress)
            source(str(stage), download=True)
            for name, _ in files:
                place(stage / source.base_folder / name, unpacked / name)
    parts = [source(str(folder), train=train) for train in (True, False)]
    return [(torch.from_numpy(part.data).permute(0, 3, 1, 2), torch.tensor(part.targets)) for part in parts]
