"""quantize: against torch's own operators to the bit, against slow specifications, and by its properties."""

import copy
import math
from contextlib import suppress
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layers import weight_layers
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import load_dataset
from course_utils.methods.quantize import (
    DynamicFixedPoint,
    FixedPoint,
    LowPrecision,
    QParams,
    choose_qparams,
    dequantize,
    fake_quantize,
    quantize,
    quantize_model,
    quantized_relu,
)
from course_utils.models import lenet5, mlp
from course_utils.train import evaluate, fit

numbers = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=40).map(torch.tensor)
bit_widths = st.integers(2, 16)


def at_ties(p: QParams) -> Tensor:
    """Numbers in the middle between two codes, where rounding rules differ."""
    return (torch.arange(p.qmin - 2, p.qmax + 3).float() + 0.5 - p.zero_point) * p.scale


# --- min-max codes against torch


@given(numbers, st.integers(2, 8), st.booleans())
def test_the_same_bits_as_torch_per_tensor(x: Tensor, bits: int, symmetric: bool) -> None:
    p = choose_qparams(x, bits=bits, symmetric=symmetric)
    for values in (x, at_ties(p), x * 3):
        torchs = torch.fake_quantize_per_tensor_affine(values, p.scale, p.zero_point, p.qmin, p.qmax)
        assert torch.equal(fake_quantize(values, qparams=p), torchs)
        codes = quantize(values, p)
        assert torch.equal(dequantize(codes, p), torchs)


@given(st.integers(0, 2**31), st.integers(2, 8), st.booleans(), st.sampled_from([0, 1, -1]))
def test_the_same_bits_as_torch_per_channel(seed: int, bits: int, symmetric: bool, axis: int) -> None:
    x = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(seed))
    p = choose_qparams(x, bits=bits, symmetric=symmetric, axis=axis)
    torchs = torch.fake_quantize_per_channel_affine(
        x, p.scale.flatten(), p.zero_point.flatten(), axis % 3, p.qmin, p.qmax
    )
    assert torch.equal(fake_quantize(x, qparams=p), torchs)
    for i in range(x.shape[axis]):
        alone = choose_qparams(x.select(axis, i), bits=bits, symmetric=symmetric)
        assert alone.scale == p.scale.flatten()[i]
        assert alone.zero_point == p.zero_point.flatten()[i]


def test_the_same_parameters_as_torchs_observer() -> None:
    # Where the definitions differ: torch bounds the scale below by float32's epsilon, we by the smallest normal number.
    from torch.ao.quantization import MinMaxObserver

    x = torch.randn(100, generator=torch.Generator().manual_seed(0)) + 0.3
    observer = MinMaxObserver(dtype=torch.quint8, qscheme=torch.per_tensor_affine)
    observer(x)
    scale, zero_point = observer.calculate_qparams()
    p = choose_qparams(x, bits=8)
    torch.testing.assert_close(p.scale, scale[0])
    assert int(p.zero_point) == int(zero_point)


def test_the_gradient_is_torchs() -> None:
    x = torch.randn(1000, generator=torch.Generator().manual_seed(1))
    p = choose_qparams(x / 2, bits=4)  # so that some lie outside
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    weights = torch.randn(1000)
    (fake_quantize(ours, qparams=p) * weights).sum().backward()
    (torch.fake_quantize_per_tensor_affine(theirs, p.scale, p.zero_point, p.qmin, p.qmax) * weights).sum().backward()
    assert torch.equal(ours.grad, theirs.grad)
    assert 0 < (ours.grad == 0).sum() < 600


@given(numbers, bit_widths, st.booleans())
def test_the_error_is_at_most_half_a_step_and_zero_stays_zero(x: Tensor, bits: int, symmetric: bool) -> None:
    p = choose_qparams(x.double(), bits=bits, symmetric=symmetric)
    near = fake_quantize(x.double(), qparams=p)
    assert float((near - x).abs().max()) <= 0.5 * float(p.scale) * (1 + 2**bits * 1e-12) + 1e-300
    assert fake_quantize(torch.zeros(1).double(), qparams=p) == 0
    codes = quantize(x.double(), p)
    assert p.qmin <= int(codes.min())
    assert int(codes.max()) <= p.qmax
    assert torch.equal(fake_quantize(near, qparams=p), near)  # once rounded, always rounded


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("bits", [2, 8, 9, 16])
def test_blocks_and_out_change_nothing(bits: int, symmetric: bool) -> None:
    x = torch.randn(700, 1000, generator=torch.Generator().manual_seed(0))  # several blocks
    for axis in (None, 0, 1):
        p = choose_qparams(x, bits=bits, symmetric=symmetric, axis=axis)
        out = torch.empty_like(x)
        assert fake_quantize(x, qparams=p, out=out) is out
        assert torch.equal(out, dequantize(quantize(x, p), p))
        assert torch.equal(out, fake_quantize(x, bits=bits, symmetric=symmetric, axis=axis))
        assert torch.equal(fake_quantize(x.T, qparams=p).T if axis is None else out, out)


def test_a_wrong_out_is_refused() -> None:
    x = torch.zeros(3, 4)
    for out in (torch.zeros(4, 3), torch.zeros(3, 4).double(), torch.zeros(4, 3).T):
        with pytest.raises(ValueError, match="make it with torch.empty"):
            fake_quantize(x, bits=4, out=out)


@given(numbers, bit_widths, st.booleans(), st.integers(0, 1000))
def test_stochastic_rounding_takes_a_neighbour_and_repeats_with_its_seed(
    x: Tensor, bits: int, symmetric: bool, seed: int
) -> None:
    p = choose_qparams(x, bits=bits, symmetric=symmetric)
    first, second = (quantize(x, p, stochastic=True, generator=torch.Generator().manual_seed(seed)) for _ in range(2))
    assert torch.equal(first, second)
    exact = x.double() / p.scale.double() + p.zero_point
    assert float((first.double() - exact).abs().max()) <= 1 + 2**bits * 1e-6


def test_stochastic_rounding_is_right_on_average() -> None:
    p = QParams(torch.tensor(1.0), torch.tensor(8, dtype=torch.int32), 4)
    x = torch.tensor([-3.25, 0.1, 2.5, 6.999]).repeat(40_000, 1)
    mean = fake_quantize(x, qparams=p, stochastic=True, generator=torch.Generator().manual_seed(0)).mean(0)
    assert (mean - x[0]).abs().max() < 5 * 0.5 / math.sqrt(40_000)


def test_relu_in_integers_is_relu() -> None:
    x = torch.randn(1000, generator=torch.Generator().manual_seed(3))
    for bits, symmetric in ((8, False), (8, True), (3, False), (12, True)):
        p = choose_qparams(x, bits=bits, symmetric=symmetric)
        q = quantize(x, p)
        assert quantized_relu(q, p).dtype == q.dtype
        assert torch.equal(dequantize(quantized_relu(q, p), p), F.relu(dequantize(q, p)))


@pytest.mark.parametrize("bits", [1, 17, 0, -3, 2.5, True])
def test_other_widths_are_refused(bits: float) -> None:
    for make in (
        lambda: choose_qparams(torch.ones(2), bits=bits),
        lambda: fake_quantize(torch.ones(2), bits=bits),
        lambda: FixedPoint(bits=bits, frac_bits=0),
        lambda: DynamicFixedPoint(bits=bits),
        lambda: quantize_model(mlp([4, 2]), bits=bits),
        lambda: LowPrecision(mlp([4, 2]), compute_bits=bits, update_bits=12),
        lambda: LowPrecision(mlp([4, 2]), compute_bits=8, update_bits=bits),
    ):
        with pytest.raises(ValueError, match="between 2 and 16"):
            make()


# --- fixed point


@given(numbers, bit_widths, st.integers(-20, 20))
def test_fixed_point_is_what_fractions_say(x: Tensor, bits: int, frac_bits: int) -> None:
    half = 2 ** (bits - 1)
    rounded = FixedPoint(bits=bits, frac_bits=frac_bits).round(x.double())
    for value, result in zip(x.tolist(), rounded.tolist(), strict=True):
        code = max(-half, min(half - 1, round(Fraction(value) * Fraction(2) ** frac_bits)))  # to even, exactly
        assert Fraction(result) == code * Fraction(2) ** -frac_bits


@given(numbers, bit_widths)
def test_covering_is_the_finest_format_that_overflows_nowhere(x: Tensor, bits: int) -> None:
    chosen = FixedPoint.covering(x, bits=bits)
    greatest = float(x.double().abs().max())
    assert round(greatest * 2.0**chosen.frac_bits) <= 2 ** (bits - 1) - 1
    if greatest and chosen.frac_bits < 100:
        assert round(greatest * 2.0 ** (chosen.frac_bits + 1)) > 2 ** (bits - 1) - 1


@pytest.mark.parametrize("frac_bits", [101, 0.5, True])
def test_a_wrong_binary_point_is_refused(frac_bits: float) -> None:
    with pytest.raises(ValueError, match="between -100 and 100"):
        FixedPoint(bits=8, frac_bits=frac_bits)


def test_fixed_point_gradient_stops_where_it_overflows() -> None:
    x = torch.tensor([-9.0, -2.0, 0.3, 1.75, 9.0], requires_grad=True)
    FixedPoint(bits=4, frac_bits=2).round(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def rule(values: list[float], bits: int, frac_bits: int, allowed: float) -> int:
    """The update rule of Courbariaux et al., number by number."""
    greatest = (2 ** (bits - 1) - 1) / 2**frac_bits
    overflow = sum(abs(v) > greatest for v in values) / len(values)
    if overflow > allowed:
        return frac_bits - 1
    if sum(2 * abs(v) > greatest for v in values) / len(values) <= allowed:
        return frac_bits + 1
    return frac_bits


@given(
    st.lists(numbers, min_size=1, max_size=4), st.integers(4, 12), st.integers(-8, 8), st.sampled_from([0.0, 0.1, 0.5])
)
def test_the_range_moves_as_the_rule_says(tensors: list[Tensor], bits: int, frac_bits: int, allowed: float) -> None:
    group = DynamicFixedPoint(bits=bits, max_overflow=allowed, frac_bits=frac_bits)
    for x in tensors:
        group.round(x)
    group.update()
    assert group.frac_bits == rule([v for x in tensors for v in x.tolist()], bits, frac_bits, allowed)
    before = group.frac_bits
    group.update()  # nothing seen since
    assert group.frac_bits == before


def test_the_range_follows_numbers_that_shrink() -> None:
    group = DynamicFixedPoint(bits=10)
    assert group.format is None
    for size in [8.0] * 3 + [0.01] * 30:
        group.round(torch.linspace(-size, size, 1000))
        group.update()
    assert 0.01 <= group.format.range[1] < 0.04
    assert repr(group) == f"DynamicFixedPoint(bits=10, frac_bits={group.frac_bits})"


# --- whole networks


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trained(digits) -> nn.Module:
    torch.manual_seed(0)
    model = mlp([64, 40, 30, 10])
    fit(model, digits, epochs=8, batch_size=32, lr=0.01, progress=False, device="cpu")
    return model


def test_eight_bits_cost_nothing_and_two_cost_much(trained: nn.Module, digits) -> None:
    exact = evaluate(trained, digits).accuracy
    accuracy = {b: evaluate(quantize_model(trained, bits=b), digits).accuracy for b in (16, 8, 4, 2)}
    assert accuracy[16] == exact
    assert abs(accuracy[8] - exact) <= 0.01
    assert accuracy[2] < exact - 0.02


def test_the_model_itself_stays_and_each_layer_has_few_values(trained: nn.Module) -> None:
    before = copy.deepcopy(trained.state_dict())
    rounded = quantize_model(trained, bits=3, symmetric=True)
    assert all(torch.equal(p, before[name]) for name, p in trained.state_dict().items())
    for layer in weight_layers(rounded).values():
        assert layer.weight.unique().numel() <= 7


def test_rows_of_their_own_are_never_worse(trained: nn.Module) -> None:
    def error(**options) -> float:
        rounded = weight_layers(quantize_model(trained, bits=4, **options))
        errors = [(rounded[name].weight - layer.weight).square() for name, layer in weight_layers(trained).items()]
        return float(sum(e.sum() for e in errors).detach())

    assert error(per_channel=True) < error()


def test_bits_by_layer(trained: nn.Module) -> None:
    first, second, _ = weight_layers(trained)
    rounded = weight_layers(quantize_model(trained, bits={first: 2}))
    assert rounded[first].weight.unique().numel() <= 4
    assert torch.equal(rounded[second].weight, weight_layers(trained)[second].weight)
    with pytest.raises(ValueError, match=f"no layer 'nose' with a weight; there are '{first}'"):
        quantize_model(trained, bits={"nose": 2})


def test_activations_are_rounded_to_the_calibrated_range(trained: nn.Module, digits) -> None:
    rounded = quantize_model(trained, bits=8, activation_bits=4, calibration=digits.x_train)
    inputs_of = {}
    for name, layer in weight_layers(rounded).items():
        layer.register_forward_pre_hook(
            lambda layer, inputs, name=name: inputs_of.update({name: layer.rounded_input(inputs[0])})
        )
    rounded(digits.x_test)
    assert all(x.unique().numel() <= 16 for x in inputs_of.values())
    accuracy = evaluate(rounded, digits).accuracy
    assert accuracy >= evaluate(trained, digits).accuracy - 0.03
    again = copy.deepcopy(rounded)
    assert evaluate(again, digits).accuracy == accuracy
    in_parts = quantize_model(trained, bits=8, activation_bits=4, calibration=digits.x_train.split(100))
    assert torch.equal(in_parts(digits.x_test), rounded(digits.x_test))
    assert not any(layer._forward_pre_hooks for layer in weight_layers(trained).values())


def test_activations_without_a_sample_are_refused(trained: nn.Module) -> None:
    with pytest.raises(ValueError, match="needs calibration"):
        quantize_model(trained, bits=8, activation_bits=8)
    with pytest.raises(ValueError, match="calibration reached no layer"):
        quantize_model(trained, bits=8, activation_bits=8, calibration=[])


# --- Algorithm 1


@pytest.mark.parametrize("training", [True, False])
def test_the_copy_and_the_model_are_in_the_mode_that_the_model_was_in(training: bool) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).train(training)
    model[1].eval()  # a frozen layer stays frozen
    copied = quantize_model(model, bits=8, activation_bits=8, calibration=torch.ones(2, 4))
    for network in (model, copied):
        assert [module.training for module in network.modules()] == [training, training, False, training]


def test_algorithm_1_layer_by_layer() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    x = torch.randn(7, 6)
    b = 8

    def cover(values: Tensor) -> Tensor:
        return FixedPoint.covering(values, bits=b).round(values.detach())

    with LowPrecision(model, compute_bits=b, update_bits=None) as low:
        x.requires_grad_()
        out = model(x)
        out.backward(gradient := torch.randn(7, 3))
    first, second = model[0], model[2]
    sums1 = cover(F.linear(cover(x), cover(first.weight), cover(first.bias)))
    hidden = F.relu(sums1)
    sums2 = cover(F.linear(cover(hidden), cover(second.weight), cover(second.bias)))
    assert torch.equal(out, sums2)
    d2 = cover(gradient)
    torch.testing.assert_close(second.weight.grad, d2.T @ cover(hidden), rtol=1e-6, atol=1e-6)
    d1 = cover(cover(d2 @ cover(second.weight)) * (sums1 > 0))
    torch.testing.assert_close(first.weight.grad, d1.T @ cover(x), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(x.grad, cover(d1 @ cover(first.weight)), rtol=1e-6, atol=1e-6)
    assert set(low.formats) == {
        f"{layer}.{part}"
        for layer in "02"
        for part in ("input", "weight", "bias", "sum", "input gradient", "sum gradient")
    }


def test_parameters_have_update_bits_and_the_network_is_itself_again() -> None:
    torch.manual_seed(0)
    model = lenet5()
    names, methods = list(model.state_dict()), [m.forward.__func__ for m in weight_layers(model).values()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with LowPrecision(model, compute_bits=6, update_bits=4):
        F.cross_entropy(model(torch.rand(4, 1, 28, 28)), torch.arange(4)).backward()
        optimizer.step()
    assert all(p.unique().numel() <= 16 for p in model.parameters())
    assert list(model.state_dict()) == names
    assert [m.forward.__func__ for m in weight_layers(model).values()] == methods
    optimizer.step()  # outside: float again
    assert next(model.parameters()).unique().numel() > 16


def test_an_error_inside_still_restores_the_network() -> None:
    model = mlp([4, 3, 2])
    with suppress(ZeroDivisionError), LowPrecision(model, compute_bits=4, update_bits=8) as low:
        with pytest.raises(RuntimeError, match="open already"):
            low.__enter__()
        assert all("forward" in layer.__dict__ for layer in weight_layers(model).values())
        raise ZeroDivisionError
    assert not any("forward" in layer.__dict__ for layer in model.modules())


def test_ranges_settle_in_the_first_steps_of_a_quick_training(digits) -> None:
    """Large steps from random weights: what the first batch needs is soon too little."""
    accuracies = {}
    for settle in (0, 100):
        torch.manual_seed(0)
        model = mlp([64, 40, 30, 10])
        with LowPrecision(model, compute_bits=10, update_bits=12, settle=settle):
            fit(model, digits, epochs=6, batch_size=32, lr=0.05, momentum=0.9, optimizer="sgd", progress=False)
            accuracies[settle] = evaluate(model, digits).accuracy
    assert accuracies[0] < 0.5
    assert accuracies[100] > 0.9


def test_a_model_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="none"):
        LowPrecision(nn.ReLU(), compute_bits=8, update_bits=8)


def test_ten_bits_with_twelve_for_updates_learn_as_well_as_floats(digits) -> None:
    def accuracy(compute: int = 10, update: int = 12, **options) -> float:
        torch.manual_seed(0)
        model = mlp([64, 40, 30, 10])
        with LowPrecision(model, compute_bits=compute, update_bits=update, **options):
            fit(model, digits, **training)
            return evaluate(model, digits).accuracy

    training = {"epochs": 6, "batch_size": 32, "lr": 0.05, "optimizer": "sgd", "progress": False, "device": "cpu"}
    torch.manual_seed(0)
    floats = mlp([64, 40, 30, 10])
    fit(floats, digits, **training)
    assert accuracy() > evaluate(floats, digits).accuracy - 0.03
    assert accuracy(update=6) < 0.5  # steps smaller than half of the last bit are lost
    assert accuracy(update=6, stochastic=True, generator=torch.Generator().manual_seed(0)) > 0.85  # but not on average
