"""Whose each file is that a learning platform gives: told by its folder, by its name, or by the notebook itself."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from course_utils.exercises.grading.files import Entry
from course_utils.exercises.grading.versions import EXERCISE, Version

__all__ = ["Owner", "differ", "is_late", "owners"]

# The platform's own part comes last, whatever students call themselves.
MOODLE = re.compile(r"^(?P<student>.+)_assignsubmission_")
# Canvas: a name, or "anon"; LATE; the student's number; the file's number and name, or what was typed there.
CANVAS = re.compile(
    r"^(?:(?P<student>[^_]+)_(?P<late>(?i:late)_)?(?P<id>\d+)|(?P<anonymous_late>LATE_)?(?P<anonymous>anon_[^_]+))"
    r"_(?:\d+_|(?:text|link)\.html$)"
)
HANDED_IN = re.compile(r"^(?P<exercise>ex\d\d)_(?P<student>.+)$")


class Owner(NamedTuple):
    """Whose a file is; `told_by`: what says so, "path", "notebook" or "nothing"."""

    name: str
    told_by: str


def owners(files: Sequence[Version]) -> list[Owner]:
    """Whose each file is. What nothing tells of is its own owner, so that nobody's work is lost."""
    paths = [file.entry.parts or ("",) for file in files]
    while _lie_in_a_common_folder(paths):
        paths = [path[1:] for path in paths]
    notebooks = [path for path, file in zip(paths, files, strict=True) if file.entry.is_notebook]
    groups = {path[0] for path in paths if EXERCISE.fullmatch(path[0])} | _group_folders(notebooks)
    names = [_by_path(path[1:] if path[0] in groups and len(path) > 1 else path) for path in paths]
    return [Owner(name, "path") if name else _by_content(file) for name, file in zip(names, files, strict=True)]


def differ(claimed: str, student: str) -> bool:
    """Whether two names have no word in common.

    >>> differ("jane.doe", "Doe Jane_4711"), differ("janedoe", "Jane Doe_4711"), differ("bob", "Doe Jane_4711")
    (False, False, True)
    """
    claimed, student = (unicodedata.normalize("NFKC", name).casefold() for name in (claimed, student))
    claimed_words, student_words = (set(re.findall(r"[^\W_]{2,}", name)) for name in (claimed, student))
    return not claimed_words & student_words and claimed not in student.replace(" ", "")


def is_late(entry: Entry) -> bool:
    """Whether the platform has marked a file as late; of those that are known Canvas does.

    >>> is_late(Entry(("doejane_LATE_4711_90_ex04.ipynb",)))
    True
    """
    matches = [match for part in entry.parts if (match := CANVAS.match(part))]
    return any(match["late"] or match["anonymous_late"] for match in matches)


def _lie_in_a_common_folder(paths: Sequence[tuple[str, ...]]) -> bool:
    """Whether all files lie in one folder that is nobody's: it holds folders, or files with names of students."""
    if len({path[0] for path in paths}) > 1 or min(map(len, paths)) < 2 or _by_name(paths[0][0]):
        return False
    return all((len(path) > 2 and not EXERCISE.fullmatch(path[1])) or _by_name(path[1]) for path in paths)


def _group_folders(notebooks: Sequence[tuple[str, ...]]) -> set[str]:
    """First folders that are no students and no exercises: all, if in each there are notebooks of several students.

    A student is a folder that is no exercise and holds a notebook: in a student's repository lie other folders too. One
    of many does not count: that is a student who has sorted the files into folders.
    """
    inner: dict[str, set[str]] = {path[0]: set() for path in notebooks if not EXERCISE.fullmatch(path[0])}
    for path in notebooks:
        if path[0] in inner and len(path) > 2 and not EXERCISE.fullmatch(path[1]) and not _by_name(path[0]):
            inner[path[0]].add(path[1])
    return set(inner) if all(len(names) > 1 for names in inner.values()) else set()


def _by_path(path: tuple[str, ...]) -> str:
    """Whose the file at this path is: the first folder is the student's, whatever lies in it."""
    if len(path) > 1:  # what students call folders of theirs names nobody else
        return _by_platform(path[0]) or re.sub(r"(?i)\.zip$", "", path[0])
    return _by_name(path[0])


def _by_name(name: str) -> str:
    """The student whom a platform, or `course handin`, has written into the name of a file or folder."""
    if match := HANDED_IN.match(_stem(name)):  # first, as a name that a student typed may look like a platform's
        return match["student"]
    return _by_platform(name)


def _by_platform(name: str) -> str:
    if match := MOODLE.match(name):
        return match["student"]
    if match := CANVAS.match(name):
        return match["anonymous"] or f"{match['student']}_{match['id']}"
    return ""


def _by_content(file: Version) -> Owner:
    """Whose a file is that lies in no folder and has no student's name: what it says itself, or nobody's."""
    student = file.notebook.student if file.notebook else ""
    parts = file.entry.parts
    stem = EXERCISE.sub("", _stem(parts[-1])).strip(" _-.") if parts else ""
    if student or stem:
        return Owner(student or stem, "notebook" if student else "path")
    return Owner(f"nobody/{file.entry.path}", "nothing")  # no folder has such a name


def _stem(name: str) -> str:
    """A file's name without its ending, and without what a browser adds to a second download, or a cloud to a copy."""
    name = re.sub(r"^(?:Copy of|Kopie v[ao]n|Copi[ae] de|Cópia de) ", "", name)
    return re.sub(r"(?: ?\(\d+\)|[ -]+(?:copy|Kopie)(?: ?\d+)?|-\d{1,2})+$", "", PurePosixPath(name).stem, flags=re.I)
