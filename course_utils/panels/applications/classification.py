"""Classification: small convolutional networks of several widths read digits, and are allowed one guess or more."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.applications.classifier import WIDTHS, Classifiers, classifiers, wrong_rows
from course_utils.experiments.applications.miniature import most_doubtful_first
from course_utils.models import count_parameters
from course_utils.panels.engine import Choice, Panel, Slider
from course_utils.plots import COLOURS, FAINT, legend

__all__ = ["classification"]

SHOWN = 20
GUESSES = (1, 2, 3, 4, 5)
ORDERS = {"all, the least certain first": "doubt", "only misclassified ones": "wrong"}


class Read(NamedTuple):
    """One test picture as a network reads it, and the error (%) of every width with so many guesses."""

    image: np.ndarray
    label: int
    p: np.ndarray
    guesses: list[int]
    errors: dict[int, float]
    width: int
    wrong: int  # test pictures
    place: str  # of the picture among those that the order has


def classification(data: str | Dataset | Classifiers = "digits") -> Panel:
    """What small networks think of test pictures, and their top-k error against Q (lecture, section 02).

    `data`: a name of `load_dataset`, a data set, or what `classifiers` returned.
    """
    trained = data if isinstance(data, Classifiers) else classifiers(data)
    controls = [
        Slider(name="picture", label="Test picture", values=list(range(1, SHOWN + 1)), value=1),
        Choice(name="order", label="Which pictures", options=ORDERS),
        Slider(name="width", label="Filters in the first layer", values=WIDTHS, value=8),
        Slider(name="guesses", label="Guesses allowed, k", values=GUESSES, value=1),
    ]

    def compute(picture: float, order: str, width: float, guesses: float) -> Read:
        width, k = int(width), int(guesses)
        p = trained.probabilities[width]
        wrong = wrong_rows(p, trained.data.y_test, k)
        rows = most_doubtful_first(p)
        if order == "wrong" and len(wrong):
            rows = rows[torch.isin(rows, wrong)]
        number = min(int(picture), len(rows))
        row = int(rows[number - 1])
        return Read(
            image=trained.data.x_test[row, 0].numpy(),
            label=int(trained.data.y_test[row]),
            p=p[row].numpy(),
            guesses=p[row].topk(k).indices.tolist(),
            errors=trained.errors(k),
            width=width,
            wrong=len(wrong),
            place=f"Picture {number} of {len(rows):,}",
        )

    title = "What a small network predicts"
    return Panel(title, controls, compute, lambda figure: ClassificationPicture(figure, trained).show, size=(960, 360))


class ClassificationPicture:
    """A picture, the probability of each class, and the error of each of the networks by its size."""

    def __init__(self, figure: Figure, trained: Classifiers) -> None:
        self.sizes = {width: count_parameters(model) for width, model in trained.models.items()}
        self.tests = len(trained.data.y_test)
        picture, bars, curve = figure.subplots(1, 3, width_ratios=[1, 1.35, 1.35])
        self.image = picture.imshow(np.zeros(trained.data.input_shape[-2:]), cmap="gray_r", vmin=0, vmax=1)
        picture.set(xticks=[], yticks=[], title="A test picture")
        picture.spines[:].set_visible(True)
        self.caption = picture.text(0.5, -0.04, "", transform=picture.transAxes, ha="center", va="top", fontsize=12)
        self._draw_bars(bars)
        self._draw_curve(curve, highest=max(trained.errors(1).values()))

    def _draw_bars(self, axes: Axes) -> None:
        places = np.arange(10)
        self.others = axes.bar(places, np.ones(10), 0.7, color="#DDE2E6", edgecolor=FAINT, label="not guessed")
        self.chosen = axes.bar(places, np.ones(10), 0.7, color=COLOURS["blue"], hatch="///", edgecolor="white",
                               linewidth=0, label="guessed")  # fmt: skip
        (self.truth,) = axes.plot([0], [0], "v", ms=10, color=COLOURS["orange"], clip_on=False, label="truth")
        axes.set(xticks=places, ylim=(0, 1.35), xlabel="class", title="Probability of each class")
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        legend(axes, loc="upper left", ncols=3, fontsize=9.5, columnspacing=0.9, handlelength=1.4, handletextpad=0.5)

    def _draw_curve(self, axes: Axes, *, highest: float) -> None:
        counts = list(self.sizes.values())
        (self.errors,) = axes.plot(counts, np.ones(len(counts)), "o-", color=COLOURS["blue"])
        (self.ring,) = axes.plot([1], [1], "o", ms=13, mfc="none", mew=2.2, color=COLOURS["ink"])
        top = 1.12 * highest
        axes.set(xscale="log", ylim=(-0.03 * top, top), xlabel="parameters Q", title="Top-k error on test pictures (%)")
        axes.set_xlim(0.7 * min(counts), 1.5 * max(counts))
        axes.xaxis.set_major_formatter("{x:,.0f}")

    def show(self, read: Read) -> str:
        self.image.set_data(read.image)
        self.image.set_clim(0, float(read.image.max()))
        self.caption.set_text(f"a {read.label}")
        for i, (grey, blue) in enumerate(zip(self.others, self.chosen, strict=True)):
            grey.set_height(0 if i in read.guesses else read.p[i])
            blue.set_height(read.p[i] if i in read.guesses else 0)
        self.truth.set_data([read.label], [read.p[read.label] + 0.06])
        self.errors.set_ydata(list(read.errors.values()))
        self.ring.set_data([self.sizes[read.width]], [read.errors[read.width]])
        return describe(read, self.sizes[read.width], self.tests)


def describe(read: Read, size: int, rows: int) -> str:
    """The sentences under the panel: what a network of this size guesses, and how often that is wrong."""
    guesses = ", ".join(f"{g} ({read.p[g]:.0%})" for g in read.guesses)
    allowed = "1 guess" if len(read.guesses) == 1 else f"{len(read.guesses)} guesses"
    verdict = "right" if read.label in read.guesses else "wrong"
    return (
        f"{read.place}, a {read.label}. The network of Q = {size:,} says {guesses}: {verdict}. With {allowed} it is "
        f"wrong on {read.wrong} of {rows:,} test pictures, {read.errors[read.width]:.2f} %."
    )
