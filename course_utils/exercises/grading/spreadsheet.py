"""Tables that a spreadsheet opens, in which no cell is a formula and no name becomes a number or a date."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from course_utils._support.files import written_atomically

__all__ = ["FORMULA", "INVISIBLE", "as_typed", "safe", "table"]

# Characters without a picture of their own: of control, of layout and direction, fillers, surrogates, private use.
INVISIBLE = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\ue000-\uf8ff\U000e0000-\U0010ffff"
)
# What a terminal, or a page, obeys in the place of showing it: control, direction, the ends of lines.
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# A spreadsheet splits lines where its settings say, whatever we separated them by, and may pass over quotation marks.
# So a formula may begin wherever a field may, also with the signs of other scripts that stand for the same.
SEPARATOR = r"[,;|\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]"
FORMULA = re.compile(rf"(?P<before>(?:^|{SEPARATOR})[\s\"{INVISIBLE}]*)(?P<sign>[=+\-@⁺⁻⁼₊₋₌−﬩﹢﹣﹦﹫＋－＝＠])")
# What is read as a number, a time, a date or a truth value and shown, and saved, as another text.
MONTH = (
    "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mrz|mai|okt|dez|fév|avr|jui|aoû|déc|ene|abr|ago|dic|gen|mag"
    r"|giu|lug|set|ott)[^\W\d_]{0,7}"
)
NUMBER = re.compile(rf"(?i)(?=.*\d)[\W\d_]*(?:(?:{MONTH}|\d(?:e| ?h| ?[ap]m?))[\W\d_]*)?")
TRUTH = re.compile(r"(?i)true|false|wahr|falsch|vrai|faux|verdadero|falso|vero")
UNCHANGED = re.compile(r"0|[1-9][0-9]{0,10}")  # a number that comes back from any spreadsheet as it was


def safe(value: object) -> object:
    """A cell that a spreadsheet or a terminal shows, and saves, as the text that it is; numbers stay numbers.

    >>> safe("=HYPERLINK(1)"), safe("notes;=HYPERLINK(1)"), safe("0042"), safe(0.5)
    ("'=HYPERLINK(1)", "notes;'=HYPERLINK(1)", "'0042", '0.5')
    >>> print(safe("two\\nlines"))
    two\\nlines
    """
    if isinstance(value, int | float):
        return f"{value:g}"
    text = OBEYED.sub(lambda sign: sign[0].encode("unicode_escape").decode(), str(value))
    text = FORMULA.sub(r"\g<before>'\g<sign>", text)
    changes = (NUMBER.fullmatch(text) and not UNCHANGED.fullmatch(text)) or TRUTH.fullmatch(text)
    return f"'{text}" if changes and not text.startswith("'") else text


def as_typed(cell: str) -> str:
    """A name, or points, from a cell that may have come from `safe`: no name begins with an apostrophe.

    >>> as_typed("'0042")
    '0042'
    """
    return cell.strip().removeprefix("'")


def table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table that a spreadsheet opens."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([safe(value) for value in row] for row in rows)
    with written_atomically(path) as file:
        file.write(text.getvalue().encode("utf-8-sig", "replace"))
