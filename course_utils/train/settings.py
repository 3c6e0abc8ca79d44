"""The settings of a training: what decides its result, and nothing else."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.check import in_range, one_of
from course_utils.methods.penalties import Regularizer

__all__ = ["Loss", "Settings"]

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to train: what decides the result, and nothing else.

    epochs: passes over the training data. batch_size: rows per step; a last batch of one row joins the one before.
    lr: step size eta of (4); schedule: "constant", or "cosine" for lr (1 + cos(pi t / T)) / 2 at step t of T.
    optimizer: "adam" (Kingma, Ba 2014, arXiv:1412.6980), "sgd" with `momentum`, or a function of (parameters, lr).
    weight_decay: torch's, which is l2 with lam = weight_decay / 2 on all parameters.
    regularizer: a `Regularizer`; method="prox" takes its proximal step after each step on the loss and leaves exact
    zeros; method="gradient" adds it to the loss and leaves none. The proximal step has the size `prox_lr` * lam: with
    "sgd" both methods then seek the minimum of loss + penalty. "adam" rescales the gradient of each weight but not the
    penalty, so its lam has another meaning (about 1 already outweighs any gradient): prefer "sgd" where lam matters.
    loss: a function of (logits, labels) to a 0-d tensor, a mean over the rows. after_step: called with the model after
    each step, for masks and clipping. seed: of the order of the rows, and of dropout.

    Raises: ValueError for a value that is not allowed.
    """

    epochs: int
    batch_size: int = 128
    lr: float = 1e-3
    schedule: str = "constant"
    optimizer: str | Callable[..., torch.optim.Optimizer] = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.0
    regularizer: Regularizer | None = None
    method: str = "prox"
    loss: Loss = F.cross_entropy
    after_step: Callable[[nn.Module], object] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        in_range("epochs", self.epochs, 0, math.inf)
        in_range("batch_size", self.batch_size, 1, math.inf)
        in_range("lr", self.lr, 0, math.inf)
        in_range("momentum", self.momentum, 0, 0.999)
        in_range("weight_decay", self.weight_decay, 0, math.inf)
        one_of("schedule", self.schedule, ("constant", "cosine"))
        one_of("method", self.method, ("prox", "gradient"))
        if not callable(self.optimizer):
            one_of("optimizer", self.optimizer, ("adam", "sgd"))

    def make_optimizer(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """The optimizer for `parameters`."""
        if callable(self.optimizer):
            return self.optimizer(parameters, lr=self.lr)
        if self.optimizer == "adam":
            return torch.optim.Adam(parameters, lr=self.lr, weight_decay=self.weight_decay, fused=True)
        return torch.optim.SGD(
            parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=True
        )

    def prox_lr(self, lr: float) -> float:
        """The step size of the proximal step.

        With momentum m a constant gradient moves a weight by lr / (1 - m) per step, and the penalty has to keep up, or
        the training would come to rest where the gradient balances (1 - m) lam.
        """
        return lr / (1 - self.momentum) if self.optimizer == "sgd" else lr

    def rate(self, step: int, steps: int) -> float:
        """The factor of lr at step `step` of `steps`: what `schedule` says."""
        return 1.0 if self.schedule == "constant" else (1 + math.cos(math.pi * step / steps)) / 2
