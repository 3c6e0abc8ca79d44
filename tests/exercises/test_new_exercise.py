"""A new exercise from templates: it passes the tests of all exercises as it is, and grows without losing anything."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from course_utils.cli import main
from course_utils.exercises.handout.new_exercise import SAMPLE, grade_id, load_module, new_exercise, places
from course_utils.exercises.judge import call_here, judge
from course_utils.exercises.teacher import load_teacher

ROOT = Path(__file__).parents[2]
SECOND = """
COUNT = Task(
    "how_many",
    "The number of weights",
    4,
    lambda w: w.numel(),
    lambda seed: [Case((torch.zeros(2, 3 + seed % 2),))],
)
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course without any exercise, with the first page that `course` looks for."""
    for folder in ("course_utils/exercises/tasks", "notebooks"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "00_course_map.ipynb", tmp_path / "notebooks")
    return tmp_path


def cells(course: Path) -> list[dict[str, Any]]:
    return json.loads(places(course, "ex10")[2].read_text(encoding="utf-8"))["cells"]


def edit(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text(encoding="utf-8")
    assert change(text) != text
    path.write_text(change(text), encoding="utf-8")


def two_tasks(module: str, order: str = "(SIZE, COUNT)") -> str:
    return module.replace("\nEXERCISE = ", f"{SECOND}\nEXERCISE = ").replace("(SIZE,)", order)


def test_what_is_written_passes_the_tests_of_all_exercises(tmp_path: Path) -> None:
    others = shutil.ignore_patterns("__pycache__", "ex[0-9][0-9].py")
    shutil.copytree(ROOT / "course_utils", tmp_path / "course_utils", ignore=others)
    (tmp_path / "tests" / "exercises").mkdir(parents=True)
    for name in ("pyproject.toml", "tests/conftest.py", "tests/exercises/test_exercises.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    new_exercise(tmp_path, "ex10")
    there = os.environ | {"PYTHONPATH": str(tmp_path)}
    pytest_arguments = ["-q", "-p", "no:cacheprovider", "tests/exercises/test_exercises.py", "-k", "ex10"]
    command = [sys.executable, "-m", "pytest", *pytest_arguments]
    tests = subprocess.run(command, cwd=tmp_path, env=there, capture_output=True, text=True)
    assert tests.returncode == 0, tests.stdout
    assert "passed" in tests.stdout
    written = [str(path) for path in places(tmp_path, "ex10")]
    for tool in ("check", "format --check"):
        command = [sys.executable, "-m", "ruff", *tool.split(), *written]
        style = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert style.returncode == 0, style.stdout


def test_the_sample_has_a_solution_that_is_right(course: Path) -> None:
    new_exercise(course, "ex10")
    module, teacher, _ = places(course, "ex10")
    (task,) = load_module(module).tasks
    (solution,) = ("".join(cell["source"]) for cell in cells(course) if grade_id(cell) == f"ex10-{task.name}")
    namespace: dict[str, Any] = {}
    exec(solution, namespace)
    assert judge(task, call_here(namespace[task.name]), load_teacher(teacher).hidden(task)).right
    assert {f"ex10-{name}" for name in SAMPLE} <= {grade_id(cell) for cell in cells(course)}


def test_each_exercise_gets_a_seed_of_its_own(course: Path) -> None:
    seeds = set()
    for name in ("ex01", "ex02", "ex10"):
        new_exercise(course, name)
        seeds.add(load_teacher(places(course, name)[1]).seed)
    assert len(seeds) == 3
    assert all(1_000_000 <= seed < 10_000_000 for seed in seeds)


def test_nothing_is_overwritten(course: Path) -> None:
    new_exercise(course, "ex10")
    for path in places(course, "ex10")[:2]:
        edit(path, lambda text: text + "# mine\n")
    before = [path.read_bytes() for path in places(course, "ex10")]
    again = new_exercise(course, "ex10")
    assert (again.new, again.added, again.updated) == ([], [], [])
    assert [path.read_bytes() for path in places(course, "ex10")] == before


@pytest.mark.parametrize("order", ["(SIZE, COUNT)", "(COUNT, SIZE)"])
def test_the_cells_of_a_new_task_are_added_and_what_was_written_stays(course: Path, order: str) -> None:
    new_exercise(course, "ex10")
    module, _, notebook = places(course, "ex10")
    own_cell = {"cell_type": "markdown", "id": "own", "metadata": {}, "source": ["A picture of my own."]}

    def write_own(text: str) -> str:
        document = json.loads(text)
        place = next(i for i, cell in enumerate(document["cells"]) if grade_id(cell) == "ex10-weighted_size-check")
        document["cells"].insert(place + 1, own_cell)
        document["cells"][place - 2]["source"].append(" And a sentence of my own.")
        return json.dumps(document)

    edit(notebook, write_own)
    edit(module, lambda text: two_tasks(text, order))
    done = new_exercise(course, "ex10")
    assert done.added == ["ex10-how_many-text", "ex10-how_many", "ex10-how_many-check"]
    names = [grade_id(cell) for cell in cells(course)]
    sample = ["ex10-weighted_size-text", "ex10-weighted_size", "ex10-weighted_size-check", ""]
    tasks = [*done.added, *sample] if order == "(COUNT, SIZE)" else [*sample, *done.added]
    assert names == ["ex10-opening", "ex10-setup", *tasks, *names[-4:]]
    by_name = {grade_id(cell): "".join(cell["source"]) for cell in cells(course)}
    assert own_cell in cells(course)
    assert by_name["ex10-weighted_size-text"].endswith("And a sentence of my own.")
    assert "*2 tasks and a written answer; 9 points;" in by_name["ex10-opening"]
    place = 2 if order == "(COUNT, SIZE)" else 1
    assert by_name["ex10-weighted_size-text"].startswith(f"## Task {place}. The size of all weights (2 points)\n")
    assert by_name["ex10-written-text"].startswith("## Task 3. ")
    ids = [cell["id"] for cell in cells(course)]
    assert len(set(ids)) == len(ids)
    assert new_exercise(course, "ex10").added == []


def test_points_follow_the_module(course: Path) -> None:
    new_exercise(course, "ex10")
    edit(places(course, "ex10")[0], lambda text: text.replace("    2,  # points", "    7,  # points"))
    assert set(new_exercise(course, "ex10").updated) == {
        "ex10-opening", "ex10-weighted_size-text", "ex10-weighted_size-check",
    }  # fmt: skip
    points = {grade_id(cell): cell["metadata"]["nbgrader"].get("points") for cell in cells(course)}
    assert points["ex10-weighted_size-check"] == 7


@pytest.mark.parametrize("name", ["ex11", "ex00", "ex1", "EX10", "ex10.py", "../ex10", "penalties", ""])
def test_other_names_are_refused(course: Path, name: str) -> None:
    with pytest.raises(ValueError, match="from ex01 to ex10"):
        new_exercise(course, name)
    assert list((course / "course_utils" / "exercises" / "tasks").iterdir()) == []


def test_a_notebook_without_its_module_is_left_alone(course: Path) -> None:
    new_exercise(course, "ex10")
    module, _, notebook = places(course, "ex10")
    module.unlink()
    before = notebook.read_bytes()
    with pytest.raises(ValueError, match="bring it back"):
        new_exercise(course, "ex10")
    assert notebook.read_bytes() == before
    assert not module.exists()


def test_a_module_of_another_name_is_refused(course: Path) -> None:
    new_exercise(course, "ex10")
    edit(places(course, "ex10")[0], lambda text: text.replace('"ex10"', '"ex01"'))
    with pytest.raises(ValueError, match="calls itself 'ex01'"):
        new_exercise(course, "ex10")


def test_a_lecturers_part_that_was_lost_comes_back_without_the_sample(course: Path) -> None:
    new_exercise(course, "ex10")
    teacher = places(course, "ex10")[1]
    teacher.unlink()
    assert new_exercise(course, "ex10").new == [teacher]
    assert load_teacher(teacher).answers == []


def test_the_command_says_what_comes_next(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course)
    result = CliRunner().invoke(main, ["new-exercise", "ex10"])
    assert result.exit_code == 0, result.output
    for path in places(Path(), "ex10"):
        assert f"written: {path}" in result.output
    assert "pytest tests/exercises/test_exercises.py -k ex10" in result.output
    result = CliRunner().invoke(main, ["new-exercise", "exercise"])
    assert result.exit_code == 1
    assert "from ex01 to ex10; got 'exercise'" in result.output
