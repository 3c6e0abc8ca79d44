"""tables: the commands behind the lecture's tables, on small data of the same form."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from processes import cluster

from course_utils.cli import main
from course_utils.compress import CompressedModel
from course_utils.course.syllabus import SECTIONS
from course_utils.data import Dataset
from course_utils.models import resnet20
from course_utils.tables import deep_compression, table, tables
from course_utils.tables.published import DEEP_COMPRESSION
from course_utils.tables.workbench import Section, Workbench
from course_utils.tables.workbench.bench import SHARE


def images(n: int, shape: tuple[int, ...], *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ten patterns that noise does not hide."""
    g = torch.Generator().manual_seed(99)
    patterns = (torch.rand(10, *shape, generator=g) > 0.7).float()
    g.manual_seed(seed)
    labels = torch.randint(0, 10, (n,), generator=g)
    return (patterns[labels] * 0.8 + 0.2 * torch.rand(n, *shape, generator=g)).clamp(0, 1), labels


def stand_in(name: str, shape: tuple[int, ...], *, rows: int = 900) -> Dataset:
    x, y = images(rows, shape, seed=0)
    x_test, y_test = images(200, shape, seed=1)
    return Dataset(name, x, y, x_test, y_test, classes=10, note="patterns for a test")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    folder = tmp_path_factory.mktemp("results")
    data = {"mnist": stand_in("mnist", (1, 28, 28), rows=300), "cifar10": stand_in("cifar10", (3, 32, 32))}
    return Workbench(
        folder, "deep-compression", level="quick", seeds=(0,), device="cpu", progress=False, data=data, jobs=1
    )


@pytest.fixture(scope="module")
def parts(bench: Workbench) -> Iterator[list[Section]]:
    with pytest.MonkeyPatch.context() as patch:
        network, recipes_of, best = resnet20().eval(), deep_compression.recipes_of, deep_compression.best
        # Mixed contexts cost seconds for a file that is not very sparse; `tests/compress` has them in recipes.
        quick = {name: replace(recipe, entropy="ans") for name, recipe in best(bench).items()}
        patch.setattr(deep_compression, "best", lambda bench: quick)
        some = {title: each for title, each in recipes_of(bench).items() if "mixed" not in title}
        patch.setattr(deep_compression, "recipes_of", lambda bench: some)
        patch.setattr(deep_compression, "resnet20", lambda *, pretrained: network)  # no download
        yield list(deep_compression.run(bench))


def text_of(parts: list[Section]) -> str:
    return "\n".join(map(str, parts))


def test_every_number_of_the_table_is_that_of_a_file(bench: Workbench, parts: list[Section]) -> None:
    text = text_of(parts)
    results = [record["values"]["result"] for record in bench.journal.records.values()]
    files = [result for result in results if "file" in result]
    assert len(files) == 2 * 2 + 2 + 3 + 7 + 9 + 3
    for result in files:
        file = bench.folder / result["file"]
        assert file.stat().st_size == result["bytes"], result["file"]
        assert f"{result['bytes']:,}" in text
    for result in files:
        if "-recipe-" in result["file"]:
            network = CompressedModel.load(bench.folder / result["file"])
            assert network.report().ratio == pytest.approx(result["ratio"])
            data = bench.dataset("mnist")
            assert deep_compression.percent(network.to_model(), data) == pytest.approx(result["error"])


def test_the_published_numbers_stand_beside_and_are_called_published(parts: list[Section]) -> None:
    for name, paper in DEEP_COMPRESSION.items():
        title = deep_compression.TITLES[name]
        for part in [part for part in parts if part.title.startswith(f"{title}, ")]:
            published = [row for row in part.rows if not row.results]
            assert [tuple(row.cells[1:]) for row in published] == [row[1:] for row in paper["rows"]]  # type: ignore[attr-defined]
            assert all(row.cells[0].startswith("published: ") for row in published)
            assert f"Published (Han et al. 2015): {paper['ratio']} times smaller" in part.remark
    assert "patterns for a test" in parts[0].text
    assert "Errors on the test part." in parts[0].text


def test_a_second_run_measures_nothing_again(bench: Workbench, parts: list[Section]) -> None:
    before = (bench.folder / "journal.jsonl").read_bytes()
    assert text_of(list(deep_compression.run(bench))) == text_of(parts)
    assert (bench.folder / "journal.jsonl").read_bytes() == before


def test_validation_never_sees_the_test_part(bench: Workbench) -> None:
    held_out = Workbench(bench.folder, validate=True, data=bench.data).dataset("mnist")
    mnist = bench.dataset("mnist")
    assert len(held_out.y_train) + len(held_out.y_test) == len(mnist.y_train)
    rows = {bytes(row.numpy().tobytes()) for row in mnist.x_test}
    assert not any(row.numpy().tobytes() in rows for row in held_out.x_test)


def test_other_settings_are_another_result(tmp_path: Path) -> None:
    calls: list[int] = []

    def count(bench: Workbench, *, x: int) -> dict[str, Any]:
        calls.append(x)
        return {"value": len(calls)}

    def value(x: int, **workbench: Any) -> int:
        [result] = Workbench(tmp_path, jobs=1, progress=False, **workbench).sweep(count, [{"x": x}])
        return result["value"]

    assert value(1) == value(1) == 1
    assert value(2) == 2
    assert value(1, validate=True) == 3
    assert value(1, level="quick") == 4


def together(bench: Workbench, points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"of": len(points)} for _ in points]


def test_without_a_setting_to_agree_in_all_points_go_together(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, jobs=1, progress=False)
    results = bench.sweep(together, [{"n": n} for n in range(3)], batch_by=[], batch=8)
    assert [result["of"] for result in results] == [3, 3, 3]


def reads(bench: Workbench, *, n: int) -> dict[str, Any]:
    return {"rows": n + len(bench.dataset("mnist").y_train) if n else 0}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_result_says_where_it_comes_from(tmp_path: Path, jobs: int) -> None:
    data = {"mnist": stand_in("mnist", (1, 4, 4))}
    bench = Workbench(tmp_path, "a", progress=False, data=data, jobs=jobs, command="course table a --full")
    none, some = bench.sweep(reads, [{"n": 0}, {"n": 5}])
    assert some["rows"] == 905
    assert some.settings == {"n": 5}
    assert none.record["values"]["data"] == {}
    assert some.record["values"]["data"] == {"mnist": data["mnist"].checksum}
    origin = some.record["values"]["origin"]
    assert origin["command"] == "course table a --full"
    assert re.fullmatch(r"[0-9a-f]{10}\+?|version .+", origin["commit"])
    assert str(tmp_path) not in json.dumps(some.record)
    table = (tmp_path / "reads-so-far.md").read_text().splitlines()
    assert table[0].split() == ["|", "n", "|", "rows", "|"]
    assert any("905" in line for line in table)  # in whatever order two processes have finished
    bench.sweep(reads, [{"n": 7}])  # the early table goes on
    assert "907" in (tmp_path / "reads-so-far.md").read_text().splitlines()[4]


def test_a_sweep_runs_unchanged_on_a_cluster(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    data = {"mnist": stand_in("mnist", (1, 4, 4))}
    with cluster(Path(__file__).parent) as (address, _):
        bench = Workbench(tmp_path, "a", progress=False, data=data, scheduler=address)
        results = bench.sweep(reads, [{"n": n} for n in range(1, 7)])
    assert [result["rows"] for result in results] == list(range(901, 907))
    assert all(result.record["values"]["data"] == {"mnist": data["mnist"].checksum} for result in results)
    assert len(Workbench(tmp_path, "a").journal.records) == 6


def test_a_gpu_is_shared_by_few_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert Workbench(tmp_path, device="auto").at_once == Workbench(tmp_path, device="cuda").at_once == SHARE
    assert Workbench(tmp_path, device="cuda", jobs=9).at_once == 9
    assert Workbench(tmp_path, device="cpu").at_once is None
    assert Workbench(tmp_path, device="cuda", scheduler="tcp://there:1").at_once is None


def test_a_checksum_belongs_to_the_rows() -> None:
    data, same, other = stand_in("a", (1, 4, 4)), stand_in("b", (1, 4, 4)), stand_in("a", (1, 4, 5))
    assert data.checksum == same.checksum != other.checksum
    assert data.checksum != data.subset(800).checksum


def test_the_command_lists_and_refuses() -> None:
    assert "deep-compression" in tables()
    assert CliRunner().invoke(main, ["table"]).output.split() == tables()
    wrong = CliRunner().invoke(main, ["table", "shallow"])
    assert wrong.exit_code == 1
    assert "no table is called 'shallow'; there are " in wrong.output
    with pytest.raises(ValueError, match="no table"):
        table("workbench")


def test_every_table_has_what_the_report_needs() -> None:
    numbers = {section.number for section in SECTIONS}
    for name in tables():
        module = table(name)
        assert module.TITLE
        assert module.SEEDS >= 1
        assert module.SECTION in numbers
