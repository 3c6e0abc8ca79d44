"""The table of predicted parameters, on small data of the same form."""

from pathlib import Path
from typing import Any

import pytest
import torch

from course_utils.data import Dataset
from course_utils.models import count_parameters, mlp
from course_utils.tables import predict_parameters as table
from course_utils.tables.workbench import Workbench


def stand_in() -> Dataset:
    g = torch.Generator().manual_seed(0)
    patterns = (torch.rand(10, 1, 8, 8, generator=g) > 0.6).float()
    labels = torch.randint(10, (300,), generator=g)
    x = (0.8 * patterns[labels] + 0.2 * torch.rand(300, 1, 8, 8, generator=g)).clamp(0, 1)
    note = "patterns for a test"
    return Dataset("mnist", x[:200], labels[:200], x[200:], labels[200:], classes=10, note=note)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setattr(table, "HIDDEN", 30)
    monkeypatch.setattr(table, "COLUMNS", 10)
    monkeypatch.setattr(table, "ROWS", {"quick": 150})
    return Workbench(
        tmp_path,
        table="predict-parameters",
        level="quick",
        seeds=(0,),
        device="cpu",
        progress=False,
        data={"mnist": stand_in()},
        jobs=1,
    )


def test_each_cell_is_the_value_of_its_record(bench: Workbench) -> None:
    [part] = table.run(bench)
    parameters = count_parameters(mlp([64, 30, 30, 10]))
    for row in part.rows:
        [result] = row.results
        share, trained, of_all, error, seconds = row.cells[1:]
        assert share == f"{result.settings['share']:.0%}"
        assert (trained, of_all) == (f"{result['trained']:,}", f"{result['trained'] / parameters:.1%}")
        assert (error, seconds) == (f"{result['error']:.2f}", f"{result['seconds']:.0f}")
    assert part.rows[0].results[0]["trained"] == parameters
    assert "patterns for a test" in part.text
    assert "150 of the training rows" in part.text


def test_parameters_are_those_observed_the_biases_and_the_output(bench: Workbench) -> None:
    point: dict[str, Any] = {"rows": 150, "epochs": 1, "hidden": 30, "training": {"lr": 1e-3}, "seed": 0}
    result = table.trained_network(bench, kernel="near pixels", share=0.25, **point)
    assert result["trained"] == 30 * 16 + 30 + 30 * round(0.25 * 30) + 30 + 30 * 10 + 10


def test_a_second_run_measures_nothing(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list(table.run(bench))

    def trained_network(*_: object, **__: object) -> None:
        pytest.fail("measured again")

    monkeypatch.setattr(table, "trained_network", trained_network)
    assert list(table.run(bench)) == first


def test_zeros_predict_nothing_and_a_kernel_does(bench: Workbench) -> None:
    data = bench.dataset("mnist")
    zeros = table.predicted(table.input_kernel("zeros", data), 0.25, 30, ridge=0.0, seed=0)
    assert int((zeros.weight != 0).sum()) == 30 * 16
    near = table.predicted(table.input_kernel("near pixels", data), 0.25, 30, ridge=1e-2, seed=0)
    assert int((near.weight != 0).sum()) > 30 * 48


def test_the_remark_says_what_the_numbers_say(bench: Workbench) -> None:
    [part] = table.run(bench)
    by_setting = {(r.settings["kernel"], r.settings["share"]): [r] for row in part.rows for r in row.results}
    for results in by_setting.values():
        results[0]["error"] = 2.0
    by_setting["zeros", 0.05][0]["of all"] = 0.05
    assert "2.00 %, so the accuracy is unchanged" in table.reached(bench, by_setting)
    by_setting[table.DENSE, 1.0][0]["error"] = 1.5
    assert "2.00 %, so the accuracy is not unchanged" in table.reached(bench, by_setting)
    assert "0.50 points more" in table.reached(bench, by_setting)
