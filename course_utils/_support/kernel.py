"""The kernel of the course's notebooks: what their files say of it, its shell, and the notebook that it runs."""

import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["METADATA", "notebook_path", "shell"]

# What a notebook's file says of its kernel and its language, the same on every machine. By the second nbconvert knows
# that a script is a .py file.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "name": "python", "nbconvert_exporter": "python"},
}


def shell() -> Any | None:
    """IPython's shell if this runs in one, else None; IPython is not loaded to find out."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def notebook_path() -> Path | None:
    """The file of the notebook that this kernel was started for, by the name that it had then.

    VS Code gives it in the namespace, JupyterLab in the environment; None outside of both.
    """
    namespace = getattr(shell(), "user_ns", {})
    path = Path(str(namespace.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", ""))).resolve()
    return path if path.suffix == ".ipynb" else None
