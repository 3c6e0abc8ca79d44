"""Published networks against those that are built, corrupted data, predicted weights, federated averaging."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from course_utils.data.vision import import_torchvision
from course_utils.experiments.lesson import lesson_data, trained_network
from course_utils.experiments.parameters.corrupted import corrupted_path
from course_utils.experiments.parameters.federated import run_rounds
from course_utils.experiments.parameters.predicted import SHARES, matrix_of, predicted_path
from course_utils.experiments.parameters.published import EIGHT_BITS, FAMILIES, chosen, networks
from course_utils.methods.predict_parameters import pixel_coordinates, prediction_matrix, squared_exponential
from course_utils.models import count_parameters, mlp

DIGITS = lesson_data("digits").subset(200)


def test_the_networks_are_those_of_torchvision_with_their_real_sizes() -> None:
    models = import_torchvision().models
    published = {(n.name, n.weights): n for n in networks()}
    assert len(published) > 100
    for name in ("squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v2"):
        network = published[name, "IMAGENET1K_V1"]
        size = count_parameters(models.get_model(name, weights=None))
        assert network.parameters == pytest.approx(size / 1e6)
        assert network.megabytes == pytest.approx(4 * size / 1e6, rel=0.02)  # four bytes each, and little else
    resnet = published["resnet50", "IMAGENET1K_V1"]
    assert (resnet.top1, resnet.top5, resnet.gflops) == (76.13, 92.862, 4.089)
    assert published["resnet50 (8 bits)", "IMAGENET1K_FBGEMM_V1"].megabytes < resnet.megabytes / 3.9
    assert {n.family for n in networks()} == {*FAMILIES, EIGHT_BITS}


def test_each_name_is_chosen_once() -> None:
    first, best = ({n.name: n for n in chosen(which)} for which in ("first", "best"))
    assert len(first) == len(chosen("first")) == len(best)
    assert (first["resnet50"].weights, best["resnet50"].weights) == ("IMAGENET1K_V1", "IMAGENET1K_V2")


def test_corrupted_data_leave_less_to_generalize_from() -> None:
    path = corrupted_path(DIGITS.subset(60), epochs=25)
    assert float(path.curves["labels", 8].train_error[:, 0].min()) > 0.5  # before any training
    assert path.parameters[256] == count_parameters(mlp([64, 256, 10]))
    for kind in ("shuffled", "random"):  # the kinds agree where nothing is corrupted
        torch.testing.assert_close(path.curves[kind, 256].train_loss[0], path.curves["labels", 256].train_loss[0])
    assert float(path.curves["random", 256].test_error[-1, -1]) > 0.7
    assert float(path.curves["shuffled", 256].test_error[-1, -1]) < 0.4


def test_predicted_features_are_the_matrix_times_the_kept_weights() -> None:
    def ridge(w: Tensor, known: Tensor, places: Tensor) -> Tensor:
        k, kk = (torch.exp(-(torch.cdist(a, known) ** 2) / 2) for a in (places, known))
        return w @ torch.linalg.solve(kk + 0.01 * torch.eye(len(known)), k.T)

    path, ridge_path = predicted_path("digits", epochs=2), predicted_path("digits", predict=ridge, epochs=2)
    weight = trained_network("digits")[1].weight.detach()
    np.testing.assert_array_equal(path.features, weight[path.shown].numpy())
    kernel = squared_exponential(pixel_coordinates((8, 8)), width=1.0)
    for columns, share in ((1, 0.2), (10, 0.05)):
        prediction = path.predictions["near", columns, share]
        observed = [np.flatnonzero(row) for row in prediction.observed]
        assert len({tuple(places) for places in observed}) == (1 if columns == 1 else 10)
        for i in (0, 7, 19):
            places = torch.from_numpy(observed[i])
            expected = prediction_matrix(kernel, places) @ weight[path.shown[i], places]
            np.testing.assert_allclose(prediction.before[i], expected.numpy(), atol=1e-4)
        assert prediction.weights == len(observed[0]) * 100
    zero = path.predictions["zero", 1, 0.3]
    np.testing.assert_array_equal(zero.before, zero.observed)
    assert path.predictions["data", 10, 0.2].accuracy[1] > 0.85
    for columns, share in product((1, 10), SHARES):
        ours, theirs = path.predictions["near", columns, share], ridge_path.predictions["reader", columns, share]
        np.testing.assert_allclose(theirs.before, ours.before, atol=1e-3)
        assert theirs.accuracy[0] == pytest.approx(ours.accuracy[0], abs=0.01)


def test_a_readers_prediction_is_a_linear_map_to_all_pixels() -> None:
    known, places = torch.rand(3, 2), torch.rand(5, 2)
    for wrong, message in (
        (lambda w, known, places: w, "weights of all pixels"),
        (lambda w, known, places: w.sum(1, keepdim=True).expand(-1, 5) ** 2, "linear in w"),
        (lambda w, known, places: w[:, :1].expand(-1, 5) / 0, "finite"),
        (lambda w, known, places: 1, "got int"),
    ):
        with pytest.raises(ValueError, match=message):
            matrix_of(wrong, known, places)


def test_federated_averaging_counts_its_rows_and_bytes_and_learns() -> None:
    settings: dict[str, Any] = {"epochs": 5, "fraction": 1.0}
    start = next(run_rounds(DIGITS, clients=20, split="sorted", bits_up=4, bits_down=32, **settings))
    assert start.counts.shape == (20, 10)
    assert start.counts.sum() == 200
    assert (start.counts > 0).sum(1).max() <= 4
    *_, rounds = run_rounds(DIGITS, clients=5, split="even", bits_up=2, bits_down=8, **settings)
    assert [r.number for r in rounds.few] == list(range(21))
    assert rounds.few[-1].accuracy > 0.7
    assert abs(rounds.few[-1].accuracy - rounds.full[-1].accuracy) < 0.1
    size = count_parameters(mlp([64, 64, 10]))
    assert rounds.full[-1].bytes_up == rounds.full[-1].bytes_down == 20 * 5 * 4 * size
    *_, same = run_rounds(DIGITS, clients=5, split="even", bits_up=32, bits_down=32, **settings)
    assert [r.accuracy for r in same.few] == [r.accuracy for r in same.full]
