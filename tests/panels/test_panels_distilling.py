"""The panels of notebook 08: softmax, twins that coincide without a teacher, biases against a search."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from panels import visit

from course_utils.experiments.distilling.left_out_class import LeftOutClass
from course_utils.experiments.lesson import lesson_data, measure_accuracy
from course_utils.methods.distill import distillation_loss
from course_utils.panels.distilling import left_out, live_training, softened, teacher
from course_utils.panels.distilling.left_out import LeftOutPicture


def test_the_teacher_is_good() -> None:
    assert measure_accuracy(teacher("digits"), lesson_data("digits")) > 0.95


def test_softened_is_the_softmax_at_t() -> None:
    panel = softened("digits").set(temperature=4, row=7)
    z = np.log(panel.result.hard.astype("f8"))
    expected = np.exp(z / 4) / np.exp(z / 4).sum()
    np.testing.assert_allclose(panel.result.soft, expected, atol=1e-5)
    assert len(set(visit(panel))) >= 6


def test_softened_takes_a_softmax_of_the_reader() -> None:
    panel = softened("digits", softmax=lambda z, T: torch.softmax(z / T, 1)).set(temperature=3)
    assert panel.words == softened("digits").set(temperature=3).words
    with pytest.raises(ValueError, match="add up to 1"):
        softened("digits", softmax=lambda z, T: torch.sigmoid(z))
    with pytest.raises(ValueError, match="like z"):
        softened("digits", softmax=lambda z, T: z[0])


def test_softened_says_what_is_less_than_rounding_leaves() -> None:
    p = torch.zeros(1, 10)
    p[0, 3], p[0, 8] = 1, 1e-22
    words = softened("digits", softmax=lambda z, T: p).words
    assert "3 with 1, 8 with less than 10⁻²⁰, " in words
    assert "is 0.00 bits" in words


def test_without_a_teacher_the_twins_coincide() -> None:
    panel = live_training("digits").set(train=True, alpha=0)
    assert panel.result.alone == panel.result.distilled
    assert len(panel.result.alone) == panel.result.epochs + 1
    pair = panel.set(alpha=0.9, rows=50).result
    assert pair.distilled != pair.alone
    assert len(set(visit(live_training("digits")))) >= 4


def test_live_training_takes_a_loss_of_the_reader() -> None:
    ours = live_training("digits").set(train=True, rows=50).result
    reader = live_training("digits", loss=distillation_loss).set(train=True, rows=50).result
    assert reader.distilled == ours.distilled
    with pytest.raises(ValueError, match="0-d tensor"):
        live_training("digits", loss=lambda a, b, y, *, temperature, alpha: a).set(train=True)


def test_the_bars_of_errors_fit_all_rows_of_the_largest_class() -> None:
    figure = Figure()
    labels = torch.tensor([0] * 200 + [1] * 20)
    LeftOutPicture(figure, 2).show(LeftOutClass(torch.zeros(220, 2), labels, label=0, shift=-1.0, best=0.0, epoch=0))
    best = next(line for line in figure.axes[0].lines if str(line.get_label()).startswith("best shift"))
    assert not len(best.get_xdata())  # it is searched when the training is over
    by_class = figure.axes[1]
    assert [bar.get_height() for bar in by_class.patches] == [200, 0]
    assert by_class.get_ylim()[1] > 200


def test_a_shift_brings_a_class_back() -> None:
    panel = left_out("digits").set(label=2, shift=0.0, temperature=4)
    result = panel.result
    total, on_class = result.errors(0.0)
    assert total == int((result.logits.argmax(1) != result.labels).sum())
    assert result.errors(result.best)[1] <= on_class
    assert result.errors(100.0)[0] == int((result.labels != 2).sum())
    assert "With the best shift" in panel.words
    assert panel.set(shift=2.0).result.logits.data_ptr() == result.logits.data_ptr()  # nothing is trained again
