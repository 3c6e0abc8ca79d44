"""Which settings of a panel's controls an exported page holds.

A page cannot compute, so its settings have to be chosen. The choice counts pictures and reads no clock: the same
notebook gives the same page on every machine. Small panels are held completely. Of a larger one the sliders are thinned
evenly, but keep their ends and their start, until all combinations fit; where the controls are too many for that, the
page holds what lies at most k controls away from the start.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils.panels.engine import Button, Choice, Control, Slider, Text, Toggle

__all__ = ["Costs", "Grid", "all_settings", "choose", "levels_of", "thinner"]

PRESSES = 4  # of a button: its start, and three more
FLOORS = (6, 4, 3)  # a slider keeps so many values before fewer combinations are held
FIRST = 2  # the first slider of a panel is its subject: it is thinned last, and keeps this many times as many values

Setting = tuple[int, ...]  # for each control the number of its level


@dataclass(frozen=True)
class Grid:
    """`levels`: the values on offer, for each control; a setting is held if at most `away` controls leave the start.

    Controls that are `free` do not count: whether a network trains or not, the others have the same values on offer.

    >>> grid = Grid({"a": [1, 2, 3], "b": [False, True]}, (0, 0), 1)
    >>> list(grid.settings())
    [(0, 0), (1, 0), (2, 0), (0, 1)]
    >>> grid.values((2, 0))
    {'a': 3, 'b': False}
    """

    levels: Mapping[str, Sequence[Any]]
    start: Setting
    away: int
    free: frozenset[str] = frozenset()

    def __len__(self) -> int:
        """How many settings there are, without listing them: the elementary symmetric polynomials of the axes."""
        ways = [1] + [0] * self.away
        for name, values in self.levels.items():
            if name in self.free:
                ways = [n * len(values) for n in ways]
                continue
            for k in range(self.away, 0, -1):
                ways[k] += ways[k - 1] * (len(values) - 1)
        return sum(ways)

    def settings(self) -> Iterator[Setting]:
        """All settings that are held, those near the start first."""
        sizes = [len(values) for values in self.levels.values()]
        away = [[i for i in range(size) if i != at] for size, at in zip(sizes, self.start, strict=True)]
        free = [axis for axis, name in enumerate(self.levels) if name in self.free]
        bound = [axis for axis in range(len(sizes)) if axis not in free]
        for moved in range(min(self.away, len(bound)) + 1):
            for axes in itertools.combinations(bound, moved):
                for chosen in itertools.product(*(away[axis] for axis in axes)):
                    for freely in itertools.product(*(range(sizes[axis]) for axis in free)):
                        setting = list(self.start)
                        for axis, level in zip((*axes, *free), (*chosen, *freely), strict=True):
                            setting[axis] = level
                        yield tuple(setting)

    def values(self, setting: Setting) -> dict[str, Any]:
        """The values of the controls in a setting."""
        return {name: levels[i] for (name, levels), i in zip(self.levels.items(), setting, strict=True)}


@dataclass(frozen=True)
class Costs:
    """What a setting costs: one picture, or a film of `film` pictures for each combination of the `trained` controls.

    `switches`: toggles without which nothing trains; where there are none, every setting may train.
    """

    film: int = 1
    trained: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()

    def of(self, grid: Grid) -> int:
        """The pictures of a grid, as far as they can be known beforehand."""
        if self.film <= 1 or not self.trained:
            return len(grid)
        names = list(grid.levels)
        keys = [i for i, name in enumerate(names) if name in self.trained]
        switches = [i for i, name in enumerate(names) if name in self.switches]
        films = {
            tuple(setting[i] for i in keys)
            for setting in grid.settings()
            if not switches or any(setting[i] != grid.start[i] for i in switches)
        }
        return len(grid) + (self.film - 1) * len(films)


def levels_of(control: Control, start: Any) -> list[Any]:
    """Every value of a control that a page can hold, `start` among them; for a text only that one."""
    if isinstance(control, Slider):
        return list(control.values)
    if isinstance(control, Choice):
        return list(control.options.values())
    if isinstance(control, Toggle):
        return [False, True]
    if isinstance(control, Button):
        return list(range(start, start + PRESSES))
    return [start]


def all_settings(controls: Sequence[Control]) -> int:
    """How many settings the sliders, choices and toggles of a panel have; texts and buttons have no end."""
    ends = [levels_of(c, c.value) for c in controls if not isinstance(c, (Text, Button))]
    return math.prod(len(values) for values in ends)


def choose(controls: Sequence[Control], values: Mapping[str, Any], *, budget: int, costs: Costs | None = None) -> Grid:
    """The grid of at most `budget` pictures for a panel whose controls have these `values`."""
    levels = {c.name: levels_of(c, values[c.name]) for c in controls}
    start = tuple(options.index(values[name]) for name, options in levels.items())
    sliders = [c.name for c in controls if isinstance(c, Slider)]
    costs = costs or Costs()
    free = costs.switches if len(costs.switches) == 1 else frozenset()
    full = Grid(levels, start, len(levels) - len(free), free)
    keep = {c.name: {values[c.name], c.value} for c in controls if c.name in sliders}
    return thinner(full, sliders, keep=keep, budget=budget, costs=costs)


def thinner(
    full: Grid, sliders: Sequence[str], *, keep: Mapping[str, set[Any]], budget: int, costs: Costs | None = None
) -> Grid:
    """The part of a grid that costs at most `budget` pictures; fewer values first, then fewer moves from the start.

    `keep`: values that a slider offers in any case. The last resort, each control on its own with few values, may
    cost more than the budget.
    """
    cost = (costs or Costs()).of

    def fits(grid: Grid) -> bool:
        return len(grid) <= budget and cost(grid) <= budget

    if fits(full):
        return full
    grid = full
    for away, floor in _plans(full.away):
        sizes = {name: len(full.levels[name]) for name in sliders}
        while True:
            grid = _thinned(full, sizes, keep, away)
            if fits(grid):
                return grid
            weights = {name: FIRST if name == sliders[0] else 1 for name in sliders}
            larger = [name for name in sliders if sizes[name] > weights[name] * floor]
            if not larger:
                break
            widest = max(larger, key=lambda name: sizes[name] / weights[name])
            sizes[widest] -= 1
    return grid


def _plans(away: int) -> Iterator[tuple[int, int]]:
    """Pairs of how far from the start, and how few values a slider may keep."""
    for k in range(max(away, 1), 0, -1):
        for floor in FLOORS if k <= 2 else FLOORS[:2]:
            yield k, floor


def _thinned(full: Grid, sizes: Mapping[str, int], keep: Mapping[str, set[Any]], away: int) -> Grid:
    levels, start = {}, []
    for (name, values), at in zip(full.levels.items(), full.start, strict=True):
        if name in sizes:
            values = spread(values, sizes[name], keep=keep.get(name, set()) | {full.levels[name][at]})
        levels[name] = values
        start.append(list(values).index(full.levels[name][at]))
    return Grid(levels, tuple(start), away, full.free)


def spread(values: Sequence[Any], count: int, *, keep: set[Any]) -> list[Any]:
    """About `count` of the values, evenly, with both ends; those to keep take the places of their neighbours.

    >>> spread(range(11), 4, keep={4})
    [0, 4, 7, 10]
    """
    last = len(values) - 1
    if count > last:
        return list(values)
    chosen = {round(i * last / (count - 1)) for i in range(count)} if count > 1 else {0}
    required = {i for i, value in enumerate(values) if value in keep}
    for i in sorted(required - chosen):
        inner = chosen - required - {0, last}
        if inner:
            chosen.discard(min(inner, key=lambda k: (abs(k - i), k)))
        chosen.add(i)
    return [values[i] for i in sorted(chosen)]
