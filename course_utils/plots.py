"""The look of every picture: one palette, one style, and the few drawings that many panels share."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.artist import getp
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

__all__ = [
    "COLOURS",
    "FAINT",
    "HALO",
    "INK",
    "LINE_STYLES",
    "MARKERS",
    "WEIGHTS",
    "HeatMap",
    "Histogram",
    "byte_bars",
    "legend",
    "loss_limits",
    "mosaic",
    "move_limits",
    "number",
    "round_up",
    "smaller",
    "style",
    "weight_map",
    "words_on",
    "wrap",
    "write",
]

# Each colour stands out from white by 3:1 or more, and from each other one under every common colour blindness (after
# Okabe and Ito's palette, whose light colours are too light for lines on white; tests/panels/test_accessibility.py
# has the bars). A colour goes with a line style and a marker of its own all the same, so that nothing is told by colour
# alone.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#630073",
    "brown": "#5E2F00",
    "sky": "#3A97DC",
    "grey": "#6B7280",
    "ink": "#1B1F24",
}
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FAINT = "#8A939C"  # the lightest grey that still passes: lines to compare with, outlines of light areas
FORMULA, UNBROKEN = re.compile(r" (?=[=×·|])|(?<=[=×·]) "), "\N{NO-BREAK SPACE}"
HALO = [withStroke(linewidth=3, foreground="white")]  # around words that stand over lines
INK = {"orange": "#AD4A00", "green": "#00745A", "blue": COLOURS["blue"]}  # for words, and under white digits: 4.5:1
LINE_STYLES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
MARKERS = ["o", "s", "^", "D", "v"]

# Negative orange, zero white, positive blue: an exact zero is the only white.
WEIGHTS = LinearSegmentedColormap.from_list(
    "weights", ["#8C2D04", "#D55E00", "#F3B48A", "#FFFFFF", "#8FC1E3", "#0072B2", "#023858"], N=255
)


def words_on(ground: Any) -> str:
    """Black or white, whichever stands out more from a colour: always by 4.5:1 or more.

    >>> words_on(COLOURS["blue"]), words_on(COLOURS["orange"])
    ('white', 'black')
    """
    rgb = np.array(to_rgb(ground))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ [0.2126, 0.7152, 0.0722] > 0.179 else "white"


def number(value: float, form: str = ".2f") -> str:
    """A number for a sentence: with a minus, which is no hyphen, none before a zero, and with powers of ten.

    >>> number(-0.5), number(-0.001), number(12.5, ".3g"), number(0.0000244, ".3g"), number(0.0, ".1e")
    ('−0.50', '0.00', '12.5', '2.44 × 10⁻⁵', '0')
    """
    digits, _, power = f"{value:{form}}".partition("e")
    if not any(digit in digits for digit in "123456789"):
        return "0" if power else f"{0.0:{form}}" if math.isfinite(value) else digits.replace("-", "−")
    raised = f" × 10{str(int(power)).translate(RAISED)}" if power else ""
    return digits.replace("-", "−", 1) + raised


def smaller(ratio: float) -> str:
    """How a file compares with what it stands for, which has `ratio` times its bytes; goes before "the dense weights".

    >>> smaller(12.34), smaller(1.02), smaller(0.5)
    ('12.3 times smaller than', 'about as large as', '2.0 times as large as')
    """
    if ratio >= 1.05:
        return f"{ratio:.1f} times smaller than"
    return "about as large as" if ratio > 0.95 else f"{1 / ratio:.1f} times as large as"


Settings = dict[str, Any]
SETTINGS: Settings = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": COLOURS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.prop_cycle": cycler(color=list(COLOURS.values())[:6]),
    "xtick.color": "#4A5560",
    "ytick.color": "#4A5560",
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "legend.handlelength": 2.8,  # long enough to tell the line styles apart
    "figure.facecolor": "white",
}


@lru_cache(1)
def all_settings() -> Settings:
    """Every setting of matplotlib's as the course has it, but which windows there are."""
    default, ours = cast(Settings, matplotlib.rcParamsDefault), cast(Settings, matplotlib.RcParams(SETTINGS))
    settings = dict.copy(default) | dict.copy(ours)
    del settings["backend"]
    return settings


@contextmanager
def style(own: Settings | None = None) -> Iterator[None]:
    """Draw with the course's settings of matplotlib, whatever the reader's are; theirs are as they were afterwards.

    own: settings to draw with instead; what is set meanwhile is kept in them. matplotlib has one set of settings for
    all threads, so that what another thread sets meanwhile is lost.

    >>> with style():
    ...     matplotlib.rcParams["font.size"]
    11.0
    """
    # As `matplotlib.rc_context` restores: without checking 300 values again, which would take longer than a picture.
    current = cast(Settings, matplotlib.rcParams)
    readers = dict.copy(current)
    readers.pop("backend", None)
    dict.update(current, all_settings() if own is None else own)
    try:
        yield
    finally:
        if own is not None:
            own.update((name, value) for name, value in dict.items(current) if name != "backend")
        dict.update(current, readers)


class HeatMap(AxesImage):
    """A matrix as an image that redraws several times faster than `imshow`.

    Values are turned into colours by one table look-up and into pixels by index; where several values fall on one
    pixel the one of largest magnitude is shown, so a lone weight in a wide matrix is never lost.
    """

    def __init__(self, axes: Axes, matrix: np.ndarray, *, limit: float, cmap: Any = WEIGHTS) -> None:
        rows, columns = matrix.shape
        super().__init__(axes, cmap=cmap, interpolation="nearest", extent=(-0.5, columns - 0.5, rows - 0.5, -0.5))
        self._table = (self.cmap(np.linspace(0, 1, 255)) * 255).astype(np.uint8)  # its middle stands for zero
        self.set_clim(-limit, limit)
        self.set_data(matrix)
        self.set_clip_path(axes.patch)

    def draw(self, renderer: Any) -> None:
        """Paint the matrix onto the pixels of the axes' box."""
        if not self.get_visible():
            return
        box = self.axes.bbox
        left, bottom = round(box.x0) + 1, round(box.y0) + 1  # inside the frame, which is drawn before
        width, height = round(box.x1) - 1 - left, round(box.y1) - 1 - bottom
        pixels = fit_to(np.asarray(self.get_array()), height, width)
        low, high = self.get_clim()
        # The middle of the table must be hit by zero alone, so values are rounded away from it.
        scaled = np.clip(np.nan_to_num(pixels), low, high) * (252 / (high - low))
        rgba = self._table[np.trunc(scaled).astype(np.int16) + np.sign(scaled).astype(np.int16) + 127]
        context = renderer.new_gc()
        self._set_gc_clip(context)  # type: ignore[attr-defined]
        renderer.draw_image(context, left, bottom, rgba[::-1])
        context.restore()
        self.stale = False


def fit_to(matrix: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize by index; where it shrinks, the entry of largest magnitude in each cell stays."""
    matrix = np.asarray(matrix, dtype=np.float32)
    for axis, size in ((1, width), (0, height)):
        n = matrix.shape[axis]
        if size >= n:
            matrix = matrix.take(np.arange(size) * n // size, axis=axis)
        else:
            starts = np.arange(size) * n // size
            ends = np.append(starts[1:], n) - 1
            largest = matrix.take(starts, axis=axis)
            for offset in range(1, -(-n // size)):  # a few passes over complete arrays beat np.maximum.reduceat
                neighbour = matrix.take(np.minimum(starts + offset, ends), axis=axis)
                largest = np.where(np.abs(neighbour) > np.abs(largest), neighbour, largest)
            matrix = largest
    return matrix


def weight_map(axes: Axes, matrix: np.ndarray, *, limit: float) -> HeatMap:
    """Show a weight matrix with zero in white; update it by `.set_data(matrix)`."""
    image = HeatMap(axes, np.asarray(matrix), limit=limit)
    axes.add_image(image)
    axes.set(xlim=image.get_extent()[:2], ylim=image.get_extent()[2:])
    axes.spines[:].set_visible(True)
    return image


def mosaic(rows: np.ndarray, side: tuple[int, ...], *, down: int, across: int) -> np.ndarray:
    """Images (n, height * width) beside and below each other on one sheet, with a gap of zeros."""
    height, width = side
    sheet = np.zeros((down * (height + 1) - 1, across * (width + 1) - 1), np.float32)
    for i, row in enumerate(rows):
        y, x = i // across * (height + 1), i % across * (width + 1)
        sheet[y : y + height, x : x + width] = row.reshape(height, width)
    return sheet


class Histogram:
    """Bars of equal width as one shape, which is drawn many times faster than a rectangle for each of them."""

    def __init__(self, axes: Axes, **properties: Any) -> None:
        properties = {"ec": FAINT, "lw": 0.8, **properties}
        self.shape = axes.stairs([0.0, 0.0], [0.0, 1.0, 2.0], fill=True, **properties)

    def show(self, heights: np.ndarray, edges: np.ndarray) -> None:
        """Set the heights and the edges, of which there is one more."""
        self.shape.set_data(heights, edges)


def move_limits(axes: Axes, *, x: tuple[float, float] | None = None, y: tuple[float, float] | None = None) -> None:
    """Set limits where they differ from what they are: a new axis means that the complete picture is drawn anew."""
    if x is not None and axes.get_xlim() != x:
        axes.set_xlim(x)
    if y is not None and axes.get_ylim() != y:
        axes.set_ylim(y)


def legend(place: Axes | Figure | SubFigure, *, ncols: int, **options: Any) -> Legend:
    """The legend of a plot or of a figure, in `ncols` columns, or in fewer where it would be wider than its place.

    `options`: as those of matplotlib's `legend`.

    >>> axes = Figure(figsize=(2.5, 2)).subplots()
    >>> _ = axes.plot([0, 1], label="training rows"), axes.plot([1, 0], label="test rows")
    >>> bool(legend(axes, ncols=2).get_window_extent().width < axes.bbox.width)
    True
    """
    # The layout comes later and leaves axes about a tenth wider than they are now.
    room = place.bbox.width * (1.1 if isinstance(place, Axes) else 1.0)
    made = place.legend(ncols=ncols, **options)
    while ncols > 1 and made.get_window_extent().width > room:
        ncols -= 1
        made.remove()
        made = place.legend(ncols=ncols, **options)
    return made


def round_up(size: float) -> float:
    """The next of 1, 2, 5, 10, 20 ... above `size`, for the end of a scale that shall not tremble.

    >>> round_up(0.3), round_up(1300), round_up(47_000)
    (1.0, 2000.0, 50000.0)
    """
    scale = 10 ** np.floor(np.log10(max(size, 1)))
    return float(next(m for m in (1, 2, 5, 10) if m * scale >= size) * scale)


def loss_limits(reference: float, accuracies: Sequence[float]) -> tuple[float, float]:
    """The limits of an axis of accuracy for bars from `reference` down: the largest loss fills it, with room for words.

    On an axis from 0 the bars of 93.8 % and 95.6 % look alike.

    >>> low, high = loss_limits(0.96, [0.938, 0.956])
    >>> round(low, 4), round(high, 4)
    (0.8875, 0.9675)
    """
    loss, gain = max(reference - min(accuracies), 0.0), max(max(accuracies) - reference, 0.0)
    span = round_up(100 * max(loss, gain)) / 100
    above = next(share for share in (0.15, 0.5, 1.1) if share * span >= gain)
    return reference - 1.45 * span, reference + above * span


def write(text: Text, /, **properties: Any) -> None:
    """`text.set(**properties)` for those that change: a text without a change is not painted again.

    >>> text = Text(0, 0, "six", color="black")
    >>> write(text, text="seven", color="black", position=(0, 1))
    >>> text.get_text(), text.get_position()
    ('seven', (0, 1))
    """
    if changed := {name: value for name, value in properties.items() if getp(text, name) != value}:
        text.set(**changed)


def wrap(text: Text, room: Callable[[], float]) -> None:
    """Break a text into lines of so many pixels of the screen, also when its words change or the room does.

    No line ends within "w = 0.5", "8 × 8" or "λ |w|".
    """
    text.set_wrap(True)
    # matplotlib would wrap at the edge of the figure, mark the text as changed with each drawing, and measure each word
    # whenever it asks for a size.
    text._get_wrap_line_width = room  # type: ignore[attr-defined]
    wrapped = text._get_wrapped_text  # type: ignore[attr-defined]
    known: dict[tuple[Any, ...], str] = {}

    def remembered() -> str:
        words = text.get_text()
        key = words, text.get_fontsize(), round(room())
        if key not in known:
            known.clear()
            text._text = FORMULA.sub(UNBROKEN, words)  # type: ignore[attr-defined]  # `set_text` would mark a change
            known[key] = wrapped()
            text._text = words  # type: ignore[attr-defined]
        return known[key]

    text._get_wrapped_text = remembered  # type: ignore[attr-defined]


HATCHES = ["", "///", "...", "xxx", "\\\\\\", "++", "oo"]  # so that a bar is told by more than its colour


def byte_bars(groups: Mapping[str, Mapping[str, float]], *, kinds: Sequence[str], size: int) -> Figure:
    """A horizontal bar for each group, cut into the bytes of each kind, with the total behind it."""
    with style():
        figure = Figure(figsize=(8, 1.5 + 0.45 * len(groups)), layout="constrained")
        axes = figure.subplots()
        colours = list(COLOURS.values())
        left = np.zeros(len(groups))
        for number, kind in enumerate(kinds):
            width = np.array([group.get(kind, 0.0) for group in groups.values()])
            axes.barh(
                list(groups),
                width,
                left=left,
                height=0.62,
                color=colours[number],
                hatch=HATCHES[number],
                edgecolor="white",
                linewidth=0,
                label=kind,
            )
            left += width
        for row, total in enumerate(left):
            axes.annotate(f"{total:,.0f}", (total, row), (4, 0), textcoords="offset points", va="center", fontsize=10)
        axes.invert_yaxis()
        axes.set(xlabel="bytes in the file", title=f"{size:,} bytes", xlim=(0, 1.1 * max(1.0, left.max(initial=1.0))))
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside lower center", ncols=4, fontsize=10)
    return figure
