"""A matplotlib figure that redraws only what moves and sends only the pixels that changed.

The still parts (frames, ticks, labels) are drawn once and kept as a background. Every artist inside an axes counts as
moving: it is painted over a copy of that background. matplotlib's own `stale` flag tells when the background is out of
date, because a still artist that changes marks the figure and a moving one does not; a legend is still, but is asked
itself. Texts and legends that did not change are pasted from the picture before (see `lettering`).

So what moves lies over frame, grid and legend; but the frame of an image lies over the image. Where one plot lies over
another, or words of the figure's own over a plot, only matplotlib knows what is in front: it draws all of it each time,
as it does for a figure that says ``keeps = False``.
"""

import io
import zlib
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import FigureBase
from matplotlib.legend import Legend
from matplotlib.spines import Spine
from matplotlib.text import Text
from PIL import Image

from course_utils.panels.engine.lettering import Lettering
from course_utils.panels.engine.sheet import Sheet
from course_utils.panels.engine.typesetting import TypesettingCanvas
from course_utils.plots import HeatMap, style

__all__ = ["Canvas", "Patch"]

STILL = (Axis, Spine, Legend)
BEST = 0  # matplotlib's number for ``loc="best"``
ROUNDS = 3  # in which plots give way: numbers at the ticks of a smaller one may be longer again
GAP = 24  # columns of unchanged pixels that split one patch into two
INDEXED = "image/x-indexed"  # understood by panel.js
MULTIPLIERS = np.random.default_rng(0).integers(2**31, 2**32, 64, dtype=np.uint32) | np.uint32(1)


class Patch(NamedTuple):
    """A rectangle of the picture: where its top left corner goes, its encoded pixels, and how wide it is."""

    x: int
    y: int
    mime: str
    data: bytes
    width: int


class Canvas:
    """A `figure`, rendered without a window."""

    def __init__(self, figure: Sheet) -> None:
        self.figure = figure
        self._agg = TypesettingCanvas(self.figure)
        self._background: object = None
        self._lettering, self._legends = Lettering(), Lettering()
        self._layered = True  # still parts below, moving ones above
        self._spills = False  # over its own edge, whatever room there is
        self._numbers: list[tuple[tuple[float, ...], tuple[str, ...]]] = []  # at the ticks of each axis, and where
        self._chosen: dict[Legend, tuple[float, ...]] = {}  # the places of legends that choose them
        self._longest: list[int] = []  # letters at the ticks of each axis, since the figure was made
        self._shown: np.ndarray | None = None  # (rows, columns) of packed RGBA: the picture last sent

    def arrange(self) -> None:
        """Give every part of the figure its place."""
        with style():
            self.figure.arrange()
        self._background = None
        self._legends.forget()

    def set_scale(self, scale: float) -> None:
        """Render `scale` pixels per CSS pixel, for dense screens."""
        if self.figure.dpi != 100 * scale:
            self.figure.set_dpi(100 * scale)
            self._background = self._shown = None
            self._legends.forget()

    def complete(self) -> Patch:
        """The complete picture, losslessly."""
        self._shown = self._render().copy()
        return Patch(0, 0, "image/png", encode(self._shown, "PNG"), self._shown.shape[1])

    def changed(self) -> list[Patch]:
        """What differs from the picture last sent; nothing where nothing differs."""
        now, before = self._render(), self._shown
        if before is None or before.shape != now.shape:
            return [self.complete()]
        patches = [make_patch(now, box) for box in changed_boxes(before, now)]
        self._shown = now.copy()
        return patches

    def png(self) -> bytes:
        """The picture as a PNG file, small enough to be stored in a notebook."""
        pixels = np.ascontiguousarray(self._render())
        picture = Image.fromarray(pixels.view(np.uint8).reshape(*pixels.shape, 4)).convert("RGB")
        buffer = io.BytesIO()
        picture.quantize(192, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()

    def pixels(self) -> np.ndarray:
        """A copy of the picture: packed RGBA pixels of shape (rows, columns)."""
        return self._render().copy()

    def _render(self) -> np.ndarray:
        renderer = self._agg.get_renderer()
        pixels = np.asarray(renderer.buffer_rgba()).view(np.uint32)[:, :, 0]
        with style():
            self._draw(renderer, pixels)
            for _ in range(ROUNDS):
                if not (self._has_outgrown_its_room(pixels) and self.figure.arrange_again()):
                    break
                self._legends.forget()
                self._draw(renderer, pixels)
                self._spills = reaches_the_edge(pixels)
        return pixels

    def _draw(self, renderer: Any, pixels: np.ndarray) -> None:
        visible = [axes for axes in self.figure.axes if axes.get_visible()]
        for axes in visible:
            _ = axes.viewLim  # where they follow the data, the limits are new only once somebody asks
        if self.figure.keeps and self._numbers != (numbers := numbers_at_ticks(visible)):
            self._numbers = numbers
            self.figure.stale = True  # a formatter that says something else tells nobody
        if self.figure.stale:
            self._layered = self.figure.keeps and can_be_layered(self.figure, renderer)
        if self._layered and not reach_over(visible, renderer):
            self._paint(visible, renderer, pixels)
        else:
            self._draw_whole(visible)

    def _draw_whole(self, visible: list[Axes]) -> None:
        for artist in (artist for axes in visible for artist in axes.get_children()):
            artist.set_animated(False)
        self._agg.draw()

    def _paint(self, visible: list[Axes], renderer: Any, pixels: np.ndarray) -> None:
        moving = [(axes, a) for axes in visible for a in moving_artists(axes)]  # hidden ones too: they may appear
        legends = [(axes, a) for axes in visible for a in axes.get_children() if isinstance(a, Legend)]
        for _, artist in moving + legends:
            if not artist.get_animated():
                artist.set_animated(True)
                self.figure.stale = True  # it was part of what the figure draws until now
        moving = [(axes, artist) for axes, artist in moving if artist.get_visible()]
        if self._chosen != (chosen := chosen_places(legends, renderer)):
            self._chosen = chosen
            self._legends.forget()
            self.figure.stale = True  # a legend that gives way to a line tells nobody
        if self.figure.stale or self._background is None or any(legend.stale for _, legend in legends):
            self._agg.draw()
            for axes, legend in legends:
                self._legends.paint(axes, legend, renderer, pixels)
            self._watch_still_parts()
            self.figure.stale = False  # a legend that is painted marks it
            self._background = self._agg.copy_from_bbox(self.figure.bbox)
            self._lettering.forget()
        else:
            self._agg.restore_region(self._background)
        for axes, artist in moving:
            if isinstance(artist, Text):
                self._lettering.paint(axes, artist, renderer, pixels)
            else:
                axes.draw_artist(artist)

    def _has_outgrown_its_room(self, pixels: np.ndarray) -> bool:
        """Whether numbers at ticks are longer than ever before, or anything reaches the edge of the picture."""
        if not self.figure.keeps:
            return False
        lengths = [max(map(len, texts), default=0) for _, texts in self._numbers]
        longest, self._longest = self._longest, lengths
        if len(longest) == len(lengths):
            self._longest = [max(pair) for pair in zip(longest, lengths, strict=True)]
            if self._longest != longest:
                return True
        return not self._spills and reaches_the_edge(pixels)

    def _watch_still_parts(self) -> None:
        """Labels, ticks and the figure's own parts tell nobody when they change: from now on they do."""
        figure = self.figure
        parts = [artist for part in (figure, *figure.subfigs) for artist in own_artists(part)]
        parts += [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
        for artist in (artist for part in parts for artist in part.findobj()):
            if artist.stale_callback is None:
                artist.stale_callback = self._mark

    def _mark(self, artist: Artist, stale: bool) -> None:
        self.figure.stale = True


def can_be_layered(figure: Sheet, renderer: Any) -> bool:
    """Whether no plot lies over another one, and nothing of the figure's own over a plot."""
    plots = [axes for axes in figure.axes if axes.get_visible()]
    if any(axes.name != "rectilinear" for axes in plots):
        return False
    own = [artist for part in (figure, *figure.subfigs) for artist in own_artists(part) if artist.get_visible()]
    boxes = [axes.bbox.extents for axes in plots] + [artist.get_window_extent(renderer).extents for artist in own]
    for i, box in enumerate(boxes[: len(plots)]):
        for other in boxes[i + 1 :]:
            width = min(box[2], other[2]) - max(box[0], other[0])
            height = min(box[3], other[3]) - max(box[1], other[1])
            if width > 1 and height > 1:  # more than a common edge
                return False
    return True


def reach_over(plots: list[Axes], renderer: Any) -> bool:
    """Whether anything but words, drawn beyond its own plot, reaches into another one."""
    if len(plots) < 2:
        return False
    for axes in plots:
        for artist in moving_artists(axes):
            if artist.get_clip_on() or not artist.get_visible() or isinstance(artist, Text):
                continue
            box = artist.get_window_extent(renderer)
            if any(other is not axes and box.overlaps(other.bbox) for other in plots):
                return True
    return False


def chosen_places(legends: list[tuple[Axes, Legend]], renderer: Any) -> dict[Legend, tuple[float, ...]]:
    """Where those legends lie that look for the place with fewest lines."""
    return {
        legend: tuple(legend.get_window_extent(renderer).extents)
        for _, legend in legends
        if legend._loc == BEST and legend.get_visible()  # type: ignore[attr-defined]
    }


def numbers_at_ticks(plots: list[Axes]) -> list[tuple[tuple[float, ...], tuple[str, ...]]]:
    """The ticks of each axis, and what is written there."""
    found = []
    for axis in (axis for axes in plots if axes.axison for axis in (axes.xaxis, axes.yaxis)):
        places = axis.get_majorticklocs()
        found.append((tuple(places), tuple(axis.get_major_formatter().format_ticks(places))))  # type: ignore[arg-type]
    return found


def own_artists(figure: FigureBase) -> list[Artist]:
    return [*figure.legends, *figure.texts, *figure.lines, *figure.artists, *figure.patches, *figure.images]


def reaches_the_edge(pixels: np.ndarray) -> bool:
    """Whether anything is painted on the outermost pixels of a picture: then it may be cut off there."""
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return bool((edge != edge[0]).any())


def moving_artists(axes: Axes) -> list[Artist]:
    """Everything inside the axes but its frame, ticks, legend and background, from back to front.

    Around an image the frame moves with it, or the image would be painted over half of the frame.
    """
    inside = [a for a in axes.get_children() if not isinstance(a, STILL) and a is not axes.patch]
    if any(not isinstance(image, HeatMap) for image in axes.images):  # a heat map leaves the frame free
        inside += axes.spines.values()
    return sorted(inside, key=lambda a: a.zorder)


def changed_boxes(before: np.ndarray, now: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Rectangles (left, top, right, bottom) that cover every differing pixel, split at wide unchanged columns.

    >>> a = np.zeros((4, 100), np.uint32)
    >>> b = a.copy()
    >>> b[1, 2] = b[3, 90] = 1
    >>> changed_boxes(a, b)
    [(2, 1, 3, 2), (90, 3, 91, 4)]
    """
    different = before != now
    columns = np.flatnonzero(different.any(axis=0))
    if not len(columns):
        return []
    runs = np.split(columns, np.flatnonzero(np.diff(columns) > GAP) + 1)
    boxes = []
    for run in runs:
        left, right = int(run[0]), int(run[-1]) + 1
        rows = np.flatnonzero(different[:, left:right].any(axis=1))
        boxes.append((left, int(rows[0]), right, int(rows[-1]) + 1))
    return boxes


def make_patch(picture: np.ndarray, box: tuple[int, int, int, int]) -> Patch:
    """Cut `box` out of the picture and encode it by what it shows: few colours exactly, many quickly."""
    left, top, right, bottom = box
    pixels = np.ascontiguousarray(picture[top:bottom, left:right])
    if (exact := indexed(pixels)) is not None:
        return Patch(left, top, INDEXED, exact, right - left)
    return Patch(left, top, "image/jpeg", encode(pixels, "JPEG"), right - left)


def indexed(pixels: np.ndarray) -> bytes | None:
    """At most 256 colours as a palette of 1024 bytes and the deflated index of each pixel; None for more colours.

    It takes a third of the time of a PNG, in the kernel and in the browser, because nothing has to be filtered.

    >>> zlib.decompress(indexed(np.array([[7, 9, 7]], np.uint32))[1024:])
    b'\\x00\\x01\\x00'
    """
    if len(np.unique(pixels[::16])) > 256:  # a photograph shows in a few of its rows what it is
        return None
    colours = np.unique(pixels)
    if len(colours) > 256:
        return None
    palette = np.zeros(256, np.uint32)
    palette[: len(colours)] = colours
    for multiplier in MULTIPLIERS:  # a hash without collisions turns colours into numbers faster than a search does
        keys = (colours * multiplier) >> np.uint32(16)
        if len(np.unique(keys)) == len(colours):
            table = np.zeros(2**16, np.uint8)
            table[keys] = np.arange(len(colours))
            numbers = table[(pixels * multiplier) >> np.uint32(16)]
            return palette.tobytes() + zlib.compress(numbers.tobytes(), 1)
    return None


def encode(pixels: np.ndarray, kind: str) -> bytes:
    """Packed RGBA pixels of shape (rows, columns) as a PNG or JPEG file."""
    rgba = np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape, 4)
    # Full colour resolution: halved, thin coloured lines bleed into the white around them.
    options = {"compress_level": 1} if kind == "PNG" else {"quality": 88, "subsampling": 0}
    buffer = io.BytesIO()
    Image.fromarray(rgba).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()
