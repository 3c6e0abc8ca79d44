"""prune and lowrank: masks by their definition, and that they survive what optimizers do."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layers import weight_layers
from torch import nn
from torch.nn.utils import prune as torch_prune

from course_utils.data import load_dataset
from course_utils.methods.lowrank import low_rank, low_rank_layer
from course_utils.methods.prune import Pruner, cubic_sparsity, iterative_prune, magnitude_mask
from course_utils.models import lenet5, mlp
from course_utils.train import evaluate, fit

values = st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, math.inf, math.nan]), max_size=30)


def slow_mask(w: list[float], sparsity: float) -> list[bool]:
    order = sorted(range(len(w)), key=lambda i: (math.inf if math.isnan(w[i]) else abs(w[i]), i))
    removed = set(order[: round(sparsity * len(w))])
    return [i not in removed for i in range(len(w))]


@given(values, st.floats(0, 1))
def test_exactly_the_smallest_go(w: list[float], sparsity: float) -> None:
    assert magnitude_mask(torch.tensor(w), sparsity=sparsity).tolist() == slow_mask(w, sparsity)


@given(values, st.sampled_from([0.0, 0.5, 0.7, 3.0]))
def test_a_threshold_removes_what_is_below_it(w: list[float], threshold: float) -> None:
    mask = magnitude_mask(torch.tensor(w), threshold=threshold).tolist()
    assert mask == [math.isnan(v) or abs(v) >= threshold for v in w]


def test_the_same_as_torchs_own_pruning_where_there_are_no_ties() -> None:
    layer = nn.Linear(30, 20)
    mask = magnitude_mask(layer.weight, sparsity=0.37)
    torch_prune.l1_unstructured(layer, "weight", amount=0.37)
    assert torch.equal(mask, layer.weight_mask.bool())


@pytest.mark.parametrize("arguments", [{}, {"sparsity": 0.5, "threshold": 0.1}])
def test_exactly_one_way_to_choose(arguments: dict) -> None:
    with pytest.raises(ValueError, match="exactly one of sparsity and threshold"):
        magnitude_mask(torch.ones(2), **arguments)
    with pytest.raises(ValueError, match="sparsity must be between 0 and 1, got 1.5"):
        magnitude_mask(torch.ones(2), sparsity=1.5)
    with pytest.raises(ValueError, match="threshold must be at least 0, got -1"):
        magnitude_mask(torch.ones(2), threshold=-1)


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        lambda p: torch.optim.AdamW(p, lr=0.1),
    ],
    ids=["momentum", "nesterov", "adamw"],
)
def test_masks_survive_momentum_and_decay(scope: str, make) -> None:
    torch.manual_seed(0)
    model = mlp([8, 16, 4])
    optimizer = make(model.parameters())
    x = torch.randn(32, 1, 8)

    def step() -> None:
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()

    for _ in range(3):
        step()  # momentum builds up
    pruner = Pruner(model, scope=scope).prune(sparsity=0.7)
    with pruner:
        for _ in range(5):
            step()
            for name, layer in weight_layers(model).items():
                assert bool((layer.weight[~pruner.masks[name]] == 0).all())
    step()
    assert any(bool((layer.weight[~pruner.masks[name]] != 0).any()) for name, layer in weight_layers(model).items())
    pruner.step_()
    assert all(bool((layer.weight[~pruner.masks[n]] == 0).all()) for n, layer in weight_layers(model).items())


def test_layer_and_global_scope() -> None:
    model = lenet5()
    weights = weight_layers(model)
    with torch.no_grad():
        for i, layer in enumerate(weights.values()):
            layer.weight.mul_(10**i)
    by_layer = Pruner(model).prune(sparsity=0.25)
    for mask in by_layer.masks.values():
        assert (~mask).sum() == round(0.25 * mask.numel())
    together = Pruner(model, scope="global").prune(sparsity=0.5)
    assert together.sparsity == pytest.approx(0.5, abs=1e-6)
    shares = [float((~mask).float().mean()) for mask in together.masks.values()]
    assert shares[0] > shares[-1]  # the layer of small weights loses more
    together.prune(threshold=0.0)
    assert all(bool(mask.all()) for mask in together.masks.values())
    assert together.sparsity == pytest.approx(0.5, abs=1e-6)  # the zeros are still there


def test_shares_by_layer_and_wrong_ones() -> None:
    model = mlp([8, 6, 4])
    first, second = weight_layers(model)
    pruner = Pruner(model).prune(sparsity={second: 0.5})
    assert bool(pruner.masks[first].all())
    assert (~pruner.masks[second]).sum() == 12
    with pytest.raises(ValueError, match=f"no layer nose; there are {first}, {second}"):
        pruner.prune(sparsity={"nose": 0.5})
    with pytest.raises(ValueError, match='use scope="layer"'):
        Pruner(model, scope="global").prune(sparsity={second: 0.5})
    with pytest.raises(ValueError, match="scope must be one of"):
        Pruner(model, scope="all")
    with pytest.raises(ValueError, match="none"):
        Pruner(nn.ReLU())


def test_biases_stay() -> None:
    model = mlp([8, 6, 4])
    Pruner(model, scope="global").prune(sparsity=1.0)
    assert all(bool((layer.bias != 0).all()) for layer in weight_layers(model).values())


@given(st.integers(0, 50), st.integers(1, 50), st.floats(0, 1), st.floats(0, 1))
def test_the_cubic_schedule(step: int, steps: int, start: float, final: float) -> None:
    value = cubic_sparsity(step, steps=steps, final=final, start=start)
    assert value == pytest.approx(final + (start - final) * (1 - min(step, steps) / steps) ** 3, abs=1e-9)
    assert 0 <= value <= 1


def test_gradual_and_iterative_pruning_keep_the_accuracy_that_one_shot_loses() -> None:
    digits = load_dataset("digits")

    def trained() -> nn.Module:
        torch.manual_seed(0)
        model = mlp([64, 40, 30, 10])
        fit(model, digits, epochs=10, batch_size=32, lr=0.01, progress=False, device="cpu")
        return model

    def retrain(model: nn.Module) -> None:
        fit(model, digits, epochs=3, batch_size=32, lr=0.005, progress=False, device="cpu")

    model = trained()
    Pruner(model).prune(sparsity=0.85)
    one_shot = evaluate(model, digits).accuracy
    model = trained()
    pruner = iterative_prune(model, schedule=[0.5, 0.7, 0.85], retrain=retrain)
    assert pruner.sparsity == pytest.approx(0.85, abs=0.01)
    assert evaluate(model, digits).accuracy > max(0.85, one_shot + 0.1)
    model = trained()
    gradual = Pruner(model)
    fit(model, digits, epochs=1, batch_size=32, lr=0.005, progress=False, device="cpu")
    for t in range(1, 7):
        gradual.prune(sparsity=cubic_sparsity(t, steps=6, final=0.85))
        with gradual:
            fit(model, digits, epochs=1, batch_size=32, lr=0.005, progress=False, device="cpu")
    assert gradual.sparsity == pytest.approx(0.85, abs=0.01)
    assert evaluate(model, digits).accuracy > max(0.85, one_shot + 0.1)


# --- low rank


@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 12), st.integers(0, 12))
def test_the_error_is_the_rest_of_the_singular_values(seed: int, rows: int, columns: int, rank: int) -> None:
    w = torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    rank = min(rank, rows, columns)
    left, right = low_rank(w, rank=rank)
    assert left.shape == (rows, rank)
    assert right.shape == (rank, columns)
    rest = torch.linalg.svdvals(w)[rank:].square().sum()
    assert float((w - left @ right).square().sum()) == pytest.approx(float(rest), abs=1e-9)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(9, 7),
        nn.Linear(9, 7, bias=False),
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Conv2d(3, 8, (1, 5), bias=False),
    ],
    ids=["linear", "no bias", "conv", "wide conv"],
)
def test_a_layer_of_full_rank_computes_the_same(layer: nn.Module) -> None:
    full = min(layer.weight.flatten(1).shape)
    x = torch.randn(4, 9) if isinstance(layer, nn.Linear) else torch.randn(4, 3, 9, 9)
    torch.testing.assert_close(low_rank_layer(layer, rank=full)(x), layer(x), atol=1e-5, rtol=1e-4)
    thin = low_rank_layer(layer, rank=2)
    assert thin(x).shape == layer(x).shape
    assert [name for name, p in thin.named_parameters() if not p.requires_grad] == []


def test_low_rank_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="flatten filters"):
        low_rank(torch.ones(2, 2, 3), rank=1)
    with pytest.raises(ValueError, match="rank must be between 0 and 2, got 3"):
        low_rank(torch.ones(2, 5), rank=3)
    with pytest.raises(ValueError, match="finite"):
        low_rank(torch.tensor([[math.inf]]), rank=1)
    with pytest.raises(TypeError, match=r"nn\.Linear or nn\.Conv2d, got ReLU"):
        low_rank_layer(nn.ReLU(), rank=1)
    with pytest.raises(ValueError, match="grouped"):
        low_rank_layer(nn.Conv2d(4, 4, 3, groups=2), rank=1)
