"""The panel of measured tables: each published number in its place on the scale, and the tolerance."""

import numpy as np
import pytest

from course_utils.panels.engine.widget import View
from course_utils.panels.tables import reproduced
from course_utils.panels.tables.reproduced import ENDS, LINES, inside, near
from course_utils.tables.measured import Claim, measured_tables

TABLES = measured_tables()
PARTS = [(name, part) for name, table in TABLES.items() for part in table.parts if part.claims]


def test_a_claim_is_reached_when_it_is_as_good_as_printed() -> None:
    as_good = Claim("error", "%", "1.30", [1.304], 0.0)
    assert as_good.reached  # printed it would be 1.30
    assert not Claim("error", "%", "1.30", [1.31], 0.0).reached
    assert Claim("accuracy", "%", "98.4", [98.36, 98.44], 100.0).reached
    assert not Claim("accuracy", "%", "98.4", [98.2], 100.0).reached
    assert Claim("rounds", "", "87", [80.0, 99.0], 0.0).in_spread
    assert not Claim("rounds", "", "87", [98.0, 99.0], 0.0).in_spread
    assert not as_good.in_spread  # one seed has no spread


def test_times_is_a_multiple_of_what_is_left_to_the_best() -> None:
    assert Claim("error", "%", "1.0", [2.0], 0.0).times(2.0) == pytest.approx(2)
    assert Claim("zeros", "share", "0.96", [0.98], 1.0).times(0.98) == pytest.approx(0.5)


def test_a_better_number_is_near_at_any_tolerance() -> None:
    claim = Claim("error", "%", "1.00", [0.2], 0.0)
    assert near(claim, 0.0)
    worse = Claim("error", "%", "1.00", [1.15], 0.0)
    assert [near(worse, t) for t in (0.0, 0.1, 0.2)] == [False, False, True]


@pytest.mark.parametrize(("name", "part"), PARTS, ids=lambda value: getattr(value, "name", value))
def test_every_number_has_its_row(name: str, part: object) -> None:
    panel = reproduced(name, part.name)  # type: ignore[attr-defined]
    claims = part.claims  # type: ignore[attr-defined]
    assert len(claims) <= LINES
    assert panel.result.claims == list(claims)
    (axes,) = panel.figure.axes
    drawn = {
        round(float(y)): float(x)
        for line in axes.lines
        if line.get_marker() in "oDs"
        for x, y in zip(*line.get_data(), strict=True)
    }
    assert {i: inside(c.times(c.value)) for i, c in enumerate(claims)} == pytest.approx(drawn)
    assert all(ENDS[0] <= x <= ENDS[1] for x in drawn.values())
    written = [text.get_text() for text in axes.texts]
    assert all(c.published in written for c in claims)
    assert f"{len(claims)} published numbers" in panel.words


def test_the_tolerance_moves_rows_from_far_to_near() -> None:
    panel = reproduced("group-sparse", "mnist")
    fair = [c for c in panel.result.claims if not c.note]
    for tolerance in (0, 20, 50):
        panel.set(tolerance=tolerance)
        close = sum(c.reached or c.times(c.value) <= 1 + tolerance / 100 for c in fair)
        assert f"{close} within {tolerance}%" in panel.words
    times = [c.times(c.value) for c in panel.set(order="farthest").result.claims]
    factors = [max(t, 1 / t) for t in times]
    assert factors == sorted(factors, reverse=True)


def test_a_table_without_published_numbers_is_refused_with_those_that_have_some() -> None:
    with pytest.raises(ValueError, match="table must be one of .*'group-sparse', .*; got 'shallow'"):
        reproduced("shallow")
    with pytest.raises(ValueError, match="part must be one of 'sensorless', 'mnist', 'covertype'; got 'susy'"):
        reproduced("group-sparse", "susy")


def test_the_farthest_is_named_only_where_there_is_one() -> None:
    assert "None is worse." in reproduced("activations").words
    assert "The worst: 50 % dropout" in reproduced("binary").words


@pytest.mark.parametrize("width", [360, 700, 960, 1400])
def test_each_point_lies_in_the_row_of_its_name_and_under_no_words(width: int) -> None:
    panel = reproduced("group-sparse", "mnist")
    panel._see(View(1, width))
    (axes,) = panel.figure.axes
    lines = axes.transData.transform([(1, y) for y in axes.get_yticks()])[:, 1]
    words = [text for text in axes.texts if text.get_text() and text.get_fontweight() != "bold"]
    boxes = [text.get_window_extent() for text in words]
    points = [
        (x, y)
        for line in axes.lines
        if line.get_marker() not in ("None", "|")
        for x, y in axes.transData.transform(np.column_stack(line.get_data()))
    ]
    assert (len(words), len(points)) == (30, 10)
    for row, text in enumerate(words):
        box = boxes[row]
        own = row % 10  # ten names, then ten numbers, and ten more
        assert lines[own] > box.y1 - 1, text.get_text()
        assert lines[own + 1] < box.y0 + 1, text.get_text()
    for x, y in points:
        assert not any(box.x0 < x < box.x1 and box.y0 < y < box.y1 for box in boxes)
    assert all(sum(lines[row] > y > lines[row + 1] for _, y in points) == 1 for row in range(10))
