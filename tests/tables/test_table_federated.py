"""The table of federated averaging, on small data of the same form."""

from pathlib import Path

import pytest
import torch

from course_utils.data import Dataset
from course_utils.models import mlp
from course_utils.tables import federated as table
from course_utils.tables.published import FEDERATED
from course_utils.tables.workbench import Workbench
from course_utils.train.federated import federated_averaging, message_bytes, split_evenly


def stand_in() -> Dataset:
    g = torch.Generator().manual_seed(0)
    patterns = (torch.rand(10, 1, 6, 6, generator=g) > 0.6).float()
    labels = torch.randint(10, (300,), generator=g)
    x = (0.8 * patterns[labels] + 0.2 * torch.rand(300, 1, 6, 6, generator=g)).clamp(0, 1)
    return Dataset("mnist", x[:200], labels[:200], x[200:], labels[200:], classes=10, note="patterns for a test")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    most = {("even", 1): 30, ("even", 5): 10, ("sorted", 1): 2}
    monkeypatch.setattr(table, "HIDDEN", [20])
    monkeypatch.setattr(table, "CLIENTS", 10)
    monkeypatch.setattr(table, "LR", {"even": 0.1, "sorted": 0.1})
    monkeypatch.setattr(table, "FRACTION", 0.5)
    monkeypatch.setattr(table, "ROUNDS", {"full": most})
    monkeypatch.setattr(table, "TARGET", {"full": 0.9})
    monkeypatch.setattr(table, "BITS", {"full": ((32, 32), (1, 4))})
    monkeypatch.setattr(table, "BITS_ROUNDS", {"full": 3})
    return Workbench(
        tmp_path,
        table="federated",
        level="full",
        seeds=(0, 1),
        device="cpu",
        progress=False,
        data={"mnist": stand_in()},
        jobs=1,
    )


def test_each_cell_is_the_value_of_its_records(bench: Workbench) -> None:
    rounds, bits = table.run(bench)
    even, published, more, sorted_, published_sorted = rounds.rows
    for row in (even, more):
        assert len(row.results) == 2
        for result in row.results:
            path = result["path"]
            assert result["reached"] == len(path) - 1 == next(i for i, a in enumerate(path) if a >= 90)
        first, second = (result["reached"] for result in row.results)
        assert row.cells[3].startswith(f"{(first + second) / 2:.0f} ±")
    assert sorted_.cells[3].startswith("over 2 (")
    assert "not reached in the rounds allowed: sorted, 1 local" in rounds.remark
    assert [row.cells[3] for row in (published, published_sorted)] == ["87", "664"]
    assert not published.results
    for row in bits.rows:
        [result] = row.results
        up, down, accuracy, *megabytes, _ = row.cells
        assert (up, down) == (f"{result.settings['bits_up']}", f"{result.settings['bits_down']}")
        assert accuracy == f"{result['accuracy']:.2f}"
        assert megabytes[:2] == [f"{result['MB up']:.1f}", f"{result['MB down']:.1f}"]
    assert "patterns for a test" in rounds.text


def test_the_published_rounds_are_those_of_the_paper() -> None:
    assert FEDERATED == {("even", 1): 87, ("sorted", 1): 664}


def test_a_record_is_what_the_training_gives(bench: Workbench) -> None:
    [result] = bench.sweep(table.averaged, [table.point(split="even", local_epochs=1, rounds=3, bits_up=4, seed=5)])
    data = bench.dataset("mnist")
    torch.manual_seed(5)
    model = mlp([36, 20, 10])
    settings = {"rounds": 3, "fraction": 0.5, "batch_size": 10, "lr": 0.1, "bits_up": 4, "seed": 5, "device": "cpu"}
    *_, last = federated_averaging(model, data, split_evenly(data.y_train, 10, seed=5), **settings)  # type: ignore[arg-type]
    assert result["accuracy"] == pytest.approx(100 * last.accuracy)
    assert result["MB up"] == pytest.approx(3 * 5 * message_bytes(list(model.parameters()), 4) / 1e6)
    assert result["reached"] == 0


def test_a_second_run_measures_nothing(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list(table.run(bench))

    def averaged(*_: object, **__: object) -> None:
        pytest.fail("measured again")

    monkeypatch.setattr(table, "averaged", averaged)
    assert list(table.run(bench)) == first


def test_the_fewest_bytes_are_those_of_a_training_that_is_good_enough(bench: Workbench) -> None:
    results = [r for row in table.bits(bench).rows for r in row.results]
    results[0]["accuracy"], results[1]["accuracy"] = 90.0, 89.6
    assert table.bits_remark(results).startswith("**With 1 bits up and 4 down")
    results[1]["accuracy"] = 89.4
    assert table.bits_remark(results).startswith("**With 32 bits up and 32 down")


def test_a_training_that_diverges_is_a_row_of_the_table(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverging(model, data, shares, *, bits_up, **settings):  # type: ignore[no-untyped-def]
        for round_ in federated_averaging(model, data, shares, bits_up=bits_up, **settings):
            if bits_up == 1 and round_.number == 2:
                raise FloatingPointError("the weights are no longer finite in round 2")
            yield round_

    monkeypatch.setattr(table, "federated_averaging", diverging)
    _, bits = table.run(bench)
    full, one_bit = bits.rows
    assert one_bit.cells[2] == "diverged in round 2"
    assert full.cells[2] == f"{full.results[0]['accuracy']:.2f}"
    assert "With 1 up and 4 down the weights grew beyond all bounds." in bits.remark
    assert "diverged" not in full.results[0]
