"""The panels of notebook 01: sums, paths, gradients, boundaries and maps against what PyTorch and algebra say."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from panels import line, visit
from torch.nn import functional as F

from course_utils.experiments.classroom import classroom
from course_utils.models import count_parameters, mlp
from course_utils.panels.building import backpropagation, boundary, descent, filters, sliding_kernel, sum_of_relus
from course_utils.panels.building.approximation import FUNCTIONS, MOST, X, bends, build_layer
from course_utils.panels.building.backprop import BACKWARD, FORWARD, POINTS, autograd, backwards, forwards
from course_utils.panels.building.boundary import EPOCHS, EVERY, make_points
from course_utils.panels.building.descent import STARTS, STEPS, cost, least, look, patients, steepest_rate, walk
from course_utils.panels.building.filters import dense_parameters, small_cnn
from course_utils.panels.building.sliding import KERNELS, feature_map, one_of_each
from course_utils.train import fit


def test_a_sum_of_relus_is_the_straight_line_between_its_bends() -> None:
    for wanted in (function(X) for function in FUNCTIONS.values()):
        for place in ("even", "greedy"):
            for knots in bends(wanted, place)[:12]:
                at = sorted(knots)
                expected = np.interp(X, X[at], wanted[at])
                np.testing.assert_allclose(build_layer(wanted, knots)(X), expected, atol=1e-12)


def test_a_unit_more_changes_the_sum_between_two_bends_only() -> None:
    wanted = torch.sin(5 * X)
    plans = bends(wanted, "greedy")
    for before, after in pairwise(plans):
        new = after[-1]
        left, right = max(k for k in before if k < new), min(k for k in before if k > new)
        moved = (build_layer(wanted, after)(X) - build_layer(wanted, before)(X)).abs() > 1e-12
        assert not moved[: left + 1].any()
        assert not moved[right:].any()


def test_the_panel_of_relus_shows_the_network_and_its_error() -> None:
    panel = sum_of_relus().set(units=20, place="even", target="a wave, sin 5x")
    layer = panel.result.layer
    hidden = torch.relu(layer.w[:, None] @ X[None] + layer.b[:, None])  # (1) and (2)
    np.testing.assert_allclose(line(panel, 0, "network")[:, 1], layer.v @ hidden + layer.c, atol=1e-12)
    errors = panel.result.errors["even"]
    assert errors[39] == pytest.approx(errors[19] / 4, rel=0.02)
    assert "20 units, 61 parameters" in panel.words
    assert panel.set(units=2, target="a corner, |x|").result.errors["even"][1] < 1e-12
    assert "largest error is 0." in panel.words
    assert len(set(visit(panel))) >= 8


def test_relus_take_a_function_of_the_reader() -> None:
    panel = sum_of_relus(lambda x: 3 * x**2).set(units=MOST)
    assert panel.result.errors["greedy"][-1] < 0.01
    np.testing.assert_allclose(line(panel, 0, "function")[:, 1], 3 * X**2)
    visit(panel)
    with pytest.raises(ValueError, match="one finite number for each"):
        sum_of_relus(lambda x: x.log())
    with pytest.raises(ValueError, match="got shape"):
        sum_of_relus(lambda x: x.sum())


def test_the_gradient_of_the_cost_is_autograds() -> None:
    a, y = (torch.tensor(part) for part in patients())
    for start in STARTS.values():
        rows = np.arange(7, 30)
        w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        loss = ((a[rows] @ w - y[rows]) ** 2).mean()
        loss.backward()
        seen, slope = look(np.array(start), rows)
        assert seen == pytest.approx(loss.item())
        np.testing.assert_allclose(slope, w.grad)
    np.testing.assert_allclose(look(least(), np.arange(len(y)))[1], 0, atol=1e-12)


def test_steps_on_all_rows_come_to_rest_below_the_limit_and_leave_above_it() -> None:
    n, limit = len(patients()[1]), steepest_rate()
    near = walk(eta=0.9 * limit, size=n, start=(2.4, -0.4), steps=400)
    np.testing.assert_allclose(near.path[-1], least(), atol=1e-4)
    assert np.all(np.diff(near.costs) <= 1e-12)
    far = walk(eta=1.1 * limit, size=n, start=(2.4, -0.4), steps=400)
    assert far.left
    assert far.costs[-1] > 1e6


def test_each_row_is_seen_once_an_epoch_and_small_batches_tremble_more() -> None:
    n = len(patients()[1])
    seen = walk(eta=0.0, size=1, start=(0.0, 0.0), steps=n).seen
    np.testing.assert_allclose(np.sort(seen), np.sort(patients()[1] ** 2))
    spread = [np.mean([walk(eta=0.1, size=size, start=(-1.0, 2.6), seed=seed).costs[50:].mean() for seed in range(5)])
              for size in (1, 4, 16, n)]  # fmt: skip
    assert spread[0] > spread[1] > spread[2] > spread[3]
    assert spread[3] == pytest.approx(float(cost(least())), rel=1e-3)


def test_the_path_is_drawn_as_far_as_it_was_taken() -> None:
    panel = descent().set(steps=7, eta=0.3)
    assert len(panel.result.path) == 8
    np.testing.assert_allclose(line(panel, 2, "of all rows, J")[:, 1], panel.result.costs)
    whole = panel.set(steps=STEPS).result
    np.testing.assert_allclose(whole.costs, [cost(w) for w in whole.path])
    assert "it diverges" in panel.set(eta=0.6).words
    assert "After 3 steps" in panel.set(steps=3).words
    assert panel.set(steps=STEPS, eta=0.1, size=16, again=0).words != panel.set(again=1).words
    assert len(set(visit(panel))) >= 11


def test_momentum_gathers_speed() -> None:
    slow, fast = (descent().set(eta=0.01, momentum=m).result.costs[-1] for m in (0.0, 0.9))
    assert fast < 0.4 < 0.7 < slow


def test_descent_takes_a_step_of_the_reader() -> None:
    own = descent(step=lambda w, gradient, eta: w - eta * gradient)
    assert own.words == descent().words
    clipped = descent(step=lambda w, g, eta: w - eta * g / torch.linalg.vector_norm(g).clamp(min=1)).set(eta=0.6)
    assert clipped.result.costs[-1] < 1
    with pytest.raises(ValueError, match="two weights like w, got shape"):
        descent(step=lambda w, gradient, eta: (w - gradient).sum())
    with pytest.raises(ValueError, match="got NoneType"):
        descent(step=lambda w, gradient, eta: None)


def test_gradients_by_the_chain_rule_are_autograds() -> None:
    points = np.random.default_rng(0).normal(size=(50, 5)).tolist()
    for point in points:
        found, true = backwards(forwards(*point)), autograd(*point)
        assert {name: found[name] for name in true} == pytest.approx(true)
    assert min(p[1] * p[0] + p[2] for p in points) < 0 < max(p[1] * p[0] + p[2] for p in points)


def test_back_propagation_goes_node_by_node() -> None:
    panel = backpropagation()
    assert panel.words == "x = 1.5 and y = 1 come from the data; w = 0.5, b = 0.25 and v = 2 are parameters."
    said = [panel.set(shown=i).words for i in range(1, len(FORWARD) + len(BACKWARD) + 1)]
    assert said[4] == "L = (ŷ − y)² = (2 − 1)² = 1."
    assert said[6] == "∂L/∂ŷ = ∂L/∂L · 2(ŷ − y) = 1 · 2 · (2 − 1) = 2."
    assert "∂L/∂w = ∂L/∂a · x = 4 · 1.5 = 6" in said[12]
    assert "w.grad = 6, b.grad = 4, v.grad = 2: the same numbers" in said[13]
    assert "takes L from 1 to 0.1122" in said[13]
    off = panel.set(w=-1.0).result
    assert off.gradients["w"] == off.gradients["b"] == off.torch["w"] == 0
    assert len(set(visit(panel))) >= 8
    visit(panel, shown=14)


def test_a_gradient_of_the_reader_is_checked_and_its_number_shown() -> None:
    def right(x: float, w: float, b: float, v: float, y: float) -> tuple[float, float, float]:
        s = w * x + b
        slope = 2 * (v * max(0.0, s) - y)
        return slope * v * x * (s > 0), slope * v * (s > 0), slope * max(0.0, s)

    panel = backpropagation(right)
    assert panel.result.right == POINTS
    assert "∂L/∂w = 6 ✓, ∂L/∂b = 4 ✓, ∂L/∂v = 2 ✓" in panel.words
    assert f"right at {POINTS} of {POINTS}" in panel.words
    wrong = backpropagation(lambda x, w, b, v, y: (0.0, *right(x, w, b, v, y)[1:]))
    assert "∂L/∂w = 0 ✗ (it is 6)" in wrong.words
    assert wrong.result.right < POINTS
    assert "✗ (it is 6)" in wrong.set(shown=3).words  # the answer stays while the reader goes through the steps
    visit(panel)
    tensors = backpropagation(lambda *five: torch.tensor(right(*five)))
    assert tensors.result.own == pytest.approx(panel.result.own)
    for bad in (lambda *five: 1.0, lambda *five: (1.0, 2.0), lambda *five: None):
        with pytest.raises(ValueError, match="three numbers, dw, db, dv"):
            backpropagation(bad)


def test_the_boundary_is_the_networks_and_q_counts_its_parameters() -> None:
    panel = boundary().set(train=True, shape="rings", width=8, depth=1)
    data = make_points("rings")
    torch.manual_seed(0)
    model = mlp([2, 8, 2])
    fit(model, data, epochs=EPOCHS, batch_size=32, lr=0.03, optimizer="sgd", evaluate_every=0, progress=False)
    assert panel.result.costs[-1] == pytest.approx(F.cross_entropy(model(data.x_train), data.y_train).item(), abs=1e-6)
    assert len(panel.result.costs) == 1 + EPOCHS // EVERY
    with torch.no_grad():
        lower_right = model(torch.tensor([[1.25, -1.25]])).softmax(1)[0, 1]
    assert panel.result.chance[0, -1] == pytest.approx(float(lower_right), abs=1e-6)
    assert panel.result.parameters == count_parameters(model) == 2 * 8 + 8 + 8 * 2 + 2
    assert panel.result.right[-1] > 0.98


def test_width_and_depth_help_with_the_spirals_and_a_straight_line_does_not() -> None:
    panel = boundary()
    line, narrow, wide = (
        panel.set(train=True, depth=depth, width=width).result.right[-1] for depth, width in ((0, 2), (2, 2), (2, 32))
    )
    assert line < 0.65
    assert narrow < 0.65
    assert wide > 0.95
    assert "diverged" in panel.set(eta=10.0, width=64, depth=4, size=8).words


def test_the_boundary_answers_to_each_control() -> None:
    assert len(set(visit(boundary()))) >= 7
    for shape in ("spirals", "moons", "rings"):
        data = make_points(shape)
        assert data.x_train.abs().max() < 1.25
        assert data.y_train.float().mean() == 0.5


def test_a_feature_map_is_what_unfolding_says() -> None:
    panel = sliding_kernel("digits")
    for name, rows in KERNELS.items():
        for digit in (0, 7):
            found = panel.set(chosen=name, digit=digit, relu=False).result
            windows = np.lib.stride_tricks.sliding_window_view(found.image, (3, 3))
            np.testing.assert_allclose(found.map, (windows * np.array(rows)).sum((2, 3)), atol=1e-5)
            assert found.map[found.row, found.column] == pytest.approx((found.window * found.kernel).sum(), abs=1e-5)
            assert panel.set(relu=True).result.map.min() >= 0
    assert "row 6, column 6" in panel.set(place=35).words.lower()
    assert len(set(visit(panel))) >= 9


def test_a_kernel_of_the_reader_slides() -> None:
    panel = sliding_kernel("digits", kernel=torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0, 0]]))
    np.testing.assert_array_equal(panel.result.map, panel.result.image[1:-1, 1:-1])
    with pytest.raises(ValueError, match="3 x 3 finite numbers, got shape"):
        sliding_kernel("digits", kernel=torch.ones(2, 3))
    with pytest.raises(ValueError, match="slides over images"):
        one_of_each(make_points("moons"))


def test_filters_and_maps_are_those_of_the_trained_network() -> None:
    room = classroom("digits").subset(300)
    panel = filters(room)
    with torch.no_grad():
        start = small_cnn(room)[0].weight[:, 0].numpy()
    np.testing.assert_array_equal(panel.result.filters, start)
    trained = panel.set(train=True).result
    assert trained.right[-1] > 0.75 > 0.3 > trained.right[0]
    assert np.abs(trained.filters - start).max() > 0.05
    expected = feature_map(F.pad(torch.tensor(trained.image), (1, 1, 1, 1)), torch.tensor(trained.filters[2]))
    bias = trained.maps[2][trained.maps[2] > 0] - expected.numpy()[trained.maps[2] > 0]
    np.testing.assert_allclose(bias, bias[0], atol=1e-5)  # the map is g(sum + b), with one b at every place
    other = panel.set(digit=0).result
    np.testing.assert_array_equal(other.filters, trained.filters)  # another digit does not train anew
    assert np.abs(other.image - trained.image).max() > 0
    again = panel.set(train=False).set(train=True).result
    np.testing.assert_allclose(again.filters, trained.filters)


def test_filters_cost_what_the_panel_says() -> None:
    room = classroom("digits").subset(200)
    outputs = math.prod(small_cnn(room)[0](room.x_test[:1]).shape[1:])
    assert dense_parameters(room) == 64 * outputs + outputs == count_parameters(torch.nn.Linear(64, outputs))
    panel = filters(room)
    assert "80 parameters" in panel.words
    assert "33,280" in panel.words
    assert "208 parameters" in panel.set(size=5).words
    assert len(set(visit(panel))) >= 4
