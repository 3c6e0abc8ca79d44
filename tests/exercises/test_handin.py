"""Clumsy notebooks and what becomes of them when they are handed in: each with its message and its repair."""

import copy
import json
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect

from course_utils.bench import browser as lab
from course_utils.cli import main
from course_utils.exercises import exercises, hand_in, load_exercise
from course_utils.exercises.grading.collect import collect
from course_utils.exercises.handin import form, saved
from course_utils.exercises.handin.prepare import FOLDER, HandIn, last_student, prepare, student_name, write
from course_utils.exercises.notebook.reader import NotebookError, receipt_of
from course_utils.exercises.notebook.release import student_version

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "notebooks" / "exercises" / "source"
Notebook = dict[str, Any]


@cache
def _handed_out(name: str) -> Notebook:
    return student_version(json.loads((SOURCE / name / f"{name}.ipynb").read_text(encoding="utf-8")))


def handed_out(name: str = "ex04") -> Notebook:
    """The notebook as students get it."""
    return copy.deepcopy(_handed_out(name))


def solved() -> Notebook:
    """Exercise 04 with answers, run from top to bottom."""
    notebook, count = handed_out(), 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            put(cell, text(cell).replace("# YOUR CODE HERE\n    raise NotImplementedError()", "return 0 * w"))
            cell["execution_count"] = count
        elif grade_id(cell) == "ex04-written":
            put(cell, "A small weight jumps across zero.")
    return notebook


def text(cell: Notebook) -> str:
    return "".join(cell["source"])


def put(cell: Notebook, source: str) -> None:
    cell["source"] = source.splitlines(keepends=True)


def grade_id(cell: Notebook) -> str:
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def at(notebook: Notebook, name: str) -> int:
    return next(i for i, cell in enumerate(notebook["cells"]) if grade_id(cell) == name)


def named(notebook: Notebook, name: str) -> Notebook:
    return notebook["cells"][at(notebook, name)]


def added(source: str, kind: str = "code", **more: Any) -> Notebook:
    cell = {"cell_type": kind, "id": f"added-{abs(hash(source)) % 10**6}", "metadata": {}, "source": source}
    return cell | ({"outputs": [], "execution_count": 99} if kind == "code" else {}) | more


def data_of(notebook: Notebook) -> bytes:
    return json.dumps(notebook, ensure_ascii=False).encode()


def prepared(notebook: Notebook | bytes, **more: Any) -> HandIn:
    content = notebook if isinstance(notebook, bytes) else data_of(notebook)
    return prepare(content, **({"student": "ada", "file": "ex04.ipynb"} | more))


def inside(hand_in: HandIn) -> Notebook:
    """The notebook in the file; it is valid, and whole."""
    notebook = nbformat.reads(hand_in.content.decode(), as_version=4)
    nbformat.validate(notebook)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    plain: Notebook = json.loads(hand_in.content)
    names = [grade_id(cell) for cell in plain["cells"] if grade_id(cell)]
    assert len(set(names)) == len(names)
    answers = {f"ex04-{task.name}" for task in load_exercise("ex04").tasks}
    texts = [text(cell) for cell in plain["cells"] if cell["cell_type"] == "code"]
    for name in answers - set(names):  # then another cell defines the function
        assert any(f"def {name.removeprefix('ex04-')}(" in source for source in texts)
    assert "ex04-written" in names
    again = prepare(hand_in.content, student=hand_in.student)
    assert again.content == hand_in.content, "what is handed in needs no repair"
    assert again.repaired == ()
    return plain


# A notebook that is as it should be


def test_a_solved_notebook_leaves_as_it_is() -> None:
    notebook = solved()
    hand_in = prepared(notebook)
    assert (hand_in.file, hand_in.repaired, hand_in.warnings) == ("ex04_ada.ipynb", (), ())
    assert hand_in.receipt == receipt_of(hand_in.content)
    assert len(hand_in.receipt) == 16
    got = inside(hand_in)
    assert got["metadata"]["course"] == {"exercise": "ex04", "student": "ada"}
    assert [text(cell) for cell in got["cells"]] == [text(cell) for cell in notebook["cells"]]
    assert [cell["metadata"] for cell in got["cells"]] == [cell["metadata"] for cell in notebook["cells"]]


@pytest.mark.parametrize("name", exercises())
def test_the_last_cell_hands_in_without_any_other(name: str) -> None:
    (cell,) = (cell for cell in handed_out(name)["cells"] if "handin" in cell["metadata"].get("tags", []))
    space: dict[str, object] = {}
    exec("".join(cell["source"]).replace(f'hand_in("{name}")', f'form = hand_in("{name}")'), space)
    assert isinstance(space["form"], form.HandInForm)


@pytest.mark.parametrize("name", exercises())
def test_every_exercise_as_handed_out_is_whole_and_not_begun(name: str) -> None:
    if not (SOURCE / name / f"{name}.ipynb").is_file():
        pytest.skip(f"{name} has no notebook yet")
    hand_in = prepared(handed_out(name), file=f"{name}.ipynb")
    tasks = load_exercise(name).tasks
    assert hand_in.exercise == name
    assert hand_in.repaired == ()
    assert sum("has not been begun" in warning for warning in hand_in.warnings) == len(tasks)
    assert sum("the written answer, is empty" in warning for warning in hand_in.warnings) == 1
    assert sum("you have run any cell" in warning for warning in hand_in.warnings) == 1
    assert len(hand_in.warnings) == len(tasks) + 2


def test_the_lecturers_list_shows_the_same_name_and_receipt(tmp_path: Path) -> None:
    for student in ("Ada Lovelace", "4711", "Zoë-Anna", "group-12", "o_o"):
        write(prepared(solved(), student=student), tmp_path)
    submissions = collect(tmp_path, exercises())
    assert {row.student for row in submissions} == {"Ada_Lovelace", "4711", "Zoë-Anna", "group_12", "o_o"}
    assert all(row.exercise == "ex04" and not row.problem and not row.remarks for row in submissions)
    assert {row.receipt for row in submissions} == {receipt_of(path.read_bytes()) for path in tmp_path.iterdir()}


# Clumsy ones: what was changed, what is said to be repaired, what is warned of


def lost(*names: str) -> Callable[[Notebook], None]:
    def change(notebook: Notebook) -> None:
        for name in names:
            del notebook["cells"][at(notebook, f"ex04-{name}")]

    return change


def copied(name: str, source: str | None = None, *, above: bool = False) -> Callable[[Notebook], None]:
    def change(notebook: Notebook) -> None:
        place = at(notebook, f"ex04-{name}")
        cell = copy.deepcopy(notebook["cells"][place]) | {"id": "another"}
        if source is not None:
            put(cell, source)
        notebook["cells"].insert(place + (0 if above else 1), cell)

    return change


def stripped(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["metadata"] = {}


def by_colab(notebook: Notebook) -> None:
    notebook |= {"nbformat_minor": 0, "metadata": {"colab": {"provenance": []}, "kernelspec": {"name": "python3"}}}
    for cell in notebook["cells"]:
        cell["metadata"] = {"id": cell.pop("id"), "colab": {"base_uri": "https://localhost:8080/"}}
        cell["source"] = text(cell)


def by_vs_code(notebook: Notebook) -> None:
    notebook["metadata"] = {"language_info": {"name": "python", "version": "3.11"}, "vscode": {"interpreter": {}}}
    for cell in notebook["cells"]:
        cell["metadata"] = {"vscode": {"languageId": "python"}}


def retyped(name: str, kind: str) -> Callable[[Notebook], None]:
    def change(notebook: Notebook) -> None:
        cell = named(notebook, f"ex04-{name}")
        cell["cell_type"] = kind
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
        if kind == "code":
            cell |= {"outputs": [], "execution_count": None}

    return change


def remarked(notebook: Notebook) -> None:
    named(notebook, "ex04-soft_threshold-check")["metadata"]["nbgrader"] |= {"points": 200, "grade": False}


def with_crlf(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        put(cell, text(cell).replace("\n", "\r\n"))


def with_another_exercise(notebook: Notebook) -> None:
    cell = added("def hinge(x):\n    return x")
    cell["metadata"] = {"nbgrader": {"grade_id": "ex99-hinge", "solution": True, "locked": False}}
    notebook["cells"].append(cell)


def huge_output(notebook: Notebook) -> None:
    named(notebook, "ex04-setup")["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 6_000_000}]


def answer_below(notebook: Notebook) -> None:
    put(named(notebook, "ex04-written"), "YOUR ANSWER HERE")
    picture = {"a.png": {"image/png": "aGk="}}
    beside = [added("My answer.", "markdown"), added("And more.", "markdown", attachments=picture)]
    notebook["cells"][at(notebook, "ex04-written") + 1 : at(notebook, "ex04-end")] = beside


def no_ids(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["id"] = "the same"


def in_another_cell(notebook: Notebook) -> None:
    cell = named(notebook, "ex04-soft_threshold")
    notebook["cells"].insert(at(notebook, "ex04-setup") + 2, added(text(cell)))
    lost("soft_threshold")(notebook)


def merged(notebook: Notebook) -> None:
    put(
        named(notebook, "ex04-soft_threshold"),
        text(named(notebook, "ex04-soft_threshold")) + "\n\ncheck(soft_threshold)",
    )
    lost("soft_threshold-check")(notebook)


STUB = "def soft_threshold(w, *, step):\n    '''Text.'''\n    raise NotImplementedError()"
REPAIRED = {
    "check lost": (lost("soft_threshold-check"), "Deleted cells were put back: the check of task 1."),
    "text lost": (lost("opening", "written-text", "end"), "put back: the first text, the text of task 6,"),
    "hand-in cell lost": (lost("handin"), "put back: the hand-in cell."),
    "check copied": (copied("soft_threshold-check"), "The check of task 1 was there 2 times; one of them counts."),
    "answer copied": (copied("soft_threshold"), "The function soft_threshold of task 1 was there 2 times"),
    "panel copied": (copied("panel"), "The panel was there 2 times; one of them counts."),
    "empty copy below": (
        copied("soft_threshold", "def soft_threshold(w, *, step):\n    raise NotImplementedError()"),
        "The function soft_threshold of task 1 was there 2 times; one of them counts.",
    ),
    "stripped": (stripped, "An editor had removed the marks by which cells are known; put back: 21 cells."),
    "Colab": (by_colab, "An editor had removed the marks by which cells are known; put back: 21 cells."),
    "VS Code": (by_vs_code, "An editor had removed the marks by which cells are known; put back: 21 cells."),
    "one stripped": (
        lambda n: named(n, "ex04-written")["metadata"].clear(),
        "put back: the written answer of task 6.",
    ),
    "marks changed": (remarked, "Marks that had been changed were put back: the check of task 1."),
    "code as text": (retyped("soft_threshold", "markdown"), "task 1 had become a cell of another type."),
    "code as raw": (retyped("soft_threshold", "raw"), "task 1 had become a cell of another type."),
    "text as code": (retyped("written", "code"), "The written answer of task 6 had become a cell of another type."),
    "another exercise in it": (with_another_exercise, "A cell of another exercise (ex99-hinge) was copied into it"),
    "CRLF": (with_crlf, "Line ends of Windows (CRLF)"),
    "huge output": (huge_output, "The file had 6.0 MB, and 5 MB are allowed"),
    "answer below": (answer_below, "Your written answer, or a part of it, stood beside its cell"),
    "empty below": (
        lambda n: n["cells"].append(added(STUB)),
        "The function soft_threshold of task 1 was written in another cell; its empty cell was taken out.",
    ),
    "no cell": (lambda n: n["cells"].insert(3, "text"), "Cell 4 was not a cell of a notebook; it was left out."),
}  # fmt: skip


@pytest.mark.parametrize("name", REPAIRED)
def test_what_can_be_repaired_is_and_is_said(name: str) -> None:
    change, message = REPAIRED[name]
    notebook = solved()
    change(notebook)
    hand_in = prepared(notebook)
    assert any(message in sentence for sentence in hand_in.repaired), hand_in.repaired
    assert len(hand_in.repaired) == 1
    assert [w for w in hand_in.warnings if "you have run" not in w] == []
    got, complete = inside(hand_in), inside(prepared(solved()))
    mine = [cell for cell in complete["cells"] if grade_id(cell) and grade_id(cell) != "ex04-panel"]
    for cell in mine:
        same = named(got, grade_id(cell))
        assert same["cell_type"] == cell["cell_type"]
        assert same["metadata"]["nbgrader"].items() >= {
            key: value for key, value in cell["metadata"]["nbgrader"].items() if key not in ("checksum", "cell_type")
        }.items()  # fmt: skip
        if "answer" not in name and "lost" not in name:
            assert text(same) == text(cell)
    if name == "answer below":
        assert text(named(got, "ex04-written")) == "My answer.\n\nAnd more."
        assert named(got, "ex04-written")["attachments"] == {"a.png": {"image/png": "aGk="}}


@pytest.mark.parametrize("change", [no_ids, merged, in_another_cell], ids=lambda change: change.__name__)
def test_what_harms_nothing_is_no_matter(change: Callable[[Notebook], None]) -> None:
    notebook = solved()
    change(notebook)
    hand_in = prepared(notebook)
    inside(hand_in)
    assert all("not been begun" not in warning and "missing" not in warning for warning in hand_in.warnings)
    assert len(hand_in.repaired) <= 1  # a check that was merged is put back, a function that was moved is known again


def replaced(name: str, source: str) -> Callable[[Notebook], None]:
    return lambda notebook: put(named(notebook, f"ex04-{name}"), source)


def failing(notebook: Notebook) -> None:
    error = {"output_type": "error", "ename": "NameError", "evalue": "x", "traceback": ["NameError: x"]}
    named(notebook, "ex04-soft_threshold")["outputs"] = [error]


def out_of_order(notebook: Notebook) -> None:
    named(notebook, "ex04-setup")["execution_count"] = 50


def not_run(notebook: Notebook) -> None:
    for name in ("soft_threshold", "soft_threshold-check"):
        named(notebook, f"ex04-{name}")["execution_count"] = None


def written_elsewhere(notebook: Notebook) -> None:
    put(named(notebook, "ex04-written"), "YOUR ANSWER HERE")
    notebook["cells"].insert(2, added("My answer.", "markdown"))


def written_into_the_question(notebook: Notebook) -> None:
    put(named(notebook, "ex04-written"), "YOUR ANSWER HERE")
    question = named(notebook, "ex04-written-text")
    put(question, f"{text(question)}\n\nMy answer.")


OTHER = "def soft_threshold(w, *, step):\n    return w"
WARNED = {
    "answer lost": (
        lost("soft_threshold"),
        "The cell of the function soft_threshold of task 1 is missing. Bring it back with Edit > Undo Delete Cell, or "
        "write `soft_threshold(w, *, step)` in a new code cell above its check.",
    ),
    "written answer lost": (lost("written"), "The cell of the written answer of task 6 is missing."),
    "setup lost": (lost("setup"), "The setup cell was put back as it comes with most exercises."),
    "copied and changed": (
        copied("soft_threshold", OTHER),
        "The function soft_threshold of task 1 is there 2 times, with different contents; the last one counts.",
    ),
    "not begun": (replaced("soft_threshold", STUB), "Task 1, soft_threshold, has not been begun"),
    "written not begun": (replaced("written", " "), "Task 6, the written answer, is empty"),
    "renamed function": (
        replaced("soft_threshold", OTHER.replace("def soft", "def my_soft")),
        "Task 1 has no function: no cell defines `soft_threshold(w, *, step)`.",
    ),
    "error left": (
        replaced("soft_threshold", "def soft_threshold(w, *, step):\n    y = w\n    raise NotImplementedError()"),
        "the line `raise NotImplementedError()` still stands in soft_threshold",
    ),
    "empty below, with another function": (
        lambda n: n["cells"].append(added(f"{STUB}\n\nx = 1")),
        "soft_threshold is defined more than once, and the last definition, which counts, is empty",
    ),
    "written beside its name": (
        lambda n: n["cells"].append(added(OTHER)),
        "The function soft_threshold of task 1 is there 2 times, with different contents; the last one counts.",
    ),
    "imported": (
        replaced("soft_threshold", "from my_functions import torch, soft as soft_threshold"),
        "Task 1: soft_threshold is imported from my_functions, and only what this notebook says is graded.",
    ),
    "written into the question": (
        written_into_the_question,
        "Task 6, the written answer, is empty. If you have written it into another cell, move it into the cell below",
    ),
    "written elsewhere": (
        written_elsewhere,
        "Task 6, the written answer, is empty. If you have written it into your own cell `My answer.`, move it into",
    ),
    "no Python": (
        replaced("soft_threshold", "def soft_threshold(w, *, step):\n    return (w"),
        "Python refuses the function soft_threshold of task 1 (line 2: '(' was never closed)",
    ),
    "not run": (
        not_run,
        "The saved file does not say that you have run the function soft_threshold of task 1 and the check of task 1.",
    ),
    "out of order": (out_of_order, "Cells were run in another order than they stand."),
    "error": (failing, "An error stands below the function soft_threshold of task 1."),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNED)
def test_what_only_the_student_can_mend_is_said_and_may_be_handed_in(name: str) -> None:
    change, message = WARNED[name]
    notebook = solved()
    change(notebook)
    hand_in = prepared(notebook)
    assert any(message in sentence for sentence in hand_in.warnings), hand_in.warnings
    assert len([warning for warning in hand_in.warnings if "you have run" not in warning or name == "not run"]) <= 2
    inside(hand_in)


def test_what_only_jupyter_understands_is_no_mistake() -> None:
    notebook = solved()
    sources = (
        "%matplotlib inline\n!ls\nx = 1",
        "%%bash\nls -l",
        "%%time\nx = 2",
        "torch?",
        "x = '''\n%d\n'''",
        r"r = '\d'",
    )
    notebook["cells"] += [added(source) for source in sources]
    assert prepared(notebook).warnings == ()


def test_a_copy_that_was_changed_counts_where_it_would_be_run() -> None:
    notebook = solved()
    copied("soft_threshold", OTHER)(notebook)
    got = inside(prepared(notebook))
    assert text(named(got, "ex04-soft_threshold")) == OTHER
    notebook = solved()
    copied("soft_threshold", STUB, above=True)(notebook)
    got = inside(prepared(notebook))
    assert "return 0 * w" in text(named(got, "ex04-soft_threshold"))
    assert not any(text(cell) == STUB for cell in got["cells"])


# What cannot be handed in


def broken(content: bytes) -> bytes:
    return content[: len(content) // 2]


LARGE = {"a.png": {"image/png": "A" * 6_000_000}}
REFUSED = {
    "empty": (b"", "The file is empty."),
    "cut off": (broken(data_of(_handed_out("ex04"))), r"The file is damaged at line 1 \(.*\)\. For an earlier state"),
    "no notebook": (b'{"cells": {}}', "it has no list of cells"),
    "a list": (b"[1, 2]", "it has no list of cells"),
    "nested": (b"[" * 200_000, "The file is damaged and cannot be read"),
    "a number of 5,000 digits": (b'{"cells": [' + b"9" * 5_000 + b"]}", "The file is damaged and cannot be read"),
    "a web page": (b"<!DOCTYPE html>", "The file is a web page and not a notebook"),
    "a zip file": (b"PK\x03\x04", "The file is a zip file"),
    "old format": (b'{"worksheets": [{"cells": []}], "nbformat": 3}', r"old format \(3\)"),
    "another notebook": (data_of({"cells": [added("x = 1")], "nbformat": 4}), "is no exercise of this course"),
    "pasted picture": (
        data_of(_handed_out("ex04") | {"cells": [*handed_out()["cells"], added("", "markdown", attachments=LARGE)]}),
        r"What you wrote yourself has 6\.0 MB, and 5 MB are allowed\. Most of it is in cell 23",
    ),
    "many cells": (
        data_of(_handed_out("ex04") | {"cells": [*handed_out()["cells"], *[added("x")] * 500]}),
        "has 522 cells",
    ),
    "pasted data": (
        data_of(_handed_out("ex04") | {"cells": [*handed_out()["cells"], added(f"x = '{'1' * 300_000}'")]}),
        "has 300,006 characters in cell 23, and 200,000 are read. Take out data",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_handed_in_is_refused_with_the_way_out(name: str) -> None:
    content, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        prepared(content)


def test_the_wrong_exercise_is_named() -> None:
    with pytest.raises(NotebookError, match="The file is a notebook of ex04, and ex05 is to be handed in"):
        prepared(solved(), exercise="ex05")
    with pytest.raises(ValueError, match="there is no exercise 'ex99'"):
        hand_in("ex99")


def test_a_notebook_without_any_mark_or_call_is_known_by_its_functions() -> None:
    notebook = solved()
    stripped(notebook)
    notebook["cells"] = [cell for cell in notebook["cells"] if "def " in text(cell)]
    assert prepared(notebook, exercise="ex04").exercise == "ex04"
    with pytest.raises(NotebookError, match="no cell of it belongs to one"):
        prepared(notebook)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_the_encoding_of_an_editor_is_replaced(encoding: str) -> None:
    content = json.dumps(solved(), ensure_ascii=False, indent=1).replace("\n", "\r\n").encode(encoding)
    hand_in = prepared(content)
    assert len(hand_in.repaired) == 1
    assert "was replaced by plain UTF-8" in hand_in.repaired[0]
    assert hand_in.content == prepared(solved()).content


def test_a_renamed_file_gets_its_name_back() -> None:
    hand_in = prepared(solved(), file="ex04 (1).ipynb")
    assert hand_in.file == "ex04_ada.ipynb"
    assert hand_in.repaired == (
        "Your notebook is called ex04 (1).ipynb; what you hand in gets the name that is expected.",
    )


def test_outputs_stay_and_widgets_and_traces_do_not() -> None:
    notebook = solved()
    notebook["metadata"] |= {"widgets": {"state": 1}, "signature": "abc", "path": "/home/ada"}
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "secret"}, "text/plain": "Panel"}
    named(notebook, "ex04-setup")["outputs"] = [
        {"output_type": "display_data", "data": view | {"image/png": "aGk=\n"}, "metadata": {"a": 1}},
        {"output_type": "execute_result", "data": {"text/html": ["<b>", "</b>"]}, "metadata": {}, "execution_count": 3},
        {"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]},
        {"output_type": "pickle", "data": "?"},
        "nothing",
    ]
    named(notebook, "ex04-handin")["outputs"] = [{"output_type": "display_data", "data": view, "metadata": {}}]
    hand_in = prepared(notebook)
    got = inside(hand_in)
    outputs = named(got, "ex04-setup")["outputs"]
    assert outputs[0]["data"] == {"image/png": "aGk=\n", "text/plain": "Panel"}
    assert outputs[1]["data"] == {"text/html": "<b></b>"}
    assert outputs[2]["text"] == "a\nb\n"
    assert len(outputs) == 3
    assert named(got, "ex04-handin")["outputs"] == []
    assert all(word not in hand_in.content for word in (b"secret", b"/home", b"signature", b"widgets"))


def test_data_that_no_program_reads_again_is_cut_out() -> None:
    notebook = solved()
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    data = {"application/json": {"a": "DATA", "b": 1e99}, "application/x+json": deep}
    named(notebook, "ex04-setup")["outputs"] = [{"output_type": "display_data", "data": data, "metadata": {}}]
    hand_in = prepared(data_of(notebook).replace(b"1e+99", b"1e999"))
    (output,) = named(inside(hand_in), "ex04-setup")["outputs"]
    assert output["data"]["application/json"] == {"a": "DATA", "b": None}
    assert str(output["data"]["application/x+json"]).count("[") == 101


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["cell_type", "id", "metadata", "source", "outputs", "execution_count", "attachments"]
KINDS = st.sampled_from(["stream", "error", "display_data", "execute_result"])
OUTPUTS = st.fixed_dictionaries(
    {"output_type": KINDS}, optional=dict.fromkeys(("data", "text", "traceback", "name"), VALUES)
)
CELLS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=7) | st.fixed_dictionaries(
    {"cell_type": st.just("code"), "outputs": st.lists(OUTPUTS, max_size=2)}
)


def test_a_huge_file_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course_utils.exercises.notebook.reader.MOST_BYTES", 10)
    with pytest.raises(NotebookError, match="Clear Outputs"):
        prepared(b" " * 11)


@settings(max_examples=60)
@given(st.lists(CELLS | VALUES, max_size=4), st.integers(0, 30))
def test_whatever_lies_between_the_cells_the_file_is_a_valid_notebook(cells: list[Any], place: int) -> None:
    notebook = solved()
    notebook["cells"][place:place] = cells
    try:
        content = json.dumps(notebook).encode()
    except ValueError:
        return
    inside(prepared(content))


@given(st.binary(max_size=60) | st.integers(0, 3000).map(lambda i: data_of(_handed_out("ex04"))[:i]))
def test_any_bytes_are_refused_in_words(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        prepared(content)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 21), unique=True, max_size=6), st.lists(st.integers(0, 21), max_size=4), st.booleans())
def test_lost_copied_and_stripped_together(gone: list[int], doubled: list[int], strip: bool) -> None:
    notebook = solved()
    cells = notebook["cells"]
    remaining = [cell for i, cell in enumerate(cells) if i not in gone]
    remaining[5:5] = [copy.deepcopy(cells[i]) for i in doubled]
    notebook["cells"] = remaining
    if strip:
        stripped(notebook)
    hand_in = prepared(notebook, exercise="ex04")
    got = inside(hand_in)
    defined = "\n".join(text(cell) for cell in got["cells"] if cell["cell_type"] == "code")
    for task in load_exercise("ex04").tasks:
        assert f"def {task.name}(" in defined
        if any(f"def {task.name}(" in text(cell) for cell in remaining):
            assert not any(f", {task.name}, has not been begun" in warning for warning in hand_in.warnings)


# The name


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (" Ada  Lovelace\t", "Ada_Lovelace"),
        ("4711", "4711"),
        ("a.b-c_d", "a.b-c_d"),
        ("Zoe\u0308", "Zoë"),
        ("नमिता", "नमिता"),
        ("王小明", "王小明"),
        ("group-1", "group_1"),
    ],
)
def test_a_name_becomes_part_of_a_files_name(typed: str, name: str) -> None:
    assert student_name(typed) == name


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "Write your name or student number first"),
        (" \n", "Write your name or student number first"),
        ("O'Neil", "Instead of \"O'Neil\" you could write 'O-Neil'"),
        ("../../etc/passwd", "you could write 'etc-passwd'"),
        ("ada@uni.example", "you could write 'ada-uni.example'"),
        ("-ada", "you could write 'ada'"),
        ("a" * 60, f"you could write '{'a' * 50}'"),
        ("???", "'???' is no name"),
        ("ada\0", "you could write 'ada'"),
    ],
)
def test_other_names_are_refused_with_a_proposal(typed: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        student_name(typed)


@given(st.text(max_size=80))
def test_a_name_is_taken_or_its_proposal_is(typed: str) -> None:
    try:
        name = student_name(typed)
    except ValueError as problem:
        if "you could write" in str(problem):
            proposal = str(problem).split("you could write '")[1].removesuffix("'.")
            assert student_name(proposal)
        return
    assert student_name(name) == name
    file = f"ex04_{name}.ipynb"
    assert len(f".{file}-1234567".encode()) <= 255
    assert Path(file).name == file
    assert not set(file) & set('\\/:*?"<>| \0')


# Writing it


def test_a_newer_file_replaces_the_older_and_says_so(tmp_path: Path) -> None:
    first, second = prepared(handed_out()), prepared(solved())
    folder = tmp_path / FOLDER
    assert write(first, folder) == (folder / "ex04_ada.ipynb", "")
    assert write(first, folder).earlier == "You had written the same file before; nothing has changed."
    written = write(second, folder)
    assert written.earlier.endswith(f"with the receipt {first.receipt}.")
    assert written.path.read_bytes() == second.content
    assert write(prepared(solved(), student="Bob"), folder).earlier == ""
    assert {path.name for path in folder.iterdir()} == {"ex04_ada.ipynb", "ex04_Bob.ipynb"}


def test_the_notebook_itself_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "ex04_ada.ipynb"
    path.write_bytes(data_of(solved()))
    before = path.read_bytes()
    with pytest.raises(ValueError, match="would replace your notebook"):
        write(prepared(before), tmp_path, notebook=path)
    assert path.read_bytes() == before


def test_the_same_work_has_the_same_receipt_after_it_was_looked_through_again() -> None:
    notebook = solved()
    first = prepared(notebook)
    named(notebook, "ex04-handin").update(execution_count=77, outputs=[{"output_type": "stream", "text": "x"}])
    assert prepared(notebook).receipt == first.receipt
    put(named(notebook, "ex04-written"), "Another answer.")
    assert prepared(notebook).receipt != first.receipt


def test_the_last_name_is_remembered(tmp_path: Path) -> None:
    assert last_student(tmp_path / "nowhere") == ""
    for time, name in enumerate(("ex03_Ada_L.ipynb", "ex05_Bob.ipynb", "notes.ipynb", "ex04_Eve.ipynb")):
        (tmp_path / name).write_text("{}")
        os.utime(tmp_path / name, (1_000 - time, 1_000 - time))
    assert last_student(tmp_path) == "Ada_L"


# The command


def course(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["handin", *map(str, arguments)])


def test_the_command_writes_the_file_and_says_what_it_did(tmp_path: Path) -> None:
    notebook = tmp_path / "ex04 (1).ipynb"
    notebook.write_bytes(data_of(handed_out()))
    result = course(notebook)
    assert result.exit_code == 1
    assert "add --name with your name" in result.output
    result = course(notebook, "--name", "Ada Lovelace")
    path = tmp_path / FOLDER / "ex04_Ada_Lovelace.ipynb"
    assert result.exit_code == 0, result.output
    assert f"receipt: {receipt_of(path.read_bytes())} (keep it)" in result.output
    assert "to fix: Task 1, soft_threshold, has not been begun" in result.output
    assert "repaired in the file: Your notebook is called ex04 (1).ipynb" in result.output
    result = course(notebook)  # the name of the last time
    assert "nothing has changed" in result.output
    assert course(notebook, "--name", "Ada", "--out", tmp_path / "new").exit_code == 0
    assert (tmp_path / "new" / "ex04_Ada.ipynb").is_file()
    assert notebook.read_bytes() == data_of(handed_out())


@pytest.mark.parametrize("content", [b"", b"<html>", b"{", data_of({"cells": []})])
def test_the_command_fails_in_words(tmp_path: Path, content: bytes) -> None:
    notebook = tmp_path / "ex04.ipynb"
    notebook.write_bytes(content)
    result = course(notebook, "--name", "Ada")
    assert result.exit_code == 1
    assert result.output.startswith("Error: The")
    assert not (tmp_path / FOLDER).exists()


# The form


class Heard(list[tuple[dict[str, Any], list[bytes]]]):
    """What a form has sent to its browser."""

    def __call__(self, message: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        self.append((message, buffers or []))


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[form.HandInForm, Heard, Path]:
    """A form in a notebook that lies in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    shown, heard = hand_in("ex04"), Heard()
    monkeypatch.setattr(shown, "send", heard)
    return shown, heard, tmp_path / "ex04.ipynb"


def save(form: form.HandInForm, path: Path, notebook: Notebook) -> None:
    """What JupyterLab writes: the form's place among the outputs."""
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": form.model_id}}
    named(notebook, "ex04-handin")["outputs"] = [{"output_type": "display_data", "data": view, "metadata": {}}]
    path.write_bytes(data_of(notebook))


def press(form: form.HandInForm, **more: Any) -> None:
    form._on_message(None, {"kind": "check", "name": "Ada"} | more, [])


def test_the_form_gives_the_file(shown: tuple[form.HandInForm, Heard, Path]) -> None:
    form, heard, path = shown
    save(form, path, solved())
    press(form)
    message, (content,) = heard[-1]
    assert message["kind"] == "written"
    assert message["receipt"] == receipt_of(content)
    assert (path.parent / FOLDER / message["file"]).read_bytes() == content
    assert hand_in("ex05")._student == "Ada"  # filled in for the next exercise


def test_the_form_asks_to_save_first(shown: tuple[form.HandInForm, Heard, Path]) -> None:
    form, heard, path = shown
    press(form)
    assert "was not found" in heard[-1][0]["message"]
    path.write_bytes(data_of(solved()))
    press(form)
    assert heard[-1][0]["kind"] == "unsaved"
    assert re.search(r"was saved at \d\d:\d\d:\d\d, before you ran this cell. Save", heard[-1][0]["message"])
    assert not (path.parent / FOLDER).exists()
    press(form, anyway=True)
    assert heard[-1][0]["kind"] == "written"


def test_the_form_finds_a_renamed_notebook(
    shown: tuple[form.HandInForm, Heard, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    form, heard, path = shown
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    path.write_bytes(data_of(solved()))
    save(form, path.with_name("mine.ipynb"), solved())
    press(form)
    assert heard[-1][0]["kind"] == "written"
    assert "Your notebook is called mine.ipynb" in heard[-1][0]["repaired"][0]


def test_the_form_sees_that_a_function_was_run_in_other_words(
    shown: tuple[form.HandInForm, Heard, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    form, heard, path = shown
    save(form, path, solved())
    run = ["", text(named(solved(), "ex04-soft_threshold")), "x = 1", OTHER, "check(soft_threshold)"]
    monkeypatch.setattr("course_utils.exercises.handin.form.cells_run", lambda: run)
    press(form)
    assert heard[-1][0]["kind"] == "unsaved"
    assert "soft_threshold is not what you ran last" in heard[-1][0]["message"]
    notebook = solved()
    put(named(notebook, "ex04-soft_threshold"), OTHER)
    save(form, path, notebook)
    press(form)
    assert heard[-1][0]["kind"] == "written"


def test_the_form_gives_a_download_where_nothing_can_be_written(
    shown: tuple[form.HandInForm, Heard, Path],
) -> None:
    form, heard, path = shown
    save(form, path, solved())
    (path.parent / FOLDER).write_text("a file in the place of the folder")
    press(form)
    message, (content,) = heard[-1]
    assert message["kind"] == "written"
    assert message["place"].startswith("The download is all there is of it")
    assert receipt_of(content) == message["receipt"]


def test_the_form_refuses_in_words(shown: tuple[form.HandInForm, Heard, Path]) -> None:
    form, heard, path = shown
    save(form, path, solved())
    press(form, name="")
    assert heard[-1][0] == {"kind": "refused", "message": heard[-1][0]["message"]}
    assert "Write your name" in heard[-1][0]["message"]


def test_outside_of_a_kernel_nothing_was_run() -> None:
    assert saved.cells_run() == []


@pytest.mark.browser
def test_an_exercise_is_handed_in_by_keyboard(tmp_path: Path) -> None:
    notebook = solved()
    put(named(notebook, "ex04-panel"), "pass")
    (tmp_path / "ex04.ipynb").write_bytes(data_of(notebook))
    with lab.chromium() as chromium, lab.serve(tmp_path) as address:
        page = lab.open_notebook(chromium, address, "ex04.ipynb")
        lab.run_all(page)
        form = page.locator(".course-handin")
        form.get_by_role("textbox", name="Your name or student number").focus()
        page.keyboard.type("Ada Lovelace")
        page.keyboard.press("Control+s")
        expect(page.get_by_text("Saving completed")).to_be_visible()
        with page.expect_download() as loaded:
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
        content = Path(loaded.value.path()).read_bytes()
        assert loaded.value.suggested_filename == "ex04_Ada_Lovelace.ipynb"
        assert (tmp_path / FOLDER / "ex04_Ada_Lovelace.ipynb").read_bytes() == content
        expect(form.get_by_role("status")).to_contain_text("ex04_Ada_Lovelace.ipynb is written and downloaded")
        expect(form).to_contain_text(receipt_of(content))
        if shots := os.environ.get("COURSE_TEST_SHOTS"):
            page.screenshot(path=Path(shots) / "handin.png")
        page.close(run_before_unload=False)
