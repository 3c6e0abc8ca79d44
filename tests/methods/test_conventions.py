"""What holds for every primitive: see conventions.py."""

import math

import pytest
import torch
from conventions import FLOATS, PRIMITIVES, Primitive, inputs
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor


def each(chosen: list[Primitive]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("primitive", chosen, ids=lambda p: p.name)


every = each(PRIMITIVES)


def same(a: object, b: object) -> bool:
    assert isinstance(a, Tensor)
    assert isinstance(b, Tensor)
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.nan_to_num(nan=7.25), b.nan_to_num(nan=7.25))


@every
@given(data=st.data())
def test_dtype_and_shape_are_kept_and_the_input_is_left_alone(primitive: Primitive, data: st.DataObject) -> None:
    x = data.draw(inputs(primitive))
    before = x.clone()
    result = primitive.call(x)
    assert torch.equal(x, before)
    assert result.device == x.device
    if primitive.result == "like":
        assert result.shape == x.shape
        assert result.dtype == x.dtype
    elif primitive.result == "scalar":
        assert result.ndim == 0
        assert result.dtype == x.dtype
    if result.is_floating_point():
        assert bool(torch.isfinite(result).all())


@every
@given(data=st.data())
def test_the_layout_in_memory_does_not_matter_and_calls_repeat(primitive: Primitive, data: st.DataObject) -> None:
    x = data.draw(inputs(primitive))
    result = primitive.call(x)
    again = primitive.call(x.clone(memory_format=torch.contiguous_format))
    if primitive.result == "scalar" or primitive.name in ("prox_group", "prox_sparse_group", "low_rank"):
        tolerance = 0.02 if x.dtype == torch.bfloat16 else 1e-4  # sums in another order
        torch.testing.assert_close(result, again, rtol=tolerance, atol=tolerance)
    else:
        assert same(result, again)
    assert same(result, primitive.call(x)) or primitive.result == "scalar"


@every
@given(data=st.data(), bad=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_nan_and_infinity_have_a_stated_answer(primitive: Primitive, data: st.DataObject, bad: float) -> None:
    x = data.draw(inputs(primitive)).clone(memory_format=torch.contiguous_format)
    if not x.numel():
        return
    at = data.draw(st.integers(0, x.numel() - 1))
    x.view(-1)[at] = bad
    if primitive.nonfinite == "refused" and (math.isnan(bad) or primitive.name != "pack_bits"):
        with pytest.raises(ValueError, match=r"(finite|NaN).*|.*; .*"):
            primitive.call(x)
        return
    result = primitive.call(x)
    if primitive.nonfinite == "local":
        assert result.shape == x.shape
        others = torch.arange(x.numel()) != at
        harmless = x.clone()
        harmless.view(-1)[at] = 1.0
        assert same(result.reshape(-1)[others], primitive.call(harmless).reshape(-1)[others])
        assert bool(result.reshape(-1)[at].isnan()) == math.isnan(bad)


@each([p for p in PRIMITIVES if p.smooth])  # the gradients of the others are tested with them
@given(data=st.data())
def test_gradients_are_those_of_differences(primitive: Primitive, data: st.DataObject) -> None:
    x = data.draw(inputs(primitive, (torch.float64,))).clone().requires_grad_()
    if x.numel():
        assert torch.autograd.gradcheck(primitive.call, x)


@each([p for p in PRIMITIVES if p.stochastic])
@given(seed=st.integers(0, 2**31), data=st.data())
def test_randomness_comes_from_the_generator_alone(primitive: Primitive, seed: int, data: st.DataObject) -> None:
    assert primitive.stochastic is not None
    x = data.draw(inputs(primitive))
    state = torch.get_rng_state()
    first, second = (primitive.stochastic(x, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert same(first, second)
    assert torch.equal(torch.get_rng_state(), state)


@every
def test_other_types_are_answered_with_the_way_out(primitive: Primitive) -> None:
    shape = next(shape for shape in primitive.shapes if math.prod(shape) > 1)
    with pytest.raises(TypeError, match=r"must have a floating-point dtype, got torch\.int64; convert it with \.float"):
        primitive.call(torch.ones(shape, dtype=torch.int64))
    for call, message in primitive.wrong:
        with pytest.raises(ValueError, match=message):
            call(torch.ones(shape))


@pytest.mark.gpu
@every
def test_a_gpu_gives_the_numbers_of_the_cpu(primitive: Primitive) -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in primitive.shapes:
        for dtype in FLOATS:
            x = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
            on_gpu = primitive.call(x.cuda())
            assert on_gpu.is_cuda
            tolerance = 0.02 if dtype == torch.bfloat16 else 1e-5
            torch.testing.assert_close(on_gpu.cpu(), primitive.call(x), rtol=tolerance, atol=tolerance)
