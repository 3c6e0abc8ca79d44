"""What a learning platform gives, put in order: whose each notebook is, and which exercise it answers.

Takes a folder or a zip file, with zip files in it to any reasonable depth: a folder per student (Moodle, nbgrader), all
files in one (Canvas), or the files that `course handin` has written. Every student who sent anything comes out, with a
notebook or with the reason why there is none. Nothing is unpacked to disk, and no link is followed.
"""

import io
import os
import re
import stat
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath

from course_utils.exercises.grading.notebook import Notebook, UnreadableNotebook, read_notebook

__all__ = ["Submission", "collect"]

MOST_BYTES = 20_000_000  # of one file
MOST_IN_ALL = 4_000_000_000  # unpacked from zip files, over all students
MOST_FILES = 20_000  # in one zip file
# What one zip file may unpack to, with all that lie in it: so much, and in proportion to its own size. Notebooks shrink
# to a fifth or so, a bomb to a thousandth.
FREE_BYTES, BYTES_PER_BYTE = 100_000_000, 10
FREE_FILES, BYTES_PER_FILE = 2_000, 500
MOST_DEPTH = 4  # of zip files in zip files
JUNK = re.compile(r"(^|/)(__MACOSX|\.ipynb_checkpoints|\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]*)(/|$)")
MOODLE = re.compile(r"^(?P<student>.+?)_assignsubmission_")
CANVAS = re.compile(r"^(?P<student>[^\W_]+)_(?:LATE_)?(?P<id>\d+)_\d+_")
HANDED_IN = re.compile(r"^(?P<exercise>ex\d\d)_(?P<student>.+)$")
NOBODY = "nobody"
LONGEST_PATH = 1_000  # letters, in a zip file
ZIP_UTF8 = 0x800  # a flag of a file in a zip file: its name is in UTF-8
LONGEST_NAME = 160  # bytes: a file system takes some 255, with what is added before and after
EXERCISE = re.compile(r"(?i)(?<![a-z0-9])ex[-_ ]?(\d\d)(?!\d)")


@dataclass(frozen=True)
class Entry:
    """A file, or the reason why it cannot be read; `parts`: its path, names of zip files included."""

    parts: tuple[str, ...]
    content: bytes = b""
    problem: str = ""
    time: float = 0.0

    @property
    def path(self) -> str:
        """For people; letters that no file could be written with become question marks."""
        return "/".join(self.parts).encode("utf-8", "replace").decode()


class Allowance:
    """What may still be unpacked of a zip file, and of the one in which it lies."""

    def __init__(self, size: int, files: int, outer: "Allowance | None" = None) -> None:
        self.size, self.files, self.outer = size, files, outer

    def within(self, packed: int) -> "Allowance":
        """That of a zip file of `packed` bytes, taken from this one too."""
        return Allowance(FREE_BYTES + BYTES_PER_BYTE * packed, FREE_FILES + packed // BYTES_PER_FILE, self)

    @property
    def bytes_left(self) -> int:
        """The most that a file may have."""
        return self.size if self.outer is None else min(self.size, self.outer.bytes_left)

    def take(self, size: int, files: int) -> str:
        """Count what is unpacked; says what is too much."""
        self.size -= size
        self.files -= files
        if self.files < 0:
            return "was not opened: the zip file and those in it hold too many files for their size"
        if self.size < 0:
            return "was not unpacked: the zip file and those in it hold too many bytes for their size"
        return self.outer.take(size, files) if self.outer else ""


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
    entries = list(_entries(source))
    if not entries:
        raise ValueError(f"{source} holds no files; unpack there what your learning platform gives, or name its zip")
    by_student: dict[str, list[Entry]] = {}
    for raw, entry in zip(_students(entries), entries, strict=True):
        by_student.setdefault(raw or _claimed(entry), []).append(entry)
    named = _apart(sorted(by_student))
    return [one for raw, files in sorted(by_student.items()) for one in _of_student(named[raw], files, known)]


def _claimed(entry: Entry) -> str:
    """Whose a file is that lies in no folder and has no student's name: what it says itself, or nobody's."""
    try:
        student = read_notebook(entry.content).student
    except UnreadableNotebook:
        student = ""
    of_file = EXERCISE.sub("", _stem(entry.parts[-1])).strip(" _-.") if entry.parts else ""
    return student or of_file or f"{NOBODY} {entry.path}"


def _apart(raw: Sequence[str]) -> dict[str, str]:
    """For each student's name one that can be a file's name; different students stay different."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for student in raw:
        name, number = _clean(student), 2
        while name.lower() in taken:
            name, number = f"{_clean(student)} {number}", number + 1
        taken.add(name.lower())
        names[student] = name
    return names


# Files


def _entries(source: Path) -> Iterator[Entry]:
    left = Allowance(MOST_IN_ALL, MOST_IN_ALL // BYTES_PER_FILE)
    if source.is_file():
        yield from _opened(Entry((), source.read_bytes(), time=source.stat().st_mtime), 0, left)
        return
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names + [f for f in folders if Path(folder, f).is_symlink()]):
            path = Path(folder, name)
            parts = path.relative_to(source).parts
            if JUNK.search("/".join(parts)):
                continue
            yield from _file(path, parts, left)


def _file(path: Path, parts: tuple[str, ...], left: Allowance) -> Iterator[Entry]:
    about = path.lstat()
    if not stat.S_ISREG(about.st_mode):
        yield Entry(parts, problem="is a link or no ordinary file, and was not followed")
    elif about.st_size > MOST_BYTES and not _is_zip(parts):
        yield Entry(parts, problem=_too_large(about.st_size))
    elif not _is_wanted(parts):
        yield Entry(parts, time=about.st_mtime)
    else:
        try:
            content = path.read_bytes()
        except OSError as problem:
            yield Entry(parts, problem=f"cannot be read: {problem.strerror}")
            return
        yield from _opened(Entry(parts, content, time=about.st_mtime), 0, left)


def _is_zip(parts: tuple[str, ...]) -> bool:
    return bool(parts) and parts[-1].lower().endswith(".zip")


def _is_wanted(parts: tuple[str, ...]) -> bool:
    """Whether what a file holds matters: of others the names are enough."""
    return _is_zip(parts) or (bool(parts) and parts[-1].lower().endswith(".ipynb"))


def _too_large(size: int) -> str:
    return f"has {size / 1e6:.0f} MB, and {MOST_BYTES / 1e6:.0f} MB are read; ask for it with all outputs cleared"


def _opened(entry: Entry, depth: int, left: Allowance) -> Iterator[Entry]:
    """A file itself, or the files in it if it is a zip file."""
    if not (_is_zip(entry.parts) or (not entry.parts and entry.content[:2] == b"PK")):
        yield entry
        return
    if depth == MOST_DEPTH:
        yield Entry(entry.parts, problem=f"is a zip file {MOST_DEPTH} zip files deep, and was not opened")
        return
    try:
        with zipfile.ZipFile(io.BytesIO(entry.content)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir() and not JUNK.search(info.filename)]
            if len(infos) > MOST_FILES:
                yield Entry(entry.parts, problem=f"holds {len(infos):,} files, and was not opened")
                return
            own = left.within(len(entry.content))
            if too_much := own.take(0, len(infos)):
                yield Entry(entry.parts, problem=too_much)
                return
            for info in infos:
                yield from _member(archive, info, entry, depth, own)
            if not infos:
                yield Entry(entry.parts, problem="is an empty zip file")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as problem:
        yield Entry(entry.parts, problem=f"is a damaged zip file: {problem}")


def _name(info: zipfile.ZipInfo) -> str:
    """The name of a file in a zip file. macOS writes UTF-8 without the flag for it, and zipfile reads code page 437."""
    if info.flag_bits & ZIP_UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, entry: Entry, depth: int, left: Allowance
) -> Iterator[Entry]:
    path = PurePosixPath(_name(info)[:LONGEST_PATH].replace("\\", "/"))
    inner = [part for part in path.parts if part not in ("/", "..", ".")]
    parts = (*entry.parts, *inner)
    limit = min(MOST_IN_ALL if _is_zip(parts) else MOST_BYTES, left.bytes_left)
    if stat.S_ISLNK(info.external_attr >> 16):
        yield Entry(parts, problem="is a link or no ordinary file, and was not followed")
        return
    if not _is_wanted(parts):
        yield Entry(parts)
        return
    try:
        with archive.open(info) as file:
            content = file.read(limit + 1)  # what the header says of the size may be wrong
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as problem:
        yield Entry(parts, problem=f"cannot be unpacked: {problem}")
        return
    if too_much := left.take(len(content), 0):
        yield Entry(parts, problem=too_much)
    elif len(content) > limit:
        yield Entry(parts, problem=_too_large(max(info.file_size, len(content))))
    else:
        stamp = time.mktime((*info.date_time, 0, 0, -1))
        yield from _opened(Entry(parts, content, time=stamp), depth + 1, left)


# Students


def _students(entries: Sequence[Entry]) -> list[str]:
    """Whose each file is, from its path."""
    paths = [entry.parts or ("",) for entry in entries]
    while _wrapped(paths):
        paths = [path[1:] for path in paths]
    wrappers = _wrappers(paths)
    return [_student(path[1:] if path[0] in wrappers and len(path) > 1 else path) for path in paths]


def _wrapped(paths: Sequence[tuple[str, ...]]) -> bool:
    """Whether all files lie in one folder that is nobody's: it holds folders, or files with names of students."""
    if len({path[0] for path in paths}) > 1 or min(map(len, paths)) < 2 or _named(paths[0][0]):
        return False
    return all((len(path) > 2 and not EXERCISE.fullmatch(path[1])) or _named(path[1]) for path in paths)


def _wrappers(paths: Sequence[tuple[str, ...]]) -> set[str]:
    """First folders, if each of them holds several students: two or more folders that are no exercises.

    One of many does not count: that is a student whose work lies in folders of his own.
    """
    inner: dict[str, set[str]] = {}
    for path in paths:
        if len(path) > 2 and not EXERCISE.fullmatch(path[1]) and not _named(path[0]):
            inner.setdefault(path[0], set()).add(path[1])
    several = {first for first, names in inner.items() if len(names) > 1}
    return several if several == {path[0] for path in paths} else set()


def _named(name: str) -> str:
    """The student whom a platform, or `course handin`, has written into the name of a file or folder."""
    if match := MOODLE.match(name):
        return match["student"]
    if match := HANDED_IN.match(_stem(name)):  # first, as a name that a student typed may look like Canvas's
        return match["student"]
    if match := CANVAS.match(name):
        return f"{match['student']}_{match['id']}"
    return ""


def _student(path: tuple[str, ...]) -> str:
    if len(path) > 1:  # what a student calls a folder of his own names nobody else
        if MOODLE.match(path[0]) or CANVAS.match(path[0]):
            return _named(path[0])
        return re.sub(r"(?i)\.zip$", "", path[0])
    return _named(path[0])


def _stem(name: str) -> str:
    """A file's name without its ending, and without what a browser adds to a second download."""
    return re.sub(r"(?: ?\(\d+\)|[ -]+(?:copy|Kopie)(?: ?\d+)?|-\d{1,2})+$", "", PurePosixPath(name).stem, flags=re.I)


def _clean(student: str) -> str:
    """A name that can be a file's name and a cell of a table."""
    name = re.sub(r"[^\w .@+-]", "_", student).strip(" .")[:80]
    return name.encode()[:LONGEST_NAME].decode(errors="ignore").strip(" .") or "unnamed"


# Submissions


def _of_student(student: str, files: Sequence[Entry], known: Sequence[str]) -> Iterator[Submission]:
    """One submission for each exercise that a student sent; at least one, whatever he sent."""
    notebooks = [entry for entry in files if entry.parts[-1:] and entry.parts[-1].lower().endswith(".ipynb")]
    broken = [entry for entry in files if entry.problem and entry not in notebooks]
    by_exercise: dict[str, list[tuple[Entry, Notebook | None]]] = {}
    for entry in notebooks:
        try:
            if entry.problem:
                raise UnreadableNotebook(entry.problem)
            notebook = read_notebook(entry.content)
            by_exercise.setdefault(_exercise(entry, notebook, known), []).append((entry, notebook))
        except UnreadableNotebook as problem:
            lost = Entry(entry.parts, entry.content, str(problem), entry.time)
            by_exercise.setdefault(_by_name(entry, known), []).append((lost, None))
    for exercise, versions in sorted(by_exercise.items()):
        yield _chosen(student, exercise, versions, [f"{entry.path} {entry.problem}" for entry in broken])
    if not notebooks:
        what = broken[0] if broken else files[0]
        reason = f"{what.path} {what.problem}" if broken else f"there is no notebook among {_list(files)}"
        yield Submission(student, "", what.path, problem=reason)


def _list(files: Sequence[Entry]) -> str:
    names = [entry.path for entry in files[:3]]
    return ", ".join(names) + (f" and {len(files) - 3} more" if len(files) > 3 else "")


def _chosen(
    student: str, exercise: str, versions: Sequence[tuple[Entry, Notebook | None]], remarks: list[str]
) -> Submission:
    """The newest readable version; the others are mentioned."""
    order = sorted(versions, key=lambda version: (version[1] is not None, version[0].time, version[0].path))
    entry, notebook = order[-1]
    others = [other.path for other, _ in order[:-1] if other.content != entry.content]
    if others:
        remarks = [*remarks, f"{len(others) + 1} versions were handed in; the newest, {entry.path}, was graded"]
    if student.startswith(NOBODY):
        remarks = [*remarks, "nothing in its name or its folder tells whose it is"]
    if notebook is not None and notebook.student and _differ(notebook.student, student):
        remarks = [*remarks, f"the notebook was written for {notebook.student}"]
    receipt = sha256(entry.content).hexdigest()[:16] if entry.content else ""
    problem = "" if notebook is not None else f"{entry.path} {entry.problem}"
    if notebook is not None and not exercise:
        problem = f"{entry.path} is no exercise of this course: neither its cells nor its name say which"
    return Submission(student, exercise, entry.path, notebook, receipt, problem, tuple(remarks))


def _differ(claimed: str, student: str) -> bool:
    """Whether two names have no word in common, as in `jane.doe` and `Doe Jane 4711`."""
    words = [set(re.findall(r"[^\W_]{2,}", name.lower())) for name in (claimed, student)]
    return not words[0] & words[1] and claimed.lower() not in student.lower().replace(" ", "")


def _exercise(entry: Entry, notebook: Notebook, known: Sequence[str]) -> str:
    """The exercise that a notebook answers: what most of its cells say, what its code says, or its name."""
    said = Counter(name for name in notebook.said if name in known)
    return said.most_common(1)[0][0] if said else _by_name(entry, known)


def _by_name(entry: Entry, known: Sequence[str]) -> str:
    found = [f"ex{number}" for part in reversed(entry.parts) for number in EXERCISE.findall(part)]
    return next((name for name in found if name in known), "")
