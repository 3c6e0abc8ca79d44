"""What students get: all that they need, and nothing that the lecturer alone has."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from course_utils._support.paths import LAB_SETTINGS
from course_utils.cli import main
from course_utils.course.map import stale
from course_utils.exercises import exercises, load_exercise
from course_utils.exercises.handout.leaks import leaks
from course_utils.exercises.handout.write import RECORD, Handout, HandoutError, hand_out, tracked
from course_utils.exercises.notebook import release

pytest.importorskip("nbgrader", reason="exercises are handed out by nbgrader: pip install -e '.[teach]'")

ROOT = Path(__file__).parents[2]
ADDRESS = "https://github.com/ada/course"
SOURCE = "notebooks/exercises/source/ex04/ex04.ipynb"
LECTURE = ("00_course_map", "04_sparse_and_group_sparse_penalties", "glossary")
TEACHER = "notebooks/exercises/teacher/ex04.py"
ANSWER = "return torch.relu(w - step) - torch.relu(-w - step)"  # to the first task


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@localhost", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def edit(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text(encoding="utf-8")
    assert change(text) != text
    path.write_text(change(text), encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def content(folder: Path) -> dict[str, bytes]:
    """Each file by its name, without git's."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(".git/")}


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lecturer's repository with one exercise, and with files that are nobody's business."""
    course = tmp_path_factory.mktemp("lecturer") / "course"
    names = [name for name in tracked(ROOT) if name.startswith("binder/") or "/" not in name]
    names += [name for name in tracked(ROOT / "course_utils") if not re.fullmatch(r"exercises/tasks/ex\d\d\.py", name)]
    names = [name if (ROOT / name).exists() else f"course_utils/{name}" for name in names]
    names += ["course_utils/exercises/tasks/ex04.py", SOURCE, TEACHER, "notebooks/exercises/nbgrader_config.py"]
    names += [
        f"notebooks/{name}.ipynb" for name in ("00_course_map", "04_sparse_and_group_sparse_penalties", "glossary")
    ]
    for name in names:
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, course / name)
    for name in ("tests/test_a.py", "notebooks/draft.ipynb", "marks.csv", "notebooks/exercises/ex04_solved.ipynb"):
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text("{}")
    git(course, "init", "--quiet")
    git(course, "add", "--all")
    git(course, "commit", "--quiet", "--message", "all")
    (course / "course_utils" / "exercises" / "notes.py").write_text("# not in git\n")
    return course


@pytest.fixture
def course(small: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(small, tmp_path / "course"))


@pytest.fixture(scope="session")
def given(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Handout:
    """What students get of it."""
    return hand_out(small, tmp_path_factory.mktemp("public") / "students", repo=ADDRESS)


@pytest.fixture
def students(given: Handout, tmp_path: Path) -> Path:
    """A copy of that which a test may change."""
    return Path(shutil.copytree(given.folder, tmp_path / "students"))


# The tree


def test_the_tree_has_what_students_need_and_nothing_else(given: Handout, small: Path) -> None:
    names = set(content(given.folder))
    made = {"README.md", RECORD, "notebooks/exercises/ex04.ipynb"}
    assert made <= names
    assert names - made <= set(tracked(small))
    assert {"pyproject.toml", "LICENSE", "binder/packages.txt", "course_utils/cli.py"} <= names
    assert {"course_utils/exercises/tasks/ex04.py", "course_utils/panels/engine/static/panel.js"} <= names
    top = {name.partition("/")[0] for name in names} - {"binder", "course_utils", "notebooks"}
    assert top == {"pyproject.toml", "LICENSE", "FORMAT.md", "README.md", ".gitignore", RECORD}
    notebooks = {name for name in names if name.startswith("notebooks/")}
    assert notebooks == {f"notebooks/{name}.ipynb" for name in (*LECTURE, "exercises/ex04")}
    assert given.files == len(names)
    assert os.access(given.folder / "binder" / "start", os.X_OK)
    assert not [name for name in names if name.startswith("course_utils/publish/kit/section_")]


def test_maps_and_notebooks_lead_to_the_exercise(given: Handout) -> None:
    assert list(stale(given.folder)) == []
    for name in ("00_course_map", "04_sparse_and_group_sparse_penalties"):
        text = (given.folder / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
        assert "[Exercise 04](exercises/ex04.ipynb)" in text
        assert "source/" not in text
    page = (given.folder / "README.md").read_text(encoding="utf-8")
    assert "[Exercise 04](notebooks/exercises/ex04.ipynb)" in page
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page):
        assert (given.folder / target).is_file(), target


def test_the_readme_has_the_link_of_the_repository(given: Handout) -> None:
    page = (given.folder / "README.md").read_text(encoding="utf-8")
    link = "https://mybinder.org/v2/gh/ada/course/main?urlpath=lab/tree/notebooks/00_course_map.ipynb"
    assert given.link == link
    assert f"]({link})" in page
    assert "lecturer's part" not in page
    assert git(given.folder, "remote", "get-url", "origin").strip() == ADDRESS


def test_the_history_is_one_commit_and_the_folder_is_clean(given: Handout) -> None:
    assert git(given.folder, "rev-list", "--all").split() == [given.commit]
    assert git(given.folder, "status", "--porcelain") == ""
    assert git(given.folder, "branch", "--show-current").strip() == "main"


def test_twice_the_same_bytes(given: Handout, small: Path, tmp_path: Path) -> None:
    again = hand_out(small, tmp_path / "again", repo=ADDRESS)
    assert content(again.folder) == content(given.folder)
    trees = [git(handout.folder, "rev-parse", "HEAD^{tree}") for handout in (given, again)]
    assert trees[0] == trees[1]


def test_without_git_the_same_files_are_taken(given: Handout, course: Path, tmp_path: Path) -> None:
    shutil.rmtree(course / ".git")
    (course / "course_utils" / "exercises" / "notes.py").unlink()
    cache = course / "course_utils" / "__pycache__" / "cli.cpython-311.pyc"
    cache.parent.mkdir(exist_ok=True)
    cache.touch()
    assert content(hand_out(course, tmp_path / "again", repo=ADDRESS).folder) == content(given.folder)


# The student's version


def test_solutions_and_model_answers_give_way_and_all_else_stays(given: Handout) -> None:
    before = read(ROOT / SOURCE)["cells"]
    after = read(given.folder / "notebooks" / "exercises" / "ex04.ipynb")["cells"]
    assert [cell["id"] for cell in after] == [cell["id"] for cell in before]
    marks = [[cell["metadata"]["nbgrader"] for cell in cells] for cells in (before, after)]
    for name in ("grade_id", "points", "grade", "locked", "solution"):
        assert [mark.get(name) for mark in marks[0]] == [mark.get(name) for mark in marks[1]]
    for old, new in zip(before, after, strict=True):
        if not old["metadata"]["nbgrader"]["solution"]:
            assert "".join(new["source"]) == "".join(old["source"])
            assert new["metadata"]["editable"] is False
        assert new["metadata"]["deletable"] is False
        assert new.get("outputs", []) == []


def test_a_function_keeps_its_head_and_its_docstring_and_raises(given: Handout) -> None:
    cells = read(given.folder / "notebooks" / "exercises" / "ex04.ipynb")["cells"]
    sources = {cell["metadata"]["nbgrader"]["grade_id"]: "".join(cell["source"]) for cell in cells}
    for task in load_exercise("ex04").tasks:
        namespace: dict[str, Any] = {}
        exec(sources[f"ex04-{task.name}"], namespace)
        case = task.cases(0)[0]
        with pytest.raises(NotImplementedError):
            namespace[task.name](*case.args, **case.kwargs)
        assert len(namespace[task.name].__doc__) > 20
    assert sources["ex04-written"] == "YOUR ANSWER HERE"


def changed_source(change: Callable[[list[dict[str, Any]]], None]) -> dict[str, Any]:
    notebook = read(ROOT / SOURCE)
    change(notebook["cells"])
    return notebook


def cell_of(cells: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(cell for cell in cells if cell["metadata"]["nbgrader"]["grade_id"] == f"ex04-{name}")


def test_hidden_tests_outputs_and_the_teachers_cells_are_gone() -> None:
    def change(cells: list[dict[str, Any]]) -> None:
        check = cell_of(cells, "soft_threshold-check")
        check["source"] += ["\n### BEGIN HIDDEN TESTS\n", "assert secret_test(7)\n", "### END HIDDEN TESTS"]
        check["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["shown once"]}]
        for_teacher = {"cell_type": "markdown", "id": "own", "metadata": {"tags": ["teacher"]}, "source": ["For me."]}
        cells.insert(3, for_teacher)

    notebook = changed_source(change)
    text = json.dumps(release.student_version(notebook))
    assert "check(soft_threshold)" in text
    for gone in ("secret_test", "HIDDEN", "shown once", "For me."):
        assert gone in json.dumps(notebook)
        assert gone not in text


def no_end(cells: list[dict[str, Any]]) -> None:
    cell = cell_of(cells, "soft_threshold")
    cell["source"] = [line for line in cell["source"] if "END SOLUTION" not in line]


def same_name_twice(cells: list[dict[str, Any]]) -> None:
    cell_of(cells, "soft_threshold")["metadata"]["nbgrader"]["grade_id"] = "ex04-setup"


def solution_elsewhere(cells: list[dict[str, Any]]) -> None:
    cell_of(cells, "setup")["source"] += ["\n### BEGIN SOLUTION\n", "a = 1\n", "### END SOLUTION"]


REFUSED = [
    (no_end, "no end solution statement"),
    (same_name_twice, "Duplicate grade id: ex04-setup"),
    (solution_elsewhere, "Solution region detected in a non-solution cell"),
]


@pytest.mark.parametrize(("change", "reason"), REFUSED, ids=[change.__name__ for change, _ in REFUSED])
def test_a_notebook_that_cannot_be_cleared_is_refused(change, reason: str, course: Path, tmp_path: Path) -> None:
    (course / SOURCE).write_text(json.dumps(changed_source(change)), encoding="utf-8")
    with pytest.raises(HandoutError, match=f"{SOURCE}: nbgrader refuses the notebook: .*{reason}"):
        hand_out(course, tmp_path / "students")
    assert not (tmp_path / "students").exists()


def test_without_nbgrader_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nbgrader", None)
    with pytest.raises(ModuleNotFoundError, match=r"course-utils\[teach\]"):
        release.student_version(read(ROOT / SOURCE))


@pytest.mark.slow
@pytest.mark.parametrize("name", exercises())
def test_nbgraders_own_command_gives_the_same(name: str, tmp_path: Path) -> None:
    folder = ROOT / "notebooks" / "exercises"
    shutil.copytree(folder / "source" / name, tmp_path / "source" / name)
    shutil.copy(folder / "nbgrader_config.py", tmp_path)
    place = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}  # it starts alembic by its name
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", name]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = read(tmp_path / "release" / name / f"{name}.ipynb")
    assert made == release.student_version(read(tmp_path / "source" / name / f"{name}.ipynb"))


# What would be given away


def test_what_students_get_of_the_whole_course(tmp_path: Path) -> None:
    done = hand_out(ROOT, tmp_path / "students", repo=ADDRESS)
    assert list(stale(done.folder)) == []
    assert set(done.exercises) == set(exercises()) - {remark.partition(" ")[0] for remark in done.remarks}
    names = set(content(done.folder))
    assert not [
        name for name in names if name.startswith(("tests/", "notebooks/exercises/source", "notebooks/exercises/t"))
    ]
    assert set(git(done.folder, "log", "--all", "--name-only", "--format=").split()) == names


PLANTED = {
    "a solution": ("left = (norm - step * w.shape[dim] ** 0.5).clamp(min=0)", SOURCE),
    "a right answer in other spaces": ("x\n    return   torch.relu(w - step) -\n   torch.relu(-w - step)", TEACHER),
    "a line of a rubric": (
        "- the gradient step has a fixed length, so a small weight jumps across zero and back;",
        SOURCE,
    ),
    "a hidden case": ('"block_threshold": [Case((torch.full((9, 1), -2.0),), {"step": 0.1, "dim": 0})],', TEACHER),
    "the seed": ("the seed is 7_204_417.", TEACHER),
    "the seed as a number": ('{"seed": 7204417}', TEACHER),
    "the seed after a comma": ("f(1,7204417)", TEACHER),
}


CELLS = {
    "its source": lambda lines: {"source": lines},
    "an output": lambda lines: {"source": [], "outputs": [{"output_type": "stream", "text": lines}]},
    "metadata": lambda lines: {"source": [], "metadata": {"note": {"text": "".join(lines)}}},
}


@pytest.mark.parametrize("place", CELLS)
@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_secret_is_named_with_its_file(what: str, place: str, small: Path, tmp_path: Path) -> None:
    text, origin = PLANTED[what]
    exercise = tmp_path / "notebooks" / "exercises" / "ex04.ipynb"
    exercise.parent.mkdir(parents=True)
    exercise.write_text(json.dumps({"cells": [CELLS[place](text.splitlines(keepends=True))]}))
    (sentence,) = leaks(tmp_path, small)
    assert sentence.startswith("notebooks/exercises/ex04.ipynb has ")
    assert sentence.endswith(f" of {origin}")


LINE = "a sentence of more than forty letters, for the lecturer alone"


def hidden_test(cells: list[dict[str, Any]]) -> None:
    cell_of(cells, "soft_threshold-check")["source"] += ["\n### BEGIN HIDDEN TESTS\n", LINE, "\n### END HIDDEN TESTS"]


def teachers_cell(cells: list[dict[str, Any]]) -> None:
    cells.insert(3, {"cell_type": "markdown", "id": "mine", "metadata": {"tags": ["teacher"]}, "source": [LINE]})


def model_answer(cells: list[dict[str, Any]]) -> None:
    metadata = {"nbgrader": {"grade_id": "ex04-mine", "solution": True}}
    cells.insert(3, {"cell_type": "markdown", "id": "mine", "metadata": metadata, "source": [LINE]})


@pytest.mark.parametrize("change", [hidden_test, teachers_cell, model_answer])
def test_each_secret_part_of_a_notebook_is_named(change, course: Path, tmp_path: Path) -> None:
    (course / SOURCE).write_text(json.dumps(changed_source(change)), encoding="utf-8")
    tree = tmp_path / "students"
    module = tree / "course_utils" / "exercises" / "tasks" / "ex04.py"
    module.parent.mkdir(parents=True)
    module.write_text(LINE)
    assert leaks(tree, course) == [f"course_utils/exercises/tasks/ex04.py has {LINE!r} of {SOURCE}"]
    (tree / "notebooks").mkdir()
    (tree / "notebooks" / "lecture.ipynb").write_text(json.dumps({"cells": [{"source": [LINE]}]}))
    assert leaks(tree, course) == [], "what the lecture says is no secret"


def test_a_seed_is_named_in_every_file_but_not_in_a_picture(small: Path, tmp_path: Path) -> None:
    picture = {"output_type": "display_data", "data": {"image/png": "+7204417+"}}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [{"source": [], "outputs": [picture]}]}))
    assert leaks(tmp_path, small) == []
    (tmp_path / "README.md").write_text("Seed: 7,204,417")
    assert leaks(tmp_path, small) == [f"README.md has the seed of {TEACHER}"]


def test_what_anybody_may_write_is_no_secret(small: Path, tmp_path: Path) -> None:
    common = ["import torch", "return w - step", "total = 0.0", "10_000_000", "172044179", "0.7204417", "1,7204,417"]
    module = tmp_path / "course_utils" / "exercises" / "tasks" / "ex04.py"
    module.parent.mkdir(parents=True)
    module.write_text("\n".join(common))
    assert leaks(tmp_path, small) == []


def test_a_seed_that_can_be_guessed_is_refused(course: Path, tmp_path: Path) -> None:
    edit(course / TEACHER, lambda text: text.replace("7_204_417", "42"))
    with pytest.raises(ValueError, match=r"the seed 42 in ex04\.py could be guessed"):
        hand_out(course, tmp_path / "students")


@pytest.mark.parametrize("place", ["course_utils/exercises/tasks/ex04.py", SOURCE], ids=["module", "text of a task"])
def test_what_would_give_a_solution_away_is_not_handed_out(place: str, course: Path, tmp_path: Path) -> None:
    edit(
        course / place,
        lambda text: text.replace("Return one number.", ANSWER).replace("RATIO = 0.5", f"RATIO = 0.5  # {ANSWER}"),
    )
    with pytest.raises(HandoutError, match="the lecturer's part would be given away: .*ex04"):
        hand_out(course, tmp_path / "students")
    assert not (tmp_path / "students").exists()


# Handing out again


def test_nothing_new_makes_no_commit(course: Path, students: Path) -> None:
    before = git(students, "rev-parse", "HEAD")
    done = hand_out(course, students)
    assert done.commit == ""
    assert done.link  # from the folder's origin
    assert git(students, "rev-parse", "HEAD") == before
    assert git(students, "status", "--porcelain") == ""


def test_changes_come_as_one_commit_and_what_is_gone_goes(course: Path, students: Path) -> None:
    (students / "forum.md").write_text("Put there by hand.\n")
    git(students, "add", "forum.md")
    git(students, "commit", "--quiet", "--message", "a page of mine")
    (students / "not in git.txt").write_text("mine")
    edit(course / SOURCE, lambda text: text.replace("Return one number.", "Return a single number."))
    for name in ("course_utils/bench", "course_utils/train/federated.py"):
        git(course, "rm", "-r", "--quiet", name)
    before = set(content(students))
    done = hand_out(course, students)
    assert git(students, "log", "--format=%s").splitlines() == [
        "Update the course",
        "a page of mine",
        "Hand out the course",
    ]
    assert git(students, "rev-parse", "HEAD").strip() == done.commit
    assert "Return a single number." in (students / "notebooks/exercises/ex04.ipynb").read_text(encoding="utf-8")
    gone = before - set(content(students))
    assert "course_utils/train/federated.py" in gone
    assert {name.rpartition("/")[0] for name in gone} == {"course_utils/train", "course_utils/bench"}
    assert not (students / "course_utils" / "bench").exists()
    assert (students / "forum.md").is_file()
    assert git(students, "status", "--porcelain") == '?? "not in git.txt"\n'


def test_an_exercise_that_is_taken_back_goes(course: Path, students: Path) -> None:
    git(course, "rm", "-r", "--quiet", "--cached", SOURCE)
    done = hand_out(course, students)
    assert done.exercises == ()
    assert f"ex04 is left out: {SOURCE} is not in git" in done.remarks
    assert not (students / "notebooks" / "exercises").exists()
    assert not (students / "course_utils" / "exercises" / "tasks" / "ex04.py").exists()
    assert "[Exercise 04]" not in (students / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "course_utils/train/federated.py"])
def test_what_was_changed_by_hand_is_not_overwritten_unasked(name: str, course: Path, students: Path) -> None:
    edit(students / name, lambda text: text + "# by hand\n")
    with pytest.raises(HandoutError, match="changes that are not committed"):
        hand_out(course, students)
    git(students, "commit", "--quiet", "--all", "--message", "by hand")
    before = content(students)
    with pytest.raises(HandoutError, match=f"since the last handout: {name}. .*--overwrite"):
        hand_out(course, students)
    assert content(students) == before
    assert hand_out(course, students, overwrite=True).commit
    assert "# by hand" not in (students / name).read_text(encoding="utf-8")


def test_a_file_of_ones_own_is_not_replaced_by_a_new_one_of_the_course(course: Path, students: Path) -> None:
    (students / "course_utils" / "news.py").write_text("mine = 1\n")
    (course / "course_utils" / "news.py").write_text("theirs = 1\n")
    git(course, "add", "course_utils/news.py")
    with pytest.raises(HandoutError, match=r"course_utils/news\.py"):
        hand_out(course, students)
    assert (students / "course_utils" / "news.py").read_text() == "mine = 1\n"


def test_another_branch_is_refused(course: Path, students: Path) -> None:
    git(students, "checkout", "--quiet", "-b", "try")
    with pytest.raises(HandoutError, match="on the branch try; check out main, or name try by --branch"):
        hand_out(course, students)
    assert hand_out(course, students, branch="try").link.endswith("/try?urlpath=lab/tree/notebooks/00_course_map.ipynb")


# Where it goes


def test_a_fresh_clone_of_an_empty_repository_is_filled(course: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "public.git")
    git(tmp_path, "clone", "--quiet", "public.git", "students")
    done = hand_out(course, tmp_path / "students", branch="spring")
    assert git(done.folder, "branch", "--show-current").strip() == "spring"
    git(done.folder, "push", "--quiet", "origin", "spring")
    assert git(tmp_path / "public.git", "rev-parse", "spring").strip() == done.commit


def test_a_folder_that_is_something_else_is_left_alone(course: Path, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.md").write_text("Long.")
    with pytest.raises(HandoutError, match="neither empty nor an earlier handout.* name a new folder, or a clone"):
        hand_out(course, folder)
    assert content(folder) == {"chapter.md": b"Long."}
    with pytest.raises(HandoutError, match="is a file"):
        hand_out(course, folder / "chapter.md")


@pytest.mark.parametrize("place", [".", "students", ".."])
def test_a_folder_in_the_course_or_around_it_is_refused(place: str, course: Path) -> None:
    with pytest.raises(HandoutError, match="lie in each other; name a folder beside the course"):
        hand_out(course, course / place)


def test_without_an_address_the_readme_has_no_link_and_the_way_to_it_is_named(course: Path, tmp_path: Path) -> None:
    done = hand_out(course, tmp_path / "students")
    assert done.link == ""
    assert any("--repo ADDRESS" in remark for remark in done.remarks)
    page = (done.folder / "README.md").read_text(encoding="utf-8")
    assert "mybinder" not in page
    assert "<!-- start" not in page
    with pytest.raises(HandoutError, match="not an address that Binder can open"):
        hand_out(course, done.folder, repo="my laptop")
    again = hand_out(course, done.folder, repo=ADDRESS)
    assert again.link in (done.folder / "README.md").read_text(encoding="utf-8")


def test_who_has_told_git_no_name_can_hand_out(course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    done = hand_out(course, tmp_path / "students")
    assert git(done.folder, "log", "--format=%an %ae").strip() == "Course course@localhost"


def test_the_command(course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course)
    folder = str(tmp_path / "students")
    first = CliRunner().invoke(main, ["handout", folder, "--repo", ADDRESS])
    assert first.exit_code == 0, first.output
    assert re.search(r"\d+ files, [\d.]+ MB, with ex04\ncommit [0-9a-f]{10} in ", first.output)
    assert "push origin main" in first.output
    assert "https://mybinder.org/v2/gh/ada/course/main" in first.output
    assert "nothing has changed" in CliRunner().invoke(main, ["handout", folder]).output
    wrong = CliRunner().invoke(main, ["handout", str(course / "students")])
    assert wrong.exit_code == 1
    assert "name a folder beside the course" in wrong.output


def test_what_the_lecturers_page_names_is_there() -> None:
    page = (ROOT / "notebooks" / "exercises" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`?course ([a-z-]+)[ `]", page)) & set(main.commands)
    assert {"handout", "handin", "grade", "new-exercise"} <= named
    for option in re.findall(r"`(--[a-z]+)`", page):
        assert any(option in parameter.opts for command in main.commands.values() for parameter in command.params), (
            option
        )


# nbgrader is installed beside JupyterLab where exercises are handed out, and shows nothing there


def test_nbgrader_adds_nothing_to_the_courses_jupyterlab() -> None:
    import nbgrader
    from jupyter_server.extension.config import ExtensionConfigManager

    settings = LAB_SETTINGS
    disabled = read(settings / "labconfig" / "page_config.json")["disabledExtensions"]
    assert {extension["dest"] for extension in nbgrader._jupyter_labextension_paths()} <= disabled.keys()
    folders = [str(Path(sys.prefix) / "etc" / "jupyter"), str(settings)]
    on = [
        ExtensionConfigManager(read_config_path=paths).get_jpserver_extensions()
        for paths in (folders[:1], folders[::-1])
    ]
    names = [
        {name for name, active in extensions.items() if active and name.startswith("nbgrader")} for extensions in on
    ]
    assert names[0]
    assert names[1] == set()
