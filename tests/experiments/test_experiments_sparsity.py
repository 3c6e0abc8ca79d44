"""Paths over lambda, the geometry of a penalty and proximal steps, against closed forms."""

from itertools import product

import numpy as np
import pytest
import torch

from course_utils.experiments.sparsity.geometry import LAMBDAS, MINIMUM, minimise, quadratic
from course_utils.experiments.sparsity.lambda_path import KINDS, MIXED, LambdaPath, Plan, lambda_path, plan_for
from course_utils.models import mlp
from course_utils.train import evaluate, fit

PLAN = Plan((12, 8), 300, 200, 6, 0.1, 64, (0.0, 1e-3, 4e-3, 0.03), (0.3, 0.7))


@pytest.fixture(scope="module")
def path() -> LambdaPath:
    return lambda_path("digits", plan=PLAN)


def test_geometry_of_l1_is_a_soft_threshold_where_the_loss_is_separable() -> None:
    best = minimise(quadratic(0), lambda a, b: abs(a) + abs(b), LAMBDAS)
    curvature = np.array([0.12, 1.0])
    expected = np.maximum(MINIMUM - LAMBDAS[:, None] / curvature, 0)
    np.testing.assert_allclose(best, expected, atol=2e-4)
    assert ((best == 0) == (expected == 0)).all()


@pytest.mark.parametrize("angle", [0, 30, 60, 145])
def test_geometry_of_l2_is_a_linear_system(angle: float) -> None:
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    turn = np.array([[c, s], [-s, c]])
    hessian = turn.T @ np.diag([0.12, 1.0]) @ turn
    expected = [np.linalg.solve(hessian + 2 * lam * np.eye(2), hessian @ MINIMUM) for lam in LAMBDAS]
    np.testing.assert_allclose(minimise(quadratic(angle), lambda a, b: a**2 + b**2, LAMBDAS), expected, atol=2e-4)


@pytest.mark.parametrize(("p", "angle"), list(product([0.5, 1.0, 2.0], [0, 60, 145])))
def test_geometry_finds_nothing_better_at_random(p: float, angle: float) -> None:
    loss, w = quadratic(angle), np.random.default_rng(0).uniform(-1.5, 1.5, (20_000, 2))
    for lam, best in zip(
        LAMBDAS[::8], minimise(loss, lambda a, b: abs(a) ** p + abs(b) ** p, LAMBDAS)[::8], strict=True
    ):
        costs = loss(w[:, 0], w[:, 1]) + lam * (abs(w) ** p).sum(1)
        assert loss(*best) + lam * (abs(best) ** p).sum() <= costs.min() + 1e-7


def test_a_pruned_path_is_counted_from_its_weights(path: LambdaPath) -> None:
    for kind in KINDS.values():
        pruned = path.pruned(kind, 0.3, 0.0)
        assert pruned.accuracy.shape == pruned.zeros.shape == (4,)
        assert pruned.sparsity.shape == pruned.neurons.shape == (4, 3)
        assert (pruned.neurons[0] == [64, 12, 8]).all()
        by_hand = [(np.abs(w) > 0).any(1).sum(1) for w in pruned.weights]
        np.testing.assert_array_equal(pruned.neurons, np.stack(by_hand, 1))
    assert path.pruned("l2", 0.3, 0.0).accuracy[0] == path.pruned("l1", 0.3, 0.0).accuracy[0]


def test_path_has_zeros_that_grow_with_lambda_and_threshold(path: LambdaPath) -> None:
    for kind in ("l1", "group", "sparse_group"):
        zeros = path.pruned(kind, 0.3, 0.0).zeros
        assert (np.diff(zeros) >= 0).all()
        assert zeros[-1] == 1.0
    assert (path.pruned("l2", 0.3, 0.0).zeros == 0).all()
    assert path.pruned("l2", 0.3, 0.1).zeros[1] > 0.2


def test_path_is_trained_once(path: LambdaPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("course_utils.experiments.sparsity.lambda_path.fit_many")
    assert repr(lambda_path("digits", plan=PLAN)) == repr(path)


def test_path_without_a_penalty_is_plain_training(path: LambdaPath) -> None:
    torch.manual_seed(0)
    model = mlp([64, 12, 8, 10])
    fit(model, path.data, epochs=6, lr=0.1, batch_size=64, optimizer="sgd", schedule="cosine", progress=False)
    pruned = path.pruned("group", 0.3, 0.0)
    np.testing.assert_allclose(pruned.weights[0][0], model[1].weight.detach(), atol=1e-3)
    assert pruned.accuracy[0] == pytest.approx(evaluate(model, path.data).accuracy, abs=0.02)


def test_plans_exist_for_every_data_set() -> None:
    assert len(plan_for("digits").lams) == 16
    assert plan_for("mnist").rows < 60_000
    assert all(0 < r < 1 for r in plan_for("covertype").ratios)


def test_mixed_penalties_use_the_ratio_and_others_do_not(path: LambdaPath) -> None:
    for kind in KINDS.values():
        low, high = (path.pruned(kind, r, 0.0).weights[0] for r in PLAN.ratios)
        assert (not np.array_equal(low, high)) == (kind in MIXED)
