"""What a learning platform gives, put in order: whose each notebook is, and which exercise it answers.

It may be a folder per student (Moodle, nbgrader), all files in one folder (Canvas), or the files that `course handin`
has written. Every student who sent anything comes out, with a notebook or with the reason why there is none.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from course_utils.exercises.grading.files import Entry, entries
from course_utils.exercises.grading.names import alike, key, page_names
from course_utils.exercises.grading.owners import Owner, differ, is_late, owners
from course_utils.exercises.grading.versions import (
    EXERCISE,
    Version,
    exercise_answered,
    is_answered,
    newest,
    other_exercises,
    version_of,
)
from course_utils.exercises.notebook.reader import Notebook

__all__ = ["Submission", "collect"]

DOCUMENT = re.compile(r"(?i)\.(?:pdf|docx?|odt|rtf|pages|txt|md|html?|png|jpe?g|heic)$")  # what may hold an answer
ONLINE_TEXT = "_assignsubmission_onlinetext_"  # of Moodle, which keeps it in another folder


@dataclass(frozen=True)
class Submission:
    """What is graded of a student for one exercise: a notebook, or none and the `problem` with it.

    `exercise` is empty where it could not be told. `remarks`: what a lecturer should know, a sentence each.
    """

    student: str
    exercise: str
    file: str
    notebook: Notebook | None = None
    receipt: str = ""
    problem: str = ""
    remarks: tuple[str, ...] = field(default=())


def collect(source: Path, known: Sequence[str]) -> list[Submission]:
    """The submissions in a folder or a zip file, by student and exercise; `known`: the names of the exercises.

    FileNotFoundError if there is no such folder; ValueError if nothing is in it, or if it is one file that cannot be
    read.
    """
    if not source.exists():
        raise FileNotFoundError(f"there is no {source}; give the folder or the zip file that holds the submissions")
    files = [version_of(entry) for entry in entries(source)]
    if not files:
        raise ValueError(f"{source} holds no files; unpack there what your learning platform gives, or name its zip")
    if source.is_file() and files[0].notebook is None and files[0].entry.parts in ((), (source.name,)):
        reason = files[0].problem or "is no folder, no .zip and no .ipynb"
        raise ValueError(f"{source} {reason}; give the folder or the zip file that holds the submissions")
    sent: dict[str, list[tuple[Owner, Version]]] = {}
    for owner, file in zip(owners(files), files, strict=True):
        sent.setdefault(key(owner.name), []).append((owner, file))
    doubts = _doubts(sent)
    return [
        replace(submission, remarks=(*doubts[student], *submission.remarks))
        for student in sorted(sent)
        for submission in _submissions(student, [file for _, file in sent[student]], known)
    ]


def _doubts(sent: Mapping[str, Sequence[tuple[Owner, Version]]]) -> dict[str, list[str]]:
    """For each student what is not certain: that it is this one, or that another is not meant."""
    similar, pages = alike(sent), page_names(sent)
    doubts: dict[str, list[str]] = {student: [] for student in sent}
    for student, files in sent.items():
        kinds = {owner.told_by for owner, _ in files}
        claims = ", ".join(file.entry.path for owner, file in files if owner.told_by == "notebook")
        if "nothing" in kinds:
            doubts[student].append("nothing in its name or its folder tells whose it is")
        elif kinds == {"path", "notebook"}:
            doubts[student].append(f"that it is {student}'s, only the notebook itself says: {claims}")
        if student in similar:
            page = f"; the feedback page is {pages[student]}.html" if pages[student] != student else ""
            names = ", ".join(similar[student])
            doubts[student].append(
                f"another name here is almost the same, and counts as another student: {names}{page}"
            )
    return doubts


def _submissions(student: str, files: Sequence[Version], known: Sequence[str]) -> Iterator[Submission]:
    """One submission for each exercise that a student sent; at least one, whatever it was."""
    notebooks = [file for file in files if file.entry.is_notebook]
    others = [file.entry for file in files if not file.entry.is_notebook]
    broken = [f"{entry.path} {entry.problem}" for entry in others if entry.problem]
    by_exercise: dict[str, list[Version]] = {}
    for version in notebooks:
        by_exercise.setdefault(exercise_answered(version, known), []).append(version)
    if foreign := by_exercise.pop("", []):
        yield _of_no_exercise(student, foreign, broken)
    named = {exercise: entry for entry in others if (exercise := _exercise_named(entry, known)) and not entry.problem}
    texts = [entry for entry in others if entry not in named.values() and DOCUMENT.search(entry.path)]
    for exercise, versions in sorted(by_exercise.items()):
        elsewhere = [name for name in known if name not in by_exercise]
        yield _submission(student, exercise, versions, broken, elsewhere, texts)
    for exercise, entry in named.items():
        if exercise not in by_exercise:
            yield Submission(student, exercise, entry.path, problem=_no_notebook([entry]))
    if not notebooks and not named:
        entry = next((entry for entry in others if entry.problem), others[0])
        yield Submission(student, "", entry.path, problem=broken[0] if broken else _no_notebook(others))


def _submission(
    student: str,
    exercise: str,
    versions: Sequence[Version],
    remarks: list[str],
    elsewhere: Sequence[str],
    texts: Sequence[Entry],
) -> Submission:
    """What is graded of the versions of an exercise.

    `elsewhere`: exercises of which the student sent no notebook; `texts`: files that may hold a written answer.
    """
    version, of_the_others = newest(versions, exercise)
    entry, notebook = version.entry, version.notebook
    remarks = [*remarks, *of_the_others, *other_exercises(version, exercise, elsewhere)]
    if is_late(entry):
        remarks = [*remarks, f"{entry.path} was handed in late"]
    if notebook is not None and notebook.student and differ(notebook.student, student):
        remarks = [*remarks, f"the notebook was written for {notebook.student}"]
    beside = [text for text in texts if text.parts[:-1] == entry.parts[:-1] or ONLINE_TEXT in text.path]
    if beside and notebook is not None and not is_answered(version, exercise):
        remarks = [*remarks, f"the notebook has no written answer, and this was sent too: {_list(beside)}"]
    problem = "" if notebook is not None else f"{entry.path} {version.problem}"
    return Submission(student, exercise, entry.path, notebook, version.receipt, problem, tuple(remarks))


def _of_no_exercise(student: str, versions: Sequence[Version], remarks: list[str]) -> Submission:
    """One row for all notebooks of which nothing says which exercise they answer."""
    reasons = [f"{version.entry.path} {version.problem}" for version in versions if version.notebook is None]
    unknown = [version.entry for version in versions if version.notebook is not None]
    if unknown:
        which = (
            ("is no exercise", "its cells nor its name say")
            if len(unknown) == 1
            else ("are no exercises", "their cells nor their names say")
        )
        reasons.append(f"{_list(unknown)} {which[0]} of this course: neither {which[1]} which")
    first = versions[0]
    return Submission(student, "", first.entry.path, None, first.receipt, reasons[0], (*remarks, *reasons[1:]))


def _exercise_named(entry: Entry, known: Sequence[str]) -> str:
    """The exercise that the name of a file says it answers; empty if it is none of the `known`."""
    name = entry.parts[-1] if entry.parts else ""
    return next((f"ex{number}" for number in EXERCISE.findall(name) if f"ex{number}" in known), "")


def _no_notebook(files: Sequence[Entry]) -> str:
    return f"there is no notebook among {_list(files)}; ask for the file that ends in .ipynb"


def _list(files: Sequence[Entry]) -> str:
    names = ", ".join(entry.path for entry in files[:3])
    return f"{names} and {len(files) - 3} more" if len(files) > 3 else names
