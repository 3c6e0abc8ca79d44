"""Tables between the grader and a spreadsheet: no formula goes out, and no mark is lost or misread on the way back."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from course_utils.exercises.grading.marks import read_marks, wait_for
from course_utils.exercises.grading.spreadsheet import as_typed, table

HEADER = "student,exercise,task,points,comment\n"
# What a spreadsheet passes over before it looks whether a cell is a formula.
PASSED_OVER = '[\\s"\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\x00-\x1f\x7f-\x9f]*'
SIGNS = "".join(
    sign for sign in map(chr, range(1 << 16)) if unicodedata.normalize("NFKC", sign) in ("=", "+", "-", "@", "−")
)
PARTS = [
    *SIGNS,
    *"'\",;\t|\n\r \u200b\u202e\ufeff\u00a0\x0b\u2028\ud800",
    "cmd|' /C calc'!A0",
    "HYPERLINK(1)",
    "a",
    "0",
    "x.ipynb",
]
EACH = [f"{before}{sign}1" for sign in SIGNS for before in ("", ";", 'a,"', "\u200b")]


@given(cells=st.lists(st.lists(st.sampled_from(PARTS), max_size=6).map("".join) | st.text(max_size=8), min_size=1))
@example(cells=[*EACH, "\ud800"])
def test_no_field_begins_with_a_formula_wherever_the_line_is_split(
    cells: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    table(path, [f"column {number}" for number in range(len(cells))], [cells])
    text = path.read_text(encoding="utf-8-sig")
    for separators in ("[,\n\r]", "[;\n\r]", "[\t\n\r]", "[,;|\t\n\r\x0b\x0c\x85\u2028\u2029]"):
        for field in re.split(separators, text):
            assert not re.match(PASSED_OVER + f"[{re.escape(SIGNS)}]", field), (field, text)


@pytest.mark.parametrize(
    "name", ["0042", "471147114711", "1e5", "12E3", "1-2", "3.10", "Mar 1", "1. Mai", "MAY1", "TRUE", "falsch", "5%"]
)
def test_a_name_that_a_spreadsheet_would_change_is_kept_as_text(name: str, tmp_path: Path) -> None:
    table(tmp_path / "table.csv", ["student"], [[name]])
    assert (tmp_path / "table.csv").read_bytes().startswith(b"\xef\xbb\xbf")  # else names would be of Windows-1252
    cell = (tmp_path / "table.csv").read_text(encoding="utf-8-sig").splitlines()[1]
    assert cell == f"'{name}"
    assert as_typed(cell) == name


@pytest.mark.parametrize(
    "value", ["4711", "s1234567", "ab12", "Jane Doe_4711", "ex04", "ex04.ipynb", "graded", 15, 2.5, 0]
)
def test_what_comes_back_as_it_was_needs_no_apostrophe(value: object, tmp_path: Path) -> None:
    table(tmp_path / "table.csv", ["value"], [[value]])
    assert (tmp_path / "table.csv").read_text(encoding="utf-8-sig").splitlines()[1] == str(value)


def test_a_terminal_that_shows_a_table_obeys_nobody(tmp_path: Path) -> None:
    """What strangers call a file, or raise as an error, may clear a screen or hide what stands before it."""
    table(tmp_path / "table.csv", ["reason"], [["a\x1b]0;b\x07\x1b[2Jc\x9b31m\x08\x7f\u202ed\nl\u00e4"]])
    lines = (tmp_path / "table.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[1:] == ["a\\x1b]0;b\\x07\\x1b[2Jc\\x9b31m\\x08\\x7f\\u202ed\\nl\u00e4"]


# marks.csv as people and spreadsheets leave it


def read(path: Path, content: str | bytes) -> tuple[dict[str, float | None], list[str]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    marks, problems = read_marks(path)
    return {mark.student: mark.points for mark in marks}, problems


FORMS = {
    "Excel's text": "student\texercise\ttask\tpoints\tcomment\r\nZoë\tex04\twritten\t2,5\tgut…\r\n".encode("utf-16"),
    "of another processor": b"\xfe\xff" + f"{HEADER}Zoë,ex04,written,2.5,gut…\n".encode("utf-16-be"),
    "Windows": "student;exercise;task;points;comment\r\nZoë;ex04;written;2,5;gut…\r\n".encode("cp1252"),
    "a line for Excel": "sep=;\r\nstudent;exercise;task;points;comment\r\nZoë;ex04;written;2,5;gut…\r\n".encode(),
    "old Mac": "student,exercise,task,points,comment\rZoë,ex04,written,2.5,gut…\r".encode(),
    "other columns": "Points,name,Task,Student,comment,exercise\n2.5,Z,written,Zoë,gut…,ex04\n".encode(),
    "blank lines": f"\n{HEADER}\n,,,,\n\nZoë,ex04,written,2.5,gut…\n\n".encode(),
    "quoted": '"student","exercise","task","points","comment"\n"Zoë","ex04","written","2.5","gut…"\n'.encode(),
    "decomposed": f"{HEADER}Zoe\u0308,ex04,written,2.5,gut…".encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_read_in_each_form_and_keeps_it_when_lines_are_added(form: str, tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    assert read(path, FORMS[form]) == ({"Zoë": 2.5}, [])
    wait_for(path, [("Zoë", "ex04", "written")])
    assert path.read_bytes() == FORMS[form]
    wait_for(path, [("Grace", "ex04", "written"), ("Łukasz; Ł", "ex04", "written")])
    marks, problems = read_marks(path)
    assert problems == []
    assert [(m.student, m.points, m.comment) for m in marks] == [
        ("Zoë", 2.5, "gut…"),
        ("Grace", None, ""),
        ("Łukasz; Ł", None, ""),
    ]


def test_bytes_of_no_encoding_stay(tmp_path: Path) -> None:
    path, content = tmp_path / "marks.csv", HEADER.encode() + b"ada,ex04,written,2,gut \x81\n"
    assert read(path, content) == ({"ada": 2}, [])
    wait_for(path, [("bob", "ex04", "written")])
    assert path.read_bytes().startswith(content)


def test_a_new_file_says_that_it_is_unicode(tmp_path: Path) -> None:
    for content in (None, b"", b"\n"):
        if content is not None:
            (tmp_path / "marks.csv").write_bytes(content)
        wait_for(tmp_path / "marks.csv", [("Zoë", "ex04", "written")])
        text = (tmp_path / "marks.csv").read_bytes().decode("utf-8-sig")
        assert (tmp_path / "marks.csv").read_bytes().startswith(b"\xef\xbb\xbf")
        assert text == HEADER + "Zoë,ex04,written,,\n"
        (tmp_path / "marks.csv").unlink()


WRONG = {
    "Zoë,ex04,written,nan,": "'nan' is no number of points",
    "Zoë,ex04,written,inf,": "'inf' is no number of points",
    "Zoë,ex04,written,1e1,": "'1e1' is no number of points",
    "Zoë,ex04,written,-1,": "'-1' is no number of points",
    "Zoë,ex04,written,2. Mai,": "'2. Mai' is no number of points",
    "Zoë,ex04,written,٣,": "'٣' is no number of points",
    "Zoë,ex04": "it needs a student, an exercise and a task",
    ",ex04,written,2,": "it needs a student, an exercise and a task",
    "Zoë,ex04,written,2,5,": "too many; put a comment with this sign in quotation marks, and write half a point as 0.5",
    "Zoë,ex04,written,2,5": "too many; put a comment with this sign in quotation marks, and write half a point as 0.5",
    "Zoë,ex04,written,2,good, but long": "too many",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_line_that_may_mean_something_else_is_listed_and_does_not_count(line: str, tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    content = f"{HEADER}{line}\nbob,ex04,written,1,\n"
    points, problems = read(path, content)
    assert points == {"bob": 1}
    assert len(problems) == 1
    assert problems[0].startswith("line 2: ")
    assert WRONG[line] in problems[0]
    if line.startswith("Zoë,ex04,written"):
        wait_for(path, [("Zoë", "ex04", "written")])
        assert path.read_text(encoding="utf-8") == content


TWICE = {
    ("2,", "3,"): (None, "lines 2, 3: 2 points and 3 points for ada, ex04, written"),
    ("2,good", "2,bad"): (None, "lines 2, 3: 2 points and 2 points for ada, ex04, written, or different comments"),
    ("2,", ",see me"): (None, "2 points and no points"),
    ("2,", "2,"): (2.0, ""),
    (",", "2,"): (2.0, ""),
    ("2,", ","): (2.0, ""),
}


@pytest.mark.parametrize("ends", TWICE)
def test_of_two_different_marks_for_one_task_none_counts(ends: tuple[str, str], tmp_path: Path) -> None:
    points, reason = TWICE[ends]
    lines = "".join(f"ada,ex04,written,{end}\n" for end in ends)
    marks, problems = read(tmp_path / "marks.csv", HEADER + lines + "bob,ex04,written,1,\n")
    assert marks == ({"ada": points, "bob": 1} if points is not None else {"bob": 1})
    assert reason in " ".join(problems)
    assert bool(problems) == bool(reason)


REFUSED = {
    HEADER + 'ada,ex04,written,2,"good\nbob,ex04,written,1,\n': "a quotation mark has no end",
    HEADER + 'ada,ex04,written,2,"good\nbob,ex04,written,1,"x"\n': "a quotation mark has no end",
    "student,exercise,task,points,points,comment\nada,ex04,written,1,2,\n": "has the column points more than once",
    "student;exercise;task;points\nada;ex04;written;1\n": "lacks the columns comment; its first line must be",
}


@pytest.mark.parametrize("content", REFUSED)
def test_a_table_that_cannot_be_read_is_refused_in_a_sentence_and_stays(content: str, tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=REFUSED[content]):
        read_marks(path)
    with pytest.raises(ValueError, match=REFUSED[content]):
        wait_for(path, [("new", "ex04", "written")])
    assert path.read_text() == content


@given(comment=st.text(alphabet="a\"'\n\r\t;,=é ", max_size=12).map(str.strip))
def test_a_comment_stays_whatever_it_holds(comment: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("marks") / "marks.csv"
    quoted = comment.replace('"', '""')
    content = f'{HEADER}ada,ex04,written,2,"{quoted}"\n'.encode()
    path.write_bytes(content)
    wait_for(path, [("bob", "ex04", "written")])
    assert path.read_bytes().startswith(content[:-1])
    marks, problems = read_marks(path)
    assert problems == []
    assert [(mark.student, mark.comment) for mark in marks] == [("ada", comment), ("bob", "")]
