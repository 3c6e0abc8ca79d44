"""While work is graded nobody is asked and nothing waits: prompts, debuggers and windows do nothing."""

import bdb
import builtins
import getpass
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ["leave_alone"]


def leave_alone() -> None:
    """Let `input` and `getpass` answer nothing, breakpoints go on, and Matplotlib keep to what needs no screen."""
    builtins.input = getpass.getpass = lambda *args, **options: ""  # type: ignore[assignment]
    sys.breakpointhook = lambda *args, **options: None
    bdb.Bdb.set_trace = lambda *args, **options: None  # type: ignore[method-assign]
    sys.meta_path.insert(0, Headless())


class Headless(MetaPathFinder, Loader):
    """Loads Matplotlib as it is, except that choosing a backend, which may need a window, chooses nothing."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        """The module as it would be found, to be loaded here."""
        if name not in ("matplotlib", "matplotlib.pyplot"):
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            self.loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As Python does it."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then take the choice away."""
        self.loader.exec_module(module)
        if module.__name__ == "matplotlib":
            module.use = lambda *args, **options: None  # type: ignore[attr-defined]
        else:
            switch = module.switch_backend
            module.switch_backend = lambda *args: switch("agg")  # type: ignore[attr-defined]
