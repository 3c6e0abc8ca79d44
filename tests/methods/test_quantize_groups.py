"""Groups of weights with scales of their own: against each group alone, and against torchao."""

import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.methods.quantize import choose_qparams, dequantize, fake_quantize, quantize, quantize_model

shapes = st.lists(st.integers(1, 7), min_size=1, max_size=3)


def normal(shape: list[int], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(shapes, st.integers(1, 9), st.integers(-3, 2), st.integers(2, 8), st.booleans(), st.integers(0, 1000))
def test_each_group_is_quantized_as_if_it_were_alone(
    shape: list[int], group: int, axis: int, bits: int, symmetric: bool, seed: int
) -> None:
    axis = axis % len(shape)
    x = normal(shape, seed)
    p = choose_qparams(x, bits=bits, symmetric=symmetric, axis=axis, group=group)
    assert p.scale.shape[axis] == math.ceil(shape[axis] / group)
    expected = torch.empty_like(x)
    rows, results = x.movedim(axis, -1).reshape(-1, shape[axis]), expected.movedim(axis, -1)
    alone = [
        torch.cat([fake_quantize(part, bits=bits, symmetric=symmetric) for part in row.split(group)]) for row in rows
    ]
    results.copy_(torch.stack(alone).view(results.shape))
    assert torch.equal(fake_quantize(x, qparams=p), expected)
    assert torch.equal(fake_quantize(x, bits=bits, symmetric=symmetric, axis=axis, group=group), expected)
    assert torch.equal(dequantize(quantize(x, p), p), expected)


def test_groups_are_along_the_last_dimension_unless_another_is_given() -> None:
    x = normal([4, 10], 0)
    assert choose_qparams(x, bits=4, group=4).scale.shape == (4, 3)
    assert choose_qparams(x, bits=4, group=4, axis=0).scale.shape == (1, 10)


def test_an_outlier_costs_its_own_group_alone() -> None:
    x = normal([1, 64], 1)
    x[0, 5] = 1000.0
    assert (fake_quantize(x, bits=4, group=32) - x)[0, 32:].abs().max() < 0.3
    assert (fake_quantize(x, bits=4) - x)[0, 32:].abs().max() > 0.9


def test_the_gradient_passes_within_the_range_of_the_group() -> None:
    x = torch.tensor([[1.0, -1.0, 8.0, 2.0, 5.0]], requires_grad=True)
    p = choose_qparams(torch.tensor([[2.0, -2.0, 3.0, 1.0, 1.0]]), bits=4, group=2)
    fake_quantize(x, qparams=p).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[1, 1, 0, 1, 0]]


def test_large_tensors_are_rounded_in_blocks_with_the_same_numbers() -> None:
    x = normal([700, 1000], 2)
    p = choose_qparams(x, bits=4, group=96)
    assert torch.equal(fake_quantize(x, qparams=p), dequantize(quantize(x, p), p))


def test_no_numbers_have_no_groups() -> None:
    p = choose_qparams(torch.zeros(3, 0), bits=4, group=2)
    assert fake_quantize(torch.zeros(3, 0), qparams=p).shape == (3, 0)


@pytest.mark.parametrize("group", [0, -1, 2.5, True, "32"])
def test_a_wrong_group_is_refused(group: float) -> None:
    with pytest.raises(ValueError, match="whole number of at least 1.*None is one range"):
        fake_quantize(torch.ones(2, 4), bits=4, group=group)


def test_groups_of_another_tensor_are_refused() -> None:
    p = choose_qparams(torch.ones(2, 10), bits=4, group=4)
    with pytest.raises(ValueError, match="between 9 and 12 numbers along dimension -1.*got 13.*anew"):
        quantize(torch.ones(2, 13), p)
    with pytest.raises(ValueError, match="2 dimensions.*anew"):
        quantize(torch.ones(10), p)


def test_a_network_with_groups() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 5))
    rounded = quantize_model(model, bits=3, group=8)
    expected = fake_quantize(model[0].weight.flatten(1), bits=3, group=8).view_as(model[0].weight)
    assert torch.equal(rounded[0].weight, expected)

    def error(**options: int) -> float:
        rounded = quantize_model(model, bits=3, per_channel=True, **options)
        return float((rounded[0].weight - model[0].weight).detach().square().sum())

    assert error(group=8) < error()


# --- beside torchao


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_same_bits_as_torchao(bits: int, symmetric: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = pytest.importorskip("torchao.quantization.quant_primitives", exc_type=ImportError)
    x = normal([16, 128], 3)
    p = choose_qparams(x, bits=bits, symmetric=symmetric, group=32)
    limits = {"quant_min": p.qmin, "quant_max": p.qmax}
    kind = peer.MappingType.SYMMETRIC if symmetric else peer.MappingType.ASYMMETRIC
    scale, zero_point = peer.choose_qparams_affine(x, kind, (1, 32), p.dtype, **limits)
    torch.testing.assert_close(p.scale.flatten(), scale.flatten(), rtol=2e-7, atol=0)
    assert torch.equal(p.zero_point.flatten(), zero_point.flatten().int())
    codes = peer.quantize_affine(x, (1, 32), p.scale, p.zero_point, p.dtype, **limits)
    assert torch.equal(codes, quantize(x, p))
    assert torch.equal(
        peer.dequantize_affine(codes, (1, 32), p.scale, p.zero_point, p.dtype, **limits), dequantize(codes, p)
    )
    with pytest.raises(AssertionError):
        peer.choose_qparams_affine(x, kind, (1, 30), p.dtype, **limits)
