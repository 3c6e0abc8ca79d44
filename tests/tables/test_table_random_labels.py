"""The table of random labels, on small data of the same form."""

from pathlib import Path

import pytest
import torch

from course_utils.data import DataError, Dataset
from course_utils.data.corruption import random_labels as corrupt
from course_utils.models import mlp
from course_utils.tables import random_labels
from course_utils.tables.workbench import Section, Workbench
from course_utils.train.memorize import memorize


def stand_in(name: str, shape: tuple[int, ...], rows: int = 80, *, note: str = "patterns for a test") -> Dataset:
    g = torch.Generator().manual_seed(0)
    patterns = (torch.rand(10, *shape, generator=g) > 0.6).float()
    labels = torch.randint(10, (rows + 60,), generator=g)
    x = (0.8 * patterns[labels] + 0.2 * torch.rand(len(labels), *shape, generator=g)).clamp(0, 1)
    return Dataset(name, x[:rows], labels[:rows], x[rows:], labels[rows:], classes=10, note=note)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setattr(random_labels, "ROWS", {"quick": 40})
    monkeypatch.setattr(random_labels, "HIDDEN", [100])
    monkeypatch.setattr(random_labels, "TRAINING", {"optimizer": "adam", "lr": 0.02, "batch_size": 20})
    data = {
        "mnist": stand_in("mnist", (1, 6, 6)),
        "cifar10": stand_in("cifar10", (3, 4, 4), rows=0, note="a sample, test images only"),
    }
    return Workbench(
        tmp_path, table="random-labels", level="quick", seeds=(0,), device="cpu", progress=False, data=data, jobs=1
    )


def test_each_cell_is_the_value_of_its_record(bench: Workbench) -> None:
    parts = list(random_labels.run(bench))
    assert [part.name for part in parts] == ["mnist-shares", "mnist-kinds", "cifar10"]
    for part in parts[:2]:
        for row in part.rows:
            [result] = row.results
            assert list(row.cells[1:]) == [
                f"{result['epochs']}",
                f"{result['loss']:.4f}",
                f"{result['training error']:.2f}",
                f"{result['error']:.1f}",
                f"{result['seconds']:.0f}",
            ]
            assert 0 < result["epochs"] <= result["epochs in all"] < random_labels.EPOCHS
            assert result["loss"] < random_labels.LEARNT
    true, *_, random = parts[0].rows
    assert random.results[0]["epochs"] > true.results[0]["epochs"]
    assert random.results[0]["error"] > true.results[0]["error"]
    assert "patterns for a test" in parts[0].text
    assert "3 of 3 trainings fitted every row" in parts[0].remark


def test_a_record_is_what_the_training_gives(bench: Workbench) -> None:
    [result] = random_labels.measured(bench, "mnist")["labels", 0.5]
    data = corrupt(bench.dataset("mnist").subset(40, seed=0), 0.5, seed=0)
    settings = random_labels.TRAINING | {"epochs": result["epochs in all"]}
    *_, curves = memorize(lambda: mlp([36, 100, 10]), [data], device="cpu", **settings)
    assert float(curves.train_loss[0, -1]) == pytest.approx(result["loss"])
    assert 100 * float(curves.test_error[0, -1]) == pytest.approx(result["error"])
    assert result["parameters"] == 36 * 100 + 100 + 100 * 10 + 10


def test_a_second_run_measures_nothing(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list(random_labels.run(bench))
    monkeypatch.setattr(random_labels, "memorized", lambda *_, **__: pytest.fail("measured again"))
    random_labels.memorized.__name__ = "memorized"
    assert list(random_labels.run(bench)) == first


def test_a_sample_without_training_rows_and_missing_data_are_said(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "it takes 40 training rows" in random_labels.why_not_measured(bench, "cifar10")

    def none(name: str) -> Dataset:
        raise DataError(f"{name} is not here")

    monkeypatch.setattr(bench, "dataset", none)
    first: Section = next(iter(random_labels.run(bench)))
    assert first.rows == []
    assert "mnist is not here" in first.text


def test_a_training_that_fits_nothing_is_no_number(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_labels, "EPOCHS", 1)
    part = random_labels.shares(bench, "mnist", random_labels.measured(bench, "mnist"))
    assert [row.cells[1] for row in part.rows] == ["–"] * 3
    assert "0 of 3 trainings fitted every row" in part.remark
    assert "cannot all be compared" in part.remark
