"""Networks without their dead units compute the same, and nothing dead is left in them."""

import copy
from itertools import pairwise

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks_with_dead_units import Gated, Residual, fill_, networks
from torch import Tensor, nn

from course_utils.methods.narrow import narrow
from course_utils.methods.penalties import Regularizer

slow_export = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow_export
@given(networks())
def test_outputs_stay_and_nothing_dead_is_left(drawn: tuple[nn.Module, Tensor]) -> None:
    model, x = drawn
    before = copy.deepcopy(model.state_dict())
    result = narrow(model, x, repeats=1)
    for batch in (x, torch.randn_like(x), torch.zeros_like(x), 100 * torch.randn_like(x)):
        torch.testing.assert_close(result.model(batch), model(batch), rtol=1e-8, atol=1e-8)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert result.after.parameters <= result.before.parameters + _new_biases(model, result.model)
    # A grouped convolution may have become a depthwise one, and a depthwise one an ordinary one, which can lose more.
    if all(getattr(module, "groups", 1) == 1 for module in model.modules()):
        assert narrow(result.model, x, repeats=1).layers == {}


def _new_biases(model: nn.Module, small: nn.Module) -> int:
    names = {name for name, _ in model.named_parameters()}
    return sum(p.numel() for name, p in small.named_parameters() if name not in names)


@slow_export
@given(
    st.lists(st.integers(2, 6), min_size=3, max_size=5),
    st.integers(0, 2**31),
    st.sampled_from([0.2, 0.4, 0.7]),
    st.sampled_from([nn.Sigmoid, nn.ReLU]),
)
def test_hidden_units_of_an_mlp_against_a_search(
    widths: list[int], seed: int, dead: float, activation: type[nn.Module]
) -> None:
    parts = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), activation())][:-1]
    model = nn.Sequential(*parts).double().eval()
    fill_(model, seed, dead=dead)
    result = narrow(model, torch.ones(2, widths[0]).double(), repeats=1)
    assert [len(layer.weight) for layer in result.model if isinstance(layer, nn.Linear)] == _searched(model)


def _searched(model: nn.Sequential) -> list[int]:
    """How many units each layer needs: for each, do all of its weights in, or all of its weights out, not matter?"""
    weights = [layer.weight.detach().clone() for layer in model if isinstance(layer, nn.Linear)]
    varies = [torch.ones(weights[0].shape[1], dtype=torch.bool)]
    for w in weights:
        varies.append((w[:, varies[-1]] != 0).any(1))
    matters = torch.ones(len(weights[-1]), dtype=torch.bool)
    counts = [len(matters)]
    for w, v in zip(reversed(weights[1:]), reversed(varies[1:-1]), strict=True):
        matters = (w[matters] != 0).any(0) & v
        if not matters.any():
            matters = torch.arange(len(matters)) == 0  # one stays, and so what it reads
        counts.append(int(matters.sum()))
    return counts[::-1]


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(p.shape) for name, p in model.named_parameters()}


def kill(layer: nn.Module, units: slice | list[int], bias: float | None = 0.0) -> None:
    with torch.no_grad():
        layer.weight[units] = 0
        if layer.bias is not None and bias is not None:
            layer.bias[units] = bias


def check(model: nn.Module, *size: int) -> dict[str, tuple[int, ...]]:
    model.double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    model.eval()
    x = torch.randn(size).double()
    result = narrow(model, x, repeats=1)
    torch.testing.assert_close(result.model(x), model(x), rtol=1e-9, atol=1e-9)
    return shapes(result.model)


def test_a_constant_channel_is_folded_where_there_is_no_border() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3, bias=False), nn.Flatten())
    kill(model[0], [1, 2], bias=1.5)
    assert check(model, 2, 3, 6, 6) == {
        "0.weight": (2, 3, 3, 3),
        "0.bias": (2,),
        "2.weight": (5, 2, 3, 3),
        "2.bias": (5,),
    }


def test_a_constant_channel_stays_before_a_border_of_zeros_unless_it_is_zero() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3, padding=1), nn.Flatten())
    kill(model[0], [1], bias=1.5)
    kill(model[0], [2], bias=-1.5)  # zero behind ReLU
    assert check(model, 2, 3, 6, 6)["2.weight"] == (5, 3, 3, 3)


@pytest.mark.parametrize(("include", "kept"), [(True, 4), (False, 3)])
def test_pooling_with_a_border_of_zeros(include: bool, kept: int) -> None:
    pool = nn.AvgPool2d(3, padding=1, count_include_pad=include)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), pool, nn.Conv2d(4, 5, 1), nn.Flatten())
    kill(model[0], [1], bias=1.5)
    assert check(model, 2, 3, 8, 8)["2.weight"] == (5, kept, 1, 1)


def test_a_residual_chain_loses_a_channel_only_where_all_that_is_added_is_dead() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 6, 1), Residual(nn.Conv2d(6, 6, 3, padding=1)), nn.BatchNorm2d(6), nn.Conv2d(6, 2, 1), nn.Flatten()
    )
    kill(model[0], [0, 1])
    kill(model[1].inner, [1, 2])
    assert check(model, 2, 3, 5, 5)["3.weight"] == (2, 5, 1, 1)


def test_a_gate_and_depthwise_and_grouped_convolutions_carry_their_channels() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6), nn.Conv2d(6, 12, 3, groups=6), Gated(12),
        nn.Conv2d(12, 8, 1, groups=2), nn.Conv2d(8, 4, 1), nn.PReLU(4), nn.Conv2d(4, 1, 1), nn.Flatten(),
    )  # fmt: skip
    with torch.no_grad():
        model[2].weight[:6] = model[2].bias[:6] = 0  # the outputs of the first half, and so the inputs
        model[5].weight[:, [0, 1, 4, 5]] = 0
        model[7].weight[:, 1:] = 0
    assert check(model, 2, 3, 6, 6) == {
        "0.weight": (6, 3, 1, 1), "0.bias": (6,), "1.weight": (6,), "1.bias": (6,),
        "2.weight": (12, 1, 3, 3), "2.bias": (12,), "3.down.weight": (2, 12, 1, 1), "3.down.bias": (2,),
        "3.up.weight": (12, 2, 1, 1), "3.up.bias": (12,), "4.weight": (4, 6, 1, 1), "4.bias": (4,),
        "5.weight": (1, 4, 1, 1), "5.bias": (1,), "6.weight": (1,), "7.weight": (1, 1, 1, 1), "7.bias": (1,),
    }  # fmt: skip


def test_a_group_lasso_makes_a_network_physically_smaller() -> None:
    torch.manual_seed(0)
    x = torch.rand(256, 8)
    y = (x[:, :2].sum(1) > 1).long()
    model = nn.Sequential(nn.Linear(8, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 2))
    regularizer, optimizer = Regularizer("group", lam=3e-3), torch.optim.SGD(model.parameters(), lr=0.2)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        regularizer.prox_(model, lr=0.2)
    result = narrow(model, x, repeats=1)
    units = [len(layer.weight) for layer in result.model if isinstance(layer, nn.Linear)]
    assert units[0] == int((model[2].weight != 0).any(0).sum()) < 30
    assert units[1] == int((model[4].weight != 0).any(0).sum()) < 20
    torch.testing.assert_close(result.model(x), model(x), rtol=0, atol=1e-5)


def test_a_frozen_network_folds_into_biases_that_are_frozen() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2, bias=False)).requires_grad_(False)
    kill(model[0], [1])
    result = narrow(model, torch.ones(1, 3), repeats=1)
    assert not result.model[2].bias.requires_grad
    torch.testing.assert_close(result.model(torch.ones(1, 3)), model(torch.ones(1, 3)))


def test_what_only_dead_units_read_is_dead() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    with torch.no_grad():
        model[2].weight.copy_(torch.eye(4))
        model[4].weight[:, :2] = 0
    assert check(model, 2, 3)["0.weight"] == (2, 3)


def test_a_constant_goes_through_a_depthwise_convolution_without_border() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=4), nn.Sigmoid(), nn.Conv2d(4, 2, 1))
    kill(model[0], [1], bias=1.5)
    assert check(model, 2, 3, 6, 6)["1.weight"] == (3, 1, 3, 3)


@pytest.mark.parametrize("scale", [0.0, 0.7])
def test_a_constant_of_a_batch_normalization(scale: float) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))
    with torch.no_grad():
        model[1].weight[2], model[1].bias[2] = scale, 0.3
        if scale:
            kill(model[0], [2], bias=4.0)
    assert check(model, 2, 3, 5, 5)["1.bias"] == (3,)


class InPlace(nn.Module):
    """An activation whose result goes by the old name; the size of the channels is a number, or not."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.first, self.second, self.sizes = nn.Linear(3, 4), nn.Linear(4, 2), sizes
        kill(self.first, [1], bias=-2.0)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        nn.functional.relu(y, inplace=True)
        return self.second(y.view(*self.sizes))


@pytest.mark.parametrize(("sizes", "kept"), [((2, -1), 3), ((-1, 4), 4)])
def test_activations_in_place_and_sizes_in_the_code(sizes: tuple[int, int], kept: int) -> None:
    assert check(InPlace(*sizes), 2, 3)["second.weight"] == (2, kept)


def test_zero_times_a_varying_gate_is_zero() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), Gated(4), nn.Conv2d(4, 2, 3, padding=1))
    kill(model[0], [1])
    assert check(model, 2, 3, 5, 5)["3.weight"] == (2, 3, 3, 3)
