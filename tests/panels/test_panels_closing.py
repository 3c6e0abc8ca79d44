"""The panel of notebook 10: files of every combination, sorted, with the frontier that no smaller one beats."""

from itertools import pairwise

import pytest

from course_utils.panels.closing import CompressedNetwork, everything, reference_networks
from course_utils.panels.closing.everything import frontier, ordered, window


@pytest.fixture(scope="module")
def networks() -> list[CompressedNetwork]:
    return reference_networks("digits")


def test_the_panel_shows_and_sorts(networks: list[CompressedNetwork]) -> None:
    panel = everything("digits", networks=networks)
    before = len(panel.result.networks)
    panel.set(prune=True, share=True, coder=True)
    assert panel.result.finished
    assert len(panel.result.networks) == before  # it was trained already
    assert f"{panel.result.now.size:,} bytes" in panel.words
    sizes = [m.size for m in ordered(panel.set(order="size").result)]
    assert sizes == sorted(sizes)
    accuracies = [m.accuracy for m in ordered(panel.set(order="accuracy").result)]
    assert accuracies == sorted(accuracies, reverse=True)
    table = [text.get_text() for text in panel.figure.axes[1].texts]
    assert f"{max(accuracies):.1%}" in table
    panel.set(low_rank=True, prune=False, share=False)
    assert panel.set(binary=True).result.finished
    assert len(panel.result.networks) == before + 1


def test_the_frontier_is_what_no_smaller_network_beats(networks: list[CompressedNetwork]) -> None:
    front = frontier(networks)
    for network in networks:
        assert any(m.size <= network.size and m.accuracy >= network.accuracy for m in front)
    assert all(a.size < b.size and a.accuracy < b.accuracy for a, b in pairwise(front))


def test_the_table_keeps_the_present_network_in_view(networks: list[CompressedNetwork]) -> None:
    many = [m._replace(size=m.size + i) for i in range(4) for m in networks]
    for now in (many[0], many[11]):
        assert any(m.methods == now.methods for m in window(many, now))
