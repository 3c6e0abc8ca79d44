"""marks.csv: the lecturer's own marks, for written answers and in the place of any other; they stay as they are."""

import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from course_utils._support.files import written_atomically
from course_utils.exercises.grading.spreadsheet import as_typed, safe

__all__ = ["Mark", "read_marks", "wait_for"]

COLUMNS = ("student", "exercise", "task", "points", "comment")
POINTS = re.compile(r"[0-9]{1,6}(?:[.,][0-9]{0,9})?")
ENCODINGS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # by their first bytes
EXCEL = re.compile(r"sep=.\r?\n?", re.I)  # a line that tells Excel the separator


@dataclass(frozen=True)
class Mark:
    """A line of the file; `points` is None while it waits for the lecturer."""

    student: str
    exercise: str
    task: str
    points: float | None
    comment: str
    line: int

    @property
    def answer(self) -> tuple[str, str, str]:
        """What the mark is for: student, exercise and task."""
        return self.student, self.exercise, self.task


@dataclass(frozen=True)
class Sheet:
    """The file as it is, whose form what is added takes: encoding, separator, columns."""

    text: str = ",".join(COLUMNS) + "\n"
    encoding: str = "utf-8"
    separator: str = ","
    columns: tuple[str, ...] = COLUMNS

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows after the names of the columns, each with the number of its last line; blank ones are left out."""
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.separator, strict=True)
        header = False
        for row in reader:
            if header and any(cell.strip() for cell in row):
                yield reader.line_num, row
            header = header or not (EXCEL.fullmatch(self.separator.join(row)) or not any(row))


def read_marks(path: Path) -> tuple[list[Mark], list[str]]:
    """The marks in a file, if it is there, and what is wrong with lines that cannot be understood.

    As a spreadsheet writes it: in UTF-8, UTF-16 or Windows-1252, separated by commas, semicolons or tabs, with a
    decimal point or comma, the columns in any order. Of two different marks for one task none counts.

    Raises: ValueError for a file without its columns, or with a quotation mark that does not end.
    """
    marks, problems, _ = _read(_sheet(path), path)
    return marks, problems


def wait_for(path: Path, answers: Iterable[tuple[str, str, str]]) -> None:
    """Add a line without points for each (student, exercise, task) that has none yet; what is there stays.

    Raises: ValueError as `read_marks` does.
    """
    sheet = _sheet(path)
    *_, listed = _read(sheet, path)
    new = [dict(zip(COLUMNS, map(safe, answer), strict=False)) for answer in answers if answer not in listed]
    if not new and path.is_file() and path.stat().st_size:
        return
    added = io.StringIO()
    names = [name if name in COLUMNS else f"column {number}" for number, name in enumerate(sheet.columns)]
    csv.DictWriter(added, names, delimiter=sheet.separator, lineterminator="\n").writerows(new)
    text = sheet.text + ("" if sheet.text.endswith(("\n", "\r")) else "\n") + added.getvalue()
    encoding = sheet.encoding
    try:
        content = text.encode(encoding)
    except UnicodeEncodeError:  # the names of those who are new
        content = text.encode("utf-8-sig")
    with written_atomically(path) as file:
        file.write(content)


def _sheet(path: Path) -> Sheet:
    content = path.read_bytes() if path.is_file() else b""
    if not content.strip():
        return Sheet(encoding="utf-8-sig")  # without the mark at its beginning spreadsheets take it for Windows-1252
    text, encoding = _decoded(content)
    lines = EXCEL.sub("", text, count=1) if EXCEL.match(text) else text
    first = next((line for line in lines.splitlines() if line.strip()), "")
    for separator in ",;\t":
        columns = tuple(name.strip().lower() for name in next(csv.reader([first], delimiter=separator), []))
        if set(COLUMNS) <= set(columns):
            if doubled := [name for name in COLUMNS if columns.count(name) > 1]:
                raise ValueError(f"{path} has the column {doubled[0]} more than once; delete all but one")
            return Sheet(text, encoding, separator, columns)
    separator = max(",;\t", key=first.count)
    missing = sorted(set(COLUMNS) - {name.strip(' "').lower() for name in first.split(separator)})
    raise ValueError(f"{path} lacks the columns {', '.join(missing)}; its first line must be {','.join(COLUMNS)}")


def _decoded(content: bytes) -> tuple[str, str]:
    """The text, and the encoding in which it is written again."""
    marked = next((encoding for start, encoding in ENCODINGS.items() if content.startswith(start)), None)
    for encoding in (marked,) if marked else ("utf-8", "cp1252"):
        try:
            return content.decode(encoding), encoding
        except UnicodeError:
            continue
    return content.decode("latin-1"), "latin-1"


def _read(sheet: Sheet, path: Path) -> tuple[list[Mark], list[str], set[tuple[str, str, str]]]:
    """The marks, what is wrong with lines, and for what there is a line, also one that is wrong."""
    marks, problems, listed = [], [], set()
    try:
        for line, row in sheet.rows():
            cells = dict(zip(sheet.columns, row, strict=False))
            student, exercise, task = (
                unicodedata.normalize("NFC", as_typed(cells.get(name, ""))) for name in COLUMNS[:3]
            )
            listed.add((student, exercise, task))
            points, comment = as_typed(cells.get("points", "")), cells.get("comment", "").strip()
            if problem := _problem(sheet, row, (student, exercise, task), points, comment):
                problems.append(f"line {line}: {problem}")
            else:
                value = float(points.replace(",", ".")) if points else None
                marks.append(Mark(student, exercise, task, value, comment, line))
    except csv.Error as problem:
        hint = "a quotation mark has no end, or stands alone; write two for one inside a comment in quotation marks"
        raise ValueError(f"{path} cannot be read as a table ({problem}): {hint}") from problem
    marks, doubled = _unambiguous(marks)
    return marks, problems + doubled, listed


def _problem(sheet: Sheet, row: list[str], names: tuple[str, str, str], points: str, comment: str) -> str:
    """What is wrong with a line; empty if it can be understood in one way alone."""
    if not all(names):
        return f"it needs a student, an exercise and a task, and has {sheet.separator.join(row)!r}"
    comma = sheet.separator == ","
    if len(row) > len(sheet.columns) or (comma and POINTS.fullmatch(points) and re.fullmatch(r"[0-9]+", comment)):
        way_out = "put a comment with this sign in quotation marks" + comma * ", and write half a point as 0.5"
        return f"{sheet.separator.join(row)!r} has a {sheet.separator!r} too many; {way_out}"
    if points and not POINTS.fullmatch(points):
        return f"{points!r} is no number of points"
    return ""


def _unambiguous(marks: Iterable[Mark]) -> tuple[list[Mark], list[str]]:
    """One mark for each answer; what is said twice and differently is said of none."""
    by_answer: dict[tuple[str, str, str], list[Mark]] = defaultdict(list)
    for mark in marks:
        by_answer[mark.answer].append(mark)
    clear, problems = [], []
    for answer, lines in by_answer.items():
        said = [mark for mark in lines if mark.points is not None or mark.comment] or lines[:1]
        if len({(mark.points, mark.comment) for mark in said}) == 1:
            clear.append(said[0])
            continue
        given = " and ".join("no points" if mark.points is None else f"{mark.points:g} points" for mark in said)
        where = ", ".join(str(mark.line) for mark in said)
        differ = f"{given} for {', '.join(answer)}, or different comments"
        problems.append(f"lines {where}: {differ}; none of them counts until one line is left")
    return clear, problems
