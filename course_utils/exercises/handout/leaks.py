"""What the lecturer alone knows, and the search for it in what others get.

Secret are: every line of the lecturer's part of an exercise (right and wrong answers, hidden cases), and of what lies
between the marks of a solution, a hidden test or a marking scheme in the lecturer's notebook; every line and every
sentence of a model answer and its rubric; cells that are tagged "teacher"; the seed; each hidden case, its arguments
and its result, as a check or Python prints them.

Not secret are, by this rule: what has less than 16 letters, spaces counted once, which is what anybody may write; what
the library and the lecture's notebooks say themselves; a line of less than 40 letters that the exercises' own modules
say too, such as ``n = int(counts.sum())``; a wrong answer that stands there as a known mistake; a hidden case that is
one of the open ones too; a tensor of fewer than three numbers.
"""

import ast
import html
import io
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from course_utils.exercises.check import shown_call
from course_utils.exercises.handout.release import TEACHER_TAG
from course_utils.exercises.task import Case, Exercise, Task
from course_utils.exercises.teacher import Teacher, load_teacher

__all__ = ["SHORTEST", "Leak", "secrets_in", "secrets_of"]

SHORTEST = 16  # letters of a secret
LONG = 40  # letters of a line that two people do not write by chance
FEWEST_NUMBERS = 3  # in a tensor
FEWEST_DIGITS = 6  # of a seed: shorter numbers are everywhere, and can be guessed
REGION = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)")
SENTENCE = re.compile(r"(?<=[.;:?])\s+")
DATA = re.compile(r"[A-Za-z0-9+/=]{200,}")  # a picture in base64
BITS = 20  # of a hash, by which most places are passed over
TAG = re.compile(r"<[^<>]*>")
NUMBER = re.compile(r"[\d_,]+")


@dataclass(frozen=True)
class Leak:
    """A secret that was found: where, what it is, and where it comes from."""

    place: str
    secret: str
    origin: str

    def __str__(self) -> str:
        return f"{self.place} has {self.secret[:80]!r} of {self.origin}"


def secrets_in(folder: Path, course: Path | Mapping[str, str], *, own: Iterable[str] = ()) -> list[Leak]:
    """Every secret of the exercises in `course` that a file in `folder` has, or an object of its git history.

    All texts are read as they are, as JSON, and as HTML without its tags; spaces and line ends make no difference.
    `course`: the lecturer's repository, or what `secrets_of` has found there. `own`: texts that may be there, such as
    what a student has written himself.
    """
    secrets = secrets_of(course) if isinstance(course, Path) else course
    allowed = _Search(secrets)(form for text in own for form in _forms(text))
    search = _Search(secrets.keys() - allowed)
    found, seen = [], set()
    for place, content in _contents(folder):
        if content not in seen:
            seen.add(content)
            here = search(_forms(content.decode(errors="replace")))
            found += [Leak(place, secret, secrets[secret]) for secret in sorted(here)]
    return found


def secrets_of(course: Path) -> dict[str, str]:
    """The secrets of the exercises in the lecturer's repository `course`, each with the file that it comes from.

    Raises: ValueError for a seed that is too short to be one.
    """
    folder = course / "notebooks" / "exercises"
    secrets: dict[str, str] = {}
    for path in sorted(folder.glob("source/*/*.ipynb")):
        secrets |= dict.fromkeys(_of_notebook(path), path.relative_to(course).as_posix())
    for path in sorted(folder.glob("teacher/*.py")):
        secrets |= dict.fromkeys(_of_teacher(path, course), path.relative_to(course).as_posix())
    lecture, modules = _said(course)
    search = _Search(secrets)
    common = search(lecture) | {secret for secret in search(modules) if len(secret) < LONG}
    return {secret: origin for secret, origin in secrets.items() if secret not in common}


# What is secret


def _of_notebook(path: Path) -> Iterator[str]:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        marks, source = cell["metadata"].get("nbgrader", {}), "".join(cell["source"])
        hidden = TEACHER_TAG in cell["metadata"].get("tags", ())
        regions = list(_regions(source))
        if hidden or (marks.get("solution") and not regions):
            regions = [source]
        for region in regions:
            yield from _pieces(region)


def _regions(source: str) -> Iterator[str]:
    """What lies between nbgrader's marks in a cell."""
    inside: list[str] | None = None
    for line in source.splitlines():
        if mark := REGION.search(line):
            if inside is not None:
                yield "\n".join(inside)
            inside = [] if mark[1] == "BEGIN" else None
        elif inside is not None:
            inside.append(line)


def _pieces(text: str) -> Iterator[str]:
    """The lines, the sentences and the whole of a text, if they are long enough to be a secret."""
    for piece in (*text.splitlines(), *SENTENCE.split(_plain(text)), text):
        if len(plain := _plain(piece)) >= SHORTEST:
            yield plain


def _of_teacher(path: Path, course: Path) -> Iterator[str]:
    source, teacher = path.read_text(encoding="utf-8"), load_teacher(path)
    module = course / "course_utils" / "exercises" / path.name
    known = _plain(module.read_text(encoding="utf-8")) if module.is_file() else ""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Case"]
    cases = [_plain(ast.get_source_segment(source, call) or "") for call in calls]
    yield from (case for case in cases if len(case) >= SHORTEST)
    for node in tree.body:
        block = "\n".join(source.splitlines()[_first_line(node) - 1 : node.end_lineno])
        if isinstance(node, ast.Import | ast.ImportFrom):
            continue
        pieces = {plain for line in block.splitlines() if len(plain := _plain(line)) >= SHORTEST}
        if isinstance(node, ast.FunctionDef):
            body = _plain("\n".join(source.splitlines()[node.body[0].lineno - 1 : node.end_lineno]))
            pieces |= {body} if len(body) >= SHORTEST else set()
        mistake = "@wrong(" in block
        yield from (piece for piece in pieces if not (mistake and _without_return(piece) in known))
    yield from _numbers(teacher.seed, path)
    if module.is_file():
        yield from _of_cases(_exercise(module), teacher)


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(mark.lineno for mark in getattr(node, "decorator_list", []))])


def _without_return(line: str) -> str:
    return line.removeprefix("return ")


def _numbers(seed: int, path: Path) -> Iterator[str]:
    if len(str(seed)) < FEWEST_DIGITS:
        raise ValueError(f"the seed {seed} in {path.name} could be guessed; take a number of 7 digits, such as 4730918")
    yield from {str(seed), f"{seed:_}", f"{seed:,}"}


def _of_cases(exercise: Exercise, teacher: Teacher) -> Iterator[str]:
    for task in exercise.tasks:
        open_ones = {text for case in task.cases(0) for text in _of_case(task, case)}
        for case in teacher.hidden(task):
            yield from (text for text in _of_case(task, case) if text not in open_ones)


def _of_case(task: Task, case: Case) -> Iterator[str]:
    """A case as it may be printed: the call, each tensor in it, and what is right."""
    values = [*case.args, *case.kwargs.values(), *_flat(task.expected(case))]
    texts = [shown_call(task.name, case)]
    texts += [text for value in values if isinstance(value, Tensor) for text in (_shown(value), repr(value))]
    for text in texts:
        if len(plain := _plain(text)) >= SHORTEST and len(re.findall(r"\d+", plain)) >= FEWEST_NUMBERS:
            yield plain


def _shown(value: Tensor) -> str:
    """A tensor as a check prints it among the arguments of a call."""
    return shown_call("", Case((value,)))[1:-1]


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for inner in value:
            yield from _flat(inner)
    else:
        yield value


def _exercise(module: Path) -> Exercise:
    """The exercise in a file, which need not be that of the installed package."""
    found: dict[str, Any] = {"__name__": f"exercise_{module.stem}"}
    exec(compile(module.read_text(encoding="utf-8"), module.name, "exec"), found)
    exercise: Exercise = found["EXERCISE"]
    return exercise


def _said(course: Path) -> tuple[list[str], list[str]]:
    """What the library and the lecture's notebooks say themselves, and what the modules of exercises say."""
    lecture: list[str] = []
    modules: list[str] = []
    files = [path for kind in ("*.py", "*.txt") for path in (course / "course_utils").rglob(kind)]
    for path in [*files, *(course / "notebooks").glob("*.ipynb")]:
        texts = modules if "exercises" in path.relative_to(course).parts else lecture
        texts += _forms(path.read_text(encoding="utf-8"))
    return lecture, modules


# The search


def _plain(text: str) -> str:
    return " ".join(text.split())


def _forms(text: str) -> list[str]:
    """A text as it is, and what a reader of JSON or HTML sees of it; without pictures, and with single spaces."""
    text = DATA.sub(" ", text)
    forms = [text]
    if text.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):  # what is no JSON has been taken as it is
            forms.append("\n".join(_strings(_json(text))))
    forms += [html.unescape(TAG.sub("", form)) for form in forms if "<" in form or "&" in form]
    return list(dict.fromkeys(map(_plain, forms)))


def _json(text: str) -> Any:
    """One document, or one on each line."""
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        if all(isinstance(inner, str) for inner in value):
            yield "".join(value)  # the lines of a cell
        else:
            for inner in value:
                yield from _strings(inner)


class _Search:
    """Finds secrets in texts: where the hash of a secret's beginning is met, the whole is compared."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.numbers: list[str] = []
        self.begins: dict[int, list[bytes]] = {}
        for secret in secrets:
            if NUMBER.fullmatch(secret):
                self.numbers.append(secret)
            else:
                data = secret.encode()
                self.begins.setdefault(int(_hashes(data[:SHORTEST])[0]), []).append(data)
        self.heads = np.zeros(1 << BITS, dtype=bool)
        self.heads[[begin >> 64 - BITS for begin in self.begins]] = True

    def __call__(self, texts: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for text in texts:
            data = text.encode()
            hashes = _hashes(data)
            for place in np.flatnonzero(self.heads[hashes >> np.uint64(64 - BITS)]):
                here = self.begins.get(int(hashes[place]), ())
                found |= {secret.decode() for secret in here if data.startswith(secret, int(place))}
            found |= {number for number in self.numbers if number in text and _stands_alone(number, text)}
        return found


def _stands_alone(number: str, text: str) -> bool:
    return re.search(rf"(?<![\w.,]){number}(?!\w)", text) is not None


def _hashes(data: bytes) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """A hash of the SHORTEST bytes that begin at each place, as far as there are so many."""
    codes = np.frombuffer(data, dtype=np.uint8).astype(np.uint64)
    many = max(len(codes) - SHORTEST + 1, 0)
    hashes = np.zeros(many, dtype=np.uint64)
    for i in range(SHORTEST):
        hashes = hashes * np.uint64(1_099_511_628_211) + codes[i : i + many]  # modulo 2^64
    return hashes


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each file in a folder, and each object in the git history of the folder, with the place where it is."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] != ".git":
            yield inside.as_posix(), path.read_bytes()
    if not (folder / ".git").exists():
        return
    git = ["git", "-C", str(folder), "cat-file", "--batch-all-objects", "--batch"]
    told = io.BytesIO(subprocess.run(git, capture_output=True, check=True).stdout)
    while head := told.readline():
        name, kind, size = head.decode().split()
        yield f"git's {kind} {name[:10]}", told.read(int(size))
        told.readline()
