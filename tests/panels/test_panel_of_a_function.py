"""A reader's plotting function as a panel in one line: what works at once, and what is told in a sentence."""

import functools
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils.panels.engine import Button, Choice, Panel, Slider, Text, Toggle, panel

X = np.linspace(0, 1, 50)


def wave(ax: Axes, f: float = 1) -> str:
    ax.plot(X, np.sin(2 * np.pi * f * X))
    ax.set(xlabel="x")
    return f"{f:g} periods."


def said(ax: Axes, k: Any) -> str:
    ax.plot([0, 1])
    return f"{k!r}"


def drawn(waves: Panel) -> bytes:
    return waves.png()


# What is given for an argument


@pytest.mark.parametrize(
    "given",
    [range(1, 9), list(range(1, 9)), tuple(range(1, 9)), np.arange(1, 9), np.arange(1.0, 9), torch.arange(1, 9)],
)
def test_numbers_make_a_slider(given: Any) -> None:
    waves = panel(wave, f=given)
    assert isinstance(waves.controls["f"], Slider)
    assert waves.f == 1
    waves.f = 3
    assert waves.words == "3 periods."
    assert isinstance(waves.f, (int, float))


def test_a_slider_goes_down_where_its_numbers_do() -> None:
    waves = panel(wave, f=range(8, 0, -1))
    assert waves.controls["f"].spec()["values"] == [8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("given", "kind", "last"),
    [
        (["sin", "cos"], Choice, "cos"),
        (("sin", "cos"), Choice, "cos"),
        (np.array(["sin", "cos"]), Choice, "cos"),
        ([np.sin, np.cos], Choice, np.cos),
        ({"sine": np.sin, "cosine": np.cos}, Choice, np.cos),
        ({"few": 1, "many": 100}, Choice, 100),
        ([None, 3], Choice, 3),
        ([(8,), (16, 8)], Choice, (16, 8)),
        ([[8], [16, 8]], Choice, [16, 8]),
        (False, Toggle, True),
        ([False, True], Toggle, True),
        (np.False_, Toggle, True),
        ("a word", Text, "another"),
    ],
)
def test_each_kind_of_value_has_its_control(given: Any, kind: type, last: Any) -> None:
    panels = panel(said, k=given)
    assert type(panels.controls["k"]) is kind
    panels.k = last
    assert panels.words == repr(last)


def test_an_option_is_named_as_a_reader_sees_it() -> None:
    panels = panel(said, k=[np.sin, np.cos])
    assert panels.controls["k"].spec()["options"] == ["sin", "cos"]
    panels.k = "cos"
    assert panels.k is np.cos


def test_a_control_may_be_given_itself() -> None:
    waves = panel(wave, f=Slider(name="f", label="Frequency", values=[1, 2], value=2))
    assert waves.words == "2 periods."
    again = panel(said, k=Button(name="k", label="Once more"))
    again.k = 1
    assert again.words == "1"


def test_defaults_are_the_start() -> None:
    def two(ax: Axes, f: float = 3, kind: str = "cos") -> str:
        return f"{f:g} {kind}"

    assert panel(two, f=range(1, 9), kind=["sin", "cos"]).words == "3 cos"
    assert panel(two, f=range(1, 9)).words == "3 cos"  # an argument with a default needs no control
    assert panel(two).words == "3 cos"


def test_a_default_that_is_not_on_the_slider_is_said() -> None:
    def one(ax: Axes, f: float = 0.5) -> str:
        return f"{f:g}"

    with pytest.warns(UserWarning, match="f starts at 0: 0.5 is not on its slider"):
        assert panel(one, f=[0.0, 1.0, 2.0]).f == 0
    with pytest.raises(ValueError, match="f must be a number between 1 and 2"):
        panel(one, f=[1.0, 2.0])


def test_all_arguments_may_be_collected() -> None:
    def collected(ax: Axes, **values: Any) -> str:
        return ", ".join(f"{name}={value}" for name, value in values.items())

    assert panel(collected, a=[1, 2], b=["x", "y"]).words == "a=2, b=x"


# What is drawn


@pytest.mark.parametrize("first", ["ax", "axes", "fig", "figure"])
def test_the_first_argument_is_what_its_name_says(first: str) -> None:
    seen = []
    names: dict[str, Any] = {"seen": seen}
    exec(f"def plot({first}, f):\n    seen.append({first})\n    return 'drawn'", names)
    panel(names["plot"], f=[1, 2])
    assert isinstance(seen[0], Figure if first.startswith("f") else Axes)


def two_plots(figure: Figure, f: int) -> str:
    left, right = figure.subplots(1, 2)
    left.plot(X, f * X)
    right.set(ylabel="a long name of an axis", xlabel="x")
    right.plot(X, 1000 * f * X)
    return f"{f}"


def with_a_colour_bar(ax: Axes, f: int) -> str:
    image = ax.imshow(np.outer(X, f * X))
    ax.figure.colorbar(image, ax=ax)
    return f"{f}"


@pytest.mark.parametrize("function", [two_plots, with_a_colour_bar, wave])
def test_a_picture_does_not_depend_on_the_moves_before(function: Callable[..., str]) -> None:
    moved = panel(function, f=[1, 2, 30])
    for f in (30, 1, 2):
        moved.f = f
    fresh = panel(function, f=Slider(name="f", label="f", values=[1, 2, 30], value=2))
    assert moved.words == fresh.words
    assert drawn(moved) == drawn(fresh)


def test_no_letter_is_cut_off_after_a_move() -> None:
    moved = panel(two_plots, f=[1, 10_000])
    moved.f = 10_000
    moved.png()
    width, height = moved.figure.canvas.get_width_height()
    for axes in moved.figure.axes:
        box = axes.get_tightbbox()
        assert box is not None
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


def noise(ax: Axes, f: int) -> str:
    np.random.seed(f)  # noqa: NPY002
    torch.manual_seed(f)
    ax.plot(np.random.randn(5) + torch.randn(5).numpy())  # noqa: NPY002
    return f"{np.random.rand():.6f}"  # noqa: NPY002


def test_a_seed_inside_makes_the_picture_and_leaves_the_readers_numbers_alone() -> None:
    def numbers() -> tuple[float, float]:
        return float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002

    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    alone = numbers()
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    noises = panel(noise, f=[1, 2])
    noises.f = 1
    first = noises.words
    noises.f = 2
    noises.f = 1
    noises._on_message(noises, {"kind": "hello", "view": "v", "scale": 1, "width": 400}, [])  # the page is resized
    assert noises.words == first
    assert numbers() == alone


# What is told


def no_words(ax: Axes, f: int) -> None:
    ax.plot([0, f])


def the_line(ax: Axes, f: int) -> Any:
    return ax.plot([0, f])


def with_pyplot(ax: Axes, f: int) -> str:
    plt.plot([0, f])
    return "drawn"


def without_a_picture(f: int) -> str:
    return "drawn"


def sized(ax: Axes, size: int) -> str:
    return "drawn"


def worded(ax: Axes, words: int) -> str:
    return "drawn"


@pytest.mark.parametrize(
    ("function", "given", "told"),
    [
        (no_words, {"f": [1, 2]}, "no_words returned None; let it end with `return`"),
        (the_line, {"f": [1, 2]}, r"the_line returned \[<matplotlib"),
        (with_pyplot, {"f": [1, 2]}, "draws with plt.*draw with ax instead"),
        (without_a_picture, {"f": [1, 2]}, r"needs a first argument named ax.*def without_a_picture\(ax, f\)"),
        ("wave", {"f": [1, 2]}, "panel needs a function.*got 'wave'"),
        (wave, {"g": [1, 2]}, "wave has no argument g; it has f"),
        (said, {}, r"said has the argument k, but no values for it; add k=\[...\]"),
        (wave, {"f": 3}, "no control can be made of f=3; give the values"),
        (wave, {"f": []}, "no control can be made of f="),
        (wave, {"f": {1, 2}}, "no control can be made of f="),
        (wave, {"f": np.float64(2)}, "no control can be made of f="),
        (wave, {"f": [2, 3]}, "f must be a number between 2 and 3, got 1"),
        (said, {"k": [lambda: 1, lambda: 2]}, "several options of k would read the same; name them"),
        (said, {"k": [1, "1"]}, "several options of k would read the same"),
        (wave, {"f": Slider(name="g", label="g", values=[1])}, "f was given a control that is named 'g'"),
        (sized, {}, "sized cannot have an argument named size"),
        (worded, {"words": [1, 2]}, "cannot be named 'words'"),
    ],
)
def test_what_does_not_work_is_told_in_a_sentence(function: Any, given: dict[str, Any], told: str) -> None:
    with pytest.raises((ValueError, TypeError), match=told) as caught:
        panel(function, **given)
    assert "\n" not in str(caught.value)
    assert plt.get_fignums() == []


def test_an_error_of_the_function_is_the_readers_own_and_gone_after_the_next_move() -> None:
    def inverse(ax: Axes, f: int) -> str:
        ax.plot([0, 1 / f])
        return f"{1 / f:g}"

    inverses = panel(inverse, f=Slider(name="f", label="f", values=[0, 1, 2], value=2))
    inverses.f = 0
    assert isinstance(inverses.error, ZeroDivisionError)
    assert "in inverse" in inverses._error["traceback"]
    inverses.f = 1
    assert (inverses.error, inverses.words) == (None, "1")
    with pytest.raises(ZeroDivisionError):
        panel(inverse, f=[-1, 0, 1])


def test_a_function_with_some_arguments_filled_in_is_a_function() -> None:
    def power(ax: Axes, n: int, f: int) -> str:
        return f"{f**n}"

    assert panel(functools.partial(power, n=2), f=[3, 4]).words == "16"
    assert panel(lambda ax, f: f"{f}", f=[3, 4], title="A line").words == "4"


def test_a_panel_is_made_by_a_call_and_not_by_a_decorator() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'function'"):
        panel(f=range(1, 9))  # type: ignore[call-arg]
