"""The copy of `course_utils` that a student's process sees: what an exercise asks for raises, panels do nothing."""

import ast
import compileall
import shutil
from collections.abc import Iterable
from pathlib import Path

from course_utils._support.paths import PACKAGE

__all__ = ["MISSING", "without"]

MISSING = "{name} is what this exercise asks for, so it is not available while your work is graded"
LEFT_OUT = ("bench", "course", "exercises", "panels", "publish", "tables", "cli.py", "__pycache__")
SILENT = PACKAGE / "exercises" / "grading" / "silent.py"
SILENCED = ("course", "exercises", "panels", "tables")

AT_THE_START = "import gc\n\ngc.disable()  # until all is imported: PyTorch would be looked through again and again\n"

RUNS_THERE = (  # in the student's process
    "grading/exchange.py",
    "grading/runner.py",
    "grading/shell.py",
    "grading/unattended.py",
    "notebook/jupyter.py",
)


def without(hidden: Iterable[str], folder: Path) -> None:
    """Write into `folder` a copy of the package in which the parts named `hidden`, as "penalties.prox_l1", raise.

    What a function does is cut out of the source, so it can neither be called nor read. ValueError for a name that the
    package does not have.
    """
    target = folder / "course_utils"
    shutil.copytree(PACKAGE, target, ignore=lambda _, names: [n for n in names if n in LEFT_OUT])
    for file in (file for part in SILENCED for file in (PACKAGE / part).rglob("*.py")):
        silent = target / file.relative_to(PACKAGE)
        silent.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SILENT, silent)
    for name in RUNS_THERE:
        shutil.copy(PACKAGE / "exercises" / name, target / "exercises" / name)
    (folder / "sitecustomize.py").write_text(AT_THE_START, encoding="utf-8")  # Python runs it first
    for name in hidden:
        _cut(target, name)
    compileall.compile_dir(target, quiet=2)  # once, and not in each student's process


def _cut(target: Path, name: str) -> None:
    """Replace what a function, or each method of a class, does by an error."""
    *modules, last = name.split(".")
    path = target.joinpath(*modules)
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    definitions = [node for node in tree.body if getattr(node, "name", None) == last]
    if not definitions:
        raise ValueError(f"course_utils has no {name}; name a function or a class by the module that defines it")
    for node in definitions:
        _empty(node, last)
    path.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")


def _empty(node: ast.stmt, name: str) -> None:
    error = f"raise RuntimeError({MISSING.format(name=name)!r})"
    if isinstance(node, ast.FunctionDef):
        node.body, node.decorator_list = ast.parse(error).body, []
    elif isinstance(node, ast.ClassDef):
        maker = f"def __new__(cls, *args, **kwargs):\n    {error}"  # before an abstract class complains
        node.body, node.decorator_list = ast.parse(maker).body, []
