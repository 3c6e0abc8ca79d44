"""One function for many items in parallel: by joblib on this machine, or by Dask's futures on a cluster.

joblib has a backend for Dask, but it does not notice a call whose worker was killed, and waits for it forever (joblib
1.6); it runs everything locally if the cluster has a single thread, and has no limit on the calls at once.
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
    """A worker, or the scheduler of a cluster, was killed; results that it had not returned are lost."""


class _CallError(Exception):
    """An error that the function itself raised on a cluster, as opposed to one of the cluster."""


def side_by_side(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    at_once: int | None = None,
    scheduler: str | None = None,
    threads: bool = False,
) -> Iterator[tuple[int, Any]]:
    """Yield the index of each item and ``function(item)``, in the order in which the calls finish.

    at_once: the number of calls at a time; by default one per processor, or two per thread of the cluster, so that no
    thread waits for work. 1 runs in this process. threads: use threads in place of processes, for calls that wait for
    something else. scheduler: the address of a Dask cluster, whose machines have the same packages installed.

    Raises: what the function raises, immediately; ValueError for at_once below 1, if Dask is not installed, or if
    there is no scheduler or no worker; WorkerLost, after all calls that can still finish, if a worker was killed.

    >>> sorted(side_by_side(abs, [-1, 2], at_once=1))
    [(0, 1), (1, 2)]
    """
    if at_once is not None and at_once < 1:
        raise ValueError(f"at_once must be at least 1, got {at_once}; None is one per processor")
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
        # A call beside one that kills its worker is suspected too, so each suspect has one more try, alone.
        for suspect in (yield from _tried(function, enumerate(items), at_once, client)):
            lost += len((yield from _tried(function, [suspect], 1, client)))
    except _CallError as failed:
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
    """Yield the results of the calls, and return the items whose workers were killed."""
    from distributed import KilledWorker, wait

    rest, suspects = deque(numbered), []
    waiting: dict[Any, tuple[int, Any]] = {}
    while rest or waiting:
        room = at_once or 2 * sum(client.nthreads().values())
        while rest and len(waiting) < room:
            number, item = rest.popleft()
            waiting[client.submit(function, item, pure=False)] = number, item
        if not waiting:  # at this moment the last worker is starting again
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
                suspects.append((number, item))
            elif error is not None:
                raise _CallError(error)
            else:
                yield number, future.result()
    return suspects


def _ask_for_workers(client: Any) -> None:
    """Wait until the cluster has a worker."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise WorkerLost("the cluster has no worker any more; start some, and run this again") from error


@contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    """A client of the cluster, which has at least one worker."""
    try:
        from distributed import Client
    except ImportError as problem:
        raise ValueError("a Dask cluster needs `pip install 'course-utils[cluster]'`") from problem
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it would log is raised as an error
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
