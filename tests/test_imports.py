"""Imports never point up, and a primitive loads nothing that it does not need."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "course_utils"

# From bottom to top. A module may import from its own layer and from those above it in this list, not from those below.
LAYERS = [
    # helpers without a subject
    {
        "check",
        "paths",
        "files",
        "journal",
        "after_step",
        "side_by_side",
        "random_numbers",
        "layers",
        "symbols",
        "reader",
        "mixing",
        "unwritten",
        "history",
    },
    # the primitives
    {
        "penalties",
        "quantize",
        "binarize",
        "prune",
        "codebook",
        "lowrank",
        "distill",
        "activations",
        "predict_parameters",
    },
    {"gaps", "huffman", "ans"},  # codecs: bytes, no networks
    {"positions", "joint"},
    {"coded"},
    {"container"},
    {"checkpoint", "sources", "tidy", "syllabus", "glossary", "binder_link"},
    {"glossary_page", "progress", "work", "measured"},
    {"course_map"},
    {"data", "vision", "models", "augment", "imagenet"},
    {"settings", "out_of_memory"},
    {"not_finite"},
    {"train"},
    {"ensemble", "sweep"},
    {"corruption", "memorize", "federated"},
    {"plots"},
    {"compress"},
    {"panels"},
    {"exercises"},
    {"export"},
    {"tables"},
    {"grading", "kit"},
    {"cli"},
    {"bench"},
]
PRIMITIVES = sorted(LAYERS[1])


def layer(module: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if module in names)


def imported(path: Path) -> set[str]:
    """The parts of the package that a file imports, also inside its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} line {node.lineno}: write the whole name of the module"
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("course_utils.")}
    return {name for name in found if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()}


FILES = [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_never_point_up(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for other in imported(path) - {own}:
        allowed = layer(other) < layer(own) or (layer(other) == layer(own) == layer("models"))
        # `course bench` has to find the benchmarks, which start the same JupyterLab as `course lab`
        assert allowed or (own, other) == ("cli", "bench"), f"{own} imports {other}, which is not below it"


def test_the_check_sees_imports_inside_functions(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("def f():\n    from course_utils import panels\n    import course_utils.train\n")
    assert imported(file) == {"panels", "train"}


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_primitive_loads_torch_and_nothing_that_draws_or_downloads(name: str) -> None:
    code = f"""
import sys, warnings
warnings.simplefilter("error")
import torch
before = set(sys.modules)
import course_utils.{name}
heavy = set("matplotlib ipywidgets anywidget IPython torchvision sklearn PIL pooch tqdm click".split())
loaded = heavy & {{name.split(".")[0] for name in set(sys.modules) - before}}
assert not loaded, loaded
assert not torch.cuda.is_initialized()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
