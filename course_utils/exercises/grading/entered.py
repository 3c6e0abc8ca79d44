"""For which work a lecturer entered a mark: it stays when other work comes, and then a line says so."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from course_utils._support.journal import Journal
from course_utils.exercises.grading.marks import Mark

__all__ = ["Work", "outdated"]

KEY = "for which work the marks were entered"  # of the record; submissions have hashes


class Work(NamedTuple):
    """What a student sent for an exercise: the file's name, and what is the same for the same answer and code."""

    student: str
    exercise: str
    file: str
    answer: str
    code: str

    def of(self, task: str) -> str:
        """What a mark for this task is given for."""
        return self.answer if task == "written" else self.code


def outdated(
    works: Iterable[Work], marks: Mapping[tuple[str, str], Mapping[str, Mark]], journal: Journal
) -> dict[tuple[str, str], list[str]]:
    """A sentence for each mark that was entered for other work than is graded now, by student and exercise.

    A mark is entered after what the run before has shown. It counts as entered for new work once its line has changed.
    """
    before = journal.records.get(KEY, {})
    now: dict[str, Any] = dict(before)
    sentences: dict[tuple[str, str], list[str]] = {}
    for work in works:
        name = "\0".join((work.student, work.exercise))
        shown = before.get(name, {})
        entered = {}
        for task, mark in marks.get((work.student, work.exercise), {}).items():
            if mark.points is None:
                continue
            *said, for_work = shown.get("marks", {}).get(task, [None])
            if said != [mark.points, mark.comment]:
                for_work = shown.get("answer" if task == "written" else "code", work.of(task))
            entered[task] = [mark.points, mark.comment, for_work]
            if for_work != work.of(task):
                sentences.setdefault((work.student, work.exercise), []).append(_sentence(work, mark))
        now[name] = {"answer": work.answer, "code": work.code, "marks": entered}
    if now != before:
        journal.add(KEY, now)
    return sentences


def _sentence(work: Work, mark: Mark) -> str:
    what = "another answer" if mark.task == "written" else "other code"
    return (
        f"marks.csv, line {mark.line}: {mark.points:g} points for {mark.task} were entered before {work.file} came, "
        f"which has {what}; change the points, or the comment alone if they are right for it too"
    )
