"""The panels of notebook 02: they draw what the miniatures compute, and take functions of a reader."""

import numpy as np
import pytest
import torch
from miniatures import few_digits, trained_classifiers, trained_spellers, trained_translators
from panels import line, visit

from course_utils.experiments.applications.speller import LETTERS
from course_utils.panels import applications
from course_utils.panels.applications import (
    captions,
    classification,
    depth,
    giants,
    imagenet,
    live_agent,
    live_captions,
    translation,
)
from course_utils.panels.applications.imagenet import ERRORS


def test_what_the_notebook_uses_is_there() -> None:
    assert all(callable(getattr(applications, name)) for name in applications.__all__)


def test_imagenet_marks_as_many_pictures_as_were_wrong() -> None:
    panel = imagenet()
    assert len(set(visit(panel))) >= 4
    wrong = {}
    for year, error in ERRORS.items():
        result = panel.set(year=year).result
        assert result.wrong.sum() == round(10 * error)
        wrong[year] = result.wrong
    assert not (wrong[2015] & ~wrong[2010]).any()  # a picture that is right in a bad year is right in a good one
    trend = panel.set(trend=True, year=2015).result.trend
    np.testing.assert_allclose(trend[1:] / trend[:-1], 26 / 28)
    np.testing.assert_allclose(line(panel, 0, "the trend of 2010 to 2011")[:, 1], trend)
    assert "would be 19.3 %" in panel.words


def test_the_classification_panel_shows_its_pictures() -> None:
    panel = classification(trained_classifiers())
    assert len(set(visit(panel))) >= 8
    assert "wrong" not in panel.set(order="wrong", width=1).words.split(":")[0]
    assert panel.result.label not in panel.result.guesses
    assert panel.words.startswith(f"Picture 1 of {panel.result.wrong}")
    assert panel.result.p.sum() == pytest.approx(1, abs=1e-5)
    doubts = [panel.set(order="doubt", picture=i).result.p.max() for i in (1, 5, 20)]
    assert doubts == sorted(doubts)


def test_captions_take_a_rule_of_the_reader() -> None:
    captioned = trained_spellers()
    panel = captions(captioned)
    assert len(set(visit(panel, picture=1))) >= 8
    highest = captions(captioned, choose=lambda p: p.argmax())
    assert highest.words == panel.words
    in_place = captions(captioned, choose=lambda p: p.neg_().argmin())
    torch.testing.assert_close(in_place.result.p, highest.result.p)
    always_o = captions(captioned, choose=lambda p: LETTERS.index("o"))
    assert "“oooooo”" in always_o.words
    assert "100.0% are no name" in always_o.words
    first, second = (panel.set(rule="draw", again=i, state=16).result.accuracy for i in (1, 2))
    assert first != second
    assert panel.set(again=1).result.accuracy == first
    for wrong in (lambda p: 99, lambda p: "e", lambda p: p):
        with pytest.raises(ValueError, match="number of a letter"):
            captions(captioned, choose=wrong)


def test_live_captions_learn() -> None:
    panel = live_captions(few_digits())
    assert len(set(visit(panel))) >= 4
    panel.set(train=True)
    assert panel.result.accuracy[-1] > 0.7 > panel.result.accuracy[0]
    assert len(panel.result.accuracy) == 16
    assert line(panel, 10, "correct name")[-1, 1] == panel.result.accuracy[-1]


def test_translation_takes_a_function_of_the_reader() -> None:
    translated = trained_translators()
    panel = translation(translated)
    assert len(set(visit(panel, amount=0.5))) >= 8
    assert panel.set(amount=1.0).result.edges.sum() == 0
    erased = translation(translated, corrupt=lambda edges, amount: torch.zeros_like(edges))
    assert erased.set(amount=1.0).result.errors == panel.result.errors
    same = translation(translated, corrupt=lambda edges, amount: edges)
    assert same.result.accuracy == panel.reset().result.accuracy
    with pytest.raises(ValueError, match="like edges, got float"):
        translation(translated, corrupt=lambda edges, amount: 0.5)
    with pytest.raises(ValueError, match="finite"):
        translation(translated, corrupt=lambda edges, amount: edges / 0)


@pytest.mark.slow
def test_the_agents_panel_takes_functions_of_the_reader() -> None:
    panel = live_agent()
    assert len(set(visit(panel))) >= 4
    assert panel.set(train=False, gamma=0.8).result.best == pytest.approx(0.24)
    paid = live_agent(reward=lambda kind, row, column: 0.2 if kind == "floor" else 1.0).set(train=True)
    assert paid.result.best == pytest.approx(2.0)
    assert "leads nowhere" in paid.words
    assert "last" not in live_agent(epsilon=lambda share: 1 - share).controls
    with pytest.raises(ValueError, match="finite number for each cell"):
        live_agent(reward=lambda kind, row, column: None)


def test_giants_fit_where_their_bytes_do() -> None:
    panel = giants(classified=trained_classifiers(), captioned=trained_spellers(), translated=trained_translators())
    assert len(set(visit(panel))) >= 5
    result = panel.set(bits=1, room=10e6).result
    by_name = dict(zip([n.name for n in result.networks], result.bytes, strict=True))
    assert by_name["VGG16 (2014)"] == 138357544 / 8 > 10e6 > by_name["AlexNet (2012)"]
    texts = [text.get_text() for text in panel.figure.axes[0].texts]
    assert sum("✓" in text for text in texts) == int((result.bytes <= 10e6).sum())
    assert panel.set(room=80e9, bits=2).result.bytes.max() < 80e9 < panel.set(bits=4).result.bytes.max()


def test_depth_at_every_control() -> None:
    assert len(set(visit(depth("digits")))) >= 5
