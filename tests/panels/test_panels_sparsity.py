"""The panels of notebook 04: what they compute against closed forms, what they draw at the ends of every control."""

from itertools import product

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from panels import line, visit

from course_utils.data import load_dataset
from course_utils.methods.penalties import prox_group, prox_l1
from course_utils.panels.sparsity import (
    LambdaPath,
    gallery,
    geometry,
    group_lasso,
    lambda_path,
    live_training,
    shrinkage,
)
from course_utils.panels.sparsity.geometry import LAMBDAS, LEAST_COST, minimise, quadratic
from course_utils.panels.sparsity.path import KINDS, MIXED, Plan, plan_for
from course_utils.plots import COLOURS, HeatMap

PLAN = Plan((12, 8), 300, 200, 6, 0.1, 64, (0.0, 1e-3, 4e-3, 0.03), (0.3, 0.7))


@pytest.fixture(scope="module")
def path() -> LambdaPath:
    return lambda_path("digits", plan=PLAN)


# The geometry of figure 9


def test_geometry_of_l1_is_a_soft_threshold_where_the_loss_is_separable() -> None:
    best = minimise(quadratic(0), lambda a, b: abs(a) + abs(b), LAMBDAS)
    curvature = np.array([0.12, 1.0])
    expected = np.maximum(LEAST_COST - LAMBDAS[:, None] / curvature, 0)
    np.testing.assert_allclose(best, expected, atol=2e-4)
    assert ((best == 0) == (expected == 0)).all()


@pytest.mark.parametrize("angle", [0, 30, 60, 145])
def test_geometry_of_l2_is_a_linear_system(angle: float) -> None:
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    turn = np.array([[c, s], [-s, c]])
    hessian = turn.T @ np.diag([0.12, 1.0]) @ turn
    expected = [np.linalg.solve(hessian + 2 * lam * np.eye(2), hessian @ LEAST_COST) for lam in LAMBDAS]
    np.testing.assert_allclose(minimise(quadratic(angle), lambda a, b: a**2 + b**2, LAMBDAS), expected, atol=2e-4)


@pytest.mark.parametrize(("p", "angle"), list(product([0.5, 1.0, 2.0], [0, 60, 145])))
def test_geometry_finds_nothing_better_at_random(p: float, angle: float) -> None:
    loss, w = quadratic(angle), np.random.default_rng(0).uniform(-1.5, 1.5, (20_000, 2))
    for lam, best in zip(
        LAMBDAS[::8], minimise(loss, lambda a, b: abs(a) ** p + abs(b) ** p, LAMBDAS)[::8], strict=True
    ):
        costs = loss(w[:, 0], w[:, 1]) + lam * (abs(w) ** p).sum(1)
        assert loss(*best) + lam * (abs(best) ** p).sum() <= costs.min() + 1e-7


def test_geometry_draws_both_curves_through_the_best_weights() -> None:
    panel = geometry().set(lam=0.1, p=1.0, angle=60)
    w = panel.result.best[panel.result.chosen]
    for name in ("cost_here", "ball"):
        points = getattr(panel.result, name)
        assert np.nanmin(np.hypot(*(points - w[:, None]))) < 0.02
    assert np.nanmax(abs(np.abs(panel.result.ball).sum(0) - np.abs(w).sum())) < 0.03
    np.testing.assert_array_equal(line(panel, 0, "best weights"), [w])
    assert "One weight is exactly zero" in panel.words


def test_geometry_at_every_control() -> None:
    said = visit(geometry())
    assert len(set(said)) >= 8


def test_geometry_takes_a_penalty_of_the_reader() -> None:
    panel = geometry(penalty=lambda w1, w2: abs(w1 - w2)).set(lam=1.0)
    w = panel.result.best[-1]
    assert w[0] == pytest.approx(w[1], abs=1e-3)


# One weight


def test_shrinkage_reaches_exact_zeros_by_proximal_steps_only() -> None:
    panel = shrinkage().set(lam=0.5, a=0.3)
    assert panel.result.paths["proximal"][-1] == 0
    assert panel.result.paths["subgradient"][-1] != 0
    assert "proximal step at exactly 0" in panel.words
    far = panel.set(a=1.0).result.paths
    assert far["proximal"][-1] == pytest.approx(0.5, abs=1e-4)
    assert far["subgradient"][-1] == pytest.approx(0.5, abs=1e-4)


def test_shrinkage_draws_what_it_computes() -> None:
    panel = shrinkage().set(lam=0.7)
    drawn = line(panel, 0, "l1")
    np.testing.assert_allclose(drawn[:, 1], np.sign(drawn[:, 0]) * np.maximum(abs(drawn[:, 0]) - 0.7, 0), atol=1e-6)
    assert "Weights from −0.70 to 0.70 become exactly 0" in panel.words


def test_shrinkage_at_every_control() -> None:
    assert len(set(visit(shrinkage()))) >= 5


def test_shrinkage_takes_a_function_of_the_reader_and_says_what_is_wrong_with_it() -> None:
    right, ours = shrinkage(prox=prox_l1).set(lam=0.3), shrinkage().set(lam=0.3)
    assert right.words == ours.words
    hard = shrinkage(prox=lambda w, *, step: torch.where(w.abs() > step, w, 0.0)).set(lam=0.3, a=1.0)
    assert hard.result.paths["proximal"][-1] == pytest.approx(1.0, abs=1e-4)
    with pytest.raises(ValueError, match="must return a tensor of shape"):
        shrinkage(prox=lambda w, *, step: w.sum())
    with pytest.raises(ValueError, match="NoneType"):
        shrinkage(prox=lambda w, *, step: None)


# A path of networks


def test_path_looks_at_the_networks_as_evaluation_does(path: LambdaPath) -> None:
    for kind in KINDS.values():
        look = path.look(kind, 0.3, 0.0)
        assert look.accuracy.shape == look.zeros.shape == (4,)
        assert look.sparsity.shape == look.neurons.shape == (4, 3)
        assert (look.neurons[0] == [64, 12, 8]).all()
        by_hand = [(np.abs(w) > 0).any(1).sum(1) for w in look.weights]
        np.testing.assert_array_equal(look.neurons, np.stack(by_hand, 1))
    assert path.look("l2", 0.3, 0.0).accuracy[0] == path.look("l1", 0.3, 0.0).accuracy[0]


def test_path_has_zeros_that_grow_with_lambda_and_threshold(path: LambdaPath) -> None:
    for kind in ("l1", "group", "sparse_group"):
        zeros = path.look(kind, 0.3, 0.0).zeros
        assert (np.diff(zeros) >= 0).all()
        assert zeros[-1] == 1.0
    assert (path.look("l2", 0.3, 0.0).zeros == 0).all()
    assert path.look("l2", 0.3, 0.1).zeros[1] > 0.2


def test_path_is_trained_once(path: LambdaPath) -> None:
    assert lambda_path("digits", plan=PLAN) is path


def test_path_without_a_penalty_is_plain_training(path: LambdaPath) -> None:
    from course_utils.models import mlp
    from course_utils.train import evaluate, fit

    torch.manual_seed(0)
    model = mlp([64, 12, 8, 10])
    fit(model, path.data, epochs=6, lr=0.1, batch_size=64, optimizer="sgd", schedule="cosine", progress=False)
    look = path.look("group", 0.3, 0.0)
    np.testing.assert_allclose(look.weights[0][0], model[1].weight.detach(), atol=1e-3)
    assert look.accuracy[0] == pytest.approx(evaluate(model, path.data).accuracy, abs=0.02)


def test_plans_exist_for_every_data_set() -> None:
    assert len(plan_for("digits").lams) == 16
    assert plan_for("mnist").rows < 60_000
    assert all(0 < r < 1 for r in plan_for("covertype").ratios)


# The panels on a path


def test_group_lasso_at_every_control(path: LambdaPath) -> None:
    said = visit(group_lasso(path))
    assert len(set(said)) >= 9


def test_group_lasso_draws_the_weights_neurons_and_accuracy_that_it_names(path: LambdaPath) -> None:
    panel = group_lasso(path).set(kind="sparse_group", lam=4e-3, l1_ratio=0.7, threshold=1e-3)
    look, i = panel.result.look, panel.result.at
    maps = [a for ax in panel.figure.axes for a in ax.images if isinstance(a, HeatMap)]
    for image, w in zip(maps, look.weights, strict=True):
        np.testing.assert_array_equal(image.get_array(), w[i])
    assert f"{look.accuracy[i]:.1%}" in panel.words
    assert f"{look.neurons[i][0]} of 64" in panel.words
    bars = next(ax for ax in panel.figure.axes if ax.get_title(loc="left") + ax.get_title() == "Neurons left")
    filled = [p for p in bars.patches if p.get_facecolor() == to_rgba(COLOURS["blue"])]
    np.testing.assert_allclose([p.get_width() for p in filled], look.neurons[i] / [64, 12, 8])
    pixels = next(ax for ax in panel.figure.axes if "Pixel" in ax.get_title(loc="left") + ax.get_title())
    cut_off = np.abs(look.weights[0][i]).sum(0) == 0
    np.testing.assert_array_equal(np.asarray(pixels.images[0].get_array()).ravel() == 0, cut_off)


def test_group_lasso_with_the_reader_s_own_step(path: LambdaPath) -> None:
    data = path.data
    own = group_lasso(path, prox=lambda w, *, step, dim: prox_group(w, step=step, dim=dim)).set(lam=4e-3)
    assert own.values["kind"] == "own"
    assert own.result.difference == pytest.approx(0, abs=1e-3)
    idle = group_lasso(path, prox=lambda w, *, step, dim: w).set(lam=4e-3)
    assert idle.result.difference > 0.01
    assert "Largest difference" in idle.words
    assert idle.set(kind="l1").result.difference is None
    assert data.name == "digits"
    with pytest.raises(ValueError, match="prox must return"):
        group_lasso(path, prox=lambda w, *, step, dim: w.T)


def test_gallery_shows_six_matrices(path: LambdaPath) -> None:
    panel = gallery(path).set(lam=4e-3, l1_ratio=0.7, layer=1)
    images = [image for ax in panel.figure.axes for image in ax.images]
    assert len(images) == 6
    np.testing.assert_array_equal(images[0].get_array(), path.look("l2", 0.7, 0.0).weights[1][0])
    np.testing.assert_array_equal(images[5].get_array(), path.look("sparse_group", 0.7, 0.0).weights[1][2])
    assert "zeros in layer 2: no penalty 0%, l2 0%" in panel.words
    assert len(set(visit(panel))) >= 8


def test_live_training_trains_when_switched_on_and_ends_where_fit_ends() -> None:
    panel = live_training("digits")
    assert "Epoch 0" in panel.words
    panel.set(train=True, lam=1e-3)
    epochs = plan_for("digits").epochs
    assert f"Epoch {epochs}" in panel.words
    assert panel.result.zeros[-1] > 0
    assert len(panel.result.accuracy) == epochs + 1
    accuracy = next(x for ax in panel.figure.axes for x in ax.lines if x.get_label() == "test accuracy")
    np.testing.assert_allclose(accuracy.get_ydata(), panel.result.accuracy)
    assert panel.set(method="gradient").result.zeros[-1] == 0
    assert "Epoch 0" in panel.set(train=False, kind="l1", seed=1).words


def test_live_training_with_the_reader_s_own_step() -> None:
    data = load_dataset("digits").subset(100)
    panel = live_training(data, prox=lambda w, *, step, dim: torch.zeros_like(w)).set(train=True)
    assert panel.result.zeros[-1] == 1.0


def test_mixed_penalties_use_the_ratio_and_others_do_not(path: LambdaPath) -> None:
    for kind in KINDS.values():
        low, high = (path.look(kind, r, 0.0).weights[0] for r in PLAN.ratios)
        assert (not np.array_equal(low, high)) == (kind in MIXED)
