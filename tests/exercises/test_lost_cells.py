"""Work whose cells were lost, split, copied, moved or changed in type: it is read all the same, or a person is told.

Each change is made to a solved exercise, which is then graded as it is, and as `course handin` writes it.
"""

import copy
import json
import re
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.exercises import exercises, load_exercise
from course_utils.exercises.grading.mark import AnswerKey, Job, answer_key, mark
from course_utils.exercises.grading.reading import Reading, read
from course_utils.exercises.handin.prepare import prepare
from course_utils.exercises.judge import call_here, judge
from course_utils.exercises.notebook.reader import read_notebook
from course_utils.exercises.teacher import load_teacher

EXERCISES = Path(__file__).parents[2] / "notebooks" / "exercises"
ANSWER = "A small weight jumps across zero for ever.\n\nThe proximal step stops there."
Cells = list[dict[str, Any]]


@cache
def key_of(name: str) -> AnswerKey:
    return answer_key(EXERCISES, name)


@cache
def _solved(name: str) -> Cells:
    cells: Cells = json.loads((EXERCISES / "source" / name / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        put(cell, re.sub(r"\n[^\n]*### (BEGIN|END) SOLUTION[^\n]*", "", text(cell)))
    put(named(cells, f"{name}-written"), ANSWER)
    return cells


def solved(name: str = "ex04") -> Cells:
    return copy.deepcopy(_solved(name))


def text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def put(cell: dict[str, Any], source: str) -> None:
    cell["source"] = source.splitlines(keepends=True)


def grade_id(cell: dict[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def at(cells: Cells, name: str) -> int:
    return next(number for number, cell in enumerate(cells) if grade_id(cell) == name)


def named(cells: Cells, name: str) -> dict[str, Any]:
    return cells[at(cells, name)]


def new(source: str, kind: str = "markdown") -> dict[str, Any]:
    cell = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def content(cells: Cells, **more: Any) -> bytes:
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more).encode()


def reading(name: str, data: bytes) -> Reading:
    return read(load_exercise(name), read_notebook(data, outputs=False).cells, key_of(name).handed_out)


@cache
def hidden_cases(name: str) -> list[tuple[Any, Any]]:
    teacher = load_teacher(EXERCISES / "teacher" / f"{name}.py")
    return [(task, teacher.hidden(task)) for task in load_exercise(name).tasks]


def points(name: str, got: Reading) -> list[float]:
    """What the code is worth; it is honest, so it runs here, without its panel and the checks."""
    space: dict[str, Any] = {}
    for _, source in [("", key_of(name).setup), *got.code]:
        if "course_utils.panels" in source or "hand_in(" in source:
            continue
        try:
            exec(re.sub(r"(?m)^check\(.*\)$", "", source), space)
        except Exception:  # as in a kernel, the next cell runs
            continue
    return [
        judge(task, call_here(space[task.name]), cases).points if task.name in space else 0
        for task, cases in hidden_cases(name)
    ]


# What happens to notebooks, by the name of the exercise


def no_metadata(cells: Cells, name: str) -> None:
    for cell in cells:
        cell["metadata"] = {}


def by_colab(cells: Cells, name: str) -> None:
    for number, cell in enumerate(cells):
        cell["metadata"] = {"id": f"x{number}", "colab": {"base_uri": "https://localhost:8080/"}}
        cell["source"] = text(cell)
        cell.pop("id", None)


def by_vs_code(cells: Cells, name: str) -> None:
    for cell in cells:
        cell["metadata"] = {"vscode": {"languageId": "python"}}


def by_jupytext(cells: Cells, name: str) -> None:
    """A round trip through a script: no metadata, no empty cells, text without spaces at its ends."""
    for cell in cells:
        cell["metadata"] = {}
        put(cell, text(cell).strip())
    cells[:] = [cell for cell in cells if text(cell)]


def without(*parts: str) -> Callable[[Cells, str], None]:
    def change(cells: Cells, name: str) -> None:
        for part in parts:
            named(cells, f"{name}-{part_of(name, part)}")["metadata"] = {}

    return change


def part_of(name: str, part: str) -> str:
    """`first` and `last` stand for tasks."""
    tasks = load_exercise(name).tasks
    return part.replace("first", tasks[0].name).replace("last", tasks[-1].name)


def retyped(part: str, kind: str, wrap: str = "{}", *, metadata: bool = True) -> Callable[[Cells, str], None]:
    def change(cells: Cells, name: str) -> None:
        place = at(cells, f"{name}-{part_of(name, part)}")
        cell = new(wrap.format(text(cells[place])), kind)
        cells[place] = cell | ({"metadata": cells[place]["metadata"]} if metadata else {})

    return change


def retyped_at(place: int, kind: str, wrap: str) -> Callable[[Cells, str], None]:
    return lambda cells, name: cells.__setitem__(place, new(wrap.format(text(cells[place])), kind))


def commented(cells: Cells, name: str) -> None:
    retyped("written", "code", "# " + ANSWER.replace("\n", "\n# "), metadata=False)(cells, name)


def in_quotes(cells: Cells, name: str) -> None:
    retyped("written", "code", f'"""{ANSWER}"""', metadata=False)(cells, name)


def by_magic(cells: Cells, name: str) -> None:
    retyped("written", "code", "%%markdown\n{}", metadata=False)(cells, name)


def split_function(part: str, *, metadata: bool, spaces: bool = False) -> Callable[[Cells, str], None]:
    """As JupyterLab splits a cell: at the last line of the function."""

    def change(cells: Cells, name: str) -> None:
        place = at(cells, f"{name}-{part_of(name, part)}")
        lines = text(cells[place]).rstrip().split("\n")
        second = copy.deepcopy(cells[place])
        last = lines[-1]
        indentation = last[: len(last) - len(last.lstrip())]
        put(cells[place], "\n".join(lines[:-1]) + ("\n" + indentation if spaces else ""))
        put(second, last.lstrip() if spaces else last)
        if not metadata:
            second["metadata"] = {}
        cells.insert(place + 1, second | {"id": "second"})

    return change


def split_answer(kind: str, *, metadata: bool) -> Callable[[Cells, str], None]:
    def change(cells: Cells, name: str) -> None:
        place = at(cells, f"{name}-written")
        first, second = ANSWER.split("\n\n")
        put(cells[place], first)
        cells.insert(place + 1, new(second, kind) | ({"metadata": cells[place]["metadata"]} if metadata else {}))

    return change


def merged(first: str, second: str) -> Callable[[Cells, str], None]:
    """Two neighbours are one cell, with the type and the marks of the first."""

    def change(cells: Cells, name: str) -> None:
        place = at(cells, f"{name}-{part_of(name, first)}")
        assert grade_id(cells[place + 1]) == f"{name}-{part_of(name, second)}"
        put(cells[place], text(cells[place]) + "\n\n" + text(cells[place + 1]))
        del cells[place + 1]

    return change


def moved(part: str, place: int) -> Callable[[Cells, str], None]:
    def change(cells: Cells, name: str) -> None:
        cell = cells.pop(at(cells, f"{name}-{part_of(name, part)}"))
        cells.insert(place if place >= 0 else len(cells) + 1 + place, cell)

    return change


def renamed(part: str, other: str) -> Callable[[Cells, str], None]:
    return lambda cells, name: named(cells, f"{name}-{part_of(name, part)}")["metadata"]["nbgrader"].update(
        grade_id=other.format(name=name)
    )


def doubled(part: str) -> Callable[[Cells, str], None]:
    def change(cells: Cells, name: str) -> None:
        place = at(cells, f"{name}-{part_of(name, part)}")
        cells.insert(place + 1, copy.deepcopy(cells[place]) | {"id": "twin"})

    return change


def with_stub_below(cells: Cells, name: str) -> None:
    """All functions in the first cell; their own cells as they were handed out."""
    tasks = load_exercise(name).tasks
    first = named(cells, f"{name}-{tasks[0].name}")
    for task in tasks[1:]:
        cell = named(cells, f"{name}-{task.name}")
        put(first, text(first) + "\n\n\n" + text(cell))
        put(cell, f"def {task.name}(*args, **options):\n    # YOUR CODE HERE\n    raise NotImplementedError()")


def written_in(part: str) -> Callable[[Cells, str], None]:
    """The answer stands in another cell, its own is as it was handed out."""

    def change(cells: Cells, name: str) -> None:
        put(named(cells, f"{name}-written"), "YOUR ANSWER HERE")
        cell = named(cells, f"{name}-{part_of(name, part)}")
        words = ANSWER if cell["cell_type"] == "markdown" else "# " + ANSWER.replace("\n\n", "\n# ")
        put(cell, text(cell) + "\n" + words)

    return change


def written_at(place: int, kind: str = "markdown") -> Callable[[Cells, str], None]:
    def change(cells: Cells, name: str) -> None:
        put(named(cells, f"{name}-written"), "YOUR ANSWER HERE")
        cells.insert(place if place >= 0 else len(cells) + 1 + place, new(ANSWER, kind))

    return change


def in_the_place_of(part: str) -> Callable[[Cells, str], None]:
    """The last cell, with the marks of another."""

    def change(cells: Cells, name: str) -> None:
        place = at(cells, f"{name}-{part_of(name, part)}")
        cells[place] = cells.pop() | {"metadata": cells[place]["metadata"]}

    return change


def in_a_copy_of_the_answer(cells: Cells, name: str) -> None:
    """A function in a cell that was made from that of the answer."""
    cell = cells.pop(at(cells, f"{name}-{part_of(name, 'first')}"))
    place = at(cells, f"{name}-written")
    cells.insert(place + 1, new(text(cell), "code") | {"metadata": copy.deepcopy(cells[place]["metadata"])})


def both(*changes: Callable[[Cells, str], None]) -> Callable[[Cells, str], None]:
    def change(cells: Cells, name: str) -> None:
        for each in changes:
            each(cells, name)

    return change


CHANGES: dict[str, Callable[[Cells, str], None]] = {
    "nothing": lambda cells, name: None,
    "no metadata": no_metadata,
    "Colab": by_colab,
    "VS Code": by_vs_code,
    "jupytext": by_jupytext,
    "written without metadata": without("written"),
    "question and answer without metadata": without("written", "written-text"),
    "function without metadata": without("first"),
    "written is raw": retyped("written", "raw"),
    "written is raw, unmarked": retyped("written", "raw", metadata=False),
    "written is code": retyped("written", "code"),
    "written is code, unmarked": retyped("written", "code", metadata=False),
    "written as comments": commented,
    "written as a string": in_quotes,
    "written by a magic": by_magic,
    "written to be printed": retyped("written", "code", 'print("""{}""")'),
    "written to be shown": retyped(
        "written", "code", 'from IPython.display import Markdown\n\ndisplay(Markdown("""{}"""))', metadata=False
    ),
    "function is Markdown": retyped("first", "markdown"),
    "function is Markdown, unmarked": retyped("first", "markdown", metadata=False),
    "function is raw, unmarked": retyped("last", "raw", metadata=False),
    "function in a fence": retyped("first", "markdown", "```python\n{}\n```"),
    "function in a fence, unmarked": retyped("last", "markdown", "```python\n{}\n```", metadata=False),
    "function among sentences": retyped("last", "markdown", "My answer is:\n\n```\n{}\n```\n\nIt works."),
    "function split": split_function("first", metadata=False),
    "function split, both marked": split_function("last", metadata=True),
    "function split behind the spaces": split_function("first", metadata=True, spaces=True),
    "function split, no metadata": both(split_function("last", metadata=False), no_metadata),
    "written split": split_answer("markdown", metadata=False),
    "written split, both marked": split_answer("markdown", metadata=True),
    "written split, the second raw": split_answer("raw", metadata=False),
    "written split, no metadata": both(split_answer("markdown", metadata=False), no_metadata),
    "question and answer merged": merged("written-text", "written"),
    "question and answer merged, no metadata": both(merged("written-text", "written"), no_metadata),
    "answer and end merged": merged("written", "end"),
    "function and check merged": merged("first", "first-check"),
    "text and function merged": merged("first-text", "first"),
    "text and function merged, no metadata": both(merged("last-text", "last"), no_metadata),
    "function at the end": moved("first", -1),
    "function above the imports": moved("last", 0),
    "function at the end, no metadata": both(moved("first", -1), no_metadata),
    "written at the end": moved("written", -1),
    "written at the top": moved("written", 0),
    "written at the end, no metadata": both(moved("written", -1), no_metadata),
    "written at the top, no metadata": both(moved("written", 0), no_metadata),
    "question at the end": moved("written-text", -1),
    "setup at the end": moved("setup", -1),
    "written renamed": renamed("written", "{name}-answer"),
    "written has the name of another exercise": renamed("written", "ex99-written"),
    "function in a copy of the answer": in_a_copy_of_the_answer,
    "function renamed": renamed("first", "{name}-other"),
    "function has the name of a text": renamed("first", "{name}-written-text"),
    "the check became the answer": both(written_at(-1), in_the_place_of("last-check")),
    "written doubled": doubled("written"),
    "function doubled": doubled("last"),
    "check doubled": doubled("first-check"),
    "all functions in the first cell": with_stub_below,
    "all functions in the first cell, no metadata": both(with_stub_below, no_metadata),
    "written in the question": written_in("written-text"),
    "written in the end": written_in("end"),
    "written in the check": written_in("last-check"),
    "written in the first text": written_in("opening"),
    "written in a new cell at the end": written_at(-1),
    "written in a new cell at the top": written_at(0),
    "written in a new raw cell": written_at(3, "raw"),
    "written in a new code cell": written_at(3, "code"),
}  # fmt: skip


def words(written: str) -> str:
    return " ".join(written.split())


def assert_read_whole(name: str, change: str) -> None:
    cells = solved(name)
    CHANGES[change](cells, name)
    full = [task.points for task in load_exercise(name).tasks]
    for data in (content(cells), prepare(content(cells), student="ada", exercise=name).content):
        got = reading(name, data)
        assert points(name, got) == full, got.doubts
        assert words(ANSWER) in words(got.written)


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_happens_to_the_cells_the_work_is_read(change: str) -> None:
    assert_read_whole("ex04", change)


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", [name for name in exercises() if name != "ex04"])
def test_of_every_exercise(name: str, change: str) -> None:
    assert_read_whole(name, change)


def marked(cells: Cells) -> dict[str, Any]:
    return mark(Job(key_of("ex04"), read_notebook(content(cells), outputs=False)))


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_graded_as_it_is_and_as_it_was_prepared_it_gets_the_same(change: str) -> None:
    cells = solved()
    CHANGES[change](cells, "ex04")
    prepared = json.loads(prepare(content(cells), student="ada", exercise="ex04").content)["cells"]
    first, second = marked(cells), marked(prepared)
    assert [task["points"] for task in first["tasks"]] == [task.points for task in load_exercise("ex04").tasks]
    assert [task["points"] for task in second["tasks"]] == [task["points"] for task in first["tasks"]]
    assert words(first["written"]["text"]) == words(second["written"]["text"])
    assert first["code"] == second["code"]


# What is said where something is missing, and that nothing is where all is well


def emptied(cells: Cells, name: str) -> None:
    put(named(cells, f"{name}-written"), "YOUR ANSWER HERE")


def deleted(*parts: str) -> Callable[[Cells, str], None]:
    def change(cells: Cells, name: str) -> None:
        for part in parts:
            del cells[at(cells, f"{name}-{part_of(name, part)}")]

    return change


SAID = {
    "empty": (emptied, "the written answer is empty, and no other text of the student's was found"),
    "printed at the top": (
        both(written_at(2), retyped_at(2, "code", 'print("Now the answer:", """{}""")')),
        "the written answer is empty; what the student wrote in cell 3 was taken for it",
    ),
    "only spaces": (retyped("written", "markdown", " \n"), "the written answer is empty"),
    "only dots": (retyped("written", "markdown", "..."), "the written answer is empty"),
    "deleted": (deleted("written"), "there is no cell of the written answer, and no other text"),
    "deleted with its question": (deleted("written", "written-text"), "there is no cell of the written answer"),
    "all deleted": (lambda cells, name: cells.clear(), "there is no cell of the written answer"),
    "elsewhere": (written_at(2), "the written answer is empty; what the student wrote in cell 3 was taken for it"),
    "in the question": (
        merged("written-text", "written"),
        "there is no cell of the written answer; what the student wrote in cell 19 was taken for it",
    ),
    "question and stub merged": (both(emptied, merged("written-text", "written")), "there is no cell of the written"),
    "a picture": (retyped("written", "markdown", "![a](attachment:a.png)"), "has a picture, which is not shown"),
    "a long one": (retyped("written", "markdown", "word " * 5_000), "24,999 characters; the first 20,000 are shown"),
}


@pytest.mark.parametrize("name", SAID)
def test_an_answer_that_is_empty_or_not_in_its_place_is_said(name: str) -> None:
    change, remark = SAID[name]
    cells = solved()
    change(cells, "ex04")
    (said,) = reading("ex04", content(cells)).remarks
    assert remark in said


@given(
    gone=st.sets(st.integers(0, 21), max_size=20),
    stripped=st.sets(st.integers(0, 21)),
    kinds=st.sets(st.integers(0, 21)),
)
@settings(max_examples=60, deadline=None)
def test_an_empty_answer_is_never_silent(gone: set[int], stripped: set[int], kinds: set[int]) -> None:
    cells = solved()
    for number in stripped:
        cells[number]["metadata"] = {}
    for number in kinds:
        cells[number]["cell_type"] = {"code": "raw", "markdown": "code"}[cells[number]["cell_type"]]
    cells = [cell for number, cell in enumerate(cells) if number not in gone]
    got = reading("ex04", content(cells))
    assert got.written.strip() or any("written answer" in remark for remark in got.remarks)
    if any(words(text(cell)) == words(ANSWER) for cell in cells):
        assert words(ANSWER) in words(got.written)


DOUBTS = {
    "deleted": (deleted("first"), "no cell defines soft_threshold"),
    "renamed": (
        lambda cells, name: put(named(cells, "ex04-soft_threshold"), "def softThreshold(w, *, step):\n    return w"),
        "no cell defines soft_threshold",
    ),
    "written twice": (
        lambda cells, name: cells.append(new("def soft_threshold(w, *, step):\n    return w", "code")),
        "soft_threshold is written in cell 4 and cell 23, in different ways; the last one was graded",
    ),
    "in a cell of text": (
        retyped("first", "markdown"),
        "soft_threshold is written in cell 4, which is no code; it was graded from there",
    ),
    "broken, in a cell of text": (
        retyped("first", "markdown", "def soft_threshold(w, *, step):\n    return (w"),
        "no cell defines soft_threshold; see cell 4",
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_where_the_function_of_a_task_is_not_in_its_place_is_known(name: str) -> None:
    change, doubt = DOUBTS[name]
    cells = solved()
    change(cells, "ex04")
    assert reading("ex04", content(cells)).doubts == {"soft_threshold": doubt}


def test_a_task_that_lost_its_points_with_its_cell_is_listed() -> None:
    cells = solved()
    deleted("first", "written")(cells, "ex04")
    record = marked(cells)
    empty, doubt = record["attention"]
    assert empty.startswith("there is no cell of the written answer")
    assert doubt == "no cell defines soft_threshold"
    assert record["tasks"][0]["points"] == 0


def test_what_has_all_points_needs_no_attention() -> None:
    cells = solved()
    no_metadata(cells, "ex04")
    cells.insert(3, new("My notes."))
    cells.insert(4, new("def soft_threshold(w, *, step):\n    return w", "code"))
    record = marked(cells)
    assert [task["points"] for task in record["tasks"]] == [task.points for task in load_exercise("ex04").tasks]
    assert record["attention"] == []
    assert record["written"]["text"] == ANSWER


HOSTILE = {
    "magics": "%time " * 30_000,
    "brackets": "(" * 190_000,
    "targets": "a=" * 90_000 + "1",
    "signs": "-" * 190_000 + "1",
    "empty lines": "#" + "\n" * 190_000 + "x",
    "spaces": " " * 190_000 + "x",
    "names": "soft_threshold " * 12_000,
    "definitions": "def soft_threshold(w):\n  return w\n" * 5_000,
    "words": "as import def " * 13_000,
    "decorators": "@a\n" * 60_000,
    "fences": "```\n" * 47_000,
    "a zero byte": "def soft_threshold(w):\0",
}


@pytest.mark.parametrize("kind", ["code", "markdown"])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_long_to_read(name: str, kind: str) -> None:
    cells = solved()
    emptied(cells, "ex04")
    cells[3:3] = [new(HOSTILE[name], kind) for _ in range(3)]
    began = time.process_time()
    got = reading("ex04", content(cells))
    assert time.process_time() - began < 30  # some take hours where a pattern is searched from every place
    assert got.remarks


def test_a_notebook_that_cannot_be_looked_through_is_graded_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text should bring it about; Python 3.11 has once failed upon a cell nested ninety thousand deep."""

    def failing(*_: object) -> None:
        raise SystemError

    monkeypatch.setattr("course_utils.exercises.grading.reading.Places", failing)
    cells = [
        {"cell_type": "code", "metadata": {}, "source": "x = 1"},
        {"cell_type": "markdown", "metadata": {"nbgrader": {"grade_id": "ex04-written"}}, "source": "Because."},
    ]
    reading = read(load_exercise("ex04"), cells, {})
    assert (reading.code, reading.written) == ([("cell 1", "x = 1")], "Because.")
    assert reading.remarks == ["lost cells were not looked for (SystemError); see the notebook"]
