"""The student's process: runs the cells of a notebook, then calls its functions with what the grader sends.

It is started with the number of an open socket. Nothing that is right or hidden ever comes here: a function's arguments
arrive, what it returned goes back, and the grader judges it elsewhere. Students may do what they like in this process.
"""

import io
import linecache
import os
import resource
import signal
import socket
import sys
from types import FrameType, ModuleType
from typing import Any

from course_utils._support.unwritten import unwritten
from course_utils.exercises.grading.exchange import ANSWER, ExchangeError, packed, receive, send, tensors, unpacked
from course_utils.exercises.grading.silent import Silent
from course_utils.exercises.notebook.jupyter import compiled

LIMITS = {  # what one process may take; once set, it cannot raise them
    resource.RLIMIT_AS: 3_000_000_000,
    resource.RLIMIT_FSIZE: 10_000_000,
    resource.RLIMIT_NOFILE: 256,
    resource.RLIMIT_NPROC: 256,
    resource.RLIMIT_CORE: 0,
}


class Late(BaseException):
    """The processor time of a cell or a call is over; no `except Exception` holds it."""


class Unheard(io.TextIOBase):
    """Takes what is printed, however much, and keeps none of it."""

    def writable(self) -> bool:
        """It is for writing alone."""
        return True

    def write(self, text: str) -> int:
        """Say that the text was written."""
        return len(text)


def main() -> None:
    """Answer the grader until it goes."""
    line = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGPROF, _late)
    import torch

    torch.set_num_threads(1)
    for kind, most in LIMITS.items():
        resource.setrlimit(kind, (most, most))
    space = ModuleType("__main__").__dict__
    shell = Shell()
    space |= {"get_ipython": lambda: shell, "display": Silent()}  # names that Jupyter gives
    sys.stdout = sys.stderr = Unheard()
    send(line, {"ready": os.getpid()})
    while True:
        message = receive(line)
        seconds = message["seconds"]
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            if "cell" in message:
                run(message["cell"], message["name"], space)
                answer: dict[str, Any] = {"value": None}
            else:
                answer = call(space, message["call"], unpacked(message["args"]), unpacked(message["kwargs"]))
        except BaseException as problem:
            answer = {"error": error_line(problem, message.get("call", ""))}
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        reply(line, answer | {"ticket": message["ticket"]})


def reply(line: socket.socket, answer: dict[str, Any]) -> None:
    """Send an answer, or say that it is too large to be sent."""
    try:
        send(line, answer, bound=ANSWER)
    except ExchangeError as problem:
        send(line, {"error": f"ValueError: what it returns is too large: {problem}", "ticket": answer["ticket"]})


def _late(_signal: int, _frame: FrameType | None) -> None:
    raise Late("it takes too long")


def run(source: str, name: str, space: dict[str, Any]) -> None:
    """Run a cell; its lines are found again in the messages of errors."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compiled(source, name), space)


def call(space: dict[str, Any], name: str, args: Any, kwargs: Any) -> dict[str, Any]:
    """What a function of the notebook returns, and the arguments as it leaves them behind."""
    function = space.get(name)
    if not callable(function):
        return {"error": f"NameError: the notebook defines no function {name}"}
    value = function(*args, **kwargs)
    try:
        return {"value": packed(value), "tensors": tensors([*args, *kwargs.values()])}
    except ExchangeError as problem:
        raise ValueError(f"what it returns is too large: {problem}") from None


def error_line(problem: BaseException, called: str) -> str:
    """An error in one line: its type, its message, and the line of the student's own code that it comes from."""
    if (name := unwritten(problem)) and called and name != called:
        return f"NotImplementedError: it calls {name}, which has not been begun"
    place, trace = "", problem.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith("cell "):
            place = f" (line {trace.tb_lineno} of {file})"
        trace = trace.tb_next
    return f"{type(problem).__name__}: {str(problem)[:1000]}{place}"


class Shell(Silent):
    """Stands for IPython's shell: magics and commands do nothing, and a command prints nothing."""

    def run_line_magic(self, magic: str, options: str) -> None:
        """As for ``%magic options``."""

    def run_cell_magic(self, magic: str, options: str, cell: str) -> None:
        """As for ``%%magic options`` at the top of a cell."""

    def system(self, command: str) -> None:
        """As for ``!command``."""

    def getoutput(self, command: str) -> list[str]:
        """As for ``lines = !command``."""
        return []


if __name__ == "__main__":
    main()
