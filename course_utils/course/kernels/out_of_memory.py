"""What a notebook's page says when the system has ended its kernel, which it does where memory runs out.

Jupyter itself says that a kernel "appears to have died" and starts it anew. The cell that was running then is told why,
by the server, which publishes it in the place of the dead kernel; and the next cell that is run says it too.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any

__all__ = ["TEXT", "note_cells", "tell_before_next_cell", "tell_running_cell"]

TEXT = """\
The system has ended the kernel of this notebook, most likely because memory ran out: what was computed here is gone.
Close notebooks that you do not need now with Kernel > Shut Down Kernel (closing the tab is not enough), then run this
one from the top with Run > Run All Cells.
"""
TO_CONNECT = 2.0  # seconds until the first page, at most; pages try every 0.1 to reach the kernel that was
TO_ALL = 0.3  # for the others, and for a message to pass


def note_cells(shell: Any, file: int) -> None:
    """In the kernel: keep in an open file, which the server can read, the request for the cell that is running."""

    def begin(info: Any) -> None:
        header = shell.kernel.get_parent("shell").get("header", {})
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(header, default=str).encode(), 0)

    def end(result: Any) -> None:
        os.ftruncate(file, 0)

    shell.events.register("pre_run_cell", begin)
    shell.events.register("post_run_cell", end)


def tell_before_next_cell(shell: Any) -> None:
    """In the kernel that was started anew: say before the first cell what happened."""

    def tell(info: Any) -> None:
        sys.stderr.write(TEXT)
        shell.events.unregister("pre_run_cell", tell)

    shell.events.register("pre_run_cell", tell)


async def tell_running_cell(manager: Any, request: bytes) -> None:
    """In the server: publish the text below the cell that a kernel was running, by the request that was noted."""
    import zmq

    if not request or getattr(manager, "curve_publickey", None):
        return
    context = zmq.Context()
    try:
        socket = context.socket(zmq.XPUB)
        socket.bind(manager._make_url("iopub"))
        end = time.monotonic() + TO_CONNECT
        while not socket.poll(0) and time.monotonic() < end:  # a subscription has come
            await asyncio.sleep(0.02)
        await asyncio.sleep(TO_ALL)
        for kind, content in (
            ("stream", {"name": "stderr", "text": TEXT}),
            ("status", {"execution_state": "idle"}),
        ):
            manager.session.send(socket, kind, content, parent=json.loads(request), ident=kind.encode())
        await asyncio.sleep(TO_ALL)  # Jupyter tells the page next that the kernel restarts, and then it is too late
    finally:
        context.destroy(linger=500)  # waits for the messages to leave, and frees the port for the next kernel
