"""Processes that tests start and kill, and a Dask cluster of this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

Process = subprocess.Popen[bytes]


@contextmanager
def started(*command: str, folder: Path) -> Iterator[Process]:
    """`python -m command`, which is ended with all that it has started; it can import what lies in `folder` or here."""
    paths = filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")])
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def cluster(
    folder: Path, *, workers: int = 2, threads: int = 1, nannies: bool = False
) -> Iterator[tuple[str, list[Process]]]:
    """A Dask scheduler and workers: its address, and the workers and last the scheduler.

    nannies: processes that start a worker again when it was ended.
    """
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    worker = ("distributed.cli.dask_worker", address, "--nthreads", str(threads), "--no-dashboard")
    worker += () if nannies else ("--no-nanny",)
    with ExitStack() as running:
        first = running.enter_context(started(*scheduler, folder=folder))
        yield address, [*(running.enter_context(started(*worker, folder=folder)) for _ in range(workers)), first]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(done: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)
