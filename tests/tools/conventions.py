"""What all primitives promise, as a table, and the tensors to try them on.

A primitive stands here with a call that takes one tensor `x`, and with what it does on the borders. A new one gets a
row, and with it all checks of test_conventions.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from course_utils.methods import activations, binarize, codebook, distill, lowrank, penalties, prune, quantize

FLOATS = (torch.float32, torch.float64, torch.bfloat16)
ALL = ((0,), (3, 0), (), (1,), (7,), (4, 5), (2, 3, 4), (2, 1, 3, 3))


@dataclass(frozen=True)
class Primitive:
    """`call(x)` gives a tensor, or a tuple of tensors. `result`: "like" x, "scalar", or "other" (checked elsewhere).

    `nonfinite`: "local" (NaN stays at its place and changes no other), "refused" (ValueError), or "spreads" (no error;
    what NaN does is tested with the primitive itself). `smooth`: its gradient can be checked by differences.
    `stochastic`: the same call with a generator. `wrong`: calls that must fail, each with what the message has to say.
    """

    name: str
    call: Callable[[Tensor], Any]
    result: str = "like"
    shapes: tuple[tuple[int, ...], ...] = ALL
    nonfinite: str = "local"
    smooth: bool = False
    stochastic: Callable[[Tensor, torch.Generator], Tensor] | None = None
    wrong: tuple[tuple[Callable[[Tensor], Any], str], ...] = ()


MATRICES = ((3, 0), (4, 5), (6, 6), (1, 9))
LINES = tuple(shape for shape in ALL if shape)
GRID = {"low": -3.0, "spacing": 6 / 19, "gamma": 1.67}


def kernel_sum(x: Tensor) -> Tensor:
    dtype = x.dtype if x.is_floating_point() else torch.float32
    alpha = torch.linspace(-1, 1, 20 * x.shape[1], dtype=dtype, device=x.device).view(x.shape[1], 20)
    return activations.kernel_sum(x, alpha, **GRID)


def distillation(x: Tensor) -> Tensor:
    labels = torch.zeros(len(x), dtype=torch.long, device=x.device)
    teacher = torch.linspace(-2, 2, x.numel(), dtype=x.dtype, device=x.device).view_as(x)
    return distill.distillation_loss(x, teacher, labels, temperature=3.0, alpha=0.5)


def group_dim(x: Tensor) -> int:
    return x.ndim - 1


PRIMITIVES = [
    Primitive("l1", penalties.l1, "scalar", nonfinite="spreads"),
    Primitive("l2", penalties.l2, "scalar", nonfinite="spreads", smooth=True),
    Primitive(
        "elastic_net",
        lambda x: penalties.elastic_net(x, l1_ratio=0.3),
        "scalar",
        nonfinite="spreads",
        wrong=((lambda x: penalties.elastic_net(x, l1_ratio=1.5), "l1_ratio must be between 0 and 1, got 1.5"),),
    ),
    Primitive("group", lambda x: penalties.group(x, dim=group_dim(x)), "scalar", LINES, nonfinite="spreads"),
    Primitive(
        "prox_l1",
        lambda x: penalties.prox_l1(x, step=0.3),
        wrong=((lambda x: penalties.prox_l1(x, step=-1.0), "step must be at least 0, got -1.0"),),
    ),
    Primitive("prox_l2", lambda x: penalties.prox_l2(x, step=0.3), smooth=True),
    Primitive("prox_elastic_net", lambda x: penalties.prox_elastic_net(x, step=0.3, l1_ratio=0.5)),
    Primitive("prox_group", lambda x: penalties.prox_group(x, step=0.3, dim=group_dim(x)), "like", LINES, "spreads"),
    Primitive(
        "prox_sparse_group",
        lambda x: penalties.prox_sparse_group(x, step=0.3, dim=group_dim(x), l1_ratio=0.5),
        "like",
        LINES,
        "spreads",
    ),
    Primitive(
        "fake_quantize",
        lambda x: quantize.fake_quantize(x, bits=4),
        nonfinite="refused",
        stochastic=lambda x, g: quantize.fake_quantize(x, bits=4, stochastic=True, generator=g),
        wrong=(
            (lambda x: quantize.fake_quantize(x, bits=1), "bits must be between 2 and 16, got 1; for one bit"),
            (lambda x: quantize.fake_quantize(x), "exactly one of bits and qparams"),
            (lambda x: quantize.choose_qparams(x, bits=4, axis=9), "axis must be a dimension of x"),
        ),
    ),
    Primitive(
        "fake_quantize symmetric", lambda x: quantize.fake_quantize(x, bits=8, symmetric=True), nonfinite="refused"
    ),
    Primitive("fake_quantize by row", lambda x: quantize.fake_quantize(x, bits=3, axis=0), "like", LINES, "refused"),
    Primitive("fake_quantize by group", lambda x: quantize.fake_quantize(x, bits=3, group=3), "like", LINES, "refused"),
    Primitive("E4M3.round", quantize.E4M3.round),
    Primitive("mx_round", lambda x: quantize.mx_round(x, group=3), "like", LINES, "refused"),
    Primitive("quantize_nf4", lambda x: quantize.quantize_nf4(x, group=3)[0], "other", LINES, "refused"),
    Primitive("absmax_round", binarize.absmax_round, "like", LINES, "spreads"),
    Primitive(
        "FixedPoint.round",
        lambda x: quantize.FixedPoint(bits=8, frac_bits=4).round(x),
        stochastic=lambda x, g: quantize.FixedPoint(bits=8, frac_bits=2).round(x, stochastic=True, generator=g),
    ),
    Primitive("DynamicFixedPoint.round", lambda x: quantize.DynamicFixedPoint(bits=8).round(x), nonfinite="spreads"),
    Primitive("hard_sigmoid", binarize.hard_sigmoid),
    Primitive(
        "binarize",
        binarize.binarize,
        stochastic=lambda x, g: binarize.binarize(x, stochastic=True, generator=g),
    ),
    Primitive(
        "ternarize",
        lambda x: binarize.ternarize(x)[0],
        nonfinite="spreads",
        wrong=((lambda x: binarize.ternarize(x, factor=-1.0), "factor must be at least 0, got -1.0"),),
    ),
    Primitive("pack_bits", binarize.pack_bits, "other", LINES, "refused"),
    Primitive(
        "magnitude_mask",
        lambda x: prune.magnitude_mask(x, sparsity=0.5),
        "other",
        nonfinite="spreads",
        wrong=(
            (lambda x: prune.magnitude_mask(x), "exactly one of sparsity and threshold"),
            (lambda x: prune.magnitude_mask(x, sparsity=2.0), "sparsity must be between 0 and 1, got 2.0"),
        ),
    ),
    Primitive(
        "fit_codebook",
        lambda x: codebook.fit_codebook(x, size=4).decode(),
        nonfinite="refused",
        stochastic=lambda x, g: codebook.fit_codebook(x, size=3, init="random", generator=g).decode(),
        wrong=(
            (lambda x: codebook.fit_codebook(x, size=0), "size must be between 1 and 65536, got 0"),
            (lambda x: codebook.fit_codebook(x, size=2, init="best"), "init must be one of"),
        ),
    ),
    Primitive(
        "low_rank",
        lambda x: lowrank.low_rank(x, rank=min(2, *x.shape)).product(),
        "like",
        MATRICES,
        "refused",
        wrong=((lambda x: lowrank.low_rank(x.reshape(-1), rank=0), "must be a matrix"),),
    ),
    Primitive(
        "kernel_sum",
        kernel_sum,
        "like",
        MATRICES,
        smooth=True,
        wrong=(
            (lambda x: activations.kernel_sum(x, torch.ones(99, 20), **GRID), r"alpha must have the shape \(5, D\)"),
        ),
    ),
    Primitive("distillation_loss", distillation, "scalar", ((2, 3), (4, 5), (1, 2)), "spreads", smooth=True),
]


@st.composite
def inputs(draw: st.DrawFn, primitive: Primitive, dtypes: tuple[torch.dtype, ...] = FLOATS) -> Tensor:
    """A tensor for the primitive: of one of its shapes, contiguous or not, small or large, with ties and zeros."""
    shape = draw(st.sampled_from(primitive.shapes))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    scale = draw(st.sampled_from([1.0, 1e-3, 30.0]))
    x = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    if draw(st.booleans()):
        x = (x / scale * 2).round() * scale / 2  # ties and zeros
    x = x.to(draw(st.sampled_from(dtypes)))
    if x.ndim and draw(st.booleans()):
        x = torch.stack([x, x + 1], -1).select(-1, 0)  # every second number of a larger tensor
    if x.ndim >= 2 and draw(st.booleans()):
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    return x
