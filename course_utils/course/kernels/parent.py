"""The process that kernels are forked from: it imports everything, then waits for requests with one thread."""

import gc
import json
import os
import select
import socket
import sys
from contextlib import suppress

from course_utils.course.kernels.preload import Packages, preload

__all__ = ["main"]

Children = dict[int, tuple[int, socket.socket]]  # by pidfd: the number of a kernel, and where to report its end


def main() -> None:
    """Import, say so, and fork until the server closes the socket and the last kernel has ended."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    gc.disable()  # it would leave holes between what is to be shared
    preload()
    from course_utils.course.kernels.child import trim

    packages = Packages()
    gc.collect()
    gc.freeze()  # a collection in a child would write to every object
    trim()
    control.send(b"ready")
    serve(control, packages)


def serve(control: socket.socket, packages: Packages) -> None:
    """Answer requests and report ends."""
    children: Children = {}
    poll = select.poll()  # which holds no file descriptor that a child would inherit
    poll.register(control, select.POLLIN)
    listening = True
    while listening or children:
        for descriptor, _ in poll.poll():
            if descriptor in children:
                poll.unregister(descriptor)
                report(descriptor, *children.pop(descriptor))
                continue
            descriptors: list[int] = []
            with suppress(ConnectionError):
                _, descriptors, _, _ = socket.recv_fds(control, 16, 2, socket.MSG_CMSG_CLOEXEC)
            if descriptors:
                line = socket.socket(fileno=descriptors[0])
                if handle := answer(control, line, descriptors[1], packages, children):
                    poll.register(handle, select.POLLIN)
            else:  # the server has ended, or has a newer parent
                poll.unregister(control)
                listening = False


def answer(control: socket.socket, line: socket.socket, request: int, packages: Packages, children: Children) -> int:
    """Fork a kernel and return its pidfd; 0 if it was refused."""
    refused = None
    if packages.changed():
        refused = ""
    elif (threads := len(os.listdir("/proc/self/task"))) != 1:
        refused = f"the parent has {threads} threads, and would lose {threads - 1} of them in a fork"
    else:
        try:
            pid = os.fork()
        except OSError as error:
            refused = f"the parent cannot be forked ({error})"
    if refused is not None:
        with line, suppress(OSError):
            line.send(json.dumps({"refused": refused}).encode())
        os.close(request)
        return 0
    if pid == 0:
        close(control, line, children)
        from course_utils.course.kernels.child import become_kernel

        become_kernel(request, packages.names, packages.files)
    os.close(request)
    handle = os.pidfd_open(pid)
    children[handle] = pid, line
    with suppress(OSError):
        socket.send_fds(line, [json.dumps({"pid": pid}).encode()], [handle])
    return handle


def report(handle: int, pid: int, line: socket.socket) -> None:
    """Tell the server how a kernel ended."""
    os.close(handle)
    _, status = os.waitpid(pid, 0)
    with line, suppress(OSError):
        line.send(json.dumps({"exit": os.waitstatus_to_exitcode(status)}).encode())


def close(control: socket.socket, line: socket.socket, children: Children) -> None:
    """Leave the parent's sockets to the parent: the server sees the end of one when nobody holds it any more."""
    control.close()
    line.close()
    for handle, (_, other) in children.items():
        os.close(handle)
        other.close()
