"""Which units a network can do without: those that nobody reads, and those that have the same value for every input.

A unit is dead if each layer that reads it has zero weights for it (counted over the outputs that live), or can add its
constant value to the bias. Since a dead output makes the inputs that it alone reads dead, this repeats until nothing
changes. One unit of each layer stays, for layers of size 0 are not allowed everywhere.
"""

import torch
from torch import Tensor

from course_utils.methods.narrow.channels import Channels, Units
from course_utils.methods.narrow.flow import Flow
from course_utils.methods.narrow.layers import Layer

__all__ = ["dead_units", "living", "would_be_dead"]


def dead_units(flow: Flow) -> set[int]:
    """The units to remove, each by the one that stands for all that are tied to it."""
    staying = set(flow.units.staying())
    while True:
        dead = _without(flow, staying)
        emptied = [
            positions
            for layer in flow.layers
            for positions in (layer.out, layer.read.units if layer.read else [])
            if positions and all(flow.units.find(unit) in dead for unit in positions)
        ]
        if not emptied:
            return dead
        staying.add(flow.units.find(emptied[-1][0]))  # the last layer first, for it needs others


def would_be_dead(flow: Flow) -> dict[int, str]:
    """The units that only something else than their weights keeps, with the reason: constant, or read by nobody."""
    read = {flow.units.find(u) for layer in flow.layers if layer.read for u in layer.read.units}
    constant = {
        flow.units.find(unit)
        for layer in flow.layers
        for unit, is_known in zip(layer.out, layer.made.known.tolist(), strict=True)
        if is_known
    }
    dead = _without(flow, set())
    return {unit: why for unit, why in flow.units.staying().items() if unit in dead and unit in read | constant}


def living(positions: list[int], dead: set[int], units: Units) -> Tensor:
    """Which of the positions stay, as indices."""
    stays = [i for i, unit in enumerate(positions) if units.find(unit) not in dead]
    return torch.tensor(stays, dtype=torch.long)


def _without(flow: Flow, staying: set[int]) -> set[int]:
    find = flow.units.find
    dead: set[int] = set()
    while True:
        needed = set(staying)
        for layer in flow.layers:
            if layer.read is not None:
                units = [find(unit) for unit in layer.read.units]
                needed.update(units[p] for p in _needed(layer, layer.read, living(layer.out, dead, flow.units)))
        everything = {find(unit) for layer in flow.layers for unit in layer.out}
        if everything - needed == dead:
            return dead
        dead = everything - needed


def _needed(layer: Layer, x: Channels, outputs: Tensor) -> list[int]:
    assert layer.connects is not None
    folded = x.known & ((x.value == 0) | layer.foldable)
    return (layer.connects[outputs].any(0) & ~folded).nonzero().flatten().tolist()
