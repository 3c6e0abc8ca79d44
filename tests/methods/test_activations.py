"""activations: the Horner form against the plain sum in float64, gradients, the parameter counts of the lecture."""

import math
import os
import subprocess
import sys
from importlib.util import find_spec
from shutil import which

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.data import load_dataset
from course_utils.methods.activations import APL, KAF, Maxout, ParametricTanh, PReLU, kernel_sum, krr_coefficients
from course_utils.methods.activations.kernel_sum import ROWS_IN_CACHE
from course_utils.methods.penalties import prox_group
from course_utils.models import count_parameters
from course_utils.train import evaluate, fit


def plain_sum(s: Tensor, alpha: Tensor, low: float, spacing: float, gamma: float) -> Tensor:
    """(17) as it is written, in float64, with a tensor of all kernels."""
    d = low + spacing * torch.arange(alpha.shape[1], dtype=torch.float64)
    return (alpha.double() * torch.exp(-gamma * (s.double().unsqueeze(-1) - d) ** 2)).sum(-1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


sizes = st.sampled_from([2, 3, 5, 20, 21, 26, 40, 100, 300])


@example(3776, 300, 1e-4, 1e-6, 0.0)
@given(
    st.integers(0, 2**31),
    sizes,
    st.sampled_from([1e-4, 0.03, 0.3, 1.0, 8 / 6, 5.0, 100.0, 1e6]),
    st.sampled_from([1e-6, 1.0, 3.0, 1e6]),
    st.sampled_from([0.0, 1e-3, 1.0, 10.0, 1e6, 1e30]),
)
def test_within_the_stated_error_for_inputs_of_any_size(
    seed: int, size: int, gammas: float, boundary: float, scale: float
) -> None:
    g = seeded(seed)
    spacing = 2 * boundary / (size - 1)
    gamma = gammas / (6 * spacing**2)
    s = torch.randn(40, 3, generator=g) * scale * boundary
    s[:10] = (torch.rand(10, 3, generator=g) * 2 - 1) * boundary * 1.3
    alpha = torch.randn(3, size, generator=g)
    exact = plain_sum(s, alpha, -boundary, spacing, gamma)
    ours = kernel_sum(s, alpha, low=-boundary, spacing=spacing, gamma=gamma)
    assert bool(torch.isfinite(ours).all())
    # A narrow kernel is steep: what rounding s itself to float32 does to g is not the sum's fault.
    steep = 2**-24 * boundary * math.sqrt(2 * gamma / math.e) * float(alpha.abs().max()) * 4
    # Kernels that overlap far are sums of many large terms of both signs.
    summed = 1e-6 * float(alpha.abs().sum(1).max())
    largest = max(float(exact.abs().max()), float(alpha.abs().max()))
    assert float((ours - exact).abs().max()) <= 1e-5 * largest + summed + steep
    fine = kernel_sum(s.double(), alpha.double(), low=-boundary, spacing=spacing, gamma=gamma)
    assert float((fine - exact).abs().max()) <= 1e-8 * max(float(alpha.abs().max()), 1)


@pytest.mark.parametrize("size", [5, 20, 26, 60, 300, 1000])
def test_the_lectures_gamma_is_within_1e_5_of_the_greatest_value(size: int) -> None:
    spacing = 6 / (size - 1)
    s = torch.cat([torch.linspace(-4, 4, 2001), torch.randn(2000, generator=seeded()) * 1e3]).unsqueeze(1).repeat(1, 4)
    alpha = 0.3 * torch.randn(4, size, generator=seeded())
    exact = plain_sum(s, alpha, -3, spacing, 1 / (6 * spacing**2))
    ours = kernel_sum(s, alpha, low=-3, spacing=spacing, gamma=1 / (6 * spacing**2))
    assert float((ours - exact).abs().max()) <= 1e-5 * float(exact.abs().max())


@given(st.integers(0, 2**31), sizes, st.sampled_from([0.1, 1.0, 10.0]))
def test_gradients_are_those_of_the_plain_sum(seed: int, size: int, gammas: float) -> None:
    g = seeded(seed)
    spacing = 6 / (size - 1)
    gamma = torch.tensor(gammas / (6 * spacing**2), dtype=torch.float64, requires_grad=True)
    s = (torch.randn(9, 2, generator=g, dtype=torch.float64) * 2).requires_grad_()
    alpha = torch.randn(2, size, generator=g, dtype=torch.float64).requires_grad_()
    upstream = torch.randn(9, 2, generator=g, dtype=torch.float64)
    ours = torch.autograd.grad(kernel_sum(s, alpha, low=-3, spacing=spacing, gamma=gamma), (s, alpha, gamma), upstream)
    d = -3 + spacing * torch.arange(size, dtype=torch.float64)
    plain = (alpha * torch.exp(-gamma * (s.unsqueeze(-1) - d) ** 2)).sum(-1)
    for ours_, theirs in zip(ours, torch.autograd.grad(plain, (s, alpha, gamma), upstream), strict=True):
        torch.testing.assert_close(ours_, theirs, atol=1e-9, rtol=1e-7)


def test_gradients_by_differences() -> None:
    s = torch.randn(4, 3, dtype=torch.float64, generator=seeded()).requires_grad_()
    alpha = torch.randn(3, 30, dtype=torch.float64, generator=seeded()).requires_grad_()
    gamma = torch.tensor(30.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *a: kernel_sum(*a[:2], low=-3, spacing=0.2, gamma=a[2]), (s, alpha, gamma))


@pytest.mark.parametrize("size", [20, 60])
def test_chunks_change_nothing(size: int) -> None:
    features = 7
    rows = 2 * ROWS_IN_CACHE // features + 3
    s = torch.randn(rows, features, generator=seeded())
    alpha = torch.randn(features, size, generator=seeded())
    upstream = torch.randn(rows, features, generator=seeded(1))
    complete, parts = [], []
    for results, pieces in ((complete, [slice(None)]), (parts, [slice(0, 1000), slice(1000, None)])):
        a = alpha.clone().requires_grad_()
        for rows_ in pieces:
            x = s[rows_].clone().requires_grad_()
            out = kernel_sum(x, a, low=-3, spacing=6 / (size - 1), gamma=torch.tensor(1.5, requires_grad=True))
            out.backward(upstream[rows_])
            results.append((out.detach(), x.grad))
        results.append(a.grad)
    torch.testing.assert_close(complete[0][0], torch.cat([parts[0][0], parts[1][0]]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(complete[0][1], torch.cat([parts[0][1], parts[1][1]]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(complete[1], parts[2], atol=2e-2, rtol=1e-4)  # sums over 70,000 rows


def test_nan_stays_and_infinity_gives_zero() -> None:
    s = torch.tensor([[math.nan], [math.inf], [-math.inf], [0.0]], requires_grad=True)
    out = kernel_sum(s, torch.ones(1, 20), low=-3, spacing=6 / 19, gamma=1.67)
    assert out[0].isnan()
    assert out[1:3].abs().max() < 1e-9
    out[3].sum().backward()
    assert s.grad[3].isfinite()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    s, alpha = torch.randn(50, 3, generator=seeded()).to(dtype), torch.randn(3, 20, generator=seeded()).to(dtype)
    half = kernel_sum(s, alpha, low=-3, spacing=6 / 19, gamma=1.67)
    assert half.dtype == dtype
    assert torch.equal(half, kernel_sum(s.float(), alpha.float(), low=-3, spacing=6 / 19, gamma=1.67).to(dtype))


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed (it comes with torch for CUDA)")
def test_the_triton_kernels_in_their_interpreter() -> None:
    code = """
import torch
from importlib import import_module
plain, fused = (import_module("course_utils.methods.activations." + n) for n in ("kernel_sum", "kernel_sum_triton"))
g = torch.Generator().manual_seed(0)
for n, features, size, factor in ((37, 70, 20, 1.0), (5, 3, 64, 3.0), (16, 65, 100, 0.3)):
    spacing = 6 / (size - 1)
    grid = plain.Grid(-3.0, spacing, size, factor / (6 * spacing**2))
    s, upstream = (2 * torch.randn(n, features, generator=g) for _ in range(2))
    s[0, 0], s[1, 1], s[2, 2] = 1e30, float("nan"), -float("inf")
    weights = plain.coefficients(torch.randn(features, size, generator=g), grid)
    out = plain.forward_chunk(s, weights, grid)
    pairs = zip(plain.backward_chunk(s, upstream, out, weights, grid, None), fused.backward(s, upstream, weights, grid))
    for ours, theirs in ((out, fused.forward(s, weights, grid)), *pairs):
        torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4, equal_nan=True)
"""
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.gpu
def test_the_fused_kernels_on_a_gpu_agree_with_the_cpu() -> None:
    for size in (20, 64):
        s, alpha = torch.randn(1000, 70, generator=seeded()), torch.randn(70, size, generator=seeded())
        results = []
        for device in ("cpu", "cuda"):
            x, a = s.to(device).requires_grad_(), alpha.to(device).requires_grad_()
            kernel_sum(x, a, low=-3, spacing=6 / (size - 1), gamma=1.67).sum().backward()
            results.append((x.grad.cpu(), a.grad.cpu()))
        for cpu, cuda in zip(*results, strict=True):
            torch.testing.assert_close(cpu, cuda, atol=1e-3, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(which("g++") is None, reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile imports deprecated parts of torch
def test_compiled_it_is_the_same() -> None:
    s, alpha = torch.randn(64, 30, generator=seeded()), torch.randn(30, 20, generator=seeded())

    def run(f) -> tuple[Tensor, ...]:
        x, a = s.clone().requires_grad_(), alpha.clone().requires_grad_()
        out = f(x, a)
        out.square().sum().backward()
        return out.detach(), x.grad, a.grad

    def plain(x: Tensor, a: Tensor) -> Tensor:
        return kernel_sum(x, a, low=-3, spacing=6 / 19, gamma=1.67)

    for ours, theirs in zip(run(plain), run(torch.compile(plain)), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


# --- KAF


def test_the_dictionary_and_the_rule_of_thumb() -> None:
    kaf = KAF(5, size=13, boundary=2.0)
    torch.testing.assert_close(kaf.dictionary, torch.linspace(-2, 2, 13))
    spacing = float(kaf.dictionary[1] - kaf.dictionary[0])
    assert kaf.gamma == pytest.approx(1 / (6 * spacing**2))
    assert KAF(5, gamma=0.7).gamma == pytest.approx(0.7)
    assert kaf.alpha.shape == (5, 13)
    assert "size=13, boundary=2, gamma=" in repr(kaf)


@pytest.mark.parametrize("function", [torch.tanh, nn.functional.elu, torch.sin, lambda s: s.clamp(min=0)])
def test_a_start_by_kernel_ridge_regression_follows_the_function(function) -> None:
    kaf = KAF(2, init=function)
    at_dictionary = kaf.dictionary.unsqueeze(1).repeat(1, 2)
    torch.testing.assert_close(kaf(at_dictionary).detach(), function(at_dictionary), atol=2e-3, rtol=0)
    between = torch.linspace(-2.5, 2.5, 401).unsqueeze(1).repeat(1, 2)
    assert (kaf(between).detach() - function(between)).abs().max() < 0.06
    alpha = krr_coefficients(function, kaf.dictionary.double(), gamma=kaf.gamma)
    kernels = torch.exp(-kaf.gamma * (kaf.dictionary.double()[:, None] - kaf.dictionary.double()) ** 2)
    targets = function(kaf.dictionary.double())
    torch.testing.assert_close(kernels @ alpha + 1e-6 * alpha, targets, atol=1e-8, rtol=0)  # (20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 1}, "size must be at least 2, got 1"),
        ({"boundary": 0.0}, "boundary must be positive"),
        ({"gamma": -1.0}, "gamma must be positive"),
        ({"features": 0}, "features must be at least 1"),
        ({"init": "uniform"}, "init must be 'normal' or a function"),
        ({"init": torch.log}, "one finite number"),
        ({"init": lambda s: 1.0}, "got float"),
    ],
)
def test_kaf_refuses(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KAF(**({"features": 3} | change))


def test_channels_are_dimension_one_as_in_prelu() -> None:
    for unit in (KAF(3), APL(3, segments=2), ParametricTanh(3), PReLU(3)):
        images = torch.randn(2, 3, 4, 5, generator=seeded())
        out = unit(images)
        assert out.shape == images.shape
        for c in range(3):
            column = torch.zeros(40, 3)
            column[:, c] = images[:, c].flatten()
            torch.testing.assert_close(out[:, c].flatten(), unit(column)[:, c], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "make",
    [KAF, lambda n, **o: APL(n, 2, **o), ParametricTanh, PReLU, lambda n, **o: Maxout(n, n, 2, **o)],
    ids=["kaf", "apl", "tanh", "prelu", "maxout"],
)
def test_all_have_the_features_in_dimension_one_or_where_they_are_told(make) -> None:
    torch.manual_seed(0)
    first, last = make(3, dtype=torch.float64), make(3, dim=-1, dtype=torch.float64)
    assert {p.dtype for p in first.parameters()} == {torch.float64}
    assert {p.device.type for p in make(3, device="meta").parameters()} == {"meta"}
    last.load_state_dict(first.state_dict())
    # As many tokens as features, so that nobody could tell from the shape.
    sequences = torch.randn(2, 3, 3, dtype=torch.float64, generator=seeded())
    torch.testing.assert_close(last(sequences), first(sequences.transpose(1, 2)).transpose(1, 2))
    rows = sequences.reshape(-1, 3)
    torch.testing.assert_close(last(sequences).reshape(-1, 3), first(rows))
    with pytest.raises(ValueError, match="dimension -1|features"):
        last(torch.zeros(2, 3, 4, dtype=torch.float64))


@pytest.mark.parametrize("unit", [KAF(3), APL(3, segments=2), ParametricTanh(3)], ids=["kaf", "apl", "tanh"])
def test_a_wrong_shape_is_named(unit: nn.Module) -> None:
    for shape in ((5, 4), (3,)):
        with pytest.raises(ValueError, match=r"must have the shape \(n, 3\)"):
            unit(torch.zeros(shape))


def test_gamma_can_be_trained_and_counts_as_one_parameter() -> None:
    kaf = KAF(4, train_gamma=True)
    assert count_parameters(kaf) == 81
    before = kaf.gamma
    optimizer = torch.optim.SGD(kaf.parameters(), lr=1.0)
    kaf(torch.randn(100, 4, generator=seeded())).square().sum().backward()
    optimizer.step()
    assert kaf.gamma != before
    assert kaf.gamma > 0


def test_a_penalty_on_alpha_removes_whole_activations() -> None:
    kaf = KAF(6)
    with torch.no_grad():
        kaf.alpha[::2] *= 0.01
        kaf.alpha.copy_(prox_group(kaf.alpha, step=0.05, dim=1))
    gone = (kaf.alpha == 0).all(1)
    assert gone.tolist() == [True, False] * 3
    assert bool((kaf(torch.randn(5, 6))[:, gone] == 0).all())


# --- the others


@given(st.lists(st.floats(-20, 20), min_size=1), st.floats(-3, 3), st.floats(-3, 3))
def test_parametric_tanh_is_13(values: list[float], a: float, b: float) -> None:
    unit = ParametricTanh(1).double()
    nn.init.constant_(unit.a, a)
    nn.init.constant_(unit.b, b)
    s = torch.tensor(values, dtype=torch.float64).unsqueeze(1)
    torch.testing.assert_close(unit(s), a * (1 - torch.exp(-b * s)) / (1 + torch.exp(-b * s)))


def test_apl_is_15() -> None:
    unit, s = APL(3, segments=4), torch.randn(50, 3, generator=seeded())
    expected = s.clamp(min=0)
    for i in range(4):
        expected = expected + unit.a[i] * (-s + unit.b[i]).clamp(min=0)
    torch.testing.assert_close(unit(s), expected)


def test_maxout_is_16() -> None:
    unit, h = Maxout(5, 4, pieces=3), torch.randn(7, 5, generator=seeded())
    w, b = unit.linear.weight.view(4, 3, 5), unit.linear.bias.view(4, 3)
    torch.testing.assert_close(unit(h), (torch.einsum("okd,nd->nok", w, h) + b).amax(-1))
    assert Maxout(5, 4, pieces=3, dim=-1)(torch.zeros(2, 6, 5)).shape == (2, 6, 4)
    assert Maxout(5, 4, pieces=3)(torch.zeros(5)).shape == (4,)


@pytest.mark.parametrize("make", [lambda: ParametricTanh(0), lambda: APL(3, 0), lambda: Maxout(3, 2, 0)])
def test_sizes_must_be_positive(make) -> None:
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        make()


def susy(hidden: int, activation) -> nn.Sequential:
    """18 inputs, hidden layers of 300 with an activation each, one output."""
    layers: list[nn.Module] = []
    for i in range(hidden):
        layers += [nn.Linear(300 if i else 18, 300), activation()]
    return nn.Sequential(*layers, nn.Linear(300, 1))


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (susy(5, nn.ReLU), 367_201),
        (susy(5, nn.ELU), 367_201),
        (susy(5, nn.SELU), 367_201),
        (susy(5, lambda: PReLU(300)), 368_701),
        (nn.Sequential(Maxout(18, 300, 3), nn.Linear(300, 1)), 17_401),
        (nn.Sequential(Maxout(18, 300, 3), Maxout(300, 300, 3), nn.Linear(300, 1)), 288_301),
        (susy(1, lambda: APL(300, 3)), 7_801),
        (susy(2, lambda: APL(300, 3)), 99_901),
        (susy(1, lambda: KAF(300, size=20)), 12_001),
        (susy(2, lambda: KAF(300, size=20)), 108_301),
    ],
)
def test_the_parameter_counts_of_the_lecture(model: nn.Module, count: int) -> None:
    assert count_parameters(model) == count


@pytest.mark.parametrize(
    "unit", [lambda: KAF(30), lambda: KAF(30, init=torch.tanh), lambda: APL(30, 3), lambda: ParametricTanh(30)]
)
def test_networks_with_trained_activations_learn(unit) -> None:
    digits = load_dataset("digits")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 30), unit(), nn.Linear(30, 10))
    before = [p.clone() for p in model[2].parameters()]
    fit(model, digits, epochs=8, batch_size=32, lr=0.01, progress=False, device="cpu")
    assert evaluate(model, digits).accuracy > 0.9
    assert all(not torch.equal(a, b) for a, b in zip(before, model[2].parameters(), strict=True))
