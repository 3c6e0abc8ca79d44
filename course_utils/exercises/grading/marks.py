"""marks.csv: the lecturer's own marks, for written answers and in the place of any other; they stay as they are."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from course_utils._support.files import written_atomically

__all__ = ["Mark", "read_marks", "safe", "table", "wait_for"]

COLUMNS = ("student", "exercise", "task", "points", "comment")


@dataclass(frozen=True)
class Mark:
    """A line of the file; `points` is None while it waits for the lecturer."""

    student: str
    exercise: str
    task: str
    points: float | None
    comment: str
    line: int


def read_marks(path: Path) -> tuple[list[Mark], list[str]]:
    """The marks in a file, if it is there, and what is wrong with lines that cannot be understood.

    As spreadsheets write it: separated by commas or semicolons, with a decimal point or comma.
    """
    if not path.is_file():
        return [], []
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    first = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in first else ",")
    if missing := set(COLUMNS) - set(rows.fieldnames or ()):
        raise ValueError(
            f"{path} lacks the columns {', '.join(sorted(missing))}; its first line is {','.join(COLUMNS)}"
        )
    marks, problems = [], []
    for row in rows:
        values = {name: (row[name] or "").strip().lstrip("'") for name in COLUMNS}
        if not any(values.values()):
            continue
        try:
            points = float(values["points"].replace(",", ".")) if values["points"] else None
        except ValueError:
            problems.append(f"line {rows.line_num}: {values['points']!r} is no number of points")
            continue
        names = (values["student"], values["exercise"], values["task"])
        marks.append(Mark(*names, points, values["comment"], rows.line_num))
    return marks, problems


def wait_for(path: Path, answers: Iterable[tuple[str, str, str]]) -> None:
    """Add a line without points for each (student, exercise, task) that has none yet."""
    marks, _ = read_marks(path)
    known = {(mark.student, mark.exercise, mark.task) for mark in marks}
    new = [answer for answer in answers if answer not in known]
    old = path.read_bytes() if path.is_file() else b""
    if not new and old:
        return
    text = old.decode("utf-8-sig", errors="replace") if old else ",".join(COLUMNS) + "\n"
    separator = ";" if ";" in text.partition("\n")[0] else ","
    rows = io.StringIO()
    csv.writer(rows, delimiter=separator, lineterminator="\n").writerows((*map(safe, answer), "", "") for answer in new)
    if not text.endswith("\n"):
        text += "\n"
    with written_atomically(path) as file:
        file.write((b"\xef\xbb\xbf" if old.startswith(b"\xef\xbb\xbf") else b"") + (text + rows.getvalue()).encode())


def table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table that a spreadsheet opens."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([safe(value) for value in row] for row in rows)
    with written_atomically(path) as file:
        file.write(text.getvalue().encode("utf-8-sig", "replace"))


def safe(value: object) -> object:
    """A cell that no spreadsheet takes for a formula.

    >>> safe("=HYPERLINK(1)")
    "'=HYPERLINK(1)"
    """
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
