"""Grading over a Dask cluster, one worker of which is killed in the middle: everybody is graded, once, and right."""

import os
import signal
from pathlib import Path

import pytest
from processes import cluster, started, wait_until

from course_utils._support.journal import Journal
from course_utils.exercises.grading.grade import grade
from course_utils.exercises.grading.rehearsal import rehearsal
from course_utils.exercises.grading.sandbox import bubblewrap

pytest.importorskip("distributed")
ROOT = Path(__file__).parents[2]
EXERCISES = ROOT / "notebooks" / "exercises"
STUDENTS = 5


@pytest.mark.skipif(bubblewrap() is None and os.environ.get("CI") != "true", reason="bubblewrap is not installed")
@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nobody_any_marks(tmp_path: Path) -> None:
    students = [
        student for student in rehearsal(EXERCISES, "ex04", students=40) if not student.kind.startswith("hostile")
    ][:STUDENTS]
    for student in students:
        path = tmp_path / "class" / student.student / student.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(student.content)
    out = tmp_path / "out"
    with cluster(tmp_path) as (address, workers):
        command = ("course_utils.cli", "grade", str(tmp_path / "class"), "--out", str(out), "--scheduler", address)
        with started(*command, folder=ROOT) as grading:
            wait_until(lambda: (out / "records.jsonl").is_file() or grading.poll() is not None, 120)
            os.kill(workers[0].pid, signal.SIGKILL)
            assert grading.wait(timeout=300) == 0
    records = Journal(out / "records.jsonl").records
    lines = (out / "records.jsonl").read_bytes().count(b"\n")
    readable = sum(not student.kind.startswith("clumsy") for student in students)
    assert len(records) == lines == readable + 1  # the last tells for which work marks were entered
    result = grade(tmp_path / "class", out, folder=EXERCISES)
    assert result.now == 0
    assert {r.submission.student: r.points for r in result.results} == {
        student.student: student.points for student in students
    }
