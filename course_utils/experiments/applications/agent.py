"""An agent that learns in the grid world, and how good it is by dynamic programming."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from course_utils.experiments.applications.dqn import Epsilon, Learning, learn, q_network
from course_utils.experiments.applications.gridworld import CELLS, START, World, make_world
from course_utils.experiments.applications.miniature import on_one_thread, size_in_words
from course_utils.experiments.lesson import last

__all__ = ["Agent", "Progress", "agent", "best_return", "falling", "greedy_path", "greedy_return", "train_agent"]


class Agent(NamedTuple):
    """A trained agent: what it learned, its world, its discount."""

    learning: Learning
    world: World
    gamma: float

    @property
    def quality(self) -> tuple[float, float]:
        """The expected return from S of the greedy policy, and the best possible one."""
        return greedy_return(self.learning, self.world, self.gamma), best_return(self.world, self.gamma)

    def __repr__(self) -> str:
        value, best = self.quality
        return (
            f"reinforcement learning: {size_in_words(q_network(len(CELLS)))}; {len(self.learning.returns)} "
            f"episodes; the greedy policy is worth {value:.3f}, at best {best:.3f}"
        )


@lru_cache(maxsize=1)
def agent() -> Agent:
    """The agent of the panel's start, trained once in a process."""
    world = make_world()
    learning = last(on_one_thread(learn(world, gamma=0.9, epsilon=falling(0.1))))
    return Agent(learning, world, 0.9)


def falling(last: float) -> Epsilon:
    """A schedule: all actions at random at first, then fewer, and from half of the training on a share of `last`.

    >>> [falling(0.1)(share) for share in (0, 0.25, 0.5, 1)]
    [1.0, 0.55, 0.1, 0.1]
    """
    return lambda share: max(last, 1 - 2 * (1 - last) * share)


def greedy_return(learning: Learning, world: World, gamma: float) -> float:
    """The expected discounted return from S of the greedy policy."""
    return float(world.value_of(learning.q.argmax(1), gamma)[START])


def best_return(world: World, gamma: float) -> float:
    """The expected return from S of the best policy."""
    return float(world.best(gamma)[START].max())


class Progress(NamedTuple):
    """How far an agent is; lists are copies, because its learning goes on."""

    q: np.ndarray
    rewards: np.ndarray
    path: list[int]  # of the greedy policy without wind
    step: int
    epsilons: list[tuple[int, float]]  # (step, epsilon)
    ends: list[int]
    returns: list[float]
    value: float  # the expected return from S of the greedy policy
    best: float  # that of the best policy


def train_agent(world: World, *, gamma: float, epsilon: Epsilon, **settings: Any) -> Iterator[Progress | None]:
    """Deep Q-learning; yields how far the agent is at the start and after every 200 steps; None in a pause between.

    `settings`: of `learn`.
    """
    best, epsilons = best_return(world, gamma), []
    for learning in on_one_thread(learn(world, gamma=gamma, epsilon=epsilon, **settings)):
        if learning is None:
            yield None
            continue
        epsilons.append((learning.step, learning.epsilon))
        yield Progress(
            q=learning.q,
            rewards=world.rewards,
            path=greedy_path(learning.q, world),
            step=learning.step,
            epsilons=list(epsilons),
            ends=list(learning.ends),
            returns=list(learning.returns),
            value=greedy_return(learning, world, gamma),
            best=best,
        )


def greedy_path(q: np.ndarray, world: World) -> list[int]:
    """The cells on the way of a greedy agent from S without wind, until the end or the first cell seen twice."""
    path = [START]
    while not world.ends[path[-1]]:
        path.append(int(world.moves[path[-1], q[path[-1]].argmax()]))
        if path[-1] in path[:-1]:
            break
    return path
