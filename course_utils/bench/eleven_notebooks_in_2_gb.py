"""Claim: all notebooks of the course, run one after the other and left open, take 2 GiB less 300 MB on one processor.

JupyterLab with kernels forked from one parent, as on Binder, in a control group with a limit of 2 GiB; the baseline has
ordinary kernels and no limit, since it would not get to the end. Memory is what the group counts, server and parent
included; where no group can be made, it is the sum of the proportional set sizes, and nothing is limited. Each cell
that runs is followed by the next at once, as in Run All.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_utils._support.paths import FORKED_KERNELS, NOTEBOOKS
from course_utils._support.views import VIEW
from course_utils.bench import browser, memory
from course_utils.course.lab import lab_environment

__all__ = ["Notebook", "measure", "run"]

LIMIT = 2048
TO_SPARE = 300
REPORTED = (1, 2, 5, 11)


@dataclass
class Notebook:
    """What was measured for a notebook when all of its cells had run; seconds count from the request for its kernel."""

    name: str
    ready: float
    torch: float
    first_panel: float | None = None
    errors: list[str] = field(default_factory=list)
    private: float = 0.0  # MiB of its kernel alone
    together: float = 0.0  # MiB of everything that runs
    restarted: bool = False
    killed: int = 0  # processes that the system has ended so far


def run(device: str = "cpu") -> list[dict[str, Any]]:
    """Run all notebooks with forked kernels, then with ordinary ones."""
    if not sys.platform.startswith("linux"):
        raise RuntimeError("kernels can be forked on Linux only")
    forked, limited = measure(forked=True, limit=LIMIT)
    ordinary, _ = measure(forked=False, limit=None)
    bars = {len(forked): f"<= {LIMIT - TO_SPARE} MiB" + ("" if limited else "; no limit was set: no control group")}
    rows = [
        row(f"MiB after {n} notebooks", forked[n - 1].together, ordinary[n - 1].together, bars.get(n, ""))
        for n in REPORTED
        if n <= len(forked)
    ]
    for new, old in zip(forked, ordinary, strict=True):
        rows.append(row(f"MiB of the kernel of {new.name} alone", new.private, old.private))
    lost, lost_before = (sum(n.restarted or bool(n.errors) for n in kind) for kind in (forked, ordinary))
    rows.append(row("notebooks stopped by the system or by an error", lost, lost_before, "0"))
    for title, name in (("kernel ready", "ready"), ("`import torch` done", "torch"), ("first panel", "first_panel")):
        rows.append(row(f"seconds until {title}, median", middle(forked, name), middle(ordinary, name)))
    return rows


def row(claim: str, measured: float, baseline: float, bar: str = "") -> dict[str, Any]:
    ratio = measured / baseline if baseline else None
    return {"claim": claim, "measured": measured, "baseline": baseline, "ratio": ratio, "bar": bar}


def middle(notebooks: list[Notebook], name: str) -> float:
    return statistics.median(value for n in notebooks if (value := getattr(n, name)) is not None)


def measure(*, forked: bool, limit: float | None, names: str = "[01]?_*.ipynb") -> tuple[list[Notebook], bool]:
    """Run the notebooks whose names match, and whether there was a control group to limit and count their memory."""
    with tempfile.TemporaryDirectory() as scratch, memory.memory_group(limit) as group:
        folder = Path(scratch)
        shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns("exercises"))
        memory.forget_files()
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port={port}"]
        command = memory.on_one_processor(command)
        with browser.serve(
            folder, group.command(command) if group else command, environment=settings(folder, forked)
        ) as address:
            session = Session(address, folder, group)
            for path in sorted((folder / "notebooks").glob(names)):
                session.run(path)
            session.see_who_is_left()
    return session.notebooks, group is not None


def settings(folder: Path, forked: bool) -> dict[str, str]:
    """The environment of binder/start, with a folder for the files that say how kernels are connected to."""
    paths = [*([str(FORKED_KERNELS)] if forked else []), lab_environment()["JUPYTER_CONFIG_PATH"]]
    own = {"OMP_NUM_THREADS": "1", "JUPYTER_RUNTIME_DIR": str(folder / ".runtime")}
    return own | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


class Session:
    """What a reader has open: a server, and the kernels of the notebooks that they have run."""

    def __init__(self, address: str, folder: Path, group: memory.Group | None) -> None:
        self.address = address
        self.folder = folder
        self.group = group
        self.notebooks: list[Notebook] = []
        self.clients: list[Any] = []

    def run(self, path: Path) -> None:
        """Open a notebook and run all of its cells."""
        start = time.perf_counter()
        client = self.kernel_for(path)
        ready = time.perf_counter() - start
        execute(client, "import torch")
        notebook = Notebook(path.stem[:2], ready, time.perf_counter() - start)
        execute(client, "_of_the_first_start = 1")
        self.notebooks.append(notebook)
        self.clients.append(client)

        def see(message: Any) -> None:
            if notebook.first_panel is None and VIEW in message["content"].get("data", {}):
                notebook.first_panel = time.perf_counter() - start

        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code" and (error := execute(client, "".join(cell["source"]), see)):
                notebook.errors.append(error)
        notebook.private = memory.private(int(value(client, "__import__('os').getpid()") or 0))
        notebook.together = self.together()
        notebook.killed = self.group.kills() if self.group else 0

    def kernel_for(self, path: Path) -> Any:
        """A client of the kernel that JupyterLab starts for a notebook."""
        from jupyter_client.blocking.client import BlockingKernelClient

        wish = {"path": str(path.relative_to(self.folder)), "name": path.name, "type": "notebook"}
        body = json.dumps(wish | {"kernel": {"name": "python3"}}).encode()
        with urllib.request.urlopen(self.address.format(path="api/sessions"), body, timeout=180) as answer:
            kernel = json.load(answer)["kernel"]["id"]
        client = BlockingKernelClient(connection_file=str(self.folder / ".runtime" / f"kernel-{kernel}.json"))
        client.load_connection_file()
        client.start_channels(hb=False)  # a kernel that is slow to start has no heartbeat yet, and is taken as dead
        client.wait_for_ready(timeout=180)
        return client

    def together(self) -> float:
        """MiB of the server and all that it has started."""
        if self.group:
            return self.group.used()
        return memory.proportional(memory.descendants(os.getpid())[1:])

    def see_who_is_left(self) -> None:
        """Note which kernels are not those any more that were started first, and leave them."""
        for notebook, client in zip(self.notebooks, self.clients, strict=True):
            notebook.restarted = value(client, "_of_the_first_start") != "1"
            client.stop_channels()


def execute(client: Any, code: str, see: Callable[[Any], None] = lambda message: None) -> str | None:
    """Run a cell and return its error, if it has one."""
    try:
        reply = client.execute_interactive(code, allow_stdin=False, output_hook=see, timeout=300)["content"]
    except (TimeoutError, RuntimeError) as error:
        return str(error)
    return None if reply["status"] == "ok" else f"{reply['ename']}: {reply['evalue']}"


def value(client: Any, expression: str) -> str | None:
    """The value of an expression in a kernel, as text; None where it cannot be had."""
    try:
        asked = client.execute("", user_expressions={"value": expression}, store_history=False, reply=True, timeout=60)
    except (TimeoutError, RuntimeError):
        return None
    return asked["content"]["user_expressions"]["value"].get("data", {}).get("text/plain")
