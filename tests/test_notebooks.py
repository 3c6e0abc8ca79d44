"""Every notebook: as it is kept in the repository, and as it runs from top to bottom."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from course_utils.course.tidy import problems
from notebooks import Run, execute, write

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECTIONS = [path for path in NOTEBOOKS if path.name[:2].isdigit() and not path.name.startswith("00")]

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_section = pytest.mark.parametrize("path", SECTIONS, ids=lambda path: path.stem)


def read(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def text(path: Path) -> str:
    return "\n".join("".join(cell["source"]) for cell in read(path) if cell["cell_type"] == "markdown")


@each_notebook
def test_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    run = execute(path, tmp_path)
    print(f"{path.name}: {run.seconds:.1f} s, {run.cpu_seconds:.1f} s of CPU, {run.megabytes:.0f} MB")
    assert run.passed, run.output[-6000:]
    assert run.attempts == []
    assert 0 < run.cpu_seconds < 90  # not the clock: other tests run beside this one
    assert 0 < run.megabytes < 1000


@each_notebook
def test_is_kept_tidy(path: Path) -> None:
    assert problems(path) == []


@each_notebook
def test_is_kept_with_its_outputs(path: Path) -> None:
    counts = [cell["execution_count"] for cell in read(path) if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_shows_no_warnings(path: Path) -> None:
    for cell in read(path):
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output.get("text")


@pytest.mark.slow
@each_section
def test_shows_the_same_when_it_runs_again(path: Path, tmp_path: Path) -> None:
    first, second = (outputs_of(path, tmp_path / str(i)) for i in range(2))
    assert first == second


@pytest.mark.slow
@each_section
def test_runs_on_mnist_by_changing_one_name(
    path: Path, tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_DATA", str(data_root))
    assert 'DATA = "digits"' in path.read_text(encoding="utf-8").replace('\\"', '"')
    outputs_of(path, tmp_path, old='DATA = "digits"', new='DATA = "mnist"')


def outputs_of(path: Path, folder: Path, *, old: str = "", new: str = "") -> list[Any]:
    """What a fresh kernel shows for each code cell, once `old` is replaced in all cells."""
    import nbformat
    from nbclient import NotebookClient

    folder.mkdir(exist_ok=True)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(old, new) if old else cell.source
    resources = {"metadata": {"path": str(folder)}}
    # Into how many pieces a printed text is cut depends on the clock, so the pieces are put together.
    NotebookClient(notebook, timeout=600, coalesce_streams=True, resources=resources).execute()
    return [
        [(o.get("text"), o.get("data", {}).get("text/plain"), o.get("data", {}).get("image/png")) for o in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@each_notebook
def test_each_picture_says_in_words_what_it_shows(path: Path) -> None:
    for cell in read(path):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert len(output["metadata"]["image/png"]["alt"]) > 20


@each_notebook
def test_its_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text(path)):
        assert (path.parent / target).exists(), target


@each_section
def test_has_the_shape_of_a_lesson(path: Path) -> None:
    first = "".join(read(path)[0]["source"])
    assert first.startswith(f"# {path.name[:2]} · ")
    assert "time needed: about" in first
    assert "**Goals.**" in first
    content = text(path)
    cells = [cell for cell in read(path) if not "".join(cell["source"]).startswith("measured(")]  # nothing to move
    panels = sum("image/png" in o.get("data", {}) for cell in cells for o in cell.get("outputs", []))
    assert panels >= 3
    assert content.count("**Predict.**") >= panels - content.count("<summary><b>One solution")
    for part in (
        "<summary><b>What to see</b></summary>",
        "Now you",
        "## Recap",
        "**Recall.**",
        "<summary><b>One solution",
    ):
        assert part in content
    assert content.count("<details>") == content.count("</details>")
    assert content.count("$$") % 2 == 0


def run_of(tmp_path: Path, *cells: str) -> Run:
    return execute(write(tmp_path / "bad.ipynb", *cells), tmp_path / "run")


def test_the_harness_sees_a_failing_cell_and_memory(tmp_path: Path) -> None:
    run = run_of(tmp_path, "block = bytearray(400_000_000)\nimport time; time.sleep(1)", "1 / 0")
    assert not run.passed
    assert "ZeroDivisionError" in run.output
    assert 400 < run.megabytes < 1000


def test_the_harness_sees_an_attempt_to_reach_the_network_even_if_it_is_swallowed(tmp_path: Path) -> None:
    cell = """
import socket, urllib.request
for attempt in (lambda: urllib.request.urlopen("http://example.org/", timeout=2),
                lambda: socket.create_connection(("192.0.2.1", 80), timeout=2)):
    try:
        attempt()
    except OSError as error:
        assert "blocked by the test" in str(error), error
"""
    run = run_of(tmp_path, cell)
    assert run.passed, run.output
    assert len(run.attempts) == 2


def test_the_harness_cuts_a_notebook_that_does_not_end(tmp_path: Path) -> None:
    path = write(tmp_path / "endless.ipynb", "while True: pass")
    run = execute(path, tmp_path / "run", seconds=8)
    assert not run.passed
    assert run.seconds < 30
