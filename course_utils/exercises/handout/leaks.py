"""A check of the tree that students get: nothing in it that the lecturer alone has.

Searched for are the seeds of the hidden cases, in every file, and in the files of the exercises every long line of the
lecturer's part, of a solution, a hidden test or a marking scheme, of a model answer, and of a cell tagged "teacher".
Short lines are what anybody may write, and what the library or a notebook of the lecture says itself is no secret.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course_utils.exercises.notebook.release import TEACHER_TAG
from course_utils.exercises.teacher import load_teacher

__all__ = ["leaks"]

LONG = 40  # letters of a line that two people do not write by chance
SMALLEST_SEED = 100_000  # smaller numbers stand everywhere, and can be guessed
REGION = re.compile(r"BEGIN (SOLUTION|HIDDEN TESTS|MARK SCHEME)(.*?)END \1", re.S)
EXERCISE = re.compile(r"course_utils/exercises/tasks/.*|notebooks/exercises/.*")


def leaks(tree: Path, course: Path) -> list[str]:
    """A sentence for each secret of the lecturer's repository `course` that a file in `tree` has.

    Raises: ValueError for a seed that is too small to be one.
    """
    texts = {path.relative_to(tree).as_posix(): _text(path) for path in sorted(tree.rglob("*")) if path.is_file()}
    public = "\n".join(text for name, text in texts.items() if not EXERCISE.fullmatch(name))
    sentences = []
    for secret, origin in _lines(course):
        places = [name for name, text in texts.items() if EXERCISE.fullmatch(name) and secret in text]
        if places and secret not in public:
            sentences.append(f"{places[0]} has {secret[:80]!r} of {origin}")
    for seed, origin in _seeds(course):
        number = re.compile(rf"(?<![\w.])(?:{seed}|{seed:_}|(?<!\d,){seed:,})(?!\w)")
        sentences += [f"{name} has the seed of {origin}" for name, text in texts.items() if number.search(text)]
    return sentences


def _text(path: Path) -> str:
    """What a file says, in single spaces: of a notebook all cells, outputs and metadata, but no pictures."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".ipynb":
        text = "\n".join(_leaves(json.loads(text)))
    return " ".join(text.split())


def _leaves(value: Any) -> Iterator[str]:
    """The texts and numbers of a JSON document; a text that is kept as a list of lines is one."""
    if isinstance(value, dict):
        for key, part in value.items():
            if not key.startswith("image/"):
                yield from _leaves(part)
    elif isinstance(value, list) and all(isinstance(line, str) for line in value):
        yield "".join(value)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield str(value)


def _lines(course: Path) -> Iterator[tuple[str, str]]:
    """Every secret line, in single spaces, with the file that it comes from."""
    exercises = course / "notebooks" / "exercises"
    for paths, secret_texts in (("source/*/*.ipynb", _of_notebook), ("teacher/*.py", _of_teacher)):
        for path in sorted(exercises.glob(paths)):
            for text in secret_texts(path):
                for line in text.splitlines():
                    if len(plain := " ".join(line.split())) >= LONG:
                        yield plain, path.relative_to(course).as_posix()


def _of_notebook(path: Path) -> Iterator[str]:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        regions = [region for _, region in REGION.findall(source)]
        is_solution = cell["metadata"].get("nbgrader", {}).get("solution", False)
        if TEACHER_TAG in cell["metadata"].get("tags", ()) or (is_solution and not regions):
            yield source
        yield from regions


def _of_teacher(path: Path) -> Iterator[str]:
    """The statements of the lecturer's part, but for imports, and for wrong answers: the check names those mistakes."""
    source = path.read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        decorators = [ast.unparse(decorator) for decorator in getattr(node, "decorator_list", ())]
        wrong = any(decorator.startswith("wrong(") for decorator in decorators)
        if not wrong and not isinstance(node, ast.Import | ast.ImportFrom):
            yield ast.get_source_segment(source, node) or ""


def _seeds(course: Path) -> Iterator[tuple[int, str]]:
    for path in sorted((course / "notebooks" / "exercises" / "teacher").glob("*.py")):
        seed = load_teacher(path).seed
        if seed < SMALLEST_SEED:
            raise ValueError(f"the seed {seed} in {path.name} could be guessed; take a number of 7 digits")
        yield seed, path.relative_to(course).as_posix()
