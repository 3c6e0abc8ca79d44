"""The table of binary networks, on small data of the same form."""

import itertools
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from course_utils.data import Dataset
from course_utils.methods.binarize import BinaryLinear, BNNLinear, TernaryLinear, clip_, square_hinge_loss
from course_utils.tables import binary
from course_utils.tables.workbench import Section, Workbench
from course_utils.tables.workbench import bench as workbench
from course_utils.train import fit


def stand_in() -> Dataset:
    g = torch.Generator().manual_seed(0)
    patterns = (torch.rand(10, 1, 6, 6, generator=g) > 0.6).float()
    labels = torch.randint(10, (700,), generator=g)
    x = (0.6 * patterns[labels] + 0.4 * torch.rand(700, 1, 6, 6, generator=g)).clamp(0, 1)
    return Dataset("mnist", x[:500], labels[:500], x[500:], labels[500:], classes=10, note="patterns for a test")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    folder = tmp_path_factory.mktemp("binary")
    data = {"mnist": stand_in()}
    return Workbench(folder, table="binary", level="quick", seeds=(0,), device="cpu", progress=False, data=data, jobs=1)


@pytest.fixture(scope="module")
def parts(bench: Workbench) -> list[Section]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binary, "HIDDEN", {"quick": 24})
        patch.setattr(binary, "BATCH", 50)
        return list(binary.run(bench))


def test_the_published_errors_are_the_lectures(parts: list[Section]) -> None:
    published = {row.cells[0]: row.cells[1] for row in parts[0].rows if row.cells[1]}
    assert published == {
        "no regularizer": "1.30 ± 0.04",
        "BinaryConnect (det.)": "1.29 ± 0.08",
        "BinaryConnect (stoch.)": "1.18 ± 0.04",
        "50 % dropout": "1.01 ± 0.04",
        "maxout networks": "0.94",
        "deep L2-SVM": "0.87",
    }
    assert [bool(row.results) for row in parts[0].rows] == [True] * 6 + [False] * 2


def test_each_cell_is_the_value_of_its_record(parts: list[Section]) -> None:
    for row in parts[0].rows[:6]:
        [result] = row.results
        assert result.settings["kind"] == row.cells[0]
        assert list(row.cells[2:]) == [
            f"{result['error']:.2f}",
            f"{result['megabytes']:.2f}",
            f"{result['seconds'] / 60:.1f}",
            f"{binary.QUICK}",
        ]
        assert 0 <= result["error"] <= 100
    plain, tossed = parts[0].rows[0].results[0], parts[0].rows[2].results[0]
    assert plain["error"] < 10  # the patterns are learnt
    verdict = "no worse" if tossed["error"] <= plain["error"] else "worse"
    assert f"is {verdict} than" in parts[0].remark
    assert f"{tossed['error of the signs']:.2f} % errors" in parts[0].remark
    assert "patterns for a test" in parts[0].text
    assert "24 units" in parts[0].text


def test_a_second_run_measures_nothing(bench: Workbench, parts: list[Section], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "HIDDEN", {"quick": 24})
    monkeypatch.setattr(binary, "BATCH", 50)
    monkeypatch.setattr(workbench, "fit", lambda *_, **__: pytest.fail("trained again"))
    assert list(binary.run(bench)) == parts


def test_the_picture_shows_the_features_of_the_four(parts: list[Section]) -> None:
    figure = Figure(figsize=(8, 4.5))
    assert parts[1].draw is not None
    parts[1].draw(figure)
    assert [axes.get_title().replace("\n", " ") for axes in figure.axes] == [row.cells[0] for row in parts[1].rows]
    for axes, row in zip(figure.axes, parts[1].rows, strict=True):
        [image] = axes.images
        assert np.asarray(image.get_array())[:6, :6].ravel().tolist() == row.results[0]["features"][0]
        assert row.cells[1] == f"{row.results[0]['at the ends']:.1%}"


def test_each_network_has_the_weights_of_its_row() -> None:
    layers = {
        name: binary.linear_layers(binary.network(kind, features=36, hidden=8, classes=10))
        for name, kind in binary.KINDS.items()
    }
    assert {name: {type(layer) for layer in each} for name, each in layers.items()} == {
        "no regularizer": {nn.Linear},
        "BinaryConnect (det.)": {BinaryLinear},
        "BinaryConnect (stoch.)": {BinaryLinear},
        "50 % dropout": {nn.Linear},
        "ternary weights": {TernaryLinear},
        "binary weights and inputs": {BinaryLinear, BNNLinear},
    }
    assert [type(layer) for layer in layers["binary weights and inputs"]] == [BinaryLinear] + [BNNLinear] * 3
    assert all(layer.stochastic for layer in layers["BinaryConnect (stoch.)"])
    assert binary.weight_bytes(nn.Sequential(*layers["no regularizer"]), 1) == (36 * 8 + 2 * 64 + 80) / 8


def test_products_in_bfloat16_are_near_the_others() -> None:
    torch.manual_seed(0)
    model = binary.network(binary.KINDS["BinaryConnect (det.)"], features=36, hidden=64, classes=10)
    x = torch.rand(50, 1, 6, 6)
    logits = model(x)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, nn.Sequential(*model)(x), atol=0.05, rtol=0.05)


def test_the_factor_multiplies_the_step() -> None:
    start = [torch.ones(3), torch.ones(2)]
    parameters = [nn.Parameter(w.clone()) for w in start]
    optimizer = binary.GlorotAdam(parameters, lr=0.01, factors=[5.0, 1.0])
    for p in parameters:
        p.grad = torch.ones_like(p)
    optimizer.step()  # the first step of Adam is lr in the direction of the sign
    torch.testing.assert_close(parameters[0], start[0] - 0.05)
    torch.testing.assert_close(parameters[1], start[1] - 0.01)


def test_fit_resumes_with_the_factors(tmp_path: Path) -> None:
    def training(epochs: list[int]) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = binary.network(binary.KINDS["BinaryConnect (stoch.)"], features=36, hidden=8, classes=10)
        optimizer = partial(binary.GlorotAdam, factors=binary.glorot_factors(model))
        for number in epochs:
            fit(
                model,
                stand_in(),
                epochs=number,
                optimizer=optimizer,
                loss=square_hinge_loss,
                after_step=clip_,
                checkpoint=tmp_path / f"{len(epochs)}.pt",
                device="cpu",
                progress=False,
            )
        return [p.detach() for p in model.parameters()]

    for once, twice in itertools.zip_longest(training([2]), training([1, 2])):
        assert torch.equal(once, twice)


def test_renormalised_statistics_are_those_of_the_rows() -> None:
    torch.manual_seed(0)
    model = binary.network(binary.KINDS["BinaryConnect (stoch.)"], features=36, hidden=8, classes=10)
    x = stand_in().x_train
    binary.renormalise_(model, x)
    first = next(layer for layer in model if isinstance(layer, nn.BatchNorm1d))
    sums = x.flatten(1) @ binary.linear_layers(model)[0].weight.T  # eval mode: the real weights
    torch.testing.assert_close(first.running_mean, sums.mean(0), atol=0.01, rtol=0.01)
    torch.testing.assert_close(first.running_var, sums.var(0), atol=0.01, rtol=0.02)
    assert not model.training


def test_the_two_networks_that_are_compared_are_trained_more_than_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binary, "HIDDEN", {"full": 8})
    monkeypatch.setattr(binary, "KINDS", {name: replace(kind, epochs=1) for name, kind in binary.KINDS.items()})
    data = {"mnist": stand_in()}
    bench = Workbench(
        tmp_path, table="binary", level="full", seeds=(0, 1, 2), device="cpu", progress=False, data=data, jobs=1
    )
    errors, _ = binary.run(bench)
    seeds = {row.cells[0]: [result.settings["seed"] for result in row.results] for row in errors.rows if row.results}
    assert seeds == {name: [0, 1, 2] if name in (binary.PLAIN, binary.STOCHASTIC) else [0] for name in binary.KINDS}
    assert "One seed, but 3 of no regularizer and of BinaryConnect (stoch.)" in errors.text
    assert " ± " in errors.rows[0].cells[2]
