"""The panels of notebook 05: bits against struct and NumPy, accuracies against quantized networks."""

import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from panels import visit

from course_utils.experiments.lesson import lesson_data, measure_accuracy, trained_network
from course_utils.methods.quantize import fake_quantize, quantize_model
from course_utils.panels.precision import levels, low_precision_training, one_number, relu_graph, sensitivity
from course_utils.panels.precision.formats import SIZES, store
from course_utils.panels.precision.levels import BITS


@given(st.floats(allow_nan=False))
def test_bits_are_those_of_the_machine(x: float) -> None:
    with np.errstate(over="ignore"):
        single, half = np.float32(x), np.float16(x)
    assert store(repr(x), "float32").bits == f"{int.from_bytes(struct.pack('>f', single), 'big'):032b}"
    assert store(repr(x), "float16").bits == f"{int(half.view(np.uint16)):016b}"
    assert (
        store(repr(x), "bfloat16").bits
        == f"{int(torch.tensor(x, dtype=torch.float64).bfloat16().view(torch.int16)) % 2**16:016b}"
    )


@given(st.integers(2, 16), st.integers(-2, 14), st.floats(-1e6, 1e6))
def test_bits_of_fixed_point_spell_its_value(bits: int, frac_bits: int, x: float) -> None:
    stored = store(repr(x), "fixed", bits=bits, frac_bits=frac_bits)
    assert len(stored.bits) == len(stored.fields) == bits
    code = int(stored.bits, 2) - (2**bits if stored.bits[0] == "1" else 0)
    assert code / 2**frac_bits == stored.value


def test_distances_are_those_of_numpy() -> None:
    for name, dtype in (("float32", np.float32), ("float16", np.float16)):
        spacing = store("1", name).spacing
        inside = np.finfo(dtype).max > SIZES
        np.testing.assert_array_equal(spacing[inside], np.spacing(SIZES[inside].astype(dtype)))
        assert np.isnan(spacing[float(np.finfo(dtype).max) < SIZES]).all()


def test_one_number_says_what_is_lost() -> None:
    panel = one_number()
    assert "too large" in panel.set(number="70000", format="float16").words
    assert "stored as 70144" in panel.set(format="bfloat16").words
    assert "is lost" in panel.set(number="1e-6", format="fixed").words
    assert "exactly" in panel.set(number="0,5").words
    with pytest.raises(ValueError, match="type a number"):
        panel.set(number="one")
    assert len(set(visit(one_number(), format="fixed"))) >= 7


def test_one_number_says_in_words_what_is_no_number() -> None:
    panel = one_number().set(format="float16")
    assert ") NaN (not a number) is stored as NaN (not a number): bits of their own" in panel.set(number="nan").words
    assert ") infinity is stored as infinity: exactly" in panel.set(number="inf").words
    assert "−70000 is stored as minus infinity: −70000 is too large" in panel.set(number="-70000").words
    assert "infinity is stored as 1.984375: infinity is too large" in panel.set(format="fixed", number="inf").words
    assert "8 bits, −2 of the fraction" in panel.set(number="-3", frac_bits=-2).words
    with pytest.raises(ValueError, match="fixed point has no bits for NaN, not a number; choose a floating format"):
        panel.set(number="nan")


def test_levels_are_the_accuracies_of_quantized_networks() -> None:
    data, model = lesson_data("digits"), trained_network("digits")
    panel = levels("digits")
    for codes, ranges in (("affine", "tensor"), ("symmetric", "row")):
        result = panel.set(codes=codes, ranges=ranges, bits=3).result
        for bits, accuracy in zip(BITS, result.accuracies, strict=True):
            network = quantize_model(model, bits=bits, symmetric=codes == "symmetric", per_channel=ranges == "row")
            assert accuracy == pytest.approx(measure_accuracy(network, data))
    assert len(np.unique(panel.set(codes="affine", ranges="tensor", bits=2).result.quantized)) <= 4
    assert len(set(visit(panel))) >= 8


def test_levels_take_a_quantizer_of_the_reader() -> None:
    by_reader = levels("digits", quantizer=lambda w, bits: fake_quantize(w, bits=bits)).set(bits=3)
    assert by_reader.words == levels("digits").set(bits=3).words
    with pytest.raises(ValueError, match="must return a tensor of shape"):
        levels("digits", quantizer=lambda w, bits: w.sum())
    with pytest.raises(ValueError, match="must return finite numbers"):
        levels("digits", quantizer=lambda w, bits: w / 0)


def test_sensitivity_quantizes_what_it_says() -> None:
    data, model = lesson_data("digits"), trained_network("digits")
    panel = sensitivity("digits").set(bits=2)
    bars = panel.result.accuracies
    assert bars["only W2"] == measure_accuracy(quantize_model(model, bits={"3": 2}), data)
    assert bars["all weights"] == measure_accuracy(quantize_model(model, bits=2), data)
    assert panel.result.kilobytes == pytest.approx(11900 * 2 / 8 / 1000)
    assert len(set(visit(panel))) >= 5


def test_the_graph_computes_a_relu() -> None:
    panel = relu_graph()
    for bits in (2, 5, 8):
        for low in (-4.0, -1.3, 0.0):
            flow = panel.set(bits=bits, low=low, high=2.2).result
            step = float(flow.qparams.scale)
            assert float((flow.y - flow.x.clamp(min=0)).abs().max()) <= step / 2 + 1e-6
            assert int(flow.relu.min()) == int(flow.qparams.zero_point)
    assert panel.set(low=0.0, high=0.0).error is None
    assert len(set(visit(panel))) >= 6


@pytest.mark.slow
def test_low_precision_training_needs_more_bits_for_updates() -> None:
    panel = low_precision_training("digits")
    assert "Ready" in panel.words
    assert len(set(visit(panel))) >= 6
    learned = panel.set(train=True, compute_bits=8, update_bits=12).result
    assert len(learned.few_bits.accuracies) == len(learned.float32.accuracies)
    slow = panel.set(update_bits=8).result
    stuck = panel.set(update_bits=6).result
    stochastic = panel.set(stochastic=True).result
    assert stuck.few_bits.accuracies[-1] < 0.7 < 0.9 < stochastic.few_bits.accuracies[-1]
    assert learned.few_bits.accuracies[-1] > 0.9
    assert learned.few_bits.losses[-1] < slow.few_bits.losses[-1] < stuck.few_bits.losses[-1]


def test_low_precision_training_says_when_it_diverges() -> None:
    panel = low_precision_training("digits").set(train=True, compute_bits=3, update_bits=0)
    assert panel.result.failed
    assert panel.words.startswith("Failed after ")
    assert panel.set(compute_bits=8).words.startswith("After 12 epochs")
