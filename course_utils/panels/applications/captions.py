"""Captioning, one letter at a time: the picture, the letters so far, the next one, and the state carried along."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.models import count_parameters
from course_utils.panels.applications.lesson import by_doubt, one_thread, picture_room, size_in_words
from course_utils.panels.applications.speller import (
    LETTERS,
    LONGEST,
    NAMES,
    STOP,
    Choose,
    Speller,
    greedy,
    spell,
    spelled,
    train_speller,
)
from course_utils.panels.engine import Button, Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT, weight_map

__all__ = ["STATES", "Spellers", "captions", "share_right", "spellers"]

STATES = (2, 4, 8, 16, 32)
SHOWN = 20
RULES = {"take the most likely": "greedy", "draw one by its probability": "draw"}
CARRIED = {"carried from step to step": False, "set to zero after each letter": True}


class Spellers:
    """A trained network for each of STATES."""

    @one_thread()
    def __init__(self, data: Dataset, *, epochs: int) -> None:
        self.data = data
        self.models: dict[int, Speller] = {}
        for state in STATES:
            *_, self.models[state] = train_speller(data, state=state, epochs=epochs)
            self.models[state].eval()

    def __repr__(self) -> str:
        labels = self.data.y_test
        lines = [f"captioning: {len(STATES)} networks, {len(labels):,} test pictures"]
        for state, model in self.models.items():
            right, unknown = share_right(spelled(spell(model, self.data.x_test)[0]), labels)
            lines.append(
                f"state {state:2}: {size_in_words(model):20} names right {right:6.1%}, no name at all {unknown:6.1%}"
            )
        return "\n".join(lines)


def spellers(data: str | Dataset = "digits", *, epochs: int = 20) -> Spellers:
    """Train the networks of this panel; by the name of the data, once in a process."""
    return _of_name(data, epochs) if isinstance(data, str) else Spellers(picture_room(data), epochs=epochs)


@lru_cache(maxsize=2)
def _of_name(name: str, epochs: int) -> Spellers:
    return Spellers(picture_room(name), epochs=epochs)


def share_right(words: list[str], labels: Tensor) -> tuple[float, float]:
    """The share of words that are the name of their label, and of those that are the name of no digit.

    >>> share_right(["one", "two", "sero", "six"], torch.tensor([1, 3, 0, 6]))
    (0.5, 0.25)
    """
    right = sum(word == NAMES[i] for word, i in zip(words, labels.tolist(), strict=True))
    return right / len(words), sum(word not in NAMES for word in words) / len(words)


class Captioned(NamedTuple):
    """One test picture and what was spelt; `step` is the letter that is due."""

    image: np.ndarray
    label: int
    step: int
    letters: np.ndarray  # (6,)
    p: np.ndarray  # (6, 16)
    states: np.ndarray  # (7, state)
    right: float
    unknown: float
    q: int


def captions(data: str | Dataset | Spellers = "digits", *, choose: Choose | None = None) -> Panel:
    """A digit's name spelt by a recurrent network, step by step (lecture, section 02: image captioning).

    `data`: a name of `load_dataset`, a data set, or what `spellers` returned. `choose`: your own rule ``choose(p)``
    from the probabilities of the 16 letters, a tensor, to the number of one.
    """
    made = data if isinstance(data, Spellers) else spellers(data)
    rules = {"yours": "own"} if choose else RULES
    shown = pictures_of(made)
    controls = [
        Slider(
            name="picture", label="Test picture, from doubtful to clear", values=list(range(1, SHOWN + 1)), value=16
        ),
        Slider(name="step", label="Step", values=list(range(1, LONGEST + 1)), value=3),
        Slider(name="state", label="Numbers in the state", values=STATES, value=32),
        Choice(name="forget", label="The state is", options=CARRIED),
        Choice(name="rule", label="The next letter", options=rules),
        Button(name="again", label="Draw again"),
    ]

    @lru_cache(maxsize=16)
    def spelling(state: int, forget: bool, rule: str, again: int) -> tuple[list[np.ndarray], float, float]:
        draws = torch.Generator().manual_seed(again)
        ways = {"greedy": greedy, "draw": lambda p: torch.multinomial(p, 1, generator=draws), "own": choose or greedy}
        with random_numbers(again):
            found = spell(made.models[state], made.data.x_test, choose=ways[rule], forget=forget)
        return [part.numpy() for part in found], *share_right(spelled(found[0]), made.data.y_test)

    def compute(picture: float, step: float, state: float, forget: bool, rule: str, again: int) -> Captioned:
        state = int(state)
        (letters, p, states), right, unknown = spelling(state, forget, rule, 0 if rule == "greedy" else again)
        row = shown[int(picture) - 1]
        size = count_parameters(made.models[state])
        image, label = made.data.x_test[row, 0].numpy(), int(made.data.y_test[row])
        return Captioned(image, label, int(step), letters[row], p[row], states[row], right, unknown, size)

    title = "A name, letter by letter" if choose is None else "A name, letter by letter, by your rule"
    return Panel(title, controls, compute, drawing(made.data), size=(960, 400))


def pictures_of(made: Spellers) -> list[int]:
    """Rows of test pictures, from those whose first letter the largest network doubts to those that are clear to it."""
    _, p, _ = spell(made.models[STATES[-1]], made.data.x_test)
    rows = by_doubt(p[:, 0])
    return rows[torch.linspace(0, len(rows) - 1, SHOWN).round().long()].tolist()


def drawing(data: Dataset) -> Draw:
    """The drawing for pictures like those of a data set."""

    def draw(figure: Figure) -> Show:
        picture, bars, states = figure.subplots(1, 3, width_ratios=[1, 1.7, 1.15])
        image = picture.imshow(np.zeros(data.input_shape[-2:]), cmap="gray_r", vmin=0, vmax=1)
        picture.set(xticks=[], yticks=[], title="The picture")
        picture.spines[:].set_visible(True)
        so_far = picture.text(0.5, -0.06, "", transform=picture.transAxes, ha="center", va="top", fontsize=20,
                              family="monospace", weight="bold")  # fmt: skip
        places = np.arange(len(LETTERS)) + 0.7 * (np.array(list(LETTERS)) == STOP)
        others = bars.bar(places, np.ones(len(LETTERS)), 0.72, color="#DDE2E6", edgecolor=FAINT)
        chosen = bars.bar(places, np.ones(len(LETTERS)), 0.72, color=COLOURS["blue"], hatch="///", edgecolor="white",
                          linewidth=0)  # fmt: skip
        bars.set_xticks(places, [*LETTERS[:-1], "end"])
        bars.set(ylim=(0, 1.04), ylabel="probability")
        heading = bars.set_title("Letter 6, given “seven”")
        memory = weight_map(states, np.zeros((STATES[-1], LONGEST + 1)), limit=1.0)
        states.set(xlabel="step", ylabel="number in the state", title="The states so far")
        states.set_xticks(range(LONGEST + 1))
        states.set_yticks([])
        (now,) = states.plot([], [], color=COLOURS["ink"], lw=2)

        def show(seen: Captioned) -> str:
            image.set_data(seen.image)
            image.set_clim(0, float(seen.image.max()))
            word = "".join(LETTERS[i] for i in seen.letters)
            at = min(seen.step, (word + STOP).index(STOP) + 1)  # nothing comes after the full stop
            before, letter = word[: at - 1], int(seen.letters[at - 1])
            so_far.set_text(before + "_")
            heading.set_text(f"Letter {at}" + (f", given “{before}”" if before else ""))
            for i, (grey, blue) in enumerate(zip(others, chosen, strict=True)):
                grey.set_height(0 if i == letter else seen.p[at - 1, i])
                blue.set_height(seen.p[at - 1, i] if i == letter else 0)
            matrix = np.zeros((seen.states.shape[1], LONGEST + 1))
            matrix[:, : at + 1] = seen.states[: at + 1].T
            memory.set_data(np.repeat(matrix, STATES[-1] // len(matrix), axis=0))
            bottom, top = STATES[-1] - 0.5, -0.5
            now.set_data([at - 0.5, at + 0.5, at + 0.5, at - 0.5, at - 0.5], [bottom, bottom, top, top, bottom])
            return words(seen, before, letter, at)

        return show

    return draw


def words(seen: Captioned, before: str, letter: int, at: int) -> str:
    """What is spelt here, and how well all test pictures are."""
    named = "the end of the word" if LETTERS[letter] == STOP else f"“{LETTERS[letter]}”"
    return (
        f"A {seen.label}. Step {at}: after {f'“{before}”' if before else 'nothing'} comes {named} "
        f"({seen.p[at - 1, letter]:.0%}); the whole word is “{spelled(torch.tensor(seen.letters)[None])[0]}”. Over all "
        f"test pictures {seen.right:.1%} of the names are right and {seen.unknown:.1%} are no name of a digit "
        f"(Q = {seen.q:,})."
    )
