"""Many panels at once under random hands: nothing raised, nothing stale, the reader's numbers kept, memory given back.

Eight panels, four of which train, in a kernel in which cells are run meanwhile.
"""

import asyncio
import gc
import random
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from test_panels_engine import Front

from course_utils.panels.engine import Choice, Panel, Show, Slider, Text, Toggle, Train, panel
from course_utils.plots import style

WORDS = ["a", "b", ""]


def numbers() -> Slider:
    return Slider(name="n", label="Number", values=range(9))


def kinds() -> Choice:
    return Choice(name="kind", label="Kind", options={"sine": np.sin, "cosine": np.cos})


def compute(n: float, kind: Callable[..., Any], on: bool, word: str) -> dict[str, Any]:
    if word == "b" and n == 3:
        raise ValueError("three b")
    return {"n": n, "kind": kind, "on": on, "word": word}


def train(n: float, train: bool, word: str) -> Any:
    """Noise of the reader's generators, as a reader's own training draws it."""
    for epoch in range(6 if train else 1):
        torch.manual_seed(int(n))
        np.random.seed(int(n))  # noqa: NPY002
        random.seed(int(n))
        weights = torch.randn(20) + float(np.random.rand()) + random.random()  # noqa: NPY002
        yield None
        if word == "b" and epoch == 4:
            raise SystemExit(1)
        yield {"n": n, "epoch": epoch, "word": word, "mean": float(weights.mean())}


def draw(figure: Any) -> Show:
    left, right = figure.subplots(1, 2)
    (line,) = left.plot([0, 1], [0, 0])
    text = right.text(0.2, 0.5, "")

    def show(result: dict[str, Any]) -> str:
        line.set_ydata([0, result["n"]])
        left.set_title(f"{result['n']}")
        left.set_ylim(-1, 1 + result["n"])
        text.set_text(result["word"] + str(result.get("epoch", "")))
        return ", ".join(str(getattr(value, "__name__", value)) for value in result.values())

    return show


def plotted(ax: Any, n: int, word: str) -> str:
    ax.bar(range(3), np.random.rand(3) + n)  # noqa: NPY002
    return f"{n} {word}"


def make(number: int) -> Panel:
    if number % 2:
        controls = [numbers(), Train(), Text(name="word", label="Word")]
        return Panel(f"Training {number}", controls, train, draw, size=(500, 200))
    if number == 2:
        return panel(plotted, n=range(9), word="", size=(300, 200))
    controls = [numbers(), kinds(), Toggle(name="on", label="On"), Text(name="word", label="Word")]
    return Panel(f"Plain {number}", controls, compute, draw, size=(500, 200))


class Bench:
    """Eight panels, each in the browser, as their cells show them."""

    def __init__(self, seed: int) -> None:
        self.hand = random.Random(seed)
        self.fronts = [Front(make(number)) for number in range(8)]
        self.old: list[weakref.ref[Panel]] = []

    def event(self) -> None:
        """One thing that a reader does."""
        number = self.hand.randrange(8)
        front = self.fronts[number]
        shown = front.panel
        what = self.hand.choices(["move", "switch", "size", "code", "stop", "again", "rerun"], [50, 20, 8, 8, 6, 4, 4])[
            0
        ]
        if what == "move":
            front.move(n=self.hand.randrange(9), word=self.hand.choice(WORDS))
        elif what == "switch" and shown.trains:
            front.move(train=self.hand.random() < 0.7)
        elif what == "switch" and "kind" in shown.controls:
            front.move(kind=self.hand.choice(["sine", "cosine"]), on=self.hand.random() < 0.5)
        elif what == "size":
            front.tell(kind="hello", view="a view", scale=self.hand.choice([1, 2]), width=self.hand.choice([360, 700]))
        elif what == "code":
            shown.n = self.hand.randrange(9)
        elif what in ("stop", "again") and shown.trains:
            front.tell(kind=what)
        elif what == "rerun":
            self.old.append(weakref.ref(shown))
            if self.hand.random() < 0.5:
                shown.close()
            else:
                front.tell(kind="bye", view="a view")
                shown.close()
            self.fronts[number] = Front(make(number))

    def assert_nothing_is_stale(self) -> None:
        """What each browser shows are the values of its panel, and the picture that is drawn anew for them."""
        for front in self.fronts:
            shown = front.panel
            frame = next(m for m in reversed(front.messages) if m["kind"] == "frame")
            assert frame["settled"]
            assert frame["values"] == shown._json_values()
            assert frame["words"] == shown.words
            if shown.error is None:
                assert_same(front.picture, anew(shown))


def assert_same(picture: np.ndarray, other: np.ndarray) -> None:
    """But for the losses of patches with many colours."""
    assert picture.shape == other.shape
    assert np.abs(picture.astype(int) - other).max() <= 64


def anew(shown: Panel) -> np.ndarray:
    """The picture of the panel's result, with nothing pasted, in the places that its parts have."""
    canvas = shown._picture()
    assert shown._show is not None
    with shown._before.copy().drawing(), style():  # the numbers and the settings that it was drawn with
        shown._show(shown.result)
    canvas._background = None
    canvas._lettering.forget()
    canvas._legends.forget()
    pixels = np.ascontiguousarray(canvas.pixels())
    return pixels.view(np.uint8).reshape(*pixels.shape, 4)[:, :, :3]


def a_cell() -> tuple[float, ...]:
    """What a reader's seeded cell gets."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    return float(torch.rand(1)), float(np.random.rand()), random.random()  # noqa: NPY002


async def settle(bench: Bench) -> None:
    while any(front.panel._computation is not None for front in bench.fronts):
        await asyncio.sleep(0.001)


async def at_once(seed: int, events: int) -> None:
    expected = a_cell()
    bench = Bench(seed)
    for i in range(events):
        bench.event()
        for _ in range(bench.hand.randrange(12)):
            await asyncio.sleep(0)
        if i % 10 == 0:
            assert a_cell() == expected
            between = torch.rand(1).item()  # a cell that goes on where the one before has ended
            assert between == pytest.approx(0.7682, abs=1e-4)
        if i % 100 == 99:
            await settle(bench)
            bench.assert_nothing_is_stale()
    await settle(bench)
    bench.assert_nothing_is_stale()
    gc.collect()
    assert bench.old
    assert [reference()._title for reference in bench.old if reference() is not None] == []  # type: ignore[union-attr]


def test_nothing_is_stale_under_random_hands() -> None:
    asyncio.run(at_once(seed=0, events=40))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_thousand_events(seed: int) -> None:
    asyncio.run(at_once(seed, events=1000))
