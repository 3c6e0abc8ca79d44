"""Grading over a Dask cluster, one worker of which is killed in the middle: everybody is graded, once, and right."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from course_utils.grading.grade import grade
from course_utils.grading.rehearsal import rehearsal
from course_utils.grading.sandbox import bubblewrap
from course_utils.journal import Journal

pytest.importorskip("distributed")
ROOT = Path(__file__).parent.parent
EXERCISES = ROOT / "notebooks" / "exercises"
STUDENTS = 8


@contextmanager
def started(*command: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is ended with all that it has started."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=folder, start_new_session=True, **quiet)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(done: object, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


@pytest.mark.skipif(bubblewrap() is None and os.environ.get("CI") != "true", reason="bubblewrap is not installed")
def test_a_worker_that_is_killed_costs_nobody_his_marks(tmp_path: Path) -> None:
    students = [one for one in rehearsal(EXERCISES, "ex04", students=40) if not one.kind.startswith("hostile")][
        :STUDENTS
    ]
    for one in students:
        path = tmp_path / "class" / one.student / one.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.content)
    port, out = free_port(), tmp_path / "out"
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    worker = ("distributed.cli.dask_worker", address, *["--nthreads", "1", "--no-nanny", "--no-dashboard"])
    command = ("course_utils.cli", "grade", str(tmp_path / "class"), "--out", str(out), "--scheduler", address)
    with (
        started(*scheduler, folder=tmp_path),
        started(*worker, folder=tmp_path) as first,
        started(*worker, folder=tmp_path),
        started(*command, folder=ROOT) as grading,
    ):
        wait_until(lambda: (out / "records.jsonl").is_file() or grading.poll() is not None, 120)
        os.kill(first.pid, signal.SIGKILL)
        assert grading.wait(timeout=300) == 0
    records = Journal(out / "records.jsonl").records
    lines = (out / "records.jsonl").read_bytes().count(b"\n")
    assert len(records) == lines == sum(not one.kind.startswith("clumsy") for one in students)
    result = grade(tmp_path / "class", out, folder=EXERCISES)
    assert result.now == 0
    assert {r.submission.student: r.points for r in result.results} == {one.student: one.points for one in students}
