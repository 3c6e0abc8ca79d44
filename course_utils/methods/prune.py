"""Magnitude pruning: the smallest weights become zero, and stay zero while the rest is retrained.

The first stage of Deep Compression (Han, Mao, Dally 2015, arXiv:1510.00149; Han, Pool, Tran, Dally 2015,
arXiv:1506.02626; lecture, section 07). The masks are stored beside the weights, because momentum and weight decay move
pruned weights too, and a weight that happens to be zero need not be a pruned one.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType

import torch
from torch import Tensor, nn

from course_utils._support.check import floating, in_range, one_of
from course_utils.methods.after_step import after_steps
from course_utils.methods.weights import changeable_weights

__all__ = ["Pruner", "cubic_sparsity", "iterative_prune", "magnitude_mask"]

Amount = float | Mapping[str, float]


def magnitude_mask(w: Tensor, *, sparsity: float | None = None, threshold: float | None = None) -> Tensor:
    """Which weights stay: a boolean tensor like w.

    `w`: any shape. `sparsity`: the fraction to remove, from 0 to 1; exactly round(sparsity * numel) weights go, those
    of the smallest magnitude, and among equals the first. `threshold`: weights with |w| < threshold go. NaN counts as
    infinitely large.

    Raises: TypeError if w is not a floating tensor; ValueError unless exactly one of the two is given, or for a value
    that is not allowed.

    >>> magnitude_mask(torch.tensor([0.1, -2.0, 0.5, -0.3]), sparsity=0.5)
    tensor([False,  True,  True, False])
    >>> magnitude_mask(torch.tensor([0.1, -2.0, 0.5, -0.3]), threshold=0.3)
    tensor([False,  True,  True,  True])
    """
    magnitude = floating("w", w).detach().abs()
    if (sparsity is None) == (threshold is None):
        raise ValueError(f"give exactly one of sparsity and threshold, got {sparsity!r} and {threshold!r}")
    if threshold is not None:
        return ~(magnitude < in_range("threshold", threshold, 0, float("inf")))
    assert sparsity is not None
    return _keep_largest(torch.where(magnitude.isnan(), torch.inf, magnitude), in_range("sparsity", sparsity, 0, 1))


def _keep_largest(magnitude: Tensor, sparsity: float) -> Tensor:
    """All but the round(sparsity * numel) smallest; among equals the last stay."""
    flat = magnitude.reshape(-1)
    removed = round(sparsity * flat.numel())
    if removed == 0:
        return torch.ones_like(magnitude, dtype=torch.bool)
    border = flat.kthvalue(removed).values
    mask = flat > border
    equal = (flat == border).nonzero().squeeze(1)
    mask[equal[removed - int((flat < border).sum()) :]] = True
    return mask.reshape(magnitude.shape)


def cubic_sparsity(step: int, *, steps: int, final: float, start: float = 0.0) -> float:
    """The sparsity after `step` of `steps` steps of gradual pruning: it rises fast at first and slowly at the end.

    final + (start - final) (1 - step / steps)^3, and `final` from then on (Zhu, Gupta 2017, arXiv:1710.01878, (1)).

    Raises: ValueError for a sparsity outside 0 to 1, or fewer than one step.

    >>> [cubic_sparsity(t, steps=4, final=0.8) for t in (0, 2, 4, 9)]
    [0.0, 0.7, 0.8, 0.8]
    """
    in_range("final", final, 0, 1)
    in_range("start", start, 0, 1)
    in_range("steps", steps, 1, float("inf"))
    left = 1 - min(max(step, 0), steps) / steps
    return round(final + (start - final) * left**3, 12)


class Pruner(AbstractContextManager["Pruner"]):
    """The masks of a network's weights (see `methods.weights`); biases are not pruned.

    `scope="layer"` removes the same fraction of each layer, "global" the smallest weights of the whole network.
    `layers`: the names of those to prune, instead of all. As a context it applies the masks again after each optimizer
    step of any training loop; without it, call `step_()` there. `state_dict()` has the masks, for a checkpoint;
    `keep_zeros()` takes them from a network that was pruned before.

    Raises: ValueError for another scope, a network without weights, or weights that cannot be pruned, as they are
    computed from others or rounded by their layer.

    >>> model = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 10))
    >>> pruner = Pruner(model, scope="global").prune(sparsity=0.9)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    >>> with pruner:
    ...     model(torch.ones(1, 10)).sum().backward()
    ...     optimizer.step()
    >>> sum(int((layer.weight == 0).sum()) for layer in (model[0], model[2]))
    180
    """

    def __init__(self, model: nn.Module, *, scope: str = "layer", layers: Iterable[str] | None = None) -> None:
        one_of("scope", scope, ("layer", "global"))
        self.model, self.scope = model, scope
        self.weights = changeable_weights(model, method="Pruner", names=layers)
        self.masks = {name: torch.ones_like(w.tensor, dtype=torch.bool) for name, w in self.weights.items()}
        self._hook: AbstractContextManager[None] | None = None

    def prune(self, *, sparsity: Amount | None = None, threshold: Amount | None = None) -> "Pruner":
        """Choose the masks by the magnitude of the weights, and set the pruned weights to zero; returns the pruner.

        `sparsity` or `threshold` as in `magnitude_mask`: one number, or one by layer name; layers without a name are
        left as they are. A zero has the smallest magnitude, so a higher sparsity keeps the zeros of a lower one.

        Raises: as `magnitude_mask`; ValueError for an unknown layer, or numbers by layer with scope "global".
        """
        by_name = [amount for amount in (sparsity, threshold) if isinstance(amount, Mapping)]
        for amount in by_name:
            if self.scope == "global":
                raise ValueError('scope="global" takes one number for all layers; use scope="layer" for one by name')
            if unknown := amount.keys() - self.weights.keys():
                raise ValueError(f"no layer {', '.join(sorted(unknown))}; there are {', '.join(self.weights)}")
        if self.scope == "global":
            self._prune_global(sparsity, threshold)  # type: ignore[arg-type]
        else:
            for name in by_name[0] if by_name else self.weights:
                self.masks[name] = magnitude_mask(
                    self.weights[name].tensor,
                    sparsity=_for_layer(sparsity, name),
                    threshold=_for_layer(threshold, name),
                )
        self.step_()
        return self

    def _prune_global(self, sparsity: float | None, threshold: float | None) -> None:
        tensors = [weight.tensor.detach() for weight in self.weights.values()]
        flat = torch.cat([tensor.reshape(-1).to(tensors[0].device) for tensor in tensors])
        parts = magnitude_mask(flat, sparsity=sparsity, threshold=threshold).split([t.numel() for t in tensors])
        for name, tensor, part in zip(self.weights, tensors, parts, strict=True):
            self.masks[name] = part.reshape(tensor.shape).to(tensor.device)

    @torch.no_grad()
    def keep_zeros(self) -> "Pruner":
        """Take the masks from the zeros that the weights have now; returns the pruner.

        >>> layer = nn.Linear(2, 1)
        >>> layer.weight.data = torch.tensor([[0.0, 1.0]])
        >>> Pruner(layer).keep_zeros().masks
        {'': tensor([[False,  True]])}
        """
        self.masks = {name: weight.tensor != 0 for name, weight in self.weights.items()}
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """The masks, by the names of the layers."""
        return dict(self.masks)

    def load_state_dict(self, masks: Mapping[str, Tensor]) -> None:
        """Take masks from `state_dict()` of another pruner, and set the pruned weights to zero.

        Raises: ValueError unless they have the same names and shapes.
        """
        shapes = [{name: tuple(mask.shape) for name, mask in m.items()} for m in (self.masks, masks)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"the masks must have the names and shapes {shapes[0]}, got {shapes[1]}")
        self.masks = {name: masks[name].to(torch.bool) for name in self.masks}
        self.step_()

    @torch.no_grad()
    def step_(self) -> None:
        """Set the pruned weights to zero again; to be called after each optimizer step.

        >>> layer = nn.Linear(10, 10)
        >>> pruner = Pruner(layer).prune(sparsity=0.5)
        >>> _ = layer.weight.data.add_(1.0)
        >>> pruner.step_()
        >>> int((layer.weight == 0).sum())
        50
        """
        for name, weight in self.weights.items():
            self.masks[name] = self.masks[name].to(weight.tensor.device)
            weight.tensor.masked_fill_(~self.masks[name], 0)

    @property
    def sparsity(self) -> float:
        """The fraction of its weights that are zero now."""
        tensors = [weight.tensor for weight in self.weights.values()]
        return sum(int((t == 0).sum()) for t in tensors) / max(1, sum(t.numel() for t in tensors))

    def __repr__(self) -> str:
        count = sum(mask.numel() for mask in self.masks.values())
        return f"Pruner(scope={self.scope!r}): {self.sparsity:.1%} of {count:,} weights are zero"

    def __enter__(self) -> "Pruner":
        self._hook = after_steps(self.model, self.step_)
        self._hook.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._hook is not None
        self._hook.__exit__(kind, error, trace)
        self._hook = None


def _for_layer(amount: Amount | None, name: str) -> float | None:
    return amount[name] if isinstance(amount, Mapping) else amount


def iterative_prune(
    model: nn.Module,
    *,
    schedule: Iterable[Amount],
    retrain: Callable[[nn.Module], object],
    scope: str = "layer",
    layers: Iterable[str] | None = None,
) -> Pruner:
    """Prune a trained network and retrain the weights that are left, in several rounds; returns the masks (section 07).

    `schedule`: the sparsity of each round, rising; one round is one-shot pruning. `retrain(model)` is any training; the
    masks are applied again after each of its optimizer steps. `scope`, `layers`: as in `Pruner`. (Han, Pool, Tran,
    Dally 2015, arXiv:1506.02626.)

    Raises: as `Pruner.prune`.

    >>> model = nn.Linear(10, 10)
    >>> rounds = iterative_prune(model, schedule=[0.5, 0.8], retrain=lambda model: None)
    >>> int((model.weight == 0).sum())
    80
    """
    pruner = Pruner(model, scope=scope, layers=layers)
    for sparsity in schedule:
        pruner.prune(sparsity=sparsity)
        with pruner:
            retrain(model)
    return pruner
