"""A network that learns to spell before the reader's eyes: ten pictures with the words it has for them by now."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from course_utils.data import Dataset
from course_utils.experiments.applications.captions import EPOCHS, STATES, Course, learn_to_spell
from course_utils.experiments.applications.miniature import digit_pictures
from course_utils.experiments.applications.speller import NAMES
from course_utils.panels.engine import Choice, Panel, Slider, Train
from course_utils.plots import COLOURS, INK, legend

__all__ = ["live_captions"]

NARROW = 450  # pixels for five pictures: longer words need smaller letters
SEEDS = {"seed 0": 0, "seed 1": 1, "seed 2": 2}


def live_captions(data: str | Dataset = "digits") -> Panel:
    """Training of the captioning network, epoch by epoch (lecture, section 02)."""
    data = digit_pictures(data)
    rows = [int((data.y_test == digit).nonzero()[0, 0]) for digit in range(10)]
    controls = [
        Train(),
        Slider(name="state", label="Numbers in the state", values=STATES, value=32),
        Slider(name="lr", label="Learning rate η", values=[0.0003, 0.001, 0.003, 0.01, 0.03, 0.1], value=0.01),
        Choice(name="seed", label="Initial weights", options=SEEDS),
    ]

    def compute(train: bool, state: float, lr: float, seed: int) -> Iterator[Course | None]:
        for course in learn_to_spell(data, rows, state=int(state), lr=lr, seed=seed):
            yield course
            if not train:
                return

    images = [data.x_test[row, 0].numpy() for row in rows]
    title = "A network learns to spell"
    return Panel(title, controls, compute, lambda figure: SpellingPicture(figure, images).show, size=(960, 370))


class SpellingPicture:
    """Ten pictures with their words, and the share of names that are right by epoch."""

    def __init__(self, figure: Figure, images: list[np.ndarray]) -> None:
        gallery, side = figure.subfigures(1, 2, width_ratios=[1.5, 1], squeeze=False)[0]
        pairs = zip(gallery.subplots(2, 5).flat, images, strict=True)
        size = 13 if gallery.bbox.width > NARROW else 9.5
        self.captions = [captioned(axes, image, size) for axes, image in pairs]
        curve = side.subplots()
        (self.accuracy,) = curve.plot([], [], "o-", ms=4, color=COLOURS["blue"], label="correct name")
        (self.unknown,) = curve.plot([], [], "s--", ms=4, color=COLOURS["orange"], label="no name of a digit")
        curve.set(xlim=(-0.3, EPOCHS + 0.3), ylim=(-0.03, 1.35), xlabel="epoch", title="Share of test pictures")
        curve.set(xticks=range(0, EPOCHS + 1, 3), yticks=[0, 0.25, 0.5, 0.75, 1])
        legend(curve, loc="upper right", ncols=2, fontsize=10)  # above the curves, which may go anywhere

    def show(self, course: Course) -> str:
        for digit, (text, word) in enumerate(zip(self.captions, course.words, strict=True)):
            right = word == NAMES[digit]
            text.set_text(f"{word} {'✓' if right else '✗'}")
            text.set_color(INK["blue" if right else "orange"])
        self.accuracy.set_data(range(len(course.accuracy)), course.accuracy)
        self.unknown.set_data(range(len(course.unknown)), course.unknown)
        return describe(course)


def describe(course: Course) -> str:
    """The sentences under the panel: how the ten digits are spelt, and how many of all pictures get their name."""
    return (
        f"Epoch {len(course.accuracy) - 1}: 0 to 9 are spelt "
        f"{', '.join(word or '(nothing)' for word in course.words)}. "
        f"Of all test pictures {course.accuracy[-1]:.1%} get their correct name, "
        f"{course.unknown[-1]:.1%} a word that is no name of a digit (Q = {course.parameters:,})."
    )


def captioned(axes: Axes, image: np.ndarray, size: float) -> Text:
    """A picture in a frame; returns the text below it, with letters of this size."""
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=image.max())
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    text = axes.annotate("", (0.5, 0), (0, -3), xycoords="axes fraction", textcoords="offset points", ha="center",
                         va="top", fontsize=size, family="monospace")  # fmt: skip
    axes.set_xlabel(" ", fontsize=size + 2)  # keeps the place of the caption
    return text
