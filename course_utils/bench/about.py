"""Versions, the build of torch, and the machine: `course bench --about` prints them for a report of a problem."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import torch

from course_utils.tables.workbench.origin import processors

__all__ = ["about"]

PACKAGES = ("torchvision", "numpy", "ipywidgets", "anywidget", "jupyterlab", "matplotlib")


def about() -> Iterator[str]:
    """The lines of a report on this installation and machine.

    >>> [line.split()[0] for line in about()][:4]
    ['course-utils', 'Python', 'torch', 'torchvision']
    """
    facts = {
        "course-utils": installed("course-utils"),
        "Python": platform.python_version(),
        "torch": f"{torch.__version__}, {torch_build()}",
        **{package: installed(package) for package in PACKAGES},
        "platform": platform.platform(),
        "processor": processors(),
        "memory": memory(),
    }
    for name, fact in facts.items():
        yield f"{name:14}{fact}"


def installed(package: str) -> str:
    """The version of a package, if it is installed.

    >>> installed("no-such-package")
    'not installed'
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def torch_build() -> str:
    """What torch was compiled for, and whether such a device is available."""
    if torch.version.cuda is None and torch.version.hip is None:
        return "CPU build"
    name = f"CUDA {torch.version.cuda}" if torch.version.cuda else f"ROCm {torch.version.hip}"
    return f"{name} build, {'with a GPU' if torch.cuda.is_available() else 'no GPU is available'}"


def memory() -> str:
    """The memory of the machine, not all of which a container may use."""
    try:
        import psutil
    except ImportError:
        return "unknown: psutil is not installed"
    return f"{psutil.virtual_memory().total / 2**30:.1f} GiB"
