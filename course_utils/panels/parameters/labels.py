"""Names beside dots that never lie over each other: the more important ones first, the rest where there is room."""

from collections.abc import Sequence

__all__ = ["place_labels"]

HEIGHT = 15.0  # pixels of a line at 9.5 points, with some air
LETTER = 7.4  # pixels of a letter, rather too wide than too narrow
Box = tuple[float, float, float, float]  # left, bottom, right, top


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
    dots; one that would cover more than a third of its own area is left out, but never the first.

    >>> place_labels(["a", "b"], [(0.5, 0.5), (0.5, 0.5)], [3, 3], size=(400, 300))
    [(0.5175, 0.5), (0.464, 0.5)]
    >>> place_labels(["too long to fit"], [(0.5, 0.5)], [3], size=(40, 30))
    [None]
    """
    width, height = size
    circles = [(x * width - r, y * height - r, x * width + r, y * height + r) for x, y, r in dots]
    boxes: list[Box] = []
    places: list[tuple[float, float] | None] = []
    for number, (name, (x, y), radius) in enumerate(zip(names, points, radii, strict=True)):
        found: list[tuple[float, Box]] = []
        for box in _around(x * width, y * height, radius + 4, LETTER * len(name)):
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height
            if inside and not any(_common(box, other) for other in boxes):
                found.append((sum(_common(box, circle) for circle in circles), box))
        covered, best = min(found, default=(0.0, None), key=lambda each: each[0])
        if best is None or (number and covered > LETTER * len(name) * HEIGHT / 3):
            places.append(None)
            continue
        boxes.append(best)
        places.append((round(best[0] / width, 4), round((best[1] + best[3]) / 2 / height, 4)))
    return places


def _around(x: float, y: float, away: float, wide: float) -> list[Box]:
    """The boxes of a name to the right of its dot, to the left, above, below, and at the corners."""
    slope = 0.7 * away
    starts = [(x + away, y), (x - away - wide, y)]
    starts += [(x - wide / 2, y + away + HEIGHT / 2), (x - wide / 2, y - away - HEIGHT / 2)]
    for up in (slope + HEIGHT / 2, -slope - HEIGHT / 2):
        starts += [(x + slope, y + up), (x - slope - wide, y + up)]
    return [(left, middle - HEIGHT / 2, left + wide, middle + HEIGHT / 2) for left, middle in starts]


def _common(a: Box, b: Box) -> float:
    """The area that two boxes have in common."""
    across, up = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(across, 0.0) * max(up, 0.0)
