"""The panels of notebook 07: gaps of the lecture's example, codes against `HuffmanCode`, bytes against files."""

import math
from typing import Any

import numpy as np
import pytest
from panels import visit

from course_utils.coding.gaps import encode_gaps
from course_utils.coding.huffman import HuffmanCode
from course_utils.compress import Recipe, compress
from course_utils.experiments.lesson import lesson_data, measure_accuracy, trained_network
from course_utils.experiments.storage.network_file import before_and_after_retraining, write_and_measure
from course_utils.experiments.storage.pruning_path import ROUNDS, SPARSITIES
from course_utils.panels.storage import codebook, figure6, frontier, gaps, huffman_tree, pruning, pruning_path, stack


def test_pruning_removes_what_it_says() -> None:
    path = pruning_path(lesson_data("digits").subset(300), epochs=1)
    for (sparsity, _), weights in path.weights.items():
        zeros = sum(int((w == 0).sum()) for w in weights) / sum(w.size for w in weights)
        assert zeros == pytest.approx(sparsity, abs=1e-3)
    assert len(path.accuracy) == len(SPARSITIES) * len(ROUNDS)
    assert path.accuracy[0.9, 1] > path.accuracy[0.9, 0]
    panel = pruning(path).set(sparsity=0.9, rounds=1)
    assert f"accuracy {path.accuracy[0.9, 1]:.1%}," in panel.words
    assert len(set(visit(panel))) >= 6


@pytest.mark.parametrize("largest", [0.38, 0.58, 0.79, 1.0])
def test_the_labels_under_the_weights_lie_inside_the_picture(largest: float) -> None:
    path = pruning_path("digits")
    path.weights = {key: [w / np.abs(w).max() * largest for w in layers] for key, layers in path.weights.items()}
    panel = pruning(path)
    panel.png()
    axes = panel.figure.axes[0]
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert max(tick.get_loc() for tick in ticks) < high - 0.02
    assert min(tick.label1.get_window_extent().x0 for tick in ticks) >= 0


def test_gaps_are_those_of_the_lecture() -> None:
    panel = gaps()
    assert panel.result.gaps.tolist() == [1, 3, 8, 3]
    assert panel.result.fillers.tolist() == [False, False, True, False]
    assert panel.set(bits=2).result.gaps.tolist() == [1, 3, 4, 4, 3]
    panel.set(row="random", bits=3)
    random = panel.result
    assert (np.cumsum(random.gaps)[~random.fillers] == np.flatnonzero(random.mask)).all()
    assert len(set(visit(panel, row="random"))) >= 8


def test_gaps_take_a_coder_of_the_reader_and_say_what_is_wrong_with_it() -> None:
    assert gaps(encode=encode_gaps).result.gaps.tolist() == [1, 3, 8, 3]
    wrong = {
        "at most 8": lambda mask, *, bits: (np.diff(np.flatnonzero(mask), prepend=0), np.zeros(3, bool)),
        "must return a pair": lambda mask, *, bits: [1, 2],
        "of one length": lambda mask, *, bits: ([1, 3], [False]),
        "lead to the positions": lambda mask, *, bits: ([1, 3, 8], [False, False, False]),
    }
    for message, encode in wrong.items():
        with pytest.raises(ValueError, match=message):
            gaps(encode=encode)


def test_centroids_arrive_at_k_means() -> None:
    panel = codebook("digits").set(steps=40, size=4)
    assert panel.result.error == pytest.approx(panel.result.best_error, rel=0.05)
    errors = [panel.set(steps=n).result.error for n in (0, 1, 2, 5, 40)]
    assert errors == sorted(errors, reverse=True)
    assert len(set(visit(panel))) >= 8


def test_the_tree_is_a_huffman_code() -> None:
    panel = huffman_tree()
    for values in ({"skew": 0.0}, {"skew": 1.0}, {"source": "text", "text": "abracadabra"}):
        tree = panel.set(**values).result
        counts = np.array(tree.counts)
        assert tree.mean * counts.sum() == pytest.approx(HuffmanCode.from_counts(counts).bits(counts))
        assert tree.entropy <= tree.mean + 1e-9 < tree.entropy + 1
        words = tree.words
        assert not any(a != b and b.startswith(a) for a in words for b in words)
    with pytest.raises(ValueError, match="two letters"):
        panel.set(text="a")
    assert len(set(visit(huffman_tree()))) >= 4


def test_the_words_count_the_letters_that_find_no_room_in_the_tree() -> None:
    panel = huffman_tree().set(source="text", text="the quick brown fox jumps over the lazy dog")
    assert panel.words.startswith(
        "Of the text only the 16 most frequent of 27 letters, 32 of 43 characters: 16 symbols in 15 merges: "
    )
    assert panel.set(text="aaa").words.startswith("1 symbol in 0 merges: ")
    assert panel.set(text="aab").words.startswith("2 symbols in 1 merge: ")


def test_the_tree_of_a_readers_lengths() -> None:
    def shannon(counts: list[int]) -> list[int]:
        return [math.ceil(-math.log2(n / sum(counts))) for n in counts]

    panel = huffman_tree(lengths=shannon)
    assert panel.result.entropy <= panel.result.mean <= panel.result.entropy + 1
    with pytest.raises(ValueError, match="no prefix code"):
        huffman_tree(lengths=lambda counts: [1] * len(counts))
    with pytest.raises(ValueError, match="8 numbers"):
        huffman_tree(lengths=lambda counts: [1, 2])


def test_the_stack_writes_the_file_that_it_shows() -> None:
    data, model = lesson_data("digits"), trained_network("digits")
    panel = stack("digits").set(prune=False, share=True, levels=4, coder="none")
    recipe = Recipe(levels=4, entropy=None, init="exact", share_epochs=2, share_lr=5e-4, batch_size=64, lr=2e-3)
    small = compress(model, recipe, data=data, progress=False, device="cpu")
    assert panel.result.size == small.report().size == pytest.approx(sum(panel.result.by_kind.values()))
    assert panel.result.accuracy == measure_accuracy(small.to_model(), data)
    with pytest.raises(ValueError, match="need shared values"):
        panel.set(coder="mixed", share=False)
    assert len(set(visit(stack("digits")))) >= 8


@pytest.mark.parametrize("settings", [{"prune": 0.9, "levels": 8}, {"prune": None, "levels": 4}])
def test_the_stack_retrains_with_pauses_to_the_same_file(settings: dict[str, Any]) -> None:
    data, model = lesson_data("digits").subset(300), trained_network("digits")
    results = list(before_and_after_retraining(model, data, entropy="huffman", **settings))
    before, after = (file for file in results if file is not None)
    recipe: dict[str, Any] = settings | {"init": "exact"}
    assert before == write_and_measure(model, Recipe(**recipe), data)
    recipe |= {"prune_epochs": 4 if settings["prune"] else 0, "share_epochs": 2, "lr": 2e-3, "share_lr": 5e-4}
    assert after == write_and_measure(model, Recipe(**recipe, batch_size=64), data)
    assert results.count(None) > recipe["prune_epochs"] + recipe["share_epochs"]  # a turn for others after each epoch


def test_figure_6_is_made_of_files() -> None:
    networks = frontier("digits")
    for points in networks.series.values():
        sizes = [point.size for point in points]
        assert sizes == sorted(sizes, reverse=True)
    together, alone = networks.series["pruning and sharing"][3], networks.series["pruning"][3]
    assert together.size < alone.size
    panel = figure6(networks).set(series="pruning and sharing", number=4)
    assert f"{together.size:,} bytes" in panel.words
    assert len(set(visit(panel))) >= 6
