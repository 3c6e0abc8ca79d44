"""JupyterLab as the course opens it: its settings, and what this machine can show."""

import os
import sys
import webbrowser
from importlib.metadata import version
from pathlib import Path

from course_utils._support.paths import LAB_SETTINGS

__all__ = ["has_browser", "in_container", "lab_environment", "lab_settings"]


def in_container() -> bool:
    """Inside Docker or Podman only an address that is open to the host can be reached from it."""
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def has_browser() -> bool:
    """Whether a browser with a screen can be opened here."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def lab_settings(jupyterlab: str) -> list[str]:
    """The folders with the course's settings for a version of JupyterLab.

    Before 4.5 only the cells in view are on the page unless it is told otherwise, and Tab misses the panels of others.
    """
    major, minor = jupyterlab.split(".")[:2]
    older = [LAB_SETTINGS / "before_4_5"] if (int(major), int(minor)) < (4, 5) else []
    return [str(folder) for folder in (*older, LAB_SETTINGS)]


def lab_environment() -> dict[str, str]:
    """The environment with the course's own defaults behind the reader's: no news pop-up, threads that wait asleep."""
    paths = [p for p in (os.environ.get("JUPYTER_CONFIG_PATH"), *lab_settings(version("jupyterlab"))) if p]
    # PyTorch's threads wait for each other awake, which on a busy machine makes small networks ten times as slow.
    waiting = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
    return os.environ | waiting | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
