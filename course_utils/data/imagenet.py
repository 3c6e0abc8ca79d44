"""ImageNet where it lies in the data folder: its validation images by class, and torchvision's networks for them.

The images (Russakovsky et al. 2015, arXiv:1409.0575) may not be handed on, so they are not downloaded: anyone who
has them puts them into ``imagenet/val`` of the data folder, one folder for each class, as torchvision's `ImageFolder`
reads them. The networks' weights are downloaded at the first call.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._support.unfilled import unfilled
from course_utils.data.sources import DataError, checksum, data_root, fetch, place, plain_errors, staging
from course_utils.data.vision import import_torchvision

__all__ = ["Images", "imagenet", "pretrained"]

VALIDATION_IMAGES = 50_000  # images of the validation part
CLASSES = 1000
WORDNET = re.compile(r"n\d{8}")
ENDINGS = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class Images:
    """Image files with their labels from 0 to 999, prepared for one network."""

    files: Sequence[tuple[Path, int]]
    transform: Any

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: slice) -> "Images":
        """Some of the files: every second one is ``images[::2]``."""
        return replace(self, files=self.files[rows])

    def batches(self, size: int = 50) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (n, 3, height, width) as the network takes them, and labels (n,); each file is read as it comes."""
        from PIL import Image

        for start in range(0, len(self.files), size):
            images, labels = [], []
            for path, label in self.files[start : start + size]:
                with Image.open(path) as image:
                    images.append(self.transform(image.convert("RGB")))
                labels.append(label)
            yield torch.stack(images), torch.tensor(labels)

    @property
    def checksum(self) -> str:
        """SHA-256 of the files' labels, names and sizes; reading all of them would take as long as testing them."""
        digest = hashlib.sha256()
        for path, label in self.files:
            digest.update(f"{label} {path.name} {path.stat().st_size}\n".encode())
        return digest.hexdigest()

    @property
    def note(self) -> str:
        """What they are, for a table: all of them, or a sample."""
        if len(self) == VALIDATION_IMAGES:
            return f"{VALIDATION_IMAGES:,} validation images"
        return f"a sample of {len(self):,} of {VALIDATION_IMAGES:,} images"


def imagenet(transform: Any, *, root: str | os.PathLike[str] | None = None) -> Images:
    """The validation images in the data folder, class by class in turn, so that any first part has many classes.

    The folders are the 1,000 WordNet numbers (n01440764, ...), which stand for the classes in their order, or some
    classes by their names as torchvision spells them (tench, goldfish, ...).

    Raises: DataError, in one sentence, where there are none, or a folder's name is no class.
    """
    folder = data_root(root) / "imagenet" / "val"
    if not folder.is_dir():
        raise DataError(
            "the data folder has no imagenet/val: ImageNet's images may not be handed on, so they are not downloaded; "
            "put the validation images there, one folder for each class"
        )
    classes = _classes(sorted(path.name for path in folder.iterdir() if path.is_dir()))
    images = [
        (number, label, path)
        for name, label in classes.items()
        for number, path in enumerate(sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in ENDINGS))
    ]
    if not images:
        raise DataError("the folders in imagenet/val of the data folder hold no images; put JPEG files there")
    return Images([(path, label) for _, label, path in sorted(images)], transform)


def _classes(names: Sequence[str]) -> dict[str, int]:
    """The label of each folder."""
    if len(names) == CLASSES and all(WORDNET.fullmatch(name) for name in names):
        return {name: label for label, name in enumerate(names)}
    categories = _weights("resnet18").meta["categories"]
    if wrong := [name for name in names if name not in categories]:
        raise DataError(
            f"the folders in imagenet/val must be all {CLASSES:,} WordNet numbers (n01440764 and so on), or names of "
            f"classes as torchvision spells them, such as {categories[0]!r}; got {len(names)} folders, among them "
            f"{wrong[0]!r}"
        )
    return {name: categories.index(name) for name in names}


def pretrained(name: str, *, root: str | os.PathLike[str] | None = None) -> tuple[nn.Module, Any]:
    """One of torchvision's networks with its first published weights, in evaluation mode, and how it takes its images.

    The weights are downloaded into the data folder where they are not there yet, and verified each time by the part of
    their SHA-256 that stands in their name.

    Raises: DataError without internet, for a wrong checksum, or with a full disk.
    """
    weights, folder = _weights(name), data_root(root) / "imagenet" / "weights"
    filename = weights.url.rsplit("/", 1)[1]
    path, start = folder / filename, filename.rsplit("-", 1)[1].removesuffix(".pth")
    with plain_errors(f"the weights of {name}", data_root(root), f"{filename} into imagenet/weights by hand"):
        if not path.is_file():
            with staging(data_root(root), "imagenet") as stage:
                place(fetch([weights.url], stage, filename), path)
        if not checksum(path).startswith(start):
            raise DataError(f"{filename} in imagenet/weights is damaged: its sha256 is not {start}...; delete it")
        state = torch.load(path, map_location="cpu", weights_only=True)
    # Inception's weights were trained on inputs that it scales by itself, and with a second output that is not used.
    extra = {"transform_input": True, "init_weights": False} if name == "inception_v3" else {}
    with unfilled():
        model = import_torchvision().models.get_model(name, weights=None, **extra)
    model.load_state_dict(state)
    return model.eval(), weights.transforms()


def _weights(name: str) -> Any:
    return import_torchvision().models.get_model_weights(name).IMAGENET1K_V1
