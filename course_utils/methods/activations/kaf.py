"""Kernel activation functions: each neuron's activation is a weighted sum of bumps (lecture, (17) to (20))."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._support.check import in_range
from course_utils.methods.activations.kernel_sum import kernel_sum
from course_utils.methods.activations.parametric import per_feature

__all__ = ["KAF", "krr_coefficients"]


def krr_coefficients(
    function: Callable[[Tensor], Tensor], dictionary: Tensor, *, gamma: float, ridge: float = 1e-6
) -> Tensor:
    """The alpha, (D,), of the sum of kernels that approximates `function`: kernel ridge regression (lecture, (20)).

    alpha = (K + ridge I)^-1 t,    K_ij = exp(-gamma (d_i - d_j)^2),    t_i = function(d_i)

    `dictionary`: d, (D,). Solved in float64; the result has the type of the dictionary. (Scardapane, Van Vaerenbergh,
    Totaro, Uncini 2017, arXiv:1707.04035.)

    Raises: ValueError where the function does not give one finite number for each value, or for gamma or ridge not
    above 0.

    >>> d = torch.linspace(-3, 3, 20)
    >>> alpha = krr_coefficients(torch.tanh, d, gamma=1.67)
    >>> g = (alpha * torch.exp(-1.67 * (0.5 - d) ** 2)).sum()
    >>> abs(g - math.tanh(0.5)).item() < 1e-3
    True
    """
    _positive("gamma", gamma)
    _positive("ridge", ridge)
    d = dictionary.detach().double()
    targets = function(d.clone())  # it may overwrite what it gets
    if not isinstance(targets, Tensor) or targets.shape != d.shape or not bool(torch.isfinite(targets).all()):
        got = f"shape {tuple(targets.shape)}" if isinstance(targets, Tensor) else type(targets).__name__
        raise ValueError(
            f"the function must take a tensor and return one finite number for each of its {len(d)} values, got {got}; "
            "write it with torch, such as lambda s: torch.sin(s)"
        )
    kernels = torch.exp(-gamma * (d[:, None] - d[None, :]) ** 2)
    alpha = torch.linalg.solve(kernels + ridge * torch.eye(len(d), dtype=d.dtype, device=d.device), targets.double())
    return alpha.to(dictionary.dtype)


class KAF(nn.Module):
    """g(s) = sum_i alpha_i exp(-gamma (s - d_i)^2), with `size` coefficients alpha for each feature (17), (18).

    The dictionary d is `size` values, equally spaced from -boundary to boundary, the same for all features. `gamma`: by
    default the rule of thumb 1 / (6 Delta^2) with Delta the spacing (19); train_gamma=True trains one for the layer.
    `init`: "normal" draws alpha with a standard deviation of 0.3; a function such as torch.tanh starts there by kernel
    ridge regression (20). Input (n, features) or (n, features, ...), output the same; `dim`: another dimension of the
    features, such as -1 for sequences. `device` and `dtype`: of the parameters. `alpha` is (features, size), so
    a penalty on it makes the activations simpler: prox_group(kaf.alpha, step=..., dim=1) removes entire neurons.

    Memory is O(n features): see `kernel_sum`. (Scardapane, Van Vaerenbergh, Totaro, Uncini 2017, arXiv:1707.04035.)

    Raises: ValueError for a size below 2, or a boundary or gamma that is not positive; as `krr_coefficients`.

    >>> kaf = KAF(300)
    >>> sum(p.numel() for p in kaf.parameters()), round(kaf.gamma, 4)
    (6000, 1.6713)
    >>> KAF(1, init=torch.tanh)(torch.tensor([[0.5]])).detach().round(decimals=3)
    tensor([[0.4620]])
    """

    alpha: Tensor
    dictionary: Tensor

    def __init__(
        self,
        features: int,
        *,
        size: int = 20,
        boundary: float = 3.0,
        gamma: float | None = None,
        train_gamma: bool = False,
        init: str | Callable[[Tensor], Tensor] = "normal",
        dim: int = 1,
        **place: Any,
    ) -> None:
        super().__init__()
        self.features, self.dim = int(in_range("features", features, 1, math.inf)), dim
        self.size = int(in_range("size", size, 2, math.inf, "one value has no spacing"))
        self.boundary = _positive("boundary", boundary)
        self.spacing = 2 * boundary / (size - 1)
        start = 1 / (6 * self.spacing**2) if gamma is None else _positive("gamma", gamma)
        self.register_buffer("dictionary", torch.linspace(-boundary, boundary, size, **place), persistent=False)
        # Its logarithm is trained, so that gamma stays positive.
        self.log_gamma = nn.Parameter(torch.tensor(math.log(start), **place)) if train_gamma else None
        self._gamma = start
        self.alpha = nn.Parameter(torch.empty(features, size, **place))
        self.reset(init)

    @property
    def gamma(self) -> float:
        """The present gamma of the kernels."""
        return self._gamma if self.log_gamma is None else math.exp(self.log_gamma.item())

    @torch.no_grad()
    def reset(self, init: str | Callable[[Tensor], Tensor] = "normal") -> None:
        """Draw new coefficients ("normal"), or take those of a function; see `KAF`.

        Raises: ValueError for another init; as `krr_coefficients`.
        """
        if callable(init):
            self.alpha.copy_(krr_coefficients(init, self.dictionary, gamma=self.gamma))
        elif init == "normal":
            nn.init.normal_(self.alpha, std=0.3)
        else:
            raise ValueError(f"init must be 'normal' or a function such as torch.tanh, got {init!r}")

    def forward(self, s: Tensor) -> Tensor:
        """g(s), shaped like s."""
        per_feature(self.alpha[:, 0], s, self.features, self.dim)  # checks the shape
        last = s.movedim(self.dim, -1)
        rows = last if s.ndim == 2 else last.reshape(-1, self.features)
        gamma = self._gamma if self.log_gamma is None else self.log_gamma.exp()
        g = kernel_sum(rows, self.alpha, low=-self.boundary, spacing=self.spacing, gamma=gamma)
        return g.reshape(last.shape).movedim(-1, self.dim)

    def extra_repr(self) -> str:
        """What print(model) shows."""
        return f"{self.features}, size={self.size}, boundary={self.boundary:g}, gamma={self.gamma:.4g}"


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return float(value)
