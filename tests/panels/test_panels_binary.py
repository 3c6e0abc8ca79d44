"""The panels of notebook 06: rules against their expectation, products against floats, networks against `evaluate`."""

import numpy as np
import pytest
from layers import weight_layers
from panels import visit

from course_utils.experiments.binary.regularizers import KINDS
from course_utils.experiments.lesson import lesson_data, trained_network
from course_utils.methods.binarize import ternarize
from course_utils.panels.binary import annealing, features, live_training, noises, rounding_rules, ternary, xnor
from course_utils.panels.binary.rules import W
from course_utils.plots import mosaic
from course_utils.train import evaluate


def test_the_papers_rule_is_correct_on_average_and_the_slides_is_its_opposite() -> None:
    inner = abs(W.numpy()) <= 1
    panel = rounding_rules().set(draws=1000, w=0.4)
    np.testing.assert_allclose(panel.result.expectation[inner], W.numpy()[inner], atol=1e-6)
    assert panel.result.draws.mean() == pytest.approx(0.4, abs=0.1)
    assert "the expectation is w itself" in panel.words
    slide = panel.set(rule="slide").result
    np.testing.assert_allclose(slide.expectation[inner], -W.numpy()[inner], atol=1e-6)
    assert set(panel.set(rule="sign").result.means) == {-1.0, 1.0}
    assert len(set(visit(panel))) >= 7


def test_rules_take_a_probability_of_the_reader() -> None:
    by_reader = rounding_rules(probability=lambda w: ((w + 1) / 2).clamp(0, 1))
    assert by_reader.words == rounding_rules().words
    with pytest.raises(ValueError, match="from 0 to 1, got −2 for w = −2"):
        rounding_rules(probability=lambda w: w)
    with pytest.raises(ValueError, match=r"in the shape \(401,\) of w, got a tensor of shape \(1,\)"):
        rounding_rules(probability=lambda w: w[:1])
    assert by_reader.figure.axes[0].get_title(loc="left") == "Probability of +1"
    with pytest.raises(ValueError, match="got float"):
        rounding_rules(probability=lambda w: 0.5)


def test_features_are_the_rows_of_the_first_layer() -> None:
    networks = noises(lesson_data("digits").subset(300), epochs=2, hidden=32)
    for kind, model in networks.models.items():
        assert networks.errors[kind] == pytest.approx(100 - 100 * evaluate(model, networks.data).accuracy)
    assert all(name in repr(networks) for name in KINDS)
    panel = features(networks).set(first=8)
    w = networks.models["dropout"][1].weight.detach().numpy()
    np.testing.assert_array_equal(panel.result.images["dropout"], w[8:32])
    assert set(np.unique(panel.set(what="signs").result.images["stoch"])) == {-1.0, 1.0}
    visit(panel)
    sheet = mosaic(np.ones((24, 6)), (2, 3), down=4, across=6)
    assert sheet.sum() == 24 * 6
    assert sheet.shape == (4 * 3 - 1, 6 * 4 - 1)


def test_live_training_flips_signs_and_learns() -> None:
    panel = live_training("digits")
    assert len(set(visit(panel))) >= 3
    for kind in ("stoch", "det", "none"):
        result = panel.set(train=True, kind=kind, lr=0.1 if kind != "none" else 0.003).result
        assert result.accuracies[-1] > 0.9
    assert np.abs(panel.set(kind="stoch").result.weights).max() <= 1.0


def test_ternary_is_ternarize() -> None:
    w = weight_layers(trained_network("digits"))["3"].weight.detach()
    panel = ternary("digits").set(factor=0.7, layer=1)
    codes, scale = ternarize(w, factor=0.7)
    assert panel.result.scale == pytest.approx(float(scale))
    assert panel.result.zeros == pytest.approx(float((codes == 0).float().mean()))
    assert len(set(visit(panel))) >= 5


def test_no_bar_is_grey_where_no_weight_becomes_zero() -> None:
    panel = ternary("digits").set(factor=0.0)
    assert "0% of the weights become 0" in panel.words
    large, small = (patch.get_data().values for patch in panel.figure.axes[0].patches)
    assert not small.any()
    assert large.max() == 1
    panel.set(factor=0.7)
    assert panel.figure.axes[0].patches[1].get_data().values.any()


def test_the_maps_of_the_grid_change_with_every_control() -> None:
    assert len(set(visit(annealing()))) >= 4


def test_products_of_bits_are_those_of_floats() -> None:
    panel = xnor()
    for n in panel.controls["n"].values:  # type: ignore[attr-defined]
        for alike, said in zip((0.0, 0.125, 0.375, 1.0), ("0%", "12.5%", "37.5%", "100%"), strict=True):
            product = panel.set(n=n, alike=alike).result
            agree = float(said.rstrip("%")) / 100 * n  # what the slider says is what is shown
            assert f"{agree:g} of {n} places agree" in panel.words
            assert said in panel.controls["alike"].spec()["texts"]
            assert product.by_bits == product.by_floats == 2 * agree - n
            assert product.x @ product.w == product.by_bits
    assert len(set(visit(panel))) >= 5
