"""Pages for people: what students read about their work, and the written answers that a lecturer marks."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mistune

from course_utils._support.files import written_atomically
from course_utils._support.mathematics import join_formulas, split_formulas
from course_utils.exercises.check import is_call
from course_utils.exercises.grading.names import both_pages, page_names
from course_utils.exercises.notebook.texts import is_blank

if TYPE_CHECKING:
    from course_utils.exercises.grading.grade import Result
    from course_utils.exercises.grading.mark import AnswerKey

__all__ = ["is_empty", "write_feedback", "write_written"]

# Longer ones appear as they were typed: parsers may take minutes for some texts, and end with the whole class for a
# formula that is nested some thousand times.
MOST_PROSE = 6_000  # letters
MOST_FORMULA = 500
MOST_MOVE = 5  # times the size of a letter, up or aside: further away nobody would read what a formula shows
MOVE = re.compile(r'<[^>]*(?:voffset="|margin-left:|width[:=]"?)-?(\d+)[\d.]*r?em')
DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #c8ced6; --good: #1b7f3b; --bad: #b3261e; }}
@media (prefers-color-scheme: dark) {{ :root {{ --line: #4a525c; --good: #6fd08c; --bad: #ff9a90; }} }}
body {{ font: 1.05rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }}
td.number, th.number {{ text-align: right; white-space: nowrap; }}
section {{ border-left: .35rem solid var(--line); padding: .1rem 1rem; margin: 1.2rem 0; }}
section.right {{ border-color: var(--good); }}
section.wrong {{ border-color: var(--bad); }}
h3 {{ margin: .5rem 0; }}
/* What strangers wrote stays in its place: formulas of any height, letters in towers, words of any length. */
h1, h2, h3, p, ul, .answer {{ contain: content; overflow-wrap: anywhere; }}
.words {{ white-space: pre-wrap; margin: .2rem 0; max-height: 20rem; overflow: auto; }}
.call {{ font: .93em/1.5 ui-monospace, monospace; }}
.comment {{ white-space: pre-line; }}
.answer {{
  border: 1px dashed; border-radius: .3rem; padding: 0 1rem; margin: .6rem 0; max-height: 45rem;
  overflow: auto;
}}
.answer * {{ contain: none; }}
.answer .words {{ max-height: none; overflow: visible; }}
.answer pre {{ white-space: pre-wrap; }}
.answer :is(ul, ol) {{ padding-left: 1.2rem; }}
.answer blockquote {{ margin: .3rem 0; padding-left: .4rem; border-left: 2px solid var(--line); }}
@media print {{ .answer, .words {{ max-height: none; }} }}
</style>
<main>
{body}
</main>
</html>
"""


def write_feedback(results: "Sequence[Result]", folder: Path) -> None:
    """One page for each student, with all exercises that are in `results`."""
    folder.mkdir(parents=True, exist_ok=True)
    by_student: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_student[result.submission.student].append(result)
    pages = page_names(by_student)
    for earlier in {page for student in by_student for page in both_pages(student)} - set(pages.values()):
        (folder / f"{earlier}.html").unlink(missing_ok=True)
    for student, rows in by_student.items():
        body = f"<h1>Feedback for {visible(student)}</h1>" + "".join(map(_exercise, rows))
        _page(folder / f"{pages[student]}.html", f"Feedback for {student}", body)


def _exercise(result: "Result") -> str:
    submission, record = result.submission, result.record
    waits = ", without the written answer" if record is not None and result.written is None else ""
    parts = [f"<h2>{escape(submission.exercise or 'A file')}: {result.points:g} of {result.of:g} points{waits}</h2>"]
    receipt = f"; receipt {submission.receipt}" if submission.receipt else ""
    parts.append(f"<p>File: {visible(submission.file)}{receipt}</p>")
    if record is None:
        parts.append(f"<p>It was not graded: {visible(submission.problem or 'it waits')}.</p>")
        return "".join(parts)
    if record["notes"]:
        notes = "".join(f"<li>{visible(note)}</li>" for note in record["notes"])
        parts.append(f"<p>While the cells ran from top to bottom:</p><ul>{notes}</ul>")
    pairs = zip(record["tasks"], result.task_points, strict=True)
    parts += [_task(number, task, points, result) for number, (task, points) in enumerate(pairs, 1)]
    parts.append(_written(record["written"], result))
    return "".join(parts)


def _task(number: int, task: dict[str, Any], points: float, result: "Result") -> str:
    kind = "right" if points == task["of"] else "wrong"
    kinds = ["words call" if is_call(task["name"], line) else "words" for line in task["words"]]
    words = "".join(f"<p class='{k}'>{visible(line)}</p>" for k, line in zip(kinds, task["words"], strict=True))
    heading = f"{'✓' if kind == 'right' else '✗'} Task {number}. {task['title']}: {points:g} of {task['of']:g}"
    return f"<section class='{kind}'><h3>{escape(heading)}</h3>{words}{_comment(result, task['name'])}</section>"


def _written(written: dict[str, Any], result: "Result") -> str:
    points = "not marked yet" if result.written is None else f"{result.written:g} of {written['of']:g}"
    answer = "<p>Nothing was written.</p>" if is_empty(written) else _answer(written["text"])
    return f"<section><h3>Written answer: {points}</h3>{answer}{_comment(result, 'written')}</section>"


def is_empty(written: dict[str, Any]) -> bool:
    """Whether the cell of the written answer is as it was handed out, or without a letter."""
    return is_blank(written["text"])


def visible(text: str) -> str:
    """A line for a page: what turns the direction of a text, and cannot be seen, stands there by its number.

    >>> visible("a<b\\u202e")
    '<bdi>a&lt;b\\\\u202e</bdi>'
    """
    return f"<bdi>{escape(DIRECTION.sub(lambda sign: f'{chr(92)}u{ord(sign[0]):04x}', text))}</bdi>"


def _answer(text: str) -> str:
    """A written answer in a frame of its own, which tells it from what the page says."""
    return f"<div class='answer' dir='auto' tabindex='0' role='group' aria-label='the answer'>{prose(text)}</div>"


class Plain(mistune.HTMLRenderer):
    """Of Markdown what an answer needs: no heading looks like one of the page, no picture is fetched, no link hides."""

    def heading(self, text: str, level: int, **attributes: Any) -> str:
        """A line in bold."""
        return f"<p><strong>{text}</strong></p>\n"

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """The words in place of the picture, and its address."""
        return f"{text} ({escape(url)})"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """The words with the address beside them."""
        return text if text == escape(url) else f"{text} ({escape(url)})"


def prose(text: str) -> str:
    """A stranger's Markdown with formulas as HTML; whatever is not plain Markdown appears as it was typed.

    >>> prose("a *b* <script> ![c](d)")
    '<p>a <em>b</em> &lt;script&gt; c (d)</p>\\n'
    """
    try:
        if len(text) > MOST_PROSE:
            raise ValueError("too long to be read as Markdown")
        marked, formulas = split_formulas(text)
        if any(len(formula) > MOST_FORMULA for formula, _ in formulas):
            raise ValueError("too long to be read as a formula")
        page = join_formulas(str(mistune.create_markdown(renderer=Plain(escape=True))(marked)), formulas)
        if any(int(size) > MOST_MOVE for size in MOVE.findall(page)):
            raise ValueError("moved out of sight")
        return page
    except Exception:  # a text that no parser expects must not stop the class
        return f"<p class='words'>{escape(text)}</p>"


def _comment(result: "Result", task: str) -> str:
    mark = result.marks.get(task)
    if mark is None or (mark.points is None and not mark.comment):
        return ""
    by_hand = "" if task == "written" else " (points given by hand)"
    if not mark.comment:
        return f"<p><strong>From your lecturer{by_hand}.</strong></p>" if by_hand else ""
    return f"<p class='comment'><strong>From your lecturer{by_hand}:</strong> {visible(mark.comment)}</p>"


def write_written(results: "Iterable[Result]", keys: "dict[str, AnswerKey]", out: Path) -> None:
    """One page for each exercise with its rubric and all written answers, for marking them in one go."""
    by_exercise: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.record is not None:
            by_exercise[result.submission.exercise].append(result)
    for name, rows in by_exercise.items():
        rubric = prose(keys[name].rubric)
        waiting = sum(result.written is None for result in rows)
        body = f"<h1>Written answers of {name}</h1><p>{waiting} of {len(rows)} wait. "
        body += f"Points and comments go into marks.csv.</p><section>{rubric}</section>"
        for result in rows:
            body += f"<h2>{visible(result.submission.student)}</h2>{_written(result.record['written'], result)}"  # type: ignore[index]
        _page(out / f"written-{name}.html", f"Written answers of {name}", body)


def _page(path: Path, title: str, body: str) -> None:
    with written_atomically(path) as file:
        file.write(PAGE.format(title=escape(title), body=body).encode("utf-8", "replace"))
