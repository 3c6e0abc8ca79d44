"""Movement pruning: the weights that move towards zero during fine-tuning are pruned, and not those that are small.

    W' = W * M        M keeps the largest scores S        dL/dW = dL/dW' * M        dL/dS = dL/dW' * W

By gradient descent a score falls where the weight moves towards 0 and rises where it moves away from it. (Sanh, Wolf,
Rush 2020, arXiv:2005.07683, (1) to (4), hard movement pruning.)
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from course_utils._support.check import in_range
from course_utils.methods.weights import KINDS, changeable_weights

__all__ = ["MovementMask", "MovementPruner"]


class MovementMask(nn.Module):
    """A parametrization of a weight with scores that are trained with it; `sparsity` may be changed at any time.

    Of the scores the round(sparsity * numel) smallest are masked, and among equals the first.

    >>> mask = MovementMask(torch.ones(4))
    >>> mask.sparsity = 0.5
    >>> mask(torch.tensor([5.0, 6.0, 7.0, 8.0]))
    tensor([0., 0., 7., 8.], grad_fn=<_MaskedBackward>)
    """

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros_like(w.detach()))
        self.sparsity = 0.0

    @property
    def mask(self) -> Tensor:
        """Which weights stay, boolean."""
        removed = round(self.sparsity * self.scores.numel())
        flat = torch.ones(self.scores.numel(), dtype=torch.bool, device=self.scores.device)
        flat[self.scores.detach().flatten().argsort(stable=True)[:removed]] = False
        return flat.view(self.scores.shape)

    def forward(self, w: Tensor) -> Tensor:
        """The weights that the layer computes with."""
        return _Masked.apply(w, self.scores, self.mask)


class _Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, w: Tensor, scores: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(w, mask)
        return w.masked_fill(~mask, 0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        w, mask = ctx.saved_tensors
        return grad * mask, grad * w, None


class MovementPruner:
    """Scores for the weights of a network (see `methods.weights`), whose sparsity rises while it is fine-tuned.

    The scores are parameters of the network: make the optimizer afterwards, and give it no weight decay for them. Call
    `prune(sparsity)` before each step, with `cubic_sparsity` for example, and `finish_()` at the end.

    `layers`: the names of those to prune, instead of all.

    Raises: ValueError for a network without weights, and for weights that cannot be computed from scores: of recurrent
    layers, shared by two layers, computed from others already.

    >>> model = nn.Linear(10, 10)
    >>> pruner = MovementPruner(model)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> for step in range(1, 6):
    ...     pruner.prune(0.1 * step)
    ...     model(torch.randn(20, 10)).square().mean().backward()
    ...     optimizer.step()
    >>> _ = pruner.finish_()
    >>> int((model.weight == 0).sum())
    50
    """

    def __init__(self, model: nn.Module, *, layers: Iterable[str] | None = None) -> None:
        kinds = [kind for kind in KINDS if kind != "recurrent"]  # torch's kernels hold references to these parameters
        self.weights = changeable_weights(model, method="MovementPruner", names=layers, kinds=kinds)
        if tied := [weight for weight in self.weights.values() if weight.also]:
            raise ValueError(
                f"MovementPruner needs weights of one layer each, but {tied[0].name!r} and {tied[0].also[0].name!r} "
                "have one together; give each layer its own with nn.Parameter(weight.clone()), or name the other layers"
            )
        self.masks: dict[str, MovementMask] = {}
        for name, weight in self.weights.items():
            self.masks[name] = MovementMask(weight.tensor)
            parametrize.register_parametrization(weight.module, weight.attribute, self.masks[name])

    def prune(self, sparsity: float) -> None:
        """Mask this fraction of each layer from now on; what was masked may come back. Raises: outside 0 to 1."""
        in_range("sparsity", sparsity, 0, 1)
        for mask in self.masks.values():
            mask.sparsity = sparsity

    def finish_(self) -> dict[str, Tensor]:
        """Make the masked weights ordinary ones, without scores, and return the masks by layer name."""
        masks = {name: mask.mask for name, mask in self.masks.items()}
        for weight in self.weights.values():
            parametrize.remove_parametrizations(weight.module, weight.attribute, leave_parametrized=True)
        return masks
