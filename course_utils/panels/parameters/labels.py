"""Names beside dots that never lie over each other: the more important ones first, the rest where there is room."""

from collections.abc import Sequence

import numpy as np

__all__ = ["place_labels"]

HEIGHT = 17.0  # pixels of a line at 9.5 points, with some air
LETTER = 8.2  # pixels of a letter, rather too wide than too narrow
COVERED = 0.1  # of a name's area may lie over dots


def place_labels(
    names: Sequence[str],
    points: Sequence[tuple[float, float]],
    radii: Sequence[float],
    *,
    size: tuple[int, int],
    dots: Sequence[tuple[float, float, float]] = (),
) -> list[tuple[float, float] | None]:
    """Where each name goes, as the fractions (left, middle) of axes of `size` pixels; None where there is no room.

    `points`: of the named dots, in fractions of the axes; `radii`: of the same, in pixels. `dots`: all dots of the
    picture with their radii, (x, y, radius). Each name is tried around its dot, and goes where it covers least of the
    dots; one that would cover them with more than a tenth of its own area is left out, but never the first.

    >>> place_labels(["a", "b"], [(0.5, 0.5), (0.5, 0.5)], [3, 3], size=(400, 300))
    [(0.5175, 0.5), (0.462, 0.5)]
    >>> place_labels(["too long to fit"], [(0.5, 0.5)], [3], size=(40, 30))
    [None]
    """
    width, height = size
    circles = np.array([(x * width - r, y * height - r, x * width + r, y * height + r) for x, y, r in dots])
    taken = np.empty((0, 4))
    places: list[tuple[float, float] | None] = []
    for number, (name, (x, y), radius) in enumerate(zip(names, points, radii, strict=True)):
        wide = LETTER * len(name)
        boxes = _label_boxes(x * width, y * height, radius + 4, wide)
        inside = (boxes[:, :2] >= 0).all(1) & (boxes[:, 2:] <= size).all(1)
        boxes = boxes[inside & (_common(boxes, taken).sum(1) == 0)]
        covered = _common(boxes, circles.reshape(-1, 4)).sum(1)
        if not len(boxes) or (number and covered.min() > COVERED * wide * HEIGHT):
            places.append(None)
            continue
        best = boxes[covered.argmin()]
        taken = np.vstack([taken, best])
        places.append((round(float(best[0]) / width, 4), round(float(best[1] + best[3]) / 2 / height, 4)))
    return places


def _label_boxes(x: float, y: float, away: float, wide: float) -> np.ndarray:
    """Boxes (left, bottom, right, top) of a name: right of its dot, left, above, below, and at the corners."""
    slope = 0.7 * away
    starts = [(x + away, y), (x - away - wide, y)]
    starts += [(x - wide / 2, y + away + HEIGHT / 2), (x - wide / 2, y - away - HEIGHT / 2)]
    for up in (slope + HEIGHT / 2, -slope - HEIGHT / 2):
        starts += [(x + slope, y + up), (x - slope - wide, y + up)]
    return np.array([(left, middle - HEIGHT / 2, left + wide, middle + HEIGHT / 2) for left, middle in starts])


def _common(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The area that each of m boxes has in common with each of n others, (m, n)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return (high - low).clip(min=0).prod(2)
