"""The controls of a panel, as plain data: a name for the code, a label for the eye, and the values allowed.

A control knows nothing of widgets. It turns what it is given into an allowed value (`read`), describes itself to the
front end (`spec`), says a value in JSON (`to_json`), and names those that a test or an exported page should try
(`probe`).
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from course_utils.plots import number

__all__ = ["Button", "Choice", "Control", "Slider", "Text", "Toggle", "Train"]

MOST_VALUES = 10_000  # of a slider: more than it has pixels


@dataclass(frozen=True, kw_only=True)
class Control:
    """What all controls share: `name` is the argument of the compute function, `label` what the reader sees."""

    name: str
    label: str
    value: Any = None

    def read(self, raw: Any) -> Any:
        """The value that `raw` stands for; ValueError where it is not allowed."""
        raise NotImplementedError

    def to_json(self, value: Any) -> Any:
        """An allowed value as the front end knows it; `from_json` leads back."""
        return value

    def from_json(self, raw: Any) -> Any:
        """What the front end means, still to be read."""
        return raw

    def spec(self) -> dict[str, Any]:
        """The control as the front end needs it, in JSON types."""
        start = self.to_json(self.value)
        return {"kind": type(self).__name__.lower(), "name": self.name, "label": self.label, "value": start}

    def probe(self) -> list[Any]:
        """Values worth trying: the ends and the middle, or every one where they are few."""
        return [self.value]


@dataclass(frozen=True, kw_only=True)
class Slider(Control):
    """A slider over an explicit list of numbers, so linear, logarithmic and whole-number scales are one thing.

    `texts` says how each number is shown; by default with three significant digits and `unit`.

    >>> Slider(name="bits", label="Bits b", values=[2, 4, 8]).probe()
    [2, 4, 8]
    """

    values: Sequence[float] | np.ndarray
    unit: str = ""
    texts: Sequence[str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", [plain(value) for value in self.values])
        if not self.values:
            raise ValueError(f"slider {self.name!r} has no values; give it at least one number")
        if len(self.values) > MOST_VALUES:
            raise ValueError(f"slider {self.name!r} has {len(self.values):,} values; give it at most {MOST_VALUES:,}")
        if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in self.values):
            raise ValueError(f"slider {self.name!r} takes finite numbers only, got {list(self.values)!r:.80}")
        if self.texts is not None and len(self.texts) != len(self.values):
            raise ValueError(f"slider {self.name!r} has {len(self.values)} values but {len(self.texts)} texts")
        if self.value is None:
            object.__setattr__(self, "value", self.values[len(self.values) // 2])
        start = self.read(self.value)
        if abs(start - self.value) > 1e-9 * abs(start):
            warnings.warn(f"{self.name} starts at {start:g}: {self.value:g} is not on its slider", stacklevel=4)
        object.__setattr__(self, "value", start)

    def read(self, raw: Any) -> float:
        """The nearest number on the slider; a number off its ends is refused."""
        raw = plain(raw)
        low, high = min(self.values), max(self.values)
        slack = 1e-9 * max(abs(low), abs(high))
        if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not low - slack <= raw <= high + slack:
            raise ValueError(f"{self.name} must be a number between {low:g} and {high:g}, got {raw!r}")
        return min(self.values, key=lambda v: abs(v - raw))

    def spec(self) -> dict[str, Any]:
        texts = self.texts or [f"{text}{self.unit}" for text in short(self.values)]
        return super().spec() | {"values": list(self.values), "texts": list(texts)}

    def probe(self) -> list[float]:
        n = len(self.values)
        return [self.values[i] for i in sorted({0, n // 2, n - 1})]


def plain(value: Any) -> Any:
    """A number of NumPy's or PyTorch's as Python's own."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def short(values: Sequence[float] | np.ndarray) -> list[str]:
    """Numbers with three digits, or with as many as tell them apart; large ones in full.

    >>> short([0.125, 250, 1e-5]), short([10_000, 20_000]), short([2015, 2016]), short([1000, 1000.5])
    (['0.125', '250', '1 × 10⁻⁵'], ['10,000', '20,000'], ['2015', '2016'], ['1000', '1000.5'])
    """
    comma = "," if max(map(abs, values)) >= 10_000 else ""  # not in years
    ordered = sorted(set(values))
    near = 0.1 * min((b - a for a, b in pairwise(ordered)), default=math.inf)
    for digits in range(3, 17):
        rounded = [float(f"{value:.{max(digits, len(str(int(abs(value)))))}g}") for value in values]
        if all(abs(value - round_) <= near for value, round_ in zip(values, rounded, strict=True)):
            break
    return [number(value, f"{comma}.16g" if abs(value) >= 1000 else f".{digits}g") for value in rounded]


@dataclass(frozen=True, kw_only=True)
class Choice(Control):
    """One of a few named options; `options` maps what the reader sees to what the code gets, which may be anything.

    The front end knows an option by its text, and code may name it so too.

    >>> kind = Choice(name="kind", label="Penalty", options={"lasso": "l1", "ridge": "l2"})
    >>> kind.value, kind.read("ridge"), kind.to_json("l2")
    ('l1', 'l2', 'ridge')
    """

    options: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.options, dict) or not self.options:
            raise ValueError(f"choice {self.name!r} takes a dictionary, {{text: value}}, got {self.options!r:.60}")
        for (first, one), (second, other) in combinations(self.options.items(), 2):
            if same(one, other):
                raise ValueError(f"the options {first!r} and {second!r} of {self.name!r} are one value; leave one out")
        if self.value is None:
            object.__setattr__(self, "value", next(iter(self.options.values())))
        object.__setattr__(self, "value", self.read(self.value))

    def read(self, raw: Any) -> Any:
        """The option that `raw` is, or whose text it is."""
        for value in self.options.values():
            if same(value, raw):
                return value
        if isinstance(raw, str) and raw in self.options:
            return self.options[raw]
        raise ValueError(f"{self.name} must be one of {list(self.options.values())}, got {raw!r}")

    def to_json(self, value: Any) -> str:
        return next(text for text, option in self.options.items() if same(option, value))

    def from_json(self, raw: Any) -> Any:
        return self.options.get(raw, raw) if isinstance(raw, str) else raw

    def spec(self) -> dict[str, Any]:
        return super().spec() | {"options": list(self.options)}

    def probe(self) -> list[Any]:
        return list(self.options.values())


def same(a: Any, b: Any) -> bool:
    """Whether two options are one; of arrays, whether they are one object.

    >>> import numpy
    >>> same((1, 2), (1, 2)), same(1.0, 1), same(True, 1), same(numpy.zeros(2), numpy.zeros(2))
    (True, True, False, False)
    """
    if a is b:
        return True
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    equal = a == b
    return equal if isinstance(equal, bool) else False


@dataclass(frozen=True, kw_only=True)
class Toggle(Control):
    """On or off."""

    value: bool = False

    def read(self, raw: Any) -> bool:
        if not isinstance(raw, bool):
            raise ValueError(f"{self.name} must be True or False, got {raw!r}")
        return raw

    def probe(self) -> list[bool]:
        return [False, True]


@dataclass(frozen=True, kw_only=True)
class Text(Control):
    """A short text that the reader types; what it may say is for the compute function to check."""

    value: str = ""
    max_length: int = 200

    def read(self, raw: Any) -> str:
        if not isinstance(raw, str) or len(raw) > self.max_length:
            raise ValueError(f"{self.name} must be a text of at most {self.max_length} characters, got {raw!r:.60}")
        return raw


@dataclass(frozen=True, kw_only=True)
class Train(Toggle):
    """Whether a network trains before the reader's eyes: the buttons *Train*, *Stop* and *Again*."""

    name: str = "train"
    label: str = "Train"


@dataclass(frozen=True, kw_only=True)
class Button(Control):
    """Does something again: its value counts the presses, so the compute function stays a pure function."""

    value: int = 0

    def read(self, raw: Any) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
            raise ValueError(f"{self.name} counts presses and must be a whole number from 0, got {raw!r}")
        return raw

    def probe(self) -> list[int]:
        return [0, 1]
