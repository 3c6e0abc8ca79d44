"""The same checks as the pre-commit hooks: lint, format, types."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


# The client is what an engineer writes who uses the library and checks their own code strictly.
STRICT = "mypy --strict --config-file= tests/clients/every_public_name.py"


@pytest.mark.parametrize(
    "tool",
    ["ruff check", "ruff format --check", "mypy", pytest.param(STRICT, marks=pytest.mark.slow)],
    ids=lambda tool: tool[:12],
)
def test_style(tool: str) -> None:
    result = subprocess.run([sys.executable, "-m", *tool.split()], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_pre_commit_runs_the_same() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    for tool in (
        "ruff check",
        "ruff format --check",
        "mypy",
        "course_utils.cli tidy --check",
        "course_utils.cli map --check",
    ):
        assert f"entry: python -m {tool}" in hooks
    assert "repo: local" in hooks
    assert "http" not in hooks
