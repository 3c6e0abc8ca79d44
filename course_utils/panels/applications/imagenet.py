"""The error of the ImageNet competition by year: the jump of 2012, and what 1,000 pictures look like at each error."""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from course_utils.panels.engine import Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, FAINT, move_limits

__all__ = ["ERRORS", "HUMAN", "imagenet"]

# Top-5 error of each year's winner in percent, as the lecture has them (Russakovsky et al. 2015, arXiv:1409.0575; for
# 2015 He et al. 2015, arXiv:1512.03385), and that of one trained annotator.
ERRORS = {2010: 28.0, 2011: 26.0, 2012: 16.4, 2013: 11.7, 2014: 6.7, 2015: 3.6}
HUMAN = 5.1
DEEP = 2012  # the first deep convolutional network
PICTURES, WIDE = 1000, 40


class Year(NamedTuple):
    """A year of the competition; `trend`: what each year's error would be at the pace of 2010 to 2011, or None."""

    year: int
    error: float
    before: float | None
    trend: np.ndarray | None
    wrong: np.ndarray  # (25, 40) of booleans, a picture each


def imagenet() -> Panel:
    """Top-5 error on ImageNet, 2010 to 2015 (lecture, section 02)."""
    controls = [
        Slider(name="year", label="Year", values=list(ERRORS), value=2011, texts=[str(year) for year in ERRORS]),
        Toggle(name="trend", label="Had the pace of 2010 to 2011 gone on"),
        Toggle(name="logarithmic", label="Logarithmic axis"),
    ]
    # Which of the pictures are wrong is drawn once: those that a better year still gets wrong are among the others.
    order = np.random.default_rng(0).permutation(PICTURES)

    def compute(year: float, trend: bool, logarithmic: bool) -> tuple[Year, bool]:
        year = int(year)
        years = np.array(list(ERRORS))
        pace = ERRORS[2010] * (ERRORS[2011] / ERRORS[2010]) ** (years - 2010) if trend else None
        wrong = (order < round(PICTURES * ERRORS[year] / 100)).reshape(-1, WIDE)
        return Year(year, ERRORS[year], ERRORS.get(year - 1), pace, wrong), logarithmic

    return Panel("ImageNet, year by year", controls, compute, draw, size=(960, 370))


def draw(figure: Figure) -> Show:
    """Bars by year on the left, 1,000 dots on the right."""
    bars, dots = figure.subplots(1, 2, width_ratios=[1.2, 1])
    for year, error in ERRORS.items():
        deep = year >= DEEP
        bars.bar(
            year,
            error,
            0.62,
            color=COLOURS["blue" if deep else "grey"],
            hatch=None if deep else "///",
            edgecolor="white",
            linewidth=0,
            label={2010: "hand-made features", DEEP: "deep networks"}.get(year),
        )
    above = {"textcoords": "offset points", "ha": "center", "bbox": {"fc": "white", "ec": "none", "pad": 1}}
    numbers = [  # above the annotator's line, too
        bars.annotate(f"{error:g}", (year, max(error, HUMAN)), (0, 5), fontsize=10, **above)
        for year, error in ERRORS.items()
    ]
    bars.axhline(HUMAN, color=COLOURS["orange"], ls="--", label=f"a trained annotator, {HUMAN} %")
    (pace,) = bars.plot([], [], "D:", ms=5, color=COLOURS["purple"], label="at the pace of 2010 to 2011")
    (here,) = bars.plot([], [], color=COLOURS["ink"], lw=2.6)
    bars.set(xlabel="year", xlim=(2009.4, 2015.6), ylim=(0, 50), title="Top-5 error of the winner (%)")
    bars.set_xticks(list(ERRORS))
    bars.legend(loc="upper right", fontsize=9.5)
    rows = PICTURES // WIDE
    x, y = np.meshgrid(np.arange(WIDE), np.arange(rows))
    (right,) = dots.plot([], [], "o", ms=3.2, color=FAINT)
    (wrong,) = dots.plot([], [], "x", ms=5, mew=1.6, color=COLOURS["orange"])
    dots.set(xlim=(-1, WIDE), ylim=(rows, -1), xticks=[], yticks=[], title="1,000 pictures; ✗: five wrong guesses")
    dots.spines[:].set_visible(False)

    def show(result: tuple[Year, bool]) -> str:
        found, logarithmic = result
        scale = "log" if logarithmic else "linear"
        if bars.get_yscale() != scale:
            bars.set_yscale(scale)
            if logarithmic:
                bars.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
                bars.minorticks_off()
        move_limits(bars, y=(1, 300) if logarithmic else (0, 50))
        pace.set_data(*([], []) if found.trend is None else (list(ERRORS), found.trend))
        for number, year in zip(numbers, ERRORS, strict=True):
            number.set_weight("bold" if year == found.year else "normal")
        left, floor = found.year - 0.33, 1 if logarithmic else 0
        here.set_data([left, left, left + 0.66, left + 0.66], [floor, found.error, found.error, floor])
        right.set_data(x[~found.wrong], y[~found.wrong])
        wrong.set_data(x[found.wrong], y[found.wrong])
        return words(found) + (" The axis is logarithmic: equal steps are equal factors." if logarithmic else "")

    return show


def words(found: Year) -> str:
    """The year, its error, and how that compares."""
    said = f"{found.year}: five wrong guesses for {found.error:g} % of the pictures, {found.wrong.sum()} of 1,000"
    if found.before is not None:
        said += f"; that is {found.error / found.before:.2f} times the error of the year before"
    said += f". The annotator: {HUMAN} %."
    if found.trend is not None:
        said += (
            f" At the pace of 2010 to 2011 the error of {found.year} would be {found.trend[found.year - 2010]:.1f} %."
        )
    return said
