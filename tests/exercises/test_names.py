"""Names of students, whatever they are: each keeps its own on every machine, whoever else is in the class."""

import csv
import io
import os
import re
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_collect import KNOWN, collected, notebook, zipped

from course_utils.exercises.grading.collect import Submission, collect
from course_utils.exercises.grading.feedback import write_feedback
from course_utils.exercises.grading.files import Entry
from course_utils.exercises.grading.grade import Result, grade
from course_utils.exercises.grading.marks import read_marks, wait_for
from course_utils.exercises.grading.names import key, page_names
from course_utils.exercises.grading.owners import owners
from course_utils.exercises.grading.versions import Version
from course_utils.exercises.handin.prepare import student_name

ORDINARY = ["Jane Doe_4711", "O'Brien", "Lovelace, Ada", "Zoë van Dijk", "jane.doe@uni.edu", "0042", "s1234567", "李雷"]
ORDINARY += ["Jean-Luc", "Müller & Søn (2)", "नेहा", "Łukasz", "محمد", "a_b", "#7", "20%", "🦉"]
HOSTILE = ["=cmd()", "+1", "-1", "@x", "＝x", "'ada", "ada'", "ada ", " ada", "ada.", ".ada", "..", "ada\n", "a\u202eb"]
HOSTILE += [
    "a/b",
    "a:b",
    "a?b",
    "a_b",
    "a;=b",
    "a\t-b",
    "a, =b",
    "CON",
    "con.txt",
    "COM¹",
    "nul ",
    "LPT9.x.y",
    "\ud800",
    "",
]
HOSTILE += [
    "\u200bada",
    "ada\u200d",
    "\x00",
    "\x7f\x85",
    "x" * 300,
    "x" * 299 + "y",
    "李" * 90,
    "🦉" * 90,
    "~root",
    "ａda",
]
HOSTILE += [
    "ADA",
    "Ada",
    "ada",
    "ſ",
    "s",
    "S",
    "ﬁ",
    "fi",
    "e\u0301" * 90,
    "\u0301",
    "nobody",
    "ex04",
    "ada ~0123456789ab",
]
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")}
names = st.one_of(
    st.sampled_from(ORDINARY + HOSTILE),
    st.text(max_size=20),
    st.text(alphabet="aAä.~ '=-,;:/\\\u0301\u202e\u200b\n\t0٣", max_size=6),
    st.builds(lambda start, end: start + end, st.sampled_from(HOSTILE), st.sampled_from(HOSTILE)),
)


def same(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def assert_is_a_file_on_every_system(name: str) -> None:
    assert name
    assert name == same(name)
    assert len(name.encode()) <= 160
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ud800-\udfff]', name)
    assert name == name.strip()
    assert not name.startswith((".", "~", "'", "=", "+", "-", "@"))
    assert not name.endswith(".")
    assert name.split(".")[0].rstrip().lower() not in RESERVED


@given(st.lists(names, unique_by=same, max_size=12))
def test_keys_are_files_on_every_system_and_no_two_the_same(raw: list[str]) -> None:
    keys = [key(name) for name in raw]
    assert len(set(keys)) == len(keys)
    for name in keys:
        assert_is_a_file_on_every_system(name)
        assert key(name) == name or " ~" in name
    pages = page_names(keys)
    assert len({unicodedata.normalize("NFKC", page).casefold() for page in pages.values()}) == len(keys)
    for page in pages.values():
        assert len(f".{page}.html-01234567-1234567-t140000000000000".encode()) <= 255


@pytest.mark.parametrize("name", [*ORDINARY, "ada", "Ada", "x" * 80])
def test_an_ordinary_name_is_its_own_key(name: str) -> None:
    assert key(name) == name
    assert key(unicodedata.normalize("NFD", name)) == name


@pytest.mark.parametrize("name", ["a?b", "CON", " ada", "x" * 300])
def test_nobody_takes_the_key_of_another_by_calling_themselves_so(name: str) -> None:
    assert key(key(name)) != key(name)


@settings(max_examples=30)
@given(raw=st.lists(names, min_size=2, max_size=10, unique_by=same), data=st.data())
def test_nobody_s_key_depends_on_the_others(
    raw: list[str], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = [name for name in raw if name and not re.search(r"[/\\\x00\ud800-\udfff]|\.zip$", name) and name.strip(".")]
    some = data.draw(st.lists(st.sampled_from(raw), unique=True)) if raw else []
    everyone, some = keys_of(raw, tmp_path_factory), keys_of(some, tmp_path_factory)
    assert some == {name: everyone[name] for name in some}
    assert len(set(everyone.values())) == len(raw)


def keys_of(raw: Sequence[str], factory: pytest.TempPathFactory) -> dict[str, str]:
    """For each student the key in a class of these, with two more who are always there."""
    path = factory.mktemp("class") / "class.zip"
    files = {f"{name}/ex04.ipynb": notebook(more=f"x = {name!r}") for name in raw}
    path.write_bytes(zipped(files | {"Grace/ex04.ipynb": notebook(), "Alan/ex04.ipynb": notebook()}))
    students = {s.notebook.code[0][1]: s.student for s in collect(path, KNOWN) if s.notebook is not None}
    return {name: students[f'check = exercise("ex04")\nx = {name!r}'] for name in raw}


def test_a_lecturer_s_marks_stay_with_their_student_when_another_arrives(tmp_path: Path) -> None:
    source, out = tmp_path / "class.zip", tmp_path / "out"
    exercises = Path(__file__).parents[2] / "notebooks" / "exercises"
    source.write_bytes(zipped({"Ada?/ex04.ipynb": b"{", "bob/ex04.ipynb": b"{"}))
    (ada,) = (s.student for s in collect(source, KNOWN) if "Ada" in s.student)
    wait_for_points(out, ada)
    source.write_bytes(zipped({f"{name}/ex04.ipynb": b"{" for name in ("ADA:", "Ada!", "Ada*", "Ada?", "ada?", "bob")}))
    results = grade(source, out, folder=exercises).results
    assert {r.submission.file for r in results if r.marks} == {"Ada?/ex04.ipynb"}


def wait_for_points(out: Path, student: str) -> None:
    out.mkdir()
    wait_for(out / "marks.csv", [(student, "ex04", "written")])
    text = (out / "marks.csv").read_text(encoding="utf-8-sig").replace("written,,", "written,3,")
    (out / "marks.csv").write_text(text, encoding="utf-8")


def test_names_of_another_machine_and_language_are_the_same(tmp_path: Path) -> None:
    raw = ["Zoë Müller", "Łukasz", "李雷", "Ada:Bob"]
    for form, folder in (("NFC", "linux"), ("NFD", "mac")):
        for name in raw:
            file = tmp_path / folder / unicodedata.normalize(form, name) / "ex04.ipynb"
            file.parent.mkdir(parents=True)
            file.write_bytes(notebook())
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as archive:
        for path in sorted((tmp_path / "mac").rglob("*.ipynb")):
            archive.write(path, path.relative_to(tmp_path / "mac").as_posix())
    code = "from pathlib import Path; from course_utils.exercises.grading.collect import collect; import sys\n"
    code += "for source in sys.argv[1:]: print(ascii([(s.student, s.file) for s in collect(Path(source), ['ex04'])]))"
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    sources = [tmp_path / "linux", tmp_path / "mac", tmp_path / "mac.zip"]
    output = subprocess.run([sys.executable, "-c", code, *sources], env=environment, capture_output=True, check=True)
    here = ascii([(s.student, s.file) for s in collect(tmp_path / "linux", KNOWN)])
    assert output.stdout.decode().splitlines() == [here] * 3
    assert "Zo\\xeb M\\xfcller" in here


# What is in doubt is said


DOUBTS = {
    "case": (["Ada", "ADA"], {"Ada": "ADA; the feedback page is Ada ~", "ADA": "Ada; the"}),
    "width": (["Ada", "Ａda"], {"Ada": "Ａda", "Ａda": "Ada"}),
    "signs": (["jane.doe", "jane_doe", "Jane Doe"], {"jane.doe": "Jane Doe, jane_doe"}),
    "cleaned": (["a?b", "a*b"], {key("a?b"): key("a*b")}),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_names_that_are_almost_the_same_are_listed(name: str, tmp_path: Path) -> None:
    raw, similar = DOUBTS[name]
    source = tmp_path / "class.zip"
    source.write_bytes(zipped({f"{name}/ex04.ipynb": notebook() for name in [*raw, "Grace"]}))
    remarks = {submission.student: " ".join(submission.remarks) for submission in collect(source, KNOWN)}
    assert remarks["Grace"] == ""
    for student, other in similar.items():
        assert f"almost the same, and counts as another student: {other}" in remarks[student]


def test_pages_of_names_that_differ_in_case_alone_are_two_files_on_every_system(tmp_path: Path) -> None:
    submissions = [Submission(name, "", "a.pdf", problem="no notebook") for name in ("Ada", "ADA", "bob")]
    write_feedback([Result(submission) for submission in submissions], tmp_path)
    pages = {path.name.lower(): path.read_text() for path in tmp_path.iterdir()}
    assert len(pages) == 3
    assert "bob.html" in pages
    assert sorted(re.findall(r"<h1>.*?(Ada|ADA|bob)", "".join(pages.values()))) == ["ADA", "Ada", "bob"]


def test_no_page_of_an_earlier_run_is_left_when_its_name_has_changed(tmp_path: Path) -> None:
    """A lecturer who sends the pages to the students would send one with old points."""
    results = {name: Result(Submission(name, "", "a.pdf", problem="no notebook")) for name in ("Ada", "ADA")}
    for present in (["Ada"], ["Ada", "ADA"], ["Ada"]):
        write_feedback([results[name] for name in present], tmp_path)
        assert {page.stem for page in tmp_path.iterdir()} >= set(page_names(present).values())
        pages = [page for page in tmp_path.iterdir() if "Feedback for Ada" in page.read_text()]
        assert len(pages) == 1


def test_a_notebook_that_names_a_student_of_a_folder_is_listed(tmp_path: Path) -> None:
    files = {"jane/ex04.ipynb": notebook(), "bob/ex04.ipynb": notebook(), "x.ipynb": notebook("ex03", student="jane")}
    remarks = {(s.student, s.exercise): s.remarks for s in collected(tmp_path, files)}
    assert remarks["bob", "ex04"] == ()
    assert remarks["jane", "ex03"] == ("that it is jane's, only the notebook itself says: x.ipynb",)


OWNERS = {
    "one student in a folder of each exercise": (["ex03/jane/a.ipynb", "ex04/jane/a.ipynb"], {"jane"}),
    "an exercise with one student": (["ex04/jane/a.ipynb", "ex03/jane/a.ipynb", "ex03/bob/a.ipynb"], {"jane", "bob"}),
    "a profile with Moodle's words": (
        ["Jane_1_assignsubmission_file_/a.ipynb", "Jane_1_assignsubmission_file__2_assignsubmission_file_/a.ipynb"],
        {"Jane_1", "Jane_1_assignsubmission_file__2"},
    ),
    "a typed name with Moodle's words": (["ex04_a_assignsubmission_b.ipynb"], {"a_assignsubmission_b"}),
    "one name, two ids": (
        ["Jane_1_assignsubmission_file_/a.ipynb", "Jane_2_assignsubmission_file_/a.ipynb"],
        {"Jane_1", "Jane_2"},
    ),
    "all have sorted their work alike": (["jane/hw/a.ipynb", "bob/hw/a.ipynb"], {"jane", "bob"}),
    "one student, who has sorted it": (["Jane_1_assignsubmission_file_/hw/a.ipynb"], {"Jane_1"}),
    "nobody": (["nobody/a.ipynb", "nobody.smith/a.ipynb"], {"nobody", "nobody.smith"}),
}


@pytest.mark.parametrize("name", OWNERS)
def test_a_student_is_who_the_platform_says(name: str, tmp_path: Path) -> None:
    paths, students = OWNERS[name]
    submissions = collected(tmp_path, {path: notebook(path[:4] if path[:2] == "ex" else "ex04") for path in paths})
    assert {submission.student for submission in submissions} == students
    assert not any("whose it is" in remark for submission in submissions for remark in submission.remarks)


ENDS = ["a-copy", "Kopie", "a-Kopie2", "a-12", "a-copy-3", "CON", "1_2_3", "x_assignsubmission_y"]


@given(st.one_of(st.text(max_size=30), st.sampled_from(ENDS)))
def test_a_name_that_a_student_typed_comes_back_from_the_file_s_name(typed: str) -> None:
    try:
        student = student_name(typed)
    except ValueError as problem:
        proposal = re.search(r"could write '(.+)'\.$", str(problem))
        student = student_name(proposal[1]) if proposal else ""
    if student:
        assert owner_of(f"ex04_{student}.ipynb") == student


def owner_of(name: str) -> str:
    """Whose a file in no folder is."""
    (owner,) = owners([Version(Entry((name,)))])
    return owner.name


# Files in zip files


PATHS = {
    "C:\\Users\\jane\\ex04.ipynb": "jane",
    "/etc/jane/ex04.ipynb": "jane",
    "../../jane/ex04.ipynb": "jane",
    "jane\\..\\ex04.ipynb": "jane",
    "./jane/ex04.ipynb": "jane",
    "jane/ex04.ipynb.": "jane",
    "jane/ex04.ipynb ": "jane",
    "jane/EX04.IPYNB": "jane",
    "jane/ex\n04.ipynb": "jane",
    "NUL/ex04.ipynb": "_NUL ~",
    "Zoe\u0308/ex04.ipynb": "Zoë",
    "._jane/ex04.ipynb": "_jane ~",
    "\u202ejane/ex04.ipynb": "_jane ~",
    "j" * 300 + "/ex04.ipynb": "j" * 80 + " ~",
}


@pytest.mark.parametrize("path", PATHS)
def test_a_file_of_any_name_in_a_zip_file_is_its_student_s(path: str, tmp_path: Path) -> None:
    depth = len([part for part in re.split(r"[/\\]", path) if part not in ("", "..", ".", "C:")])
    prefix = "Users/" if "Users" in path else "etc/" if "etc" in path else ""
    others = {f"{prefix}{name}/ex04.ipynb": notebook() for name in ("bob", "eve")} if depth > 1 else {}
    source = tmp_path / "class.zip"
    source.write_bytes(zipped({path: notebook(more="x = 1")} | others))
    (submission,) = (s for s in collect(source, KNOWN) if s.notebook and "x = 1" in s.notebook.code[0][1])
    assert submission.student.startswith(PATHS[path])
    assert submission.exercise == "ex04"


def test_a_path_too_long_to_be_shown_is_listed(tmp_path: Path) -> None:
    source = tmp_path / "class.zip"
    source.write_bytes(zipped({"jane/" + "x" * 2000 + "/ex04.ipynb": notebook(), "bob/ex04.ipynb": notebook()}))
    (jane,) = (s for s in collect(source, KNOWN) if s.student == "jane")
    assert "has a name of 2,016 letters, and was not opened" in jane.problem


def test_folders_of_a_zip_file_from_windows_are_no_students(tmp_path: Path) -> None:
    source = tmp_path / "class.zip"
    source.write_bytes(zipped({"jane\\": b"", "jane\\ex04.ipynb": notebook(), "bob\\ex04.ipynb": notebook()}))
    assert [submission.student for submission in collect(source, KNOWN)] == ["bob", "jane"]


# A table that went through a spreadsheet


def saved(content: bytes, *, separator: str, encoding: str, ends: str, order: Sequence[int]) -> bytes:
    """The table as a spreadsheet writes it, which makes numbers of all cells that look like some, and 3 points each."""
    table = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    table = [table[0], *([*row[:3], "3", row[4]] for row in table[1:])]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=ends)
    writer.writerows([as_shown(row[column]) for column in order] for row in table)
    return text.getvalue().encode(encoding)


def as_shown(cell: str) -> str:
    try:
        number = float(cell) if re.search("[0-9]", cell) else float("x")
    except ValueError:
        return cell.upper() if cell.lower() in ("true", "false") else cell
    return f"{number:.0f}" if abs(number) < 1e11 and number == int(number) else f"{number:.6G}"


@settings(max_examples=40)
@given(
    raw=st.lists(names, min_size=1, max_size=6, unique_by=same),
    separator=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    ends=st.sampled_from(["\n", "\r\n"]),
    order=st.permutations(range(5)),
)
def test_marks_come_back_from_a_spreadsheet_to_the_same_students(
    raw: list[str], separator: str, encoding: str, ends: str, order: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("marks") / "marks.csv"
    answers = [(key(name), "ex04", "written") for name in [*raw, "0042", "471147114711", "1e5", "TRUE", "true"]]
    wait_for(path, answers)
    path.write_bytes(saved(path.read_bytes(), separator=separator, encoding=encoding, ends=ends, order=order))
    before = path.read_bytes()
    marks, problems = read_marks(path)
    assert problems == []
    assert {mark.answer: mark.points for mark in marks} == dict.fromkeys(answers, 3)
    wait_for(path, answers)
    assert path.read_bytes() == before
    wait_for(path, [*answers, ("Grace, Łódź", "ex04", "written")])
    marks, problems = read_marks(path)
    assert problems == []
    assert (marks[-1].student, marks[-1].points) == ("Grace, Łódź", None)
    assert len(marks) == len(set(answers)) + 1
