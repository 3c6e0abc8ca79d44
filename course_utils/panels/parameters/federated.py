"""Federated averaging while it runs: accuracy over rounds, and over the megabytes that were sent."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils._support.words import plural
from course_utils.data import Dataset
from course_utils.experiments.lesson import lesson_data
from course_utils.experiments.parameters.federated import ROUNDS, Compress, Rounds, megabytes_of_network, run_rounds
from course_utils.panels.engine import Choice, Panel, Show, Slider, Train
from course_utils.plots import COLOURS, write
from course_utils.train.federated import Round

__all__ = ["federated"]

GOAL = 90  # percent accuracy: how many megabytes does it take?
CLIENTS = (5, 10, 20, 50)
BITS = (1, 2, 4, 8, 16, 32)
ROWS = 2_000  # of a data set with large inputs
SPLITS = {"even, all classes at each client": "even", "sorted, few classes at each client": "sorted"}


def federated(data: str | Dataset = "digits", *, compress: Compress | None = None) -> Panel:
    """Clients train on their own rows, a server averages (McMahan et al. 2016; lecture, section 03).

    `compress`: your own ``compress(update, bits)`` that gives an update as it arrives, in place of `compress_update`.
    """
    data = lesson_data(data)
    if data.features > 100:
        data = data.subset(min(ROWS, len(data.y_train)))
    controls = [
        Train(),
        Slider(name="bits", label="Bits per weight, up", values=BITS, value=4),
        Choice(name="down", label="Bits per weight, down", options={"32": 32, "8": 8, "4": 4}),
        Slider(name="clients", label="Clients", values=CLIENTS, value=10),
        Slider(name="epochs", label="Local epochs per round", values=(1, 2, 5), value=2),
        Choice(name="split", label="Distribution of the rows", options=SPLITS),
        Choice(name="fraction", label="Clients in a round", options={"all": 1.0, "one in five": 0.2}),
    ]

    def compute(
        train: bool, bits: float, down: int, clients: float, epochs: float, split: str, fraction: float
    ) -> Iterator[Rounds | None]:
        for rounds in run_rounds(
            data,
            clients=int(clients),
            epochs=int(epochs),
            split=split,
            fraction=fraction,
            bits_up=int(bits),
            bits_down=down,
            compress=compress,
        ):
            yield rounds
            if not train:
                return

    def draw(figure: Figure) -> Show:
        return FederatedPicture(figure, data, "chosen bits" if compress is None else "your compression").show

    title = "Many clients, one network" if compress is None else "Many clients, your compression"
    return Panel(title, controls, compute, draw, size=(960, 390))


class FederatedPicture:
    """The rows of each client, and the accuracy over rounds and over megabytes; `name`: of the compression."""

    def __init__(self, figure: Figure, data: Dataset, name: str) -> None:
        self.data = data
        self.clients, by_round, by_megabytes = figure.subplots(1, 3, width_ratios=[0.7, 1, 1.25])
        self._draw_clients(self.clients)
        self.by_round, self.by_megabytes = (
            [
                axes.plot([], [], style, ms=4, color=COLOURS[colour], label=label)[0]
                for style, colour, label in (("s--", "orange", "32 bits"), ("o-", "blue", name))
            ]
            for axes in (by_round, by_megabytes)
        )
        by_round.set(xlim=(-0.02 * ROUNDS, 1.02 * ROUNDS), ylim=(0, 103), xlabel="round", title="Test accuracy (%)")
        by_round.set_xticks(range(0, ROUNDS + 1, 5))
        # From a first round with one client, who sends next to nothing, to the last one with all, at 32 bits both ways.
        once = megabytes_of_network(data)
        start, end = 0.8 * once, 1.3 * 2 * once * CLIENTS[-1] * ROUNDS
        decades = [decade for decade in (0.1, 1, 10, 100, 1000) if start < decade < end]
        by_megabytes.set(xscale="log", xlim=(start, end), ylim=(0, 103))
        by_megabytes.set(xlabel="megabytes sent, up and down", title="The same over megabytes")
        by_megabytes.set_xticks(decades, [f"{tick:g}" for tick in decades])
        by_megabytes.minorticks_off()
        for axes in (by_round, by_megabytes):
            axes.axhline(GOAL, color=COLOURS["grey"], lw=1, ls=":")
        by_megabytes.legend(loc="lower right", fontsize=10)
        middle = {"transform": by_megabytes.transAxes, "ha": "center", "va": "center"}
        self.nothing = by_megabytes.text(0.5, 0.6, "nothing is sent yet", **middle)

    def _draw_clients(self, axes: Axes) -> None:
        classes = self.data.classes
        everyone = (-0.5, classes - 0.5, 1, 0)  # however many clients: the axes stay as they are
        look: dict[str, Any] = {"cmap": "Blues", "aspect": "auto", "interpolation": "nearest", "vmin": 0}
        self.image = axes.imshow(np.zeros((5, classes)), extent=everyone, **look)
        axes.set(xlabel="class (stronger: more rows)", ylabel="client", title="Rows of each client", yticks=[])
        axes.set_xticks(range(0, classes, 1 if classes <= 10 else 5))

    def show(self, rounds: Rounds) -> str:
        self.image.set_data(rounds.counts)
        self.image.set_clim(0, rounds.counts.max())
        for history, a, b in zip((rounds.full, rounds.few), self.by_round, self.by_megabytes, strict=True):
            accuracy = [100 * r.accuracy for r in history]
            a.set_data([r.number for r in history], accuracy)
            b.set_data([max(megabytes(r), 1e-9) for r in history[1:]], accuracy[1:])
        write(self.nothing, visible=len(rounds.full) < 2)
        return describe(rounds, self.data)


def megabytes(done: Round) -> float:
    """All that was sent, in both directions."""
    return (done.bytes_up + done.bytes_down) / 1e6


def describe(rounds: Rounds, data: Dataset) -> str:
    """The sentences under the panel: the last round in numbers."""
    full, few, (up, down) = rounds.full[-1], rounds.few[-1], rounds.bits
    clients, rows = len(rounds.counts), int(rounds.counts.sum())
    known = float((rounds.counts > 0).sum(1).mean())
    if not full.number:
        return f"Ready: {rows:,} rows at {clients} clients, with {known:.1f} of {data.classes} classes on average."
    goal = [next((megabytes(r) for r in h if 100 * r.accuracy >= GOAL), None) for h in (rounds.few, rounds.full)]
    took = f" An accuracy of {GOAL} % took {goal[0]:.2f} MB, with 32 bits {goal[1]:.2f}." if goal[0] and goal[1] else ""
    return (
        f"Round {full.number}, {clients} clients: accuracy {few.accuracy:.1%} with {plural(up, 'bit')} up and "
        f"{down} down, after {few.bytes_up / 1e6:.2f} MB up and {few.bytes_down / 1e6:.2f} MB down; with 32 bits "
        f"{full.accuracy:.1%} after {full.bytes_up / 1e6:.2f} and {full.bytes_down / 1e6:.2f} MB.{took}"
    )
