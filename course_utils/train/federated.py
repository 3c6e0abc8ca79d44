"""Federated averaging: many clients train on data that never leave them, and a server averages what they send.

A round (McMahan et al. 2016, arXiv:1602.05629): some clients take the server's weights w, train for a few epochs on
their own rows, and send back their updates d_k = w_k - w; the server moves to

    w + sum_k (n_k / n) d_k,        n_k rows of client k, n of all clients of the round.

Each round moves the complete network up and down, so bytes per round matter. An update may be sent at few bits, by
stochastic rounding, so that the average over many clients is unbiased (Konecny et al. 2016, arXiv:1610.05492). On the
way down there is nothing to average: the change of the server's weights is rounded to the nearest, and the rounding
error is part of the next change. Every byte of a message is counted.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from course_utils._support.check import in_range
from course_utils.data import Dataset
from course_utils.methods.binarize import binarize
from course_utils.methods.quantize import fake_quantize
from course_utils.train.device import pick_device
from course_utils.train.evaluation import evaluate
from course_utils.train.not_finite import all_finite, remedy
from course_utils.train.settings import Settings
from course_utils.train.stacked import Forward, stacked_cross_entropy, stacked_forward

__all__ = [
    "Round",
    "average_update",
    "compress_update",
    "federated_averaging",
    "message_bytes",
    "split_evenly",
    "split_sorted",
]

FULL = 32  # bits of a weight that is sent as it is
Compress = Callable[[Tensor, int], Tensor]


class Round(NamedTuple):
    """After a round (0: before any): the server's test accuracy and loss, all bytes so far, who took part in it."""

    number: int
    accuracy: float
    loss: float
    bytes_up: int
    bytes_down: int
    clients: list[int]


def split_evenly(labels: Tensor, clients: int, *, seed: int = 0) -> list[Tensor]:
    """The rows of each client, drawn at random: each has a part of everything ("i.i.d.").

    Raises: ValueError unless every client gets a row.

    >>> [len(rows) for rows in split_evenly(torch.arange(10) % 3, 4)]
    [3, 3, 2, 2]
    """
    in_range("clients", clients, 1, len(labels))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return list(order.tensor_split(clients))


def split_sorted(labels: Tensor, clients: int, *, shards: int = 2, seed: int = 0) -> list[Tensor]:
    """The rows of each client where each knows few classes: sort by label, cut into shards, deal `shards` to each.

    The pathological split of McMahan et al.: with two shards most clients see two classes.

    Raises: ValueError unless every shard gets a row.

    >>> labels = torch.arange(100) % 10
    >>> max(len(labels[rows].unique()) for rows in split_sorted(labels, 5))
    2
    """
    in_range("clients * shards", clients * shards, 1, len(labels))
    pieces = labels.cpu().argsort(stable=True).tensor_split(clients * shards)
    dealt = torch.randperm(clients * shards, generator=torch.Generator().manual_seed(seed)).view(clients, shards)
    return [torch.cat([pieces[i] for i in mine]) for mine in dealt.tolist()]


def compress_update(update: Tensor, bits: int, *, generator: torch.Generator | None = None) -> Tensor:
    """An update as it arrives if each weight is sent in `bits` bits: 1 to 16 by stochastic rounding, or 32 as it is.

    From 2 bits on by min-max codes (see `quantize`); with one bit a weight becomes the minimum or the maximum of the
    tensor, with such probabilities that it is unbiased (Konecny et al. 2016, arXiv:1610.05492).

    Raises: ValueError for other numbers of bits.

    >>> update = torch.tensor([-1.0, 0.0, 3.0])
    >>> torch.equal(compress_update(update, 32), update)
    True
    >>> sum(compress_update(update, 1)[1] for _ in range(2000)).div(2000).abs() < 0.2
    tensor(True)
    """
    if bits == FULL:
        return update
    if bits > 1:
        return fake_quantize(update, bits=bits, stochastic=True, generator=generator)
    low, high = torch.aminmax(update)
    signs = binarize((update - low) / (high - low).clamp(min=1e-30) * 2 - 1, stochastic=True, generator=generator)
    return torch.where(signs > 0, high, low)


def average_update(updates: Tensor, rows: Sequence[int]) -> Tensor:
    """sum_k (n_k / n) d_k of updates d (clients, ...) of clients with n_k `rows`, n of all; a tensor shaped like one d.

    Raises: ValueError unless there is a number of rows for each update, none below 0, and not all 0.

    >>> average_update(torch.tensor([[1.0, 0.0], [5.0, 4.0]]), [30, 10])
    tensor([2., 1.])
    """
    if len(rows) != len(updates) or min(rows, default=0) < 0 or not sum(rows):
        raise ValueError(f"rows must be {len(updates)} numbers of at least 0, not all of them 0, got {list(rows)}")
    shares = torch.tensor([float(n) for n in rows], device=updates.device)
    return torch.tensordot((shares / shares.sum()).to(updates.dtype), updates, 1)


def message_bytes(parameters: Sequence[Tensor], bits: int) -> int:
    """The bytes of a message with these tensors: `bits` per number, and 8 for the range of each where it has one.

    >>> message_bytes([torch.zeros(100, 64), torch.zeros(100)], 32), message_bytes([torch.zeros(100, 64)], 4)
    (26000, 3208)
    """
    return sum(math.ceil(p.numel() * bits / 8) + (8 if bits < FULL else 0) for p in parameters)


def federated_averaging(
    model: nn.Module,
    data: Dataset,
    clients: Sequence[Tensor],
    *,
    rounds: int,
    local_epochs: int = 1,
    fraction: float = 1.0,
    batch_size: int = 32,
    lr: float = 0.1,
    bits_up: int = FULL,
    bits_down: int = FULL,
    compress: Compress | None = None,
    device: str | torch.device = "auto",
    seed: int = 0,
) -> Iterator[Round]:
    """Train `model` in place, and yield a `Round` before the first and after each of `rounds`.

    `clients`: the rows of each, as `split_evenly` or `split_sorted` gives them. In each round a share `fraction` of
    them, drawn at random, trains for `local_epochs` by plain SGD, all at once as one stack of networks. `compress`:
    ``compress(update, bits)`` gives an update tensor as it arrives at the server, by default `compress_update`.

    On the way up each client of a round sends its update at `bits_up`. On the way down the server sends, at
    `bits_down`, by how much its weights differ from those that the clients know, so that no rounding error stays. A
    client that missed rounds takes the differences that it missed, or all weights at 32 bits, whichever is shorter; one
    that knows nothing yet takes all weights.

    Raises: ValueError for no clients or no rows, a fraction outside (0, 1], or an update of a wrong shape;
    FloatingPointError if the weights are no longer finite.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> _ = torch.manual_seed(0)
    >>> digits = load_dataset("digits")
    >>> clients = split_evenly(digits.y_train, 10)
    >>> *_, last = federated_averaging(mlp([64, 30, 10]), digits, clients, rounds=5, local_epochs=2, bits_up=4)
    >>> last.accuracy > 0.5, last.bytes_up == 5 * 10 * message_bytes(list(mlp([64, 30, 10]).parameters()), 4)
    (True, True)
    """
    yield from (
        done
        for done in federated_with_pauses(
            model,
            data,
            clients,
            rounds=rounds,
            local_epochs=local_epochs,
            fraction=fraction,
            batch_size=batch_size,
            lr=lr,
            bits_up=bits_up,
            bits_down=bits_down,
            compress=compress,
            device=device,
            seed=seed,
        )
        if done is not None
    )


def federated_with_pauses(
    model: nn.Module,
    data: Dataset,
    clients: Sequence[Tensor],
    *,
    rounds: int,
    local_epochs: int = 1,
    fraction: float = 1.0,
    batch_size: int = 32,
    lr: float = 0.1,
    bits_up: int = FULL,
    bits_down: int = FULL,
    compress: Compress | None = None,
    device: str | torch.device = "auto",
    seed: int = 0,
) -> Iterator[Round | None]:
    """As `federated_averaging`, but yields None after each step of the clients."""
    original_device, target = next(model.parameters()).device, pick_device(device)
    in_range("fraction", fraction, 1e-9, 1)
    local = Settings(epochs=local_epochs, batch_size=batch_size, lr=lr, optimizer="sgd", momentum=0.0)
    compress = compress or _stochastic_rounding(seed, target)
    server = _Server(model.to(target), data, clients, local, compress, bits_up=bits_up, bits_down=bits_down)
    try:
        yield server.report(0, [])
        rng = np.random.default_rng(seed)
        for number in range(1, rounds + 1):
            chosen = sorted(rng.permutation(len(clients))[: max(1, round(fraction * len(clients)))].tolist())
            yield from server.round(chosen, rng)
            yield server.report(number, chosen)
    finally:
        model.to(original_device)


def _stochastic_rounding(seed: int, device: torch.device) -> Compress:
    generator = torch.Generator(device).manual_seed(seed)
    return lambda update, bits: compress_update(update, bits, generator=generator)


class _Server:
    """The server's weights, what the clients know of them, and the bytes so far."""

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        clients: Sequence[Tensor],
        local: Settings,
        compress: Compress,
        *,
        bits_up: int,
        bits_down: int,
    ) -> None:
        if not clients or not all(len(rows) for rows in clients):
            raise ValueError(f"federated_averaging needs clients with rows, got {[len(rows) for rows in clients]}")
        self.model, self.local, self.compress, self.bits_up, self.bits_down = model, local, compress, bits_up, bits_down
        self.forward = stacked_forward(model)
        self.weights = {name: p.detach() for name, p in model.named_parameters()}
        self.data = data.to(next(iter(self.weights.values())).device)
        self.clients = [rows.cpu() for rows in clients]
        self.known = {name: w.clone() for name, w in self.weights.items()}  # the weights that the clients know
        self.missed = [-1] * len(clients)  # differences that a client has missed; -1: it has no weights at all yet
        self.up = self.down = 0

    def report(self, number: int, chosen: list[int]) -> Round:
        metrics = evaluate(self.model, self.data)
        if not all_finite(self.weights.values()):
            raise FloatingPointError(
                f"the weights are no longer finite in round {number}: {remedy(self.data, self.local)}; where a "
                "compress function was given, see what it returns"
            )
        return Round(number, metrics.accuracy, metrics.loss, self.up, self.down, chosen)

    def round(self, chosen: list[int], rng: np.random.Generator) -> Iterator[None]:
        self._broadcast(chosen)
        rows = [self.clients[k] for k in chosen]
        updates = yield from _local_training(self.model, self.forward, self.known, self.data, rows, self.local, rng)
        with torch.no_grad():
            for name, stack in updates.items():
                arrived = torch.stack([self._arrived(update) for update in stack])
                self.weights[name] += average_update(arrived, [len(r) for r in rows])
        self.up += len(chosen) * message_bytes(list(self.weights.values()), self.bits_up)

    @torch.no_grad()
    def _broadcast(self, chosen: list[int]) -> None:
        """Bring the clients of a round up to date, and count what it takes."""
        parameters = list(self.weights.values())
        complete, difference = message_bytes(parameters, FULL), message_bytes(parameters, self.bits_down)
        for name, w in self.weights.items():
            # What the clients miss also holds the error of the last rounding, which so is sent after all.
            change = w - self.known[name]
            self.known[name] += change if self.bits_down == FULL else fake_quantize(change, bits=self.bits_down)
        self.missed = [missed + 1 if missed >= 0 else missed for missed in self.missed]
        for k in chosen:
            self.down += complete if self.missed[k] < 0 else min(complete, self.missed[k] * difference)
            self.missed[k] = 0

    def _arrived(self, update: Tensor) -> Tensor:
        arrived = self.compress(update, self.bits_up)
        if not isinstance(arrived, Tensor) or arrived.shape != update.shape:
            got = f"shape {tuple(arrived.shape)}" if isinstance(arrived, Tensor) else type(arrived).__name__
            raise ValueError(f"compress must return a tensor of the update's shape {tuple(update.shape)}, got {got}")
        return arrived


def _local_training(
    model: nn.Module,
    forward: Forward,
    start: dict[str, Tensor],
    data: Dataset,
    clients: Sequence[Tensor],
    local: Settings,
    rng: np.random.Generator,
) -> Generator[None, None, dict[str, Tensor]]:
    """The updates, stacked (clients, ...), that plain SGD from `start` on each client's own rows gives.

    The clients take their steps together. One with fewer rows than others has gaps in its table of rows; a gap has
    weight 0 in the loss, and a batch of gaps alone leaves the weights as they are.
    """
    device = data.y_train.device
    stack = {name: w.expand(len(clients), *w.shape).clone().requires_grad_() for name, w in start.items()}
    model.train()
    for _ in range(local.epochs):
        table, row_weights = _batches(clients, local.batch_size, rng)
        for rows, weight in zip(table.to(device), row_weights.to(device), strict=True):  # (clients, batch) each
            logits = forward(stack, data.x_train[rows], True)
            loss = (stacked_cross_entropy(logits, data.y_train[rows]) * weight).sum()
            gradients = torch.autograd.grad(loss, list(stack.values()))
            with torch.no_grad():
                for w, gradient in zip(stack.values(), gradients, strict=True):
                    w -= local.lr * gradient
            yield
    return {name: w.detach() - start[name] for name, w in stack.items()}


def _batches(clients: Sequence[Tensor], size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Row numbers (steps, clients, batch), and 1 / (rows in the batch) for each; 0 where there is a gap."""
    steps = math.ceil(max(len(rows) for rows in clients) / size)
    size = min(size, max(len(rows) for rows in clients))
    table = np.zeros((len(clients), steps * size), np.int64)
    present = np.zeros(table.shape, np.float32)
    for k, rows in enumerate(clients):
        table[k, : len(rows)] = rng.permutation(rows.numpy())
        present[k, : len(rows)] = 1
    shape = (len(clients), steps, size)
    by_step, counted = table.reshape(shape).swapaxes(0, 1), present.reshape(shape).swapaxes(0, 1)
    shares = counted / np.maximum(counted.sum(2, keepdims=True), 1)
    return torch.from_numpy(by_step.copy()), torch.from_numpy(shares)
