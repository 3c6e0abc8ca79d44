"""What the parent imports, and whether it is still what is on disk."""

import inspect
import os
import pkgutil
import site
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from io import BytesIO

from course_utils._support.paths import PACKAGE

__all__ = ["Packages", "preload"]

# In this order: what every kernel writes to while it starts lies together, and no other pages are copied for it.
# What is not installed is left out. Never here: tqdm.auto and matplotlib's inline backend, which look at the notebook
# that they are first imported in.
LIBRARIES = (
    "ipykernel.kernelapp", "ipykernel.debugger", "IPython.core.debugger", "ipywidgets", "anywidget",
    "torch", "torch._dynamo", "torch.optim", "torch.utils.data", "matplotlib.pyplot", "matplotlib.backends.backend_agg",
    "PIL.Image", "joblib", "tqdm",
)  # fmt: skip
# Of this package. Its commands, its exercises and its exports are for no notebook.
COURSE = ("data", "models", "plots", "train", "compress", "tables.measured", "course.progress")
SECTIONS = ("methods", "experiments", "panels")  # with what is in them


def preload() -> None:
    """Import what the notebooks will, as far as it is installed."""
    show = warnings.showwarning  # and not catch_warnings, which would take back the filters that libraries set
    warnings.showwarning = lambda *arguments, **options: None  # readers would see them in the server's log
    for name in (*LIBRARIES, *(f"course_utils.{name}" for name in (*COURSE, *SECTIONS))):
        attempt(name)
    for name in SECTIONS:
        for module in pkgutil.iter_modules([str(PACKAGE / name)], f"course_utils.{name}."):
            attempt(module.name)
    with suppress(Exception):
        first_uses()
    inspect.getmodule(preload.__code__.replace(co_filename="none"))  # it looks at all modules now, for later
    warnings.showwarning = show


def attempt(name: str) -> None:
    """Import a module if it can be imported."""
    with suppress(Exception):
        import_module(name)


def first_uses() -> None:
    """What is loaded by first uses: the files of an optimizer, the fonts of a picture, the readers of the digits."""
    import torch
    from matplotlib.figure import Figure

    from course_utils.data import load_dataset

    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 100], label=r"$\lambda$")
    axes.imshow([[0, 1]], cmap="RdBu")
    axes.set(xlabel="words", yscale="symlog")
    axes.legend()
    figure.savefig(BytesIO())
    load_dataset("digits")


class Packages:
    """The files of all modules that are imported now, and the folders into which packages are installed."""

    def __init__(self) -> None:
        self.names = set(sys.modules)
        found = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        self.files = sorted(file for file in found if isinstance(file, str))
        folders = [*site.getsitepackages(), site.getusersitepackages()]  # a new .pth file in them leads to another one
        self.one_text = "\0".join([*self.files, *folders])  # whose parts are read without writing to 4,000 strings
        self.times = self.modified()

    def modified(self) -> list[int]:
        """The time at which each file or folder was last changed; 0 for one that is not there."""
        times = []
        for file in self.one_text.split("\0"):
            try:
                times.append(os.stat(file).st_mtime_ns)
            except OSError:
                times.append(0)
        return times

    def changed(self) -> bool:
        """Whether a module was changed or removed, or a package installed since."""
        return self.modified() != self.times
