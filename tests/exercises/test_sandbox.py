"""The walls of the sandbox, as they are handed to bubblewrap; what they hold is tried in test_hostile.py."""

from pathlib import Path

import pytest

from course_utils.exercises.grading import sandbox


def test_python_may_live_below_a_folder_that_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_python", lambda: [Path("/tmp/course/.venv/bin")])
    walls = sandbox.Sandbox(Path("/prepared"), bwrap="bwrap")._walls()
    # What is mounted later lies over what is mounted earlier.
    assert walls.index("/tmp") < walls.index("/tmp/course/.venv/bin")
