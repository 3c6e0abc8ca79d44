"""The panels of notebook 04: what they draw at the ends of every control."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from panels import line, visit

from course_utils.data import load_dataset
from course_utils.experiments.sparsity.geometry import LAMBDAS
from course_utils.experiments.sparsity.lambda_path import Plan, plan_for
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
from course_utils.plots import COLOURS, HeatMap

PLAN = Plan((12, 8), 300, 200, 6, 0.1, 64, (0.0, 1e-3, 4e-3, 0.03), (0.3, 0.7))


@pytest.fixture(scope="module")
def path() -> LambdaPath:
    return lambda_path("digits", plan=PLAN)


def test_geometry_draws_both_curves_through_the_best_weights() -> None:
    panel = geometry().set(lam=min(LAMBDAS, key=lambda lam: abs(lam - 0.1)), p=1.0, angle=60)
    w = panel.result.best[panel.result.chosen]
    for name in ("cost_level", "ball"):
        points = getattr(panel.result, name)
        assert np.nanmin(np.hypot(*(points - w[:, None]))) < 0.02
    assert np.nanmax(abs(np.abs(panel.result.ball).sum(0) - np.abs(w).sum())) < 0.03
    np.testing.assert_array_equal(line(panel, 0, "best weights"), [w])
    assert "One weight is exactly zero" in panel.words


def test_geometry_at_every_control() -> None:
    sentences = visit(geometry())
    assert len(set(sentences)) >= 8


def test_geometry_takes_a_penalty_that_works_in_place() -> None:
    def in_place(w1: np.ndarray, w2: np.ndarray) -> np.ndarray:
        w1 **= 2
        w2 **= 2
        return w1 + w2

    plain = geometry(penalty=lambda w1, w2: w1**2 + w2**2).result
    np.testing.assert_array_equal(geometry(penalty=in_place).result.best, plain.best)


def test_geometry_refuses_a_penalty_that_is_no_number_and_offers_no_p_to_one_of_the_reader() -> None:
    assert set(geometry(penalty=lambda w1, w2: abs(w1)).controls) == {"lam", "angle"}
    with pytest.raises(ValueError, match=r"finite number for all weights from −1.5 to 1.5, got nan for w1 = −1.5"):
        geometry(penalty=lambda w1, w2: np.sqrt(w1))
    with pytest.raises(ValueError, match="got inf for w1 = 0 and w2 = −1.5"):
        geometry(penalty=lambda w1, w2: 1 / abs(w1))
    assert "best weights are 1.000 and 0.550" in geometry(penalty=lambda w1, w2: 0.0).words


def test_geometry_takes_a_penalty_of_the_reader() -> None:
    panel = geometry(penalty=lambda w1, w2: abs(w1 - w2)).set(lam=1.0)
    w = panel.result.best[-1]
    assert w[0] == pytest.approx(w[1], abs=1e-3)


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


def test_group_lasso_at_every_control(path: LambdaPath) -> None:
    sentences = visit(group_lasso(path))
    assert len(set(sentences)) >= 9


def test_group_lasso_draws_the_weights_neurons_and_accuracy_that_it_names(path: LambdaPath) -> None:
    panel = group_lasso(path).set(kind="sparse_group", lam=4e-3, l1_ratio=0.7, threshold=1e-3)
    pruned, i = panel.result.pruned, panel.result.place
    maps = [a for ax in panel.figure.axes for a in ax.images if isinstance(a, HeatMap)]
    for image, w in zip(maps, pruned.weights, strict=True):
        np.testing.assert_array_equal(image.get_array(), w[i])
    assert f"{pruned.accuracy[i]:.1%}" in panel.words
    assert f"{pruned.neurons[i][0]} of 64" in panel.words
    bars = next(ax for ax in panel.figure.axes if ax.get_title(loc="left") + ax.get_title() == "Neurons left")
    filled = [p for p in bars.patches if p.get_facecolor() == to_rgba(COLOURS["blue"])]
    np.testing.assert_allclose([p.get_width() for p in filled], pruned.neurons[i] / [64, 12, 8])
    pixels = next(ax for ax in panel.figure.axes if "Pixel" in ax.get_title(loc="left") + ax.get_title())
    cut_off = np.abs(pruned.weights[0][i]).sum(0) == 0
    np.testing.assert_array_equal(np.asarray(pixels.images[0].get_array()).ravel() == 0, cut_off)


def test_group_lasso_with_the_reader_s_own_step(path: LambdaPath) -> None:
    data = path.data
    panel = group_lasso(path, prox=lambda w, *, step, dim: prox_group(w, step=step, dim=dim)).set(lam=4e-3)
    assert panel.values["kind"] == "reader"
    assert panel.result.difference == pytest.approx(0, abs=1e-3)
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
    np.testing.assert_array_equal(images[0].get_array(), path.pruned("l2", 0.7, 0.0).weights[1][0])
    np.testing.assert_array_equal(images[5].get_array(), path.pruned("sparse_group", 0.7, 0.0).weights[1][2])
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
