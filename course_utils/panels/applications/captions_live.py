"""A network that learns to spell before the reader's eyes: ten pictures with the words it has for them by now."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.models import count_parameters
from course_utils.panels.applications.captions import STATES, share_right
from course_utils.panels.applications.lesson import each_on_one_thread, picture_room
from course_utils.panels.applications.speller import NAMES, spell, spelled, train_speller
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, INK

__all__ = ["live_captions"]

EPOCHS = 15


@dataclass
class Learning:
    """The words for the ten pictures now, and for each epoch the shares of names right and of no names."""

    q: int
    words: list[str] = field(default_factory=list)
    right: list[float] = field(default_factory=list)
    unknown: list[float] = field(default_factory=list)


def live_captions(data: str | Dataset = "digits") -> Panel:
    """Training of the captioning network, epoch by epoch (lecture, section 02)."""
    room = picture_room(data)
    rows = [int((room.y_test == digit).nonzero()[0, 0]) for digit in range(10)]
    controls = [
        Toggle(name="train", label="Train live"),
        Slider(name="state", label="Numbers in the state", values=STATES, value=32),
        Slider(name="lr", label="Step size η", values=[0.0003, 0.001, 0.003, 0.01, 0.03, 0.1], value=0.01),
        Choice(name="seed", label="Start from", options={"new network": 0, "another one": 1, "a third one": 2}),
    ]

    def compute(train: bool, state: float, lr: float, seed: int) -> Iterator[Learning]:
        seen: Learning | None = None
        for model in each_on_one_thread(train_speller(room, state=int(state), epochs=EPOCHS, lr=lr, seed=seed)):
            seen = seen or Learning(count_parameters(model))
            words = spelled(spell(model, room.x_test)[0])
            right, unknown = share_right(words, room.y_test)
            seen.words = [words[row] for row in rows]
            seen.right.append(right)
            seen.unknown.append(unknown)
            yield seen
            if not train:
                return

    images = [room.x_test[row, 0].numpy() for row in rows]
    return Panel("A network learns to spell", controls, compute, drawing(images), size=(960, 370))


def drawing(images: list[np.ndarray]) -> Draw:
    """The drawing for these ten pictures."""

    def draw(figure: Figure) -> Show:
        gallery, side = figure.subfigures(1, 2, width_ratios=[1.5, 1], squeeze=False)[0]
        captions = []
        for axes, image in zip(gallery.subplots(2, 5).flat, images, strict=True):
            axes.imshow(image, cmap="gray_r", vmin=0, vmax=image.max())
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
            captions.append(
                axes.text(
                    0.5, -0.07, "", transform=axes.transAxes, ha="center", va="top", fontsize=13, family="monospace"
                )
            )
            axes.set_xlabel(" ", fontsize=15)  # keeps the place of the caption
        curve = side.subplots()
        (right,) = curve.plot([], [], "o-", ms=4, color=COLOURS["blue"], label="name right")
        (unknown,) = curve.plot([], [], "s--", ms=4, color=COLOURS["orange"], label="no name of a digit")
        curve.set(xlim=(-0.3, EPOCHS + 0.3), ylim=(-0.03, 1.03), xlabel="epoch", title="Share of test pictures")
        curve.set_xticks(range(0, EPOCHS + 1, 3))
        curve.legend(loc="center right", fontsize=10)

        def show(seen: Learning) -> str:
            for digit, (text, word) in enumerate(zip(captions, seen.words, strict=True)):
                good = word == NAMES[digit]
                text.set_text(f"{word} {'✓' if good else '✗'}")
                text.set_color(INK["blue" if good else "orange"])
            right.set_data(range(len(seen.right)), seen.right)
            unknown.set_data(range(len(seen.unknown)), seen.unknown)
            return (
                f"Epoch {len(seen.right) - 1}: 0 to 9 are spelt "
                f"{', '.join(word or '(nothing)' for word in seen.words)}. "
                f"Of all test pictures {seen.right[-1]:.1%} have their name, {seen.unknown[-1]:.1%} a word that is no "
                f"name of a digit (Q = {seen.q:,})."
            )

        return show

    return draw
