"""FP8 against torch's casts on every number of 16 bits, MX and NF4 against their definitions and torchao."""

import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from course_utils.methods.quantize import (
    E2M1,
    E4M3,
    E5M2,
    NF4,
    FloatFormat,
    dequantize_nf4,
    mx_round,
    mx_scales,
    quantize_nf4,
)

TORCHS = {torch.float8_e4m3fn: E4M3, torch.float8_e5m2: E5M2}
finite = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=80).map(torch.tensor)


def all_of_16_bits(dtype: torch.dtype) -> Tensor:
    return torch.arange(-(2**15), 2**15, dtype=torch.int16).view(dtype)


@pytest.mark.parametrize("torchs", TORCHS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_every_number_of_16_bits_becomes_what_torch_makes_of_it(torchs: torch.dtype, dtype: torch.dtype) -> None:
    x, number_format = all_of_16_bits(dtype), TORCHS[torchs]
    ours = number_format.round(x)
    theirs = x.float().clamp(-number_format.maximum, number_format.maximum).to(torchs).to(dtype)
    assert ours.dtype == dtype
    assert torch.equal(ours.isnan(), theirs.isnan())
    assert torch.equal(ours[~ours.isnan()], theirs[~ours.isnan()])


@pytest.mark.parametrize("torchs", TORCHS, ids=str)
def test_the_values_are_those_of_torch(torchs: torch.dtype) -> None:
    values = torch.arange(256, dtype=torch.uint8).view(torchs).float()
    assert torch.equal(TORCHS[torchs].values(), values[values.isfinite()].unique())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32], ids=str)
def test_another_format_is_bfloat16(dtype: torch.dtype) -> None:
    brain = FloatFormat(exponent_bits=8, mantissa_bits=7, maximum=torch.finfo(torch.bfloat16).max)
    x = all_of_16_bits(torch.float16).to(dtype)
    x = x[x.isfinite()] if dtype == torch.float16 else x[x.isfinite()] * 1.001
    expected = x.bfloat16().to(dtype)
    assert torch.equal(brain.round(x), expected)


def test_large_numbers_become_the_largest() -> None:
    x = torch.tensor([1e9, -math.inf, 61440.0])
    assert E5M2.round(x).tolist() == [57344.0, -57344.0, 57344.0]
    assert x.to(torch.float8_e5m2).isinf().all()  # the difference from torch
    assert E4M3.round(x).tolist() == [448.0, -448.0, 448.0]


@pytest.mark.parametrize("number_format", [E2M1, E4M3, E5M2])
@given(finite)
def test_no_number_of_the_format_is_nearer(number_format: FloatFormat, x: Tensor) -> None:
    ours = number_format.round(x.double())
    distances = (x.double()[:, None] - number_format.values()).abs()
    assert torch.equal((ours - x.double()).abs(), distances.amin(1))


def test_ties_go_to_even_mantissas() -> None:
    assert E2M1.round(torch.tensor([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0])).tolist() == [0, 1, 1, 2, 2, 4, 4]


def test_the_gradient_passes_up_to_the_largest_number() -> None:
    x = torch.tensor([0.3, 6.0, 6.1, -9.0], requires_grad=True)
    E2M1.round(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 1, 0, 0]


@given(finite, st.integers(1, 33), st.sampled_from([E2M1, E4M3, E5M2]))
def test_an_mx_group_is_scaled_by_a_power_of_two(x: Tensor, group: int, number_format: FloatFormat) -> None:
    scales, ours = (
        mx_scales(x, number_format=number_format, group=group),
        mx_round(x, number_format=number_format, group=group),
    )
    assert ours.dtype == x.dtype
    for part, scale, rounded in zip(x.split(group), scales.tolist(), ours.split(group), strict=True):
        largest = float(part.abs().max())
        exponent = max(-127, math.floor(math.log2(largest)) - number_format.greatest_exponent) if largest else -127
        assert scale == 2.0**exponent
        assert torch.equal(rounded, (number_format.round(part.double() / scale) * scale).to(x.dtype))


def test_extreme_numbers_of_float32_stay_finite() -> None:
    x = torch.tensor([[3.4e38, -1e38], [1e-45, 0.0]])
    assert mx_round(x, group=2).tolist() == [[float(torch.tensor(6 * 2.0**125)), -(2.0**126)], [0.0, 0.0]]


@pytest.mark.parametrize("call", [mx_round, quantize_nf4])
def test_what_has_no_scale_is_refused(call) -> None:
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="must be finite.*nan_to_num"):
            call(torch.tensor([1.0, bad]))
    with pytest.raises(ValueError, match="group must be a whole number"):
        call(torch.ones(4), group=0)
    with pytest.raises(ValueError, match="must have a dimension -1"):
        call(torch.tensor(1.0))
    with pytest.raises(TypeError, match="floating"):
        call(torch.ones(4, dtype=torch.int32))


def test_nf4_is_made_of_quantiles() -> None:
    # The paper's program: 8 positive and 7 negative quantiles between 1/2 and 0.9677083, and 0.
    up, down = (torch.special.ndtri(torch.linspace(0.9677083, 0.5, n, dtype=torch.float64))[:-1] for n in (9, 8))
    levels = torch.cat([-down, torch.zeros(1), up.flip(0)])
    torch.testing.assert_close(NF4.double(), levels / levels.max(), rtol=0, atol=2e-7)


@given(finite, st.integers(1, 70))
def test_no_level_of_nf4_is_nearer(x: Tensor, group: int) -> None:
    x = x.double()
    codes, scales = quantize_nf4(x, group=group)
    for part, scale, code in zip(x.split(group), scales, codes.split(group), strict=True):
        assert scale == part.abs().max()
        distances = (part[:, None] - scale * NF4.double()).abs()
        chosen = distances.gather(1, code.long()[:, None]).squeeze(1)
        assert bool((chosen <= distances.amin(1) + 1e-12 * scale).all())
    zeros, _ = quantize_nf4(torch.zeros(3))
    assert zeros.tolist() == [7, 7, 7]


def test_nf4_of_other_types_keeps_their_type() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        x = torch.randn(3, 100, generator=torch.Generator().manual_seed(0)).to(dtype)
        near = dequantize_nf4(*quantize_nf4(x))
        assert near.dtype == dtype
        assert float((near - x).abs().max()) < 0.2 * float(x.abs().max())


# --- beside torchao


def peer(name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, exc_type=ImportError)


@pytest.mark.parametrize("kind", ["MXFP4", "MXFP8"])
def test_the_same_bits_as_torchaos_to_mx(kind: str) -> None:
    mx = peer("torchao.prototype.mx_formats.mx_tensor")
    kernels = peer("torchao.prototype.mx_formats.kernels")
    x = torch.randn(16, 128, generator=torch.Generator().manual_seed(0)) * torch.logspace(-9, 9, 16)[:, None]
    element = torch.float4_e2m1fn_x2 if kind == "MXFP4" else torch.float8_e4m3fn
    scales, data = mx.to_mx(x, element, 32)
    if kind == "MXFP4":
        data = kernels.f4_unpacked_to_f32(kernels.unpack_uint4(data.view(torch.uint8)))
    theirs = data.float().view(16, 4, 32) * scales.float().view(16, 4, 1)
    assert torch.equal(mx_round(x, number_format=E2M1 if kind == "MXFP4" else E4M3), theirs.view(16, 128))


def test_the_same_codes_as_torchaos_nf4() -> None:
    nf4 = peer("torchao.quantization.quantize_.workflows.nf4.nf4_tensor").NF4Tensor
    x = torch.randn(64, 256, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(nf4.from_tensor(x, 64, 256).nf4, NF4, rtol=0, atol=5e-5)
    codes, scales = quantize_nf4(x)
    relative = x.view(64, 4, 64) / scales[:, :, None]
    assert torch.equal(codes.view(64, 4, 64), nf4.quantize_tensor_nearest(relative.flatten(), NF4).view(64, 4, 64))
