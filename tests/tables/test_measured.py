"""What the course says it has measured: the files, the overview, and a few of its numbers measured once more."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from course_utils._support.paths import MEASURED, NOTEBOOKS
from course_utils.course.syllabus import pages
from course_utils.data import load_dataset
from course_utils.tables import table, tables
from course_utils.tables.measured import Table, measured
from course_utils.tables.measured.overview import overview
from course_utils.tables.measured.records import read_tables
from course_utils.tables.workbench import Result, Workbench

REPORT = NOTEBOOKS / "tables"
CONTENT = read_tables(MEASURED, tables())


@pytest.fixture(scope="module", params=list(CONTENT))
def shown(request: pytest.FixtureRequest) -> Table:
    return measured(request.param)


def test_the_files_are_those_of_the_lectures_tables() -> None:
    assert {path.stem for path in MEASURED.glob("*.json")} == set(tables())
    for name, content in CONTENT.items():
        assert content["title"] == table(name).TITLE


def test_every_row_is_measured_or_published(shown: Table) -> None:
    assert any(row for part in shown.parts for row in part.records)
    for part in shown.parts:
        assert all(len(cells) == len(part.head) for cells in part.rows)
    used = {id(record) for part in shown.parts for row in part.records for record in row}
    assert used == {id(record) for record in shown.records}, "a record that no row uses"


def test_every_record_leads_to_a_command_a_commit_and_the_data(shown: Table) -> None:
    for record in shown.records:
        origin = record["origin"]
        assert origin["command"].startswith(f"course table {shown.name} --{shown.level}")
        assert re.fullmatch(r"[0-9a-f]{10}", origin["commit"]), "measured by code that is in no commit"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", origin["day"])
        assert record["seconds"] >= 0
        assert "validate" not in record["what"]


def test_the_data_are_those_of_the_records(shared_data: Path, data_root: Path) -> None:
    digests = {
        (name, digest)
        for content in CONTENT.values()
        for record in content["records"]
        for name, digest in record["data"].items()
    }
    assert digests
    roots = {"mnist": data_root}
    for name, digest in sorted(digests):
        assert load_dataset(name, root=roots.get(name, shared_data)).checksum == digest, name


def test_the_overview_is_the_one_of_these_numbers() -> None:
    text = (REPORT / "README.md").read_text(encoding="utf-8")
    assert len(text) < 64_000
    assert overview(CONTENT, "../../course_utils/tables/measured") == text, "run `course table --publish`"
    pictures = {part["picture"] for content in CONTENT.values() for part in content["parts"]} - {""}
    assert {path.name for path in (REPORT / "pictures").iterdir()} == pictures


def test_a_row_of_the_overview_leads_to_its_record() -> None:
    text = (REPORT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\[(\d+)(?:–\d+)?\]\((\S+\.json)#L(\d+)\)", text)
    assert len(links) > 300
    lines = {path: (REPORT / path).read_text(encoding="utf-8").splitlines() for path in {path for _, path, _ in links}}
    assert all(lines[path][int(line) - 1] == f'  "{record}": {{' for record, path, line in links)


def test_notebooks_show_what_the_file_holds() -> None:
    shown = set()
    for page in pages(NOTEBOOKS):
        for cell in page.cells:
            source = "".join(cell["source"])
            for call in re.findall(r"^measured\((.*)\)$", source, re.M):
                names = json.loads(f"[{call}]")
                texts = ["".join(output["data"].get("text/markdown", "")) for output in cell["outputs"]]
                assert "\n\n".join(filter(None, texts)) == repr(measured(*names)), (
                    f"run notebook {page.section.number} again"
                )
                shown.add(names[0])
    assert shown == set(CONTENT)


def test_no_record_names_a_folder_of_the_machine() -> None:
    for name, content in CONTENT.items():
        assert "/" not in json.dumps(content["records"][0]["origin"]).replace("tcp://", ""), name


class Replay(Workbench):
    """A workbench that has all results already: those of the records."""

    def sweep(self, function: Any, points: Any, **_: Any) -> list[Result]:
        title = f"{self.table} {function.__name__} {self.level}"
        stored = {json.dumps([r["what"], r["settings"]], sort_keys=True): r for r in CONTENT[self.table]["records"]}
        return [result_of(stored[json.dumps([title, point], sort_keys=True)]) for point in points]


def result_of(record: dict[str, Any]) -> Result:
    return Result(record["what"], record | {"values": record})


@pytest.mark.parametrize("name", ["random-labels", "predict-parameters", "low-precision", "binary", "distillation"])
def test_cells_and_texts_are_those_that_the_code_writes(name: str, data_root: Path, tmp_path: Path) -> None:
    seeds = range(table(name).SEEDS)
    mnist = load_dataset("mnist", root=data_root)
    data = {"mnist": mnist, "cifar10": mnist.subset(10)}  # the random labels are not measured on CIFAR-10
    bench = Replay(tmp_path, name, level="full", seeds=seeds, device="cpu", data=data)
    for section, part in zip(table(name).run(bench), CONTENT[name]["parts"], strict=True):
        assert [list(row.cells) for row in section.rows] == [row["cells"] for row in part["rows"]]
        assert section.title == part["title"]
        if section.rows:
            assert [section.text, section.remark] == [part["text"], part["remark"]]


# A few of the numbers, measured again: the table, the function, settings that choose the record, and how far each value
# may be from the one in the file, for processors round differently and a training takes its own way.
AGAIN: list[Any] = [
    ("quantized", "rounded_cifar10", {"bits": 8, "scheme": "weights", "per_channel": True}, {"accuracy": 0.11}),
    ("quantized", "rounded_cifar10", {"bits": 4, "scheme": "weights", "per_channel": True}, {"accuracy": 0.31}),
    ("random-labels", "memorized", {"what": "random", "seed": 1}, {"epochs": 2, "training error": 0.1, "error": 3.0}),
    ("group-sparse", "trained", {"data": "sensorless", "penalty": "group", "part": "test"}, {"accuracy": 0.02}),
    ("activations", "counted", {"activation": "KAF", "layers": 2}, {"parameters": 0}),
    ("deep-compression", "shared", {"bits": 4}, {"error": 0.31, "huffman": 300, "ans": 300}),
    pytest.param("quantized", "rounded_mnist", {"bits": 8, "seed": 0}, {"accuracy": 0.3}, marks=pytest.mark.slow),
    pytest.param(
        "federated", "averaged", {"split": "even", "local_epochs": 1, "seed": 0}, {"reached": 8}, marks=pytest.mark.slow
    ),
    pytest.param(
        "predict-parameters",
        "trained_network",
        {"kernel": "zeros", "share": 0.02, "seed": 0},
        {"error": 1.5},
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize(("name", "function", "settings", "within"), AGAIN)
def test_a_number_comes_out_again(
    name: str,
    function: str,
    settings: dict[str, Any],
    within: dict[str, float],
    shared_data: Path,
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = [
        record
        for record in CONTENT[name]["records"]
        if record["what"].split()[1] == function and settings.items() <= record["settings"].items()
    ]
    assert records, f"no record of {name} has the settings {settings}"
    root = shared_data if set(records[0]["data"]) != {"mnist"} else data_root
    monkeypatch.setenv("COURSE_DATA", str(root))
    bench = Workbench(tmp_path, name, level=CONTENT[name]["level"], seeds=(0,), device="cpu", progress=False, jobs=1)
    measure = getattr(table(name), function)
    point = records[0]["settings"]
    again = measure(bench, [point])[0] if "points" in inspect.signature(measure).parameters else measure(bench, **point)
    for key, most in within.items():
        assert again[key] == pytest.approx(records[0]["result"][key], abs=most), key
