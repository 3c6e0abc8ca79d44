"""Captioning, one letter at a time: the picture, the letters so far, the next one, and the state carried along."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.applications.captions import STATES, Spellers, rows_by_doubt, spellers, spelling_scores
from course_utils.experiments.applications.speller import LETTERS, LONGEST, STOP, Choose, greedy, spell, spelled
from course_utils.models import count_parameters
from course_utils.panels.engine import Button, Choice, Panel, Slider
from course_utils.plots import COLOURS, FAINT, weight_map

__all__ = ["captions"]

SHOWN = 20
PICTURES = list(range(1, SHOWN + 1))
RULES = {"take the most likely": "greedy", "sample by probability": "draw"}
CARRIED = {"carried from step to step": False, "set to zero after each letter": True}


class Captioned(NamedTuple):
    """One test picture and what was spelt."""

    image: np.ndarray
    label: int
    step: int  # the letter that is due
    letters: np.ndarray  # (6,)
    p: np.ndarray  # (6, 16)
    states: np.ndarray  # (7, state)
    accuracy: float  # share of names that are right, over all test pictures
    unknown: float  # share of words that are no name
    parameters: int


def captions(data: str | Dataset | Spellers = "digits", *, choose: Choose | None = None) -> Panel:
    """A digit's name spelt by a recurrent network, step by step (lecture, section 02: image captioning).

    `data`: a name of `load_dataset`, a data set, or what `spellers` returned. `choose`: your own rule ``choose(p)``
    from the probabilities of the 16 letters, a tensor, to the number of one.
    """
    trained = data if isinstance(data, Spellers) else spellers(data)
    rules = {"yours": "reader"} if choose else RULES
    rows = rows_by_doubt(trained, SHOWN)
    controls = [
        Slider(name="picture", label="Test picture, from uncertain to certain", values=PICTURES, value=16),
        Slider(name="step", label="Step", values=list(range(1, LONGEST + 1)), value=3),
        Slider(name="state", label="Numbers in the state", values=STATES, value=32),
        Choice(name="forget", label="The state is", options=CARRIED),
        Choice(name="rule", label="The next letter", options=rules),
        Button(name="again", label="Sample again"),
    ]

    @lru_cache(maxsize=16)
    def spelling(state: int, forget: bool, rule: str, again: int) -> tuple[list[np.ndarray], float, float]:
        draws = torch.Generator().manual_seed(again)
        chooses: dict[str, Choose] = {
            "greedy": greedy,
            "draw": lambda p: torch.multinomial(p, 1, generator=draws),
            "reader": choose or greedy,
        }
        with random_numbers(again):
            letters, p, states = spell(trained.models[state], trained.data.x_test, choose=chooses[rule], forget=forget)
        accuracy, unknown = spelling_scores(spelled(letters), trained.data.y_test)
        return [letters.numpy(), p.numpy(), states.numpy()], accuracy, unknown

    def compute(picture: float, step: float, state: float, forget: bool, rule: str, again: int) -> Captioned:
        state = int(state)
        (letters, p, states), accuracy, unknown = spelling(state, forget, rule, 0 if rule == "greedy" else again)
        row = rows[int(picture) - 1]
        return Captioned(
            image=trained.data.x_test[row, 0].numpy(),
            label=int(trained.data.y_test[row]),
            step=int(step),
            letters=letters[row],
            p=p[row],
            states=states[row],
            accuracy=accuracy,
            unknown=unknown,
            parameters=count_parameters(trained.models[state]),
        )

    side = trained.data.input_shape[-2:]
    title = "A name, letter by letter" if choose is None else "A name, letter by letter, by your rule"
    return Panel(title, controls, compute, lambda figure: CaptionsPicture(figure, side).show, size=(960, 400))


class CaptionsPicture:
    """A picture of this side, the probabilities of the next letter, and the states so far."""

    def __init__(self, figure: Figure, side: tuple[int, ...]) -> None:
        picture, bars, states = figure.subplots(1, 3, width_ratios=[1, 1.7, 1.15])
        self.image = picture.imshow(np.zeros(side), cmap="gray_r", vmin=0, vmax=1)
        picture.set(xticks=[], yticks=[], title="The picture")
        picture.spines[:].set_visible(True)
        self.word = picture.text(0.5, -0.06, "", transform=picture.transAxes, ha="center", va="top", fontsize=20,
                                 family="monospace", weight="bold")  # fmt: skip
        self._draw_bars(bars)
        self._draw_states(states)

    def _draw_bars(self, axes: Axes) -> None:
        gap_before_stop = 0.7 * (np.array(list(LETTERS)) == STOP)
        places = np.arange(len(LETTERS)) + gap_before_stop
        ones = np.ones(len(LETTERS))
        self.others = axes.bar(places, ones, 0.72, color="#DDE2E6", edgecolor=FAINT)
        self.chosen = axes.bar(places, ones, 0.72, color=COLOURS["blue"], hatch="///", edgecolor="white", linewidth=0)
        axes.set_xticks(places, [*LETTERS[:-1], "end"])
        axes.set(ylim=(0, 1.04), ylabel="probability")
        self.heading = axes.set_title("Letter 6, given “seven”")

    def _draw_states(self, axes: Axes) -> None:
        self.states = weight_map(axes, np.zeros((STATES[-1], LONGEST + 1)), limit=1.0)
        axes.set(xlabel="step", ylabel="number in the state", title="The states so far")
        axes.set_xticks(range(LONGEST + 1))
        axes.set_yticks([])
        (self.now,) = axes.plot([], [], color=COLOURS["ink"], lw=2)

    def show(self, caption: Captioned) -> str:
        self.image.set_data(caption.image)
        self.image.set_clim(0, float(caption.image.max()))
        word = "".join(LETTERS[i] for i in caption.letters)
        step = min(caption.step, (word + STOP).index(STOP) + 1)  # nothing comes after the full stop
        before, letter = word[: step - 1], int(caption.letters[step - 1])
        self.word.set_text(before + "_")
        self.heading.set_text(f"Letter {step}, given “{before}”" if before else f"Letter {step}")
        for i, (grey, blue) in enumerate(zip(self.others, self.chosen, strict=True)):
            grey.set_height(0 if i == letter else caption.p[step - 1, i])
            blue.set_height(caption.p[step - 1, i] if i == letter else 0)
        matrix = np.zeros((caption.states.shape[1], LONGEST + 1))
        matrix[:, : step + 1] = caption.states[: step + 1].T
        self.states.set_data(np.repeat(matrix, STATES[-1] // len(matrix), axis=0))
        bottom, top, left, right = STATES[-1] - 0.5, -0.5, step - 0.5, step + 0.5
        self.now.set_data([left, right, right, left, left], [bottom, bottom, top, top, bottom])
        return describe(caption, before, letter, step)


def describe(caption: Captioned, before: str, letter: int, step: int) -> str:
    """The sentences under the panel: what is spelt, and how well all test pictures are."""
    after = f"“{before}”" if before else "nothing"
    named = "the end of the word" if LETTERS[letter] == STOP else f"“{LETTERS[letter]}”"
    (word,) = spelled(torch.tensor(caption.letters)[None])
    return (
        f"A {caption.label}. Step {step}: after {after} comes {named} ({caption.p[step - 1, letter]:.0%}); the whole "
        f"word is “{word}”. Over all test pictures {caption.accuracy:.1%} of the names are correct and "
        f"{caption.unknown:.1%} are no name of a digit (Q = {caption.parameters:,})."
    )
