"""Why deep networks could not be trained for long: how much of the gradient reaches each layer of a new network.

    plain:     h_{l+1} = g(W_l h_l)                       g: sigmoid, or ReLU
    shortcut:  h_{l+1} = h_l + W_l ReLU(normalised h_l)   as in residual networks (He et al. 2015, arXiv:1512.03385)

The weights of a sigmoid layer are drawn after Glorot, Bengio 2010, those of a ReLU layer after He et al. 2015
(arXiv:1502.01852), each so that signals keep their size as well as they can.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils.experiments.applications.miniature import one_thread

__all__ = ["KINDS", "gradients"]

KINDS = ("sigmoid", "ReLU", "ReLU and shortcuts")
WIDTH = 48


@one_thread()
def gradients(kind: str, layers: int, x: Tensor, labels: Tensor, *, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    """The norm of the gradient of the cross-entropy with respect to the weights of each hidden layer, new network.

    `x` of shape (n, features), `labels` (n,); all hidden weights are drawn `scale` times as large as they should be.
    Returns an array of shape (layers,).

    >>> float(gradients("sigmoid", 10, torch.rand(8, 64), torch.arange(8))[0]) < 1e-5
    True
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(n: int, m: int) -> Tensor:
        deviation = (2 / n) ** 0.5 if kind != "sigmoid" else (2 / (n + m)) ** 0.5
        return (torch.randn(n, m, generator=generator, dtype=torch.float64) * deviation * scale).requires_grad_()

    h = x.double() @ drawn(x.shape[1], WIDTH).detach()
    weights = [drawn(WIDTH, WIDTH) for _ in range(layers)]
    for w in weights:
        if kind == "sigmoid":
            h = torch.sigmoid(h @ w)
        elif kind == "ReLU":
            h = torch.relu(h @ w)
        else:
            h = h + torch.relu(F.layer_norm(h, (WIDTH,))) @ w
    if kind == KINDS[-1]:
        h = F.layer_norm(h, (WIDTH,))
    F.cross_entropy(h @ drawn(WIDTH, 10).detach(), labels).backward()
    return np.array([float(w.grad.norm()) for w in weights if w.grad is not None])
