"""Training on any data: pairs of tensors, datasets and loaders of torch, with a loss of the caller's.

Nothing is known of such data but that a batch has inputs and a target. So the teacher is asked for every batch, and the
rows are not augmented; a `Dataset` of the course trains on a `transfer_set` instead.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from course_utils._support.description import first_difference
from course_utils.methods.evaluation_mode import evaluation_mode
from course_utils.train import batches
from course_utils.train.checkpoint import Fingerprint, load_checkpoint, save_checkpoint

__all__ = ["Batches", "train_on_batches"]

CHECK_EVERY = 50  # steps; reading the loss waits for the device
LABELS = "labels"  # the target in a batch that is a mapping


class Batches:
    """Training data as batches of (inputs, target), for each epoch in a new order.

    `data`: tensors (x, ..., y) of one length, a dataset of torch whose items are (x, ..., y), or a DataLoader of such
    batches, which keeps its own order and size; or of mappings, whose target is called "labels".

    Raises: TypeError for data of another kind; ValueError for tensors of different lengths, or without a length.

    >>> [[x.shape, y.shape] for (x,), y in Batches((torch.ones(5, 2), torch.ones(5)), batch_size=3, seed=0)]
    [[torch.Size([3, 2]), torch.Size([3])], [torch.Size([2, 2]), torch.Size([2])]]
    """

    def __init__(self, data: Any, *, batch_size: int, seed: int) -> None:
        if isinstance(data, (tuple, list)) and len(data) > 1 and all(isinstance(part, Tensor) for part in data):
            if len({len(part) for part in data}) > 1:
                raise ValueError(f"data must be tensors of one length, got {[len(part) for part in data]} rows")
            data = TensorDataset(*data)
        if not isinstance(data, (DataLoader, TorchDataset)):
            raise TypeError(
                "data must be a Dataset of the course or of torch, a DataLoader, or tensors (x, ..., y), got "
                f"{type(data).__name__}"
            )
        try:
            size = len(data)  # type: ignore[arg-type]
        except TypeError as error:
            raise ValueError("data must have a length, so that steps can be counted; wrap it in list()") from error
        if not size:
            raise ValueError("data has no rows to train on")
        self.loader: Any = data
        if not isinstance(data, DataLoader):
            self.loader = DataLoader(data, batch_sampler=_Order(size, batch_size, seed))

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for batch in self.loader:
            yield _parted(batch)


class _Order:
    """The rows of each batch, drawn anew for each epoch; no batch has one row alone, as BatchNorm needs two."""

    def __init__(self, rows: int, batch_size: int, seed: int) -> None:
        self.rows, self.batch_size = rows, batch_size
        self.generator = torch.Generator().manual_seed(seed)
        self.count = len(batches(rows, batch_size, torch.Generator()))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[int]]:
        for rows in batches(self.rows, self.batch_size, self.generator):
            yield rows.tolist()


def _parted(batch: Any) -> tuple[Any, Any]:
    """The inputs of a batch, as arguments of the network, and its target."""
    if isinstance(batch, Mapping) and LABELS in batch:
        return {name: value for name, value in batch.items() if name != LABELS}, batch[LABELS]
    if isinstance(batch, (tuple, list)) and len(batch) > 1:
        return tuple(batch[:-1]), batch[-1]
    raise TypeError(
        f"a batch must be (x, ..., y), or a mapping with {LABELS!r}, got {type(batch).__name__}; give a DataLoader "
        "whose collate_fn returns that"
    )


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {name: _moved(part, device) for name, part in value.items()}
    return type(value)(_moved(part, device) for part in value) if isinstance(value, (tuple, list)) else value


def _answer(network: Callable[..., Any], inputs: Any) -> Any:
    return network(**inputs) if isinstance(inputs, Mapping) else network(*inputs)


class _Stream:
    """Random numbers of a training of its own: nobody else's are touched, also not where others have their turn."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed, self.devices = seed, [device] if device.type == "cuda" else []
        self.state: list[Tensor] = []

    @contextmanager
    def drawn(self) -> Iterator[None]:
        with torch.random.fork_rng(self.devices):
            if self.state:
                torch.set_rng_state(self.state[0])
                for device, state in zip(self.devices, self.state[1:], strict=True):
                    torch.cuda.set_rng_state(state, device)
            else:
                torch.manual_seed(self.seed)
            yield
            self.state = [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in self.devices)]


def train_on_batches(
    model: nn.Module,
    data: Batches,
    *,
    epochs: int,
    rate: Callable[[int, int], float],
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Any, Any], Tensor],
    teacher: Callable[..., Any] | None,
    teacher_loss: Callable[[Any, Any], Tensor],
    alpha: float,
    after_step: Callable[[nn.Module], object] | None,
    device: torch.device,
    seed: int,
    checkpoint: Path | None,
    described: Mapping[str, str],
    pause_every: float | None,
) -> Iterator[None]:
    """Train a network in place on (1 - alpha) loss(outputs, target) + alpha teacher_loss(outputs, teacher's outputs).

    Yields after each epoch, and within one after `pause_every` seconds. `rate(step, steps)`: the step size.
    `described`: what must be the same for a checkpoint to belong to this training.

    Raises: FloatingPointError where the loss is no longer finite; ValueError for the checkpoint of another training.
    """
    stream = _Stream(seed, device)
    done = _resume(checkpoint, described, model, optimizer, stream, data)
    number, steps = done * len(data), epochs * len(data)
    turn = time.perf_counter()
    for epoch in range(done, epochs):
        with stream.drawn():
            iterator = iter(data)
        while True:
            with stream.drawn():
                batch = next(iterator, None)
                if batch is None:
                    break
                inputs, target = (_moved(part, device) for part in batch)
                for group in optimizer.param_groups:
                    group["lr"] = rate(number, steps)
                optimizer.zero_grad()
                model.train()
                outputs = _answer(model, inputs)
                objective = _objective(outputs, target, inputs, loss, teacher, teacher_loss, alpha)
                if number % CHECK_EVERY == 0 or number == steps - 1:
                    _check(objective, epoch)
                objective.backward()
                optimizer.step()
                number += 1
                if after_step is not None:
                    after_step(model)
            if pause_every is not None and time.perf_counter() - turn > pause_every:
                yield
                turn = time.perf_counter()
        if checkpoint is not None:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "random": stream.state,
                "epochs": epoch + 1,
                "order": _order_of(data),
            }
            save_checkpoint(checkpoint, state, fingerprint=Fingerprint(dict(described), {}))
        yield


def _objective(
    outputs: Any,
    target: Any,
    inputs: Any,
    loss: Callable[[Any, Any], Tensor],
    teacher: Callable[..., Any] | None,
    teacher_loss: Callable[[Any, Any], Tensor],
    alpha: float,
) -> Tensor:
    """What a step makes smaller; a term whose factor is 0 is not computed."""
    if teacher is None:
        return loss(outputs, target)
    taught = alpha * teacher_loss(outputs, _asked(teacher, inputs))
    return taught if alpha == 1 else taught + (1 - alpha) * loss(outputs, target)


@torch.no_grad()
def _asked(teacher: Callable[..., Any], inputs: Any) -> Any:
    if not isinstance(teacher, nn.Module):
        return _answer(teacher, inputs)
    with evaluation_mode(teacher):
        return _answer(teacher, inputs)


def _check(objective: Any, epoch: int) -> None:
    if not isinstance(objective, Tensor) or objective.ndim:
        shape = tuple(objective.shape) if isinstance(objective, Tensor) else type(objective).__name__
        raise ValueError(f"the loss must be a 0-d tensor, a mean over the rows, got {shape}")
    if not bool(torch.isfinite(objective)):
        raise FloatingPointError(
            f"training is no longer finite in epoch {epoch + 1}: the loss is {float(objective.detach())}; look for NaN "
            "in the data, or use a smaller lr in the recipe"
        )


def _order_of(data: Batches) -> Tensor | None:
    sampler = data.loader.batch_sampler
    return sampler.generator.get_state() if isinstance(sampler, _Order) else None


def _resume(
    checkpoint: Path | None,
    described: Mapping[str, str],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    stream: _Stream,
    data: Batches,
) -> int:
    """Go back to a checkpoint where there is one; the epochs that it has."""
    if checkpoint is None or not checkpoint.exists():
        return 0
    found = load_checkpoint(checkpoint)
    difference = first_difference(found.fingerprint.training, described)
    if difference is not None:
        raise ValueError(
            f"{checkpoint} is the checkpoint of another training: {difference}; use another folder, or delete it to "
            "start anew"
        )
    model.load_state_dict(found.state["model"])
    optimizer.load_state_dict(found.state["optimizer"])
    stream.state = found.state["random"]
    if found.state["order"] is not None and isinstance(data.loader.batch_sampler, _Order):
        data.loader.batch_sampler.generator.set_state(found.state["order"])
    return int(found.state["epochs"])
