"""Channels of all tensors of a network: which are one and the same unit, and which are constant.

A unit is what can be removed: a neuron, a channel, or several that only go together, because they are added to each
other (residual connections). Each tensor of the graph with a dimension of channels says which unit each position is.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["Channels", "Units"]


@dataclass(frozen=True)
class Channels:
    """The dimension `dim` of a tensor: the unit of each position, and its value where that is always the same.

    `known` (C,) bool; `value` (C,) float64, 0 where it is not known.
    """

    dim: int
    units: list[int]
    known: Tensor
    value: Tensor

    @staticmethod
    def varying(dim: int, units: list[int]) -> "Channels":
        """Channels of which no value is known."""
        size = len(units)
        return Channels(dim, units, torch.zeros(size, dtype=torch.bool), torch.zeros(size, dtype=torch.float64))

    def with_values(self, known: Tensor, value: Tensor) -> "Channels":
        """The same units with other values."""
        value = value.detach().double().cpu()
        known = known.cpu() & value.isfinite()  # infinity minus infinity is not a constant to calculate with
        return Channels(self.dim, self.units, known, torch.where(known, value, 0.0))

    def at(self, dim: int) -> "Channels":
        """The same channels in another dimension."""
        return Channels(dim, self.units, self.known, self.value)


@dataclass
class Units:
    """All units, as a union-find structure; `stay`: why a unit cannot be removed.

    >>> units = Units()
    >>> a, b = units.new(2), units.new(2)
    >>> units.tie(a, b)
    >>> units.find(a[1]) == units.find(b[1]), units.find(a[0]) == units.find(a[1])
    (True, False)
    """

    parent: list[int] = field(default_factory=list)
    stay: dict[int, str] = field(default_factory=dict)

    def new(self, count: int) -> list[int]:
        """So many units that have nothing to do with each other."""
        first = len(self.parent)
        self.parent += range(first, first + count)
        return list(range(first, first + count))

    def find(self, unit: int) -> int:
        """The unit that stands for all that are tied to this one."""
        while self.parent[unit] != unit:
            self.parent[unit] = self.parent[self.parent[unit]]
            unit = self.parent[unit]
        return unit

    def tie(self, first: list[int], second: list[int]) -> None:
        """What is at the same position of both lists can only be removed together."""
        for a, b in zip(first, second, strict=True):
            self.parent[self.find(a)] = self.find(b)

    def keep(self, units: list[int], reason: str) -> None:
        """These units stay."""
        for unit in units:
            self.stay.setdefault(unit, reason)

    def staying(self) -> dict[int, str]:
        """The reasons by the units that stand for others."""
        return {self.find(unit): reason for unit, reason in reversed(self.stay.items())}
