"""The panels of notebook 01: they draw what the experiments compute, at every control."""

import numpy as np
import pytest
import torch
from panels import line, visit
from torch.nn import functional as F

from course_utils.experiments.building.approximation import MAX_UNITS, X
from course_utils.experiments.building.backpropagation import POINTS
from course_utils.experiments.building.boundary import make_points
from course_utils.experiments.building.convolution import feature_map, image_of_each_class, small_cnn
from course_utils.experiments.building.descent import STEPS, cost
from course_utils.experiments.lesson import lesson_data
from course_utils.panels.building import backpropagation, boundary, descent, filters, sliding_kernel, sum_of_relus
from course_utils.panels.building.backpropagation import BACKWARD, FORWARD
from course_utils.panels.building.sliding_kernel import KERNELS


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
    panel = sum_of_relus(lambda x: 3 * x**2).set(units=MAX_UNITS)
    assert panel.result.errors["greedy"][-1] < 0.01
    np.testing.assert_allclose(line(panel, 0, "function")[:, 1], 3 * X**2)
    visit(panel)
    with pytest.raises(ValueError, match="one finite number for each"):
        sum_of_relus(lambda x: x.log())
    with pytest.raises(ValueError, match="got shape"):
        sum_of_relus(lambda x: x.sum())


def test_the_path_is_drawn_as_far_as_it_was_taken() -> None:
    panel = descent().set(steps=7, eta=0.3)
    assert len(panel.result.path) == 8
    np.testing.assert_allclose(line(panel, 2, "of all rows, J")[:, 1], panel.result.costs)
    walk = panel.set(steps=STEPS).result
    np.testing.assert_allclose(walk.costs, [cost(w) for w in walk.path])
    assert "it diverges" in panel.set(eta=0.6).words
    last = len(panel.result.path)  # the weights after the step with this number are too large to be kept
    assert f"After {last} steps of η = 0.6 the weights are beyond" in panel.words
    assert f"After {last - 1} steps of η = 0.6 (" in panel.set(steps=last - 1).words
    assert "After 1 step of" in panel.set(steps=1).words
    assert "After 3 steps" in panel.set(steps=3).words
    assert panel.set(steps=STEPS, eta=0.1, size=16, again=0).words != panel.set(again=1).words
    assert len(set(visit(panel))) >= 11


def test_momentum_gathers_speed() -> None:
    slow, fast = (descent().set(eta=0.01, momentum=m).result.costs[-1] for m in (0.0, 0.9))
    assert fast < 0.4 < 0.7 < slow


def test_descent_takes_a_step_of_the_reader() -> None:
    panel = descent(step=lambda w, gradient, eta: w - eta * gradient)
    assert panel.words == descent().words
    clipped = descent(step=lambda w, g, eta: w - eta * g / torch.linalg.vector_norm(g).clamp(min=1)).set(eta=0.6)
    assert clipped.result.costs[-1] < 1
    with pytest.raises(ValueError, match="two weights like w, got shape"):
        descent(step=lambda w, gradient, eta: (w - gradient).sum())
    with pytest.raises(ValueError, match="got NoneType"):
        descent(step=lambda w, gradient, eta: None)


def test_back_propagation_goes_node_by_node() -> None:
    panel = backpropagation()
    assert panel.words == "x = 1.5 and y = 1 come from the data; w = 0.5, b = 0.25 and v = 2 are parameters."
    words = [panel.set(shown=i).words for i in range(1, len(FORWARD) + len(BACKWARD) + 1)]
    assert words[4] == "L = (ŷ − y)² = (2 − 1)² = 1."
    assert words[6] == "∂L/∂ŷ = ∂L/∂L · 2(ŷ − y) = 1 · 2 · (2 − 1) = 2."
    assert "∂L/∂w = ∂L/∂a · x = 4 · 1.5 = 6" in words[12]
    assert "w.grad = 6, b.grad = 4, v.grad = 2: the same numbers" in words[13]
    assert "takes L from 1 to 0.1122" in words[13]
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
    assert tensors.result.by_reader == pytest.approx(panel.result.by_reader)
    for bad in (lambda *five: 1.0, lambda *five: (1.0, 2.0), lambda *five: None):
        with pytest.raises(ValueError, match="three numbers, dw, db, dv"):
            backpropagation(bad)


def test_the_boundary_answers_to_each_control() -> None:
    panel = boundary()
    assert len(set(visit(panel))) >= 7
    assert "diverged" in panel.set(train=True, eta=10.0, width=64, depth=4, size=8).words


def test_a_feature_map_is_what_unfolding_says() -> None:
    panel = sliding_kernel("digits")
    for name, rows in KERNELS.items():
        for digit in (0, 7):
            place = panel.set(chosen=name, digit=digit, relu=False).result
            windows = np.lib.stride_tricks.sliding_window_view(place.image, (3, 3))
            np.testing.assert_allclose(place.map, (windows * np.array(rows)).sum((2, 3)), atol=1e-5)
            assert place.map[place.row, place.column] == pytest.approx((place.window * place.kernel).sum(), abs=1e-5)
            assert panel.set(relu=True).result.map.min() >= 0
    assert "row 6, column 6" in panel.set(place=35).words.lower()
    assert len(set(visit(panel))) >= 9


def test_a_kernel_of_the_reader_slides() -> None:
    panel = sliding_kernel("digits", kernel=torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0, 0]]))
    np.testing.assert_array_equal(panel.result.map, panel.result.image[1:-1, 1:-1])
    with pytest.raises(ValueError, match="3 x 3 finite numbers, got shape"):
        sliding_kernel("digits", kernel=torch.ones(2, 3))
    with pytest.raises(ValueError, match="slides over images"):
        image_of_each_class(make_points("moons"))


def test_filters_and_maps_are_those_of_the_trained_network() -> None:
    data = lesson_data("digits").subset(300)
    panel = filters(data)
    with torch.no_grad():
        start = small_cnn(data)[0].weight[:, 0].numpy()
    np.testing.assert_array_equal(panel.result.filters, start)
    trained = panel.set(train=True).result
    assert trained.accuracy[-1] > 0.75 > 0.3 > trained.accuracy[0]
    assert np.abs(trained.filters - start).max() > 0.05
    expected = feature_map(F.pad(torch.tensor(trained.image), (1, 1, 1, 1)), torch.tensor(trained.filters[2]))
    bias = trained.maps[2][trained.maps[2] > 0] - expected.numpy()[trained.maps[2] > 0]
    np.testing.assert_allclose(bias, bias[0], atol=1e-5)  # the map is g(sum + b), with one b at every place
    another = panel.set(digit=0).result
    np.testing.assert_array_equal(another.filters, trained.filters)  # another digit does not train anew
    assert np.abs(another.image - trained.image).max() > 0
    again = panel.set(train=False).set(train=True).result
    np.testing.assert_allclose(again.filters, trained.filters)


def test_filters_cost_what_the_panel_says() -> None:
    panel = filters(lesson_data("digits").subset(200))
    assert "80 parameters" in panel.words
    assert "33,280" in panel.words
    assert "208 parameters" in panel.set(size=5).words
    assert len(set(visit(panel))) >= 4
