"""Work that lets others have their turn, done without a pause."""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["in_a_thread", "without_pauses"]

Result = TypeVar("Result")
TURN = 0.005  # seconds


def without_pauses(work: Generator[Any, None, Result]) -> Result:
    """Go on to the end of a generator, whatever it yields on its way, and give what it returns.

    >>> def work():
    ...     yield
    ...     return 2
    >>> without_pauses(work())
    2
    """
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def in_a_thread(work: Callable[[], Result]) -> Generator[None, None, Result]:
    """Yield every few milliseconds while `work` is done in a thread, and give what it returns or raises.

    For what has no place to pause in, draws no random numbers and writes to nothing that others read.

    >>> without_pauses(in_a_thread(lambda: 2))
    2
    """
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as problem:
            done.set_exception(problem)

    thread = threading.Thread(target=run, daemon=True)  # whoever drops the generator does not wait for it
    thread.start()
    while thread.is_alive():
        thread.join(TURN)
        yield
    return done.result()
