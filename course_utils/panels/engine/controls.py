"""The controls of a panel, as plain data: a name for the code, a label for the eye, and the values allowed.

A control knows nothing of widgets. It turns what the front end sends into a value (`read`), describes itself to the
front end (`spec`), and names the values that a test or an exported page should try (`probe`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Button", "Choice", "Control", "Slider", "Text", "Toggle"]


@dataclass(frozen=True, kw_only=True)
class Control:
    """What all controls share: `name` is the argument of the compute function, `label` what the reader sees."""

    name: str
    label: str
    value: Any = None

    def read(self, raw: Any) -> Any:
        """The value that `raw` stands for; ValueError where it is not allowed."""
        raise NotImplementedError

    def spec(self) -> dict[str, Any]:
        """The control as the front end needs it, in JSON types."""
        return {"kind": type(self).__name__.lower(), "name": self.name, "label": self.label, "value": self.value}

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

    values: Sequence[float]
    unit: str = ""
    texts: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"slider {self.name!r} has no values; give it at least one number")
        if self.texts is not None and len(self.texts) != len(self.values):
            raise ValueError(f"slider {self.name!r} has {len(self.values)} values but {len(self.texts)} texts")
        if self.value is None:
            object.__setattr__(self, "value", self.values[len(self.values) // 2])
        object.__setattr__(self, "value", self.read(self.value))

    def read(self, raw: Any) -> float:
        """The nearest number on the slider; a number off its ends is refused."""
        low, high = min(self.values), max(self.values)
        slack = 1e-9 * max(abs(low), abs(high))
        if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not low - slack <= raw <= high + slack:
            raise ValueError(f"{self.name} must be a number between {low:g} and {high:g}, got {raw!r}")
        return min(self.values, key=lambda v: abs(v - raw))

    def spec(self) -> dict[str, Any]:
        texts = self.texts or [f"{_short(v)}{self.unit}" for v in self.values]
        return super().spec() | {"values": list(self.values), "texts": list(texts)}

    def probe(self) -> list[float]:
        n = len(self.values)
        return [self.values[i] for i in sorted({0, n // 2, n - 1})]


def _short(value: float) -> str:
    """Three digits, and no power of ten for thousands: 0.125, 250, 1,000."""
    text = f"{value:.3g}"
    return f"{value:,.0f}" if "e+" in text else text


@dataclass(frozen=True, kw_only=True)
class Choice(Control):
    """One of a few named options; `options` maps what the reader sees to what the code gets.

    >>> Choice(name="kind", label="Penalty", options={"lasso": "l1", "ridge": "l2"}).value
    'l1'
    """

    options: dict[str, Any]

    def __post_init__(self) -> None:
        if self.value is None:
            object.__setattr__(self, "value", next(iter(self.options.values())))
        object.__setattr__(self, "value", self.read(self.value))

    def read(self, raw: Any) -> Any:
        if raw not in self.options.values():
            raise ValueError(f"{self.name} must be one of {list(self.options.values())}, got {raw!r}")
        return raw

    def spec(self) -> dict[str, Any]:
        return super().spec() | {"options": [[text, value] for text, value in self.options.items()]}

    def probe(self) -> list[Any]:
        return list(self.options.values())


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
class Button(Control):
    """Does something again: its value counts the presses, so the compute function stays a pure function."""

    value: int = 0

    def read(self, raw: Any) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
            raise ValueError(f"{self.name} counts presses and must be a whole number from 0, got {raw!r}")
        return raw

    def probe(self) -> list[int]:
        return [0, 1]
