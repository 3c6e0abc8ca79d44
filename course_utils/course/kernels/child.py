"""A copy of the parent becomes an ipykernel, in every respect as if it had been started as one."""

import atexit
import ctypes
import gc
import importlib.util
import json
import multiprocessing
import os
import select
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, NoReturn

import ipykernel.ipkernel
import IPython.core.shellapp
from ipykernel.kernelapp import IPKernelApp

from course_utils.course.kernels.fresh import new_seeds, set_threads
from course_utils.course.kernels.out_of_memory import note_cells, tell_before_next_cell

__all__ = ["become_kernel", "trim"]

LAUNCHER = importlib.util.find_spec("ipykernel_launcher")


def become_kernel(request: int, names: set[str], files: list[str]) -> NoReturn:
    """Run as the kernel that the file descriptor `request` asks for, and end this process with it.

    names, files: those of all imported modules.
    """
    code = 1
    try:
        os.setsid()  # a process group of its own, to be interrupted as one
        wish = json.loads(os.pread(request, os.fstat(request).st_size, 0))
        os.ftruncate(request, 0)
        take_over(wish)
        run(wish, request, names, files)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        leave(code)


def take_over(wish: dict[str, Any]) -> None:
    """Folder, environment, arguments, random numbers and threads of a new process."""
    gc.enable()
    # Where memory is short, the system ends a kernel, never the server or the parent. Its user may raise this number.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")
    os.environ.clear()
    os.environ.update(wish["environment"])
    os.chdir(wish["folder"])
    sys.argv = [str(LAUNCHER.origin if LAUNCHER else "ipykernel_launcher"), *wish["arguments"]]
    multiprocessing.current_process().authkey = os.urandom(32)
    new_seeds()
    set_threads(os.environ)


def run(wish: dict[str, Any], request: int, names: set[str], files: list[str]) -> None:
    """Serve the notebook until the kernel is shut down."""
    app = ForkedKernelApp.instance(parent_handle=int(os.environ.get("JPY_PARENT_PID", 0)))
    for module in (ipykernel.ipkernel, IPython.core.shellapp):
        vars(module)["sys"] = NoModules()
    app.initialize(wish["arguments"])
    for module in (ipykernel.ipkernel, IPython.core.shellapp):
        vars(module)["sys"] = sys
    app.kernel.shell._sys_modules_keys = names
    app.kernel._kernel_modules = files
    if getattr(app.kernel, "debugger", None) is not None:
        app.kernel.debugger.kernel_modules = files
    if "ipywidgets" in sys.modules:
        sys.modules["ipywidgets"].register_comm_target()  # which it does on import, in a kernel
    shell = app.kernel.shell
    shell.events.register("post_run_cell", lambda result: trim())
    note_cells(shell, request)
    if wish["after_out_of_memory"]:
        tell_before_next_cell(shell)
    app.start()


def leave(code: int) -> NoReturn:
    """End as Python does, without going back to what the parent was doing."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for the reader's threads
        atexit._run_exitfuncs()
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
    finally:
        os._exit(code)


class ForkedKernelApp(IPKernelApp):
    """ends with the Jupyter server, of which it is not the child."""

    def parse_command_line(self, argv: Any = None) -> None:
        """Read the arguments; the usual ones without a look at all settings of all classes, which copies 8 MB."""
        if len(argv) == 2 and argv[0] == "-f":
            self.connection_file = argv[1]
        else:
            super().parse_command_line(argv)

    def init_poller(self) -> None:
        """Watch the process that this kernel belongs to, unless it belongs to none."""
        if self.parent_handle:
            self.poller = threading.Thread(target=end_with, args=(self.parent_handle,), daemon=True)


def end_with(process: int) -> None:
    """Wait for the end of another process and end this one at once."""
    poll = select.poll()
    with suppress(OSError):
        poll.register(os.pidfd_open(process), select.POLLIN)
        poll.poll()
    os._exit(1)


class NoModules:
    """`sys` while ipykernel and IPython list all modules: to touch 4,000 of them copies 25 MB of the parent."""

    modules: ClassVar[dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def find_trim() -> Callable[[], Any]:
    """glibc's function that gives unused memory back to the system; without it, one that does nothing."""
    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return lambda: None
    return lambda: malloc_trim(0)


trim = find_trim()
