"""Federated averaging of one small network, with 32 bits for each weight and with few (McMahan et al. 2016)."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.models import mlp
from course_utils.train.federated import Round, federated_with_pauses, message_bytes, split_evenly, split_sorted

__all__ = ["ROUNDS", "Compress", "Rounds", "megabytes_of_network", "run_rounds"]

ROUNDS, HIDDEN = 20, 64

Compress = Callable[[Tensor, int], Tensor]


class Rounds(NamedTuple):
    """What has happened so far, with 32 bits both ways and with the chosen ones."""

    full: list[Round]
    few: list[Round]
    counts: np.ndarray  # rows of each class at each client, (clients, classes)
    bits: tuple[int, int]  # up, down


def run_rounds(
    data: Dataset,
    *,
    clients: int,
    epochs: int,
    split: str,
    fraction: float,
    bits_up: int,
    bits_down: int,
    compress: Compress | None = None,
) -> Iterator[Rounds | None]:
    """Run both trainings side by side, and yield what has happened before the first round and after each.

    None in a pause between.

    `split`: "even" or "sorted"; `fraction`: of the clients that take part in a round; `compress`: the reader's own.
    """
    deal = split_sorted if split == "sorted" else split_evenly
    parts = deal(data.y_train, clients)
    counts = np.array([np.bincount(data.y_train[rows].numpy(), minlength=data.classes) for rows in parts])
    settings: dict[str, Any] = {
        "rounds": ROUNDS,
        "local_epochs": epochs,
        "fraction": fraction,
        "batch_size": 16,
        "lr": 0.3 if data.features < 100 else 0.1,
        "device": "cpu",
    }
    full = federated_with_pauses(_network(data), data, parts, **settings)
    few = federated_with_pauses(
        _network(data), data, parts, bits_up=bits_up, bits_down=bits_down, compress=compress, **settings
    )
    rounds = Rounds([], [], counts, (bits_up, bits_down))
    for done in full:
        if done is None:
            yield None
            continue
        rounds.full.append(done)
        while (same := next(few)) is None:
            yield None
        rounds.few.append(same)
        yield rounds


def megabytes_of_network(data: Dataset) -> float:
    """What it takes to send the network to one client, with 32 bits."""
    return message_bytes(list(_network(data).parameters()), 32) / 1e6


def _network(data: Dataset) -> nn.Sequential:
    """The network that is sent to and fro; the same one each time."""
    with random_numbers(0):
        return mlp([data.features, HIDDEN, data.classes])
