"""The panels of notebook 09: closed forms, formulas that readers type, and parameters counted."""

import itertools

import numpy as np
import pytest
import torch
from panels import visit

from course_utils.experiments.flexible.activations import ACTIVATIONS
from course_utils.experiments.lesson import lesson_data
from course_utils.panels.engine.typed import KNOWN, typed_function
from course_utils.panels.flexible import comparison, kaf, maxout, neurons, parametric, piecewise, size_against_accuracy
from course_utils.panels.flexible.kaf import S as KAF_S
from course_utils.panels.flexible.maxout import X
from course_utils.panels.flexible.parametric import S


def test_parametric_activations_and_their_derivatives() -> None:
    s = S.numpy().astype("f8")
    curve = parametric().set(a=1.5, b=2.0).result
    np.testing.assert_allclose(curve.value, 1.5 * (1 - np.exp(-2 * s)) / (1 + np.exp(-2 * s)), atol=1e-5)
    np.testing.assert_allclose(curve.slope, 1.5 * (1 - np.tanh(s) ** 2), atol=1e-5)
    line = parametric().set(kind="prelu", a=1.0).result
    np.testing.assert_allclose(line.value, s, atol=1e-6)
    assert len(set(visit(parametric()))) >= 5


def test_parametric_stays_within_its_axes_and_says_where_prelu_has_no_slope() -> None:
    panel = parametric()
    for kind, a, b in itertools.product(("tanh", "prelu"), (-2.0, 0.0, 2.0), (0.1, 6.0)):
        curve = panel.set(kind=kind, a=a, b=b).result
        for axes, values in zip(panel.figure.axes, (curve.value, curve.slope), strict=True):
            low, high = axes.get_ylim()
            assert low < values.min() <= values.max() < high
    words = panel.set(kind="prelu", a=-2.0).words
    panel.png()
    ticks = [tick for tick in panel.figure.axes[0].yaxis.get_major_ticks() if abs(tick.get_loc()) < 8.5]
    assert min(tick.label1.get_window_extent().x0 for tick in ticks) >= 0
    assert words.startswith("g(s) = max(0, s) − 2 min(0, s): ")
    assert words.endswith("slope −2 below 0, 1 above, and none at 0.")
    assert panel.set(a=1.0).words.endswith("slope 1 everywhere.")


def test_parametric_takes_an_activation_of_the_reader() -> None:
    square = parametric(activation=lambda s, a, b: s**2).result
    np.testing.assert_allclose(square.slope, 2 * S.numpy(), atol=1e-6)
    assert (parametric(activation=lambda s, a, b: torch.ones_like(s)).result.slope == 0).all()
    with pytest.raises(ValueError, match="like s"):
        parametric(activation=lambda s, a, b: 1.0)
    with pytest.raises(ValueError, match="must return finite numbers, and does not for s = −4"):
        parametric(activation=lambda s, a, b: s.log())
    assert parametric(activation=lambda s, a, b: s.abs().sqrt()).words.endswith(", and no slope at 0.")


def test_more_hinges_come_closer() -> None:
    panel = piecewise().set(target="tanh(s)")
    errors = []
    for segments in (2, 4, 8):
        fitted = panel.set(segments=segments).result
        total = np.maximum(0, np.linspace(-3, 3, 301)) + fitted.hinges.sum(0)
        np.testing.assert_allclose(fitted.value, total, atol=1e-3)
        errors.append(np.abs(fitted.value - fitted.target).max())
        assert len(fitted.kinks) == segments + 1
    assert errors == sorted(errors, reverse=True)
    assert len(set(visit(panel))) >= 3


def test_tangents_lie_below_a_convex_function_and_their_maximum_comes_closer() -> None:
    panel = maxout()
    errors = []
    for k in (1, 2, 4, 8):
        pieces = panel.set(pieces=k).result
        top = (pieces.slopes[:, None] * X + pieces.offsets[:, None]).max(0)
        assert (top <= pieces.target + 1e-9).all()
        errors.append(float(np.max(pieces.target - top)))
    assert errors == sorted(errors, reverse=True)
    assert len(set(visit(panel))) >= 4


def test_a_function_without_a_slope_has_no_tangent() -> None:
    panel = maxout().set(pieces=2, target="sqrt(abs(s))")
    assert "The largest error is 0.50." in panel.words
    for target in ("sqrt(abs(s))", "1/s"):
        with pytest.raises(ValueError, match="has no tangent at s = 0; type a function with a slope there"):
            panel.set(pieces=3, target=target)
        assert panel.reset().words


def test_the_regions_of_the_planes_cover_the_square_and_each_plane_is_highest_in_its_own() -> None:
    panel = maxout()
    for k, again in itertools.product((1, 2, 5, 8), range(4)):
        planes = panel.set(pieces=k, again=again).result
        right = panel.figure.axes[1]
        regions = [(i, patch.get_xy()[:-1]) for i, patch in enumerate(right.patches) if patch.get_visible()]
        for i, corners in regions:
            heights = corners.mean(0) @ planes.plane_slopes.T + planes.plane_offsets
            assert heights.argmax() == i
        x, y = (np.concatenate([np.roll(c[:, j], -1) * c[:, 1 - j] for _, c in regions]) for j in (0, 1))
        assert abs(x.sum() - y.sum()) / 2 == pytest.approx(16)  # the areas, by the shoelace formula
        assert f"{len(regions)} of {k} planes" in panel.words


def test_a_kaf_starts_from_the_function() -> None:
    panel = kaf()
    for target in ("tanh(s)", "elu(s)", "sin(s)"):
        basis = panel.set(target=target, size=20).result
        np.testing.assert_allclose(basis.parts.sum(0), basis.value, atol=2e-3)
        inside = np.abs(KAF_S.numpy()) <= 3
        assert np.abs(basis.value - basis.target)[inside].max() < 0.02
    spacing = 6 / 19
    assert panel.result.gamma == pytest.approx(1 / (6 * spacing**2))
    assert panel.set(start="normal").result.target is None
    assert len(set(visit(kaf()))) >= 8


def test_one_coefficient_of_a_kaf_moves_one_bump() -> None:
    panel = kaf()
    before = panel.result
    after = panel.set(kernel=8, change=2.0).result
    bump = 2 * np.exp(-before.gamma * (KAF_S.numpy() - before.dictionary[7]) ** 2)
    np.testing.assert_allclose(after.value - before.value, bump, atol=1e-4)
    assert "kernel 8 has been changed by +2" in panel.words
    assert panel.set(size=4, kernel=30).result.changed == (3, 2.0)  # there is no kernel 30: the last one


def test_large_coefficients_of_a_kaf_lie_within_the_plot() -> None:
    panel = kaf()
    for target, factor in (("tanh(s)", 0.05), ("sign(s)", 0.05), ("tanh(s)", 1.0)):
        largest = np.abs(panel.set(target=target, factor=factor, ridge=1e-8).result.alpha).max()
        assert panel.figure.axes[1].get_ylim()[1] > largest
        panel.png()
        bounds = [tick.label1.get_window_extent() for tick in panel.figure.axes[1].yaxis.get_major_ticks()]
        assert min(b.x0 for b in bounds) > panel.figure.axes[0].get_window_extent().x1


def test_a_kaf_takes_a_function_of_the_reader() -> None:
    tanh = kaf(function=torch.tanh)
    np.testing.assert_allclose(tanh.result.value, kaf().set(target="tanh(s)").result.value, atol=1e-6)
    assert "target" not in tanh.controls


def test_a_kaf_is_compared_with_a_function_where_that_is_finite() -> None:
    words = kaf(function=lambda s: torch.where((s - 0.1).abs() < 0.05, torch.inf, s)).words
    assert words.endswith("away from the function, where that is finite.")
    assert "inf " not in words


def test_a_kaf_takes_a_function_that_works_in_place() -> None:
    plain = kaf(function=lambda s: torch.sin(2 * s)).result
    in_place = kaf(function=lambda s: s.mul_(2).sin_()).result
    np.testing.assert_array_equal(in_place.alpha, plain.alpha)


def test_neurons_move_when_they_train() -> None:
    panel = neurons(lesson_data("digits").subset(200))
    assert (panel.result.start == panel.result.now).all()
    trained = panel.set(train=True).result
    assert np.abs(trained.now - trained.start).max() > 0.05
    assert trained.accuracies[-1] > trained.accuracies[0]
    assert (panel.set(train=False, start="tanh").result.now[0] != trained.start[0]).any()
    assert len(set(visit(panel))) >= 2


def test_the_comparison_shows_its_networks() -> None:
    networks = comparison(lesson_data("digits").subset(60))
    assert set(networks.points) == set(ACTIVATIONS)
    panel = size_against_accuracy(networks).set(name="ReLU", depth=2, width=24)
    point = next(p for p in networks.points["ReLU"] if (p.depth, p.width) == (2, 24))
    assert f"{point.parameters:,} parameters" in panel.words
    assert len(set(visit(panel))) >= 8


def test_formulas_are_read_and_never_run() -> None:
    s = torch.linspace(-2, 2, 9)
    for formula, expected in {
        "tanh(3*s)": torch.tanh(3 * s),
        "s^2 - 1": s**2 - 1,
        "-s/2 + pi": -s / 2 + torch.pi,
        "max(s, 0.5)": s.clamp(min=0.5),
        "2": torch.full_like(s, 2.0),
    }.items():
        torch.testing.assert_close(typed_function(formula)(s), expected)
    assert torch.isfinite(typed_function("1/s + log(s)")(s)).all()
    for attack in (
        "__import__('os').system('true')", "s.numel()", "(lambda: 1)()", "open('x')", "[s]", "s if s else 1",
        "tanh(s, s)", "q", "'s'", "True", "s;s", "", "tanh(s", "tanh(x=s)", "1 < 2", "s and 1", "f'{s}'",
        "9**9**9 if 1 else 2",
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"formula|understood|takes"):
            typed_function(attack)
    assert torch.isfinite(typed_function("9**9**9**9")(s)).all()  # numbers are floats: no endless whole numbers
    assert "tanh" in KNOWN
