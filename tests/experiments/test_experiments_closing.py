"""The experiments of notebook 10: files of every combination of methods."""

from dataclasses import replace

import pytest

from course_utils.experiments.closing.methods import LABELS, Methods, make, reference_networks, steps
from course_utils.experiments.lesson import lesson_data


def test_every_method_makes_a_smaller_file_that_works() -> None:
    networks = reference_networks("digits")
    dense = networks[0]
    assert str(dense.methods).startswith("no method")
    assert dense.ratio == pytest.approx(1, abs=0.01)
    assert len({m.methods for m in networks}) == len(networks) >= len(LABELS)
    for network in networks[1:]:
        assert network.size < dense.size, network
        assert network.accuracy > 0.6, network
    together = next(m for m in networks if m.methods == Methods(prune=True, share=True, coder=True))
    alone = [m for m in networks if m.methods in (Methods(prune=True, coder=True), Methods(share=True, coder=True))]
    assert together.size < min(m.size for m in alone)


def test_the_same_methods_give_the_same_file_twice() -> None:
    methods = Methods(prune=True, quantize=True, coder=True)
    assert make("digits", methods) == make("digits", methods)


def test_all_methods_together_work_on_any_data_set() -> None:
    everything_on = replace(Methods(), **dict.fromkeys(LABELS, True))
    *before, last = (x for x in steps(lesson_data("digits").subset(200), everything_on) if x is not None)
    assert len(before) >= 4
    assert last.size < before[0].size


def test_the_coder_changes_bytes_and_nothing_else() -> None:
    plain, coded = (make("digits", Methods(prune=True, share=True, coder=on)) for on in (False, True))
    assert plain.accuracy == coded.accuracy
    assert coded.size < plain.size
