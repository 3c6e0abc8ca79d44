"""The table of sparse penalties, on small data and networks of the same form."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from torch import nn

from course_utils.data import DataError, Dataset
from course_utils.models import mlp
from course_utils.tables import group_sparse
from course_utils.tables.group_sparse import Task, choose, measured, path_points, regularized
from course_utils.tables.published import GROUP_SPARSE
from course_utils.tables.workbench import Result, Section, Workbench
from course_utils.train import fit

REAL = group_sparse.TASKS
TRAINING = {"epochs": 6, "batch_size": 16, "lr": 0.1}
LAMS = {"l2": (1e-3,), "l1": (1e-3,), "sparse_group": (1e-3, 3e-3)}
TASKS = {
    "sensorless": Task("SSD", [12, 10, 8, 6, 4], TRAINING, LAMS),
    "mnist": Task("MNIST", [16, 10, 8, 6, 4], TRAINING, LAMS, held_out=0.25, together=1),
    "covertype": Task("COVER", [9, 10, 8, 6, 4], TRAINING, LAMS),
}


def stand_in(name: str, features: int) -> Dataset:
    g = torch.Generator().manual_seed(features)
    centres = torch.randn(4, features, generator=g)
    y = torch.randint(4, (200,), generator=g)
    x = centres[y] + 0.3 * torch.randn(200, features, generator=g)
    return Dataset(name, x[:120], y[:120], x[120:], y[120:], classes=4, note="clouds for a test")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    data = {name: stand_in(name, task.sizes[0]) for name, task in TASKS.items()}
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_sparse, "TASKS", TASKS)
        yield Workbench(
            folder, table="group-sparse", level="full", seeds=(0, 1), device="cpu", progress=False, data=data, jobs=1
        )


@pytest.fixture(scope="module")
def parts(bench: Workbench) -> list[Section]:
    return list(group_sparse.run(bench))


def test_the_published_rows_are_the_lectures(parts: list[Section]) -> None:
    titles = ["SSD", "MNIST", "COVER"]
    assert [part.title for part in parts] == [t for title in titles for t in (f"{title}: the path of lambda", title)]
    for part, name in zip(parts[1::2], TASKS, strict=True):
        rows = {row.cells[0]: row.cells for row in part.rows if not row.results}
        for penalty, (accuracy, zeros, neurons) in GROUP_SPARSE[name].items():
            assert rows[f"published, {penalty}"] == [f"published, {penalty}", "", "", accuracy, zeros, "", neurons]
    assert GROUP_SPARSE["mnist"]["SG-L1"] == ("0.97", "0.96, about 1.0, 0.98, 0.48", "581.8, 44.7, 41.0, 60.6")


def test_each_cell_is_the_mean_of_its_records(parts: list[Section]) -> None:
    for path in parts[::2]:
        assert len(path.rows) == 4
        for row in path.rows:
            [result] = row.results
            assert result.settings["part"] == "held out"
            assert list(row.cells[2:4]) == [f"{result['accuracy']:.4f}", f"{result['share']:.4f}"]
    for part in parts[1::2]:
        rows = [row for row in part.rows if row.results]
        assert [len(row.results) for row in rows] == [2, 1, 2]  # one seed for the penalty that the lecture lacks
        for row in rows:
            assert {r.settings["part"] for r in row.results} == {"test"}
            assert row.cells[3].split(" ±")[0] == f"{mean(r['accuracy'] for r in row.results):.4f}"
            for cell, key in zip(row.cells[4:], ("sparsity", "zeros", "neurons"), strict=True):
                numbers = [float(number) for number in cell.split(", ")]
                for layer, number in enumerate(numbers):
                    assert number == pytest.approx(mean(r[key][layer] for r in row.results), abs=0.06)


def test_the_chosen_lambdas_are_those_of_the_table(parts: list[Section]) -> None:
    for path, part in zip(parts[::2], parts[1::2], strict=True):
        chosen = {row.cells[0]: row.cells[1] for row in path.rows if row.cells[-1] == "chosen"}
        assert {row.cells[0]: row.cells[1] for row in part.rows if row.results} == chosen


def test_the_path_never_sees_the_test_part(bench: Workbench, parts: list[Section], tmp_path: Path) -> None:
    other = {name: replace(data, y_test=(data.y_test + 1) % 4) for name, data in bench.data.items()}
    again = list(group_sparse.run(replace(bench, folder=tmp_path, data=other)))
    for number, (before, after) in enumerate(zip(parts, again, strict=True)):
        measured = [[row.cells for row in part.rows if row.results] for part in (before, after)]
        assert (measured[0] == measured[1]) == (number % 2 == 0)


def test_a_second_run_measures_nothing_again(bench: Workbench, parts: list[Section]) -> None:
    before = (bench.folder / "journal.jsonl").read_bytes()
    assert [str(part) for part in group_sparse.run(bench)] == [str(part) for part in parts]
    assert (bench.folder / "journal.jsonl").read_bytes() == before


def test_text_and_remark_say_what_the_data_are(parts: list[Section]) -> None:
    for part in parts[1::2]:
        assert "clouds for a test" in part.text
        assert "the accuracies cannot be compared" in part.remark
        assert "at least as sparse in" in part.remark
        assert part.draw is None
    assert {part.name for part in parts[::2]} == {"path-sensorless", "path-mnist", "path-covertype"}


def test_data_that_are_not_to_be_had_leave_the_published_rows(bench: Workbench, tmp_path: Path) -> None:
    class Without(Workbench):
        def dataset(self, name: str) -> Dataset:
            raise DataError("no internet")

    parts = list(group_sparse.run(Without(tmp_path)))
    assert [len(part.rows) for part in parts] == [2, 2, 2]
    assert all(part.text == "Not measured: no internet." for part in parts)


def result(penalty: str, lam: float, accuracy: float, share: float) -> Result:
    values = {"result": {"accuracy": accuracy, "share": share}, "CPU seconds": 1.0}
    return Result("a", {"settings": {"penalty": penalty, "lam": lam}, "values": values, "seconds": 1.0})


def test_the_rule_takes_the_sparsest_that_is_accurate_enough() -> None:
    path = [
        result("l2", 0.1, 0.98, 0.5),
        result("l2", 0.2, 0.979, 0.6),
        result("l2", 0.3, 0.96, 0.9),
        result("l1", 0.1, 0.975, 0.6),
        result("l1", 0.2, 0.971, 0.7),
        result("l1", 0.3, 0.969, 0.8),
        result("group", 0.1, 0.9, 0.1),
        result("group", 0.2, 0.8, 0.9),
    ]
    # No lambda of l2 reaches 0.99: one point below its best is enough.
    assert choose(path, l2=0.99, sparse_group=0.97) == {"l2": 0.2, "l1": 0.2, "group": 0.1}
    assert choose(path, l2=0.98, sparse_group=0.97)["l2"] == 0.1
    assert choose(path, l2=0.97, sparse_group=0.97)["l2"] == 0.2
    assert choose(path, l2=0.97, sparse_group=0.99)["l1"] == 0.2  # one point below the best of L2 is enough
    assert choose(path, l2=0.97, sparse_group=0.50)["group"] == 0.2


def test_zeros_and_neurons_are_counted() -> None:
    model = mlp([3, 2, 2])
    for parameter, values in zip(
        model.parameters(),
        ([[0.0, 0.5, 0.0], [0.0, 5e-4, 2e-3]], [0.0, 0.0], [[1.0, 0.0], [1.0, 0.0]], [9.0, 0.0]),
        strict=True,
    ):
        parameter.data = torch.tensor(values)
    x, y = torch.zeros(4, 3), torch.tensor([0, 0, 0, 1])
    result = measured(model, Dataset("a", x, y, x, y, classes=2))
    assert result == {
        "accuracy": 0.75,
        "sparsity": pytest.approx([4 / 6, 0.5]),
        "zeros": pytest.approx([0.5, 0.5]),
        "neurons": [2, 1],
        "share": pytest.approx(0.6),
    }


def test_l2_is_trained_by_adam_and_the_others_by_steps(parts: list[Section]) -> None:
    used = {
        (r.settings["penalty"], r.settings.get("optimizer", "sgd"))
        for p in parts
        for row in p.rows
        for r in row.results
    }
    assert used == {("l2", "adam"), ("l1", "sgd"), ("sparse_group", "sgd")}


def test_l2_is_weight_decay_of_twice_lambda() -> None:
    def trained(**settings: Any) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model: nn.Module = mlp([9, 6, 4])
        fit(model, stand_in("a", 9), epochs=2, optimizer="sgd", lr=0.05, device="cpu", progress=False, **settings)
        return list(model.parameters())

    by_decay = trained(**regularized(penalty="l2", lam=0.03))
    penalty = group_sparse.Regularizer("l2", lam=0.03)  # type: ignore[attr-defined]
    for a, b in zip(by_decay, trained(regularizer=penalty, method="gradient"), strict=True):
        torch.testing.assert_close(a, b)
    assert regularized(penalty="sparse_group", lam=0.1, l1_ratio=0.8)["regularizer"].l1_ratio == 0.8


def test_the_quick_level_has_the_lectures_penalties_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_sparse, "TASKS", REAL)
    for name in group_sparse.TASKS:
        quick, full = (path_points(Workbench(tmp_path, level=level), name) for level in ("quick", "full"))
        assert {point["penalty"] for point in quick} == {"l2", "sparse_group"}
        assert {point["penalty"] for point in full} == {"l2", "l1", "elastic_net", "group", "sparse_group"}
        assert quick[0]["epochs"] < full[0]["epochs"]
