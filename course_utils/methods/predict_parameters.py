"""Predicting parameters: a few weights of each feature predict all others (Denil et al. 2013, arXiv:1306.0543).

The weights of a neuron of the first layer, one for each pixel, are a *feature*, and features are often smooth. Then the
weights w_O at a few observed pixels O are enough, and kernel ridge regression, which fits a smooth function through
known points, predicts the others (lecture, section 03; the paper writes alpha for O):

    w = U w_O,    U = K_{: O} (K_{O O} + ridge I)^-1,    K_ij = k(pixel i, pixel j)

For all features of a layer, with a feature in each column, W = U V is of low rank: U (inputs, observed) is fixed
before any training, and only V (observed, outputs) is trained. With `columns`, the features come in blocks, each with
its own observed pixels, so that together they cover more of the image.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.check import floating, in_range

__all__ = [
    "PredictedLinear",
    "choose_observed",
    "empirical_kernel",
    "pixel_coordinates",
    "predict_weights",
    "prediction_matrix",
    "squared_exponential",
]


def pixel_coordinates(shape: Sequence[int]) -> Tensor:
    """The coordinates (n, d) of the n numbers of an input of this shape, in the order in which it is flattened.

    Dimensions of size 1, such as the channel of a grayscale image, have no coordinate.

    >>> pixel_coordinates((1, 2, 2)).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    sides = [torch.arange(float(size)) for size in shape if size > 1] or [torch.zeros(1)]
    return torch.stack([side.flatten() for side in torch.meshgrid(*sides, indexing="ij")], 1)


def squared_exponential(coordinates: Tensor, *, width: float) -> Tensor:
    """K_ij = exp(-||c_i - c_j||^2 / (2 width^2)), (n, n), of coordinates c (n, d): near pixels have similar weights.

    Raises: TypeError if coordinates is not a floating tensor; ValueError for a width below 1e-6.

    >>> squared_exponential(torch.tensor([[0.0], [1.0]]), width=1.0)
    tensor([[1.0000, 0.6065],
            [0.6065, 1.0000]])
    """
    floating("coordinates", coordinates)
    in_range("width", width, 1e-6, math.inf)
    return torch.exp(torch.cdist(coordinates, coordinates).square() / (-2 * width**2))


def empirical_kernel(x: Tensor) -> Tensor:
    """The covariance (n, n) of the n features of inputs `x` (rows, ...), scaled to a mean variance of 1.

    Correlated pixels get similar weights. A kernel for any layer, also for inputs that are not an image and so have no
    distances (section 3.2 of the paper).

    Raises: TypeError if x is not a floating tensor.

    >>> empirical_kernel(torch.tensor([[0.0, 0.0], [2.0, 2.0]]))
    tensor([[1., 1.],
            [1., 1.]])
    """
    flat = floating("x", x).flatten(1).double()
    centred = flat - flat.mean(0)
    covariance = centred.T @ centred / len(flat)
    return (covariance / covariance.diagonal().mean().clamp(min=1e-12)).to(x.dtype)


def choose_observed(n: int, count: int, *, columns: int = 1, seed: int = 0) -> Tensor:
    """The numbers of `count` observed pixels out of n, drawn from `seed`, for each column: (columns, count), ascending.

    The pixels of a smaller count are among those of a larger one.

    Raises: ValueError unless 1 <= count <= n and columns is at least 1.

    >>> choose_observed(64, 3, columns=2).shape
    torch.Size([2, 3])
    """
    in_range("count", count, 1, n)
    in_range("columns", columns, 1, math.inf)
    generator = torch.Generator().manual_seed(seed)
    orders = torch.stack([torch.randperm(n, generator=generator) for _ in range(columns)])
    return orders[:, :count].sort(1).values


def prediction_matrix(kernel: Tensor, observed: Tensor, *, ridge: float = 1e-2) -> Tensor:
    """U = K_{: O} (K_{O O} + ridge I)^-1, (n, m), for a kernel K (n, n) and m observed pixels O (m,).

    `ridge`: how far the fit may miss the known weights; 0 goes through them exactly, and may oscillate in between.
    Solved in float64.

    Raises: TypeError, ValueError for a kernel that is not a square floating matrix, or a negative ridge.

    >>> kernel = squared_exponential(pixel_coordinates((5,)), width=2.0)
    >>> u = prediction_matrix(kernel, torch.tensor([0, 2, 4]), ridge=1e-6)
    >>> (u @ torch.tensor([1.0, 3.0, 1.0])).round(decimals=2)  # those at 1 and 3 are predicted
    tensor([1.0000, 2.3700, 3.0000, 2.3700, 1.0000])
    """
    if floating("kernel", kernel).ndim != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"kernel must be a square matrix, got shape {tuple(kernel.shape)}")
    in_range("ridge", ridge, 0, math.inf)
    wide = kernel.double()
    known = wide[observed][:, observed] + ridge * torch.eye(len(observed), dtype=wide.dtype, device=wide.device)
    return torch.linalg.solve(known, wide[observed]).T.contiguous().to(kernel.dtype)


def predict_weights(w: Tensor, observed: Tensor, u: Tensor) -> Tensor:
    """W_O U^T, all weights (outputs, n) from those of `w` (outputs, n) at the m observed pixels (m,), by U (n, m).

    >>> predict_weights(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), torch.tensor([[1.0], [0.5]]))
    tensor([[1.0000, 0.5000]])
    """
    return w[:, observed] @ u.T


class PredictedLinear(nn.Module):
    """A linear layer whose parameters are its observed weights alone; all others are predicted from them.

    `u`: (columns, inputs, observed), one matrix for each block of features, or (inputs, observed) for one block; it is
    not trained. Output as nn.Linear(inputs, outputs): the weight is computed in each pass, which costs little next to
    the product with a batch. `observed` is the parameter V^T, (columns, outputs / columns, observed).

    Raises: TypeError if u is not a floating tensor; ValueError where the outputs are not a multiple of the columns.

    >>> layer = PredictedLinear(torch.rand(5, 64, 7), outputs=100)
    >>> layer(torch.rand(3, 64)).shape, sum(p.numel() for p in layer.parameters())
    (torch.Size([3, 100]), 800)
    """

    u: Tensor

    def __init__(self, u: Tensor, outputs: int, *, bias: bool = True) -> None:
        super().__init__()
        u = floating("u", u)[None] if u.ndim == 2 else u
        columns, inputs, count = u.shape
        if outputs % columns:
            raise ValueError(f"outputs must be a multiple of the {columns} columns, got {outputs}")
        self.register_buffer("u", u.detach().clone())
        # A predicted weight has about the variance that nn.Linear would give it.
        bound = 1 / math.sqrt(inputs) / float(u.square().sum(2).mean().sqrt().clamp(min=1e-6))
        self.observed = nn.Parameter(torch.empty(columns, outputs // columns, count).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-1, 1) / math.sqrt(inputs)) if bias else None

    @classmethod
    def from_linear(cls, layer: nn.Linear, u: Tensor, observed: Tensor) -> "PredictedLinear":
        """A layer that starts from the weights of a trained one at the `observed` pixels (columns, m) or (m,).

        >>> layer = nn.Linear(4, 2)
        >>> same = PredictedLinear.from_linear(layer, torch.eye(4), torch.arange(4))
        >>> torch.equal(same.weight, layer.weight)
        True
        """
        predicted = cls(u, layer.out_features, bias=layer.bias is not None).to(layer.weight)
        columns = len(predicted.u)
        with torch.no_grad():
            blocks = layer.weight.view(columns, -1, layer.in_features)
            pixels = observed.expand(columns, -1)
            predicted.observed.copy_(torch.stack([w[:, o] for w, o in zip(blocks, pixels, strict=True)]))
            if layer.bias is not None and predicted.bias is not None:
                predicted.bias.copy_(layer.bias)
        return predicted

    @property
    def weight(self) -> Tensor:
        """All weights, (outputs, inputs)."""
        return torch.bmm(self.observed, self.u.transpose(1, 2)).flatten(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x W^T + b for inputs x (n, inputs): (n, outputs)."""
        return F.linear(x, self.weight, self.bias)
