"""An agent that learns in a grid world before the reader's eyes: values, greedy actions, and what each episode gave."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from course_utils.experiments.applications.agent import Progress, falling, train_agent
from course_utils.experiments.applications.dqn import STEPS, Epsilon
from course_utils.experiments.applications.gridworld import (
    ACTIONS,
    CELLS,
    COLUMNS,
    KINDS,
    ROWS,
    START,
    Reward,
    make_world,
)
from course_utils.panels.engine import Choice, Control, Panel, Slider, Train
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, FAINT, WEIGHTS, move_limits, number, weight_map, words_on, write

__all__ = ["live_agent"]

ARROWS = dict(zip(ACTIONS, "↑→↓←", strict=True))
MEMORIES = {"5,000 steps": 5000, "32 steps": 32, "1 step": 1}
STARTS = {"at S": False, "anywhere": True}
SEEDS = {"seed 0": 0, "seed 1": 1, "seed 2": 2}
DARKEST = 1.5  # the value that has the darkest colour
WINDOW = 20  # episodes of the moving average
ENDS = np.array([symbol in "GTP" for symbol in CELLS])
WALLS = np.array([symbol == "#" for symbol in CELLS])


def live_agent(*, reward: Reward | None = None, epsilon: Epsilon | None = None) -> Panel:
    """Deep Q-learning, step by step (lecture, section 02; after Mnih et al. 2015, Nature 518:529).

    `reward`: your own ``reward(kind, row, column)`` for arriving at a cell of kind "floor", "treat", "goal" or "pit".
    `epsilon`: your own ``epsilon(share)``, from the share of the training that is over to the probability of a random
    action.
    """
    last = Slider(name="last", label="Random actions ε, at the end", values=[0, 0.05, 0.1, 0.2, 0.3, 0.5, 1], value=0.1)
    controls: list[Control] = [
        Train(),
        Slider(name="gamma", label="Discount γ", values=[0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95], value=0.9),
        *([] if epsilon else [last]),
        Slider(name="lr", label="Learning rate η", values=[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03], value=0.003),
        Slider(name="wind", label="Wind, blowing down", values=[0, 0.1, 0.2, 0.3, 0.4], value=0),
        Choice(name="memory", label="Replay memory", options=MEMORIES),
        Choice(name="anywhere", label="Episodes start", options=STARTS),
        Choice(name="seed", label="Initial weights", options=SEEDS),
    ]

    def compute(
        train: bool, gamma: float, wind: float, last: float = 0.0, **settings: Any
    ) -> Iterator[Progress | None]:
        world = make_world(wind=wind, reward=reward)
        for progress in train_agent(world, gamma=gamma, epsilon=epsilon or falling(last), **settings):
            yield progress
            if not train:
                return

    title = "An agent in a grid world" + (", by your function" if reward or epsilon else "")
    return Panel(title, controls, compute, lambda figure: AgentPicture(figure).show, size=(960, 400))


class AgentPicture:
    """The grid, the returns, and the probability of random actions."""

    def __init__(self, figure: Figure) -> None:
        left, right = figure.subfigures(1, 2, width_ratios=[1.45, 1], squeeze=False)[0]
        grid = left.subplots()
        self.shades = weight_map(grid, np.zeros((ROWS, COLUMNS)), limit=DARKEST)
        (self.path,) = grid.plot([], [], color=FAINT, lw=7, alpha=0.5, solid_capstyle="round")  # on light and on dark
        self.cells, self.start = furnish(grid)
        self.upper, lower = right.subplots(2, 1, height_ratios=[2.6, 1], sharex=True)
        (self.dots,) = self.upper.plot([], [], ".", ms=4, color=FAINT, label="an episode")
        (self.mean,) = self.upper.plot([], [], "-", color=COLOURS["blue"], label=f"mean of the last {WINDOW}")
        self.best = self.upper.axhline(0, color=COLOURS["orange"], ls="--", label="best possible from S")
        self.upper.set(xlim=(0, STEPS), ylim=(-1.1, 2.6), title="Discounted return")
        self.legend = self.upper.legend(loc="upper left", fontsize=9.5, ncols=1)
        (self.epsilon,) = lower.plot([], [], ".-", ms=5, color=COLOURS["green"])
        lower.set(ylim=(-0.05, 1.08), xlabel="steps of the agent")
        lower.set_title("Random actions ε")
        lower.xaxis.set_major_formatter("{x:,.0f}")

    def show(self, progress: Progress) -> str:
        self._show_grid(progress)
        self._show_returns(progress)
        self.epsilon.set_data(*zip(*progress.epsilons, strict=True))
        return describe(progress)

    def _show_grid(self, progress: Progress) -> None:
        values = np.where(ENDS, progress.rewards, progress.q.max(1))
        self.shades.set_data(np.where(WALLS, 0.0, values).reshape(ROWS, COLUMNS))
        for cell, (sign, value) in self.cells.items():
            colour = words_on(WEIGHTS(0.5 + 0.5 * values[cell] / DARKEST))
            kind = KINDS[CELLS[cell]] if ENDS[cell] else list(ARROWS.values())[progress.q[cell].argmax()]
            write(sign, text=kind, color=colour)
            write(value, text=number(values[cell], "+.2f"), color=colour)
        write(self.start, color=self.cells[START][0].get_color())
        self.path.set_data([cell % COLUMNS for cell in progress.path], [cell // COLUMNS for cell in progress.path])

    def _show_returns(self, progress: Progress) -> None:
        returns = progress.returns
        self.dots.set_data(progress.ends, returns)
        enough = len(returns) >= WINDOW
        self.mean.set_data(
            progress.ends[WINDOW - 1 :], np.convolve(returns, np.ones(WINDOW) / WINDOW, "valid") if enough else []
        )
        self.best.set_ydata([progress.best] * 2)
        low, high = min([-1.1, progress.best, *returns]), max([1.0, progress.best, *returns])
        move_limits(self.upper, y=(min(-1.1, 1.1 * low), high + 1.1 * (high - low)))
        name_what_is_drawn(self.legend)


def furnish(grid: Axes) -> tuple[dict[int, tuple[Text, Text]], Text]:
    """Walls and lines; returns two texts for each cell that is no wall, an arrow and a value, and the letter S."""
    grid.set(xticks=[], yticks=[], title="Value and direction of the best action")
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


def describe(progress: Progress) -> str:
    """The sentences under the panel: how far the agent is, and how good it is by now."""
    end = KINDS[CELLS[progress.path[-1]]]
    where = f"leads to the {end} in {len(progress.path) - 1} steps" if end != "floor" else "leads nowhere"
    epsilon = progress.epsilons[-1][1]
    return (
        f"Step {progress.step:,}, {len(progress.returns):,} episodes, ε = {epsilon:.2f}: the greedy path from S "
        f"{where} (without wind). The greedy policy is worth {number(progress.value, '.3f')}, the best "
        f"possible {number(progress.best, '.3f')}; the network predicts {number(progress.q[START].max(), '.3f')}."
    )
