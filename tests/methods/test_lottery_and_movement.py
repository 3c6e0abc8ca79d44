"""Lottery tickets end where they began; movement pruning follows the gradients of the paper."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrize

from course_utils.methods.lottery import find_ticket, rewind_
from course_utils.methods.movement import MovementMask, MovementPruner
from course_utils.methods.prune import Pruner, magnitude_mask


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


def train(model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    x = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
    for _ in range(10):
        optimizer.zero_grad()
        (model(x) - x[:, :2]).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_a_ticket_has_the_first_weights_and_the_masks_of_the_rounds(scope: str) -> None:
    model, by_hand = network(), network()
    first = copy.deepcopy(model.state_dict())
    pruner = find_ticket(model, schedule=[0.4, 0.7], train=train, scope=scope)
    other = Pruner(by_hand, scope=scope)
    for sparsity in (0.4, 0.7):
        with other:
            train(by_hand)
        other.prune(sparsity=sparsity)
        by_hand.load_state_dict(first)
        other.step_()
    for name, mask in pruner.masks.items():
        assert torch.equal(mask, other.masks[name])
        assert torch.equal(model.state_dict()[f"{name}.weight"], first[f"{name}.weight"] * mask)
    kept = {name: value for name, value in model.state_dict().items() if not name.endswith(("0.weight", "3.weight"))}
    assert all(torch.equal(value, first[name]) for name, value in kept.items())
    assert abs(pruner.sparsity - 0.7) < 0.01
    with pruner:
        train(model)
    assert all(bool((model.state_dict()[f"{name}.weight"][~mask] == 0).all()) for name, mask in pruner.masks.items())


def test_what_is_pruned_stays_so_where_a_training_has_no_optimizer() -> None:
    model = nn.Linear(10, 10)
    masks = []

    def shuffle(model: nn.Module) -> None:
        masks.append(model.weight != 0)
        nn.init.normal_(model.weight)

    pruner = find_ticket(model, schedule=[0.5, 0.8], train=shuffle)
    assert bool(masks[1].sum() == 50)
    assert bool((masks[1] | ~pruner.masks[""]).all())  # nothing has come back


def test_rewinding_to_an_early_step() -> None:
    model = network()
    train(model)
    early = copy.deepcopy(model.state_dict())
    pruner = find_ticket(model, schedule=[0.5], train=train, state=early)
    assert torch.equal(model[0].weight, early["0.weight"] * pruner.masks["0"])
    with pytest.raises(RuntimeError, match="state_dict"):
        rewind_(pruner, {"weight": torch.ones(1)})


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_masks_and_gradients_are_those_of_the_paper(seed: int, sparsity: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    w, upstream, scores = (torch.randn(3, 4, generator=generator) for _ in range(3))
    w.requires_grad_()
    layer = MovementMask(w)
    layer.sparsity = sparsity
    with torch.no_grad():
        layer.scores.copy_(scores)
    expected = magnitude_mask(scores - scores.min(), sparsity=sparsity)
    result = layer(w)
    assert torch.equal(result, w * expected)
    (result * upstream).sum().backward()
    assert w.grad is not None
    assert torch.equal(w.grad, upstream * expected)
    assert torch.equal(layer.scores.grad, upstream * w)  # for masked weights too, so that they may come back


def test_a_score_is_minus_the_sum_of_weight_times_gradient() -> None:
    model, x = nn.Linear(5, 3), torch.randn(7, 5)
    pruner = MovementPruner(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    expected = torch.zeros(3, 5)
    for _ in range(4):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        original = model.parametrizations.weight.original
        expected -= 0.1 * (original * original.grad).detach()  # nothing is masked yet
        optimizer.step()
    torch.testing.assert_close(pruner.masks[""].scores.detach(), expected)


def test_weights_that_move_to_zero_go_although_they_are_large() -> None:
    model = nn.Linear(2, 1, bias=False)
    model.weight.data.copy_(torch.tensor([[5.0, 0.1]]))
    x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    pruner = MovementPruner(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(10):
        optimizer.zero_grad()
        (model(x) - x @ torch.tensor([[4.0], [1.0]])).square().mean().backward()
        optimizer.step()
    pruner.prune(0.5)
    masks = pruner.finish_()
    assert masks[""].tolist() == [[False, True]]
    assert model.weight[0, 0] == 0 < abs(float(model.weight.detach()[0, 1]))
    assert not parametrize.is_parametrized(model)
    assert list(dict(model.named_parameters())) == ["weight"]


def test_what_cannot_be_pruned_so_is_refused() -> None:
    with pytest.raises(ValueError, match="with none"):
        MovementPruner(nn.ReLU())
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="computed from others by _WeightNorm"):
        MovementPruner(normed)
    with pytest.raises(ValueError, match="sparsity must be between 0 and 1"):
        MovementPruner(nn.Linear(2, 2)).prune(1.5)
