"""The panels of notebook 03: torchvision's numbers, corrupted data, predicted weights, federated averaging."""

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
from course_utils.data.vision import import_torchvision
from course_utils.experiments.classroom import classroom, trained
from course_utils.methods.predict_parameters import pixel_coordinates, prediction_matrix, squared_exponential
from course_utils.models import count_parameters, mlp
from course_utils.panels.engine import Panel
from course_utils.panels.parameters import (
    CorruptedPath,
    PredictedPath,
    corrupted,
    corrupted_path,
    federated,
    networks,
    predicted,
    predicted_path,
    zoo,
)
from course_utils.panels.parameters.corrupted import SHARES as CORRUPTED_SHARES
from course_utils.panels.parameters.predicted import SHARES, matrix_of
from course_utils.panels.parameters.zoo import EIGHT_BITS, FAMILIES, chosen

DIGITS = classroom("digits").subset(200)


@pytest.fixture(scope="module")
def noise() -> CorruptedPath:
    return corrupted_path(DIGITS.subset(60), epochs=25)


@pytest.fixture(scope="module")
def kept() -> PredictedPath:
    return predicted_path("digits", epochs=2)


def test_the_networks_are_those_of_torchvision_with_their_real_sizes() -> None:
    models = import_torchvision().models
    found = {(n.name, n.weights): n for n in networks()}
    assert len(found) > 100
    for name in ("squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v2"):
        network = found[name, "IMAGENET1K_V1"]
        size = count_parameters(models.get_model(name, weights=None))
        assert network.parameters == pytest.approx(size / 1e6)
        assert network.megabytes == pytest.approx(4 * size / 1e6, rel=0.02)  # four bytes each, and little else
    resnet = found["resnet50", "IMAGENET1K_V1"]
    assert (resnet.top1, resnet.top5, resnet.gflops) == (76.13, 92.862, 4.089)
    assert found["resnet50 (8 bits)", "IMAGENET1K_FBGEMM_V1"].megabytes < resnet.megabytes / 3.9
    assert {n.family for n in networks()} == {*FAMILIES, EIGHT_BITS}


def test_zoo_says_which_smaller_network_is_as_good() -> None:
    panel = zoo()
    shown = chosen("first")
    names = [n.name for n in shown]
    assert len(set(names)) == len(names)
    assert next(n for n in shown if n.name == "resnet50").weights == "IMAGENET1K_V1"
    assert next(n for n in chosen("best") if n.name == "resnet50").weights == "IMAGENET1K_V2"
    for name in ("vgg16", "alexnet", "resnet152"):
        marked = next(n for n in shown if n.name == name)
        better = [n for n in shown if n.top1 >= marked.top1]
        least = min(better, key=lambda n: n.parameters)
        words = panel.set(network=names.index(name)).words
        assert f"{least.name} is as good with {marked.parameters / least.parameters:.1f} times fewer" in words
        assert f"{4 * marked.parameters:,.0f} MB at 32 bits" in words
    assert len(set(visit(panel))) >= 15


def test_the_frontier_of_the_zoo_holds_what_nothing_smaller_beats() -> None:
    panel = zoo()
    for x, y in product(("parameters", "gflops", "megabytes"), ("top1", "top5", "density")):
        scene = panel.set(x=x, y=y).result
        edge = line(panel, 0, "none with less is as good")
        on_edge = set(map(tuple, edge.tolist()))
        for n in scene.networks:
            a, b = getattr(n, x), getattr(n, y)
            beaten = any((getattr(m, x), -getattr(m, y)) < (a, -b) and getattr(m, y) >= b for m in scene.networks)
            assert ((a, b) in on_edge) == (not beaten), n.name


def test_names_in_the_zoo_never_lie_over_each_other() -> None:
    panel = zoo()
    for state in ({}, {"family": "RegNet"}, {"x": "parameters", "network": 3}, {"y": "density"}, {"weights": "best"}):
        panel.reset().set(**state)
        panel.figure.draw_without_rendering()
        renderer = panel.figure.canvas.get_renderer()  # type: ignore[attr-defined]
        texts = [t for t in panel.figure.axes[0].texts if t.get_visible() and t.get_text()]
        assert len(texts) >= 4
        boxes = [Text.get_window_extent(t, renderer) for t in texts]
        for one, other in combinations(boxes, 2):
            assert not one.overlaps(other), state
        frame = panel.figure.axes[0].get_window_extent()
        assert all(frame.x0 - 4 < b.x0 and b.x1 < frame.x1 + 4 for b in boxes)


def test_corrupted_curves_are_of_the_data_that_is_shown(noise: CorruptedPath) -> None:
    panel = corrupted(noise)
    assert len(set(visit(panel))) >= 6
    found = panel.set(share=1.0, kind="labels", hidden=256).result
    data = noise.data["labels", 1.0]
    np.testing.assert_allclose(
        line(panel, 2, "training rows")[:, 1], 100 * found.curves.train_error[found.number].numpy(), atol=1e-4
    )
    shown = [text.get_text() for text in panel.figure.axes[0].texts]
    for i, text in enumerate(shown):
        given, true = int(data.y_train[i]), int(noise.room.y_train[i])
        assert text == (f"{given}" if given == true else f"{given} (is {true})")
    assert any("is" in text for text in shown)
    first = noise.curves["labels", 8].train_error[:, 0]
    assert float(first.min()) > 0.5  # before any training
    assert noise.parameters[256] == count_parameters(mlp([64, 256, 10]))
    # the kinds agree where nothing is corrupted, and random pixels leave nothing to know about test rows
    for kind in ("shuffled", "random"):
        torch.testing.assert_close(noise.curves[kind, 256].train_loss[0], noise.curves["labels", 256].train_loss[0])
    assert float(noise.curves["random", 256].test_error[-1, -1]) > 0.7
    assert float(noise.curves["shuffled", 256].test_error[-1, -1]) < 0.4


def test_a_readers_corruption_drives_the_panel() -> None:
    seen = []

    def next_class(data: Dataset, share: float) -> Dataset:
        seen.append(share)
        rows = int(share * len(data.y_train))
        labels = data.y_train.clone()
        labels[:rows] = (labels[:rows] + 1) % 10
        return replace(data, y_train=labels)

    panel = corrupted(corrupted_path(DIGITS, corrupt=next_class, epochs=15)).set(share=1.0)
    assert seen == list(CORRUPTED_SHARES)
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


def test_predicted_features_are_the_matrix_times_the_kept_weights(kept: PredictedPath) -> None:
    panel = predicted(kept)
    weight = trained("digits")[1].weight.detach()
    np.testing.assert_array_equal(kept.whole, weight[kept.shown].numpy())
    for columns, share in ((1, 0.2), (10, 0.05)):
        now = kept.kept["near", columns, share]
        observed = [np.flatnonzero(row) for row in now.seen]
        assert len({tuple(places) for places in observed}) == (1 if columns == 1 else 10)
        kernel = squared_exponential(pixel_coordinates((8, 8)), width=1.0)
        for i in (0, 7, 19):
            places = torch.from_numpy(observed[i])
            expected = prediction_matrix(kernel, places) @ weight[kept.shown[i], places]
            np.testing.assert_allclose(now.before[i], expected.numpy(), atol=1e-4)
        assert now.weights == len(observed[0]) * 100
    np.testing.assert_array_equal(kept.kept["zero", 1, 0.3].before, kept.kept["zero", 1, 0.3].seen)
    assert len(set(visit(panel))) >= 7
    assert panel.set(share=0.2).result.share == 0.2
    after = line(panel, 3, "predicted, kept ones trained")
    np.testing.assert_allclose(after[:, 1], [100 * kept.kept["near", 1, s].right[1] for s in SHARES])
    assert kept.kept["data", 10, 0.2].right[1] > 0.85


def test_a_readers_prediction_drives_the_panel(kept: PredictedPath) -> None:
    def ridge(w: Tensor, known: Tensor, places: Tensor) -> Tensor:
        k, kk = (torch.exp(-(torch.cdist(a, known) ** 2) / 2) for a in (places, known))
        return w @ torch.linalg.solve(kk + 0.01 * torch.eye(len(known)), k.T)

    own = predicted_path("digits", predict=ridge, epochs=2)
    for columns, share in product((1, 10), SHARES):
        ours, theirs = kept.kept["near", columns, share], own.kept["own", columns, share]
        np.testing.assert_allclose(theirs.before, ours.before, atol=1e-3)
        assert theirs.right[0] == pytest.approx(ours.right[0], abs=0.01)
    panel = predicted(own)
    assert list(panel.controls["kind"].options.values()) == ["own"]  # type: ignore[attr-defined]
    assert len(set(visit(panel))) >= 5
    known, places = torch.rand(3, 2), torch.rand(5, 2)
    for wrong, message in (
        (lambda w, known, places: w, "weights of all pixels"),
        (lambda w, known, places: w.sum(1, keepdim=True).expand(-1, 5) ** 2, "linear in w"),
        (lambda w, known, places: w[:, :1].expand(-1, 5) / 0, "finite"),
        (lambda w, known, places: 1, "got int"),
    ):
        with pytest.raises(ValueError, match=message):
            matrix_of(wrong, known, places)


def ready(**arguments: object) -> Panel:
    return federated(DIGITS, **arguments)  # type: ignore[arg-type]


def test_federated_counts_and_learns() -> None:
    panel = ready()
    assert len(set(visit(panel))) >= 5
    start = panel.set(clients=20, split="sorted").result
    assert start.counts.shape == (20, 10)
    assert start.counts.sum() == 200
    assert (start.counts > 0).sum(1).max() <= 4
    result = panel.reset().set(train=True, bits=2, down=8, clients=5, epochs=5).result
    assert [r.number for r in result.few] == list(range(21))
    assert result.few[-1].accuracy > 0.7
    assert abs(result.few[-1].accuracy - result.full[-1].accuracy) < 0.1
    size = count_parameters(mlp([64, 64, 10]))
    assert result.full[-1].bytes_up == result.full[-1].bytes_down == 20 * 5 * 4 * size
    curve = line(panel, 2, "chosen bits")
    np.testing.assert_allclose(curve[:, 0], [(r.bytes_up + r.bytes_down) / 1e6 for r in result.few[1:]])
    same = panel.set(bits=32, down=32).result
    assert [r.accuracy for r in same.few] == [r.accuracy for r in same.full]


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
