"""A grid world for reinforcement learning, and what is best in it, by dynamic programming.

A step on the goal, the treat or a pit ends the episode. With probability `wind` the wind takes a step over, and it
blows downwards. A step against a wall or off the grid leads nowhere.

    Q*(s, a) = sum_s' P(s' | s, a) (r(s') + gamma max_a' Q*(s', a')),    and nothing follows after an end
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["ACTIONS", "CELLS", "COLUMNS", "DOWN", "KINDS", "REWARDS", "ROWS", "START", "Reward", "World", "make_world"]

MAP = (
    ".......",
    ".##...G",
    "S.T.PP.",
    ".##.##.",
    ".......",
)
KINDS = {".": "floor", "S": "floor", "#": "wall", "G": "goal", "T": "treat", "P": "pit"}
REWARDS = {"floor": 0.0, "treat": 0.3, "goal": 1.0, "pit": -1.0}
ROWS, COLUMNS = len(MAP), len(MAP[0])
CELLS = "".join(MAP)
START = CELLS.index("S")
ACTIONS = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}
DOWN = list(ACTIONS).index("down")

Reward = Callable[[str, int, int], Any]


@dataclass(frozen=True, eq=False)
class World:
    """Cells are numbered row by row. `moves` (cells, 4): where each action leads without wind; `rewards` (cells,): of
    each cell for an arrival there; `ends` (cells,): whether the episode is over there."""

    moves: np.ndarray
    rewards: np.ndarray
    ends: np.ndarray
    wind: float

    def best(self, gamma: float) -> np.ndarray:
        """Q* of shape (cells, 4), by value iteration; what follows an end is worth nothing."""
        q = np.zeros(self.moves.shape)
        for _ in range(3000):
            after = self.after(q.max(1), gamma)
            if np.abs(after - q).max() < 1e-10:
                break
            q = after
        return q

    def after(self, values: np.ndarray, gamma: float) -> np.ndarray:
        """One step ahead: the expected r + gamma values[s'] of each action in each cell."""
        worth = self.rewards + gamma * np.where(self.ends, 0.0, values)
        return (1 - self.wind) * worth[self.moves] + self.wind * worth[self.moves[:, [DOWN]]]

    def value_of(self, policy: np.ndarray, gamma: float) -> np.ndarray:
        """The expected return of each cell (cells,) for an agent that takes action policy[s] in cell s."""
        values, cells = np.zeros(len(policy)), np.arange(len(policy))
        for _ in range(3000):
            after = self.after(values, gamma)[cells, policy]
            if np.abs(after - values).max() < 1e-10:
                break
            values = after
        return values


def make_world(*, wind: float = 0.0, reward: Reward | None = None) -> World:
    """The world of MAP with so much wind.

    `reward`: your own ``reward(kind, row, column)`` for the cell that is reached, in the place of REWARDS.

    Raises: ValueError if `reward` does not return a finite number.

    >>> world = make_world()
    >>> float(world.best(0.9)[START].max().round(4)), round(0.9**8, 4)
    (0.4305, 0.4305)
    """
    moves = np.zeros((len(CELLS), 4), np.int64)
    rewards = np.zeros(len(CELLS))
    for cell, symbol in enumerate(CELLS):
        row, column = divmod(cell, COLUMNS)
        if symbol != "#":
            rewards[cell] = _reward(reward, KINDS[symbol], row, column)
        for action, (down, right) in enumerate(ACTIONS.values()):
            moves[cell, action] = _neighbour(row + down, column + right, otherwise=cell)
    ends = np.array([symbol in "GTP" for symbol in CELLS])
    return World(moves, rewards, ends, wind)


def _neighbour(row: int, column: int, *, otherwise: int) -> int:
    """The number of a cell; `otherwise` for a wall and off the grid."""
    free = 0 <= row < ROWS and 0 <= column < COLUMNS and MAP[row][column] != "#"
    return row * COLUMNS + column if free else otherwise


def _reward(reward: Reward | None, kind: str, row: int, column: int) -> float:
    if reward is None:
        return REWARDS[kind]
    answer = reward(kind, row, column)
    try:
        number = float(answer)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise ValueError(
            f"reward must return a finite number for each cell, got {answer!r} for {kind} ({row}, {column})"
        )
    return number
