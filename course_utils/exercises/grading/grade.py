"""A folder of submissions becomes marks: every student has a row, and what needs a person's attention is listed."""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from course_utils._support.journal import Journal, alone
from course_utils._support.side_by_side import side_by_side
from course_utils.exercises.catalogue import exercises, load_exercise
from course_utils.exercises.grading.attempt import Limits
from course_utils.exercises.grading.collect import Submission, collect
from course_utils.exercises.grading.entered import Work, outdated
from course_utils.exercises.grading.feedback import is_empty, write_feedback, write_written
from course_utils.exercises.grading.mark import AnswerKey, Job, answer_key
from course_utils.exercises.grading.marks import Mark, read_marks, wait_for
from course_utils.exercises.grading.sandbox import check_system
from course_utils.exercises.grading.spreadsheet import as_typed, table
from course_utils.exercises.grading.trial import Trial, mark_after_trial, trial_of

__all__ = ["Graded", "Result", "grade"]

MOST_TASKS = 6


@dataclass(frozen=True)
class Result:
    """A row: a submission, the record of its grading (None if it could not be graded), and the lecturer's marks."""

    submission: Submission
    record: dict[str, Any] | None = None
    marks: dict[str, Mark] = field(default_factory=dict)
    attention: tuple[str, ...] = ()

    @property
    def task_points(self) -> list[float]:
        """The points of each task, in their order; the lecturer's come before the measured ones."""
        tasks = self.record["tasks"] if self.record else []
        return [self._overruled(task["name"], task["points"]) for task in tasks]

    @property
    def written(self) -> float | None:
        """The points of the written answer; None while it waits, and none at once where nothing was written."""
        by_hand = self.marks.get("written")
        if by_hand is not None and by_hand.points is not None:
            return by_hand.points
        return 0 if self.record is not None and is_empty(self.record["written"]) else None

    @property
    def points(self) -> float:
        """All points so far."""
        return sum(self.task_points) + (self.written or 0)

    @property
    def of(self) -> float:
        """The most points that this exercise gives."""
        return load_exercise(self.submission.exercise).points if self.submission.exercise else 0

    def _overruled(self, task: str, measured: float) -> float:
        by_hand = self.marks.get(task)
        return measured if by_hand is None or by_hand.points is None else by_hand.points


class Graded(NamedTuple):
    """What a run has done: all rows, how many were graded now, and where the tables are."""

    results: list[Result]
    now: int
    out: Path


def grade(
    source: Path,
    out: Path,
    *,
    folder: Path,
    exercise: str | None = None,
    student: str | None = None,
    again: bool = False,
    jobs: int | None = None,
    scheduler: str | None = None,
    limits: Limits | None = None,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda records, total: records,
) -> Graded:
    """Grade the submissions in `source`, a folder or a zip file, and write tables and feedback into `out`.

    `folder`: notebooks/exercises of the lecturer. With `exercise` or `student` only these are graded (again); the other
    rows stay. What was graded before is not graded again, unless the submission, the exercise or the grader has
    changed, or `again` asks for it. `jobs`: students at once, by default one for each processor. `scheduler`: address
    of a Dask cluster, whose machines have the course and bubblewrap installed. `progress` wraps the stream of records.

    Raises: FileNotFoundError for a folder that is not there, ValueError for one without files, for a student who sent
    nothing, or for a bad marks.csv; UnfitMachine where no submission can run, or where the lecturer's own work does not
    get its marks.
    """
    check_system()
    out.mkdir(parents=True, exist_ok=True)
    submissions = collect(source, exercises())
    keys = {name: answer_key(folder, name) for name in {s.exercise for s in submissions if s.notebook and s.exercise}}
    selected = exercise is not None or student is not None
    path = out / "records.jsonl"
    student = _among(submissions, student) if student is not None else None
    with alone(path):
        journal, waiting = Journal(path), {}
        for submission in submissions:
            if submission.problem or submission.notebook is None:
                continue
            wanted = exercise in (None, submission.exercise) and student in (None, submission.student)
            key = _key(submission, keys)
            if wanted and (again or selected or key not in journal.records):
                waiting[key] = Job(keys[submission.exercise], submission.notebook, limits or Limits())
        trials = {name: trial_of(folder, name) for name in {job.key.exercise for job in waiting.values()}}
        for key, record in progress(_marked(waiting, trials, jobs, scheduler), len(waiting)):
            journal.add(key, record)
    results = _results(submissions, keys, journal, out)
    _write(results, keys, out)
    return Graded(results, len(waiting), out)


def _among(submissions: Sequence[Submission], student: str) -> str:
    """The student as in the tables, from what was typed."""
    name = unicodedata.normalize("NFC", as_typed(student))
    if all(submission.student != name for submission in submissions):
        raise ValueError(f"no submission here is of {student!r}; write the name as it stands in grades.csv")
    return name


def _key(submission: Submission, keys: dict[str, AnswerKey]) -> str:
    """The name of a record: the same only for the same student, the same file and the same way of grading."""
    parts = (submission.student, submission.exercise, submission.receipt, keys[submission.exercise].version)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _marked(
    waiting: dict[str, Job], trials: dict[str, Trial], jobs: int | None, scheduler: str | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records as they come, with their keys.

    A thread watches each student's process; the work is done in that process, so threads are enough on one machine.
    """
    keys, work = list(waiting), [(job, trials[job.key.exercise]) for job in waiting.values()]
    for number, record in side_by_side(mark_after_trial, work, at_once=jobs, scheduler=scheduler, threads=True):
        yield keys[number], record


def _results(
    submissions: Sequence[Submission], keys: dict[str, AnswerKey], journal: Journal, out: Path
) -> list[Result]:
    """A row for each submission, with the lecturer's marks and everything that needs attention."""
    records = [
        journal.records.get(_key(s, keys)) if s.notebook is not None and s.exercise else None for s in submissions
    ]
    answered = [s for s, record in zip(submissions, records, strict=True) if record and not is_empty(record["written"])]
    wait_for(out / "marks.csv", [(s.student, s.exercise, "written") for s in answered])
    marks, problems = read_marks(out / "marks.csv")
    by_hand: dict[tuple[str, str], dict[str, Mark]] = defaultdict(dict)
    for line in marks:
        by_hand[line.student, line.exercise][line.task] = line
    twins = _twins(submissions, records)
    old = outdated(
        (_work(s, record) for s, record in zip(submissions, records, strict=True) if record), by_hand, journal
    )
    results = []
    for submission, record in zip(submissions, records, strict=True):
        given = by_hand.pop((submission.student, submission.exercise), {})
        attention = [*submission.remarks, *(record["attention"] if record else []), *twins.get(id(submission), [])]
        attention += [submission.problem] if submission.problem else []
        attention += old.get((submission.student, submission.exercise), [])
        impossible = _impossible(submission, given)
        attention += impossible.values()
        possible = {task: mark for task, mark in given.items() if task not in impossible}
        results.append(Result(submission, record, possible, tuple(attention)))
    lost = [
        f"marks.csv, line {line.line}: no submission of {line.student} for {line.exercise}"
        for lines in by_hand.values()
        for line in lines.values()
    ]
    if lost or problems:
        nobody = Submission("", "", "marks.csv")
        results.append(Result(nobody, attention=(*lost, *(f"marks.csv, {problem}" for problem in problems))))
    return results


def _work(submission: Submission, record: dict[str, Any]) -> Work:
    return Work(submission.student, submission.exercise, submission.file, _answer(record), record["code"])


def _answer(record: dict[str, Any]) -> str:
    """The same for the same written answer, however it is spaced."""
    return hashlib.sha256("".join(record["written"]["text"].split()).encode()).hexdigest()[:16]


def _impossible(submission: Submission, marks: dict[str, Mark]) -> dict[str, str]:
    """Which of the lecturer's marks are impossible, and why: they are listed and do not count."""
    if not submission.exercise:
        return {}
    exercise = load_exercise(submission.exercise)
    most = {task.name: task.points for task in exercise.tasks} | {"written": exercise.written.points}
    reasons = {}
    for task, given in marks.items():
        if task not in most:
            reasons[task] = f"marks.csv, line {given.line}: {exercise.name} has no task {task!r}"
        elif given.points is not None and not 0 <= given.points <= most[task]:
            points = f"{given.points:g} points for {task}, which gives {most[task]}"
            reasons[task] = f"marks.csv, line {given.line}: {points}"
    return reasons


def _twins(submissions: Sequence[Submission], records: Sequence[dict[str, Any] | None]) -> dict[int, list[str]]:
    """For each submission those of other students with the same code and the same written answer."""
    groups: dict[tuple[str, str, str], list[Submission]] = defaultdict(list)
    for submission, record in zip(submissions, records, strict=True):
        if record is not None and any(task["points"] for task in record["tasks"]):
            groups[submission.exercise, record["code"], _answer(record)].append(submission)
    remarks = {}
    for group in groups.values():
        for submission in group:
            if students := [twin.student for twin in group if twin is not submission]:
                names = ", ".join(students[:3]) + (f" and {len(students) - 3} more" if len(students) > 3 else "")
                remarks[id(submission)] = [f"the code and the written answer are those of {names}"]
    return remarks


def _write(results: Sequence[Result], keys: dict[str, AnswerKey], out: Path) -> None:
    rows = [result for result in results if result.submission.student]
    names = [f"task {number}" for number in range(1, MOST_TASKS + 1)]
    columns = ["student", "exercise", "points", "of", "status", *names, "written", "receipt", "file"]
    table(out / "grades.csv", columns, map(_row, rows))
    attention = [
        (result.submission.student, result.submission.exercise, result.submission.file, reason)
        for result in results
        for reason in result.attention
    ]
    table(out / "needs-attention.csv", ["student", "exercise", "file", "reason"], attention)
    write_feedback(rows, out / "feedback")
    write_written(rows, keys, out)


def _row(result: Result) -> list[object]:
    submission = result.submission
    if result.record is None:
        status = f"not graded: {submission.problem}" if submission.problem else "not graded yet"
    else:
        status = "graded" if result.written is not None else "graded, the written answer waits"
    tasks = [*result.task_points, *[""] * (MOST_TASKS - len(result.task_points))]
    return [
        submission.student,
        submission.exercise,
        result.points,
        result.of,
        status,
        *tasks,
        "" if result.written is None else result.written,
        submission.receipt,
        submission.file,
    ]
