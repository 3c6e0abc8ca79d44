"""The walls of the sandbox, as they are handed to bubblewrap, its watch, and its folders on the disk.

What the walls hold is tried in test_hostile.py.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from course_utils.exercises import load_exercise
from course_utils.exercises.grading import sandbox, scratch
from course_utils.exercises.grading.attempt import Attempt, Limits
from course_utils.exercises.grading.library import without
from course_utils.exercises.grading.sandbox import Sandbox, Watched, bubblewrap
from course_utils.exercises.task import Case

LIMITS = Limits(cell=30, call=10, patience=20)
ANSWER = "import torch\n\ndef answer(n):\n    return torch.ones(n, n).sum()"
EIGHT = Case((8,), {})


def test_python_may_live_below_a_folder_that_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_python", lambda: [Path("/tmp/course/.venv/bin")])
    walls = sandbox.Sandbox(Path("/prepared"), bwrap="bwrap")._walls()
    # What is mounted later lies over what is mounted earlier.
    assert walls.index("/tmp") < walls.index("/tmp/course/.venv/bin")


# Memory


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """Where submissions run: in bubblewrap if it is installed."""
    library = tmp_path_factory.mktemp("library")
    without(load_exercise("ex04").hides, library)
    return Sandbox(library, bwrap=bubblewrap())


def noted(attempt: Attempt) -> list[str]:
    return [trouble.sentence for trouble in attempt.troubles.values()]


def tried(place: Sandbox, cell: str) -> tuple[list[str], Attempt]:
    """The notes on a cell; what the notebook answers beside it is right in any case."""
    with Attempt(place, [("cell 1", cell), ("cell 2", ANSWER)], LIMITS) as attempt:
        assert attempt.call("answer", EIGHT).value == 64
    return noted(attempt), attempt


def test_garbage_is_collected_but_not_looked_for_among_what_was_imported(place: Sandbox) -> None:
    """Nothing is collected while a student's process starts; from the first cell on everything is."""
    notes, _ = tried(place, "import gc\nassert gc.isenabled() and gc.get_freeze_count() > 50_000")
    assert notes == []


RESERVED = """
import mmap, torch
MAP_NORESERVE = 0x4000
space = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
torch.ones(500, 500) @ torch.ones(500, 500)
"""


def test_address_space_that_is_reserved_costs_nothing(place: Sandbox) -> None:
    """PyTorch with CUDA reserves 3 GB when it is imported, and students' tensors need some beside it."""
    notes, attempt = tried(place, RESERVED)
    assert notes == []
    assert attempt.peak < 1e9


def test_memory_that_does_not_exist_is_an_error_that_a_notebook_survives(place: Sandbox) -> None:
    (note,) = tried(place, "bytearray(1 << 46)")[0]
    assert note.startswith("cell 1 raises MemoryError")


@pytest.mark.parametrize(
    "taken",
    [
        "import torch\ntorch.ones(1 << 30)",
        pytest.param("import numpy\nnumpy.ones(1 << 29)", marks=pytest.mark.slow),
        pytest.param("b'x' * (4 << 30)", marks=pytest.mark.slow),
    ],
)
def test_memory_that_is_filled_is_counted(place: Sandbox, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1_000_000_000
    monkeypatch.setattr(sandbox, "MOST_MEMORY", limit)
    notes, attempt = tried(place, taken)
    assert notes == ["cell 1 was left out: it took more than 1 GB of memory"]
    assert limit < attempt.peak < 2 * limit


SPARSE = """
import mmap
space = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
for place in range(0, 1 << 40, 1 << 21):
    space[place]
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much the tables of pages take")
def test_tables_of_pages_are_counted(place: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading one byte in each 2 MB takes no memory of the process, and 4 kB of the kernel's for it."""
    monkeypatch.setattr(sandbox, "MOST_MEMORY", 800_000_000)
    assert tried(place, SPARSE)[0] == ["cell 1 was left out: it took more than 0.8 GB of memory"]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux' own file")
def test_swapped_memory_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sandbox._memory(psutil.Process())
    status = b"Name:\tpython\xff\nVmRSS:\t   1000 kB\nVmSwap:\t    500 kB\nVmPTE:\t 20 kB\n"
    monkeypatch.setattr(Path, "read_bytes", lambda path: status)
    assert sandbox._memory(psutil.Process()) == 1520 * 1024
    monkeypatch.undo()
    assert before > 50e6


def test_a_process_that_cannot_be_watched_does_not_run(place: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_files(watched: Watched, family: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Watched, "_too_much", no_files)
    with Attempt(place, [("cell 1", "while True: pass"), ("cell 2", ANSWER)], LIMITS) as attempt:
        assert "it could not be watched (OSError)" in attempt.call("answer", EIGHT).lost + str(noted(attempt))


def test_where_files_in_memory_cannot_be_counted_nothing_runs(monkeypatch: pytest.MonkeyPatch, place: Sandbox) -> None:
    if place.bwrap is None:
        pytest.skip("without bubblewrap there are no folders in memory")

    def forbidden(path: str) -> os.stat_result:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "statvfs", forbidden)
    with Attempt(place, [("cell 1", ANSWER)], LIMITS) as attempt:
        assert "it could not be watched (PermissionError)" in attempt.call("answer", EIGHT).lost


@pytest.mark.skipif(sys.platform != "linux", reason="Linux' own file")
def test_where_memory_is_short_the_kernel_ends_students_first(place: Sandbox) -> None:
    cell = "shown = int(open('/proc/self/oom_score_adj').read())\ndef answer(n):\n    return shown"
    with Attempt(place, [("cell 1", cell)], LIMITS) as attempt:
        assert attempt.call("answer", EIGHT).value == 1000


# Threads


def test_threads_start_whatever_else_the_account_runs(place: Sandbox) -> None:
    """The limit on processes counts those of the whole account where it has no namespace of its own."""
    cell = """
import resource, threading
limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
threading.Thread(target=print).start()

def answer(n):
    return limit
"""
    running = sum(process.num_threads() for process in psutil.process_iter() if process.uids().real == os.getuid())
    with Attempt(place, [("cell 1", cell)], LIMITS) as attempt:
        assert attempt.call("answer", EIGHT).value > running
    assert noted(attempt) == []


# Time


def test_no_time_passes_while_a_process_waits_for_a_processor(place: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may have taken them all, as a neighbour with hundreds of threads does."""
    monkeypatch.setattr(sandbox, "_delays", lambda pid: {pid: time.monotonic()})
    limits = Limits(call=0.2, patience=1)
    sleeps = "import time\n\ndef answer(n):\n    time.sleep(2)\n    return n"
    with Attempt(place, [("cell 1", sleeps)], limits) as attempt:
        assert attempt.call("answer", EIGHT).value == 8


def test_time_that_all_threads_use_passes_together(place: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """So nobody keeps the clock from running by threads that wait for one another."""
    monkeypatch.setattr(sandbox, "_delays", lambda pid: {pid: time.monotonic()})
    limits = Limits(call=0.5, patience=1)
    spins = """
import signal

def answer(n):
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    while True:
        pass
"""
    with Attempt(place, [("cell 1", spins)], limits) as attempt:
        assert attempt.call("answer", EIGHT).lost == "it did not end within 0.5 s"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux' own file")
def test_waiting_for_a_processor_is_told_by_the_kernel() -> None:
    assert all(delay >= 0 for delay in sandbox._delays(os.getpid()).values())
    assert os.getpid() in sandbox._delays(os.getpid())
    assert sandbox._delays(2**22 + 1) == {}


# Folders

# The module alone: what is above it in the package would load PyTorch.
GRADER = """
import runpy, sys, time
print(runpy.run_path(sys.argv[1])["new_folder"]("library"), flush=True)
if sys.argv[2:]:
    time.sleep(100)
"""


@contextmanager
def grader(folder: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A process that has a folder on the disk, and that folder."""
    command = [sys.executable, "-c", GRADER, scratch.__file__, *arguments]
    environment = os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip()).parent
        finally:
            process.kill()


def test_the_folder_of_a_grader_goes_with_it(tmp_path: Path) -> None:
    with grader(tmp_path) as (process, folder):
        assert process.wait() == 0
        assert folder.parent == tmp_path
        assert list(tmp_path.iterdir()) == []


def test_the_next_grader_removes_what_a_killed_one_has_left_and_nothing_else(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "in-use").write_text("not the grader's")
    (tmp_path / "course-grading-link").symlink_to(precious)
    (tmp_path / "course-grading-file").write_text("a file")
    other = tmp_path / "course-grading-other"
    other.mkdir()
    (other / "in-use").symlink_to(precious / "in-use")
    with grader(tmp_path, "stay") as (running, in_use), grader(tmp_path, "stay") as (killed, left):
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert left.is_dir()
        with grader(tmp_path) as (process, own):
            assert process.wait() == 0
        assert not left.exists()
        assert not own.exists()
        assert in_use.is_dir()
        assert running.poll() is None
    assert (precious / "in-use").read_text() == "not the grader's"
    assert (tmp_path / "course-grading-link").is_symlink()
    assert (tmp_path / "course-grading-file").is_file()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root makes a folder somebody else's")
def test_a_folder_of_somebody_else_stays(tmp_path: Path) -> None:
    theirs = tmp_path / "course-grading-theirs"
    theirs.mkdir()
    (theirs / "in-use").touch()
    os.chown(theirs, 12345, 12345)
    with grader(tmp_path) as (process, _):
        assert process.wait() == 0
    assert theirs.is_dir()
