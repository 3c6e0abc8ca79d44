"""The integer product: against Python's whole numbers, and whole networks against their fake-quantized twins."""

import copy
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.methods.quantize import (
    IntegerNetwork,
    Multiplier,
    QParams,
    choose_qparams,
    dequantize,
    fake_quantize,
    integer_linear,
    quantize,
    requantize,
)


@given(
    *(st.integers(0, 6),) * 3, st.integers(0, 10**6), *(st.integers(-128, 255),) * 2, *(st.sampled_from([0, 128]),) * 2
)
def test_sums_are_those_of_whole_numbers(
    n: int, out: int, columns: int, seed: int, z: int, zw: int, q_shift: int, w_shift: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    q, w = (
        (torch.randint(256, (rows, columns), generator=generator) - shift).to(torch.int8 if shift else torch.uint8)
        for rows, shift in ((n, q_shift), (out, w_shift))
    )
    sums = integer_linear(q, w, zero_point=z, weight_zero_point=zw)
    assert sums.dtype == torch.int32
    expected = [[sum((a - z) * (b - zw) for a, b in zip(x, y, strict=True)) for y in w.tolist()] for x in q.tolist()]
    assert sums.tolist() == expected


def test_the_longest_row_does_not_overflow() -> None:
    q = torch.full((1, 2**15), 255, dtype=torch.uint8)
    assert integer_linear(q, q).item() == 2**15 * 255**2
    with pytest.raises(ValueError, match="at most 32768.*split"):
        integer_linear(q.repeat(1, 2), q.repeat(1, 2))
    with pytest.raises(ValueError, match="same number of columns"):
        integer_linear(q, q[:, 1:])
    with pytest.raises(TypeError, match="int8 or uint8, got torch.float32"):
        integer_linear(q.float(), q)


@given(st.integers(-(2**31), 2**31 - 1), st.floats(1e-12, 1e6), st.integers(0, 255), st.integers(2, 8), st.booleans())
def test_requantizing_is_exact_for_the_multiplier_of_31_bits(
    number: int, real: float, zero_point: int, bits: int, symmetric: bool
) -> None:
    multiplier = Multiplier.of(torch.tensor(real, dtype=torch.float64))
    exact = Fraction(int(multiplier.mantissa), 2 ** int(multiplier.shift))
    assert abs(exact / Fraction(real) - 1) <= Fraction(1, 2 ** (31 if real > 1e-9 else 20))
    p = QParams(torch.tensor(1.0), torch.tensor(zero_point, dtype=torch.int32), bits, symmetric)
    code = requantize(torch.tensor([number], dtype=torch.int32), multiplier, p)
    assert code.dtype == p.dtype
    assert int(code) == max(p.qmin, min(p.qmax, round(number * exact) + zero_point))


def test_ties_go_to_even() -> None:
    sums = torch.arange(-9, 10, dtype=torch.int32)
    p = QParams(torch.tensor(1.0), torch.tensor(0), 8, symmetric=True)
    half = Multiplier.of(torch.tensor(0.5))
    assert torch.equal(requantize(sums, half, p).double(), (sums.double() / 2).round())


@pytest.mark.parametrize("real", [0.0, -1.0, 2.0**30, float("nan")])
def test_a_wrong_multiplier_is_refused(real: float) -> None:
    with pytest.raises(ValueError, match="multipliers must be above 0"):
        Multiplier.of(torch.tensor(real))


@given(st.integers(0, 10**6), st.booleans())
def test_a_layer_in_integers_is_the_layer_that_is_rounded(seed: int, symmetric: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, w = (torch.randn(5, 9, generator=generator, dtype=torch.float64) + 0.5 for _ in range(2))
    px, pw = choose_qparams(x, bits=8), choose_qparams(w, bits=8, symmetric=symmetric)
    y = fake_quantize(x, qparams=px) @ fake_quantize(w, qparams=pw).T
    sums = integer_linear(
        quantize(x, px), quantize(w, pw), zero_point=int(px.zero_point), weight_zero_point=int(pw.zero_point)
    )
    torch.testing.assert_close(sums * (px.scale * pw.scale), y, rtol=1e-9, atol=1e-9)
    py = choose_qparams(y, bits=8)
    codes = requantize(sums, Multiplier.of(px.scale * pw.scale / py.scale), py)
    exact = y / py.scale
    near_a_tie = ((exact - exact.floor()) - 0.5).abs() < 2**-20
    assert torch.equal(codes[~near_a_tie], quantize(y, py)[~near_a_tie])


def twin(model: nn.Sequential, x: Tensor, calibration: Tensor) -> Tensor:
    """The network with fake_quantize on weights and inputs, in float64, module by module."""
    x = x.double()
    for part in copy.deepcopy(model).double().eval():
        if isinstance(part, nn.Sequential):
            x, calibration = twin(part, x, calibration), part(calibration)
            continue
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d):
            p = choose_qparams(calibration.float(), bits=8)
            p = QParams(p.scale.double(), p.zero_point, 8)
            x, calibration = fake_quantize(x, qparams=p), part(calibration.double())
            rows = choose_qparams(part.weight.detach().float().flatten(1), bits=8, symmetric=True, axis=0)
            weight = dequantize(quantize(part.weight.detach().float().flatten(1), rows), rows).double()
            part.weight.data.copy_(weight.view_as(part.weight))
            if part.bias is not None:
                step = p.scale * rows.scale.double().flatten()
                part.bias.data.copy_((part.bias / step).round() * step)
            x = part(x)
        else:
            x, calibration = part(x), part(calibration)
    return x.detach()


NETWORKS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(9, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 7), nn.Linear(7, 3)), (9,)),
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 4, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2), groups=2, bias=False),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(24, 5),
            nn.Softmax(1),
        ),
        (2, 10, 12),
    ),
    "nested": (
        lambda: nn.Sequential(nn.Conv1d(3, 4, 3, padding="same"), nn.Flatten(), nn.Linear(20, 2), nn.ReLU()),
        (3, 5),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(3))
def test_a_network_in_integers_is_its_fake_quantized_twin(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    make, shape = NETWORKS[name]
    model = make().eval()
    calibration, x = torch.randn(30, *shape), 1.2 * torch.randn(20, *shape)
    given_network = nn.Sequential(model[:1], model[1:]) if name == "nested" else model
    network = IntegerNetwork(given_network, calibration=calibration.split(11))
    torch.testing.assert_close(network(x.double()), twin(model, x, calibration), rtol=1e-6, atol=1e-6)
    exact = model(calibration).detach()  # none of which is outside of the ranges
    assert float((network(calibration) - exact).abs().max()) < 0.1 * float(exact.abs().max())
    assert not any(p.is_floating_point() for p in network.layers.parameters())
    assert torch.equal(copy.deepcopy(network)(x), network(x))


def test_what_has_no_integer_form_is_refused() -> None:
    x = torch.randn(4, 3)
    with pytest.raises(ValueError, match="between the layers.*GELU.*replace it"):
        IntegerNetwork(nn.Sequential(nn.Linear(3, 3), nn.GELU(), nn.Linear(3, 2)), calibration=x)
    with pytest.raises(TypeError, match="must be an nn.Sequential, got Linear"):
        IntegerNetwork(nn.Linear(3, 3), calibration=x)
    with pytest.raises(ValueError, match="got a model with none"):
        IntegerNetwork(nn.Sequential(nn.ReLU()), calibration=x)
    with pytest.raises(ValueError, match="needs calibration"):
        IntegerNetwork(nn.Sequential(nn.Linear(3, 3)), calibration=None)
    reflecting = nn.Sequential(nn.Conv1d(1, 1, 3, padding=1, padding_mode="reflect"))
    with pytest.raises(ValueError, match="padded with zeros"):
        IntegerNetwork(reflecting, calibration=torch.randn(2, 1, 5))
