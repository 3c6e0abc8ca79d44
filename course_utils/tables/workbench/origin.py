"""Where a number comes from: the command, the commit of the code, the machine and the day."""

import os
import platform
import sys
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from course_utils._support.git import GitError, git
from course_utils._support.paths import ROOT

__all__ = ["commit", "machine", "origin", "peak_memory", "processors"]

MEASURED = (":(exclude)course_utils/tables/measured/*.json", ":(exclude)course_utils/publish/kit/seconds.json")


@cache
def commit(*folders: str) -> str:
    """The commit of the code, with a plus sign where it, or another of these folders, was changed since.

    What the course itself measures and writes is no code. Outside of a clone it is the version.

    >>> len(commit()) >= 5
    True
    """

    try:
        git(ROOT, "ls-files", "--error-unmatch", "course_utils/__init__.py")  # fails inside of another repository
        changed = git(ROOT, "status", "--porcelain", "--untracked-files=no", "--", "course_utils", *folders, *MEASURED)
        return git(ROOT, "rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except GitError:
        return f"version {version('course-utils')}"


@cache
def machine() -> str:
    """The processors, and the versions that numbers may depend on.

    >>> machine().endswith(f"torch {torch.__version__}")
    True
    """
    return f"{processors()}, {platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"


def processors() -> str:
    """The processor, its number of cores, and a GPU; no name that the machine was given.

    >>> "cores" in processors()
    True
    """
    names = [line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    return ", ".join(
        [processor, f"{os.cpu_count()} cores", *([torch.cuda.get_device_name()] if torch.cuda.is_available() else [])]
    )


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def peak_memory() -> int | None:
    """The most memory in MB that this process has used so far, whatever for; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1024 if sys.platform == "darwin" else 1
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit / 1024)


def origin(command: str) -> dict[str, str]:
    """Where a number comes from that is measured here and now.

    >>> list(origin("course table binary --quick"))
    ['command', 'commit', 'machine', 'day']
    """
    return {"command": command, "commit": commit(), "machine": machine(), "day": date.today().isoformat()}
