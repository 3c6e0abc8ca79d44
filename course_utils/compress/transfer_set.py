"""The transfer set of a compression: augmented copies of the images, each with the teacher's logits beside it.

The teacher is asked once for every copy, not once for every step, so a large teacher costs little more than a small
one. Its logits stand at the end of each input row: any training loop that hands rows to a network can use them.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.data.augment import random_affine
from course_utils.methods.distill import distillation_loss

__all__ = ["Student", "Teacher", "transfer_set"]

ROWS_AT_ONCE = 4096  # for the teacher

Teacher = Callable[[Tensor], Tensor]  # a network, or another function from inputs to logits


@torch.no_grad()
def transfer_set(
    data: Dataset,
    *,
    teacher: Teacher | None,
    copies: int,
    augment: Mapping[str, float] | None = None,
    seed: int,
    device: torch.device,
    progress: bool = False,
) -> Dataset:
    """The training part of `data` as flat rows, with the teacher's logits behind each where there is a teacher.

    `copies`: how many augmented copies of the images follow the images themselves; `augment`: the settings of
    `random_affine`. Rows have the type of the data; the test part stays as it was. A teacher that is a network
    works in evaluation mode on `device`, as a copy, so that it is left as it was.

    >>> from course_utils.data import load_dataset
    >>> digits = load_dataset("digits")
    >>> teacher = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> transfer_set(digits, teacher=teacher, copies=2, seed=0, device=torch.device("cpu")).x_train.shape
    torch.Size([4041, 74])
    """
    from tqdm.auto import trange

    generator = torch.Generator().manual_seed(seed)
    if isinstance(teacher, nn.Module):
        teacher = copy.deepcopy(teacher).to(device).eval()
    n, width = len(data.y_train), data.features + (data.classes if teacher is not None else 0)
    rows = torch.empty((1 + copies) * n, width, dtype=data.x_train.dtype)
    has_work = teacher is not None or copies > 0
    for number in trange(1 + copies, desc="transfer set", leave=False, disable=not (progress and has_work)):
        part = rows[number * n : (number + 1) * n]
        for x, out in zip(data.x_train.split(ROWS_AT_ONCE), part.split(ROWS_AT_ONCE), strict=True):
            images = random_affine(x, **(augment or {}), generator=generator) if number else x
            out[:, : data.features] = images.flatten(1)
            if teacher is not None:
                out[:, data.features :] = teacher(_for(teacher, images.to(device)))
    return replace(data, x_train=rows, y_train=data.y_train.repeat(1 + copies))


def _for(network: object, x: Tensor) -> Tensor:
    """Inputs in the type of a network's parameters."""
    if not isinstance(network, nn.Module):
        return x
    return x.to(next((p.dtype for p in network.parameters() if p.is_floating_point()), x.dtype))


class Student(nn.Module):
    """A network that trains on a `transfer_set` and is tested on images of `shape`; without one, on any batches.

    In training mode the inputs are rows of the transfer set, and the output the network's logits with the teacher's
    beside them; `loss` takes them apart again.
    """

    def __init__(self, model: nn.Module, shape: tuple[int, ...] | None, *, temperature: float, alpha: float) -> None:
        super().__init__()
        self.model, self.shape, self.temperature, self.alpha = model, shape, temperature, alpha
        self.features = int(torch.Size(shape or ()).numel())

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Logits, in training mode those of the network and of the teacher."""
        if self.shape is None or not self.training:
            return self.model(*inputs, **named)
        (rows,) = inputs
        logits = self.model(_for(self.model, rows[:, : self.features].reshape(-1, *self.shape)))
        return torch.cat([logits, rows[:, self.features :]], 1)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`distillation_loss` where there is a teacher, otherwise the cross-entropy."""
        if not (self.training and self.alpha):
            return F.cross_entropy(logits, labels)
        student, teacher = logits.chunk(2, 1)
        return distillation_loss(student, teacher, labels, temperature=self.temperature, alpha=self.alpha)
