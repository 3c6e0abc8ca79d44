"""One bit per weight, or one and a half: the rules that turn real weights into -1, 0 and +1 (lecture, (10) to (12)).

The gradient is straight-through: it passes to the real weight where that lies in [-1, 1] and is 0 outside, where a
larger weight changes nothing (Courbariaux, Hubara et al. 2016, arXiv:1602.02830).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils._support.check import floating, in_range

__all__ = ["binarize", "hard_sigmoid", "square_hinge_loss", "ternarize"]


def hard_sigmoid(w: Tensor) -> Tensor:
    """The probability of +1, clip((w + 1) / 2, 0, 1), a tensor like w (lecture, (12)).

    Raises: TypeError if w is not a floating tensor.

    >>> hard_sigmoid(torch.tensor([-3.0, -0.5, 0.0, 1.0]))
    tensor([0.0000, 0.2500, 0.5000, 1.0000])
    """
    return ((floating("w", w) + 1) / 2).clamp(0, 1)


def binarize(w: Tensor, *, stochastic: bool = False, generator: torch.Generator | None = None) -> Tensor:
    """-1 or +1 for each weight, a tensor like w.

    Deterministic: the sign, with sign(0) = +1 (10). Stochastic: +1 with probability hard_sigmoid(w) and -1 otherwise,
    so that the expectation is w itself for w in [-1, 1] (11). The lecture's slide prints the two cases the other way
    round; this is the paper's rule (Courbariaux, Bengio, David 2015, arXiv:1511.00363). Probabilities are rounded to
    multiples of 2^-16, because each weight uses 16 random bits. NaN stays NaN.

    Raises: TypeError if w is not a floating tensor.

    >>> binarize(torch.tensor([-0.3, 0.0, 2.0]))
    tensor([-1.,  1.,  1.])
    """
    return _Binarize.apply(floating("w", w), stochastic, generator)


class _Binarize(torch.autograd.Function):
    # In place where possible: a large training step takes as long for its memory as for its arithmetic.
    @staticmethod
    def forward(w: Tensor, stochastic: bool, generator: torch.Generator | None) -> Tensor:
        margin = _stochastic_margin(w, generator) if stochastic else w.clone()
        signs = margin.sign_().add_(0.5).sign_()  # sign(0) = +1
        return signs.to(w.dtype).add_(w.clamp(-1, 1).mul_(0))  # which adds 0, or NaN

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (w,) = ctx.saved_tensors
        beyond = 1 + torch.finfo(w.dtype).eps  # the next number above 1, so that 1 itself still passes
        return torch.ops.aten.hardtanh_backward(grad, w, -beyond, beyond), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        (w,) = ctx.saved_tensors
        return tangent * (w.abs() <= 1)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], w: Tensor, *settings: Any) -> tuple[Tensor, int]:
        return _Binarize.apply(w, *settings), in_dims[0]


def _stochastic_margin(w: Tensor, generator: torch.Generator | None) -> Tensor:
    """Above 0 with probability hard_sigmoid(w), else below: w against a random number from -1 to 1, times 2^15."""
    # Four numbers of 16 bits are cut from each random word, which takes a third of the time of torch.rand.
    words = torch.empty(-(-w.numel() // 4), dtype=torch.int64, device=w.device)
    draw = words.random_(-(2**63), None, generator=generator).view(torch.int16)[: w.numel()].view(w.shape)
    return (w.float() if w.dtype in (torch.float16, torch.bfloat16) else w).mul(2.0**15).sub_(draw).sub_(0.5)


def ternarize(w: Tensor, *, factor: float = 0.7) -> tuple[Tensor, Tensor]:
    """Codes -1, 0, +1 like w, and a scale: scale * codes approximates w (Li, Zhang, Liu 2016, arXiv:1605.04711).

    threshold = factor * mean |w|; the code is the sign of w where |w| > threshold and 0 elsewhere; scale, a 0-d tensor,
    is the mean of |w| where the code is not 0, and 0 where there is none. Both are without a gradient: the layers pass
    it straight through.

    Raises: TypeError if w is not a floating tensor; ValueError for a negative factor.

    >>> ternarize(torch.tensor([-1.0, 0.1, 0.5, 2.0]))
    (tensor([-1.,  0.,  0.,  1.]), tensor(1.5000))
    """
    magnitude = floating("w", w).detach().abs()
    in_range("factor", factor, 0, float("inf"))
    if not w.numel():
        return torch.zeros_like(magnitude), magnitude.new_zeros(())
    mask = magnitude > factor * magnitude.mean()
    # The sum is at least the count times the threshold, so an empty mask gives 0 / 1.
    scale = torch.where(mask, magnitude, 0.0).sum() / mask.sum().clamp(min=1)
    return torch.where(mask, w.detach().sign(), 0.0), scale.to(w.dtype)


def square_hinge_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The L2-SVM loss of BinaryConnect: mean over rows and classes of max(0, 1 - t z)^2, a 0-d tensor.

    `logits` z: (n, classes); `labels`: (n,), whole numbers; t is +1 for the row's class and -1 for the others. It can
    be the loss of `fit`. (Courbariaux, Bengio, David 2015, arXiv:1511.00363, section 3.1; Tang 2013, arXiv:1306.0239.)

    Raises: ValueError where the shapes do not belong together.

    >>> square_hinge_loss(torch.tensor([[1.0, -1.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    tensor(0.5000)
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"logits must have the shape (n, classes) and labels (n,), got {tuple(logits.shape)} and "
            f"{tuple(labels.shape)}"
        )
    targets = 2 * F.one_hot(labels, logits.shape[1]).to(logits.dtype) - 1
    return (1 - targets * logits).clamp(min=0).square().mean()
