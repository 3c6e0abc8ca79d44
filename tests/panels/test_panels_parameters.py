"""The panels of notebook 03: they draw what was trained or published, and take functions of a reader."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from panels import line, visit
from torch import Tensor

from course_utils._support.unwritten import unwritten
from course_utils.data import Dataset
from course_utils.experiments.lesson import lesson_data
from course_utils.experiments.parameters.corrupted import SHARES as CORRUPTED_SHARES
from course_utils.experiments.parameters.predicted import SHARES, matrix_of
from course_utils.experiments.parameters.published import chosen
from course_utils.panels.engine import Panel
from course_utils.panels.engine.widget import View
from course_utils.panels.parameters import (
    CorruptedPath,
    PredictedPath,
    corrupted,
    corrupted_path,
    federated,
    predicted,
    predicted_path,
    zoo,
)

DIGITS = lesson_data("digits").subset(200)


@pytest.fixture(scope="module")
def noise() -> CorruptedPath:
    return corrupted_path(DIGITS.subset(60), epochs=25)


@pytest.fixture(scope="module")
def digits_path() -> PredictedPath:
    return predicted_path("digits", epochs=2)


def test_zoo_says_which_smaller_network_is_as_good() -> None:
    panel = zoo()
    shown = chosen("first")
    names = [n.name for n in shown]
    for name in ("vgg16", "alexnet", "resnet152"):
        marked = next(n for n in shown if n.name == name)
        better = [n for n in shown if n.top1 >= marked.top1]
        smallest = min(better, key=lambda n: n.parameters)
        words = panel.set(network=names.index(name)).words
        assert f"{smallest.name} is as good with {marked.parameters / smallest.parameters:.1f} times fewer" in words
        assert f"{4 * marked.parameters:,.0f} MB at 32 bits" in words
    assert len(set(visit(panel))) >= 15


def test_the_frontier_of_the_zoo_holds_what_nothing_smaller_beats() -> None:
    panel = zoo()
    for x, y in product(("parameters", "gflops", "megabytes"), ("top1", "top5", "density")):
        scene = panel.set(x=x, y=y).result
        edge = line(panel, 0, "Pareto frontier")
        on_edge = set(map(tuple, edge.tolist()))
        for n in scene.networks:
            a, b = getattr(n, x), getattr(n, y)
            beaten = any((getattr(m, x), -getattr(m, y)) < (a, -b) and getattr(m, y) >= b for m in scene.networks)
            assert ((a, b) in on_edge) == (not beaten), n.name


@pytest.mark.parametrize("width", [360, 480, 700])
def test_names_in_a_narrow_zoo_are_apart(width: int) -> None:
    panel = zoo()
    panel._see(View(1, width))
    panel.set(family="VGG")
    panel.png()
    boxes = [text.get_window_extent() for text in panel.figure.axes[0].texts if text.get_visible()]
    assert len(boxes) > 1
    assert [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)] == []


def test_names_in_the_zoo_never_lie_over_each_other() -> None:
    panel = zoo()
    for state in ({}, {"family": "RegNet"}, {"x": "parameters", "network": 3}, {"y": "density"}, {"weights": "best"}):
        panel.reset().set(**state)
        panel.figure.draw_without_rendering()
        renderer = panel.figure.canvas.get_renderer()  # type: ignore[attr-defined]
        texts = [t for t in panel.figure.axes[0].texts if t.get_visible() and t.get_text()]
        assert len(texts) >= 4
        boxes = [Text.get_window_extent(t, renderer) for t in texts]
        for first, second in combinations(boxes, 2):
            assert not first.overlaps(second), state
        frame = panel.figure.axes[0].get_window_extent()
        assert all(frame.x0 - 4 < b.x0 and b.x1 < frame.x1 + 4 for b in boxes)


def test_corrupted_curves_are_of_the_data_that_is_shown(noise: CorruptedPath) -> None:
    panel = corrupted(noise)
    assert len(set(visit(panel))) >= 6
    result = panel.set(share=1.0, kind="labels", hidden=256).result
    data = noise.data["labels", 1.0]
    np.testing.assert_allclose(
        line(panel, 2, "training rows")[:, 1], 100 * result.curves.train_error[result.number].numpy(), atol=1e-4
    )
    shown = [text.get_text() for text in panel.figure.axes[0].texts]
    for i, text in enumerate(shown):
        given, true = int(data.y_train[i]), int(noise.clean.y_train[i])
        assert text == (f"{given}" if given == true else f"{given} (is {true})")
    assert any("is" in text for text in shown)


def test_a_readers_corruption_drives_the_panel() -> None:
    shares = []

    def next_class(data: Dataset, share: float) -> Dataset:
        shares.append(share)
        rows = int(share * len(data.y_train))
        labels = data.y_train.clone()
        labels[:rows] = (labels[:rows] + 1) % 10
        return replace(data, y_train=labels)

    panel = corrupted(corrupted_path(DIGITS, corrupt=next_class, epochs=15)).set(share=1.0)
    assert shares == list(CORRUPTED_SHARES)
    curves = panel.result.curves
    assert float(curves.test_error[-1, -1]) > 0.95  # a rule, by other names
    assert float(curves.train_error[-1, -1]) < 0.05
    assert "corrupted by your function" in panel.words
    for wrong, message in (
        (lambda data, share: data.y_train, "must return a data set, got Tensor"),
        (lambda data, share: data.subset(5), "must keep the shapes"),
        (lambda data, share: replace(data, y_train=data.y_train + 3), "from 0 to 9"),
    ):
        with pytest.raises(ValueError, match=message):
            corrupted(DIGITS, corrupt=wrong)


def test_a_corruption_in_place_leaves_the_data_as_they_were() -> None:
    def darken(data: Dataset, share: float) -> Dataset:
        data.x_train.mul_(1 - share)
        data.x_test.mul_(1 - share)
        data.y_test.zero_()
        return data

    data = DIGITS.subset(20)
    before = data.checksum
    path = corrupted_path(data, corrupt=darken, epochs=1)
    assert replace(data).checksum == before
    for share in CORRUPTED_SHARES:
        torch.testing.assert_close(path.data["reader", share].x_train, path.clean.x_train * (1 - share))


def test_the_predicted_panel_draws_the_accuracies_of_its_path(digits_path: PredictedPath) -> None:
    panel = predicted(digits_path)
    assert len(set(visit(panel))) >= 7
    assert panel.set(share=0.2).result.share == 0.2
    after = line(panel, 3, "kept weights trained")
    np.testing.assert_allclose(after[:, 1], [100 * digits_path.predictions["near", 1, s].accuracy[1] for s in SHARES])


def test_a_readers_prediction_drives_the_panel() -> None:
    def nearest(w: Tensor, known: Tensor, places: Tensor) -> Tensor:
        return w[:, torch.cdist(places, known).argmin(1)]

    panel = predicted(DIGITS, predict=nearest)
    assert list(panel.controls["kind"].options.values()) == ["reader"]  # type: ignore[attr-defined]
    assert len(set(visit(panel))) >= 5


def test_a_prediction_in_place_is_the_same() -> None:
    def mean(w: Tensor, known: Tensor, places: Tensor) -> Tensor:
        return w.div_(len(known)).sum(1, keepdim=True).expand(-1, len(places))

    known, places = torch.rand(5, 2), torch.rand(9, 2)
    torch.testing.assert_close(matrix_of(mean, known, places), torch.full((9, 5), 0.2))


def ready(**arguments: object) -> Panel:
    return federated(DIGITS, **arguments)  # type: ignore[arg-type]


def test_federated_draws_the_accuracy_over_the_megabytes() -> None:
    panel = ready()
    assert len(set(visit(panel))) >= 5
    result = panel.set(train=True, bits=2, down=8, clients=5).result
    curve = line(panel, 2, "chosen bits")
    np.testing.assert_allclose(curve[:, 0], [(r.bytes_up + r.bytes_down) / 1e6 for r in result.few[1:]])
    np.testing.assert_allclose(curve[:, 1], [100 * r.accuracy for r in result.few[1:]])


def test_all_that_is_sent_lies_within_the_axis_of_megabytes() -> None:
    panel = ready().set(train=True, bits=1, clients=5, fraction=0.2)
    start, end = panel.figure.axes[2].get_xlim()
    least = line(panel, 2, "chosen bits")[0, 0]
    assert start < least
    round_of_all = 2 * 50 * panel.result.full[1].bytes_up / 1e6  # one client has sent once
    assert 20 * round_of_all < end


def test_a_readers_compression_drives_the_panel() -> None:
    asked = set()

    def silence(update: Tensor, bits: int) -> Tensor:
        asked.add(bits)
        return torch.zeros_like(update)

    panel = ready(compress=silence).set(train=True, bits=8, clients=5)
    assert asked == {8}
    assert len({r.accuracy for r in panel.result.few}) == 1
    assert panel.result.full[-1].accuracy > panel.result.few[-1].accuracy
    with pytest.raises(ValueError, match="the update's shape"):
        ready(compress=lambda update, bits: update[:1]).set(train=True)


def test_corrupted_waits_for_a_function_that_is_still_to_be_written() -> None:
    def mine(data: Dataset, share: float) -> Dataset:
        raise NotImplementedError()

    panel = corrupted(DIGITS.subset(20), corrupt=mine)
    assert unwritten(panel.error) == "mine"
    assert not panel.controls
