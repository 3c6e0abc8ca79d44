"""`course grade`: rows for all, the right marks, the same ones twice, and nothing lost by a kill or a correction."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from course_utils._support.journal import alone
from course_utils.cli import main
from course_utils.exercises.grading.grade import Graded, grade
from course_utils.exercises.grading.mark import Job
from course_utils.exercises.grading.marks import read_marks

ROOT = Path(__file__).parents[2]
EXERCISES = ROOT / "notebooks" / "exercises"
SOURCE = json.loads((EXERCISES / "source" / "ex04" / "ex04.ipynb").read_text())
TASKS = {"soft_threshold": 2, "group_penalty": 2, "block_threshold": 3, "active_inputs": 2, "half_and_half": 3}
SIGN_LOST = "def soft_threshold(w, *, step):\n    return (w.abs() - step).clamp(min=0)"
NOT_BEGUN = "def {name}(w, **options):\n    raise NotImplementedError()"


def notebook(answers: dict[str, str] | None = None, *, written: str = "A step never arrives.") -> bytes:
    """The lecturer's notebook of exercise 04 with other cells in the place of its solutions."""
    cells = []
    for cell in SOURCE["cells"]:
        name = cell["metadata"]["nbgrader"]["grade_id"].removeprefix("ex04-")
        source = (answers or {}).get(name, written if name == "written" else cell["source"])
        cells.append(cell | {"source": source})
    return json.dumps(SOURCE | {"cells": cells}).encode()


def hand_in(folder: Path, work: dict[str, bytes]) -> Path:
    for name, content in work.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


CLASS = {
    "ada/ex04.ipynb": notebook(written="Because ..."),
    "bob/ex04 (1).ipynb": notebook({"soft_threshold": SIGN_LOST}),
    "cyd/ex04.ipynb": notebook({name: NOT_BEGUN.format(name=name) for name in TASKS}, written="YOUR ANSWER HERE"),
    "dan/ex04.ipynb": b"{",
    "eve/ex04.ipynb": notebook(written="Because ..."),
    "fay/essay.pdf": b"%PDF",
    "gus/ex04.ipynb": notebook({"soft_threshold": "import os\nos._exit(3)"}),
    "ida/ex04.ipynb": notebook({"soft_threshold": NOT_BEGUN.format(name="soft_threshold")}),
    "hal/ex04.ipynb": notebook({"active_inputs": "def active_inputs(w, *, threshold):\n    while True:\n        pass"}),
}
# gus's soft threshold is missing in half_and_half too
POINTS = {"ada": 12, "bob": 7, "cyd": 0, "dan": 0, "eve": 12, "fay": 0, "gus": 7, "hal": 10, "ida": 7}


def graded(source: Path, out: Path, **options: object) -> Graded:
    from course_utils.exercises.grading.attempt import Limits

    limits = Limits(cell=2, call=0.5, patience=20)
    return grade(source, out, folder=EXERCISES, limits=limits, **options)  # type: ignore[arg-type]


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))


@pytest.fixture(scope="module")
def graded_class(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Graded]:
    folder = tmp_path_factory.mktemp("class")
    source, out = hand_in(folder / "hw4", CLASS), folder / "out"
    return source, out, graded(source, out)


@pytest.fixture
def copied(graded_class: tuple[Path, Path, Graded], tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the graded class that a test may change."""
    source, out, _ = graded_class
    return shutil.copytree(source, tmp_path / "hw4"), shutil.copytree(out, tmp_path / "out")


def test_everybody_has_a_row_with_the_right_points(graded_class: tuple[Path, Path, Graded]) -> None:
    _, out, _ = graded_class
    table = rows(out / "grades.csv")
    assert {row["student"]: float(row["points"]) for row in table} == POINTS
    assert {row["student"]: row["of"] for row in table if row["exercise"]} == dict.fromkeys(set(POINTS) - {"fay"}, "15")
    assert next(row["status"] for row in table if row["student"] == "dan").startswith("not graded: dan/ex04.ipynb is")
    assert [row["task 1"] for row in table if row["student"] in ("ada", "bob")] == ["2", "0"]


def test_what_needs_attention_is_listed_with_its_reason(graded_class: tuple[Path, Path, Graded]) -> None:
    _, out, _ = graded_class
    by_student = {row["student"]: row["reason"] for row in rows(out / "needs-attention.csv")}
    assert by_student.keys() == {"ada", "cyd", "dan", "eve", "fay", "gus", "hal"}
    assert by_student["ada"] == "the code and the written answer are those of eve"
    assert by_student["cyd"] == "no task was begun"
    assert "is damaged at line 1" in by_student["dan"]
    assert "no notebook among fay/essay.pdf" in by_student["fay"]
    assert re.fullmatch(r"cell \d+ was left out: the process ended", by_student["gus"])
    assert by_student["hal"].startswith("active_inputs: It raises Late") or "did not end" in by_student["hal"]


def test_feedback_tells_what_is_wrong_and_nothing_that_is_hidden(graded_class: tuple[Path, Path, Graded]) -> None:
    _, out, _ = graded_class
    pages = {path.stem: path.read_text() for path in (out / "feedback").glob("*.html")}
    assert pages.keys() == POINTS.keys()
    assert "restore the sign" in pages["bob"]
    assert "not begun yet" in pages["cyd"]
    assert "It was not graded: <bdi>dan/ex04.ipynb is damaged" in pages["dan"]
    assert "<p>Because ...</p>" in pages["ada"]
    written = (out / "written-ex04.html").read_text()
    assert all(part in written for part in ("6 of 7 wait", "Rubric", "<p>Because ...</p>"))
    assert "it calls soft_threshold, which has not been begun" in pages["ida"]
    hidden = (EXERCISES / "teacher" / "ex04.py").read_text()
    seed = re.search(r"seed=([\d_]+)", hidden)
    assert seed is not None
    texts = [*pages.values(), (out / "records.jsonl").read_text()]
    for text in texts:
        assert seed[1].replace("_", "") not in text
        assert "rel_tol" not in text
        assert "Rubric" not in text
    for page in pages.values():
        assert "<script" not in page


def test_where_nothing_was_written_no_mark_is_waited_for(graded_class: tuple[Path, Path, Graded]) -> None:
    _, out, _ = graded_class
    by_student = {row["student"]: row for row in rows(out / "grades.csv")}
    assert (by_student["cyd"]["written"], by_student["cyd"]["status"]) == ("0", "graded")
    assert by_student["ada"]["status"] == "graded, the written answer waits"
    assert "cyd,ex04,written" not in (out / "marks.csv").read_text()
    page = (out / "feedback" / "cyd.html").read_text()
    assert "Nothing was written." in page
    assert "YOUR ANSWER HERE" not in page
    assert "points, without the written answer" in (out / "feedback" / "ada.html").read_text()


def test_graded_again_only_where_something_has_changed(copied: tuple[Path, Path]) -> None:
    source, out = copied
    before = (out / "grades.csv").read_bytes()
    assert graded(source, out).now == 0
    assert (out / "grades.csv").read_bytes() == before
    (source / "bob" / "ex04 (1).ipynb").write_bytes(notebook())
    again = graded(source, out)
    assert again.now == 1
    assert {r.submission.student: r.points for r in again.results} == POINTS | {"bob": 12}


def test_one_student_is_regraded_and_marks_are_the_same_twice(copied: tuple[Path, Path]) -> None:
    source, out = copied
    before = (out / "grades.csv").read_bytes()
    assert graded(source, out, student="bob").now == 1
    assert (out / "grades.csv").read_bytes() == before
    assert graded(source, out, exercise="ex03", student="'bob").now == 0  # as a spreadsheet shows a name
    with alone(out / "records.jsonl"), pytest.raises(ValueError, match="another process is at work"):
        graded(source, out)
    with pytest.raises(ValueError, match="no submission here is of 'zoe'"):
        graded(source, out, student="zoe")
    assert (out / "grades.csv").read_bytes() == before


def test_marks_by_hand_stay_and_overrule(copied: tuple[Path, Path]) -> None:
    source, out = copied
    path = out / "marks.csv"
    text = path.read_text().replace("ada,ex04,written,,", "ada,ex04,written,3,Well said")
    text = text.replace("eve,ex04,written,,", "eve,ex04,written,2,")
    path.write_text(text + "bob,ex04,soft_threshold,1.5,\nbob,ex04,group_penalty,,See me\n")
    (source / "new").mkdir()
    (source / "new" / "ex04.ipynb").write_bytes(CLASS["dan/ex04.ipynb"])
    graded(source, out)
    graded(source, out)
    by_student = {row["student"]: row for row in rows(out / "grades.csv")}
    assert (by_student["ada"]["points"], by_student["ada"]["written"], by_student["ada"]["status"]) == (
        "15",
        "3",
        "graded",
    )
    assert (by_student["bob"]["points"], by_student["bob"]["task 1"]) == ("8.5", "1.5")
    assert "Well said" in (out / "feedback" / "ada.html").read_text()
    assert by_student["bob"]["task 2"] == "2"  # a comment alone changes no points
    assert "See me" in (out / "feedback" / "bob.html").read_text()
    assert "(points given by hand).<" in (out / "feedback" / "bob.html").read_text()
    assert "From your lecturer" not in (out / "feedback" / "eve.html").read_text()  # points alone need no such line
    assert "Well said" in path.read_text()
    assert path.read_text().count("ada,ex04,written") == 1


def test_a_mark_that_was_entered_for_another_answer_is_named_until_its_line_is_changed(
    copied: tuple[Path, Path],
) -> None:
    source, out = copied
    marks = out / "marks.csv"
    text = marks.read_text().replace("ada,ex04,written,,", "ada,ex04,written,3,Well said")
    marks.write_text(text.replace("eve,ex04,written,,", "eve,ex04,written,2,"))
    (source / "ada" / "ex04.ipynb").write_bytes(notebook(written="Quite another answer."))

    def named() -> list[str]:
        graded(source, out)
        return [row["reason"] for row in rows(out / "needs-attention.csv") if "were entered before" in row["reason"]]

    line = next(number for number, line in enumerate(marks.read_text().split("\n"), 1) if line.startswith("ada,"))
    reason = (
        f"marks.csv, line {line}: 3 points for written were entered before ada/ex04.ipynb came, which has another "
        "answer; change the points, or the comment alone if they are right for it too"
    )
    assert named() == named() == [reason]
    marks.write_text(marks.read_text().replace("Well said", "Well said again"))
    assert named() == []


def test_marks_as_a_spreadsheet_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_bytes(
        "﻿student;exercise;task;points;comment\r\nada;ex04;written;2,5;gut\r\nbob;ex04;written;x;\r\n".encode()
    )
    marks, problems = read_marks(path)
    assert [(mark.student, mark.points, mark.comment) for mark in marks] == [("ada", 2.5, "gut")]
    assert problems == ["line 3: 'x' is no number of points"]


IMPOSSIBLE = {
    "ada,ex04,group_penalty,7,": "7 points for group_penalty, which gives 2",
    "ada,ex04,written,4,": "4 points for written, which gives 3",
    "ada,ex04,nonsense,1,": "no task 'nonsense'",
    "zoe,ex04,written,1,": "no submission of zoe",
    "bob,ex04,written,much,": "'much'",
}


@pytest.mark.parametrize("line", IMPOSSIBLE)
def test_marks_that_cannot_be_meant_are_listed(line: str, copied: tuple[Path, Path]) -> None:
    source, out = copied
    (source / "bob" / "more.rar").write_bytes(b"?")
    with (out / "marks.csv").open("a") as file:
        file.write(f"{line}\n")
    graded(source, out)
    reasons = [row["reason"] for row in rows(out / "needs-attention.csv")]
    assert sum(IMPOSSIBLE[line] in reason for reason in reasons) == 1
    assert sum("bob/more.rar is an archive" in reason for reason in reasons) == 1
    table = rows(out / "grades.csv")
    assert {row["student"]: float(row["points"]) for row in table} == POINTS


def test_a_copy_is_named_where_code_and_answer_are_the_same_and_worth_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each student: what the code is worth, and the answer. Whoever began nothing has copied nothing."""
    students = {"ada": (2, "Because."), "bob": (2, "Be cause."), "cyd": (2, "Why?"), "dan": (0, "-"), "eve": (0, "-")}

    def record(work: tuple[Job, object]) -> dict[str, Any]:
        points, text = students[work[0].notebook.text("ex04-written")]
        tasks = [{"name": name, "title": "", "of": 2, "words": [], "points": points} for name in TASKS]
        return {"tasks": tasks, "written": {"of": 3, "text": text}, "notes": [], "attention": [], "code": f"{points}"}

    monkeypatch.setattr("course_utils.exercises.grading.grade.mark_after_trial", record)
    source = hand_in(tmp_path / "hw4", {f"{name}/ex04.ipynb": notebook(written=name) for name in students})
    attention = {result.submission.student: result.attention for result in graded(source, tmp_path / "out").results}
    assert attention == dict.fromkeys(students, ()) | {
        "ada": ("the code and the written answer are those of bob",),
        "bob": ("the code and the written answer are those of ada",),
    }


def test_a_marks_file_without_its_columns_is_refused_and_left_alone(copied: tuple[Path, Path]) -> None:
    source, out = copied
    (out / "marks.csv").write_text("name,points\nada,3\n")
    with pytest.raises(ValueError, match=r"lacks the columns comment, exercise, student, task"):
        graded(source, out)
    assert (out / "marks.csv").read_text() == "name,points\nada,3\n"


def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    source = hand_in(tmp_path / "hw4", {f"s{n}/ex04.ipynb": notebook(written=str(n)) for n in range(4)})
    out = tmp_path / "out"
    command = [sys.executable, "-m", "course_utils.cli", "grade", str(source), "--out", str(out), "--jobs", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = out / "records.jsonl"
    while process.poll() is None and not (journal.is_file() and journal.read_bytes().count(b"\n")):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = journal.read_bytes().count(b"\n")
    assert done < 4
    again = graded(source, out)
    assert again.now == 4 - done
    assert [result.points for result in again.results] == [12.0] * 4


def test_the_command_says_what_it_did(copied: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = copied
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("course_utils.exercises.grading.sandbox.shutil.which", lambda name: None)
    result = CliRunner().invoke(main, ["grade", str(source), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "9 rows, 0 of them graded now" in result.output
    assert "Bubblewrap is not installed" in result.output
    assert "needs attention" in result.output.replace("need attention", "needs attention")
    wrong = CliRunner().invoke(main, ["grade", str(source / "none")])
    assert wrong.exit_code == 2


def test_without_the_lecturer_s_files_grading_says_what_is_missing(tmp_path: Path) -> None:
    source = hand_in(tmp_path / "hw4", {"ada/ex04.ipynb": notebook()})
    with pytest.raises(FileNotFoundError, match="needs the lecturer's copy of the course"):
        grade(source, tmp_path / "out", folder=tmp_path)
