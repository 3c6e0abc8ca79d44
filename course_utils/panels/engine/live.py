"""Computations that show results on their way: a slice at a time, in the kernel's own thread, between its other work.

No thread is needed: a live training is a generator, and between two of its slices the kernel runs cells and answers
other panels. So matplotlib and PyTorch's random numbers are only ever used by one at a time. Each computation has
random numbers of its own, which begin as a copy of the reader's: what a seeded cell gets does not depend on what else
trains.
"""

import asyncio
import random
import signal
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from IPython.core.getipython import get_ipython

from course_utils.plots import all_settings, style

__all__ = ["Computation", "RandomNumbers", "stop_all"]

TURNS = 6  # of the event loop between two slices: a message passes through several queues on its way to its handler


class RandomNumbers:
    """The state of all generators that a computation may draw from, apart from everyone else's.

    Whether PyTorch records gradients goes with it: a generator may yield within ``torch.no_grad()``.
    """

    def __init__(self) -> None:
        *numbers, _ = states()
        self._own: tuple[Any, ...] = (*numbers, True)  # a panel may be made, or moved, where the reader needs none

    def copy(self) -> "RandomNumbers":
        """The same numbers once more."""
        other = RandomNumbers()
        other._own = self._own
        return other

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw from these numbers; afterwards everyone else's go on where they were.

        >>> numbers = RandomNumbers()
        >>> _ = torch.manual_seed(0)
        >>> with numbers.drawing():
        ...     _ = torch.rand(1000)
        >>> round(float(torch.rand(1)), 4)
        0.4963
        """
        others = states()
        restore(self._own)
        try:
            yield
        finally:
            self._own = states()
            restore(others)


def states() -> tuple[Any, ...]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    numbers = torch.get_rng_state(), cuda, np.random.get_state(), random.getstate()  # noqa: NPY002
    return *numbers, torch.is_grad_enabled()


def restore(kept: tuple[Any, ...]) -> None:
    cpu, cuda, numpy, python, gradients = kept
    torch.set_grad_enabled(gradients)
    torch.set_rng_state(cpu)
    if cuda is not None:
        torch.cuda.set_rng_state_all(cuda)
    np.random.set_state(numpy)  # noqa: NPY002
    random.setstate(python)


class Computation:
    """A generator under way. `show` takes each result; `end` is told the error, or None where it came to its end.

    A result that is None shows nothing: it only lets others have their turn.
    """

    def __init__(
        self,
        results: Generator[Any, None, None],
        show: Callable[[Any], None],
        end: Callable[[BaseException | None], None],
        numbers: RandomNumbers | None = None,
    ) -> None:
        self._results, self._show, self._end = results, show, end
        self._numbers = numbers or RandomNumbers()
        self._settings = all_settings().copy()  # matplotlib's: a generator may yield within ``plt.rc_context()``
        self._stopping = self._stepping = self.over = False

    @property
    def stepping(self) -> bool:
        """Whether one of its slices is running."""
        return self._stepping

    @property
    def stopped(self) -> bool:
        """Whether it was to end before its end."""
        return self._stopping

    def start(self) -> None:
        """Take turns with the kernel's other work; at once and to the end where there is no event loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.finish()
            return
        _under_way.append(self)
        _scheduler.run(loop)

    def finish(self) -> None:
        """Go on to the end, here and now; an interrupt stops the computation."""
        try:
            while not self.over:
                self.step()
        except KeyboardInterrupt:
            self.stop()
            raise

    def step(self) -> None:
        """One slice: up to the next result."""
        self._stepping = True
        try:
            with self._numbers.drawing(), style(self._settings):
                result = next(self._results)
            if result is not None and not self._stopping:
                self._show(result)
        except StopIteration:
            self._finished(None)
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # SystemExit too: a reader's function may call exit()
            self._finished(problem)
        finally:
            self._stepping = False
        if self._stopping:
            self.stop()

    def stop(self) -> None:
        """Drop what is under way, at the end of its slice; what is shown stays."""
        self._stopping = True
        if self.over or self._stepping:
            return
        try:
            with self._numbers.drawing(), style(self._settings):
                self._results.close()
        except BaseException as problem:
            self._finished(problem)
        else:
            self._finished(None)

    def drop(self) -> None:
        """Stop without a word: another computation takes its place."""
        self._end = lambda problem: None
        self.stop()

    def _finished(self, problem: BaseException | None) -> None:
        self.over = True
        if self in _under_way:
            _under_way.remove(self)
        self._end(problem)


_under_way: list[Computation] = []


def stop_all() -> None:
    """Stop every computation that is under way, as *Interrupt Kernel* does."""
    for computation in _under_way.copy():  # one that is over leaves the list
        computation.stop()


class Scheduler:
    """Gives each computation its turn, and lets the kernel do everything else after each slice."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def run(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._turns())

    async def _turns(self) -> None:
        with interruptible():
            while _under_way:
                for computation in _under_way.copy():  # one that is over leaves the list
                    for _ in range(TURNS):
                        await asyncio.sleep(0)
                    listen()
                    if not computation.over:
                        try:
                            computation.step()
                        except KeyboardInterrupt:
                            stop_all()
                        except Exception:  # of its end: the others go on
                            traceback.print_exc()
                            computation.drop()


_scheduler = Scheduler()


def interrupted(number: int, frame: Any) -> None:
    if any(computation.stepping for computation in _under_way):
        raise KeyboardInterrupt  # within the slice, which may never end
    stop_all()


def listen() -> None:
    """Take the interrupts that are ignored while no cell is running; a cell that runs takes them itself."""
    with suppress(ValueError):  # not in the main thread
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, interrupted)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let *Interrupt Kernel* stop what is under way, whether or not a cell is running."""

    def after_a_cell(result: Any) -> None:
        if isinstance(result.error_in_exec, KeyboardInterrupt):
            stop_all()

    shell = get_ipython()
    if shell is not None:
        shell.events.register("post_run_cell", after_a_cell)
    try:
        yield
    finally:
        if shell is not None:
            shell.events.unregister("post_run_cell", after_a_cell)
        with suppress(ValueError):
            if signal.getsignal(signal.SIGINT) is interrupted:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
