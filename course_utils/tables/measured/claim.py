"""A published number and the one that was measured in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

__all__ = ["Claim", "spread"]


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """The mean, with the standard deviation over the seeds where there are several.

    >>> spread([1.0, 1.2, 1.1]), spread([2.0]), spread([-0.1, -0.3], "+.1f")
    ('1.10 ± 0.10', '2.00', '−0.2 ± 0.1')
    """
    text = format(mean(values), form).replace("-", "−")
    return f"{text} ± {format(stdev(values), form.lstrip('+'))}" if len(values) > 1 else text


@dataclass(frozen=True)
class Claim:
    """A published number, and what was measured here in its place, one number for each seed.

    published: as printed, since its digits say how exact it is. quantity: what is counted, with its unit. best: what no
    method could beat, 0 for errors and 100 for an accuracy in percent; None where only the same number is right, as for
    parameters. note: why the two cannot be compared; empty where they can. records: where the measured numbers come
    from.
    """

    what: str
    quantity: str
    published: str
    measured: Sequence[float]
    best: float | None
    records: Sequence[Any] = ()
    note: str = ""

    @property
    def title(self) -> str:
        """What was measured, with its quantity where the words do not name it."""
        return self.what if self.quantity in self.what else f"{self.what}, {self.quantity}"

    @property
    def target(self) -> float:
        """The published number."""
        return float(self.published.replace(",", ""))

    @property
    def value(self) -> float:
        """The mean over the seeds."""
        return mean(self.measured)

    @property
    def digits(self) -> int:
        """Digits after the decimal point of the published number."""
        return len(self.published.partition(".")[2])

    @property
    def reached(self) -> bool:
        """Whether the measured number, rounded as the published one is, is at least as good, or the same."""
        if self.best is None:
            return self.value == self.target
        return abs(self.best - round(self.value, self.digits)) <= abs(self.best - self.target) + 1e-9

    @property
    def in_spread(self) -> bool:
        """Whether the two differ by less than the standard deviation over the seeds."""
        return len(self.measured) > 1 and abs(self.value - self.target) < stdev(self.measured)

    @property
    def text(self) -> str:
        """The measured number with a digit more than the published one, and its spread over the seeds."""
        is_count = len(self.measured) == 1 and not self.digits  # a single count has no further digits
        return spread(self.measured, f",.{0 if is_count else self.digits + 1}f")

    def times(self, value: float) -> float:
        """How far `value` is from the best, as a multiple of how far the published number is: 2 for twice the errors.

        Without a best it is the multiple of the published number.

        >>> claim = Claim("stochastic", "accuracy (%)", "98.0", [99.0], best=100)
        >>> claim.times(99.0), claim.times(96.0)
        (0.5, 2.0)
        """
        best = self.best or 0.0
        return abs(best - value) / abs(best - self.target)
