"""The report: every row leads to its records, and what a notebook shows is what was measured."""

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from test_tables import stand_in

from course_utils.cli import main
from course_utils.data import DataError, Dataset
from course_utils.tables import deep_compression, quantized, run, tables
from course_utils.tables import measured as loader
from course_utils.tables.measured import Claim, Table, measured
from course_utils.tables.measured import table as shown_table
from course_utils.tables.measured.overview import cited
from course_utils.tables.measured.publish import publish
from course_utils.tables.measured.records import Content, read_table, read_tables, table_from, write_table
from course_utils.tables.measured.report import write_report
from course_utils.tables.workbench import Row, Section, Workbench, bench, origin, spread
from course_utils.train.sweep import SweepError


def square(bench: Workbench, *, n: int, seed: int) -> dict[str, Any]:
    rows = len(bench.dataset("mnist").y_train)
    return {"square": n * n + seed, "rows": rows, "curve": list(range(1000))}


def sections(bench: Workbench) -> Iterator[Section]:
    results = [bench.sweep(square, [{"n": n, "seed": seed} for seed in bench.seeds]) for n in (2, 3)]
    rows = [Row([f"n = {r[0].settings['n']}", spread([result["square"] for result in r], ".1f")], r) for r in results]

    def draw(figure: Any) -> None:
        figure.subplots().plot([result["square"] for result in results[0]])

    claims = [
        Claim("n = 2", "square", "4.9", [float(result["square"]) for result in results[0]], 0.0, results[0]),
        Claim(
            "n = 3", "square", "9", [float(result["square"]) for result in results[1]], 0.0, results[1], "other numbers"
        ),
    ]
    shown = [*rows, Row(["published", "4 or 9"])]
    yield Section("Squares", ["", "square"], shown, "Text.", "Remark.", draw, "squares", claims)
    yield Section("Not here", ["", "a"], [], "Not measured: no data.", name="missing")


FAKE = SimpleNamespace(TITLE="Squares of numbers", SECTION="04", SEEDS=2, run=sections)
DATA: dict[str, Dataset] = {"mnist": stand_in("mnist", (1, 4, 4))}


COMMIT = "0123456789"
NAMES = ("squares", "others")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "commit", lambda: COMMIT)
    monkeypatch.setattr(run, "table", lambda name: FAKE)
    monkeypatch.setattr("course_utils.tables.TABLES", NAMES)


def tables_in(folder: Path) -> dict[str, Content]:
    return read_tables(folder, NAMES)


def measure(out: Path, *names: str, **options: Any) -> str:
    return "\n".join(lines_of(out, *names, **options))


def lines_of(
    out: Path, *names: str, level: str = "full", seeds: int | None = None, validate: bool = False
) -> Iterator[str]:
    return run.run_tables(
        names, out, level=level, seeds=seeds, validate=validate, jobs=1, progress=False, data=DATA, device="cpu"
    )


@pytest.mark.usefixtures("fake")
def test_every_row_leads_to_its_records(tmp_path: Path) -> None:
    printed = measure(tmp_path, "squares")
    assert "# Squares of numbers (course table squares --full --device cpu)" in printed
    assert re.search(r"\| n = 2 +\| +4\.5 ± 0\.7 \|", printed)
    content = tables_in(tmp_path / "measured")["squares"]
    assert [row["from"] for row in content["parts"][0]["rows"]] == [[1, 2], [3, 4], []]
    assert [record["result"] for record in content["records"][:2]] == [
        {"square": 4, "rows": 900},
        {"square": 5, "rows": 900},
    ]
    text = (tmp_path / "README.md").read_text().replace("\u00a0", " ")
    lines = (tmp_path / "measured" / "squares.json").read_text().splitlines()
    line = lines.index('  "3": {') + 1
    assert f"| n = 3 | 9.5 ± 0.7 | [3–4](measured/squares.json#L{line}) |" in text
    assert "| published | 4 or 9 | |" in text
    assert "Text." not in text
    assert "Not measured: no data." in text
    assert "2 published numbers have a measured one beside them" in text
    assert "1 of them can be compared, and 1 of these are reached" in text
    assert "| [04 Squares](#squares) | n = 2, square | 4.9 | 4.50 ± 0.71 | 0.92 | yes |" in text
    assert "| | n = 3, square | 9 | 9.5 ± 0.7 | 1.06 | not to be compared: other numbers |" in text
    (claim, _) = table_from("squares", content).parts[0].claims
    assert [record["result"]["square"] for record in claim.records] == list(claim.measured) == [4, 5]
    page = (tmp_path / "report.html").read_text()
    for number in range(1, 5):
        assert page.count(f'<a id="squares-{number}"></a>') == 1
    assert "course table squares --full --device cpu" in page
    assert DATA["mnist"].checksum[:12] in page
    assert "Text." in page
    assert "Remark." in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
    assert 'src="data:image/png;base64,' in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


@pytest.mark.usefixtures("fake")
def test_a_table_that_was_measured_again_takes_its_own_place(tmp_path: Path) -> None:
    measure(tmp_path, "others", "squares", seeds=1)
    measure(tmp_path, "squares", level="quick")
    tables = tables_in(tmp_path / "measured")
    assert list(tables) == ["squares", "others"]
    assert [table["level"] for table in tables.values()] == ["quick", "full"]
    command = tables["others"]["records"][0]["origin"]["command"]
    assert command == "course table others --full --seeds 1 --device cpu"


@pytest.mark.usefixtures("fake")
def test_data_that_are_not_there_are_a_sentence_and_the_next_table_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_data(bench: Workbench) -> Iterator[Section]:
        raise DataError("susy is not available")
        yield

    missing = SimpleNamespace(TITLE="Missing", SECTION="09", SEEDS=1, run=without_data)
    monkeypatch.setattr(run, "table", lambda name: missing if name == "others" else FAKE)
    printed: list[str] = []
    with pytest.raises(run.NotMeasured, match="^others, Not measured: susy is not available$"):
        printed.extend(lines_of(tmp_path, "others", "squares"))
    assert "## Not measured\n\nsusy is not available." in "\n".join(printed)
    assert [len(each["records"]) for each in tables_in(tmp_path / "measured").values()] == [4, 0]
    text = (tmp_path / "README.md").read_text()
    assert "| [Missing](#others) | 09 | not measured | 0 |" in text  # it does not vanish from the overview
    assert "### Not measured\n\nsusy is not available." in text
    course = tmp_path / "course"
    (course / "course_utils" / "tables").mkdir(parents=True)
    list(publish(tmp_path, course))
    assert list(tables_in(course / "course_utils" / "tables" / "measured")) == ["squares"]
    file = tmp_path / "measured" / "squares.json"
    measured_once = file.read_bytes()
    monkeypatch.setattr(run, "table", lambda name: missing)
    with pytest.raises(run.NotMeasured):
        measure(tmp_path, "squares")
    assert file.read_bytes() == measured_once  # what was measured stays


@pytest.mark.parametrize("name", tables())
def test_the_command_ends_with_an_error_where_data_are_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> Dataset:
        raise DataError("the data are not here; put them there")

    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(bench, "_loaded", missing)
    for module in (quantized, deep_compression):
        monkeypatch.setattr(module, "resnet20", missing)
    arguments = ["table", name, "--quick", "--jobs", "1", "--device", "cpu", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert re.search(
        rf"Error: not everything is measured:\n{name}, .*the data are not here; put them there", result.output
    )
    assert "not measured" in (tmp_path / "README.md").read_text().lower()


@pytest.mark.usefixtures("fake")
def test_what_is_measured_is_published_though_data_are_missing_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(bench: Workbench) -> Iterator[Section]:
        yield from sections(bench)
        yield Section("Images", [""], [], missing="images are not here")

    monkeypatch.setattr(run, "table", lambda name: SimpleNamespace(TITLE="Half", SECTION="04", SEEDS=1, run=half))
    monkeypatch.setattr(bench, "_loaded", lambda name, root: DATA["mnist"])
    arguments = ["table", "squares", "--out", str(tmp_path), "--jobs", "1", "--report", str(tmp_path / "report")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "Error: not everything is measured:\nsquares, Images: images are not here" in result.output
    assert f"written: {tmp_path / 'report'}" in result.output


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("error", [ValueError("another process is at work"), IsADirectoryError("journal")])
def test_a_table_that_cannot_begin_does_not_end_the_others(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(bench: Workbench) -> Iterator[Section]:
        raise error
        yield

    wrong = SimpleNamespace(TITLE="Wrong", SECTION="09", SEEDS=1, run=fails)
    monkeypatch.setattr(run, "table", lambda name: wrong if name == "others" else FAKE)
    with pytest.raises(SweepError, match=f"others: {error}"):
        measure(tmp_path, "others", "squares")
    assert list(tables_in(tmp_path / "measured")) == ["squares"]


@pytest.mark.usefixtures("fake")
def test_a_notebook_shows_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure(tmp_path, "squares")
    monkeypatch.setattr(loader, "MEASURED", tmp_path / "measured")
    shown = measured("squares", "squares")
    assert [part.name for part in shown.parts] == ["squares"]
    text = repr(shown)
    assert re.search(r"\| n = 2 +\| +4\.5\u00a0±\u00a00\.7 \|", text)  # no line break at the sign
    assert re.search(r"\| published +\| +4 or 9 \|", text)
    assert "Measured by `course table squares --full --device cpu`, commit " in shown.sources
    assert "seeds 0, 1" in shown.sources
    assert f"data mnist ({DATA['mnist'].checksum[:8]})" in shown.sources
    monkeypatch.setattr(shown_table, "PICTURES", (tmp_path / "nowhere", tmp_path / "pictures"))
    displayed: list[Any] = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw, metadata=None: displayed.append((data, metadata)))
    shown._ipython_display_()
    (table, _), (picture, metadata), (sources, _) = displayed
    assert f"{table['text/markdown']}\n\n{sources['text/markdown']}" == text
    assert b64decode(picture["image/png"])[:4] == b"\x89PNG"
    assert metadata["image/png"]["alt"].startswith("Squares: ")
    assert measured("squares", "missing").sources == "Nothing of this is measured."
    assert len(measured("squares").parts) == 2
    with pytest.raises(ValueError, match="part must be one of 'squares', 'missing'; got 'cubes'"):
        measured("squares", "cubes")
    with pytest.raises(ValueError, match="table must be one of 'squares'; got 'cubes'"):
        measured("cubes")


@pytest.mark.usefixtures("fake")
def test_publishing_keeps_the_tables_that_were_not_measured_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = tmp_path / "course"
    results = course / "course_utils" / "tables" / "measured"
    results.parent.mkdir(parents=True)
    measure(tmp_path / "first", "others")
    measure(tmp_path / "second", "squares")
    for name in ("first", "second"):
        paths = list(publish(tmp_path / name, course))
    assert paths == [course / "notebooks/tables/README.md", results / "squares.json"]
    assert list(tables_in(results)) == ["squares", "others"]
    pictures = sorted(path.name for path in (course / "notebooks/tables/pictures").iterdir())
    assert pictures == ["others-squares.png", "squares-squares.png"]
    text = paths[0].read_text()
    assert "![Squares](pictures/others-squares.png)" in text
    assert "(../../course_utils/tables/measured/others.json#L" in text


def test_letters_of_html_and_markdown_stay_what_they_are(tmp_path: Path) -> None:
    record = {
        "what": "a",
        "settings": {"name": "<script>*x*_y_|z"},
        "result": {"value": 1},
        "seconds": 1.0,
        "CPU seconds": 1.0,
        "peak MB": None,
        "data": {},
        "origin": {"command": "course table a", "commit": "0123456789", "machine": "m", "day": "2026-01-01"},
    }
    part = {"name": "p", "title": "P", "text": "", "head": ["a"], "rows": [{"cells": ["1"], "from": [1]}]}
    content = {
        "title": "A",
        "section": "04",
        "level": "full",
        "parts": [part | {"remark": "", "picture": "", "claims": []}],
    }
    content |= {"records": [record]}
    write_table(tmp_path / "a.json", content)
    assert read_table(tmp_path / "a.json") == content
    page = write_report({"a": content}, tmp_path / "report.html", tmp_path / "pictures").read_text()
    assert "&lt;script&gt;*x*_y_|z" in page
    assert table_from("a", content).parts[0].records[0][0]["settings"] == record["settings"]


def test_the_command_measures_prints_and_publishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "table", lambda name: FAKE)
    monkeypatch.setattr("course_utils.tables.measured.publish.publish", lambda out, course: iter([out / "published"]))
    monkeypatch.setattr("course_utils.tables.workbench.bench._loaded", lambda name, root: DATA[name])
    done = CliRunner().invoke(
        main, ["table", "binary", "--quick", "--jobs", "1", "--out", str(tmp_path / "out"), "--publish"]
    )
    assert done.exit_code == 0, done.output
    assert "# Squares of numbers (course table binary --quick)" in done.output
    assert f"written: {tmp_path / 'out' / 'published'}" in done.output
    assert read_table(tmp_path / "out" / "measured" / "binary.json")["level"] == "quick"


@pytest.mark.usefixtures("fake")
def test_only_what_is_fit_is_published(tmp_path: Path) -> None:
    course, out = tmp_path / "course", tmp_path / "out"
    results = course / "course_utils" / "tables" / "measured"

    def refused(reason: str) -> None:
        before = tables_in(results)
        with pytest.raises(ValueError, match=reason):
            list(publish(out, course))
        assert tables_in(results) == before

    refused("is no clone of the course")
    results.parent.mkdir(parents=True)
    refused("nothing was measured in")
    measure(out, "squares", level="quick", validate=True)
    refused("squares cannot be published: it was measured on held-out rows")
    measure(out, "squares")
    file = out / "measured" / "squares.json"
    content = read_table(file)
    write_table(file, json.loads(json.dumps(content).replace(COMMIT, f"{COMMIT}+")))
    refused("is in no commit")
    write_table(file, content)
    (out / "pictures" / "squares-squares.png").rename(tmp_path / "away.png")
    refused("lacks squares-squares.png")
    (tmp_path / "away.png").rename(out / "pictures" / "squares-squares.png")
    (course / "notebooks" / "tables" / "pictures").mkdir(parents=True)
    (course / "notebooks" / "tables" / "pictures" / "orphan.png").write_bytes(b"")
    list(publish(out, course))
    assert [path.name for path in (course / "notebooks/tables/pictures").iterdir()] == ["squares-squares.png"]
    measure(out, "squares", level="quick")
    refused("it has the quick level where the course has the full one; run it again as it was, or delete its file")
    measure(out, "squares", seeds=1)
    refused("it has fewer seeds than the course: 1 for 2")
    for row in content["parts"][0]["rows"]:
        row["from"] = []
    write_table(file, content)
    refused("it has nothing measured in squares where the course has")
    (results / "squares.json").unlink()
    list(publish(out, course))


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    "content",
    ["[]", "null", "{}", '{"sources": {}, "parts": [], "records": {"1": {}}}', "1", '{"title": "old"}', '{"title": "o'],
)
def test_a_file_of_something_else_is_reported_before_the_work(content: str, tmp_path: Path) -> None:
    (tmp_path / "measured").mkdir()
    (tmp_path / "measured" / "squares.json").write_text(content)
    with pytest.raises(ValueError, match=r"squares\.json is damaged or of another version .*; delete it"):
        measure(tmp_path, "squares")
    assert not (tmp_path / "squares").exists()


@pytest.mark.usefixtures("fake")
def test_a_record_of_another_version_is_one_sentence(tmp_path: Path) -> None:
    measure(tmp_path, "squares")
    journal = tmp_path / "squares" / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"square":', '"result":'))
    with pytest.raises(SweepError, match="has no 'square': another version of the course measured it; delete"):
        measure(tmp_path, "squares")
    journal.write_text(re.sub(r'"values": {.*}, "seconds"', '"values": [1], "seconds"', journal.read_text()))
    assert "Squares of numbers" in measure(tmp_path, "squares")


def test_the_report_of_the_course_is_one_page_that_needs_nothing_else(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["table", "--report", str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    assert done.output == f"written: {tmp_path / 'new' / 'report.html'}\n"
    page = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
    assert page.count('src="data:image/png;base64,') == page.count("<img ")
    assert '<a id="activations-1"></a>' in page


@pytest.mark.usefixtures("fake")
def test_a_lost_picture_of_another_table_does_not_lose_the_report(tmp_path: Path) -> None:
    measure(tmp_path, "others")
    (tmp_path / "pictures" / "others-squares.png").unlink()
    measure(tmp_path, "squares")
    page = (tmp_path / "report.html").read_text()
    assert page.count('src="data:image/png;base64,') == page.count('src="pictures/others-squares.png"') == 1


def test_a_link_stands_for_a_run_of_records() -> None:
    records = [{"number": number} for number in range(1, 32)]
    table = Table("t", "T", "04", "full", records, [])

    def links(*numbers: int) -> str:
        return cited(table, [records[number - 1] for number in numbers], lambda number: f"#t-{number}")

    assert links() == ""
    assert links(2, 1) == "[1–2](#t-1)"
    assert links(1, 2, 3, 4, 7, 28, 29, 30, 31) == "[1–4](#t-1), [7](#t-7), [28–31](#t-28)"


def test_the_commit_is_that_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *author, *arguments], check=True, capture_output=True)

    monkeypatch.setattr(origin, "ROOT", tmp_path)
    commit = origin.commit.__wrapped__
    package = tmp_path / "course_utils"
    (package / "tables" / "measured").mkdir(parents=True)
    results = package / "tables" / "measured" / "binary.json"
    (tmp_path / "page.md").write_text("another project")
    git("init", "-q")
    git("add", "page.md")
    git("commit", "-q", "-m", "one")
    (package / "__init__.py").write_text("")
    assert commit().startswith("version ")
    results.write_text("{}")
    git("add", ".")
    git("commit", "-q", "-m", "two")
    assert re.fullmatch("[0-9a-f]{10}", commit())
    results.write_text("{ }")
    assert re.fullmatch("[0-9a-f]{10}", commit())
    (package / "__init__.py").write_text("changed = True")
    assert re.fullmatch(r"[0-9a-f]{10}\+", commit())


PRINTING = """
import sys
from pathlib import Path
from course_utils.cli import main
from course_utils.tables import deep_compression, quantized, run, tables

def lines(names, out, **settings):
    yield from ("a \\N{MINUS SIGN}" for _ in range(10_000))
    (out / "finished").touch()

run.run_tables = lines
main()
"""


def test_what_cannot_be_printed_ends_no_work(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PRINTING, "table", "quantized", "--out", str(tmp_path)]
    old_console = os.environ | {"PYTHONIOENCODING": "cp1252"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=old_console) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().split() == [b"a", b"?"]
        process.stdout.close()  # as `| head -1` does
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert (tmp_path / "finished").is_file()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = CliRunner().invoke(main, ["table", "quantized", "--out", str(tmp_path / "file" / "results")])
    assert result.exit_code == 1
    assert "choose another folder with --out" in result.output


def without_mnist(bench: Workbench, *, seed: int) -> dict[str, Any]:
    raise DataError("mnist is not available")


def broken(bench: Workbench, *, seed: int) -> dict[str, Any]:
    raise RuntimeError("a wrong piece of work")


@pytest.mark.usefixtures("fake")
def test_what_fails_within_a_sweep_ends_its_table_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def first_part_only(bench: Workbench) -> Iterator[Section]:
        yield next(sections(bench))
        bench.sweep(without_mnist, [{"seed": 0}])

    def nothing(bench: Workbench) -> Iterator[Section]:
        bench.sweep(broken, [{"seed": 0}])
        yield Section("Never", [""], [])

    some = {"others": SimpleNamespace(TITLE="Half", SECTION="09", SEEDS=1, run=first_part_only), "squares": FAKE}
    monkeypatch.setattr(run, "table", lambda name: some[name])
    printed: list[str] = []
    with pytest.raises(run.NotMeasured, match="^others, Not measured: mnist is not available$"):
        printed.extend(lines_of(tmp_path, "others", "squares"))
    assert "mnist is not available." in "\n".join(printed)
    tables = tables_in(tmp_path / "measured")
    assert [part["name"] for part in tables["others"]["parts"]] == ["squares", "not-measured"]
    assert list(tables) == ["squares", "others"]
    some["others"] = SimpleNamespace(TITLE="Wrong", SECTION="09", SEEDS=1, run=nothing)
    lines: list[str] = []
    both = run.run_tables(
        ["others", "squares"], tmp_path, level="full", seeds=None, validate=False, jobs=1, progress=False, data=DATA
    )
    with pytest.raises(SweepError, match="others: 1 of 1 points of the sweep are not done.*a wrong piece of work"):
        lines.extend(both)
    assert "# Squares of numbers" in "\n".join(lines)


@pytest.mark.usefixtures("fake")
def test_records_of_other_data_are_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure(tmp_path, "squares")
    journal = tmp_path / "squares" / "journal.jsonl"
    before = journal.read_text()
    measure(tmp_path, "squares")
    assert journal.read_text() == before
    fewer = {"mnist": DATA["mnist"].subset(400)}
    list(
        run.run_tables(
            ["squares"], tmp_path, level="full", seeds=None, validate=False, jobs=1, progress=False, data=fewer
        )
    )
    assert len(journal.read_text().splitlines()) == 2 * len(before.splitlines())
    records = tables_in(tmp_path / "measured")["squares"]["records"]
    assert {record["result"]["rows"] for record in records} == {400}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["quantized", "shallow"], "no table is called 'shallow'"),
        (["quantized", "--device", "nonsense"], "device must be one that torch knows"),
        (["--all", "quantized"], "--all measures every table: leave out quantized"),
    ],
)
def test_what_is_asked_wrongly_is_one_sentence_and_leaves_no_folder(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    result = CliRunner().invoke(main, ["table", *arguments, "--out", str(tmp_path / "results")])
    assert result.exit_code == 1
    assert sentence in result.output
    assert not (tmp_path / "results").exists()
