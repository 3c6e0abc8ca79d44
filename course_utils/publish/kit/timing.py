"""How long the cells of the notebooks compute: measured by `course kit --time`, and stored with machine and versions.

Processor time of a kernel with one thread is measured: on an idle machine a reader waits as long as that, and another
program that runs meanwhile does not spoil the measurement. Each notebook has a fresh kernel, as in class, so its first
cell also counts the time to load PyTorch.
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil  # comes with ipykernel, as nbclient and nbformat do with JupyterLab

from course_utils._support.files import written_atomically
from course_utils.tables.workbench.origin import commit, processors

__all__ = ["FILE", "Times", "measure", "read", "write"]

FILE = Path(__file__).parent / "seconds.json"


@dataclass(frozen=True)
class Times:
    """Processor seconds of each cell by its id, and where they come from."""

    commit: str
    date: str
    machine: str
    versions: str
    data: str  # the data sets that were available besides those of the package
    cells: dict[str, float]


def measure(notebooks: Sequence[Path]) -> Times:
    """Run notebooks from top to bottom, each in a fresh kernel, and measure the processor time of every code cell.

    Raises: RuntimeError where a cell fails.
    """
    from course_utils.data import available, is_local

    cells: dict[str, float] = {}
    for path in notebooks:
        cells |= seconds_of(path)
    larger = [name for name in available() if name != "digits" and is_local(name)]
    return Times(
        commit=commit("notebooks"),
        date=datetime.now().date().isoformat(),
        machine=processors(),
        versions=f"Python {platform.python_version()}, PyTorch {version('torch')}",
        data=", ".join(larger),
        cells=cells,
    )


def seconds_of(path: Path) -> dict[str, float]:
    """The processor seconds of each code cell of a notebook that runs without an error."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    seconds: dict[str, float] = {}

    def before(cell: Any, cell_index: int) -> None:
        seconds[cell["id"]] = -used(client)

    def after(cell: Any, cell_index: int, execute_reply: Any) -> None:
        seconds[cell["id"]] = round(seconds[cell["id"]] + used(client), 2)

    client = NotebookClient(
        nbformat.read(path, as_version=4),
        timeout=1200,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=before,
        on_cell_executed=after,
    )
    try:
        client.execute(env=os.environ | {"OMP_NUM_THREADS": "1"})
    except CellExecutionError as error:
        raise RuntimeError(f"a cell of {path.name} fails, so it has no time: {error}") from error
    return seconds


def used(client: Any) -> float:
    """The processor seconds that a kernel and what it has started have used so far."""
    kernel = psutil.Process(client.km.provisioner.pid)
    total = sum(kernel.cpu_times()[:4])  # those of the kernel, and of its children that have ended
    for process in kernel.children(recursive=True):
        total += sum(process.cpu_times()[:2])
    return total


def read(file: Path | None = None) -> Times:
    """The times that the package carries.

    >>> all(seconds >= 0 for seconds in read().cells.values())
    True
    """
    return Times(**json.loads((file or FILE).read_text(encoding="utf-8")))


def write(times: Times, file: Path | None = None) -> None:
    """Store times beside this module."""
    with written_atomically(file or FILE) as out:
        out.write((json.dumps(asdict(times), indent=1, ensure_ascii=False) + "\n").encode())
