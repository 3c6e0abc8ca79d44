"""Where the Jupyter server gets a kernel from: a fork of the parent, or else a process of its own as everywhere."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from course_utils.course.kernels.handles import ForkedKernel, NotForked, Parent
from course_utils.course.kernels.out_of_memory import tell_running_cell

__all__ = ["ForkProvisioner", "start_parent"]

MODULE = ["-m", "ipykernel_launcher"]
KNOWN = {"cwd", "env", "extra_arguments", "independent", "kernel_id"}  # the options of a start that a child can follow
AT_ONCE = 10.0  # seconds
AGAIN = 300.0  # seconds until a parent is started again after one that failed

_parent: Parent | None = None
_retired: list[Parent] = []  # those with kernels that still run
_failed: float | None = None


class ForkProvisioner(LocalProvisioner):
    """A kernel of this Python, forked where that is possible; any other kernel is started as by its base class."""

    killed = False  # by the server, and not by the system
    out_of_memory = False
    failed_at_once = False
    since = 0.0  # when the kernel was forked

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel, or start an ordinary one and log why."""
        try:
            kernel = await self.forked(cmd, kwargs)
        except Exception as why:  # whatever it is, the reader gets a kernel
            self.log.warning("An ordinary kernel is started: %s.", why)
            return await super().launch_kernel(cmd, **kwargs)
        finally:
            self.killed = self.out_of_memory = self.failed_at_once = False
        self.since = time.monotonic()
        self.process = kernel  # type: ignore[assignment]  # the base class waits for it and signals it
        self.pid = self.pgid = kernel.pid
        self.cwd = kwargs.get("cwd") or Path.cwd()
        return self.connection_info

    async def forked(self, cmd: list[str], options: dict[str, Any]) -> ForkedKernel:
        """A kernel from the parent, which is replaced by a new one if packages were changed."""
        if unknown := sorted(options.keys() - KNOWN):
            raise NotForked(f"a forked kernel has no {', '.join(unknown)}")
        if self.failed_at_once:
            raise NotForked("the forked one before it ended at once")
        python, arguments = parts(cmd)
        environment = dict(options.get("env") or os.environ)
        environment.pop("JPY_PARENT_PID", None)
        if not options.get("independent"):
            environment["JPY_PARENT_PID"] = str(os.getpid())
        request = {
            "arguments": arguments,
            "environment": environment,
            "folder": os.path.abspath(options.get("cwd") or Path.cwd()),
            "after_out_of_memory": self.out_of_memory,
        }
        for _ in range(2):
            parent = current(python, environment)
            parent.fits(python, environment)
            try:
                kernel = await parent.fork(request)
            except NotForked:
                failed(parent)
                raise
            if kernel is not None:
                return kernel
            replace(parent)
        raise NotForked("packages are being changed")

    async def poll(self) -> int | None:
        """The exit code, None while the kernel runs; a kernel killed by nobody here has run out of memory."""
        code = await super().poll()
        self.failed_at_once |= bool(code and code > 0 and time.monotonic() < self.since + AT_ONCE)
        if code == -signal.SIGKILL and not self.killed and not self.out_of_memory:
            self.out_of_memory = True
            self.log.warning("The system ended kernel %s, most likely because memory ran out.", self.kernel_id)
            with suppress(Exception):  # it is a courtesy
                await tell_running_cell(self.parent, getattr(self.process, "running", b""))
        return code

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel and the processes that it started."""
        self.killed |= signum == signal.SIGKILL
        await super().send_signal(signum)


def parts(cmd: list[str]) -> tuple[list[str], list[str]]:
    """The interpreter with its options, and the arguments of the kernel; NotForked for another program than ipykernel.

    >>> parts(["/usr/bin/python3", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "kernel.json"])
    (['/usr/bin/python3', '-Xfrozen_modules=off'], ['-f', 'kernel.json'])
    """
    for i in range(1, len(cmd)):
        if cmd[i : i + 2] == MODULE:
            return cmd[:i], cmd[i + 2 :]
    raise NotForked(f"this is no ipykernel: {' '.join(cmd)}")


def start_parent(spec: Any) -> None:
    """Have a parent for the kernels of a kernelspec, before the first of them is asked for."""
    with suppress(NotForked, OSError):
        python, _ = parts([sys.executable if word in ("python", "python3") else word for word in spec.argv])
        current(python, os.environ | spec.env)


def current(python: list[str], environment: dict[str, str]) -> Parent:
    """The parent, started if there is none."""
    global _parent
    if _parent is not None and not _parent.alive:
        replace(_parent)
    if _parent is None:
        if _failed is not None and time.monotonic() < _failed + AGAIN:
            raise NotForked("the parent failed a short time ago")
        _parent = Parent(python, environment)
    return _parent


def replace(parent: Parent) -> None:
    """Have the next kernel come from a new parent."""
    global _parent
    if _parent is parent:
        parent.retire()
        _retired[:] = [old for old in (*_retired, parent) if old.alive]
        _parent = None


def failed(parent: Parent) -> None:
    """Do without a parent for a while."""
    global _failed
    _failed = time.monotonic()
    replace(parent)
