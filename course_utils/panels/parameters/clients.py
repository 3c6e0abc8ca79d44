"""Federated averaging while it runs: accuracy over rounds, and over the megabytes that were sent."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom
from course_utils.models import mlp
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, move_limits
from course_utils.train.federated import Round, federated_averaging, split_evenly, split_sorted

__all__ = ["federated"]

ROUNDS, HIDDEN = 20, 64
GOAL = 90  # percent right: how many megabytes does it take?
BITS = (1, 2, 4, 8, 16, 32)
ROWS, TEST_ROWS = 2_000, 1_000  # of a larger data set
SPLITS = {"evenly, a little of everything": "even", "sorted, each knows few classes": "sorted"}

Compress = Callable[[Tensor, int], Tensor]


class Rounds(NamedTuple):
    """What has happened so far, with 32 bits both ways and with the chosen ones; rows of each class at each client."""

    full: list[Round]
    few: list[Round]
    counts: np.ndarray  # (clients, classes)
    bits: tuple[int, int]  # up, down


def federated(data: str | Dataset = "digits", *, compress: Compress | None = None) -> Panel:
    """Clients train on their own rows, a server averages (McMahan et al. 2016; lecture, section 03).

    `compress`: your own ``compress(update, bits)`` that gives an update as it arrives, in place of `compress_update`.
    """
    room = classroom(data)
    if room.features > 100:
        room = room.subset(min(ROWS, len(room.y_train)))
    controls = [
        Toggle(name="train", label="Train live"),
        Slider(name="bits", label="Bits for each weight, up", values=BITS, value=4),
        Choice(name="down", label="Bits for each weight, down", options={"32": 32, "8": 8, "4": 4}),
        Slider(name="clients", label="Clients", values=(5, 10, 20, 50), value=10),
        Slider(name="epochs", label="Local epochs in a round", values=(1, 2, 5), value=2),
        Choice(name="split", label="The rows are dealt", options=SPLITS),
        Choice(name="fraction", label="Clients in a round", options={"all": 1.0, "one in five": 0.2}),
    ]

    def compute(
        train: bool, bits: float, down: int, clients: float, epochs: float, split: str, fraction: float
    ) -> Iterator[Rounds]:
        deal = split_sorted if split == "sorted" else split_evenly
        parts = deal(room.y_train, int(clients))
        counts = np.array([np.bincount(room.y_train[rows].numpy(), minlength=room.classes) for rows in parts])
        settings: dict[str, Any] = {
            "rounds": ROUNDS, "local_epochs": int(epochs), "fraction": fraction, "batch_size": 16,
            "lr": 0.3 if room.features < 100 else 0.1, "device": "cpu",
        }  # fmt: skip
        runs = (
            federated_averaging(network(room), room, parts, **settings),
            federated_averaging(
                network(room), room, parts, bits_up=int(bits), bits_down=down, compress=compress, **settings
            ),
        )
        found = Rounds([], [], counts, (int(bits), down))
        for full, few in zip(*runs, strict=True):
            found.full.append(full)
            found.few.append(few)
            yield found
            if not train:
                return

    title = "Many clients, one network" if compress is None else "Many clients, your compression"
    return Panel(title, controls, compute, drawing(room, own=compress is not None), size=(960, 390))


def network(room: Dataset) -> nn.Sequential:
    """The network that is sent to and fro; the same one each time."""
    with random_numbers(0):
        return mlp([room.features, HIDDEN, room.classes])


def drawing(room: Dataset, *, own: bool) -> Draw:
    """The drawing for a data set."""

    def draw(figure: Figure) -> Show:
        left, middle, right = figure.subplots(1, 3, width_ratios=[0.7, 1, 1.25])
        image = left.imshow(np.zeros((5, room.classes)), cmap="Blues", aspect="auto", interpolation="nearest", vmin=0)
        left.set(xlabel="class (darker: more rows)", ylabel="client", title="Who has which rows", yticks=[])
        left.set_xticks(range(0, room.classes, 1 if room.classes <= 10 else 5))
        name = "your compression" if own else "chosen bits"
        by_round: list[Line2D] = []
        by_megabytes: list[Line2D] = []
        for axes, lines in ((middle, by_round), (right, by_megabytes)):
            for look, colour, label in (("s--", "orange", "32 bits"), ("o-", "blue", name)):
                lines += axes.plot([], [], look, ms=4, color=COLOURS[colour], label=label)
        middle.set(xlim=(0, ROUNDS), ylim=(0, 103), xlabel="round", title="Right on test rows (%)")
        middle.set_xticks(range(0, ROUNDS + 1, 5))
        decades = [0.1, 1, 10, 100] if room.features < 100 else [1, 10, 100, 1000]
        right.set(xscale="log", xlim=(decades[0] / 2, decades[-1] * 0.6), ylim=(0, 103))
        right.set(xlabel="megabytes sent, up and down", title="The same over megabytes")
        right.set_xticks(decades[:-1], [f"{tick:g}" for tick in decades[:-1]])
        right.minorticks_off()
        for axes in (middle, right):
            axes.axhline(GOAL, color=COLOURS["grey"], lw=1, ls=":")
        right.legend(loc="lower right", fontsize=10)

        def show(rounds: Rounds) -> str:
            image.set_data(rounds.counts)
            extent = (-0.5, room.classes - 0.5, len(rounds.counts) - 0.5, -0.5)
            if image.get_extent() != list(extent):  # it takes the limits of the axes with it
                image.set_extent(extent)
            image.set_clim(0, rounds.counts.max())
            move_limits(left, y=(len(rounds.counts) - 0.5, -0.5))
            for history, a, b in zip((rounds.full, rounds.few), by_round, by_megabytes, strict=True):
                accuracy = [100 * r.accuracy for r in history]
                a.set_data([r.number for r in history], accuracy)
                b.set_data([max(megabytes(r), 1e-9) for r in history[1:]], accuracy[1:])
            return words(rounds, room)

        return show

    return draw


def megabytes(done: Round) -> float:
    """All that was sent, in both directions."""
    return (done.bytes_up + done.bytes_down) / 1e6


def words(rounds: Rounds, room: Dataset) -> str:
    """The last round in numbers."""
    full, few, (up, down) = rounds.full[-1], rounds.few[-1], rounds.bits
    clients, rows = len(rounds.counts), int(rounds.counts.sum())
    known = float((rounds.counts > 0).sum(1).mean())
    if not full.number:
        return f"Ready: {rows:,} rows at {clients} clients, who know {known:.1f} of {room.classes} classes on average."
    goal = [next((megabytes(r) for r in h if 100 * r.accuracy >= GOAL), None) for h in (rounds.few, rounds.full)]
    took = f" {GOAL} % took {goal[0]:.2f} MB, with 32 bits {goal[1]:.2f}." if goal[0] and goal[1] else ""
    return (
        f"Round {full.number}, {clients} clients: {few.accuracy:.1%} right with {up} bit{'s' if up > 1 else ''} up and "
        f"{down} down, after {few.bytes_up / 1e6:.2f} MB up and {few.bytes_down / 1e6:.2f} MB down; with 32 bits "
        f"{full.accuracy:.1%} after {full.bytes_up / 1e6:.2f} and {full.bytes_down / 1e6:.2f} MB.{took}"
    )
