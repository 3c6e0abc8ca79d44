"""Kernels from the course's provisioner, as jupyter_client starts them, and what their cells answer.

As a script it is a server with two kernels: it writes their process numbers and their parent's, reads lines of code,
runs each in the first kernel, and writes how both are afterwards.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory

from course_utils.course.kernels import handles, provisioner

GROUP = "jupyter_client.kernel_provisioners"
PLACE = EntryPoint("course-forked", "course_utils.course.kernels.provisioner:ForkProvisioner", GROUP)
# Imports what a kernel needs, and nothing of the course: ready in half a second.
SMALL_PARENT = (
    "import sys; sys.path[:1] == [''] and sys.path.pop(0);"
    "from course_utils.course.kernels import parent, preload as p;"
    "p.LIBRARIES = ('numpy.random', 'ipywidgets'); p.COURSE = p.SECTIONS = (); p.first_uses = lambda: None;"
    "parent.main()"
)


class Forked(KernelSpecManager):
    """Kernelspecs that name the course's provisioner."""

    def get_kernel_spec(self, kernel_name: str) -> Any:
        """The kernelspec of this name, with the provisioner."""
        KernelProvisionerFactory.provisioners[PLACE.name] = PLACE  # as `pip install` does
        spec = super().get_kernel_spec(kernel_name)
        spec.metadata["kernel_provisioner"] = {"provisioner_name": PLACE.name}
        return spec


class Kernel:
    """A kernel that is running."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.kinds: list[str] = []  # of what the last cell showed

    def run(self, code: str, *answers: str, seconds: float = 60) -> str:
        """What a cell prints, then its last value or its error; `answers` are for its questions."""
        text, given = [], iter(answers)
        self.kinds = []

        def see(message: dict[str, Any]) -> None:
            content = message["content"]
            self.kinds += content.get("data", ())
            if message["msg_type"] == "stream":
                text.append(content["text"])
            elif message["msg_type"] == "execute_result":
                text.append(content["data"]["text/plain"])

        def answer(message: dict[str, Any]) -> None:
            self.client.input(next(given))

        reply = self.client.execute_interactive(
            code, output_hook=see, stdin_hook=answer, allow_stdin=bool(answers), timeout=seconds
        )["content"]
        if reply["status"] == "error":
            text.append(f"{reply['ename']}: {reply['evalue']}")
        return "".join(text)

    def send(self, code: str) -> None:
        """Start a cell, and return once it runs."""
        self.client.execute(code)
        while self.client.get_iopub_msg(timeout=10)["msg_type"] != "execute_input":
            pass

    def reply(self) -> str:
        """How the cell that was sent ends."""
        content = self.client.get_shell_msg(timeout=20)["content"]
        return content.get("ename", content["status"])

    @property
    def process(self) -> Any:
        """Its process, of the kind that subprocess has or of the course's."""
        return self.manager.provisioner.process

    @property
    def forked(self) -> bool:
        """Whether it comes from the parent."""
        return type(self.process).__name__ == "ForkedKernel"

    def exit_code(self) -> int | None:
        """How it ended; None if it has not after 10 s."""
        end = time.monotonic() + 10
        while (code := self.process.poll()) is None and time.monotonic() < end:
            time.sleep(0.01)
        return code

    def restart(self, *, now: bool = False) -> None:
        """As the button does."""
        self.manager.restart_kernel(now=now)
        self.client.wait_for_ready(timeout=60)


@contextmanager
def own_parent() -> Iterator[None]:
    """Begin without a parent, and end those that are started meanwhile."""
    started: list[handles.Parent] = []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_parent", None), ("_retired", started), ("_failed", None)):
            patch.setattr(provisioner, name, value)
        yield
        for parent in (provisioner._parent, *started):
            if parent:
                parent.retire()
                parent.process.kill()
                parent.process.wait()


@contextmanager
def kernel(*, forked: bool = True, **options: Any) -> Iterator[Kernel]:
    """A kernel; `options` are those of jupyter_client's `start_kernel`."""
    manager = KernelManager(kernel_spec_manager=Forked() if forked else KernelSpecManager())
    manager.start_kernel(**options)
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=120)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        manager.context.destroy(0)


def serve() -> None:
    """Two kernels, and lines of code for the first of them."""
    handles.START = SMALL_PARENT
    with kernel() as first, kernel() as second:
        print(json.dumps([first.process.pid, second.process.pid, provisioner._parent.process.pid]), flush=True)
        for line in sys.stdin:
            first.client.execute(line)
            first.exit_code()
            left = [first.process.poll(), second.run("1 + 1"), provisioner._parent.alive, first.manager.is_alive()]
            print(json.dumps(left), flush=True)


if __name__ == "__main__":
    serve()
