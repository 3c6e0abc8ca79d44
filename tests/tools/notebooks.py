"""Runs a notebook once, as nbval does, and watches it: time, memory of its kernel, attempts to reach the network."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

# Loaded by every Python process of the run, before anything else: what leaves the machine fails, and is written down.
NO_NETWORK = """
import os, socket

def refuse(target):
    with open(os.environ["COURSE_TEST_ATTEMPTS"], "a") as log:
        log.write(f"{target}\\n")
    raise OSError(101, "Network is unreachable (blocked by the test)")

def is_local(host):
    return host in (None, "", "localhost", "::1", "0.0.0.0", socket.gethostname()) or str(host).startswith("127.")

connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

def guarded(call):
    def connecting(self, address):
        if isinstance(address, tuple) and not is_local(address[0]):
            refuse(address)
        return call(self, address)
    return connecting

def looking_up(host, *args, **kwargs):
    if not is_local(host.decode() if isinstance(host, bytes) else host):
        refuse(host)
    return getaddrinfo(host, *args, **kwargs)

socket.socket.connect, socket.socket.connect_ex = guarded(connect), guarded(connect_ex)
socket.getaddrinfo = looking_up
"""


class Run(NamedTuple):
    """What was seen while a notebook ran."""

    passed: bool
    output: str
    seconds: float
    cpu_seconds: float  # of the kernel and its children: what the time would be on one core of a quiet machine
    megabytes: float  # the most that the kernel and its children held at once
    attempts: list[str]  # to reach the network


def execute(notebook: Path, scratch: Path, *, seconds: float = 300) -> Run:
    """Run all cells of a copy of `notebook` under nbval, without a network, with an empty home and data folder."""
    for folder in ("block", "home", "data"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "block" / "sitecustomize.py").write_text(NO_NETWORK)
    attempts = scratch / "attempts.log"
    attempts.touch()
    copy = scratch / notebook.name
    copy.write_bytes(notebook.read_bytes())
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(scratch / "block"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "COURSE_TEST_ATTEMPTS": str(attempts),
        "COURSE_DATA": str(scratch / "data"),
        "HOME": str(scratch / "home"),
        "XDG_CACHE_HOME": str(scratch / "home"),
    }
    nbval = f"--nbval-lax --nbval-current-env --nbval-cell-timeout {seconds:g}"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:cov",
        "--rootdir",
        str(scratch),
    ]
    command += ["-c", os.devnull, *nbval.split(), copy.name]
    start = time.monotonic()
    with (scratch / "output.log").open("w+") as output:
        process = subprocess.Popen(command, cwd=scratch, env=environment, stdout=output, stderr=subprocess.STDOUT)
        megabytes = cpu_seconds = 0.0
        while process.poll() is None:
            used = kernel_use(process.pid)
            megabytes, cpu_seconds = max(megabytes, used[0]), max(cpu_seconds, used[1])
            if time.monotonic() - start > seconds:
                process.kill()
            time.sleep(0.1)
        output.seek(0)
        text = output.read()
    passed = process.returncode == 0
    return Run(passed, text, time.monotonic() - start, cpu_seconds, megabytes, attempts.read_text().splitlines())


def kernel_use(parent: int) -> tuple[float, float]:
    """Resident megabytes of the Jupyter kernels below `parent` with all that they started, and their CPU seconds."""
    memory = seconds = 0.0
    try:
        for child in psutil.Process(parent).children(recursive=True):
            if any("ipykernel" in part for part in child.cmdline()):
                for process in [child, *child.children(recursive=True)]:
                    memory += process.memory_info().rss
                    seconds += sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:  # it ended while we were looking
        pass
    return memory / 1e6, seconds


def write(path: Path, *cells: str) -> Path:
    """A notebook of code cells, for tests."""
    empty = {"metadata": {}, "outputs": [], "execution_count": None}
    code = [{"cell_type": "code", "id": f"cell{i}", "source": source, **empty} for i, source in enumerate(cells)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    path.write_text(json.dumps({"cells": code, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path
