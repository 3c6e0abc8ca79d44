"""`fit` trains a network: mini-batch gradient descent (lecture, (3) and (4)), with proximal steps for zeros.

`fit_epochs` is the same training as a generator, for pictures that move while it runs. The step itself is
`Training.step`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from course_utils.data import Dataset
from course_utils.train.device import pick_device
from course_utils.train.history import History
from course_utils.train.out_of_memory import attempt
from course_utils.train.settings import Settings
from course_utils.train.training import Training

__all__ = ["fit", "fit_epochs", "with_bar"]


def fit(
    model: nn.Module,
    data: Dataset,
    *,
    epochs: int,
    device: str | torch.device = "auto",
    evaluate_every: int = 1,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **settings: Any,
) -> History:
    """Train a network in place on the training part of `data` and return its history.

    `settings`: those of `Settings` (batch_size, lr, schedule, optimizer, weight_decay, regularizer, method, loss, ...).
    `evaluate_every`: epochs from one evaluation on the test part to the next; 0 for none. `checkpoint`: a file that is
    written after each epoch, atomically; if it is there already, training goes on from it and ends with the same
    numbers as if it had never stopped. A training that is killed loses one epoch at most. The file belongs to one
    training: the same data, settings (a loss or another function with all values that it uses) and network, which has
    the weights that this training began with or those of the file. What a function changes itself, such as a count of
    its calls, is not kept. The network trains on `device` and comes back to where it was.

    If the memory is too small for a batch, the epoch is trained again with each batch in parts whose gradients are
    summed, half as large until they fit, and so it stays. That is the same step up to rounding, for a loss that is a
    mean over rows. Batch normalisation sees the smaller parts, and dropout draws other masks.

    Training stops within `CHECK_EVERY` steps of a loss that is not finite, or after the epoch if only weights are not.
    The network is left as it was after the last epoch that went well, and no checkpoint ever holds weights that are
    not finite.

    Raises: ValueError for a setting that is not allowed, a network without parameters, data without rows, labels that
    are no classes (with the cross-entropy), a checkpoint of another training, with the first difference, or a setting
    that cannot be compared with one, such as a generator; FloatingPointError if the loss or the weights are no longer
    finite, with the step and what usually helps; torch.OutOfMemoryError if even one row does not fit.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> _ = torch.manual_seed(0)
    >>> model = mlp([64, 40, 30, 10])
    >>> history = fit(model, load_dataset("digits"), epochs=5, batch_size=32, lr=0.01, progress=False)
    >>> history.test_accuracy[-1] > 0.9
    True
    """
    history = History()
    steps = fit_epochs(
        model, data, epochs=epochs, device=device, evaluate_every=evaluate_every, checkpoint=checkpoint, **settings
    )
    for grown in with_bar(steps, epochs=epochs, shown=progress):
        history = grown or history
    return history


def with_bar(steps: Iterator[History | None], *, epochs: int, shown: bool) -> Iterator[History | None]:
    """The same steps of a training, with a bar of its epochs where that is `shown`."""
    from tqdm.auto import tqdm

    with tqdm(total=epochs, unit="epoch", leave=False, disable=not shown) as bar:
        for history in steps:
            if history:
                bar.update(len(history) - bar.n)
                bar.set_postfix_str(f"train loss {history[-1].train_loss:.4f}", refresh=False)
            yield history


def fit_epochs(
    model: nn.Module,
    data: Dataset,
    *,
    epochs: int,
    device: str | torch.device = "auto",
    evaluate_every: int = 1,
    checkpoint: str | os.PathLike[str] | None = None,
    pause_every: float | None = None,
    **settings: Any,
) -> Iterator[History | None]:
    """Train as `fit` does, and yield the growing history at the start and after each epoch.

    Meanwhile the network may be read, but not changed.

    `pause_every`: seconds after which None is yielded in the midst of an epoch, so that others can have a turn; the
    numbers are the same. Where training ends there, the network is as it was before the epoch.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> for history in fit_epochs(mlp([64, 10]), load_dataset("digits"), epochs=2):
    ...     print(len(history))
    0
    1
    2
    """
    original_device = next((p.device for p in model.parameters()), torch.device("cpu"))
    target = pick_device(device)
    try:
        moved = attempt(lambda: (model.to(target), data.to(target)))
        if moved is None:
            raise torch.OutOfMemoryError(
                f"{data.name} and the network do not fit into the memory of {target}; use device='cpu', or a subset()"
            )
        training = Training(*moved, Settings(epochs=epochs, **settings))
        if checkpoint is not None:
            training.resume(Path(checkpoint))
        yield training.history
        while len(training.history) < epochs:
            number = len(training.history) + 1
            evaluated = evaluate_every > 0 and (number % evaluate_every == 0 or number == epochs)
            yield from training.epoch(evaluated=evaluated, pause_every=pause_every)
            if checkpoint is not None:
                training.save(Path(checkpoint))
            yield training.history
    finally:
        model.to(original_device)
