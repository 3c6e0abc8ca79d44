"""Imports flow one way, a method loads nothing that it does not need, and every dotted name leads somewhere."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from course_utils._support.paths import PACKAGE, ROOT

METHODS = sorted(p.stem for p in (PACKAGE / "methods").iterdir() if p.stem not in ("__init__", "__pycache__"))
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
# CHANGELOG names what there was, too.
PAGES = sorted(
    [
        *(p for p in ROOT.glob("*.md") if p.name != "CHANGELOG.md"),
        *ROOT.glob("notebooks/**/*.md"),
        *ROOT.glob("notebooks/**/*.ipynb"),
    ]
)
OTHERS = [
    *(ROOT / name for name in ("pyproject.toml", ".ci/run", ".pre-commit-config.yaml")),
    *(ROOT / "binder").iterdir(),
    *(path for path in (ROOT / ".github").rglob("*") if path.is_file()),
    *ROOT.glob("notebooks/**/*.py"),
]


def test_imports_flow_one_way() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize("name", METHODS)
def test_a_method_loads_torch_and_nothing_that_draws_or_downloads(name: str) -> None:
    code = f"""
import sys, threading, warnings
warnings.simplefilter("error")
import torch
before = set(sys.modules)
import course_utils.methods.{name}
heavy = set("matplotlib ipywidgets anywidget IPython torchvision sklearn PIL pooch tqdm click".split())
loaded = heavy & {{name.split(".")[0] for name in set(sys.modules) - before}}
assert not loaded, loaded
assert not torch.cuda.is_initialized()
assert threading.active_count() == 1
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def leads_somewhere(dotted: str) -> bool:
    """Whether a dotted name is a module of the package, or an attribute that can be reached from one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = PACKAGE.parent.joinpath(*parts[:length])
        if path.is_dir() or path.with_suffix(".py").is_file():
            if length == len(parts):
                return True  # not imported: Triton, for one, is not everywhere
            value = import_module(".".join(parts[:length]))
            for part in parts[length:]:
                if not hasattr(value, part):
                    return False
                value = getattr(value, part)
            return True
    return False


def strings(path: Path) -> list[str]:
    """The texts in which a name may stand: the string constants of a module, or a whole file of another kind."""
    if path.suffix != ".py":
        return [path.read_text(encoding="utf-8")]
    return [
        n.value
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]


def test_every_dotted_name_in_a_string_leads_somewhere() -> None:
    lost = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (*SOURCES, *PAGES, *OTHERS)
        if path != Path(__file__)
        for text in strings(path)
        for name in re.findall(r"(?<![\w/.])course_utils(?:\.[A-Za-z_]\w*)+", text)
        if not name.endswith("_") and not leads_somewhere(name)
    ]
    assert not lost


def test_every_path_into_the_package_exists() -> None:
    lost = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (*PACKAGE.rglob("*.py"), *PAGES, *OTHERS)
        for text in [path.read_text(encoding="utf-8")]  # comments too
        for name in re.findall(r"\bcourse_utils/[\w/*-]*[\w*](?:\.\w+)?|\btests/[\w/]+\.py", text)
        if not re.search(r"ex10|exNN|_$|^course_utils/notebooks$", name) and not any(ROOT.glob(name))
    ]
    assert not lost


def test_names_that_point_nowhere_are_seen() -> None:
    assert leads_somewhere("course_utils.methods.penalties.prox_l1")
    assert not leads_somewhere("course_utils.penalties")
    assert not leads_somewhere("course_utils.methods.prox")
