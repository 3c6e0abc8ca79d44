"""The base installation: what the methods, the coders, training and compression need, and no more."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires

import pytest

from course_utils._support.extras import DISTRIBUTIONS, lacking, require
from course_utils._support.paths import PACKAGE, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
BASE = ("_support", "methods", "coding", "data", "train", "compress")


def distributions(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w-]+", line)[0].lower() for line in requirements}  # type: ignore[index]


def modules(path) -> set[str]:
    """The top names of what a file imports when it is imported itself, types left out."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names - {"course_utils"} - set(sys.stdlib_module_names)


def everything(path) -> set[str]:
    """The same, with what is imported inside of functions."""
    tree = ast.parse(path.read_text())
    names = {a.name.partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {(n.module or "").partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    return names - {"course_utils"} - set(sys.stdlib_module_names)


def notebook_imports(path) -> set[str]:
    """The top names of what a notebook imports."""
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    lines = "".join("".join(cell["source"]) + "\n" for cell in cells)
    return set(re.findall(r"^\s*(?:import|from) (\w+)", lines, re.MULTILINE))


def test_the_base_imports_nothing_of_an_extra() -> None:
    allowed = distributions(PROJECT["dependencies"])
    bad = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for part in BASE
        for path in (PACKAGE / part).rglob("*.py")
        for name in modules(path)
        if DISTRIBUTIONS.get(name, name).lower() not in allowed
    }
    # Pages are written by the course alone; Triton comes with PyTorch's builds for graphics cards.
    assert {line for line in bad if not re.match(r"_support/(html|mathematics|markdown)|.*triton", line)} == set()


def test_every_import_is_declared() -> None:
    declared = distributions(PROJECT["dependencies"] + [line for extra in EXTRAS.values() for line in extra])
    # By ipywidgets, torch, jupyterlab, matplotlib, pooch and ipykernel.
    brought = {"traitlets", "triton", "yaml", "nbformat", "nbconvert", "contourpy", "cycler", "requests"}
    brought |= {"jupyter-client", "zmq"}
    used = {name for path in PACKAGE.rglob("*.py") for name in everything(path)}
    unknown = {DISTRIBUTIONS.get(name, name).lower().replace("_", "-") for name in used} - declared - brought
    assert unknown == set()


SCRIPT = """
import sys
for name in {missing!r}:
    sys.modules[name] = None  # as if it were not installed
import torch
from torch import nn
from pathlib import Path
import course_utils
from course_utils import CompressedModel, Recipe, evaluate, fit, mlp
from course_utils.compress import compress
from course_utils.data import Dataset
for folder in ("methods", "coding", "train", "compress"):
    for path in Path(course_utils.__file__).parent.joinpath(folder).glob("*.py"):
        __import__(f"course_utils.{{folder}}.{{path.stem}}".removesuffix(".__init__"))
x, y = torch.rand(40, 4), torch.arange(40) % 2
data, model = Dataset("a", x, y, x, y, 2), mlp([4, 6, 2])
fit(model, data, epochs=1, progress=False)
small = compress(model, Recipe(prune=0.5, levels=4), data=data)
small.save(sys.argv[1])
print(evaluate(CompressedModel.load(sys.argv[1]).to_model(), data).accuracy)
"""


def without_the_course(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process that has none of the packages of the extra `course`."""
    names = {name: module for module, name in DISTRIBUTIONS.items()}
    missing = [names.get(name, name.replace("-", "_")) for name in distributions(EXTRAS["course"])]
    return subprocess.run(
        [sys.executable, "-c", code.format(missing=missing), *arguments], capture_output=True, text=True
    )


def test_a_network_is_trained_and_compressed_without_the_course(tmp_path) -> None:
    done = without_the_course(SCRIPT, str(tmp_path / "a.cun"))
    assert done.returncode == 0, done.stderr
    assert 0 <= float(done.stdout) <= 1


@pytest.mark.parametrize(
    "code",
    [
        "from course_utils import load_dataset; load_dataset('mnist')",
        "from course_utils import Panel",
        "from course_utils.panels import sparsity",
    ],
)
def test_what_needs_the_course_says_so(code: str) -> None:
    done = without_the_course("import sys\nfor name in {missing!r}:\n    sys.modules[name] = None\n" + code)
    assert "pip install 'course-utils[course]'" in done.stderr.splitlines()[-1], done.stderr


def test_digits_need_no_extra() -> None:
    code = "import sys\nfor name in {missing!r}:\n    sys.modules[name] = None\n"
    done = without_the_course(code + "from course_utils import load_dataset; print(load_dataset('digits'))")
    assert done.stdout.startswith("digits: 1,347 training"), done.stderr


def test_what_only_the_tests_need_is_imported_by_nothing_that_a_student_runs() -> None:
    allowed = distributions(PROJECT["dependencies"] + [line for extra in ("course", "teach") for line in EXTRAS[extra]])
    tests_only = distributions(EXTRAS["test"]) - allowed - {"nbclient"}  # which JupyterLab brings too
    names = {str(path.relative_to(PACKAGE)): everything(path) for path in PACKAGE.rglob("*.py")}
    names |= {path.name: notebook_imports(path) for path in (ROOT / "notebooks").rglob("*.ipynb")}
    bad = {
        f"{where}: {name}"
        for where, used in names.items()
        for name in used
        if DISTRIBUTIONS.get(name, name).lower().replace("_", "-") in tests_only
    }
    # Claims about speed, and `course tidy`, are a contributor's.
    assert {line for line in bad if not re.match(r"bench/|course/tidy\.py", line)} == set()


@pytest.mark.parametrize("command", [["lab"], ["export"], ["map", "--check"]])
def test_a_command_says_which_extra_it_lacks(command: list[str]) -> None:
    code = "import sys\nfor name in {missing!r}:\n    sys.modules[name] = None\n"
    code += "from course_utils.cli import main\nmain(sys.argv[1:])"
    done = without_the_course(code, *command)
    assert done.returncode == 1
    assert "pip install 'course-utils[course]'" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_that_is_missing_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module is not installed"):
        require("json", "no_such_module")
    assert "[cluster]" in lacking("distributed")
    assert lacking("no_such_module") == ""
    assert requires("course-utils")
