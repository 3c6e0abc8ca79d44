"""What a learning platform gives, put in order: whose each notebook is, and which exercise it answers.

It may be a folder per student (Moodle, nbgrader), all files in one folder (Canvas), or the files that `course handin`
has written. Every student who sent anything comes out, with a notebook or with the reason why there is none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from course_utils.exercises.grading.files import Entry, entries
from course_utils.exercises.grading.versions import (
    EXERCISE,
    Version,
    exercise_answered,
    newest,
    other_exercises,
    version_of,
)
from course_utils.exercises.notebook.reader import Notebook, NotebookError, read_notebook, receipt_of

__all__ = ["Submission", "collect"]

MOODLE = re.compile(r"^(?P<student>.+?)_assignsubmission_")
CANVAS = re.compile(r"^(?P<student>[^\W_]+)_(?:LATE_)?(?P<id>\d+)_\d+_")
HANDED_IN = re.compile(r"^(?P<exercise>ex\d\d)_(?P<student>.+)$")
NOBODY = "nobody"
LONGEST_NAME = 160  # bytes: a file system takes some 255, with what is added before and after


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

    FileNotFoundError if there is no such folder; ValueError if nothing is in it.
    """
    if not source.exists():
        raise FileNotFoundError(f"there is no {source}; give the folder or the zip file that holds the submissions")
    files = list(entries(source))
    if not files:
        raise ValueError(f"{source} holds no files; unpack there what your learning platform gives, or name its zip")
    by_owner: dict[str, list[Entry]] = {}
    for owner, entry in zip(_owners_by_path(files), files, strict=True):
        by_owner.setdefault(owner or _owner_by_content(entry), []).append(entry)
    names = _distinct_names(sorted(by_owner))
    return [
        submission for owner, sent in sorted(by_owner.items()) for submission in _submissions(names[owner], sent, known)
    ]


# Students


def _owners_by_path(files: Sequence[Entry]) -> list[str]:
    """Whose each file is, from its path; empty where that does not tell."""
    paths = [entry.parts or ("",) for entry in files]
    while _lie_in_a_common_folder(paths):
        paths = [path[1:] for path in paths]
    groups = _group_folders(paths)
    return [_owner(path[1:] if path[0] in groups and len(path) > 1 else path) for path in paths]


def _lie_in_a_common_folder(paths: Sequence[tuple[str, ...]]) -> bool:
    """Whether all files lie in one folder that is nobody's: it holds folders, or files with names of students."""
    if len({path[0] for path in paths}) > 1 or min(map(len, paths)) < 2 or _owner_by_name(paths[0][0]):
        return False
    return all((len(path) > 2 and not EXERCISE.fullmatch(path[1])) or _owner_by_name(path[1]) for path in paths)


def _group_folders(paths: Sequence[tuple[str, ...]]) -> set[str]:
    """First folders, if each of them holds several students: two or more folders that are no exercises.

    One of many does not count: that is a student who has sorted the files into folders.
    """
    inner: dict[str, set[str]] = {}
    for path in paths:
        if len(path) > 2 and not EXERCISE.fullmatch(path[1]) and not _owner_by_name(path[0]):
            inner.setdefault(path[0], set()).add(path[1])
    several = {first for first, names in inner.items() if len(names) > 1}
    return several if several == {path[0] for path in paths} else set()


def _owner(path: tuple[str, ...]) -> str:
    """Whose the file at this path is: the first folder is the student's."""
    if len(path) > 1:  # what students call folders of theirs names nobody else
        if MOODLE.match(path[0]) or CANVAS.match(path[0]):
            return _owner_by_name(path[0])
        return re.sub(r"(?i)\.zip$", "", path[0])
    return _owner_by_name(path[0])


def _owner_by_name(name: str) -> str:
    """The student whom a platform, or `course handin`, has written into the name of a file or folder."""
    if match := MOODLE.match(name):
        return match["student"]
    if match := HANDED_IN.match(_stem(name)):  # first, as a name that a student typed may look like Canvas's
        return match["student"]
    if match := CANVAS.match(name):
        return f"{match['student']}_{match['id']}"
    return ""


def _owner_by_content(entry: Entry) -> str:
    """Whose a file is that lies in no folder and has no student's name: what it says itself, or nobody's."""
    try:
        student = read_notebook(entry.content, outputs=False).student
    except NotebookError:
        student = ""
    stem = EXERCISE.sub("", _stem(entry.parts[-1])).strip(" _-.") if entry.parts else ""
    return student or stem or f"{NOBODY} {entry.path}"


def _distinct_names(owners: Sequence[str]) -> dict[str, str]:
    """For each student's name a name for a file; different students stay different."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for owner in owners:
        name, number = _clean(owner), 2
        while name.lower() in taken:
            name, number = f"{_clean(owner)} {number}", number + 1
        taken.add(name.lower())
        names[owner] = name
    return names


def _stem(name: str) -> str:
    """A file's name without its ending, and without what a browser adds to a second download."""
    return re.sub(r"(?: ?\(\d+\)|[ -]+(?:copy|Kopie)(?: ?\d+)?|-\d{1,2})+$", "", PurePosixPath(name).stem, flags=re.I)


def _clean(student: str) -> str:
    """A name that can be a file's name and a cell of a table."""
    name = re.sub(r"[^\w .@+-]", "_", student).strip(" .")[:80]
    return name.encode()[:LONGEST_NAME].decode(errors="ignore").strip(" .") or "unnamed"


# Submissions


def _submissions(student: str, files: Sequence[Entry], known: Sequence[str]) -> Iterator[Submission]:
    """One submission for each exercise that a student sent; at least one, whatever it was."""
    notebooks = [entry for entry in files if entry.is_notebook]
    others = [entry for entry in files if not entry.is_notebook]
    broken = [f"{entry.path} {entry.problem}" for entry in others if entry.problem]
    by_exercise: dict[str, list[Version]] = {}
    for version in map(version_of, notebooks):
        by_exercise.setdefault(exercise_answered(version, known), []).append(version)
    for exercise, versions in sorted(by_exercise.items()):
        elsewhere = [name for name in known if name not in by_exercise]
        yield _submission(student, exercise, versions, broken, elsewhere)
    named = {exercise: entry for entry in others if (exercise := _exercise_named(entry, known)) and not entry.problem}
    for exercise, entry in named.items():
        if exercise not in by_exercise:
            yield Submission(student, exercise, entry.path, problem=_no_notebook([entry]))
    if not notebooks and not named:
        entry = next((entry for entry in others if entry.problem), files[0])
        yield Submission(student, "", entry.path, problem=broken[0] if broken else _no_notebook(files))


def _submission(
    student: str, exercise: str, versions: Sequence[Version], remarks: list[str], elsewhere: Sequence[str]
) -> Submission:
    """What is graded of the versions of an exercise; `elsewhere`: exercises of which the student sent no notebook."""
    version, of_the_others = newest(versions, exercise)
    entry, notebook = version.entry, version.notebook
    remarks = [*remarks, *of_the_others, *other_exercises(version, exercise, elsewhere)]
    if student.startswith(NOBODY):
        remarks = [*remarks, "nothing in its name or its folder tells whose it is"]
    if notebook is not None and notebook.student and _differ(notebook.student, student):
        remarks = [*remarks, f"the notebook was written for {notebook.student}"]
    receipt = receipt_of(entry.content) if entry.content else ""
    problem = "" if notebook is not None else f"{entry.path} {version.problem}"
    if notebook is not None and not exercise:
        problem = f"{entry.path} is no exercise of this course: neither its cells nor its name say which"
    return Submission(student, exercise, entry.path, notebook, receipt, problem, tuple(remarks))


def _exercise_named(entry: Entry, known: Sequence[str]) -> str:
    """The exercise that the name of a file says it answers; empty if it is none of the `known`."""
    name = entry.parts[-1] if entry.parts else ""
    return next((f"ex{number}" for number in EXERCISE.findall(name) if f"ex{number}" in known), "")


def _no_notebook(files: Sequence[Entry]) -> str:
    return f"there is no notebook among {_list(files)}; ask for the file that ends in .ipynb"


def _list(files: Sequence[Entry]) -> str:
    names = ", ".join(entry.path for entry in files[:3])
    return f"{names} and {len(files) - 3} more" if len(files) > 3 else names


def _differ(claimed: str, student: str) -> bool:
    """Whether two names have no word in common, as in `jane.doe` and `Doe Jane 4711`."""
    claimed_words, student_words = (set(re.findall(r"[^\W_]{2,}", name.lower())) for name in (claimed, student))
    return not claimed_words & student_words and claimed.lower() not in student.lower().replace(" ", "")
