"""Before any student the model solution and an empty submission are graded: what makes marks wrong ends the grading."""

import csv
import json
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from course_utils.cli import main
from course_utils.exercises import exercises, load_exercise
from course_utils.exercises.grading import mark, sandbox, trial
from course_utils.exercises.grading.attempt import Limits
from course_utils.exercises.grading.grade import grade
from course_utils.exercises.grading.library import without
from course_utils.exercises.grading.sandbox import Sandbox, UnfitMachine, bubblewrap
from course_utils.exercises.grading.trial import trial_of

pytest.importorskip("nbgrader", reason="students' versions are made by nbgrader: pip install -e '.[teach]'")
EXERCISES = Path(__file__).parents[2] / "notebooks" / "exercises"
PATIENT = Limits(patience=20)
MORE = "  # of no effect"
SOLUTION = re.compile("### BEGIN SOLUTION.*### END SOLUTION", re.S)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A copy of exercise 04 of the lecturer that a test may change."""
    for part in ("source/ex04/ex04.ipynb", "teacher/ex04.py"):
        (tmp_path / "exercises" / part).parent.mkdir(parents=True)
        shutil.copy(EXERCISES / part, tmp_path / "exercises" / part)
    return tmp_path / "exercises"


@pytest.fixture
def students(tmp_path: Path) -> Path:
    """A class of two."""
    for name in ("ada", "bob"):
        (tmp_path / "class" / name).mkdir(parents=True)
        shutil.copy(EXERCISES / "source" / "ex04" / "ex04.ipynb", tmp_path / "class" / name)
    return tmp_path / "class"


@pytest.fixture(autouse=True)
def nothing_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "passed", set())


def change(course: Path, cell: str, edit: Callable[[str], str]) -> None:
    """Change a cell of the lecturer's notebook."""
    path = course / "source" / "ex04" / "ex04.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    (changed,) = (c for c in notebook["cells"] if c["metadata"]["nbgrader"]["grade_id"] == f"ex04-{cell}")
    changed["source"] = edit("".join(changed["source"]))
    path.write_text(json.dumps(notebook), "utf-8")


def with_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *hidden: str, run_first: str = "") -> None:
    """Let submissions run with a library of which more is hidden, and in a Python that runs something first."""
    library = tmp_path / "library"
    without((*load_exercise("ex04").hides, *hidden), library)
    (library / "sitecustomize.py").write_text(run_first)
    monkeypatch.setattr(mark, "_sandbox", lambda hides: Sandbox(library, bwrap=bubblewrap()))


def refused(course: Path, students: Path, limits: Limits = PATIENT) -> str:
    """The sentence with which the class is refused; nobody has been graded."""
    out = students.parent / "out"
    with pytest.raises(UnfitMachine) as refusal:
        grade(students, out, folder=course, limits=limits, jobs=1)
    assert not (out / "records.jsonl").is_file() or not (out / "records.jsonl").read_bytes()
    assert "pytest tests/exercises/test_exercises.py -k ex04" in str(refusal.value)
    return str(refusal.value)


def test_where_all_is_well_a_class_is_tried_once(course: Path, students: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marked: list[str] = []
    records: dict[str, Any] = {}

    def mark_once(job: mark.Job) -> dict[str, Any]:  # the same work gets the same record
        work = repr(job.notebook.code).replace(MORE, "")
        marked.append(work)
        return records.get(work) or records.setdefault(work, mark.mark(job))

    monkeypatch.setattr(trial, "mark", mark_once)
    graded = grade(students, students.parent / "out", folder=course, limits=PATIENT, jobs=1)
    assert [result.points for result in graded.results] == [12, 12]
    assert len(marked) == 2 + len(graded.results)
    grade(students, students.parent / "out", folder=course, limits=PATIENT, again=True)
    assert len(marked) == 2 + 2 * len(graded.results)
    change(course, "opening", lambda text: f"{text}\n\nMore.")  # another notebook is tried anew
    grade(students, students.parent / "out", folder=course, limits=PATIENT, again=True)
    assert len(marked) == 4 + 3 * len(graded.results)
    assert grade(students, students.parent / "out", folder=course, limits=PATIENT).now == 0
    change(course, "setup", lambda code: code + MORE)  # by another exercise all are graded again
    assert grade(students, students.parent / "out", folder=course, limits=PATIENT).now == len(graded.results)


def test_a_notebook_without_its_solution_is_refused(course: Path, students: Path) -> None:
    change(course, "soft_threshold", lambda code: SOLUTION.sub("raise NotImplementedError()", code))
    sentence = refused(course, students)
    assert sentence.startswith("the model solution of ex04 gets 0 of 2 points for soft_threshold on the machine ")
    assert "not begun" in sentence


def test_a_student_s_version_that_earns_points_is_refused(course: Path, students: Path) -> None:
    def with_the_answer_outside(code: str) -> str:
        return SOLUTION.sub(lambda part: re.sub("### (BEGIN|END) SOLUTION", "", part[0]), code) + (
            "\n### BEGIN SOLUTION\n### END SOLUTION"
        )

    change(course, "soft_threshold", with_the_answer_outside)
    assert refused(course, students).startswith("an empty submission of ex04 gets 2 of 2 points for soft_threshold ")


def test_a_library_that_computes_otherwise_is_refused(
    course: Path, students: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = (
        "import torch\nright = torch.Tensor.clamp\ntorch.Tensor.clamp = lambda x, **bounds: 1.01 * right(x, **bounds)"
    )
    with_library(monkeypatch, tmp_path, run_first=broken)
    assert "the model solution of ex04 gets 0 of 2 points for soft_threshold" in refused(course, students)


def test_a_library_that_does_not_load_is_refused(
    course: Path, students: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_library(monkeypatch, tmp_path, run_first="raise SystemExit(3)")
    assert "(the process could not be started)" in refused(course, students)


def test_a_limit_that_is_too_small_is_refused(
    course: Path, students: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address_space = "import resource, torch\nresource.setrlimit(resource.RLIMIT_AS, (1 << 20, 1 << 20))"
    with_library(monkeypatch, tmp_path, run_first=address_space)
    assert re.search("MemoryError|memory|could not be started|the process ended", refused(course, students))


def test_a_machine_that_is_too_slow_is_refused(course: Path, students: Path) -> None:
    change(course, "soft_threshold", lambda code: code.replace("### BEGIN", "while True: pass\n    ### BEGIN"))
    assert re.search("did not end within|Late", refused(course, students, Limits(call=0.3)))


def test_a_part_that_the_solution_needs_and_that_is_hidden_is_refused(
    course: Path, students: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use = "from course_utils.models import mlp; mlp([4, 3])"
    change(course, "soft_threshold", lambda code: code.replace("### BEGIN", f"{use}\n    ### BEGIN"))
    with_library(monkeypatch, tmp_path, "models.mlp")
    said = refused(course, students)
    assert "mlp is what this exercise asks for" in said, said


def test_the_command_says_so_and_fails_and_earlier_students_keep_their_marks(
    course: Path, students: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lecturer = course.parent / "lecturer"
    (lecturer / "notebooks").mkdir(parents=True)
    course.rename(lecturer / "notebooks" / "exercises")
    monkeypatch.setattr("course_utils.cli.course_folder", lambda: lecturer)
    command = ["grade", str(students), "--out", str(students.parent / "out"), "--jobs", "1"]
    assert CliRunner().invoke(main, command).exit_code == 0
    shutil.copytree(students / "ada", students / "cyd")
    change(lecturer / "notebooks" / "exercises", "soft_threshold", lambda code: SOLUTION.sub("pass", code))
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "Error: the model solution of ex04 gets 0 of 2 points" in result.output
    assert "Traceback" not in result.output
    table = (students.parent / "out" / "grades.csv").read_text("utf-8-sig").splitlines()
    assert [row["student"] for row in csv.DictReader(table)] == ["ada", "bob"]


@pytest.mark.parametrize("name", exercises())
def test_the_students_version_of_each_exercise_begins_no_task(name: str) -> None:
    empty = "\n".join(source for _, source in trial_of(EXERCISES, name).empty.code)
    assert empty.count("raise NotImplementedError()") >= len(load_exercise(name).tasks)
    assert "SOLUTION" not in empty


def test_the_refusal_crosses_to_another_machine() -> None:
    assert str(pickle.loads(pickle.dumps(UnfitMachine("a sentence")))) == "a sentence"


# Other systems

BEFORE_WINDOWS = """
import importlib.abc, os, signal, sys
# What is loaded now asks in its own code for the system.
import click.testing, distributed, filelock, joblib, matplotlib, mistune, psutil, torch, tqdm

class NotOnWindows(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in ("resource", "fcntl", "pwd", "grp", "termios"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ("resource", "fcntl", "grp", "termios"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, NotOnWindows())
for name in ("killpg", "geteuid", "getuid", "fork", "O_NOFOLLOW", "setsid"):
    delattr(os, name)
del signal.SIGKILL, signal.SIGPROF, signal.setitimer
sys.platform = "win32"
"""


def test_on_windows_the_command_says_what_works_there(students: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = BEFORE_WINDOWS + (
        "from course_utils.cli import main\n"
        f"result = click.testing.CliRunner().invoke(main, ['grade', {str(students)!r}, '--out', {str(out)!r}])\n"
        "print(result.exit_code, result.output, result.exception)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.startswith("1 Error: Windows itself cannot run submissions within limits; grade in WSL 2"), said
    assert "Warning" not in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("platform", "path", "parts"),
    [
        ("darwin", None, ("exists for Linux alone", "in a Linux container", "not against malice")),
        ("linux", None, ("is not installed", "after `apt install bubblewrap`", "not against malice")),
        ("linux", "refusing", ("not allowed to work here", "No permissions to create a new namespace", "README.md")),
        ("linux", "working", ()),
    ],
)
def test_without_walls_the_reason_and_the_way_out_are_said(
    platform: str, path: str | None, parts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bwrap"
    refusal = "echo 'bwrap: No permissions to create a new namespace' >&2; exit 1"
    program.write_text(f"#!/bin/sh\n{refusal if path == 'refusing' else 'exit 0'}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sandbox.sys, "platform", platform)
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: str(program) if path else None)
    said = sandbox.uncovered()
    assert all(part in said for part in parts), said
    assert bool(said) == bool(parts)
    assert (bubblewrap() is None) == bool(parts)
