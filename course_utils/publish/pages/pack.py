"""The pictures of a panel in few bytes: cut into the parts that change together, and each part stored once.

    picture = plate (what most pictures have in common, in full size) + one patch for each region

A *region* is a rectangle that is separate from the other changing pixels, as a subplot is: what one control moves in
the left plot is stored once, whatever other controls do in the right one. A *patch* holds only the pixels that differ
from the plate; the others are transparent, so it is painted over the plate. Everything is lossless.
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from course_utils.publish.pages.record import Pictures

__all__ = ["Box", "Packed", "Survey", "cut_up", "decode", "pack", "regions"]

GAP = 10  # still pixels (of 100 to the inch) between two regions
WEBP = "image/webp"
SAMPLES = 6  # contents of a region by which its size is estimated
TRIED = 3  # patches on which it is decided whether a region is stored completely or as what differs

Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class Packed:
    """`patches[picture]` has a number for each region, into `files`, or -1 where the plate shows through."""

    size: tuple[int, int]  # width, height in pixels
    plate: bytes
    boxes: list[Box]
    files: list[bytes]
    patches: dict[int, list[int]]

    def __len__(self) -> int:
        return len(self.plate) + sum(map(len, self.files))


@dataclass(frozen=True)
class Survey:
    """Pictures that are cut up but not encoded yet; `parts` has for each region where each content is seen first."""

    pictures: Pictures
    plate: np.ndarray
    boxes: list[Box]
    parts: list[dict[bytes, tuple[int, int]]]  # by content: the picture that has it, and its number in the region
    rows: dict[int, list[int]]
    bytes: float  # that all of it will take, by a few samples


def cut_up(pictures: Pictures, used: list[int], *, scale: float) -> Survey:
    """Cut up the pictures whose numbers are `used`, and estimate what they will take."""
    boxes = regions(pictures.touched, gap=round(GAP * scale))
    parts: list[dict[bytes, tuple[int, int]]] = [{} for _ in boxes]
    rows: dict[int, list[int]] = {}
    plate = Plate(pictures.shape)
    for number in used:
        pixels = pictures[number]
        rows[number] = []
        for box, part in zip(boxes, parts, strict=True):
            cut = _cut(pixels, box)
            name = hashlib.blake2b(cut.tobytes(), digest_size=16).digest()
            if name not in part:
                part[name] = (number, len(part))
                plate.vote(cut, box)
            rows[number].append(part[name][1])
    plate.fill(pictures[used[0]], boxes)
    survey = Survey(pictures, plate.pixels, boxes, parts, rows, 0.0)
    return replace(survey, bytes=len(webp(plate.pixels)) + sum(_estimates(survey)))


def _estimates(survey: Survey) -> Iterator[float]:
    """The bytes of each region: the mean of a few of its contents, times their number."""
    for box, part in zip(survey.boxes, survey.parts, strict=True):
        places = list(part.values())
        below = _cut(survey.plate, box)
        samples = places[:: max(1, len(places) // SAMPLES)]
        sizes = [len(_smaller(_cut(survey.pictures[picture], box), below)) for picture, _ in samples]
        yield sum(sizes) / len(sizes) * len(places)


def _smaller(cut: np.ndarray, below: np.ndarray) -> bytes:
    """A content of a region in the way that takes fewer bytes: complete, or what differs from the plate."""
    return min(webp(cut), webp(_differing(cut, below)), key=len)


def _differing(cut: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.where(cut != below, cut, np.uint32(0))


def pack(survey: Survey) -> Packed:
    """Encode all parts of a survey."""
    files, places = _encoded(survey)
    patches = {number: [places[i][j] for i, j in enumerate(row)] for number, row in survey.rows.items()}
    rows, columns = survey.plate.shape
    return Packed((columns, rows), webp(survey.plate), survey.boxes, files, patches)


class Plate:
    """The colour that most contents have at each pixel, by Boyer and Moore's vote: one pass, one counter a pixel."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.pixels = np.zeros(shape, np.uint32)
        self._votes = np.zeros(shape, np.int32)

    def vote(self, cut: np.ndarray, box: Box) -> None:
        """Count a content of a region."""
        left, top, right, bottom = box
        pixels, votes = self.pixels[top:bottom, left:right], self._votes[top:bottom, left:right]
        np.copyto(pixels, cut, where=votes == 0)
        votes += np.where(pixels == cut, 1, -1).astype(np.int32)

    def fill(self, picture: np.ndarray, boxes: list[Box]) -> None:
        """Take what lies outside of all regions from any of the pictures: there they agree."""
        outside = np.ones(picture.shape, bool)
        for left, top, right, bottom in boxes:
            outside[top:bottom, left:right] = False
        np.copyto(self.pixels, picture, where=outside)


def _encoded(survey: Survey) -> tuple[list[bytes], list[list[int]]]:
    """The file of each content, and for each region where its contents are among the files."""
    wanted: dict[int, list[tuple[int, int]]] = {}  # by picture, so that each is unpacked once
    for region, part in enumerate(survey.parts):
        for picture, number in part.values():
            wanted.setdefault(picture, []).append((region, number))
    saved_complete = [0] * len(survey.boxes)  # bytes that complete contents save, over the first few
    count = [0] * len(survey.boxes)
    files: list[bytes] = []
    places = [[-1] * len(part) for part in survey.parts]
    for picture, contents in wanted.items():
        pixels = survey.pictures[picture]
        for region, number in contents:
            cut, below = _cut(pixels, survey.boxes[region]), _cut(survey.plate, survey.boxes[region])
            if np.array_equal(cut, below):
                continue
            if count[region] < TRIED:
                complete, differing = webp(cut), webp(_differing(cut, below))
                saved_complete[region] += len(differing) - len(complete)
                file = min(complete, differing, key=len)
            else:
                file = webp(cut if saved_complete[region] > 0 else _differing(cut, below))
            count[region] += 1
            places[region][number] = len(files)
            files.append(file)
    return files, places


def _cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    left, top, right, bottom = box
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def webp(pixels: np.ndarray) -> bytes:
    """Packed RGBA pixels as a lossless WebP file; where alpha is 0, nothing is painted."""
    rgba = np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape, 4)
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "WEBP", lossless=True, method=4, quality=60)
    return buffer.getvalue()


def decode(packed: Packed, picture: int) -> np.ndarray:
    """A picture as the browser puts it together, as packed RGBA pixels."""
    canvas = Image.open(io.BytesIO(packed.plate)).convert("RGBA")
    for (left, top, _, _), number in zip(packed.boxes, packed.patches[picture], strict=True):
        if number >= 0:
            canvas.alpha_composite(Image.open(io.BytesIO(packed.files[number])).convert("RGBA"), (left, top))
    return np.asarray(canvas).copy().view(np.uint32)[:, :, 0]


def regions(touched: np.ndarray, *, gap: int) -> list[Box]:
    """Rectangles around all pixels that are touched, cut wherever `gap` rows or columns between them are not.

    >>> mask = np.zeros((4, 30), bool)
    >>> mask[1, 2] = mask[3, 20] = True
    >>> regions(mask, gap=5)
    [(2, 1, 3, 2), (20, 3, 21, 4)]
    """
    boxes: list[Box] = []
    uncut = [(0, 0, touched.shape[1], touched.shape[0])]
    while uncut:
        left, top, right, bottom = uncut.pop()
        inside = touched[top:bottom, left:right]
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if not len(rows):
            continue
        across = _runs(columns, gap)
        down = _runs(rows, gap)
        if len(across) == len(down) == 1:
            boxes.append((left + across[0][0], top + down[0][0], left + across[0][1], top + down[0][1]))
        elif len(across) > 1:
            uncut += [(left + a, top, left + b, bottom) for a, b in reversed(across)]
        else:
            uncut += [(left, top + a, right, top + b) for a, b in reversed(down)]
    return boxes


def _runs(indices: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """Sorted indices as half-open runs, split where `gap` numbers or more are missing."""
    pieces = np.split(indices, np.flatnonzero(np.diff(indices) > gap) + 1)
    return [(int(piece[0]), int(piece[-1]) + 1) for piece in pieces]
