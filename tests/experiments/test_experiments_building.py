"""Sums of ReLUs, descent, gradients, boundaries and convolutions against what PyTorch and algebra say."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils.experiments.building.approximation import X, bends, build_layer
from course_utils.experiments.building.backpropagation import autograd, backwards, forwards
from course_utils.experiments.building.boundary import EPOCHS, EVERY, make_points, train_boundary
from course_utils.experiments.building.convolution import dense_parameters, small_cnn
from course_utils.experiments.building.descent import cost, cost_and_gradient, minimum, patients, walk
from course_utils.experiments.lesson import lesson_data
from course_utils.models import count_parameters, mlp
from course_utils.train import fit

FUNCTIONS = (lambda x: torch.sin(5 * x), lambda x: torch.exp(-20 * x**2), torch.abs, lambda x: torch.tanh(20 * x))


def test_a_sum_of_relus_is_the_straight_line_between_its_bends() -> None:
    for target in (function(X) for function in FUNCTIONS):
        for placement in ("even", "greedy"):
            for knots in bends(target, placement)[:12]:
                places = sorted(knots)
                expected = np.interp(X, X[places], target[places])
                np.testing.assert_allclose(build_layer(target, knots)(X), expected, atol=1e-12)


def test_a_unit_more_changes_the_sum_between_two_bends_only() -> None:
    target = torch.sin(5 * X)
    plans = bends(target, "greedy")
    for before, after in pairwise(plans):
        new = after[-1]
        left, right = max(k for k in before if k < new), min(k for k in before if k > new)
        moved = (build_layer(target, after)(X) - build_layer(target, before)(X)).abs() > 1e-12
        assert not moved[: left + 1].any()
        assert not moved[right:].any()


def test_the_gradient_of_the_cost_is_autograds() -> None:
    a, y = (torch.tensor(part) for part in patients())
    for start in ((-1.0, 2.6), (-1.2, -0.4), (1.9, -0.4)):
        rows = np.arange(7, 30)
        w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        loss = ((a[rows] @ w - y[rows]) ** 2).mean()
        loss.backward()
        batch_cost, gradient = cost_and_gradient(np.array(start), rows)
        assert batch_cost == pytest.approx(loss.item())
        np.testing.assert_allclose(gradient, w.grad)
    np.testing.assert_allclose(cost_and_gradient(minimum(), np.arange(len(y)))[1], 0, atol=1e-12)


def test_steps_on_all_rows_come_to_rest_below_the_limit_and_leave_above_it() -> None:
    inputs, _ = patients()
    n = len(inputs)
    limit = 2 / float(np.linalg.eigvalsh(2 * inputs.T @ inputs / n)[-1])  # 2 over the largest curvature
    near = walk(eta=0.9 * limit, size=n, start=(2.4, -0.4), steps=400)
    np.testing.assert_allclose(near.path[-1], minimum(), atol=1e-4)
    assert np.all(np.diff(near.costs) <= 1e-12)
    far = walk(eta=1.1 * limit, size=n, start=(2.4, -0.4), steps=400)
    assert far.diverged
    assert far.costs[-1] > 1e6


def test_each_row_is_seen_once_an_epoch_and_small_batches_tremble_more() -> None:
    n = len(patients()[1])
    costs = walk(eta=0.0, size=1, start=(0.0, 0.0), steps=n).batch_costs
    np.testing.assert_allclose(np.sort(costs), np.sort(patients()[1] ** 2))
    spread = [np.mean([walk(eta=0.1, size=size, start=(-1.0, 2.6), seed=seed).costs[50:].mean() for seed in range(5)])
              for size in (1, 4, 16, n)]  # fmt: skip
    assert spread[0] > spread[1] > spread[2] > spread[3]
    assert spread[3] == pytest.approx(float(cost(minimum())), rel=1e-3)


def test_gradients_by_the_chain_rule_are_autograds() -> None:
    points = np.random.default_rng(0).normal(size=(50, 5)).tolist()
    for point in points:
        gradients, expected = backwards(forwards(*point)), autograd(*point)
        assert {name: gradients[name] for name in expected} == pytest.approx(expected)
    assert min(p[1] * p[0] + p[2] for p in points) < 0 < max(p[1] * p[0] + p[2] for p in points)


def test_width_and_depth_help_with_the_spirals_and_a_straight_line_does_not() -> None:
    def accuracy(*, depth: int, width: int) -> float:
        *_, result = train_boundary(make_points("spirals"), width=width, depth=depth, eta=0.03, batch_size=32, seed=0)
        return result.accuracy[-1]

    assert accuracy(depth=0, width=2) < 0.65
    assert accuracy(depth=2, width=2) < 0.65
    assert accuracy(depth=2, width=32) > 0.95
    *_, far = train_boundary(make_points("spirals"), width=64, depth=4, eta=10.0, batch_size=8, seed=0)
    assert far.diverged


def test_the_points_lie_on_the_map_and_half_of_them_in_each_class() -> None:
    for shape in ("spirals", "moons", "rings"):
        data = make_points(shape)
        assert data.x_train.abs().max() < 1.25
        assert data.y_train.float().mean() == 0.5


def test_the_boundary_is_the_networks_and_q_counts_its_parameters() -> None:
    data = make_points("rings")
    *_, result = train_boundary(data, width=8, depth=1, eta=0.03, batch_size=32, seed=0)
    torch.manual_seed(0)
    model = mlp([2, 8, 2])
    fit(model, data, epochs=EPOCHS, batch_size=32, lr=0.03, optimizer="sgd", evaluate_every=0, progress=False)
    assert result.costs[-1] == pytest.approx(F.cross_entropy(model(data.x_train), data.y_train).item(), abs=1e-6)
    assert len(result.costs) == 1 + EPOCHS // EVERY
    with torch.no_grad():
        lower_right = model(torch.tensor([[1.25, -1.25]])).softmax(1)[0, 1]
    assert result.probability[0, -1] == pytest.approx(float(lower_right), abs=1e-6)
    assert result.parameters == count_parameters(model) == 2 * 8 + 8 + 8 * 2 + 2
    assert result.accuracy[-1] > 0.98


def test_a_dense_layer_has_as_many_outputs_as_the_convolution() -> None:
    data = lesson_data("digits").subset(200)
    outputs = math.prod(small_cnn(data)[0](data.x_test[:1]).shape[1:])
    assert dense_parameters(data) == 64 * outputs + outputs == count_parameters(torch.nn.Linear(64, outputs))
