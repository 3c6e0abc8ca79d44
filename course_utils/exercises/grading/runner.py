"""The student's process: runs the cells of a notebook, then calls its functions with what the grader sends.

It is started with the number of an open socket, and how many processes the account may have. Nothing that is right or
hidden ever comes here: a function's arguments arrive, what it returned goes back, and the grader judges it elsewhere.
Students may do what they like in this process.
"""

import gc
import io
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

from course_utils._support.unwritten import unwritten
from course_utils.exercises.grading.exchange import ANSWER, ExchangeError, packed, receive, send, tensors, unpacked
from course_utils.exercises.grading.unattended import leave_alone

if TYPE_CHECKING:
    from course_utils.exercises.grading.shell import Shell

LIMITS = {  # what one process may take; once set, it cannot raise them. The watch outside limits the memory.
    resource.RLIMIT_FSIZE: 10_000_000,
    resource.RLIMIT_NOFILE: 256,
    resource.RLIMIT_CORE: 0,
}


class Late(KeyboardInterrupt):
    """The processor time of a cell or a call is over; no `except Exception` holds it, and no event loop."""


class Unheard(io.TextIOBase):
    """Takes what is printed, however much, and keeps none of it."""

    encoding = "UTF-8"

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

    from course_utils.exercises.grading.shell import Shell

    gc.freeze()  # what is imported stays, so it need not be looked through for garbage; until now nothing was
    gc.enable()
    torch.set_num_threads(1)
    limit(processes=int(sys.argv[2]))
    leave_alone()
    shell = Shell.instance()
    sys.stdout = sys.stderr = Unheard()
    send(line, {"ready": os.getpid()})
    with shell.builtin_trap:
        while True:
            message = receive(line)
            reply(line, answer(shell, message) | {"ticket": message["ticket"]})


def answer(shell: "Shell", message: dict[str, Any]) -> dict[str, Any]:
    """What a cell, a call or a question comes to; or its error, as a line.

    The timer fires once for each message, inside the inner `try`: nothing interrupts the writing of the error.
    """
    try:
        try:
            signal.setitimer(signal.ITIMER_PROF, message["seconds"])
            return _worked(shell, message)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except BaseException as problem:
        error = error_line(problem, message.get("call", ""))
        return {"error": error, "value": loss(shell) if "cell" in message else None}


def _worked(shell: "Shell", message: dict[str, Any]) -> dict[str, Any]:
    if "cell" in message:
        shell.run(message["cell"], message["name"])
        return {"value": None}
    if "needed" in message:
        return {"value": packed(shell.needed(message["needed"]))}
    return call(shell.user_ns, message["call"], unpacked(message["args"]), unpacked(message["kwargs"]))


def limit(processes: int) -> None:
    """Set the limits of this process, and let the kernel end it first where the machine's memory is short."""
    for kind, most in (LIMITS | {resource.RLIMIT_NPROC: processes}).items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # Linux alone has it
        file.write("1000")


def reply(line: socket.socket, answer: dict[str, Any]) -> None:
    """Send an answer, or say that it is too large to be sent."""
    try:
        send(line, answer, bound=ANSWER)
    except ExchangeError as problem:
        send(line, {"error": f"ValueError: what it returns is too large: {problem}", "ticket": answer["ticket"]})


def _late(_signal: int, _frame: FrameType | None) -> None:
    raise Late("it takes too long")


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


def loss(shell: "Shell") -> Any:
    """Of a cell that raised: whether nothing of it was run, and which names it did not give."""
    try:
        return packed({"refused": not shell.begun, "lost": shell.lost()})
    except BaseException:  # of names that compare or hash as nobody expects
        return None


def error_line(problem: BaseException, called: str) -> str:
    """An error in one line: its type, its message, and the line of the student's own code that it comes from."""
    try:
        if (name := unwritten(problem)) and called and name != called:
            return f"NotImplementedError: it calls {name}, which has not been begun"
        return f"{type(problem).__name__}: {str(problem)[:1000]}{_place(problem)}"
    except BaseException:  # the error is a student's own, and may fail where it is told
        return "an error that fails while its text is made"


def _place(problem: BaseException) -> str:
    place, trace = "", problem.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith("cell "):
            place = f" (line {trace.tb_lineno} of {file})"
        trace = trace.tb_next
    return place


if __name__ == "__main__":
    main()
