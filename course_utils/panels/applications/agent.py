"""An agent that learns in a grid world before the reader's eyes: values, greedy actions, and what each episode gave."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from course_utils.panels.applications.dqn import STEPS, Epsilon, Lesson, learn, q_network
from course_utils.panels.applications.gridworld import (
    ACTIONS,
    CELLS,
    COLUMNS,
    KINDS,
    ROWS,
    START,
    Reward,
    World,
    make_world,
)
from course_utils.panels.applications.lesson import each_on_one_thread, size_in_words
from course_utils.panels.engine import Choice, Control, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, FAINT, WEIGHTS, move_limits, weight_map, words_on, write

__all__ = ["Agent", "agent", "falling", "live_agent"]

ARROWS = dict(zip(ACTIONS, "↑→↓←", strict=True))
MEMORIES = {"5,000 steps": 5000, "32 steps": 32, "1 step": 1}
STARTS = {"at S": False, "anywhere": True}
SHADE = 1.5  # the value that has the darkest colour


class Agent(NamedTuple):
    """A trained agent: what it learned, its world, its discount."""

    lesson: Lesson
    world: World
    gamma: float

    @property
    def quality(self) -> tuple[float, float]:
        """The expected return from S of whoever acts greedily, and the best possible one."""
        return greedy_return(self.lesson, self.world, self.gamma), best_return(self.world, self.gamma)

    def __repr__(self) -> str:
        got, best = self.quality
        return (
            f"reinforcement learning: {size_in_words(q_network(len(CELLS)))}; {len(self.lesson.returns)} "
            f"episodes; acting greedily is worth {got:.3f}, at best {best:.3f}"
        )


@lru_cache(maxsize=1)
def agent() -> Agent:
    """The agent of the panel's start, trained once in a process."""
    world = make_world()
    *_, lesson = each_on_one_thread(learn(world, gamma=0.9, epsilon=falling(0.1)))
    return Agent(lesson, world, 0.9)


def falling(last: float) -> Epsilon:
    """A schedule: all actions at random at first, then fewer, and from half of the training on a share of `last`.

    >>> [falling(0.1)(share) for share in (0, 0.25, 0.5, 1)]
    [1.0, 0.55, 0.1, 0.1]
    """
    return lambda share: max(last, 1 - 2 * (1 - last) * share)


def greedy_return(lesson: Lesson, world: World, gamma: float) -> float:
    """The expected discounted return from S of the greedy policy."""
    return float(world.value_of(lesson.q.argmax(1), gamma)[START])


def best_return(world: World, gamma: float) -> float:
    """The most that anybody can expect from S."""
    return float(world.best(gamma)[START].max())


class Walk(NamedTuple):
    """What the picture shows of a lesson; lists are copies, because the lesson goes on."""

    q: np.ndarray
    rewards: np.ndarray
    path: list[int]
    step: int
    epsilons: list[tuple[int, float]]
    ends: list[int]
    returns: list[float]
    got: float
    best: float


def live_agent(*, reward: Reward | None = None, epsilon: Epsilon | None = None) -> Panel:
    """Deep Q-learning, step by step (lecture, section 02; after Mnih et al. 2015, Nature 518:529).

    `reward`: your own ``reward(kind, row, column)`` for arriving at a cell of kind "floor", "treat", "goal" or "pit".
    `epsilon`: your own ``epsilon(share)``, from the share of the training that is over to the probability of a random
    action.
    """
    last = Slider(name="last", label="Random actions ε, at the end", values=[0, 0.05, 0.1, 0.2, 0.3, 0.5, 1], value=0.1)
    controls: list[Control] = [
        Toggle(name="train", label="Train live"),
        Slider(name="gamma", label="Discount γ", values=[0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95], value=0.9),
        *([] if epsilon else [last]),
        Slider(name="lr", label="Step size η", values=[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03], value=0.003),
        Slider(name="wind", label="Wind, blowing down", values=[0, 0.1, 0.2, 0.3, 0.4], value=0),
        Choice(name="memory", label="Replay memory", options=MEMORIES),
        Choice(name="anywhere", label="Episodes start", options=STARTS),
        Choice(name="seed", label="Start from", options={"new network": 0, "another one": 1, "a third one": 2}),
    ]

    def walking(train: bool, gamma: float, chance: Epsilon, wind: float, **settings: Any) -> Iterator[Walk]:
        world = make_world(wind=wind, reward=reward)
        best, epsilons = best_return(world, gamma), []
        for lesson in each_on_one_thread(learn(world, gamma=gamma, epsilon=chance, **settings)):
            epsilons.append((lesson.step, lesson.epsilon))
            got = greedy_return(lesson, world, gamma)
            path = greedy_path(lesson.q, world)
            yield Walk(lesson.q, world.rewards, path, lesson.step, list(epsilons), list(lesson.ends),
                       list(lesson.returns), got, best)  # fmt: skip
            if not train:
                return

    def compute(last: float, **settings: Any) -> Iterator[Walk]:
        yield from walking(chance=falling(last), **settings)

    def compute_own(**settings: Any) -> Iterator[Walk]:
        assert epsilon is not None
        yield from walking(chance=epsilon, **settings)

    title = "An agent in a grid world" + (", by your function" if reward or epsilon else "")
    return Panel(title, controls, compute_own if epsilon else compute, draw, size=(960, 400))


def greedy_path(q: np.ndarray, world: World) -> list[int]:
    """The cells on the way of a greedy agent from S without wind, until the end or the first cell seen twice."""
    path = [START]
    while not world.ends[path[-1]]:
        path.append(int(world.moves[path[-1], q[path[-1]].argmax()]))
        if path[-1] in path[:-1]:
            break
    return path


def draw(figure: Figure) -> Show:
    """The grid, the returns, and the share of random actions."""
    left, right = figure.subfigures(1, 2, width_ratios=[1.45, 1], squeeze=False)[0]
    grid = left.subplots()
    shades = weight_map(grid, np.zeros((ROWS, COLUMNS)), limit=SHADE)
    (path,) = grid.plot([], [], color=FAINT, lw=7, alpha=0.5, solid_capstyle="round")  # on light and on dark
    texts, start = furnish(grid)
    upper, lower = right.subplots(2, 1, height_ratios=[2.6, 1], sharex=True)
    (dots,) = upper.plot([], [], ".", ms=4, color=FAINT, label="an episode")
    (mean,) = upper.plot([], [], "-", color=COLOURS["blue"], label="mean of the last 20")
    best = upper.axhline(0, color=COLOURS["orange"], ls="--", label="best possible from S")
    upper.set(xlim=(0, STEPS), ylim=(-1.1, 2.6), title="Discounted return")
    upper.legend(loc="upper left", fontsize=9.5, ncols=1)
    (chance,) = lower.plot([], [], ".-", ms=5, color=COLOURS["green"])
    lower.set(ylim=(-0.05, 1.08), xlabel="steps of the agent")
    lower.set_title("Random actions ε")
    lower.xaxis.set_major_formatter("{x:,.0f}")

    def show(walk: Walk) -> str:
        values = walk.q.max(1)
        ends = np.array([symbol in "GTP" for symbol in CELLS])
        shown = np.where(ends, walk.rewards, values)
        shades.set_data(np.where([symbol == "#" for symbol in CELLS], 0.0, shown).reshape(ROWS, COLUMNS))
        for cell, (sign, number) in texts.items():
            colour = words_on(WEIGHTS(0.5 + 0.5 * shown[cell] / SHADE))
            kind = KINDS[CELLS[cell]] if ends[cell] else list(ARROWS.values())[walk.q[cell].argmax()]
            write(sign, text=kind, color=colour)
            write(number, text=f"{shown[cell]:+.2f}".replace("-", "−"), color=colour)
        write(start, color=texts[START][0].get_color())
        path.set_data([c % COLUMNS for c in walk.path], [c // COLUMNS for c in walk.path])
        dots.set_data(walk.ends, walk.returns)
        last = np.convolve(walk.returns, np.ones(20) / 20, "valid") if len(walk.returns) >= 20 else np.array([])
        mean.set_data(walk.ends[19:], last)
        best.set_ydata([walk.best] * 2)
        lowest, highest = min([-1.1, walk.best, *walk.returns]), max([1.0, walk.best, *walk.returns])
        move_limits(upper, y=(min(-1.1, 1.1 * lowest), highest + 0.75 * (highest - lowest)))
        chance.set_data(*zip(*walk.epsilons, strict=True))
        return words(walk)

    return show


def furnish(grid: Axes) -> tuple[dict[int, tuple[Text, Text]], Text]:
    """Walls and lines; returns two texts for each cell that is no wall, an arrow and a value, and the letter S."""
    grid.set(xticks=[], yticks=[], title="What the best action is worth, and which it is")
    for edge in range(1, max(ROWS, COLUMNS)):
        if edge < ROWS:
            grid.axhline(edge - 0.5, color="#C9D0D6", lw=0.8)
        if edge < COLUMNS:
            grid.axvline(edge - 0.5, color="#C9D0D6", lw=0.8)
    texts = {}
    for cell, symbol in enumerate(CELLS):
        row, column = divmod(cell, COLUMNS)
        if symbol == "#":
            grid.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fc="#8A939C", ec="#5B646D", hatch="////", lw=0))
            continue
        size = 11 if symbol in "GTP" else 17
        sign = grid.text(column, row - 0.12, "", ha="center", va="center", fontsize=size, weight="bold")
        texts[cell] = sign, grid.text(column, row + 0.3, "", ha="center", va="center", fontsize=9.5)
    row, column = divmod(START, COLUMNS)
    mark = grid.text(column - 0.43, row - 0.34, "S", fontsize=11, weight="bold", va="center")
    return texts, mark


def words(walk: Walk) -> str:
    """How far the agent is, and how good it is by now."""
    end = KINDS[CELLS[walk.path[-1]]]
    where = f"leads to the {end} in {len(walk.path) - 1} steps" if end != "floor" else "leads nowhere"
    epsilon = walk.epsilons[-1][1]
    return (
        f"Step {walk.step:,}, {len(walk.returns):,} episodes, ε = {epsilon:.2f}: the greedy way from S {where} "
        f"(without wind). Acting greedily is worth {walk.got:.3f}, the best possible {walk.best:.3f}; the network "
        f"believes {walk.q[START].max():.3f}."
    )
