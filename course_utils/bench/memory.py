"""Memory of a process with all that it has started, and a limit on it as a container has one."""

import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from course_utils._support.paths import PACKAGE

__all__ = ["Group", "descendants", "forget_files", "memory_group", "on_one_processor", "private", "proportional"]

MIB = 2**20
GROUPS = Path("/sys/fs/cgroup")


@dataclass
class Group:
    """A control group of this machine with a limit on memory; `new` says whether it is of version 2."""

    folder: Path
    new: bool

    def used(self) -> float:
        """MiB, without the cached files that the system drops first; what Binder's memory display counts."""
        name = "memory.current" if self.new else "memory.usage_in_bytes"
        dropped = self.counter("memory.stat", "inactive_file" if self.new else "total_inactive_file")
        return (int((self.folder / name).read_text()) - dropped) / MIB

    def kills(self) -> int:
        """How many processes the system has ended because the limit was reached."""
        return self.counter("memory.events" if self.new else "memory.oom_control", "oom_kill")

    def counter(self, file: str, name: str) -> int:
        lines = (self.folder / file).read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.split()[0] == name), 0)

    def limit(self, mebibytes: float | None) -> None:
        """Set the limit, or lift it."""
        text = str(int(mebibytes * MIB)) if mebibytes else "max" if self.new else "-1"
        (self.folder / ("memory.max" if self.new else "memory.limit_in_bytes")).write_text(text)
        if self.new:
            (self.folder / "memory.swap.max").write_text("0" if mebibytes else "max")

    def command(self, command: list[str]) -> list[str]:
        """A command that runs in the group."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]


@contextmanager
def memory_group(mebibytes: float | None) -> Iterator[Group | None]:
    """A group with this limit, or without one; None where this user or container can make no groups."""
    group = made_group()
    if group is None:
        yield None
        return
    try:
        group.limit(mebibytes)
        yield group
    finally:
        end = time.monotonic() + 10
        while (left := (group.folder / "cgroup.procs").read_text().split()) and time.monotonic() < end:
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
            time.sleep(0.1)
        group.folder.rmdir()


def made_group() -> Group | None:
    name = f"course-{secrets.token_hex(4)}"
    for parent, new in ((GROUPS / "memory", False), (GROUPS, True)):
        limit = "memory.max" if new else "memory.limit_in_bytes"
        with suppress(OSError):
            folder = parent / name
            folder.mkdir()
            if (folder / limit).exists():
                return Group(folder, new)
            folder.rmdir()
    return None


def on_one_processor(command: list[str]) -> list[str]:
    """A command that runs on one processor, where it can be held there."""
    return ["taskset", "-c", str(min(os.sched_getaffinity(0))), *command] if shutil.which("taskset") else command


def forget_files() -> None:
    """Drop the installed packages from the system's cache, so that they count for the group that reads them first."""
    for folder in (Path(sys.prefix), PACKAGE):
        for path in folder.rglob("*"):
            if path.suffix in (".so", ".py", ".pyc") or ".so." in path.name:
                with suppress(OSError), path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def descendants(process: int) -> list[int]:
    """A process and all that were started by it or by those."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = [process]
    for one in found:  # which grows meanwhile
        found += [child for child, parent in parents.items() if parent == one]
    return found


def proportional(processes: list[int]) -> float:
    """MiB of these processes, each page counted once: the sum of their proportional set sizes."""
    return sum(smaps(process, "Pss:") for process in processes)


def private(process: int) -> float:
    """MiB that a process shares with no other."""
    return smaps(process, "Private_Clean:", "Private_Dirty:")


def smaps(process: int, *names: str) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:  # it has ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.split()[0] in names) / 1024
