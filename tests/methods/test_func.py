"""Rounding under torch.func: `vmap`, `grad` and `jvp` give what a loop and autograd give."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.func import grad, jvp, vmap

from course_utils.methods.binarize import binarize
from course_utils.methods.quantize import QParams, choose_qparams, fake_quantize


def ranges(x: Tensor) -> list[QParams]:
    return [choose_qparams(x, bits=3, axis=axis) for axis in (None, 0, 1, -1)]


@given(seed=st.integers(0, 100), stacked=st.sampled_from([0, 1, 2]))
def test_rounding_of_stacked_tensors(seed: int, stacked: int) -> None:
    x = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(seed))
    for qparams in ranges(x[0]):
        one_by_one = torch.stack([fake_quantize(2 * row, qparams=qparams) for row in x])
        moved = x.movedim(0, stacked)
        together = vmap(lambda a, q=qparams: fake_quantize(2 * a, qparams=q), in_dims=stacked)(moved)
        assert torch.equal(together, one_by_one)
    assert torch.equal(vmap(binarize, in_dims=stacked, out_dims=stacked)(x), binarize(x))


def test_one_tensor_on_stacked_grids() -> None:
    x, scales = torch.randn(4, 3), torch.tensor([0.1, 0.5, 2.0])
    zero = torch.tensor(3, dtype=torch.int32)
    together = vmap(lambda scale: fake_quantize(x, qparams=QParams(scale, zero, 3)))(scales)
    assert torch.equal(together, torch.stack([fake_quantize(x, qparams=QParams(s, zero, 3)) for s in scales]))


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # torch, when it first needs a jvp
@pytest.mark.parametrize("number", range(5))
def test_gradients_and_directional_derivatives(number: int) -> None:
    x = 2 * torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0))
    q = [*ranges(x[0] / 2), None][number]
    rule = binarize if q is None else (lambda a: fake_quantize(a, qparams=q))
    for row in x:
        leaf = row.clone().requires_grad_()
        (expected,) = torch.autograd.grad(rule(leaf).square().sum(), leaf)
        assert torch.equal(grad(lambda a: rule(a).square().sum())(row), expected)
        value, tangent = jvp(rule, (row,), (torch.ones_like(row),))
        (passes,) = torch.autograd.grad(rule(leaf).sum(), leaf)
        assert torch.equal(value, rule(row))
        assert torch.equal(tangent, passes)
    per_row = vmap(grad(lambda a: rule(a).square().sum()))(x)
    assert torch.equal(per_row[2], grad(lambda a: rule(a).square().sum())(x[2]))
