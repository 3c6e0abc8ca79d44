"""Rounding in training: the min-max layer beside torch's, and LSQ beside the paper's written gradient."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from course_utils.methods.quantize import LSQ, MinMaxQuantizer, fake_quantize

numbers = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=30).map(torch.tensor)


# --- the min-max layer


@pytest.mark.parametrize("momentum", [0.01, 0.3, 1.0, None])
def test_the_range_and_the_numbers_are_those_of_torch(momentum: float | None) -> None:
    from torch.ao.quantization import FakeQuantize, MinMaxObserver, MovingAverageMinMaxObserver

    options = {"quant_min": 0, "quant_max": 255, "dtype": torch.quint8}
    if momentum is None:
        theirs = FakeQuantize(observer=MinMaxObserver, **options)
    else:
        theirs = FakeQuantize(observer=MovingAverageMinMaxObserver, averaging_constant=momentum, **options)
    ours = MinMaxQuantizer(bits=8, momentum=momentum)
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        x = torch.randn(50, generator=generator) * 3 + 1
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.low, theirs.activation_post_process.min_val, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.high, theirs.activation_post_process.max_val, rtol=1e-6, atol=1e-6)


@given(numbers, numbers, st.integers(2, 8), st.booleans())
def test_in_evaluation_the_range_stays_and_it_is_in_the_state(
    first: Tensor, second: Tensor, bits: int, symmetric: bool
) -> None:
    quantizer = MinMaxQuantizer(bits=bits, symmetric=symmetric)
    assert torch.equal(quantizer(first), fake_quantize(first, bits=bits, symmetric=symmetric))
    quantizer.eval()
    rounded = quantizer(second)
    other = MinMaxQuantizer(bits=bits, symmetric=symmetric).eval()
    other.load_state_dict(quantizer.state_dict())
    assert torch.equal(other(second), rounded)
    assert torch.equal(copy.deepcopy(quantizer)(second), rounded)
    assert quantizer(first.new_zeros(0)).shape == (0,)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_the_type_of_the_numbers_is_kept(dtype: torch.dtype) -> None:
    assert MinMaxQuantizer(bits=4)(torch.ones(3, dtype=dtype)).dtype == dtype
    assert LSQ(bits=4, step=0.5)(torch.ones(3, dtype=dtype)).dtype == dtype


def test_the_gradient_passes_within_the_range() -> None:
    quantizer = MinMaxQuantizer(bits=4)
    quantizer(torch.tensor([-1.0, 2.0]))
    x = torch.tensor([-3.0, 0.3, 5.0], requires_grad=True)
    quantizer.eval()(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 0]


def test_no_range_and_numbers_without_one_are_refused() -> None:
    with pytest.raises(RuntimeError, match="no range yet; let it see a batch"):
        MinMaxQuantizer(bits=4).eval()(torch.ones(2))
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="must be finite"):
            MinMaxQuantizer(bits=4)(torch.tensor([1.0, bad]))
    with pytest.raises(ValueError, match="momentum must be between 0 and 1"):
        MinMaxQuantizer(bits=4, momentum=2)


# --- LSQ


@given(numbers, st.floats(0.01, 10), st.integers(2, 8), st.booleans(), st.booleans())
def test_numbers_and_gradients_are_those_of_the_paper(
    v: Tensor, step: float, bits: int, signed: bool, activations: bool
) -> None:
    v = v.double().view(-1, 1).expand(-1, 3).clone().requires_grad_()
    upstream = torch.linspace(-1, 2, v.numel(), dtype=torch.float64).view(v.shape)
    lsq = LSQ(bits=bits, step=torch.tensor(step, dtype=torch.float64), signed=signed, activations=activations)
    result = lsq(v)
    (result * upstream).sum().backward()
    result = result.detach()
    qn, qp = (2 ** (bits - 1), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    count = 3 if activations else v.numel()
    slope, total = torch.zeros_like(v), 0.0
    for i, value in enumerate(v.detach().flatten().tolist()):
        ratio = value / step
        clamped = min(max(ratio, -qn), qp)
        assert float(result.flatten()[i]) == round(clamped) * step
        inside = -qn <= ratio <= qp
        slope.view(-1)[i] = float(inside)
        total += float(upstream.flatten()[i]) * ((round(ratio) - ratio) if inside else clamped)
    assert v.grad is not None
    assert lsq.step.grad is not None
    torch.testing.assert_close(v.grad, slope * upstream, rtol=1e-12, atol=0)
    assert math.isclose(float(lsq.step.grad), total / math.sqrt(count * qp), rel_tol=1e-9, abs_tol=1e-9)


def test_a_step_for_each_row() -> None:
    w = torch.randn(4, 50, generator=torch.Generator().manual_seed(0)) * torch.tensor([[0.1], [1.0], [9.0], [0.0]])
    together = LSQ.fitted(w, bits=4, axis=0)
    together(w).sum().backward()
    for row, step, grad in zip(w, together.step.detach(), together.step.grad, strict=True):
        alone = LSQ.fitted(row, bits=4)
        assert torch.isclose(alone.step.detach(), step)
        alone(row).sum().backward()
        torch.testing.assert_close(alone.step.grad.view(1), grad)
    assert together.step[3] == 1


def test_the_step_learns_and_stays_usable() -> None:
    v = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    lsq = LSQ(bits=3, step=3.0)
    optimizer = torch.optim.SGD(lsq.parameters(), lr=0.05)
    errors = []
    for _ in range(200):
        optimizer.zero_grad()
        errors.append((lsq(v) - v).square().sum())
        errors[-1].backward()
        optimizer.step()
    assert errors[-1] < 0.1 * errors[0]
    with torch.no_grad():
        lsq.step.fill_(-0.1)
    assert lsq(v).isfinite().all()
    (lsq(v) - v).square().sum().backward()
    assert lsq.step.grad < 0  # so that the next step of the optimizer leads back


def test_a_weight_is_trained_through_it() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    register_parametrization(layer, "weight", LSQ.fitted(layer.weight, bits=2))
    model = nn.Sequential(layer, nn.ReLU(), LSQ(bits=4, step=0.1, signed=False, activations=True), nn.Linear(4, 1))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(30, 6)
    for _ in range(3):
        optimizer.zero_grad()
        (model(x) - x[:, :1]).square().mean().backward()
        optimizer.step()
    assert all(not torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert layer.weight.unique().numel() <= 4


@pytest.mark.parametrize("step", [0.0, -1.0, math.nan, math.inf])
def test_a_wrong_step_is_refused(step: float) -> None:
    with pytest.raises(ValueError, match="positive and finite.*LSQ.fitted"):
        LSQ(bits=4, step=step)
