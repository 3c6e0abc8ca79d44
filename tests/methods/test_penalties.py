"""Penalties and proximal steps, by their definitions; the groups of networks; what is counted as left."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.methods.penalties import (
    Regularizer,
    active_neurons,
    elastic_net,
    group,
    l1,
    l2,
    parameter_groups,
    prox_elastic_net,
    prox_group,
    prox_l1,
    prox_l2,
    prox_sparse_group,
    sparse_group,
    sparsity,
)

PAIRS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], dict]] = {
    "l1": (l1, prox_l1, {}),
    "l2": (l2, prox_l2, {}),
    "elastic_net": (elastic_net, prox_elastic_net, {"l1_ratio": 0.3}),
    "group": (group, prox_group, {"dim": 0}),
    "sparse_group": (sparse_group, prox_sparse_group, {"dim": 0, "l1_ratio": 0.3}),
}
KINDS = list(PAIRS)
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def matrix(seed: int, rows: int = 5, columns: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


# Definitions


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6), step=st.floats(0, 3))
def test_a_proximal_step_minimises_its_objective(kind: str, seed: int, step: float) -> None:
    penalty, prox, options = PAIRS[kind]
    w = matrix(seed)
    best = prox(w, step=step, **options)

    def objective(v: Tensor) -> Tensor:
        return step * penalty(v, **options) + (v - w).square().sum() / 2

    least = objective(best)
    for scale in (1e-4, 1e-2, 1.0):
        for direction in range(8):
            other = best + scale * matrix(seed + 17 * direction + 1)
            assert least <= objective(other) + 1e-9
            assert least <= objective(torch.where(best == 0, best, other)) + 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind: str) -> None:
    penalty, _, options = PAIRS[kind]
    assert torch.autograd.gradcheck(lambda w: penalty(w, **options), matrix(0).requires_grad_())


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_at_zero_is_zero_and_not_nan(kind: str) -> None:
    penalty, _, options = PAIRS[kind]
    w = torch.zeros(3, 2, requires_grad=True)
    penalty(w, **options).backward()
    assert (w.grad == 0).all()


def test_values_by_hand() -> None:
    w = torch.tensor([[3.0, 0.0], [4.0, -1.0]])
    assert l1(w) == 8
    assert l2(w) == 26
    assert elastic_net(w, l1_ratio=0.25) == 0.25 * 8 + 0.75 * 26
    torch.testing.assert_close(group(w, dim=0), torch.tensor(math.sqrt(2) * 6))
    torch.testing.assert_close(group(w, dim=1), torch.tensor(math.sqrt(2) * (3 + math.sqrt(17))))
    torch.testing.assert_close(group(w, dim=(0, 1)), torch.tensor(2 * math.sqrt(26)))


@given(seed=st.integers(0, 10**6), step=st.floats(0, 2))
def test_special_cases_agree(seed: int, step: float) -> None:
    w = matrix(seed)
    column = w.reshape(-1, 1)  # groups of one weight, along dim 1
    torch.testing.assert_close(group(column, dim=1), l1(w))
    torch.testing.assert_close(prox_group(column, step=step, dim=1).reshape(w.shape), prox_l1(w, step=step))
    torch.testing.assert_close(prox_elastic_net(w, step=step, l1_ratio=1), prox_l1(w, step=step))
    torch.testing.assert_close(prox_elastic_net(w, step=step, l1_ratio=0), prox_l2(w, step=step))
    torch.testing.assert_close(prox_sparse_group(w, step=step, dim=0, l1_ratio=1), prox_l1(w, step=step))
    torch.testing.assert_close(prox_sparse_group(w, step=step, dim=0, l1_ratio=0), prox_group(w, step=step, dim=0))


def test_the_sparse_group_step_thresholds_first() -> None:
    w = matrix(3)
    right = prox_group(prox_l1(w, step=0.3 * 0.5), step=0.7 * 0.5, dim=0)
    wrong = prox_l1(prox_group(w, step=0.7 * 0.5, dim=0), step=0.3 * 0.5)
    torch.testing.assert_close(prox_sparse_group(w, step=0.5, dim=0, l1_ratio=0.3), right)
    assert not torch.allclose(right, wrong)


def test_proximal_gradient_finds_the_dead_groups_exactly_and_subgradient_steps_do_not() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 1000, generator=generator)
    truth = torch.zeros(200, 5)
    truth[:20] = torch.randn(20, 5, generator=generator)
    y = x @ truth.flatten() + 0.01 * torch.randn(400, generator=generator)
    lam, lr = 0.25, 0.5 / float(torch.linalg.matrix_norm(x, 2)) ** 2 * 400

    def smooth(w: Tensor) -> Tensor:
        return x.T @ (x @ w.flatten() - y) / 400

    def cost(w: Tensor) -> float:
        return float((x @ w.flatten() - y).square().mean() / 2 + lam * group(w, dim=1))

    proximal, plain = torch.zeros(200, 5), torch.full((200, 5), 0.01)
    for _ in range(300):
        proximal = prox_group(proximal - lr * smooth(proximal).view(200, 5), step=lr * lam, dim=1)
        plain.requires_grad_()
        (gradient,) = torch.autograd.grad(group(plain, dim=1), plain)
        plain = (plain - lr * (smooth(plain).view(200, 5) + lam * gradient)).detach()
    assert int((proximal == 0).all(1).sum()) == 180
    assert int((plain == 0).all(1).sum()) == 0
    assert cost(proximal) < cost(plain)


# Inputs of every kind


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_dtypes(kind: str, dtype: torch.dtype) -> None:
    penalty, prox, options = PAIRS[kind]
    w = matrix(1, dtype=dtype)
    value, moved = penalty(w, **options), prox(w, step=0.1, **options)
    assert value.dtype == moved.dtype == dtype
    assert value.shape == ()
    exact = prox(w.double(), step=0.1, **options)
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-12, torch.float16: 2e-3, torch.bfloat16: 2e-2}[dtype]
    torch.testing.assert_close(moved.double(), exact, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(value.double(), penalty(w.double(), **options), atol=0, rtol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_empty_non_contiguous_and_untouched(kind: str) -> None:
    penalty, prox, options = PAIRS[kind]
    empty = torch.zeros(0, 3)
    assert penalty(empty, **options) == 0
    assert prox(empty, step=1.0, **options).shape == (0, 3)
    w = matrix(2).T
    assert not w.is_contiguous()
    before = w.clone()
    torch.testing.assert_close(prox(w, step=0.2, **options), prox(w.contiguous(), step=0.2, **options))
    torch.testing.assert_close(penalty(w, **options), penalty(w.contiguous(), **options))
    assert torch.equal(w, before)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_spoils_its_group_only_and_infinity_stays(kind: str) -> None:
    _, prox, options = PAIRS[kind]
    w = matrix(4)
    w[1, 2] = math.nan
    moved = prox(w, step=0.1, **options)
    assert moved[1, 2].isnan()
    assert not moved[:, [0, 1, 3]].isnan().any()
    w[1, 2] = math.inf
    moved = prox(w, step=0.1, **options)
    assert moved[1, 2] == math.inf
    assert not moved.isnan().any()


@pytest.mark.parametrize("kind", ["l1", "elastic_net", "group", "sparse_group"])
def test_zeros_are_plus_zero(kind: str) -> None:
    _, prox, options = PAIRS[kind]
    moved = prox(-torch.rand(4, 3), step=10.0, **options)
    assert (moved == 0).all()
    assert not torch.signbit(moved).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_zero_changes_nothing_and_a_huge_one_is_no_nan(kind: str) -> None:
    _, prox, options = PAIRS[kind]
    w = matrix(5)
    assert torch.equal(prox(w, step=0.0, **options), w)
    assert torch.isfinite(prox(w, step=math.inf, **options)).all()
    assert torch.isfinite(prox(torch.zeros(2, 2), step=1.0, **options)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_stacked_networks_take_a_step_each(kind: str) -> None:
    _, prox, options = PAIRS[kind]
    options = options | ({"dim": -2} if "dim" in options else {})
    w, steps = torch.stack([matrix(s) for s in range(3)]), torch.tensor([0.0, 0.2, 1.0], dtype=torch.float64)
    stacked = prox(w, step=steps.view(3, 1, 1), **options)
    for i in range(3):
        torch.testing.assert_close(stacked[i], prox(w[i], step=float(steps[i]), **options))
    mapped = torch.vmap(lambda v, t: prox(v, step=t, **options))(w, steps)
    torch.testing.assert_close(mapped, stacked)


def test_several_dimensions_may_be_negative() -> None:
    w = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    flat = w.transpose(0, 1).flatten(1)  # a row per input channel
    torch.testing.assert_close(group(w, dim=(-4, -2, -1)), group(flat, dim=1))
    moved = prox_group(w, step=0.5, dim=(0, 2, 3)).transpose(0, 1).flatten(1)
    torch.testing.assert_close(moved, prox_group(flat, step=0.5, dim=1))


def test_errors_say_what_is_allowed() -> None:
    w = torch.ones(2, 3)
    with pytest.raises(ValueError, match="step must be at least 0, got -1"):
        prox_l1(w, step=-1)
    with pytest.raises(ValueError, match="l1_ratio must be between 0 and 1, got 1.5"):
        elastic_net(w, l1_ratio=1.5)
    for dim in (2, (0, 0), (), (0, -2)):
        with pytest.raises(ValueError, match=r"dim must name one or more different dimensions of w of shape \(2, 3\)"):
            group(w, dim=dim)
    with pytest.raises(TypeError, match="floating-point dtype, got torch.int64"):
        l1(torch.ones(2, dtype=torch.int64))
    with pytest.raises(TypeError, match="must be a torch.Tensor, got list"):
        prox_l2([1.0], step=1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="step must be a number or broadcast"):
        prox_group(w, step=torch.ones(2, 1), dim=0)


# Networks


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 6), nn.ReLU(), nn.Linear(6, 3)
    )


def test_groups_of_a_network() -> None:
    groups = parameter_groups(network())
    assert groups == {
        "0.weight": (-4, -2, -1),
        "0.bias": None,
        "4.weight": (-2,),
        "4.bias": None,
        "6.weight": (-2,),
        "6.bias": None,
    }
    assert parameter_groups(network(), conv_groups="filters")["0.weight"] == (-3, -2, -1)
    with pytest.raises(ValueError, match="conv_groups must be one of 'inputs', 'filters'; got 'rows'"):
        parameter_groups(network(), conv_groups="rows")


def test_a_tied_weight_counts_once() -> None:
    a = nn.Linear(4, 4, bias=False)
    b = nn.Linear(4, 4, bias=False)
    b.weight = a.weight
    model = nn.Sequential(a, b)
    assert list(parameter_groups(model)) == ["0.weight"]
    torch.testing.assert_close(Regularizer("l1", lam=1.0)(model), l1(a.weight))


@pytest.mark.parametrize("kind", KINDS)
def test_regularizer_is_lambda_times_the_sum_over_all_groups(kind: str) -> None:
    penalty, prox, options = PAIRS[kind]
    model, regularizer = network(), Regularizer(kind, lam=0.1, l1_ratio=0.3)
    layers = [(model[0], (0, 2, 3)), (model[4], 0), (model[6], 0)]
    ratio = {k: v for k, v in options.items() if k != "dim"}
    total, expected = torch.zeros(()), {}
    for layer, dim in layers:
        with_dim = ratio | ({"dim": dim} if "dim" in options else {})
        total = total + penalty(layer.weight, **with_dim)
        total = total + (l1(layer.bias) if "dim" in options else penalty(layer.bias, **ratio))
        expected[layer] = prox(layer.weight.detach(), step=0.5 * 0.1, **with_dim)
    torch.testing.assert_close(regularizer(model), 0.1 * total)
    scale_before = model[1].weight.clone()
    regularizer.prox_(model, lr=0.5)
    for layer, weight in expected.items():
        torch.testing.assert_close(layer.weight.detach(), weight)
    assert torch.equal(model[1].weight, scale_before)


@pytest.mark.parametrize("kind", KINDS)
def test_stacked_regularizers_equal_single_ones(kind: str) -> None:
    models = [network() for _ in range(3)]
    singles = [Regularizer(kind, lam=lam, l1_ratio=r) for lam, r in ((0.0, 0.2), (0.3, 0.5), (1.0, 0.9))]
    groups = parameter_groups(models[0])
    params = {name: torch.stack([m.get_parameter(name).detach() for m in models]) for name in groups}
    stacked = Regularizer.stack(singles)
    torch.testing.assert_close(
        stacked.penalty(params, groups).float(), torch.stack([r(m) for r, m in zip(singles, models, strict=True)])
    )
    stacked.prox_params_(params, groups, lr=torch.tensor([0.1, 0.2, 0.3]))
    for i, (regularizer, model) in enumerate(zip(singles, models, strict=True)):
        regularizer.prox_(model, lr=[0.1, 0.2, 0.3][i])
        for name in groups:
            torch.testing.assert_close(params[name][i], model.get_parameter(name).detach())


def test_a_reader_s_own_step_sees_one_matrix_with_groups_as_columns() -> None:
    calls = []

    def recording_prox(w: Tensor, *, step: float, dim: int) -> Tensor:
        calls.append((tuple(w.shape), step, dim))
        return prox_group(w, step=step, dim=dim)

    mine, ours = network(), network()
    Regularizer("group", lam=0.2, prox=recording_prox).prox_(mine, lr=0.5)
    Regularizer("group", lam=0.2).prox_(ours, lr=0.5)
    assert calls == [((36, 2), 0.1, 0), ((6, 16), 0.1, 0), ((3, 6), 0.1, 0)]
    for a, b in zip(mine.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    with pytest.raises(ValueError, match=r"prox must return a tensor shaped like w, \(36, 2\), got NoneType"):
        Regularizer("group", lam=0.2, prox=lambda w, **_: None).prox_(network(), lr=0.5)


def test_frozen_parameters_are_left_alone() -> None:
    model = network()
    model[4].weight.requires_grad_(False)
    before = model[4].weight.clone()
    Regularizer("l1", lam=1.0).prox_(model, lr=1.0)
    assert torch.equal(model[4].weight, before)
    assert (model[6].weight == 0).any()


def test_regularizer_errors() -> None:
    with pytest.raises(ValueError, match="kind must be one of 'l1', 'l2'"):
        Regularizer("l0", lam=1.0)
    with pytest.raises(ValueError, match="lam must be at least 0"):
        Regularizer("l1", lam=-1.0)
    with pytest.raises(ValueError, match="same kind"):
        Regularizer.stack([Regularizer("l1", lam=1.0), Regularizer("l2", lam=1.0)])
    with pytest.raises(ValueError, match="empty list"):
        Regularizer.stack([])
    with pytest.raises(ValueError, match="4.weight"):
        Regularizer("l1", lam=1.0).penalty({"0.weight": torch.ones(1)}, {"4.weight": (-2,)})
    with pytest.raises(ValueError, match="stacked"):
        Regularizer("l1", lam=torch.ones(2))(network())


def test_what_is_left() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Flatten(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(1.0)
        model[0].weight[:, 1] = 0
        model[2].weight[:, 0] = 1e-4
        model[4].weight[0, 0] = 0
    assert sparsity(model) == [0.5, 0.0, 0.25]
    assert active_neurons(model) == [1, 3, 2]
    assert sparsity(model, threshold=1e-3) == pytest.approx([0.5, 1 / 3, 0.25])
    assert active_neurons(model, threshold=1e-3) == [1, 2, 2]
    grouped = nn.Conv2d(4, 4, 1, groups=2)
    with torch.no_grad():
        grouped.weight.fill_(1.0)
        grouped.weight[2:, 1] = 0  # the second group of filters does not read its second input
    assert active_neurons(grouped) == [3]
    with pytest.raises(ValueError, match="threshold must be at least 0"):
        sparsity(model, threshold=-1.0)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_gpu_agrees_with_cpu(kind: str) -> None:
    penalty, prox, options = PAIRS[kind]
    w = matrix(0, 50, 40, torch.float32)
    torch.testing.assert_close(penalty(w.cuda(), **options).cpu(), penalty(w, **options))
    torch.testing.assert_close(prox(w.cuda(), step=0.1, **options).cpu(), prox(w, step=0.1, **options))
