"""What the Jupyter server holds of the other two processes: the parent, and each kernel that was forked from it."""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["ForkedKernel", "NotForked", "Parent"]

T = TypeVar("T")

# The folder that the server was started in is no place for modules, as for ipykernel.
START = "import sys; sys.path[:1] == [''] and sys.path.pop(0); import course_utils.course.kernels.parent as p; p.main()"
# A thread in the parent would be missing in its copies, with whatever lock it holds.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
BACKEND = "module://matplotlib_inline.backend_inline"  # ipykernel names it to matplotlib, which reads it while it loads
# What libraries, and Python itself, read once.
READ_WHILE_LOADING = (
    "PYTHON", "LD_", "LANG", "LC_", "TZ", "MALLOC_", "GLIBC_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "TORCH",
    "PYTORCH", "ATEN_", "CUDA", "MPL", "MATPLOTLIB", "JUPYTER_PLATFORM", "ANYWIDGET",
)  # fmt: skip
TO_IMPORT = 120.0  # seconds: 5 on a free processor, 20 on a busy one
TO_FORK = 10.0
TO_REPORT = 1.0


class NotForked(Exception):
    """Why there is no forked kernel."""


def read_while_loading(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a kernel must have in common with its parent; numbers of threads are set in the child.

    >>> read_while_loading({"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "4", "HOME": "/home/reader"})
    {'PYTHONHASHSEED': '1'}
    """
    return {k: v for k, v in environment.items() if k.startswith(READ_WHILE_LOADING) and k not in ONE_THREAD}


class Parent:
    """The process that has imported everything, started by this one with `python`: the interpreter and its options."""

    def __init__(self, python: Sequence[str], environment: Mapping[str, str]) -> None:
        self.python = list(python)
        self.environment = read_while_loading(environment)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        given = {k: v for k, v in environment.items() if k != "JPY_PARENT_PID"} | ONE_THREAD
        given["MPLBACKEND"] = environment.get("MPLBACKEND") or BACKEND
        with theirs:
            self.process = subprocess.Popen(
                [*self.python, "-c", START, str(theirs.fileno())],
                env=given,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the server's terminal is not for it
            )
        self.end = time.monotonic() + TO_IMPORT

    @property
    def alive(self) -> bool:
        """Whether it runs, ready or not."""
        return self.process.poll() is None

    def fits(self, python: Sequence[str], environment: Mapping[str, str]) -> None:
        """Raise NotForked unless a kernel with this interpreter and environment can be a copy of the parent."""
        if list(python) != self.python:
            raise NotForked(f"its interpreter is {' '.join(python)}, the parent's {' '.join(self.python)}")
        wanted = read_while_loading(environment)
        if other := sorted(k for k in {*wanted, *self.environment} if wanted.get(k) != self.environment.get(k)):
            raise NotForked(f"libraries read {', '.join(other)} while they load, and the parent's value is another one")

    async def ready(self) -> None:
        """Wait until everything is imported, or raise NotForked."""
        if not await until(self.has_said, self.end - time.monotonic()):
            self.process.kill()
            raise NotForked(f"the parent did not import everything in {TO_IMPORT:g} s, or it ended")

    def has_said(self) -> bool | None:
        """True once it has said that it is ready, False if it ended first, None so far."""
        if not self.alive:
            return False
        try:  # left in the socket, for whoever asks next
            return bool(self.control.recv(16, socket.MSG_PEEK))
        except BlockingIOError:
            return None

    async def fork(self, request: Mapping[str, Any]) -> "ForkedKernel | None":
        """A new kernel; None if packages were changed after the parent imported them, and it has to be replaced.

        Raises: NotForked with the parent's reason, or if it does not answer.
        """
        await self.ready()
        line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.setblocking(False)
        file = os.memfd_create("request")
        try:
            with theirs:
                os.pwrite(file, json.dumps(request).encode(), 0)
                socket.send_fds(self.control, [b"fork"], [theirs.fileno(), file])
            message, handles = await until(lambda: received(line), TO_FORK) or (b"", [])
        except OSError as error:
            os.close(file)
            line.close()
            raise NotForked(f"the parent cannot be reached ({error})") from error
        answer = json.loads(message or "{}")
        if handles:
            return ForkedKernel(answer["pid"], handles[0], line, file)
        os.close(file)
        line.close()
        if not answer:
            self.process.kill()
            raise NotForked(f"the parent did not answer in {TO_FORK:g} s")
        if answer["refused"]:
            raise NotForked(answer["refused"])
        return None

    def retire(self) -> None:
        """Let it end, which it does after the last of its kernels: it is the one that learns how they ended."""
        self.control.close()


class ForkedKernel:
    """A forked kernel, with those methods of subprocess.Popen that jupyter_client calls."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, handle: int, line: socket.socket, file: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.handle = handle  # a pidfd: it stands for this process, also after another one has got its number
        self.line = line  # to its parent
        self.file = file  # in which it notes what it runs
        self.running = b""  # the request for the cell in which it ended

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self.ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        code = self.ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("forked kernel", timeout or 0)
        return code

    def ended(self, seconds: float | None) -> int | None:
        """The exit code, waited for at most so long."""
        if self.returncode is None and readable(self.handle, seconds):
            self.returncode = self.reported()
            self.running = os.pread(self.file, 100_000, 0)
            os.close(self.file)
            os.close(self.handle)
            self.line.close()
        return self.returncode

    def reported(self) -> int:
        """How the parent says that it ended; 1 where the parent is gone."""
        with suppress(OSError):
            if readable(self.line.fileno(), TO_REPORT) and (message := self.line.recv(100)):
                return int(json.loads(message)["exit"])
        return 1

    def send_signal(self, number: int) -> None:
        """Send a signal to this process."""
        if self.poll() is None:
            signal.pidfd_send_signal(self.handle, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def readable(descriptor: int, seconds: float | None) -> bool:
    """Whether there is something to read, or whether the process behind a pidfd has ended."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if seconds is None else 1000 * seconds))


def received(line: socket.socket) -> tuple[bytes, list[int]] | None:
    """A message with the file descriptors that came with it, if there is one."""
    try:
        message, descriptors, _, _ = socket.recv_fds(line, 4096, 1, socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        return None
    return message, descriptors


async def until(answer: Callable[[], T | None], seconds: float) -> T | None:
    """What `answer` returns once it is not None; None if it takes longer."""
    end = time.monotonic() + seconds
    while (value := answer()) is None and time.monotonic() < end:
        await asyncio.sleep(0.005)
    return value
