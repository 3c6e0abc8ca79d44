"""BitNet b1.58 against the program that its authors published."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from course_utils.methods.binarize import BitLinear, absmax_round, absmean_ternarize

seeds = st.integers(0, 10**6)


def published_weight(w: Tensor) -> Tensor:
    scale = 1.0 / w.abs().mean().clamp_(min=1e-5)
    return (w * scale).round().clamp_(-1, 1) / scale


def published_activation(x: Tensor) -> Tensor:
    scale = 127.0 / x.abs().max(dim=-1, keepdim=True).values.clamp_(min=1e-5)
    return (x * scale).round().clamp_(-128, 127) / scale


@given(seeds, st.integers(1, 9), st.integers(1, 9))
def test_the_numbers_of_the_published_program(seed: int, n: int, m: int) -> None:
    w = torch.randn(n, m, generator=torch.Generator().manual_seed(seed))
    codes, scale = absmean_ternarize(w)
    torch.testing.assert_close(codes * scale, published_weight(w))
    assert set(codes.unique().tolist()) <= {-1, 0, 1}
    assert torch.equal(absmax_round(w), published_activation(w))


def test_a_layer_and_its_gradients() -> None:
    torch.manual_seed(0)
    layer, x = BitLinear(6, 4), torch.randn(3, 5, 6, requires_grad=True)
    torch.testing.assert_close(layer(x), F.linear(published_activation(x), published_weight(layer.weight), layer.bias))
    upstream = torch.randn(3, 5, 4)
    (layer(x) * upstream).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is not None
    torch.testing.assert_close(x.grad, upstream @ published_weight(layer.weight.detach()))
    expected = upstream.flatten(0, 1).T @ published_activation(x.detach()).flatten(0, 1)
    torch.testing.assert_close(layer.weight.grad, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_zeros_and_other_types(dtype: torch.dtype) -> None:
    zeros = torch.zeros(2, 3, dtype=dtype)
    codes, scale = absmean_ternarize(zeros)
    assert (codes.dtype, scale.dtype) == (dtype, dtype)
    assert float(scale) == 0 == float(codes.abs().sum())
    assert torch.equal(absmax_round(zeros), zeros)
    assert absmax_round(zeros[:, :0]).shape == (2, 0)
    assert absmean_ternarize(zeros[:0])[1] == 0
    tiny = torch.full((2,), 1e-6, dtype=dtype)  # below the 1e-5 of the published program
    assert torch.equal(absmean_ternarize(tiny)[0], torch.ones(2, dtype=dtype))
