"""Submissions as learning platforms give them: nobody goes missing, whatever the names and the packing."""

import io
import json
import os
import stat
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils.exercises.grading.collect import Submission, collect
from course_utils.exercises.grading.files import MOST_DEPTH
from course_utils.exercises.notebook.reader import NotebookError, read_notebook

KNOWN = ["ex03", "ex04"]


def notebook(exercise: str = "ex04", *, student: str = "", more: str = "", marks: bool = True) -> bytes:
    """A small notebook of an exercise."""
    metadata = {"nbgrader": {"grade_id": f"{exercise}-task"}} if marks else {}
    source = f'check = exercise("{exercise}")\n{more}' if marks else more
    cell = {"cell_type": "code", "metadata": metadata, "source": source, "outputs": []}
    about = {"course": {"exercise": exercise, "student": student}} if student else {}
    return json.dumps({"cells": [cell], "metadata": about, "nbformat": 4, "nbformat_minor": 5}).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, content) in enumerate(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 10, number, 0)), content)
    return buffer.getvalue()


def collected(folder: Path, files: dict[str, bytes]) -> list[Submission]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return collect(folder, KNOWN)


def who(submissions: list[Submission]) -> list[tuple[str, str]]:
    return [(submission.student, submission.exercise) for submission in submissions]


NB = notebook()
LAYOUTS = {
    "Moodle": {
        "Jane Doe_4711_assignsubmission_file_/ex04.ipynb": NB,
        "Bob_12_assignsubmission_file_/quant_final (1).ipynb": NB,
    },
    "Moodle, zipped": {
        "all.zip": zipped(
            {"Jane Doe_4711_assignsubmission_file_/ex04.ipynb": NB, "Bob_12_assignsubmission_file_/a.ipynb": NB}
        )
    },
    "Canvas": {"doejane_4711_890_ex04-1.ipynb": NB, "bob_LATE_12_891_ex04.ipynb": NB},
    "a folder each": {"jane/ex04.ipynb": NB, "bob/ex04 (1).ipynb": NB},
    "a folder each, in one": {"submissions/jane/ex04.ipynb": NB, "submissions/bob/hw/ex04.ipynb": NB},
    "nbgrader": {"submitted/jane/ex04/ex04.ipynb": NB, "submitted/bob/ex04/ex04.ipynb": NB},
    "a zip each": {"jane.zip": zipped({"ex04.ipynb": NB}), "bob.zip": zipped({"my work/ex04.ipynb": NB})},
    "a zip of zips": {
        "all.zip": zipped({"jane.zip": zipped({"ex04.ipynb": NB}), "bob.zip": zipped({"b/ex04.ipynb": NB})})
    },
    "handed in": {"ex04_jane.ipynb": NB, "ex04_bob (2).ipynb": NB},
    "handed in, renamed": {"a.ipynb": notebook(student="jane"), "ex04 (1).ipynb": notebook(student="bob")},
    "handed in, copied": {"Kopie von ex04_jane.ipynb": NB, "Copy of ex04_bob.ipynb": NB},
}
NAMES = {
    "Moodle": {"Jane Doe_4711", "Bob_12"},
    "Moodle, zipped": {"Jane Doe_4711", "Bob_12"},
    "Canvas": {"doejane_4711", "bob_12"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_platform_gives_the_same_students(layout: str, tmp_path: Path) -> None:
    submissions = collected(tmp_path, LAYOUTS[layout])
    assert {submission.student for submission in submissions} == NAMES.get(layout, {"jane", "bob"})
    assert [submission.exercise for submission in submissions] == ["ex04", "ex04"]
    assert not any(submission.problem for submission in submissions)
    late = [submission.file for submission in submissions if submission.remarks]
    assert all("_LATE_" in file for file in late)


BESIDE = {  # what lies beside the notebooks, in folders of its own too
    "repositories": {
        f"{repository}/{file}": content
        for repository in ("jane", "bob")
        for file, content in {
            "notebooks/ex04.ipynb": NB,
            "notebooks/00_map.ipynb": notebook(marks=False),
            "README.md": b"x",
            ".git/HEAD": b"x",
            "course_utils/exercises/tasks/ex03.py": b"x",
        }.items()
    },
    "repositories with the notebook on top": {
        f"{repository}/{file}": NB
        for repository in ("jane", "bob")
        for file in ("ex04.ipynb", ".git/HEAD", ".github/a")
    },
    "a list of the class": {"Übung 4/jane/1_ex04.ipynb": NB, "Übung 4/bob/2_ex04.ipynb": NB, "Übung 4/all.xlsx": b"x"},
    "groups and a list": {
        **{f"group {group}/{name}/ex04.ipynb": NB for group, name in ((1, "jane"), (1, "bob"), (2, "eve"), (2, "ivo"))},
        "all.xlsx": b"x",
        "group 2/list.txt": b"x",
    },
}


@pytest.mark.parametrize("layout", BESIDE)
def test_only_notebooks_tell_which_folders_are_those_of_students(layout: str, tmp_path: Path) -> None:
    rows = [(s.student, s.file) for s in collected(tmp_path, BESIDE[layout]) if s.notebook and not s.problem]
    students = {"jane", "bob"} | ({"eve", "ivo"} if "groups" in layout else set())
    assert {student for student, _ in rows} == students
    assert len(rows) == len(students)


def test_notebooks_of_no_exercise_share_one_row(tmp_path: Path) -> None:
    other = {f"jane/{name}.ipynb": notebook("", marks=False, more=f"x = {name!r}") for name in "abcde"}
    first, second = collected(tmp_path, {"jane/ex04.ipynb": NB, **other, "jane/f.ipynb": b""})
    assert first.problem == "jane/f.ipynb is empty"
    assert first.remarks == (
        "jane/a.ipynb, jane/b.ipynb, jane/c.ipynb and 2 more are no exercises of this course: neither their cells nor "
        "their names say which",
    )
    assert (second.exercise, second.problem, second.remarks) == ("ex04", "", ())


CANVAS = {
    "doejane_4711_890_ex04.ipynb": ("doejane_4711", False),
    "doejane_LATE_4711_890_ex04.ipynb": ("doejane_4711", True),
    "doejane_late_4711_890_ex04.ipynb": ("doejane_4711", True),
    "प्रिया_LATE_4711_890_ex04.ipynb": ("प्रिया_4711", True),
    "สมชาย_4711_890_ex04.ipynb": ("สมชาย_4711", False),
    "anon_xY3zA_890_ex04.ipynb": ("anon_xY3zA", False),
    "LATE_anon_xY3zA_890_ex04.ipynb": ("anon_xY3zA", True),
    "doejane_4711_text.html": ("doejane_4711", False),
}


@pytest.mark.parametrize("file", CANVAS)
def test_a_student_of_canvas_keeps_the_name_in_each_file(file: str, tmp_path: Path) -> None:
    student, late = CANVAS[file]
    (submission,) = collected(tmp_path, {file: NB})
    assert submission.student == student
    assert any("handed in late" in remark for remark in submission.remarks) == late


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_class_of_one_is_found_too(layout: str, tmp_path: Path) -> None:
    name, content = next(iter(LAYOUTS[layout].items()))
    if name == "all.zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            first = archive.namelist()[0]
            content = zipped({first: archive.read(first)})
    (submission,) = collected(tmp_path, {name: content})
    assert submission.student in {"jane", *NAMES.get(layout, ())}
    assert submission.notebook is not None


def test_a_zip_file_may_be_named_itself(tmp_path: Path) -> None:
    path = tmp_path / "download.zip"
    path.write_bytes(zipped({"jane/ex04.ipynb": NB, "bob/ex04.ipynb": NB}))
    assert who(collect(path, KNOWN)) == [("bob", "ex04"), ("jane", "ex04")]


@pytest.mark.parametrize("code", ["utf-8", "cp437"])
def test_names_in_a_zip_file_keep_their_umlauts_without_the_mark_of_their_code(tmp_path: Path, code: str) -> None:
    class Unmarked(zipfile.ZipInfo):
        def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # as macOS writes it, and as old Windows does
            return self.filename.encode(code), self.flag_bits

    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(Unmarked("Zoë Müller/ex04.ipynb"), NB)
    assert who(collect(path, KNOWN)) == [("Zoë Müller", "ex04")]


def test_two_weeks_of_one_class_are_told_apart_by_their_exercises(tmp_path: Path) -> None:
    weeks = {f"week {w}.zip": zipped({f"{n}/a.ipynb": notebook(f"ex0{w}") for n in ("jane", "bob")}) for w in (3, 4)}
    assert who(collected(tmp_path, weeks)) == [("bob", "ex03"), ("bob", "ex04"), ("jane", "ex03"), ("jane", "ex04")]


PROBLEMS = {
    "empty": ({"jane/ex04.ipynb": b""}, "is empty"),
    "no JSON": ({"jane/ex04.ipynb": b"{"}, "is damaged at line 1"),
    "no cells": ({"jane/ex04.ipynb": b'{"cells": 3}'}, "no list of cells"),
    "another file": ({"jane/report.pdf": b"x", "jane/b.txt": b"x"}, "there is no notebook among"),
    "damaged zip": ({"jane/work.zip": b"PK\x03\x04 and no more"}, "is a damaged zip file"),
    "empty zip": ({"jane/work.zip": zipped({})}, "is an empty zip file"),
    "no exercise": ({"jane/mine.ipynb": notebook("ex99")}, "is no exercise of this course"),
    "too large": ({"jane/ex04.ipynb": b" " * 20_000_001}, "has 20 MB"),
    "too deep": ({"jane/ex04.ipynb": b"[" * 100_000}, "is damaged and cannot be read"),
    "a latin letter": ({"jane/ex04.ipynb": b'{"cells": "\xe9"}'}, "is damaged and cannot be read"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_cannot_be_graded_has_a_row_and_a_reason(name: str, tmp_path: Path) -> None:
    files, reason = PROBLEMS[name]
    (submission,) = collected(tmp_path, files)
    assert submission.student == "jane"
    assert reason in submission.problem


def test_a_bomb_of_zip_files_is_left_packed(tmp_path: Path) -> None:
    content = b"x"
    for _ in range(MOST_DEPTH + 2):
        content = zipped({"a.zip": content})
    (submission,) = collected(tmp_path, {"jane/a.zip": content})
    assert f"{MOST_DEPTH} zip files deep" in submission.problem


TOO_MUCH = {
    zipfile.ZIP_DEFLATED: ("MB are read", 50_000_000),
    zipfile.ZIP_BZIP2: ("another method than deflate, and was not opened", 10_000_000),
    zipfile.ZIP_LZMA: ("another method than deflate, and was not opened", 10_000_000),
}


@pytest.mark.parametrize("method", TOO_MUCH)
def test_a_file_that_would_unpack_to_too_much_is_left_packed(tmp_path: Path, method: int) -> None:
    problem, most = TOO_MUCH[method]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("ex04.ipynb", b" " * 60_000_000)
    files = {"jane.zip": buffer.getvalue(), "bob/ex04.ipynb": NB}
    tracemalloc.start()
    try:
        bob, jane = sorted(collected(tmp_path, files), key=lambda submission: submission.student)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    assert bob.notebook is not None
    assert problem in jane.problem


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4))
def test_a_damaged_zip_file_never_ends_the_class(tmp_path: Path, method: int, flips: list[tuple[float, int]]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("ex04.ipynb", NB[:300])
        archive.writestr("notes/a.txt", b"x")
    content = bytearray(buffer.getvalue())
    for place, change in flips:
        content[int(place * len(content))] ^= change
    (tmp_path / "class" / "bob").mkdir(parents=True, exist_ok=True)
    (tmp_path / "class" / "jane").mkdir(exist_ok=True)
    (tmp_path / "class" / "bob" / "ex04.ipynb").write_bytes(NB)
    (tmp_path / "class" / "jane" / "work.zip").write_bytes(content)
    submissions = {submission.student: submission for submission in collect(tmp_path / "class", KNOWN)}
    assert submissions["bob"].notebook is not None
    assert "jane" in submissions


def test_a_file_full_of_what_looks_like_zip_files_costs_its_own_student_alone(tmp_path: Path) -> None:
    """Files lie unpacked in the zip file of a class: what they hold is no list of files of the class."""
    path = tmp_path / "class.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ada/ex04.ipynb", notebook())
        archive.writestr("eve/ex04.ipynb", b"PK\x01\x02" * 25_000)
        archive.writestr("ivo/list.zip", b"PK\x01\x02" * 25_000 + b"PK\x05\x06" + b"\xff" * 18)
    rows = {submission.student: submission for submission in collect(path, ["ex04"])}
    assert rows["ada"].problem == ""
    assert "zip file" in rows["eve"].problem
    assert "holds 25,000 files" in rows["ivo"].problem


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.ipynb").write_bytes(NB)
    folder = tmp_path / "class"
    (folder / "jane").mkdir(parents=True)
    (folder / "jane" / "ex04.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (folder / "bob").symlink_to(tmp_path)
    info = zipfile.ZipInfo("eve/ex04.ipynb")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(folder / "eve.zip", "w") as archive:
        archive.writestr(info, "../../secret.ipynb")
    os.mkfifo(folder / "jane" / "pipe.ipynb")
    submissions = collect(folder, KNOWN)
    assert {submission.student for submission in submissions} == {"jane", "bob", "eve"}
    assert all(submission.notebook is None and "not followed" in submission.problem for submission in submissions)


def test_paths_in_a_zip_file_lead_nowhere(tmp_path: Path) -> None:
    files = {"jane.zip": zipped({"../../bob/ex04.ipynb": NB, "eve/ex04.ipynb": NB}), "bob/ex04.ipynb": NB}
    assert who(collected(tmp_path, files)) == [("bob", "ex04"), ("jane", "ex04")]


def work(*tasks: str, answer: str = "YOUR ANSWER HERE") -> bytes:
    """A notebook of exercise 04 with these tasks begun."""
    cells = [{"cell_type": "code", "source": f"def {task}(w, **options):\n    return w"} for task in tasks]
    marks = {"nbgrader": {"grade_id": "ex04-written", "solution": True}}
    cells.append({"cell_type": "markdown", "metadata": marks, "source": answer})
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}).encode()


FULL = work("soft_threshold", "group_penalty", answer="Because 0 is a corner.")
EMPTY = work()
VERSIONS = {
    "a second download": ({"ex04.ipynb": EMPTY, "ex04 (1).ipynb": FULL}, ["ex04 (1).ipynb was graded, the newer one"]),
    "an empty one after a full one": (
        {"ex04.ipynb": FULL, "ex04 (1).ipynb": EMPTY},
        [
            "ex04 (1).ipynb was graded, the newer one (0 of 5 tasks begun, no written answer)",
            "ex04.ipynb has 2 of 5 tasks begun, a written answer. The newer one is emptier",
            "take jane.zip/ex04 (1).ipynb away and grade again",
        ],
    ),
    "fewer tasks after more": (
        {"ex04.ipynb": FULL, "ex04-1.ipynb": work("soft_threshold", answer="Because 0 is a corner.")},
        ["ex04-1.ipynb was graded, the newer one (1 of 5", "The newer one is emptier"],
    ),
    "without the answer after one with it": (
        {"ex04.ipynb": FULL, "ex04-2.ipynb": work("soft_threshold", "group_penalty", "half_and_half")},
        ["ex04-2.ipynb was graded, the newer one (3 of 5", "The newer one is emptier"],
    ),
    "unreadable after readable": (
        {"ex04.ipynb": FULL, "ex04-1.ipynb": b"{"},
        ["ex04-1.ipynb is damaged at line 1", "jane.zip/ex04.ipynb was graded"],
    ),
    "an older one with a higher number": (
        {"ex04 (1).ipynb": EMPTY, "ex04.ipynb": FULL},
        ["jane.zip/ex04.ipynb was graded, the newer one (2 of 5"],
    ),
    "readable after unreadable": (
        {"ex04.ipynb": b"", "ex04-1.ipynb": FULL},
        ["ex04.ipynb is empty; jane.zip/ex04-1.ipynb was graded"],
    ),
}


@pytest.mark.parametrize("name", VERSIONS)
def test_of_several_versions_the_newest_readable_one_is_graded_and_the_others_are_named(
    name: str, tmp_path: Path
) -> None:
    files, parts = VERSIONS[name]
    (submission,) = collected(tmp_path, {"jane.zip": zipped(files)})
    (remark,) = submission.remarks
    for part in parts:
        assert part in remark
    assert f"{submission.file} was graded" in remark
    graded = files[submission.file.removeprefix("jane.zip/")]
    assert submission.notebook == read_notebook(graded, outputs=False)


@pytest.mark.parametrize(
    "file", ["Jane_1_assignsubmission_onlinetext_/onlinetext.html", "Jane_1_assignsubmission_file_/a.PDF"]
)
def test_what_may_be_the_written_answer_is_named_where_the_notebook_has_none(file: str, tmp_path: Path) -> None:
    files = {
        "Jane_1_assignsubmission_file_/ex04.ipynb": EMPTY,
        file: b"x",
        "Jane_1_assignsubmission_file_/my.csv": b"x",
    }
    (submission,) = collected(tmp_path / "empty", files)
    assert submission.remarks == (f"the notebook has no written answer, and this was sent too: {file}",)
    (submission,) = collected(tmp_path / "full", files | {"Jane_1_assignsubmission_file_/ex04.ipynb": FULL})
    assert submission.remarks == ()


def test_a_notebook_that_cannot_be_looked_through_does_not_end_the_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("course_utils.exercises.grading.versions.Places", broken)
    bob, jane = collected(tmp_path, {"jane/ex04.ipynb": FULL, "jane/ex04 (1).ipynb": EMPTY, "bob/ex04.ipynb": NB})
    assert (bob.problem, jane.problem) == ("", "")
    assert "has 2 of 5 tasks begun" in jane.remarks[0]


def test_of_many_versions_only_the_newest_are_looked_through(tmp_path: Path) -> None:
    """Each may take seconds to look through, and have a line; all of them are in one small zip file."""
    many = {f"ex04-{number:02}.ipynb": notebook(more=f"x = {number}") for number in range(1, 50)}
    (row,) = collected(tmp_path, {"ada/all.zip": zipped({**many, "ex04-01 (copy).ipynb": many["ex04-01.ipynb"]})})
    assert row.file == "ada/all.zip/ex04-01 (copy).ipynb"
    assert [remark.split(";")[1].split(" has ")[0] for remark in row.remarks[:-1]] == [
        f" ada/all.zip/ex04-{number}.ipynb" for number in (49, 48, 47)
    ]
    assert row.remarks[-1] == (
        "ada/all.zip/ex04-01 (copy).ipynb was graded, the newer one; 45 older versions were not compared with it"
    )


@pytest.mark.parametrize(("newest", "time"), [("ex04 (10).ipynb", 1_000), ("ex04.ipynb", 2_000)])
def test_versions_are_ordered_by_time_and_then_by_their_numbers(tmp_path: Path, newest: str, time: int) -> None:
    names = ["ex04.ipynb", "ex04 (2).ipynb", "ex04 (10).ipynb", "ex04 - copy.ipynb"]
    for number, name in enumerate(names):
        path = tmp_path / "jane" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(work(answer=f"Version {number}"))
        os.utime(path, (1_000, 1_000))
    os.utime(tmp_path / "jane" / newest, (time, time))
    (submission,) = collect(tmp_path, KNOWN)
    assert submission.file == f"jane/{newest}"
    assert len(submission.remarks) == 3


def test_a_late_submission_is_named(tmp_path: Path) -> None:
    files = {"doejane_4711_890_ex04.ipynb": NB, "bob_LATE_12_891_ex04.ipynb": NB}
    remarks = {s.student: s.remarks for s in collected(tmp_path, files)}
    assert remarks == {"doejane_4711": (), "bob_12": ("bob_LATE_12_891_ex04.ipynb was handed in late",)}


def test_a_class_of_large_notebooks_is_not_held_in_memory(tmp_path: Path) -> None:
    outputs = [{"output_type": "stream", "name": "stdout", "text": "x" * 3_000_000}]
    large = json.dumps(
        {"cells": [{"cell_type": "code", "source": "x = 1", "metadata": {}, "outputs": outputs}]}
    ).encode()
    for number in range(12):
        path = tmp_path / f"student{number}" / "ex04.ipynb"
        path.parent.mkdir()
        path.write_bytes(large)
    tracemalloc.start()
    try:
        rows = collect(tmp_path, ["ex04"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(rows) == 12
    assert len({row.receipt for row in rows}) == 1
    assert peak < 7 * len(large)  # of one notebook: its bytes, its text, and its objects


def test_one_notebook_may_be_named_itself(tmp_path: Path) -> None:
    path = tmp_path / "ex04_ada.ipynb"
    path.write_bytes(NB)
    (submission,) = collect(path, ["ex04"])
    assert (submission.student, submission.exercise, submission.problem) == ("ada", "ex04", "")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("class.txt", b"x", "is no folder, no .zip and no .ipynb"),
        ("class.rar", b"x", "is no folder, no .zip and no .ipynb"),
        ("class.zip", b"PK\x03\x04 and no more", "is a damaged zip file"),
        ("class.zip", zipped({}), "is an empty zip file"),
        ("ex04.ipynb", b"{", "is damaged at line 1"),
    ],
)
def test_one_file_that_cannot_be_read_is_an_error_and_no_class(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} {reason}"):
        collect(path, KNOWN)


def test_a_late_submission_is_named_with_the_one_in_time(tmp_path: Path) -> None:
    files = {"doejane_4711_890_ex04.ipynb": FULL, "doejane_LATE_4711_891_ex04-1.ipynb": EMPTY}
    (submission,) = collected(tmp_path, {"all.zip": zipped(files)})
    assert submission.file.endswith("doejane_LATE_4711_891_ex04-1.ipynb")
    assert "doejane_4711_890_ex04.ipynb has 2 of 5 tasks begun" in submission.remarks[0]


def test_the_same_work_twice_is_no_matter(tmp_path: Path) -> None:
    other_form = json.dumps(json.loads(FULL), indent=3).encode()
    (submission,) = collected(tmp_path, {"jane/ex04.ipynb": FULL, "jane/ex04 (1).ipynb": other_form})
    assert submission.remarks == ()


def test_two_exercises_in_one_notebook_are_both_named(tmp_path: Path) -> None:
    other = work("mlp_parameters", "corrupt_labels")
    both = json.loads(FULL)
    both["cells"] += json.loads(other)["cells"][:2]
    (submission,) = collected(tmp_path, {"jane/ex04.ipynb": json.dumps(both).encode()})
    assert submission.exercise == "ex04"
    assert "also has functions of ex03 (mlp_parameters, corrupt_labels)" in submission.remarks[0]
    files = {"bob/a.ipynb": json.dumps(both).encode(), "bob/ex03.ipynb": notebook("ex03")}
    _, second = collected(tmp_path / "b", files)
    assert second.exercise == "ex04"
    assert second.remarks == ()


def test_without_marks_the_functions_tell_the_exercise(tmp_path: Path) -> None:
    cells = json.loads(FULL)["cells"][:2]
    (submission,) = collected(tmp_path, {"jane/final.ipynb": json.dumps({"cells": cells}).encode()})
    assert submission.exercise == "ex04"


@pytest.mark.parametrize("file", ["ex04.py", "ex04.md", "ex04 (1).html", "ex04.txt"])
def test_a_script_in_the_place_of_a_notebook_has_a_row_of_its_exercise(file: str, tmp_path: Path) -> None:
    script = b"# %%\ndef soft_threshold(w, *, step):\n    return w"
    first, second = collected(tmp_path, {f"jane/{file}": script, "jane/ex03.ipynb": notebook("ex03")})
    assert (first.exercise, first.problem) == ("ex03", "")
    assert second.exercise == "ex04"
    assert f"there is no notebook among jane/{file}; ask for the file that ends in .ipynb" in second.problem


OLD_FORMAT = json.dumps({"nbformat": 3, "worksheets": [{"cells": []}]}).encode()


def test_a_notebook_in_an_old_format_has_a_row_and_a_reason(tmp_path: Path) -> None:
    (submission,) = collected(tmp_path, {"jane/ex04.ipynb": OLD_FORMAT})
    assert submission.exercise == "ex04"
    assert "is a notebook in an old format (3)" in submission.problem


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_notebook_in_the_encoding_of_an_editor_is_read(encoding: str, tmp_path: Path) -> None:
    content = notebook(student="Zoë", more="x = 1\r\ny = 2").decode().encode(encoding)
    (submission,) = collected(tmp_path, {"Zoë/ex04.ipynb": content})
    assert submission.notebook is not None
    assert submission.notebook.code == [("cell 1", 'check = exercise("ex04")\nx = 1\ny = 2')]
    assert submission.problem == ""


def test_what_the_system_adds_is_passed_over(tmp_path: Path) -> None:
    files = {
        "jane/ex04.ipynb": NB,
        "__MACOSX/jane/._ex04.ipynb": b"x",
        "jane/.ipynb_checkpoints/ex04-checkpoint.ipynb": NB,
    }
    files |= {".DS_Store": b"x"}
    (submission,) = collected(tmp_path, files)
    assert (submission.student, submission.remarks) == ("jane", ())


def test_files_of_nobody_keep_a_row_each(tmp_path: Path) -> None:
    submissions = collected(tmp_path, {"ex04.ipynb": NB, "ex04 (1).ipynb": notebook(more="x = 1")})
    assert len(submissions) == 2
    assert all("whose it is" in submission.remarks[0] for submission in submissions)


def test_a_notebook_that_was_written_for_another_is_noticed(tmp_path: Path) -> None:
    (submission,) = collected(tmp_path, {"jane/ex04.ipynb": notebook(student="bob.ross")})
    assert submission.remarks == ("the notebook was written for bob.ross",)
    (same,) = collected(tmp_path / "b", {"Doe Jane_1_assignsubmission_file_/ex04.ipynb": notebook(student="jane.doe")})
    assert same.remarks == ()


def test_names_that_students_type_stay_whole(tmp_path: Path) -> None:
    names = ["12_34_Rossi", "Ada_copy", "Bo_12", "Zoë"]
    files = {f"ex04_{name}.ipynb": notebook(more=name) for name in names}
    files["ex04_Cy-Copy1.ipynb"] = files["ex04_Di - Copy.ipynb"] = notebook(more="x")
    assert [submission.student for submission in collected(tmp_path, files)] == sorted([*names, "Cy", "Di"])


def test_without_marks_the_file_s_name_tells_the_exercise(tmp_path: Path) -> None:
    submissions = collected(
        tmp_path, {"jane/My EX-04 final.ipynb": notebook(marks=False), "bob/ex03/a.ipynb": notebook(marks=False)}
    )
    assert who(submissions) == [("bob", "ex03"), ("jane", "ex04")]
    inner = collected(tmp_path / "b", {"jane/ex03/ex04.ipynb": notebook(marks=False), "bob/a.ipynb": NB})
    assert who(inner) == [("bob", "ex04"), ("jane", "ex04")]


@given(names=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=8, unique=True))
def test_nobody_goes_missing_whatever_the_names(names: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("class")
    made = 0
    for name in {name.replace("/", "_") for name in names}:
        try:
            (folder / name).mkdir()
            (folder / name / "ex04.ipynb").write_bytes(notebook(more=repr(name)))
            made += 1
        except (OSError, ValueError, UnicodeError):
            continue
    if not made:
        return
    submissions = collect(folder, KNOWN)
    assert len(submissions) == len({submission.student.lower() for submission in submissions})
    junk = sum(1 for path in folder.iterdir() if path.name.startswith("._"))
    assert len(submissions) == made - junk or junk == made
    assert not any(set(submission.student) & set('/\\:<>"|?*\n\0') for submission in submissions)


def test_a_folder_that_is_not_there_or_empty_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give the folder"):
        collect(tmp_path / "none", KNOWN)
    with pytest.raises(ValueError, match="holds no files"):
        collect(tmp_path, KNOWN)


# A notebook read with care


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda t: st.lists(t) | st.dictionaries(st.text(), t)
    )
)
def test_any_json_is_a_notebook_or_is_refused(value: object) -> None:
    for content in (value, {"cells": value}, {"cells": [value]}, {"cells": [{"cell_type": "code", "source": value}]}):
        with suppress(NotebookError):
            assert read_notebook(json.dumps(content).encode()).cells is not None
