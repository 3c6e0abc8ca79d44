"""JupyterLab as the course opens it: its settings, and what this machine can show."""

import os
import shutil
import sys
import webbrowser
from importlib.metadata import version
from pathlib import Path

from course_utils._support.files import staging
from course_utils._support.paths import LAB_SETTINGS, NOTEBOOKS, PACKAGE

__all__ = ["FIRST_PAGE", "copied", "course_folder", "has_browser", "in_container", "lab_environment", "lab_settings"]

FIRST_PAGE = "notebooks/00_course_map.ipynb"
COPY = "compressing-networks"  # the folder that `course lab` makes where there is no clone
README = """# Compressing neural networks: your copy of the notebooks

`course lab` in this folder, or in the one above it, opens the course. What you change here is yours; to begin anew,
delete this folder and run `course lab` again.
"""


def course_folder() -> Path | None:
    """The folder that holds `notebooks/`: the working folder, a copy in it, the one above, or the clone."""
    folders = (Path.cwd(), Path.cwd() / COPY, Path.cwd().parent, PACKAGE.parent)
    return next((folder for folder in folders if (folder / FIRST_PAGE).is_file()), None)


def copied(folder: Path) -> Path:
    """Copy the notebooks that came with the package into `folder`, which must be new, and return it.

    Raises: FileExistsError where `folder` is there already; FileNotFoundError where no notebooks came with the package.
    """
    from course_utils.course.map import write

    if not (NOTEBOOKS / Path(FIRST_PAGE).name).is_file():
        raise FileNotFoundError("this installation has no notebooks; run `course lab` in a clone of the course")
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; move it away, or run `course lab` in another folder")
    with staging(folder.parent, folder.name) as draft:  # so that a copy is complete or not there
        copy = draft / folder.name
        shutil.copytree(NOTEBOOKS, copy / "notebooks")
        (copy / "README.md").write_text(README, encoding="utf-8")
        write(copy)  # its links lead to what is there
        copy.rename(folder)
    return folder


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
