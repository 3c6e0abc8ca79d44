"""One function for many items, side by side: by joblib on this machine, or by Dask's own futures on a cluster.

joblib has a backend for Dask, but that one never hears of a call whose worker was ended, and waits for it forever
(joblib 1.6); it runs everything here if the cluster has a single thread, and takes no limit on the calls at once.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["WorkerLost", "side_by_side"]

PATIENCE = 15.0  # seconds to wait for a first worker, and for another one after the last has gone


class WorkerLost(RuntimeError):
    """A worker, or the scheduler of a cluster, was ended from outside; what it had not returned is not done."""


class _OfTheCallError(Exception):
    """What the function itself has raised on a cluster, which is no word about the cluster."""


def side_by_side(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    at_once: int | None = None,
    scheduler: str | None = None,
    threads: bool = False,
) -> Iterator[tuple[int, Any]]:
    """The number of each item and what ``function(item)`` returned, as they come.

    at_once: calls at one time; by default one a processor, or two a thread of the cluster, so that none waits for work.
    A single one is this process. threads: of this process in the place of processes, for calls that wait for something
    outside. scheduler: the address of a Dask cluster, whose machines have the same packages installed.

    Raises: what the function raises, at once; ValueError for another at_once, if Dask is not installed, or if no
    scheduler or no worker is there; WorkerLost, after all that can still be done, if one was ended.

    >>> sorted(side_by_side(abs, [-1, 2], at_once=1))
    [(0, 1), (1, 2)]
    """
    if at_once is not None and at_once < 1:
        raise ValueError(f"at_once must be at least 1, got {at_once}; None is one a processor")
    if scheduler is None:
        yield from _on_this_machine(function, items, at_once, threads)
    else:
        with _connected(scheduler) as client:
            yield from _on_a_cluster(function, items, at_once, client)


def _on_this_machine(
    function: Callable[[Any], Any], items: Sequence[Any], at_once: int | None, threads: bool
) -> Iterator[tuple[int, Any]]:
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    at_once = at_once or min(joblib.cpu_count(), max(len(items), 1))
    parallel = joblib.Parallel(at_once, return_as="generator_unordered", prefer="threads" if threads else "processes")
    try:
        yield from parallel(joblib.delayed(_numbered)(function, number, item) for number, item in enumerate(items))
    except TerminatedWorkerError as error:
        raise WorkerLost(
            "a worker was ended from outside, often because the memory was used up; run it again, with fewer jobs than "
            f"{at_once} if it was the memory"
        ) from error


def _numbered(function: Callable[[Any], Any], number: int, item: Any) -> tuple[int, Any]:
    return number, function(item)


def _on_a_cluster(
    function: Callable[[Any], Any], items: Sequence[Any], at_once: int | None, client: Any
) -> Iterator[tuple[int, Any]]:
    from distributed import CancelledError

    lost = 0
    try:
        # What lay beside a call that ends its worker is blamed with it, so each has one more try, alone.
        for blamed in (yield from _tried(function, enumerate(items), at_once, client)):
            lost += len((yield from _tried(function, [blamed], 1, client)))
    except _OfTheCallError as failed:
        raise failed.args[0] from None
    except (OSError, CancelledError) as error:
        raise WorkerLost("the scheduler of the cluster was ended; start it again, and run this again") from error
    if lost:
        raise WorkerLost(
            f"{lost} of {len(items)} calls ended each worker of the cluster that tried them, often because the "
            "memory was used up; give the workers more of it"
        )


def _tried(
    function: Callable[[Any], Any], numbered: Iterable[tuple[int, Any]], at_once: int | None, client: Any
) -> Generator[tuple[int, Any], None, list[tuple[int, Any]]]:
    """Yield what the calls return, and return the items whose workers were ended."""
    from distributed import KilledWorker, wait

    rest, blamed = deque(numbered), []
    waiting: dict[Any, tuple[int, Any]] = {}
    while rest or waiting:
        room = at_once or 2 * sum(client.nthreads().values())
        while rest and len(waiting) < room:
            number, item = rest.popleft()
            waiting[client.submit(function, item, pure=False)] = number, item
        if not waiting:  # at this moment the last worker starts again
            _ask_for_workers(client)
            continue
        try:
            finished = wait(list(waiting), timeout=PATIENCE, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            _ask_for_workers(client)
            continue
        for future in finished:
            number, item = waiting.pop(future)
            error = future.exception()
            if isinstance(error, KilledWorker):
                blamed.append((number, item))
            elif error is not None:
                raise _OfTheCallError(error)
            else:
                yield number, future.result()
    return blamed


def _ask_for_workers(client: Any) -> None:
    """Wait until the cluster has a worker."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise WorkerLost("the cluster has no worker any more; start some, and run this again") from error


@contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    """A client of the cluster, which has a worker at least."""
    try:
        from distributed import Client
    except ImportError as problem:
        raise ValueError("a Dask cluster needs `pip install 'course-utils[cluster]'`") from problem
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it would log is raised as a sentence
    try:
        client = Client(scheduler)
    except (OSError, ValueError) as problem:
        raise ValueError(
            f"no Dask scheduler answers at {scheduler!r}; start one with `dask scheduler` and give its address, "
            "such as tcp://localhost:8786"
        ) from problem
    try:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as problem:
            raise ValueError(
                f"the Dask scheduler at {scheduler!r} has no worker; start some on each machine with `dask worker "
                f"{scheduler} --nworkers {os.cpu_count()} --nthreads 1`"
            ) from problem
        yield client
    finally:
        client.close(timeout=2)
