"""The record of what a reader has run: kept honestly, and never in the way."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course_utils.course import progress
from course_utils.course.progress import HIDDEN, Record, overview, record_progress
from notebooks import write

NAME = "04_sparse_and_group_sparse_penalties.ipynb"


class Shell:
    """Stands in for IPython's shell."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}
        self.callbacks: list[Any] = []
        self.panel_moved: Any = lambda title: None
        self.events = SimpleNamespace(register=lambda name, call: self.callbacks.append(call))

    def run(self, source: str, cell_id: str | None, *, success: bool = True, store: bool = True) -> None:
        info = SimpleNamespace(raw_cell=source, cell_id=cell_id, store_history=store)
        for call in self.callbacks:
            call(SimpleNamespace(success=success, info=info))


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook of three cells, with ids cell0 to cell2, for which a kernel is running here."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    path = write(folder / NAME, "1", "2", "3")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(progress, "_recorder", None)
    return path


@pytest.fixture
def shell(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    shell = Shell()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr(progress, "on_move", lambda listener: setattr(shell, "panel_moved", listener))
    record_progress()
    return shell


def words() -> str:
    return next(state.words for state in overview().states if state.page.section.number == "04")


def test_what_has_run_is_counted_once(shell: Shell) -> None:
    assert words() == "not yet"
    for _ in range(2):
        shell.run("1", "cell0")
    assert words().startswith("1 of 3 cells, last on 20")
    shell.run("another text", "cell1")  # the reader has changed the cell
    shell.run("3", "id-of-another-editor")
    shell.panel_moved("A panel")
    shell.panel_moved("A panel")
    assert words().startswith("all 3 cells, 1 panel moved, last on 20")
    assert overview().next is None


def test_what_failed_or_is_not_of_the_notebook_does_not_count(shell: Shell) -> None:
    shell.run("1", "cell0", success=False)
    shell.run("2", "cell1", store=False)
    shell.run("something else", "new-cell")
    assert words() == "not yet"


def test_a_new_kernel_goes_on_where_the_old_one_was(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.run("1", "cell0")
    monkeypatch.setattr(progress, "_recorder", None)
    shell.callbacks.clear()
    record_progress()
    record_progress()
    assert len(shell.callbacks) == 1
    shell.run("2", "cell1")
    assert words().startswith("2 of 3 cells")


def test_a_folder_that_cannot_be_written_sends_the_record_home(shell: Shell, notebook: Path, tmp_path: Path) -> None:
    (notebook.parent / HIDDEN).write_text("a file where the folder should be")
    shell.run("1", "cell0")
    assert words().startswith("1 of 3 cells")
    assert list((tmp_path / "home").rglob("*.json"))


def test_where_nothing_can_be_written_nothing_fails(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(Path, "mkdir", refuse)
    shell.run("1", "cell0")
    shell.panel_moved("A panel")
    assert words() == "not yet"
    assert Record({"x"}, set(), "").write(Path("/") / "nowhere" / NAME) is False


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', '{"cells": [], "panels": [], "last": null}'])
def test_a_broken_record_counts_as_none(shell: Shell, notebook: Path, content: str) -> None:
    record = notebook.parent / HIDDEN / f"{notebook.stem}.json"
    record.parent.mkdir()
    record.write_text(content)
    assert words() == "not yet"
    shell.run("1", "cell0")
    assert words().startswith("1 of 3 cells")
    assert json.loads(record.read_text())["cells"]


@pytest.mark.parametrize("name", ["", "04_other.txt", "my_own.ipynb", "44_x.ipynb"])
def test_other_kernels_keep_no_record(shell: Shell, notebook: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(progress, "_recorder", None)
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook.parent / name) if name else "")
    shell.callbacks.clear()
    record_progress()
    assert shell.callbacks == []
    assert not (notebook.parent / HIDDEN).exists()


def test_vs_code_names_its_notebook_in_the_namespace(shell: Shell, notebook: Path, monkeypatch) -> None:
    monkeypatch.setattr(progress, "_recorder", None)
    monkeypatch.delenv("JPY_SESSION_NAME")
    shell.user_ns["__vsc_ipynb_file__"] = str(notebook)
    record_progress()
    shell.run("1", "vscode-notebook-cell:x")
    assert words().startswith("1 of 3 cells")


def test_the_overview_leads_to_what_is_next(shell: Shell) -> None:
    shown = overview()
    assert f"Go on with [04 Sparse and group-sparse penalties]({NAME})." in shown._repr_markdown_()
    assert "05 Limited-precision arithmetic" in repr(shown)
    assert "not in this folder" in repr(shown)


OPEN = """import course_utils.panels.engine.widget
from course_utils.panels.engine import Panel
from course_utils.course.progress import overview, record_progress"""


def run_in_a_kernel(notebook: Path, *cells: str) -> None:
    """In a kernel as JupyterLab starts it, with the ids of the cells in the messages."""
    write(notebook, *cells)
    code = "import nbclient, nbformat, sys; nb = nbformat.read(sys.argv[1], 4); "
    code += "nbclient.NotebookClient(nb, allow_errors=True).execute()"
    environment = os.environ | {"JPY_SESSION_NAME": str(notebook)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(notebook)], check=True, env=environment)


def test_a_real_kernel_keeps_the_record_from_the_call_on(notebook: Path) -> None:
    run_in_a_kernel(notebook, OPEN, "record_progress()", "1 / 0")
    assert words().startswith("1 of 3 cells")


def test_a_notebook_that_does_not_ask_for_a_record_keeps_none(notebook: Path) -> None:
    run_in_a_kernel(notebook.with_name("03_my_own_project.ipynb"), OPEN, "overview()")
    assert not list(notebook.parent.parent.rglob(HIDDEN))


def test_the_record_is_not_committed() -> None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    path = f"notebooks/{HIDDEN}/x.json"
    assert subprocess.run(["git", "check-ignore", "-q", path], cwd=root).returncode == 0
