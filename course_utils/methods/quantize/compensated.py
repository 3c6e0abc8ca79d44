"""GPTQ: rounding a weight matrix column by column, where the columns to come make up for each error.

For a layer with weight W (out, in) and inputs X (n, in) the error of the sums is

    || X (W - W')^T ||^2 = trace((W - W') H (W - W')^T)        H = X^T X

Once column i is rounded, the best the free columns j can do is W_j -= (W_i - W'_i) / (H^-1)_ii * (H^-1)_ij, with H of
the free columns only. This is OBQ (Frantar, Singh, Alistarh 2022, arXiv:2208.11580, (3)) with one order for all rows;
GPTQ (Frantar, Ashkboos, Hoefler, Alistarh 2022, arXiv:2210.17323, algorithm 1) reads all these rows of inverses from
one Cholesky factor of H^-1. Here the scales are those of the weights as they were given, also with groups; the paper's
program chooses the scales of a group when its first column is reached, unless its option `static_groups` is set.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._support.check import floating, in_range, one_of
from course_utils.methods.quantize.affine import QParams, choose_qparams, dequantize, quantize
from course_utils.methods.quantize.inputs import input_rows, watch_inputs, weight_matrices

__all__ = ["gptq", "gptq_"]

BLOCK = 128  # columns after which the errors are passed on to all columns that follow, in one product


def gptq(
    w: Tensor,
    hessian: Tensor,
    *,
    bits: int | None = None,
    qparams: QParams | None = None,
    symmetric: bool = False,
    axis: int | None = 0,
    group: int | None = None,
    damping: float = 0.01,
    order: str = "given",
) -> tuple[Tensor, QParams]:
    """Codes of `w` whose error in the sums of the layer is small, and what they mean: see `dequantize`.

    `w`: (out, in). `hessian`: X^T X of the inputs, (in, in), in any unit, since a factor changes nothing. The range is
    that of w by `choose_qparams` (`bits`, `symmetric`, `axis`, or `group` along the columns), or that of `qparams`.
    `damping` times the mean of the diagonal is added to it, so that it has an inverse. `order`: the columns as "given",
    or those of large "curvature" H_jj first, when most columns are still free to make up for their errors. With a
    diagonal hessian the codes are those of `quantize`. (arXiv:2210.17323; see above.)

    Raises: as `choose_qparams`; ValueError unless exactly one of bits and qparams is given, for a hessian that is of
    another shape or not finite or that even with the damping is not positive definite, a negative damping, or another
    order.

    >>> w, x = torch.tensor([[0.4, 0.4, 1.0]]), torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> codes, qparams = gptq(w, x.T @ x, qparams=QParams(torch.tensor(1.0), torch.tensor(0), bits=2))
    >>> codes  # the second becomes 1, as the two are always added: 0 + 1 is nearer to 0.8 than 0 + 0
    tensor([[0, 1, 1]], dtype=torch.uint8)
    """
    if floating("w", w).ndim != 2:
        raise ValueError(f"w must have the shape (out, in), got {tuple(w.shape)}; flatten filters with w.flatten(1)")
    if (bits is None) == (qparams is None):
        raise ValueError(f"give exactly one of bits and qparams, got bits={bits!r} and qparams={qparams!r}")
    one_of("order", order, ("given", "curvature"))
    if qparams is None:
        assert bits is not None
        axis = None if group is not None else axis
        qparams = choose_qparams(w.detach(), bits=bits, symmetric=symmetric, axis=axis, group=group)
    factor, columns = _inverse_factor(hessian, w, damping, order)
    codes = _round_columns(w.detach()[:, columns].double(), factor, _Columns(qparams.spread(w), w, columns))
    out = torch.empty_like(codes)
    out[:, columns] = codes
    return out, qparams


def _inverse_factor(hessian: Tensor, w: Tensor, damping: float, order: str) -> tuple[Tensor, Tensor]:
    """U, upper triangular with U^T U = H^-1 in the order of the columns, and this order. In float64."""
    n = w.shape[1]
    if hessian.shape != (n, n) or not bool(torch.isfinite(hessian).all()):
        raise ValueError(
            f"hessian must be finite and of shape {(n, n)} for w of shape {tuple(w.shape)}, got shape "
            f"{tuple(hessian.shape)}; it is x.T @ x for inputs x of shape (n, {n})"
        )
    h = hessian.detach().double()
    diagonal = h.diagonal()
    added = in_range("damping", damping, 0, float("inf")) * diagonal.mean() if n else diagonal.sum()
    # An input that is always 0 has no influence on the others, nor an error of its own.
    h = h + torch.diag(torch.where((diagonal + added) == 0, 1.0, added))
    columns = torch.arange(n, device=w.device)
    if order == "curvature":
        columns = diagonal.argsort(descending=True, stable=True)
    factor, failed = torch.linalg.cholesky_ex(h[columns][:, columns])
    if bool(failed):
        raise ValueError(
            f"hessian must be positive definite with damping={damping:g}, got one that is not; "
            "give more inputs, or more damping"
        )
    return torch.linalg.cholesky(torch.cholesky_inverse(factor), upper=True), columns


class _Columns:
    """Codes and numbers of a single column, in the order of the rounding."""

    def __init__(self, qparams: QParams, w: Tensor, columns: Tensor) -> None:
        self.qparams, self.dtype, self.columns = qparams, w.dtype, columns
        self.scale = qparams.scale.expand(w.shape)[:, columns] if qparams.scale.ndim else qparams.scale
        self.zero_point = qparams.zero_point.expand(w.shape)[:, columns] if self.scale.ndim else qparams.zero_point

    def round(self, values: Tensor, i: int) -> tuple[Tensor, Tensor]:
        q, scale, zero_point = self.qparams, self.scale, self.zero_point
        at = QParams(scale[:, i], zero_point[:, i], q.bits, q.symmetric) if scale.ndim else q
        codes = quantize(values.to(scale.dtype), at)
        return codes, dequantize(codes, at).double()


def _round_columns(w: Tensor, factor: Tensor, columns: _Columns) -> Tensor:
    codes = torch.empty(w.shape, dtype=columns.qparams.dtype, device=w.device)
    for start in range(0, w.shape[1], BLOCK):
        end = min(start + BLOCK, w.shape[1])
        errors = torch.empty_like(w[:, start:end])
        for i in range(start, end):
            codes[:, i], rounded = columns.round(w[:, i], i)
            errors[:, i - start] = error = (w[:, i] - rounded) / factor[i, i]
            w[:, i + 1 : end] -= torch.outer(error, factor[i, i + 1 : end])
        w[:, end:] -= errors @ factor[start:end, end:]
    return codes


@torch.no_grad()
def gptq_(
    model: nn.Module, layers: Mapping[str, Any], batches: list[Tensor], *, bits: Mapping[str, int], **options: Any
) -> None:
    """Round the weights of `layers` in place, in the order in which the batches reach them.

    The inputs of each layer are those of the network whose earlier layers are rounded already. `options` as in `gptq`.

    Raises: as `gptq`; ValueError for layers that the batches do not reach.
    """
    reached: dict[str, None] = {}
    watch_inputs(model, layers, batches[:1], lambda name, x: reached.setdefault(name))
    if missing := [name for name in layers if name not in reached]:
        raise ValueError(
            f"calibration must reach each layer that is to be rounded, got none for {', '.join(missing)}; "
            "leave these in float by naming the others in bits"
        )
    for name in reached:
        layer = layers[name]
        weight = weight_matrices(layer).detach().clone()
        hessians = weight.new_zeros(len(weight), weight.shape[2], weight.shape[2], dtype=torch.float64)

        def add(_: str, x: Tensor, layer: nn.Module = layer, hessians: Tensor = hessians) -> None:
            rows = input_rows(layer, x).double()
            hessians += rows.mT @ rows

        watch_inputs(model, {name: layer}, batches, add)
        for matrix, hessian in zip(weight, hessians, strict=True):
            codes, qparams = gptq(matrix, hessian, bits=bits[name], **options)
            matrix.copy_(dequantize(codes, qparams))
        layer.weight.copy_(weight.view_as(layer.weight))
