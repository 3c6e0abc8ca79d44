"""Every picture that a page will show of one panel, with its words: the panel is taken through its grid, once."""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from course_utils.panels.engine import Panel, Slider, Toggle, error_report
from course_utils.publish.pages.grid import Costs, Grid, Setting, choose, thinner
from course_utils.publish.pages.wording import plain_error

__all__ = ["BUDGET", "FILM", "Film", "Pictures", "Recording", "Still", "film_of", "record", "rounded"]

FILM = 12  # pictures of one training, at most
BUDGET = 320  # pictures of one panel
COLUMN = 900  # pixels that a picture may take: what a window of 1,024 leaves beside a page's margins and a scroll bar


class Still(NamedTuple):
    """One picture by its number, its words, and the error where the panel refuses the setting."""

    picture: int
    words: str
    error: dict[str, str] | None


Film = list[Still]  # what a setting shows, one after the other; the last one stays


class Pictures:
    """Pictures of one size in rounded colours, each stored once: of all but the first, what differs from it."""

    def __init__(self) -> None:
        self.shape: tuple[int, int] = (0, 0)
        self.touched: np.ndarray = np.zeros((0, 0), bool)  # pixels that are not the same in all of them
        self._raw: np.ndarray = np.zeros((0, 0), np.uint32)  # the first, as it came
        self._first = self._raw  # with rounded colours
        self._numbers: dict[bytes, int] = {}
        self._differing: list[tuple[bytes, bytes]] = []  # deflated: where, and the colours there

    def __len__(self) -> int:
        return len(self._differing)

    def add(self, pixels: np.ndarray) -> int:
        """The number of a picture, which is stored if it is new."""
        if not self._differing:
            self._raw, self._first = pixels, rounded(pixels)
            self.shape, self.touched = pixels.shape, np.zeros(pixels.shape, bool)
        if pixels.shape != self.shape:
            raise ValueError(f"pictures of one panel have one size; got {pixels.shape} after {self.shape}")
        places = np.flatnonzero(pixels != self._raw).astype(np.uint32)
        colours = rounded(pixels.ravel()[places])
        name = hashlib.blake2b(places.tobytes() + colours.tobytes(), digest_size=16).digest()
        if name not in self._numbers:
            self._numbers[name] = len(self._differing)
            self.touched.ravel()[places] = True
            steps = np.diff(places, prepend=np.uint32(0))
            self._differing.append((zlib.compress(steps.tobytes(), 1), zlib.compress(colours.tobytes(), 1)))
        return self._numbers[name]

    def __getitem__(self, number: int) -> np.ndarray:
        steps, colours = (np.frombuffer(zlib.decompress(part), np.uint32) for part in self._differing[number])
        pixels = self._first.copy()
        pixels.ravel()[np.cumsum(steps, dtype=np.uint32)] = colours
        return pixels


@dataclass
class Recording:
    """A panel as a page holds it."""

    panel: Panel
    grid: Grid
    scale: float
    pictures: Pictures = field(default_factory=Pictures)
    films: dict[Setting, Film] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)

    def thinned(self, budget: int) -> "Recording":
        """The part of the recording whose pictures are at most `budget` in number, or as few as can be."""
        controls = self.panel.controls
        sliders = [name for name, control in controls.items() if isinstance(control, Slider)]
        keep = {name: {controls[name].value} for name in sliders}
        grid = thinner(self.grid, sliders, keep=keep, budget=budget, costs=self.costs)
        films = {}
        for setting in grid.settings():
            values = grid.values(setting)
            old = tuple(list(levels).index(values[name]) for name, levels in self.grid.levels.items())
            films[setting] = self.films[old]
        return replace(self, grid=grid, films=films)

    def shortened(self, length: int) -> "Recording":
        """The same settings, with at most `length` pictures of each film."""
        return replace(self, films={setting: thin(film, length) for setting, film in self.films.items()})


def record(
    panel: Panel, *, scale: float = 2, budget: int = BUDGET, start: Mapping[str, Any] | None = None
) -> Recording:
    """Take a panel through the settings that a page will hold, from the values `start`, by default its present ones.

    A panel that remembers what it has been shown, so that its start looks different at the end, is taken through them
    again, so that all of its pictures follow the same history.
    """
    origin = dict(start or panel.values)
    pictures = Pictures()
    costs, films = costs_of(panel, origin, scale, pictures)
    grid = choose(list(panel.controls.values()), origin, budget=budget, costs=costs)
    recording = _visit(Recording(panel, grid, scale, pictures, costs=costs), films)
    if film_of(panel, origin, scale, pictures)[-1] != recording.films[grid.start][-1]:
        recording = _visit(Recording(panel, grid, scale, costs=costs), {})
    return recording


def _visit(recording: Recording, films: dict[tuple[Any, ...], Film]) -> Recording:
    """Fill a recording; a setting whose film is known already is not computed again."""
    for setting in recording.grid.settings():
        values = recording.grid.values(setting)
        film = films.get(tuple(values.values()))
        recording.films[setting] = film or film_of(recording.panel, values, recording.scale, recording.pictures)
    return recording


def film_of(panel: Panel, values: dict[str, Any], scale: float, pictures: Pictures) -> Film:
    """What a panel shows on its way to these values."""
    room = min(panel._size[0], COLUMN)
    stills = [
        Still(pictures.add(pixels), "" if panel.error else panel.words, plain_error(error_report(panel.error)))
        for pixels in panel.pictures(values, scale=scale, room=room)
    ]
    return thin(stills, FILM)


LEVELS = np.round(np.round(np.arange(256) / 255 * 31) / 31 * 255).astype(np.uint8)


def rounded(pixels: np.ndarray) -> np.ndarray:
    """The colours of a picture to five bits a channel, which saves a third of the bytes and is not visible.

    No channel moves by more than 4 of 255; white and black stay.
    """
    return LEVELS[np.ascontiguousarray(pixels).view(np.uint8)].view(np.uint32)


def thin(film: Sequence[Any], count: int) -> list[Any]:
    """At most `count` of a film's pictures, evenly, the first and the last among them.

    >>> thin(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(film) <= count:
        return list(film)
    return [film[round(i * (len(film) - 1) / (count - 1))] for i in range(count)]


def costs_of(
    panel: Panel, start: dict[str, Any], scale: float, pictures: Pictures
) -> tuple[Costs, dict[tuple[Any, ...], Film]]:
    """Which controls of a panel make it train, and how many pictures that gives; found by trying each of them once.

    The films made on the way are returned too: a panel should train only once for each setting.
    """
    films: dict[tuple[Any, ...], Film] = {}
    if not panel.trains:
        return Costs(), films

    def length(values: dict[str, Any]) -> int:
        key = tuple(values[name] for name in panel.controls)
        films[key] = film_of(panel, values, scale, pictures)
        return len(films[key])

    controls = list(panel.controls.values())
    lengths = {"": length(start)}
    lengths |= {c.name: length(start | {c.name: not start[c.name]}) for c in controls if isinstance(c, Toggle)}
    switches = frozenset(name for name, n in lengths.items() if name and n > 2)
    base = start | {name: not start[name] for name in sorted(switches)[:1]}
    for control in controls:
        another = next((value for value in control.probe() if value != start[control.name]), None)
        if control.name not in lengths and another is not None:
            lengths[control.name] = length(base | {control.name: another})
    trained = frozenset(name for name, n in lengths.items() if name and n > 2)
    return Costs(max(lengths.values()), trained, switches), films
