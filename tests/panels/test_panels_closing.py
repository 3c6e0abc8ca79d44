"""The panel of notebook 10: files of every combination, sorted, with the frontier that no smaller one beats."""

from dataclasses import replace
from itertools import pairwise

import pytest

from course_utils.experiments.classroom import classroom
from course_utils.panels.closing import Made, Methods, course_of, everything, make
from course_utils.panels.closing.methods import LABELS, steps
from course_utils.panels.closing.stack import frontier, ordered, window


@pytest.fixture(scope="module")
def made() -> list[Made]:
    return course_of("digits")


def test_every_method_makes_a_smaller_file_that_works(made: list[Made]) -> None:
    dense = made[0]
    assert str(dense.methods).startswith("no method")
    assert dense.ratio == pytest.approx(1, abs=0.01)
    assert len({m.methods for m in made}) == len(made) >= len(LABELS)
    for one in made[1:]:
        assert one.size < dense.size, one
        assert one.accuracy > 0.6, one
    together = next(m for m in made if m.methods == Methods(prune=True, share=True, coder=True))
    alone = [m for m in made if m.methods in (Methods(prune=True, coder=True), Methods(share=True, coder=True))]
    assert together.size < min(m.size for m in alone)


def test_the_same_methods_give_the_same_file_twice() -> None:
    methods = Methods(prune=True, quantize=True, coder=True)
    assert make("digits", methods) == make("digits", methods)


def test_all_methods_together_work_on_any_data_set() -> None:
    everything_on = replace(Methods(), **dict.fromkeys(LABELS, True))
    *before, last = steps(classroom("digits").subset(200), everything_on)
    assert len(before) >= 4
    assert last.size < before[0].size


def test_the_coder_changes_bytes_and_nothing_else() -> None:
    plain, coded = (make("digits", Methods(prune=True, share=True, coder=on)) for on in (False, True))
    assert plain.accuracy == coded.accuracy
    assert coded.size < plain.size


def test_the_panel_shows_and_sorts(made: list[Made]) -> None:
    panel = everything("digits", made=made)
    before = len(panel.result.made)
    panel.set(prune=True, share=True, coder=True)
    assert panel.result.finished
    assert len(panel.result.made) == before  # it was made already
    assert f"{panel.result.now.size:,} bytes" in panel.words
    sizes = [m.size for m in ordered(panel.set(order="size").result)]
    assert sizes == sorted(sizes)
    accuracies = [m.accuracy for m in ordered(panel.set(order="accuracy").result)]
    assert accuracies == sorted(accuracies, reverse=True)
    table = [text.get_text() for text in panel.figure.axes[1].texts]
    assert f"{max(accuracies):.1%}" in table
    panel.set(low_rank=True, prune=False, share=False)
    assert panel.set(binary=True).result.finished
    assert len(panel.result.made) == before + 1


def test_the_frontier_is_what_no_smaller_network_beats(made: list[Made]) -> None:
    front = frontier(made)
    for one in made:
        assert any(m.size <= one.size and m.accuracy >= one.accuracy for m in front)
    assert all(a.size < b.size and a.accuracy < b.accuracy for a, b in pairwise(front))


def test_the_table_keeps_the_present_network_in_view(made: list[Made]) -> None:
    many = [m._replace(size=m.size + i) for i in range(4) for m in made]
    for now in (many[0], many[11]):
        assert any(m.methods == now.methods for m in window(many, now))
