"""`course tidy`: what is taken out of a notebook, what stays, and what is reported."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner

from course_utils._support.kernel import METADATA
from course_utils._support.paths import EXERCISES, NOTEBOOKS
from course_utils._support.views import AWAY, VIEW
from course_utils.cli import main
from course_utils.course.tidy import MAX_BYTES, problems, tidied, tidy_file
from course_utils.exercises.catalogue import exercises, load_exercise
from course_utils.exercises.notebook.reader import read_notebook
from course_utils.exercises.notebook.skeleton import skeleton


def code(*outputs: dict[str, Any], count: int | None = 7, **metadata: Any) -> dict[str, Any]:
    cell = {"cell_type": "code", "id": "a", "source": "f()", "metadata": metadata, "outputs": list(outputs)}
    return cell | {"execution_count": count}


def notebook(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content))
    return path


def display(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


PICTURE = display({"image/png": "AAAA", "text/plain": "words"}, **{"image/png": {"alt": "words"}})
BAR = display({VIEW: {"model_id": "1"}, "text/plain": "0%"})
WIDGET = display({VIEW: {"model_id": "1"}, "text/html": "<p>run me</p>", "text/plain": "words"})
SAVED = display({"image/png": "AAAA"}, **{AWAY: {"view": {"model_id": "1"}, "process": 7}})
WARNING = {"output_type": "stream", "name": "stderr", "text": "/usr/x.py:3: UserWarning"}
PRINTED = {"output_type": "stream", "name": "stdout", "text": "0.5"}


def test_pictures_prints_and_captions_stay_and_the_rest_goes() -> None:
    cell = code(PICTURE, BAR, WIDGET, SAVED, WARNING, PRINTED, execution={"iopub": "2026"}, tags=["x"], collapsed=True)
    clean = tidied(notebook(cell, widgets={"state": {}}, kernelspec={"name": "mine", "display_name": "Mine"}))
    (clean_cell,) = clean["cells"]
    caption = display({"text/html": "<p>run me</p>", "text/plain": "words"})
    assert clean_cell["outputs"] == [PICTURE, caption, display({"image/png": "AAAA"}), PRINTED]
    assert clean_cell["metadata"] == {"tags": ["x"]}
    assert clean_cell["execution_count"] == 7
    assert clean["metadata"] == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"file_extension": ".py", "name": "python", "nbconvert_exporter": "python"},
    }


def test_every_trace_of_a_run_goes() -> None:
    notebook_keys = ("widgets", "signature", "colab", "vscode", "toc")
    language_keys = "version codemirror_mode mimetype pygments_lexer"
    cell_keys = "execution ExecuteTime collapsed scrolled heading_collapsed hidden trusted colab vscode id outputId"
    before = notebook(
        code(PRINTED, **dict.fromkeys(cell_keys.split(), "x")),
        **dict.fromkeys(notebook_keys, "x"),
        language_info={"name": "python"} | dict.fromkeys(language_keys.split(), "x"),
    )
    clean = tidied(before)
    assert clean["metadata"] == METADATA
    assert clean["cells"][0]["metadata"] == {}


def test_a_file_is_written_as_jupyter_writes_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", notebook(code(PRINTED | {"text": "λ = 0.5"}, BAR)))
    assert tidy_file(path)
    text = path.read_text(encoding="utf-8")
    assert "λ = 0.5" in text
    assert text.startswith('{\n "cells"')
    assert text.endswith("}\n")


def test_tidying_twice_changes_nothing_more_and_leaves_the_input_alone() -> None:
    before = notebook(code(PICTURE, BAR, execution={"a": 1}), language_info={"name": "python", "version": "3.12.1"})
    copy = json.loads(json.dumps(before))
    once = tidied(before)
    assert before == copy
    assert tidied(once) == once
    assert once["metadata"] == METADATA
    assert tidied(notebook(code(PRINTED)))["metadata"] == {}, "what is not there is not made up"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (notebook(code(BAR)), "course tidy"),
        (
            notebook(code({"output_type": "error", "ename": "E", "evalue": "", "traceback": []}, count=1)),
            "shows an error",
        ),
        (notebook(code(PRINTED | {"text": "it is in /srv/ada/data"}, count=1)), "/srv/ada/data"),
        (notebook(code(PRINTED | {"text": "C:\\Users\\ada"}, count=1)), "path of a machine"),
        (notebook(code(PRINTED | {"text": "x" * MAX_BYTES}, count=1)), "are allowed"),
    ],
)
def test_each_problem_is_named(tmp_path: Path, content: dict[str, Any], word: str) -> None:
    (problem,) = problems(write(tmp_path / "a.ipynb", content))
    assert word in problem


def test_a_picture_may_contain_what_looks_like_a_path(tmp_path: Path) -> None:
    picture = display({"image/png": "aa /srv/ada/aa", "text/plain": ""}, **{"image/png": {"alt": ""}})
    assert problems(write(tmp_path / "a.ipynb", notebook(code(picture, count=1)))) == []


@pytest.mark.parametrize(
    "text",
    ["see https://a.org/b/c", "<b>x</b>/y/z", "1/2/3 or w/x/y", "/ 3", "a/b/c.py", "</details>"],
)
def test_what_is_no_path_of_a_machine(tmp_path: Path, text: str) -> None:
    assert problems(write(tmp_path / "a.ipynb", notebook(code(PRINTED | {"text": text}, count=1)))) == []


def test_a_path_is_seen_behind_a_line_break_and_across_pieces(tmp_path: Path) -> None:
    for text in ("first\n/srv/ada/x.py", ["first\n", "/srv/ada", "/x.py"]):
        (problem,) = problems(write(tmp_path / "a.ipynb", notebook(code(PRINTED | {"text": text}, count=1))))
        assert "/srv/ada/x.py" in problem


def test_a_tidy_file_is_not_touched(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", notebook(code(PICTURE, BAR)))
    assert tidy_file(path)
    content = path.read_bytes()
    assert not tidy_file(path)
    assert path.read_bytes() == content


def test_the_command_checks_or_mends(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", notebook(code(PICTURE, BAR)))
    before = path.read_bytes()
    check = CliRunner().invoke(main, ["tidy", "--check", str(path)])
    assert check.exit_code == 1
    assert "run `course tidy`" in check.output
    assert path.read_bytes() == before
    assert CliRunner().invoke(main, ["tidy", str(path)]).exit_code == 0
    assert CliRunner().invoke(main, ["tidy", "--check", str(path)]).exit_code == 0


def test_a_notebook_that_cannot_be_read_or_written_does_not_keep_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_bytes(b"{")
    (tmp_path / "b.ipynb").write_bytes(b"\xff")
    read_only = write(tmp_path / "c.ipynb", notebook(code(PICTURE, BAR)))
    read_only.chmod(0o444)
    write(tmp_path / "d.ipynb", notebook(code(PICTURE, BAR)))
    result = CliRunner().invoke(main, ["tidy", str(tmp_path)])
    assert result.exit_code == 1
    for name, reason in (
        ("a", "Expecting property name"),
        ("b", "'utf-8' codec"),
        ("c", "read-only; make it writable"),
    ):
        assert re.search(rf"{name}\.ipynb cannot be read as a notebook, or be written: .*{reason}", result.output)
    assert f"tidied {tmp_path / 'd.ipynb'}" in result.output


def test_without_nbstripout_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nbstripout", None)
    result = CliRunner().invoke(main, ["tidy", str(write(tmp_path / "a.ipynb", notebook()))])
    assert result.exit_code == 1
    assert "nbstripout is not installed; it comes with an extra: pip install 'course-utils[test]'" in result.output


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.rglob("*.ipynb")), ids=lambda path: path.stem)
def test_nbconvert_makes_a_python_script_of_every_notebook(path: Path) -> None:
    assert_is_script(tidied(json.loads(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("name", exercises())
def test_nbconvert_makes_a_python_script_of_what_exercises_write(name: str) -> None:
    source = (EXERCISES / "source" / name / f"{name}.ipynb").read_bytes()
    assert_is_script(skeleton(load_exercise(name)))
    assert_is_script(read_notebook(source).document())


@pytest.mark.parametrize("command", ["tidy", "export"])
def test_a_path_without_notebooks_is_an_error(command: str, tmp_path: Path) -> None:
    (tmp_path / "words.md").write_text("words")
    for path in (tmp_path, tmp_path / "words.md"):
        result = CliRunner().invoke(main, [command, str(path)])
        assert result.exit_code == 1
        assert f"{path} is no notebook and no folder with notebooks" in result.output


def assert_is_script(content: dict[str, Any]) -> None:
    from nbconvert.exporters import ScriptExporter

    text, resources = ScriptExporter().from_notebook_node(nbformat.reads(json.dumps(content), as_version=4))
    assert resources["output_extension"] == ".py"
    compile(text, "script", "exec")
