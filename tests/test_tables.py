"""tables: the commands behind the lecture's tables, on small data of the same form."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from course_utils.cli import main
from course_utils.compress import CompressedModel
from course_utils.data import Dataset
from course_utils.models import resnet20
from course_utils.tables import deep_compression, table, tables
from course_utils.tables.published import DEEP_COMPRESSION
from course_utils.tables.section import Section, columns, spread
from course_utils.tables.workbench import Workbench


def images(n: int, shape: tuple[int, ...], *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ten patterns that noise does not hide."""
    g = torch.Generator().manual_seed(99)
    patterns = (torch.rand(10, *shape, generator=g) > 0.7).float()
    g.manual_seed(seed)
    labels = torch.randint(0, 10, (n,), generator=g)
    return (patterns[labels] * 0.8 + 0.2 * torch.rand(n, *shape, generator=g)).clamp(0, 1), labels


def stand_in(name: str, shape: tuple[int, ...]) -> Dataset:
    x, y = images(900, shape, seed=0)
    x_test, y_test = images(200, shape, seed=1)
    return Dataset(name, x, y, x_test, y_test, classes=10, note="patterns for a test")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    folder = tmp_path_factory.mktemp("results")
    data = {"mnist": stand_in("mnist", (1, 28, 28)), "cifar10": stand_in("cifar10", (3, 32, 32))}
    return Workbench(folder, level="quick", seeds=(0,), device="cpu", progress=False, data=data)


@pytest.fixture(scope="module")
def lines(bench: Workbench) -> Iterator[list[str]]:
    with pytest.MonkeyPatch.context() as patch:
        network = resnet20().eval()
        patch.setattr(deep_compression, "resnet20", lambda *, pretrained: network)  # no download
        yield list(deep_compression.run(bench))


def results(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def test_every_number_of_the_table_is_that_of_a_file(bench: Workbench, lines: list[str]) -> None:
    text = "\n".join(lines)
    found = results(bench.folder)
    assert len(found) >= 4 + 8 + 18 + 6
    for stem, result in found.items():
        if not stem.startswith("resnet20"):
            file = bench.folder / f"{stem}.cun"
            assert file.stat().st_size == result["bytes"], stem
            assert f"{result['bytes']:,}" in text
    for stem in found:
        if "-recipe-" in stem:
            network = CompressedModel.load(bench.folder / f"{stem}.cun")
            name = stem.split("-")[0]
            assert network.report().ratio == pytest.approx(found[stem]["ratio"])
            data = bench.dataset("mnist")
            assert deep_compression.percent(network.to_model(), data) == pytest.approx(found[stem]["error"]), name


def test_the_published_numbers_stand_beside_and_are_called_published(lines: list[str]) -> None:
    text = "\n".join(lines)
    for paper in DEEP_COMPRESSION.values():
        for row in paper["rows"]:  # type: ignore[attr-defined]
            assert any(all(cell in line for cell in row) for line in lines)
    assert text.count("published (Han et al. 2015):") == 6
    assert text.count("measured, first seed:") == 6
    assert "patterns for a test" in lines[0]
    assert "Errors on the test part." in lines[1]


def test_a_second_run_measures_nothing_again(bench: Workbench, lines: list[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in bench.folder.glob("*.json")}
    assert list(deep_compression.run(bench)) == lines
    assert {path: path.stat().st_mtime_ns for path in bench.folder.glob("*.json")} == before


def test_validation_never_sees_the_test_part(bench: Workbench) -> None:
    held_out = Workbench(bench.folder, validate=True, data=bench.data).dataset("mnist")
    whole = bench.dataset("mnist")
    assert len(held_out.y_train) + len(held_out.y_test) == len(whole.y_train)
    rows = {bytes(row.numpy().tobytes()) for row in whole.x_test}
    assert not any(row.numpy().tobytes() in rows for row in held_out.x_test)


def test_other_settings_are_another_result(tmp_path: Path) -> None:
    bench, calls = Workbench(tmp_path), []

    def make(path: Path) -> dict[str, Any]:
        calls.append(path)
        return {"value": len(calls)}

    assert bench.measure("a", {"x": 1}, make)["value"] == bench.measure("a", {"x": 1}, make)["value"] == 1
    assert bench.measure("a", {"x": 2}, make)["value"] == 2
    assert Workbench(tmp_path, validate=True).measure("a", {"x": 1}, make)["value"] == 3


def test_the_command_lists_and_refuses(tmp_path: Path) -> None:
    assert "deep-compression" in tables()
    assert CliRunner().invoke(main, ["table"]).output.split() == tables()
    wrong = CliRunner().invoke(main, ["table", "shallow"])
    assert wrong.exit_code == 1
    assert "no table is called 'shallow'; there are deep-compression" in wrong.output
    with pytest.raises(ValueError, match="no table"):
        table("workbench")


def test_columns_and_spread() -> None:
    assert spread([1.0]) == "1.00"
    assert list(columns([["x"], ["y"]])) == ["| x |", "|---|", "| y |"]
