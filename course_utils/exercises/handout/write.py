"""The tree that students get: the course, and the exercises without what the lecturer alone has.

It is a git repository of its own, so that none of the lecturer's history comes with it, ready to be pushed to a public
place that Binder opens. Handing out again updates it by one more commit: what students do not get any more goes, what
others have put there stays, and nothing that was changed there by hand is overwritten without `--overwrite`.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path

from course_utils._support.git import current_branch, git, origin
from course_utils.course import map as course_map
from course_utils.course.binder_link import BinderLinkError, badge, binder_link
from course_utils.exercises.handout.leaks import leaks
from course_utils.exercises.notebook.release import student_version

__all__ = ["Handout", "HandoutError", "hand_out"]

README = Path(__file__).with_name("handout.md")
FIRST_PAGE = f"notebooks/{course_map.MAP}"
RECORD = ".handout.json"  # in the tree: the hash of each file, by which the next handout knows what was changed by hand
# What students get beside the exercises, by names; a star stands for any letters, also for those of folders.
TAKEN = (
    "course_utils/*", "binder/*", "notebooks/[0-9][0-9]_*.ipynb", "notebooks/glossary.ipynb", "notebooks/tables/*",
    "pyproject.toml", "LICENSE", "FORMAT.md", ".gitignore",
)  # fmt: skip
# The lessons of the teaching kit answer the questions for class.
NEVER = ("*/.*", "*/__pycache__/*", "notebooks/exercises/*", "course_utils/publish/kit/section_*")
MODULE = re.compile(r"course_utils/exercises/tasks/(ex\d\d)\.py")
PARTS = (
    "course_utils/exercises/tasks/{}.py",
    "notebooks/exercises/source/{}/{}.ipynb",
    "notebooks/exercises/teacher/{}.py",
)
WITHOUT_LINK = "<!-- start -->"
ON_BINDER = """{badge}

The button above opens the course on Binder: a borrowed computer in your browser, without an installation. It goes away
after ten minutes without work, with all that lies on it. Three buttons above each notebook keep your work: *Download*,
and two clouds that save it to your browser and restore it there another day. Nothing is kept by itself.
"""


class HandoutError(ValueError):
    """Nothing was handed out; the message says why, and what to do."""


@dataclass(frozen=True)
class Handout:
    """What was handed out. `commit` is empty if nothing has changed; `remarks` are sentences for the lecturer."""

    folder: Path
    exercises: tuple[str, ...]
    files: int
    size: int
    commit: str
    link: str
    remarks: tuple[str, ...]


def hand_out(
    course: Path, folder: Path, *, repo: str | None = None, branch: str = "main", overwrite: bool = False
) -> Handout:
    """Write what students get of the lecturer's repository `course` into the repository `folder`, as one commit.

    `repo`: the public address that `folder` will be pushed to, for the Binder link; by default the folder's own origin.
    `overwrite`: also what was changed by hand since the last handout.

    Raises: HandoutError, before anything is written, where that would lose or give away something; GitError.
    """
    if not (course / "pyproject.toml").is_file():
        raise HandoutError(f"{course} is a copy of the notebooks alone; run `course handout` in the lecturer's clone")
    _check_place(course, folder)
    new = not _files(folder)
    if not new and (current := current_branch(folder)) != branch:
        raise HandoutError(f"{folder} is on the branch {current}; check out {branch}, or name {current} by --branch")
    address = repo or _public_origin(folder, branch)
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "course"
        names, remarks = _write_tree(course, tree, address, branch)
        if sentences := leaks(tree, course):
            raise HandoutError(f"the lecturer's part would be given away: {shortened(sentences, 1)}")
        files = {path.relative_to(tree).as_posix(): path for path in sorted(tree.rglob("*")) if path.is_file()}
        if not new:
            _check_changes(folder, files, overwrite)
        _place(files, folder)
        size = sum(path.stat().st_size for path in files.values())
    commit = _commit(folder, files, branch, repo, new)
    link = binder_link(address, branch=branch, path=FIRST_PAGE) if address else ""
    return Handout(folder, tuple(names), len(files), size, commit, link, tuple(remarks))


def shortened(parts: list[str], most: int) -> str:
    """The first parts of a list, and how many more there are."""
    rest = len(parts) - most
    return ", ".join(parts[:most]) + (f", and {rest} more" if rest > 0 else "")


# Where it goes


def _check_place(course: Path, folder: Path) -> None:
    source, target = course.resolve(), folder.resolve()
    if target.is_relative_to(source) or source.is_relative_to(target):
        raise HandoutError(f"{folder} and the course in {course} lie in each other; name a folder beside the course")
    if folder.exists() and not folder.is_dir():
        raise HandoutError(f"{folder} is a file; name a new folder")
    if _files(folder) and not ((folder / RECORD).is_file() and (folder / ".git").exists()):
        raise HandoutError(
            f"{folder} is neither empty nor an earlier handout, and nothing in it was changed; name a new folder, or a "
            "clone of the repository that your students have"
        )


def _files(folder: Path) -> list[str]:
    """The names in a folder; a repository in which nothing lies yet has none."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".git") if folder.is_dir() else []


def _public_origin(folder: Path, branch: str) -> str | None:
    """The address that `folder` was cloned from, if it is one that Binder can open."""
    address = origin(folder) if (folder / ".git").exists() else None
    try:
        return address if address and binder_link(address, branch=branch, path=FIRST_PAGE) else None
    except BinderLinkError:
        return None


def _check_changes(folder: Path, files: Mapping[str, Path], overwrite: bool) -> None:
    """Refuse to lose what was changed in an earlier handout since it was made."""
    if git(folder, "status", "--porcelain", "--untracked-files=no", settings=SETTINGS):
        raise HandoutError(f"{folder} has changes that are not committed; commit them, or undo them with git")
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    changed = []
    for name in sorted({*record, *files} - {RECORD}):
        current, last = _hash(folder / name), record.get(name)
        new = _hash(files[name]) if name in files else None
        if current not in (last, new):
            changed.append(name)
    if changed and not overwrite:
        raise HandoutError(
            f"changed in {folder} since the last handout: {shortened(changed, 5)}. Make the change in the course "
            "itself, or give it up by --overwrite"
        )


def _hash(path: Path) -> str | None:
    return sha256(path.read_bytes()).hexdigest() if path.is_file() else None


# What goes there


def _write_tree(course: Path, tree: Path, address: str | None, branch: str) -> tuple[list[str], list[str]]:
    """Write what students get into a new folder; returns the names of the exercises, and remarks."""
    names = tracked(course)
    exercises, remarks = [], []
    for exercise in sorted(match[1] for name in names if (match := MODULE.fullmatch(name))):
        if missing := [path for part in PARTS if (path := part.format(exercise, exercise)) not in names]:
            remarks.append(f"{exercise} is left out: {', '.join(missing)} is not in git")
        else:
            exercises.append(exercise)
    for name in names:
        match = MODULE.fullmatch(name)
        if _is_taken(name) and (match is None or match[1] in exercises):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(course / name, tree / name)
    (tree / "notebooks" / "exercises").mkdir(parents=True)
    for name in exercises:
        source = course / PARTS[1].format(name, name)
        try:
            student = student_version(json.loads(source.read_text(encoding="utf-8")))
        except ValueError as problem:
            raise HandoutError(f"{source.relative_to(course).as_posix()}: {problem}") from problem
        _write(tree / "notebooks" / "exercises" / f"{name}.ipynb", json.dumps(student, indent=1, ensure_ascii=False))
    _write(tree / "README.md", readme(address, branch).rstrip())
    course_map.write(tree)
    if address is None:
        remarks.append("README.md has no Binder link yet: hand out again with --repo ADDRESS once the address is known")
    hashes = {path.relative_to(tree).as_posix(): _hash(path) for path in sorted(tree.rglob("*")) if path.is_file()}
    _write(tree / RECORD, json.dumps(hashes, indent=1))
    return exercises, remarks


def _write(path: Path, text: str) -> None:
    path.write_bytes(f"{text}\n".encode())


def readme(address: str | None, branch: str) -> str:
    """The README for students, with the Binder link of a repository where its address is known.

    Raises: HandoutError for what is no address.
    """
    text = README.read_text(encoding="utf-8")
    if address is None:
        return text.replace(f"{WITHOUT_LINK}\n", "")
    try:
        link = binder_link(address, branch=branch, path=FIRST_PAGE)
    except BinderLinkError as problem:
        raise HandoutError(str(problem)) from problem
    return text.replace(WITHOUT_LINK, ON_BINDER.format(badge=badge(link)))


def tracked(course: Path) -> list[str]:
    """The files of the course that git knows; all that lie there where it is no git repository."""
    if (course / ".git").exists():
        names = _tracked(course)
    else:
        names = [path.relative_to(course).as_posix() for path in course.rglob("*")]
    return sorted(name for name in names if (course / name).is_file() and not (course / name).is_symlink())


def _is_taken(name: str) -> bool:
    return _matches(name, TAKEN) and not _matches(name, NEVER)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _place(files: Mapping[str, Path], folder: Path) -> None:
    """Write the files, and remove those of the last handout that are no longer in it."""
    record = folder / RECORD
    before = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    for name in before.keys() - files.keys():
        (folder / name).unlink(missing_ok=True)
        for parent in (folder / name).parents:
            if parent == folder or (parent.is_dir() and any(parent.iterdir())):
                break
            if parent.is_dir():
                parent.rmdir()
    for name, path in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / name)


# git

SETTINGS = ("core.autocrlf=false", "core.safecrlf=false")  # line ends stay as they are
NAMELESS = ("user.name=Course", "user.email=course@localhost")  # for a lecturer who has told git no name


def _commit(folder: Path, files: Mapping[str, Path], branch: str, repo: str | None, new: bool) -> str:
    """Commit the handout; returns the commit, empty if there was nothing to commit."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    if new:
        git(folder, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    if repo is not None and origin(folder) is None:
        git(folder, "remote", "add", "origin", repo)
    gone = [name for name in _tracked(folder) if not (folder / name).is_file()]
    for names, command in ((sorted(files), ("add", "--force")), (gone, ("rm", "--cached", "--quiet"))):
        if names:
            from_stdin = ("--pathspec-from-file=-", "--pathspec-file-nul")
            git(folder, *command, *from_stdin, stdin="\0".join(names), settings=SETTINGS)
    if not git(folder, "status", "--porcelain", "--untracked-files=no", settings=SETTINGS):
        return ""
    message = "Hand out the course" if new else "Update the course"
    identity = () if git(folder, "config", "user.email", check=False) else NAMELESS
    git(folder, "commit", "--quiet", "--no-verify", "--message", message, settings=(*SETTINGS, *identity))
    return git(folder, "rev-parse", "HEAD")


def _tracked(folder: Path) -> list[str]:
    return [name for name in git(folder, "ls-files", "-z").split("\0") if name]
