"""The table of activation functions, on small data of the same form."""

from pathlib import Path

import pytest
import torch
from sklearn.metrics import roc_auc_score

from course_utils.data import DataError, Dataset
from course_utils.tables import activations as table
from course_utils.tables.published import ACTIVATIONS
from course_utils.tables.workbench import Workbench


def stand_in(name: str, features: int, classes: int) -> Dataset:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(400, features, generator=g)
    y = (x[:, 0] * x[:, 1] > 0).long() + (classes - 2) * (x[:, 2] > 1).long()
    return Dataset(name, x[:300], y[:300], x[300:], y[300:], classes=classes, note="noise for a test")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setattr(table, "QUICK_ROWS", 200)
    monkeypatch.setattr(table, "QUICK_EPOCHS", 1)
    monkeypatch.setattr(table, "ROWS", {"covertype": None, "susy": 150})
    monkeypatch.setattr(table, "EPOCHS", {"covertype": 1, "susy": 1})
    data = {"covertype": stand_in("covertype", 54, 7), "susy": stand_in("susy", 18, 2)}
    return Workbench(
        tmp_path, table="activations", level="quick", seeds=(0,), device="cpu", progress=False, data=data, jobs=1
    )


def test_all_ten_networks_have_the_published_parameters(bench: Workbench) -> None:
    part = table.parameters(bench)
    assert len(part.rows) == len(ACTIVATIONS) == 10
    for row in part.rows:
        assert row.cells[2] == row.cells[3]
    assert part.remark == "**10 of 10 numbers agree exactly.**"
    assert ACTIVATIONS["KAF", 2] == ("0.8758 (0.001)", 108301)
    assert ACTIVATIONS["ReLU", 5][1] == 367201


def test_the_quick_level_measures_a_substitute_and_says_so(bench: Workbench) -> None:
    _, part = table.run(bench)
    assert "substitute" in part.title
    assert "A substitute, since the quick level leaves SUSY" in part.text
    assert "noise for a test" in part.text
    assert "200 training rows" in part.text
    for row, (key, paper) in zip(part.rows, ACTIVATIONS.items(), strict=True):
        [result] = row.results
        assert (row.cells[0], int(row.cells[1])) == key
        assert row.cells[2:5] == [f"{result['auc']:.4f}", f"{result['parameters']:,}", paper[0]]
        assert result["parameters"] > paper[1]  # 54 inputs in place of 18


def test_the_full_level_takes_susy_and_without_it_the_substitute(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.level = "full"
    *_, part = table.run(bench)
    assert part.title == "AUC on SUSY"
    assert "substitute" not in part.text
    assert "150 training rows" in part.text
    assert [row.results[0]["parameters"] for row in part.rows] == [paper[1] for paper in ACTIVATIONS.values()]
    dataset = bench.dataset

    def without_susy(name: str) -> Dataset:
        if name == "susy":
            raise DataError("cannot load susy: no internet (a long story); try again when connected")
        return dataset(name)

    monkeypatch.setattr(bench, "dataset", without_susy)
    assert table.source(bench) == ("covertype", "SUSY could not be had (cannot load susy: no internet)")


def test_the_substitute_is_pine_against_the_rest(bench: Workbench) -> None:
    data, covertype = table.rows_of(bench, "covertype", None, 0), bench.dataset("covertype")
    assert data.classes == 2
    assert torch.equal(data.y_test == 1, covertype.y_test == 1)


def test_auc_is_that_of_scikit_learn_with_ties_too() -> None:
    g = torch.Generator().manual_seed(1)
    labels = torch.randint(2, (500,), generator=g)
    smooth = torch.randn(500, generator=g) + labels
    for scores in (smooth, smooth.round(), torch.zeros(500)):
        assert table.auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))


def test_a_second_run_measures_nothing(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = list(table.run(bench))

    def trained_network(*_: object, **__: object) -> None:
        pytest.fail("measured again")

    monkeypatch.setattr(table, "trained_network", trained_network)
    assert list(table.run(bench)) == first


def test_differences_are_said_with_their_sign() -> None:
    mean = {key: float(text.split()[0]) for key, (text, _) in ACTIVATIONS.items()}
    assert table.compared(mean).startswith("KAF with 2 layers is 0.0010 above PReLU with 5 layers")
    assert "KAF with 1 layer is 0.0017 above ReLU with 5 layers" in table.compared(mean)
    mean["ReLU", 5] = 0.9
    assert "KAF with 1 layer is 0.0244 below ReLU with 5 layers" in table.compared(mean)
