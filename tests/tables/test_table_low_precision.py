"""The table of training at few bits, on small data of the same form."""

from pathlib import Path
from typing import Any

import pytest
import torch

from course_utils.data import Dataset
from course_utils.methods.quantize import LowPrecision
from course_utils.models import mlp
from course_utils.tables import low_precision as table
from course_utils.tables.workbench import Workbench
from course_utils.train import evaluate, fit


def stand_in() -> Dataset:
    g = torch.Generator().manual_seed(0)
    patterns = (torch.rand(10, 1, 6, 6, generator=g) > 0.6).float()
    labels = torch.randint(10, (400,), generator=g)
    x = (0.7 * patterns[labels] + 0.3 * torch.rand(400, 1, 6, 6, generator=g)).clamp(0, 1)
    return Dataset("mnist", x[:300], labels[:300], x[300:], labels[300:], classes=10, note="patterns for a test")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setattr(table, "HIDDEN", {"quick": [20]})
    monkeypatch.setattr(table, "EPOCHS", {"quick": 3})
    monkeypatch.setattr(table, "ROWS", {"quick": 250})
    monkeypatch.setattr(table, "UPDATE_EVERY", 3)
    monkeypatch.setattr(table, "TRAINING", {"optimizer": "sgd", "momentum": 0.9, "lr": 0.05, "batch_size": 25})
    return Workbench(
        tmp_path,
        table="low-precision",
        level="quick",
        seeds=(0,),
        device="cpu",
        progress=False,
        data={"mnist": stand_in()},
        jobs=1,
    )


def test_each_cell_is_the_value_of_its_records(bench: Workbench) -> None:
    formats, compute, update = table.run(bench)
    [dense] = formats.rows[0].results
    assert formats.rows[0].cells[:5] == ["float32", "32", "32", f"{dense['error']:.2f}", "–"]
    for row in (*formats.rows[1:], *compute.rows, *update.rows):
        result, beside = row.results
        assert beside.record == dense.record
        assert row.cells[0] == result.settings["form"]
        assert row.cells[1:4] == [
            f"{result.settings['compute']}",
            f"{result.settings['update']}" + (", stochastic" if result.settings["stochastic"] else ""),
            f"{result['error']:.2f}",
        ]
        assert row.cells[4] == f"{result['error'] - dense['error']:+.2f}"
    assert "patterns for a test" in formats.text
    assert "prints the algorithm, but no table" in formats.text


def test_a_record_is_what_the_training_gives(bench: Workbench) -> None:
    setting: table.Setting = ("dynamic fixed point", 8, 10, True)
    [result] = table.measured(bench, [table.FLOAT, setting])[setting]
    data = bench.dataset("mnist").subset(250, seed=0)
    torch.manual_seed(0)
    model = mlp([36, 20, 10])
    generator = torch.Generator().manual_seed(0)
    settings: dict[str, Any] = {"compute_bits": 8, "update_bits": 10, "stochastic": True, "update_every": 3}
    with LowPrecision(model, generator=generator, **settings):
        fit(model, data, epochs=3, evaluate_every=0, device="cpu", progress=False, **table.TRAINING)
        assert result["error"] == pytest.approx(100 - 100 * evaluate(model, data).accuracy)


def test_a_second_run_measures_nothing(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list(table.run(bench))

    def trained_network(*_: object, **__: object) -> None:
        pytest.fail("measured again")

    monkeypatch.setattr(table, "trained_network", trained_network)
    assert list(table.run(bench)) == first


@pytest.mark.parametrize(("form", "bits"), [("float16", 16), ("fixed point", 8)])
def test_a_network_computes_in_the_numbers_of_its_format(form: str, bits: int) -> None:
    torch.manual_seed(0)
    model, x = mlp([6, 5, 3]), 3 * torch.randn(7, 6)
    with torch.no_grad(), LowPrecision(model, compute_bits=bits, update_bits=bits, number_format=table.NUMBERS[form]):
        out = model(x)
    if form == "float16":
        assert torch.equal(out, out.half().float())
    else:
        steps = out * 2 ** (8 - 6)
        assert torch.equal(steps, steps.round())
        assert float(out.abs().max()) <= 32


def test_a_training_that_ends_in_no_number_counts_as_a_guess(bench: Workbench) -> None:
    point: dict[str, Any] = {
        "rows": 250,
        "hidden": [20],
        "epochs": 2,
        "update_every": 3,
        "seed": 0,
        "stochastic": False,
    }
    training = table.TRAINING | {"lr": 1e6}
    result = table.trained_network(bench, form="float16", compute=16, update=16, training=training, **point)
    assert result == {"error": pytest.approx(90.0), "loss": None}


def test_the_fewest_bits_are_those_that_are_good_enough(bench: Workbench) -> None:
    settings: list[table.Setting] = [("dynamic fixed point", bits, 32, False) for bits in (10, 4)]
    results_of = table.measured(bench, [table.FLOAT, *settings])
    for results, error in zip(results_of.values(), (2.0, 2.1, 2.6), strict=True):
        results[0]["error"] = error
    assert "computation with an error at most half a point above float32's: 10 (2.10 %" in table.fewest_bits(
        settings, results_of, "computation", 1
    )
    results_of[settings[0]][0]["error"] = 9.0
    assert table.fewest_bits(settings, results_of, "computation", 1).startswith("No number of bits")
