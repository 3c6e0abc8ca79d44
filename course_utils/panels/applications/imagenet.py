"""The error of the ImageNet competition by year: the jump of 2012, and what 1,000 pictures look like at each error."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.panels.engine import Panel, Slider, Toggle
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, FAINT, move_limits

__all__ = ["ERRORS", "imagenet"]

# Top-5 error of each year's winner in percent, as the lecture has them (Russakovsky et al. 2015, arXiv:1409.0575; for
# 2015 He et al. 2015, arXiv:1512.03385), and that of one trained annotator.
ERRORS = {2010: 28.0, 2011: 26.0, 2012: 16.4, 2013: 11.7, 2014: 6.7, 2015: 3.6}
HUMAN = 5.1
DEEP = 2012  # the first deep convolutional network
PICTURES, WIDE = 1000, 40


class Year(NamedTuple):
    """A year of the competition, and how it is shown."""

    year: int
    error: float
    before: float | None  # the error of the year before
    trend: np.ndarray | None  # what each year's error would be by the trend of 2010 to 2011
    wrong: np.ndarray  # (25, 40) of booleans, a picture each
    logarithmic: bool


def imagenet() -> Panel:
    """Top-5 error on ImageNet, 2010 to 2015 (lecture, section 02)."""
    controls = [
        Slider(name="year", label="Year", values=list(ERRORS), value=2011, texts=[str(year) for year in ERRORS]),
        Toggle(name="trend", label="Continue the trend of 2010 to 2011"),
        Toggle(name="logarithmic", label="Logarithmic axis"),
    ]
    # Which of the pictures are wrong is drawn once: those that a better year still gets wrong are among the others.
    order = np.random.default_rng(0).permutation(PICTURES)
    years = np.array(list(ERRORS))

    def compute(year: float, trend: bool, logarithmic: bool) -> Year:
        year = int(year)
        pace = ERRORS[2010] * (ERRORS[2011] / ERRORS[2010]) ** (years - 2010) if trend else None
        wrong = (order < round(PICTURES * ERRORS[year] / 100)).reshape(-1, WIDE)
        return Year(year, ERRORS[year], ERRORS.get(year - 1), pace, wrong, logarithmic)

    title = "ImageNet, year by year"
    return Panel(title, controls, compute, lambda figure: ImageNetPicture(figure).show, size=(960, 370))


class ImageNetPicture:
    """Bars by year on the left, 1,000 dots on the right."""

    def __init__(self, figure: Figure) -> None:
        self.bars, dots = figure.subplots(1, 2, width_ratios=[1.2, 1])
        self._draw_bars(self.bars)
        (self.right,) = dots.plot([], [], "o", ms=3.2, color=FAINT)
        (self.wrong,) = dots.plot([], [], "x", ms=5, mew=1.6, color=COLOURS["orange"])
        rows = PICTURES // WIDE
        dots.set(xlim=(-1, WIDE), ylim=(rows, -1), xticks=[], yticks=[], title="1,000 pictures; ✗: five wrong guesses")
        dots.spines[:].set_visible(False)

    def _draw_bars(self, axes: Axes) -> None:
        for year, error in ERRORS.items():
            deep = year >= DEEP
            axes.bar(
                year,
                error,
                0.62,
                color=COLOURS["blue" if deep else "grey"],
                hatch=None if deep else "///",
                edgecolor="white",
                linewidth=0,
                label={2010: "hand-crafted features", DEEP: "deep networks"}.get(year),
            )
        above: dict[str, Any] = {
            "textcoords": "offset points",
            "ha": "center",
            "bbox": {"fc": "white", "ec": "none", "pad": 1},
        }
        self.numbers = {  # above the annotator's line, too
            year: axes.annotate(f"{error:g}", (year, max(error, HUMAN)), (0, 5), fontsize=10, **above)
            for year, error in ERRORS.items()
        }
        axes.axhline(HUMAN, color=COLOURS["orange"], ls="--", label=f"a trained annotator, {HUMAN} %")
        (self.pace,) = axes.plot([], [], "D:", ms=5, color=COLOURS["purple"], label="the trend of 2010 to 2011")
        (self.outline,) = axes.plot([], [], color=COLOURS["ink"], lw=2.6)
        axes.set(xlabel="year", xlim=(2009.4, 2015.6), ylim=(0, 50), title="Top-5 error of the winner (%)")
        axes.set_xticks(list(ERRORS))
        self.legend = axes.legend(loc="upper right", fontsize=9.5)

    def show(self, result: Year) -> str:
        self._scale(logarithmic=result.logarithmic)
        if result.trend is None:
            self.pace.set_data([], [])
        else:
            self.pace.set_data(list(ERRORS), result.trend)
        for year, number in self.numbers.items():
            number.set(fontweight="bold" if year == result.year else "normal")
        left, floor = result.year - 0.33, 1 if result.logarithmic else 0
        self.outline.set_data([left, left, left + 0.66, left + 0.66], [floor, result.error, result.error, floor])
        for dots, which in ((self.right, ~result.wrong), (self.wrong, result.wrong)):
            rows, columns = which.nonzero()
            dots.set_data(columns, rows)
        name_what_is_drawn(self.legend)
        return describe(result)

    def _scale(self, *, logarithmic: bool) -> None:
        scale = "log" if logarithmic else "linear"
        if self.bars.get_yscale() != scale:
            self.bars.set_yscale(scale)
            if logarithmic:
                self.bars.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
                self.bars.minorticks_off()
        move_limits(self.bars, y=(1, 300) if logarithmic else (0, 50))


def describe(result: Year) -> str:
    """The sentences under the panel: the year, its error, and how that compares."""
    year, error = result.year, result.error
    sentences = [f"{year}: five wrong guesses for {error:g} % of the pictures, {result.wrong.sum()} of 1,000"]
    if result.before is not None:
        sentences[0] += f"; that is {error / result.before:.2f} times the error of the year before"
    sentences.append(f"The annotator: {HUMAN} %")
    if result.trend is not None:
        trend = result.trend[year - 2010]
        sentences.append(f"By the trend of 2010 to 2011 the error of {year} would be {trend:.1f} %")
    if result.logarithmic:
        sentences.append("The axis is logarithmic: equal steps are equal factors")
    return ". ".join(sentences) + "."
