"""A plain plotting function as a live panel, in one line."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any, NoReturn
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from course_utils.panels.engine.controls import Choice, Control, Slider, Text, Toggle, plain
from course_utils.panels.engine.sheet import Sheet
from course_utils.panels.engine.widget import Panel, Show

__all__ = ["panel"]

PICTURES = {"ax": False, "axes": False, "fig": True, "figure": True}  # the first argument, and whether it is a figure


def panel(
    function: Callable[..., str],
    /,
    *,
    title: str | None = None,
    size: tuple[int, int] = (960, 400),
    **controls: Any,
) -> Panel:
    """A live panel of a function that draws on `ax`, its first argument, and returns the words under the picture.

    Each further argument of the function gets a control, by what is given for it: numbers (a range, a list, an array)
    a slider, a dictionary or a list of anything else a list to choose from, True or False a switch, a text a field to
    type into. Where the function has a default, a slider or a list starts there. With ``figure`` as its first argument
    it is given the complete figure. The function draws everything anew at each move.

    `title`: over the panel; by default the function's name.
    `size`: width and height for which the picture is meant, in pixels of the page; it is laid out for the width that
    the page has. matplotlib's settings are the course's; the function may change them for itself.

    Raises: ValueError for what no control can be made of; TypeError where the function returns no words.

    >>> def wave(ax, f, kind="sin"):
    ...     x = np.linspace(0, 1, 200)
    ...     ax.plot(x, getattr(np, kind)(2 * np.pi * f * x))
    ...     return f"{kind} with {f} periods."
    >>> waves = panel(wave, f=range(1, 9), kind=["cos", "sin"])
    >>> waves.f = 3
    >>> waves.words
    'sin with 3 periods.'
    """
    name = getattr(function, "__name__", type(function).__name__)
    first, defaults = arguments(function, name, list(controls))
    made = [control(key, given, defaults.get(key)) for key, given in controls.items()]

    def draw(figure: Figure) -> Show:
        assert isinstance(figure, Sheet)
        figure.keeps = False

        def show(values: dict[str, Any]) -> str:
            figure.clear()
            with elsewhere(name, first):
                words = function(figure if PICTURES[first] else figure.subplots(), **values)
            if not isinstance(words, str):
                raise TypeError(
                    f"{name} returned {words!r:.60}; let it end with `return` and the words that stand under the "
                    f'picture, such as return f"{{{next(iter(values), "x")}}}"'
                )
            figure.arrange()
            return words

        return show

    return Panel(title or name.replace("_", " ").capitalize(), made, dict, draw, size=size)


@contextmanager
def elsewhere(name: str, first: str) -> Iterator[None]:
    """Refuse what pyplot draws: it goes into a figure of its own, and the panel stays empty."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"{name} draws with plt, which is another picture than the panel's; draw with {first} instead, or with "
            f"{first if PICTURES[first] else first + '.figure'} for a colour bar or a title above all plots"
        )

    def close(*_: Any) -> None:
        """Many end with it; here it would close a figure of theirs."""

    with patch.object(plt, "figure", refuse), patch.object(plt, "gcf", refuse), patch.object(plt, "close", close):
        yield


def arguments(function: Callable[..., str], name: str, controls: list[str]) -> tuple[str, dict[str, Any]]:
    """The name of a function's first argument, which takes the picture, and the defaults of the others."""
    if not callable(function):
        raise TypeError(f"panel needs a function that draws on its first argument, ax, got {function!r:.60}")
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].name not in PICTURES:
        raise ValueError(
            f"{name} needs a first argument named ax, on which it draws: def {name}({', '.join(['ax', *controls])})"
        )
    others = {p.name: p.default for p in parameters[1:] if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    for key in ("title", "size"):
        if key in others:
            raise ValueError(f"{name} cannot have an argument named {key}, which says what panel() makes; rename it")
    missing = [key for key, default in others.items() if default is inspect.Parameter.empty and key not in controls]
    if missing:
        raise ValueError(f"{name} has the argument {missing[0]}, but no values for it; add {missing[0]}=[...]")
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    unknown = [key for key in controls if key not in others and not takes_all]
    if unknown:
        raise ValueError(f"{name} has no argument {unknown[0]}; it has {', '.join(others) or 'none but the picture'}")
    return parameters[0].name, {k: v for k, v in others.items() if v is not inspect.Parameter.empty}


def control(name: str, given: Any, start: Any = None) -> Control:
    """The control for what a reader gives: see `panel`.

    >>> type(control("f", np.linspace(0, 1, 5))).__name__, type(control("f", [abs, max])).__name__
    ('Slider', 'Choice')
    """
    label = name.replace("_", " ")
    if isinstance(given, Control):
        if given.name != name:
            raise ValueError(f"{name} was given a control that is named {given.name!r}; give both the same name")
        return given
    if isinstance(given, (bool, np.bool_)):
        return Toggle(name=name, label=label, value=bool(given))
    if isinstance(given, str):
        return Text(name=name, label=label, value=given)
    if isinstance(given, Mapping) and given:
        return Choice(name=name, label=label, options={str(k): v for k, v in given.items()}, value=start)
    several = isinstance(given, Sequence) or (hasattr(given, "__array__") and getattr(given, "ndim", 0) > 0)
    if not several or not len(given):
        raise ValueError(
            f"no control can be made of {name}={given!r}; give the values to choose from: numbers for a slider, a list "
            "or a dictionary for a choice, True or False for a switch, a text for a field"
        )
    values = [plain(value) for value in given]
    if all(isinstance(value, bool) for value in values):
        return Toggle(name=name, label=label, value=values[0] if start is None else start)
    if all(isinstance(value, Real) and not isinstance(value, bool) for value in values):
        return Slider(name=name, label=label, values=values, value=start)
    options = {text(value): value for value in values}
    if len(options) < len(values):
        raise ValueError(
            f"several options of {name} would read the same; name them: {name}={{'one': ..., 'another': ...}}"
        )
    return Choice(name=name, label=label, options=options, value=start)


def text(value: Any) -> str:
    """What a reader sees of an option: a function by its name."""
    return getattr(value, "__name__", str(value))
