"""Starts a student's process: in bubblewrap where it is installed, and watched from outside in any case.

Bubblewrap gives the process namespaces of its own: no network, no other processes, no files but the system's, Python's
and the prepared library, all of them read-only, and a small folder in memory that is gone with it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from course_utils._support.paths import PACKAGE
from course_utils.exercises.grading.calls import call_filter
from course_utils.exercises.grading.scratch import new_folder

__all__ = ["Sandbox", "UnfitMachine", "Watched", "bubblewrap", "check_system", "uncovered"]

MOST_MEMORY = 2_000_000_000  # bytes in use by all processes of a student together, in memory and in swap
FASTEST = 10e9  # bytes per second that a student's processes are thought to take at most
MOST_PROCESSES = 8
MOST_THREADS = 300  # of all these processes
MORE_PROCESSES = 1000  # of the account that grades, its threads included, beside those that it has
MOST_FILES = 64_000_000  # bytes of each of the folders in memory
MOST_INODES = (
    20_000  # files, links and folders in them; each takes a thousand bytes of the kernel, and more with its name
)
IN_MEMORY = ("/dev/shm", "/tmp")
HOME = "/tmp/student"
GLANCES = (0.01, 0.1)  # least and most seconds between two looks at a student's processes
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}  # its memory belongs to no process that is watched
GRACE = 5.0  # seconds in which the kernel takes away what was killed
UNCOVERED = (
    "submissions run with the rights of your own account: they could read and change your files, other submissions and "
    "the hidden cases, end the grading, use the network, and leave processes behind. Limits on time, memory and output "
    "hold for mistakes, but not against malice."
)
PAGE = "notebooks/exercises/README.md, under `Where the sandbox works`, has the commands"


class UnfitMachine(ValueError):
    """This machine cannot grade, or marks the lecturer's own work wrong; the message says why, and the way out."""


def check_system() -> None:
    """Raises: UnfitMachine on Windows, where no submission can be started."""
    if sys.platform == "win32":
        raise UnfitMachine(
            "Windows itself cannot run submissions within limits; grade in WSL 2, the Linux that is part of Windows, "
            f"or in a container: {PAGE}"
        )


def bubblewrap() -> str | None:
    """The path of bubblewrap, if it is installed and works here."""
    path = shutil.which("bwrap")
    return path if path is not None and not _refusal(path) else None


def uncovered() -> str:
    """Why submissions have no walls here, what they could do, and the way out; empty where bubblewrap works."""
    path = shutil.which("bwrap")
    if sys.platform != "linux":
        reason, remedy = "Bubblewrap exists for Linux alone", f"in a Linux container; {PAGE}"
    elif path is None:
        reason, remedy = "Bubblewrap is not installed", "after `apt install bubblewrap`"
    elif refusal := _refusal(path):
        reason, remedy = f"Bubblewrap is not allowed to work here ({refusal})", f"where it is; {PAGE}"
    else:
        return ""
    return f"{reason}, so {UNCOVERED} Grade submissions of strangers only {remedy}."


def _refusal(path: str) -> str:
    """What bubblewrap says where it may not make its namespaces, as in many containers."""
    arguments = [path, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    probe = subprocess.run(arguments, capture_output=True, check=False)
    return "" if probe.returncode == 0 else probe.stderr.decode(errors="replace").strip() or "it ends without a word"


class Sandbox:
    """Where the processes of an exercise run; `library`: the folder that `without` has written."""

    def __init__(self, library: Path, *, bwrap: str | None) -> None:
        self.library, self.bwrap = library, bwrap

    def start(self) -> "Watched":
        """A new process, which will say on its line that it is ready."""
        ours, theirs = socket.socketpair()
        folder = str(new_folder("student")) if self.bwrap is None else None
        with theirs, _call_filter() as calls:
            line = theirs.fileno()
            process = subprocess.Popen(
                self._command(line, calls),
                env=self._environment(folder),
                cwd=folder or "/",
                pass_fds=(line,) if calls is None else (line, calls),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return Watched(process, ours, folder)

    def _command(self, line: int, calls: int | None) -> list[str]:
        python = [
            sys.executable,
            "-s",
            "-P",
            "-m",
            "course_utils.exercises.grading.runner",
            str(line),
            str(_most_processes()),
        ]
        if self.bwrap is None:
            return python
        refused = [] if calls is None else ["--seccomp", str(calls)]
        return [self.bwrap, *self._walls(), *refused, "--", *python]

    def _environment(self, folder: str | None) -> dict[str, str]:
        library = str(self.library) if self.bwrap is None else "/library"
        plain = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": folder or HOME, "PYTHONPATH": library}
        plain |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", **NO_GPU}
        return plain | {"TORCHDYNAMO_DISABLE": "1"}  # torch.compile would start a compiler, which no process may

    def _walls(self) -> list[str]:
        walls = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"]
        for folder in ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin"):
            if Path(folder).is_symlink():
                walls += ["--symlink", os.readlink(folder), folder]
            elif Path(folder).is_dir():
                walls += ["--ro-bind", folder, folder]
        walls += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
        # The kernel's settings are files that belong to root, also where root has no rights left: bound read-only.
        walls += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]
        # Memory mapped from /dev/zero belongs to no process, so no watch would count it.
        walls += ["--dev", "/dev", "--dev-bind", "/dev/null", "/dev/zero"]
        # Before Python, which may live below one of them.
        for folder in IN_MEMORY:
            walls += ["--size", str(MOST_FILES), "--tmpfs", folder]
        walls += ["--dir", HOME]
        for path in _python():
            walls += ["--ro-bind", str(path), str(path)]
        for hidden in map(str, _to_hide()):
            walls += ["--tmpfs", hidden, "--remount-ro", hidden]
        walls += ["--ro-bind", str(self.library), "/library", "--remount-ro", "/dev", "--remount-ro", "/"]
        return [*walls, "--chdir", HOME]


@contextmanager
def _call_filter() -> Iterator[int | None]:
    """An open file that gives the filter of system calls; None on machines for which there is none."""
    program = call_filter()
    if program is None:
        yield None
        return
    reading, writing = os.pipe()
    try:
        os.write(writing, program)  # smaller than what a pipe holds
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


def _python() -> list[Path]:
    """Of this interpreter and its virtual environment what it needs to run, and nothing else that lies beside it."""
    prefixes = [Path(prefix) for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)) if not _in_usr(Path(prefix))]
    parts = [prefix / name for prefix in prefixes for name in ("bin", "lib", "lib64", "pyvenv.cfg")]
    return [path for path in parts if path.exists()]


@cache
def _most_processes() -> int:
    """How many processes and threads this account may have, beside which it runs a student's.

    Where these have no namespace of their own the kernel counts all: a fixed number would leave no thread to students
    of a lecturer whose browser has many.
    """
    every = psutil.process_iter(["uids", "num_threads"])
    threads = (process.info["num_threads"] or 1 for process in every if _is_ours(process))
    return MORE_PROCESSES + sum(threads)


def _is_ours(process: psutil.Process) -> bool:
    return process.info["uids"] is not None and process.info["uids"].real == os.getuid()


def _in_usr(path: Path) -> bool:
    return path.is_relative_to("/usr")


def _to_hide() -> list[Path]:
    """Folders inside those that are shown with the whole library in them, which would answer the exercise."""
    project = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else PACKAGE
    places = [Path(sysconfig.get_path(kind), "course_utils") for kind in ("purelib", "platlib")]
    shown = [Path("/usr"), *_python()]
    return [
        place
        for place in dict.fromkeys((project, *places))
        if place.is_dir() and any(place.is_relative_to(folder) for folder in shown)
    ]


class Watched:
    """A running process of a student with its line, and a watch that ends it when it takes too much.

    `folder`: a temporary one of its own on the disk, where it has no walls; it is removed with the process.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", line: socket.socket, folder: str | None = None) -> None:
        self.process, self.line, self.folder = process, line, folder
        self.ended_for = ""  # why the watch has ended it
        self.peak = 0  # the most memory that was measured, in bytes
        self.memory = 0  # what was measured last
        self.seconds = 0.0  # of processor time
        self._time = 0.0, time.monotonic()  # by its own clock, and when this was noted
        self._waited: dict[int, float] = {}  # of each thread, for a processor
        # A process and the time of its start: a number alone may belong to somebody else when this one has ended.
        self._outermost = psutil.Process(process.pid)
        self._processes = {self._outermost}
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._guard, daemon=True)
        self._watch.start()

    def clock(self) -> float:
        """Seconds that the process has had: by the clock on the wall, without those in which others have left it no
        processor, and at least as many as its threads have worked together.
        """
        own, noted = self._time
        return own + time.monotonic() - noted

    def stop(self) -> None:
        """End the process and all that it has started."""
        self._over.set()
        self._watch.join()
        with suppress(OSError):
            self._measure(self._family())
        self._kill()
        self.line.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _guard(self) -> None:
        while not self._over.wait(self._pause()) and self.process.poll() is None:
            try:
                family, before = self._family(), self.seconds
                self.ended_for = self._too_much(family)
                self._note_time(family, self.seconds - before)
            except Exception as problem:  # such as no more open files for the grader: what is not watched does not run
                self.ended_for = f"it could not be watched ({type(problem).__name__})"
            if self.ended_for:
                self._kill()
                return

    def _pause(self) -> float:
        """Seconds until the next look: the fewer, the less is left of the memory."""
        shortest, longest = GLANCES
        return min(longest, max(shortest, (MOST_MEMORY - self.memory) / FASTEST))

    def _too_much(self, family: set[psutil.Process]) -> str:
        """What the processes take too much of; their number comes first, as it doubles while one counts the rest."""
        if len(family) > MOST_PROCESSES:
            return f"it started more than {MOST_PROCESSES} processes"
        if self._folders(family).files > MOST_INODES:
            return f"it made more than {MOST_INODES:,} files"
        if self._measure(family) > MOST_MEMORY:
            return f"it took more than {MOST_MEMORY / 1e9:g} GB of memory"
        if sum(_asked(member, psutil.Process.num_threads) for member in family) > MOST_THREADS:
            return f"it started more than {MOST_THREADS} threads"
        return ""

    def _measure(self, family: set[psutil.Process]) -> int:
        """Note the processor time so far and the memory now, which is returned."""
        milliseconds = sum(_asked(member, lambda p: 1000 * sum(p.cpu_times()[:4])) for member in family)
        self.seconds = max(self.seconds, milliseconds / 1000)
        self.memory = sum(_asked(member, _memory) for member in family) + self._folders(family).bytes
        self.peak = max(self.peak, self.memory)
        return self.memory

    def _note_time(self, family: set[psutil.Process], worked: float) -> None:
        """Let the clock of the process go on; `worked`: its processor time since the last look."""
        now = {thread: delay for member in family for thread, delay in _delays(member.pid).items()}
        waited = max((delay - self._waited.get(thread, 0) for thread, delay in now.items()), default=0)
        (own, noted), time_now = self._time, time.monotonic()
        self._time = own + max(time_now - noted - waited, worked, 0), time_now
        self._waited = now

    def _folders(self, family: set[psutil.Process]) -> "InMemory":
        """What lies in the folders in memory, which no process counts as its own: all see the same ones."""
        return max((_in_memory(member.pid) for member in family - {self._outermost}), default=InMemory(0, 0))

    def _family(self) -> set[psutil.Process]:
        """All processes that the student's has started and that still run; also those whose parent has ended."""
        family: set[psutil.Process] = set()
        for member in self._processes:
            if member not in family and member.is_running():
                family |= {member, *_descendants(member)}
        self._processes |= family
        return family

    def _kill(self) -> None:
        """End all at once: bubblewrap, with which the kernel ends its namespace, or the group; then what has left it.

        One after the other would not do: a bomb starts new ones faster than they can be counted.
        """
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        end = time.monotonic() + GRACE
        while (left := self._family()) and time.monotonic() < end:
            for member in left:
                _asked(member, psutil.Process.kill)
            psutil.wait_procs(left, timeout=max(GLANCES))


class InMemory(NamedTuple):
    """Bytes and files of the folders in memory."""

    bytes: int
    files: int


def _in_memory(pid: int) -> InMemory:
    """Of a process inside the walls; nothing for one that is not there yet, or has ended.

    PermissionError where this account may not look there: what is not counted does not run.
    """
    used = [0, 0]
    for folder in IN_MEMORY:
        try:
            if os.stat(f"/proc/{pid}/root{folder}").st_dev == os.stat(folder).st_dev:
                return InMemory(0, 0)  # the machine's own
            about = os.statvfs(f"/proc/{pid}/root{folder}")
        except (FileNotFoundError, ProcessLookupError):
            return InMemory(0, 0)
        used[0] += (about.f_blocks - about.f_bfree) * about.f_frsize
        used[1] += about.f_files - about.f_ffree
    return InMemory(*used)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _memory(process: psutil.Process) -> int:
    """Bytes that a process holds: in memory, in swap, and, on Linux, in the kernel's tables of its pages.

    Not its address space: PyTorch with CUDA reserves more of that than a student may use, and uses little of it.
    """
    try:
        lines = Path(f"/proc/{process.pid}/status").read_bytes().splitlines()
    except OSError:  # it has ended, or there is no such folder
        return int(process.memory_info().rss)
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith((b"VmRSS:", b"VmSwap:", b"VmPTE:")))


def _delays(pid: int) -> dict[int, float]:
    """How many seconds each thread of a process has waited for a processor; empty where no kernel tells."""
    delays = {}
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            delays[int(thread)] = int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, IndexError):  # it has ended, or the kernel does not count
        return delays
    return delays


def _asked(process: psutil.Process, question: Callable[[psutil.Process], Any]) -> int:
    """What a process says; 0 if it has ended."""
    try:
        return int(question(process) or 0)
    except psutil.Error:
        return 0
