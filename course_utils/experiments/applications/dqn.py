"""Deep Q-learning: a network learns what each action is worth from the steps that it has taken.

    loss = (r + gamma max_a' Q_target(s', a') - Q(s, a))^2,    without the second term where s' ends the episode

over steps (s, a, r, s') drawn from a replay memory; Q_target is a copy of the network that is renewed now and then.
Source: Mnih et al. 2015, Nature 518:529.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.experiments.applications.gridworld import DOWN, START, World
from course_utils.experiments.applications.miniature import new_network
from course_utils.experiments.lesson import Pauses
from course_utils.models import mlp

__all__ = ["STEPS", "Epsilon", "Learning", "QLearner", "Replay", "learn", "q_network"]

STEPS = 5000  # of the agent in a whole training
LEARN_EVERY, BATCH = 2, 32
RENEW_EVERY = 100  # steps between two copies into the target network
LONGEST = 60  # steps of an episode, then it starts anew
YIELD_EVERY = 200

Epsilon = Callable[[float], Any]


class Replay:
    """The last `size` steps of an agent, of which any may be drawn again.

    >>> memory = Replay(2)
    >>> for step in ((0, 1, 0.0, 5), (5, 1, 0.0, 6), (6, 2, 1.0, 9)):
    ...     memory.add(*step)
    >>> len(memory), sorted(memory.draw(8, np.random.default_rng(0))[0].tolist())[0]
    (2, 5)
    """

    def __init__(self, size: int) -> None:
        self.size, self.added = size, 0
        self.cells = np.zeros((size, 3), np.int64)  # s, a, s'
        self.rewards = np.zeros(size, np.float32)

    def __len__(self) -> int:
        return min(self.added, self.size)

    def add(self, cell: int, action: int, reward: float, after: int) -> None:
        """Remember a step, and forget the oldest one if there is no more room."""
        at = self.added % self.size
        self.cells[at] = cell, action, after
        self.rewards[at] = reward
        self.added += 1

    def draw(self, count: int, generator: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """So many steps at random, as tensors s, a, r, s' of shape (count,)."""
        rows = generator.integers(len(self), size=count)
        cell, action, after = torch.from_numpy(self.cells[rows]).unbind(1)
        return cell, action, torch.from_numpy(self.rewards[rows]), after


@dataclass
class Learning:
    """What an agent knows so far: Q of shape (cells, 4), and the discounted return of each finished episode."""

    q: np.ndarray
    step: int = 0
    epsilon: float = 1.0
    ends: list[int] = field(default_factory=list)  # the step at which each episode was over
    returns: list[float] = field(default_factory=list)


def q_network(cells: int) -> nn.Sequential:
    """The network: a picture of the grid with a 1 where the agent is, to the value of four actions."""
    return mlp([cells, 32, 32, 4])


class QLearner:
    """The network that is trained, and the target that it is trained towards."""

    def __init__(self, world: World, *, gamma: float, lr: float, seed: int) -> None:
        self.world, self.gamma = world, gamma
        self.cells = torch.eye(len(world.rewards))
        self.model = new_network(lambda: q_network(len(world.rewards)), seed=seed)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr, fused=True)
        self.renew()

    def renew(self) -> None:
        """Copy the network into the target: of it only max_a Q(s, a) is ever needed."""
        self.target = best_of(self.model, self.world)

    @torch.no_grad()
    def table(self) -> np.ndarray:
        """Q of every cell and action; the grid is small enough for all of it."""
        return self.model(self.cells).numpy()

    def update(self, batch: tuple[Tensor, Tensor, Tensor, Tensor], *, lr: float) -> None:
        """One step of Adam on steps s, a, r, s' from the replay memory."""
        s, a, r, following = batch
        expected = r + self.gamma * self.target[following]
        predicted = self.model(self.cells[s]).gather(1, a[:, None])[:, 0]
        loss = (expected - predicted).square().mean()
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def learn(
    world: World,
    *,
    gamma: float,
    epsilon: Epsilon,
    lr: float = 0.003,
    memory: int = 5000,
    anywhere: bool = False,
    seed: int = 0,
    steps: int = STEPS,
) -> Iterator[Learning | None]:
    """Deep Q-learning for so many steps; yields what is known at the start and after every 200 steps.

    None in a pause between.

    `epsilon`: from the share of the training that is over to the probability of a random action. `memory`: steps that
    are remembered. `anywhere`: episodes start on any floor cell, and not at S.

    Raises: ValueError if `epsilon` does not return a number from 0 to 1.
    """
    generator = np.random.default_rng(seed)
    floor = np.flatnonzero(~world.ends & (world.moves != np.arange(len(world.rewards))[:, None]).any(1))
    learner, replay = QLearner(world, gamma=gamma, lr=lr, seed=seed), Replay(memory)
    learning, pauses = Learning(learner.table()), Pauses()
    yield learning
    cell, discount, total, taken = START, 1.0, 0.0, 0
    for step in range(1, steps + 1):
        learning.epsilon = _checked(epsilon, (step - 1) / steps)
        by_chance = generator.random() < learning.epsilon
        action = int(generator.integers(4)) if by_chance else int(learning.q[cell].argmax())
        after = int(world.moves[cell, DOWN if generator.random() < world.wind else action])
        reward = float(world.rewards[after])
        replay.add(cell, action, reward, after)
        total, discount, taken, cell = total + discount * reward, discount * gamma, taken + 1, after
        if world.ends[after] or taken == LONGEST:
            learning.ends.append(step)
            learning.returns.append(total)
            cell = int(generator.choice(floor)) if anywhere else START
            discount, total, taken = 1.0, 0.0, 0
        if step % LEARN_EVERY == 0 and step >= BATCH:
            # From half of the training on eta falls, so that values which lie close together can be told apart.
            learner.update(replay.draw(BATCH, generator), lr=lr * min(1.0, 2.02 - 2 * step / steps))
            learning.q = learner.table()
        if step % RENEW_EVERY == 0:
            learner.renew()
        if step % YIELD_EVERY == 0 or step == steps:
            learning.step = step
            yield learning
        elif pauses.due():
            yield None


@torch.no_grad()
def best_of(model: nn.Module, world: World) -> Tensor:
    """max_a Q(s, a) of every cell by the network as it is now, 0 where the episode is over."""
    best = model(torch.eye(len(world.rewards))).max(1).values
    return best.masked_fill(torch.from_numpy(world.ends), 0.0)


def _checked(epsilon: Epsilon, share: float) -> float:
    """What a schedule returned, if it is a probability."""
    answer = epsilon(share)
    try:
        number = float(answer)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError(f"epsilon must return a number from 0 to 1, got {answer!r} at {share:.2f} of the training")
    return number
