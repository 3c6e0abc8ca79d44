"""A class made up to rehearse grading: good, wrong, empty, hostile and clumsy work, each with the marks it must get."""

import ast
import builtins
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from course_utils.exercises.catalogue import load_exercise
from course_utils.exercises.judge import call_here, judge
from course_utils.exercises.teacher import load_teacher

__all__ = ["Pretended", "rehearsal"]

# Of 20 students; a class of 200 has ten times as many.
SHARES = {"perfect": 6, "partly right": 7, "wrong": 2, "empty": 1, "hostile": 2, "copied": 1, "clumsy": 1}
HOSTILE = {
    "ends the process": "import os\nos._exit(0)",
    "never ends": "while True:\n    try:\n        while True:\n            pass\n    except BaseException: pass",
    "forks": "import os\nwhile True:\n    os.fork()",
    "takes all memory": "blocks = []\nwhile True:\n    blocks.append(bytearray(10**8))",
    "prints without end": "for _ in range(200):\n    print('x' * 10**6)",
    "turns the judge": "import torch\ntorch.isclose = lambda a, b, **k: torch.ones_like(a, dtype=torch.bool)",
    "kills its parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
}
CLUMSY = {"empty file": b"", "half a file": b'{"cells": [', "no notebook": b"%PDF-1.7"}


class Pretended(NamedTuple):
    """A student who does not exist: what they hand in, under which name, and the points that it is worth."""

    student: str
    kind: str
    file: str
    content: bytes
    points: float


def rehearsal(folder: Path, exercise: str, *, students: int = 200, seed: int = 0) -> list[Pretended]:
    """A class for an exercise, from its right and wrong answers in `folder`, notebooks/exercises of the lecturer."""
    draw = random.Random(seed)
    wheel = itertools.cycle([kind for kind, share in SHARES.items() for _ in range(share)])
    make = _Maker(folder, exercise, draw)
    kinds = list(itertools.islice(wheel, students))
    made = [make(number, kind) for number, kind in enumerate(kinds)]
    draw.shuffle(made)
    return made


class _Maker:
    """Makes students of each kind for one exercise."""

    def __init__(self, folder: Path, exercise: str, draw: random.Random) -> None:
        self.exercise, self.draw = load_exercise(exercise), draw
        self.teacher = load_teacher(folder / "teacher" / f"{exercise}.py")
        text = (folder / "source" / exercise / f"{exercise}.ipynb").read_text(encoding="utf-8")
        self.source: dict[str, Any] = json.loads(text)
        self.setup: dict[str, Any] = {}
        exec(next("".join(cell["source"]) for cell in self.source["cells"] if self._name(cell) == "setup"), self.setup)
        self.wrong = defaultdict(list)
        module = (folder / "teacher" / f"{exercise}.py").read_text(encoding="utf-8")
        for task, answer in _wrong_answers(module, set(self.setup)):
            self.wrong[task].append(answer)
        self.tricks, self.accidents = itertools.cycle(HOSTILE.items()), itertools.cycle(CLUMSY.items())

    def __call__(self, number: int, kind: str) -> Pretended:
        """A student of a kind."""
        student, name = f"student{number:03}", self.exercise.name
        file = self.draw.choice([f"{name}.ipynb", f"{name} (1).ipynb", f"hw/{name}_{student}.ipynb"])
        names = [task.name for task in self.exercise.tasks]
        answers: dict[str, str] = {}
        extra = ""
        if kind == "partly right":
            answers = {
                task: self._wrong(task) for task in self.draw.sample(names, self.draw.randint(1, len(names) - 1))
            }
        elif kind == "wrong":
            answers = {task: self._wrong(task) for task in names}
        elif kind == "empty":
            answers = {task: f"def {task}(*args, **kwargs):\n    raise NotImplementedError()" for task in names}
        elif kind == "hostile":
            trick, extra = next(self.tricks)
            kind = f"hostile: {trick}"
        elif kind == "clumsy":
            accident, content = next(self.accidents)
            file = "report.pdf" if accident == "no notebook" else file
            return Pretended(student, f"clumsy: {accident}", file, content, 0)
        written = "The same answer." if kind == "copied" else f"An answer of {student}."
        notebook = self._notebook(answers, written, extra)
        return Pretended(student, kind, file, json.dumps(notebook).encode(), self._points(notebook))

    def _name(self, cell: dict[str, Any]) -> str:
        """nbgrader's name of a cell, without that of the exercise."""
        marks = cell["metadata"].get("nbgrader", {})
        return str(marks.get("grade_id", "")).removeprefix(f"{self.exercise.name}-")

    def _wrong(self, task: str) -> str:
        unchanged = f"def {task}(first, *others, **options):\n    return first"
        return self.draw.choice([*self.wrong[task], unchanged])

    def _notebook(self, answers: Mapping[str, str], written: str, extra: str) -> dict[str, Any]:
        cells = []
        for cell in self.source["cells"]:
            name = self._name(cell)
            source = answers.get(name, written if name == self.exercise.written.name else cell["source"])
            cells.append(cell | {"source": source})
        if extra:
            cells.append({"cell_type": "code", "metadata": {}, "source": extra, "outputs": [], "execution_count": None})
        return self.source | {"cells": cells}

    def _points(self, notebook: dict[str, Any]) -> float:
        """What the tasks' own cells are worth, found in this process; hostile cells are not run for it."""
        space = dict(self.setup)
        names = {task.name for task in self.exercise.tasks}
        for cell in notebook["cells"]:
            if self._name(cell) in names:
                exec("".join(cell["source"]), space)
        verdicts = [judge(t, call_here(space[t.name]), self.teacher.hidden(t)) for t in self.exercise.tasks]
        return sum(verdict.points for verdict in verdicts)


def _wrong_answers(module: str, known: set[str]) -> Iterator[tuple[str, str]]:
    """The wrong answers of the lecturer's module, each under the name of its task, that need only names in `known`."""
    for node in ast.parse(module).body:
        task = _marked(node) if isinstance(node, ast.FunctionDef) else ""
        if task and isinstance(node, ast.FunctionDef) and _names(node) <= known:
            node.name, node.decorator_list = task, []
            yield task, ast.unparse(node)


def _marked(node: ast.FunctionDef) -> str:
    """The task of a function that is marked as ``@wrong("task", "mistake")``; empty for all others."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "wrong":
            return str(ast.literal_eval(decorator.args[0]))
    return ""


def _names(node: ast.FunctionDef) -> set[str]:
    """The names that a function takes from outside."""
    inside = [inner for statement in node.body for inner in ast.walk(statement)]
    arguments = {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
    stored = {inner.id for inner in inside if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)}
    return {inner.id for inner in inside if isinstance(inner, ast.Name)} - arguments - stored - set(dir(builtins))
