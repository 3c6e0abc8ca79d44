"""Training shared weights: the parameters are the centroids.

The gradient of a centroid is the sum of the gradients of all weights that share it (Han, Mao, Dally 2015,
arXiv:1510.00149, section 3; lecture, section 07).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from course_utils.methods.codebook.kmeans import Codebook, fit_codebook
from course_utils.methods.weights import Weight, changeable_weights, weights_of

__all__ = ["centroid_gradient", "check_shareable", "cluster_weights_", "share_weights", "unshare_weights"]


def centroid_gradient(grad: Tensor, indices: Tensor, *, size: int) -> Tensor:
    """The gradient of each of `size` centroids, (size,): the sum of `grad` where `indices` has its index.

    `grad`, `indices`: of one shape, any. Raises: ValueError where they differ in shape.

    >>> centroid_gradient(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0, 1], [1, 0]]), size=3)
    tensor([5., 5., 0.])
    """
    if grad.shape != indices.shape:
        raise ValueError(f"grad and indices must have one shape, got {tuple(grad.shape)} and {tuple(indices.shape)}")
    flat = indices.reshape(-1).long()
    if grad.device.type == "cpu":  # in float64, and ten times as fast as adding at indices
        return torch.bincount(flat, weights=grad.reshape(-1).double(), minlength=size).to(grad.dtype)
    return grad.new_zeros(size).index_add_(0, flat, grad.reshape(-1))


def share_weights(
    model: nn.Module, *, size: int | Mapping[str, int], init: str = "exact", generator: torch.Generator | None = None
) -> dict[str, Codebook]:
    """Give each weight of a network a codebook, in place, and train the centroids from now on (see `methods.weights`).

    `size`: centroids for every layer, or by layer name; layers without a name stay as they are. Weights that are
    exactly 0 are pruned weights: they join no cluster and stay 0. After this, make a new optimizer, since the
    parameters are the centroids. `unshare_weights` turns the network into an ordinary one again. Returns the codebooks
    of the weights that are not 0, by layer.

    Raises: as `fit_codebook`; ValueError for an unknown layer, and for a weight that cannot be computed from centroids:
    that of a recurrent layer, one that two layers share, one that is computed from others or rounded already.

    >>> model = nn.Linear(20, 10)
    >>> _ = share_weights(model, size=4)
    >>> [tuple(p.shape) for p in model.parameters()], model.weight.unique().numel()
    ([(10,), (4,)], 4)
    """
    names = size if isinstance(size, Mapping) else None
    chosen = changeable_weights(model, method="share_weights", names=names)
    check_shareable(chosen, method="share_weights")
    books = {}
    for name, weight in chosen.items():
        w = weight.tensor.detach()
        mask = w != 0
        k = size[name] if isinstance(size, Mapping) else size
        books[name] = fit_codebook(w[mask], size=k, init=init, generator=generator)
        parametrize.register_parametrization(weight.module, weight.attribute, SharedWeight(books[name], mask))
    return books


def check_shareable(chosen: Mapping[str, Weight], *, method: str) -> None:
    """Raise ValueError for weights that torch cannot compute from centroids while they are trained."""
    for name, weight in chosen.items():
        if weight.kind == "recurrent":  # its kernels hold references to the parameters
            raise ValueError(
                f"{method} cannot train shared weights of a recurrent layer, got {name!r}; cluster them without "
                "training (`cluster_weights_`, or a Recipe with share_epochs=0), or name the other layers"
            )
        if weight.also:
            raise ValueError(
                f"{method} cannot train centroids of one weight for two layers, {name!r} and {weight.also[0].name!r}; "
                "cluster them without training (`cluster_weights_`, or a Recipe with share_epochs=0), give each layer "
                "its own with nn.Parameter(weight.clone()), or name the other layers"
            )


@torch.no_grad()
def cluster_weights_(
    model: nn.Module, *, size: int | Mapping[str, int], init: str = "exact", generator: torch.Generator | None = None
) -> dict[str, Codebook]:
    """Replace each weight by the nearest of `size` centroids, in place; the parameters stay ordinary ones.

    Arguments, errors and what is returned: as `share_weights`, but for recurrent and tied weights, which it can change.

    >>> model = nn.Linear(20, 10)
    >>> _ = cluster_weights_(model, size=4)
    >>> model.weight.unique().numel()
    4
    """
    names = size if isinstance(size, Mapping) else None
    books = {}
    for name, weight in changeable_weights(model, method="cluster_weights_", names=names).items():
        mask = weight.tensor != 0
        k = size[name] if isinstance(size, Mapping) else size
        books[name] = fit_codebook(weight.tensor[mask], size=k, init=init, generator=generator)
        weight.tensor[mask] = books[name].decode()
    return books


def unshare_weights(model: nn.Module) -> nn.Module:
    """Make shared weights ordinary parameters again, with their present values; in place, and returns the network.

    >>> model = nn.Linear(20, 10)
    >>> _ = share_weights(model, size=4)
    >>> sorted(name for name, p in unshare_weights(model).named_parameters())
    ['bias', 'weight']
    """
    for weight in weights_of(model).values():
        layer = weight.module
        if parametrize.is_parametrized(layer, weight.attribute) and isinstance(
            layer.parametrizations[weight.attribute][0],  # type: ignore[index]
            SharedWeight,
        ):
            parametrize.remove_parametrizations(layer, weight.attribute, leave_parametrized=True)
    return model


class SharedWeight(nn.Module):
    """Makes a weight tensor of its k centroids; index k stands for a pruned weight."""

    indices: Tensor

    def __init__(self, book: Codebook, mask: Tensor) -> None:
        super().__init__()
        self.size = len(book.centroids)
        indices = torch.full(mask.shape, self.size, device=mask.device)
        indices[mask] = book.indices.long()
        self.register_buffer("indices", indices)
        self._centroids = book.centroids

    def forward(self, centroids: Tensor) -> Tensor:
        """The weights, in the shape of the indices."""
        return _Gather.apply(centroids, self.indices)

    def right_inverse(self, _: Tensor) -> Tensor:
        """The centroids that training starts from; torch passes the weight that they replace."""
        return self._centroids.clone()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, centroids: Tensor, indices: Tensor) -> Tensor:
        ctx.save_for_backward(indices)
        ctx.size = len(centroids)
        return torch.cat([centroids, centroids.new_zeros(1)])[indices]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (indices,) = ctx.saved_tensors
        return centroid_gradient(grad, indices, size=ctx.size + 1)[:-1], None
