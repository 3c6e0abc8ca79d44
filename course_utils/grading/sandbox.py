"""Starts a student's process: in bubblewrap where it is installed, and watched from outside in any case.

Bubblewrap gives the process namespaces of its own: no network, no other processes, no files but the system's, Python's
and the prepared library, all of them read-only, and a small folder in memory that is gone with it.
"""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import psutil

__all__ = ["UNCOVERED", "Sandbox", "Watched", "bubblewrap"]

MOST_MEMORY = 2_000_000_000  # bytes in use by all processes of a student together
MOST_PROCESSES = 8  # threads do not count
MOST_FILES = 64_000_000  # bytes of the folders in memory
GLANCE = 0.1  # seconds between two looks at a student's processes
UNCOVERED = (
    "bubblewrap is not installed, so submissions run with the rights of your own account: they could read and change "
    "your files, other submissions and the hidden cases, and use the network. Limits on time, memory and output hold. "
    "Grade submissions of strangers only after `apt install bubblewrap` (Linux)."
)


def bubblewrap() -> str | None:
    """The path of bubblewrap, if it is installed and works here."""
    found = shutil.which("bwrap")
    if found is None:
        return None
    arguments = [found, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    tried = subprocess.run(arguments, capture_output=True, check=False)
    return found if tried.returncode == 0 else None


class Sandbox:
    """Where the processes of an exercise run; `library`: the folder that `without` has written."""

    def __init__(self, library: Path, *, bwrap: str | None) -> None:
        self.library, self.bwrap = library, bwrap
        self.keep: object = None  # whatever must live as long as this, such as a temporary folder

    def start(self) -> "Watched":
        """A new process, which will say on its line that it is ready."""
        ours, theirs = socket.socketpair()
        with theirs:
            fd = theirs.fileno()
            process = subprocess.Popen(
                self._command(fd),
                env=self._environment(),
                cwd=self.library,
                pass_fds=(fd,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return Watched(process, ours)

    def _command(self, fd: int) -> list[str]:
        python = [sys.executable, "-s", "-P", "-m", "course_utils.grading.runner", str(fd)]
        return python if self.bwrap is None else [self.bwrap, *self._walls(), "--", *python]

    def _environment(self) -> dict[str, str]:
        library = str(self.library) if self.bwrap is None else "/library"
        home = str(self.library) if self.bwrap is None else "/home/student"
        plain = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": home, "PYTHONPATH": library}
        return plain | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}

    def _walls(self) -> list[str]:
        walls = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"]
        for folder in ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin"):
            if Path(folder).is_symlink():
                walls += ["--symlink", os.readlink(folder), folder]
            elif Path(folder).is_dir():
                walls += ["--ro-bind", folder, folder]
        walls += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--proc", "/proc", "--dev", "/dev"]
        for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)):
            if not Path(prefix).is_relative_to("/usr"):
                walls += ["--ro-bind", prefix, prefix]
        installed = Path(sysconfig.get_path("purelib"), "course_utils")
        if installed.is_dir():  # the whole library, which would answer the exercise
            walls += ["--tmpfs", str(installed), "--remount-ro", str(installed)]
        for folder in ("/dev/shm", "/tmp", "/home/student"):
            walls += ["--size", str(MOST_FILES), "--tmpfs", folder]
        walls += ["--ro-bind", str(self.library), "/library", "--remount-ro", "/dev", "--remount-ro", "/"]
        return [*walls, "--chdir", "/home/student"]


class Watched:
    """A running process of a student with its line, and a watch that ends it when it takes too much."""

    def __init__(self, process: "subprocess.Popen[bytes]", line: socket.socket) -> None:
        self.process, self.line = process, line
        self.ended_for = ""  # why the watch has ended it
        self.peak = 0  # the most memory that was seen, in bytes
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """End the process and all that it has started."""
        self._over.set()
        self._kill()
        self.process.wait()
        self._watch.join()
        self.line.close()

    def _look(self) -> None:
        while not self._over.wait(GLANCE) and self.process.poll() is None:
            family = _family(self.process.pid)
            memory = sum(map(_memory, family))
            self.peak = max(self.peak, memory)
            if len(family) > MOST_PROCESSES:
                self.ended_for = f"it started more than {MOST_PROCESSES} processes"
            elif memory > MOST_MEMORY:
                self.ended_for = f"it took more than {MOST_MEMORY / 1e9:g} GB of memory"
            if self.ended_for:
                self._kill()
                return

    def _kill(self) -> None:
        """With the process that bubblewrap started, everything in its namespace ends; without, the family is ended."""
        for member in reversed(_family(self.process.pid)):
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
