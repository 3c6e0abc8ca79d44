"""One function for many items in parallel: by joblib on this machine, or by Dask's futures on a cluster.

Dask itself runs a call again where its worker was lost, up to its setting `allowed-failures`. Added to it: a limit on
the calls at once, one more try for a call that only ran beside one that ends its worker, and a sentence for what is
lost. joblib has a backend for Dask, but that one never hears of a call whose worker was ended, and waits for it forever
(joblib 1.6); it runs everything locally if the cluster has a single thread, and takes no limit on the calls at once.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

__all__ = ["WorkerLost", "side_by_side"]

PATIENCE = 15.0  # seconds to wait for a first worker, and for another one after the last has gone


class WorkerLost(RuntimeError):
    """A worker, or the scheduler of a cluster, was killed; results that it had not returned are lost."""


def side_by_side(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    at_once: int | None = None,
    scheduler: str | None = None,
    threads: bool = False,
) -> Iterator[tuple[int, Any]]:
    """Yield the index of each item and ``function(item)``, in the order in which the calls finish.

    at_once: calls at one time; by default one for each processor, or two for each thread of the cluster, so that none
    waits for work. With 1 they run in this process. threads: of this process instead of processes, for calls that wait
    for something outside. scheduler: the address of a Dask cluster, whose machines have the same packages installed.

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
    from distributed import KilledWorker

    todo = list(enumerate(items))
    for limit in (at_once, 1):  # a call beside one that ends its worker is blamed with it: it has one more try, alone
        blamed = []
        for number, value, error in _outcomes(function, todo, limit, client):
            if isinstance(error, KilledWorker):
                blamed.append((number, items[number]))
            elif error is not None:
                raise error
            else:
                yield number, value
        todo = blamed
    if todo:
        raise WorkerLost(
            f"{len(todo)} of {len(items)} calls ended each worker of the cluster that tried them, often because the "
            "memory was used up; give the workers more of it"
        )


def _outcomes(
    function: Callable[[Any], Any], numbered: Iterable[tuple[int, Any]], at_once: int | None, client: Any
) -> Iterator[tuple[int, Any, BaseException | None]]:
    """The number of each item with what the call returned or what it raised, as they come."""
    from distributed import CancelledError, wait

    pending = deque(numbered)
    running: dict[Any, int] = {}
    try:
        while pending or running:
            limit = at_once or 2 * sum(client.nthreads().values())  # 0 while the last worker starts again
            while pending and len(running) < limit:
                number, item = pending.popleft()
                running[client.submit(function, item, pure=False)] = number
            try:
                finished = wait(list(running), timeout=PATIENCE, return_when="FIRST_COMPLETED").done if running else ()
            except TimeoutError:
                finished = ()
            if not finished:
                _wait_for_a_worker(client)
            for future in finished:
                error = future.exception()
                yield running.pop(future), None if error else future.result(), error
    except (OSError, CancelledError) as error:
        raise WorkerLost("the scheduler of the cluster was ended; start it again, and run this again") from error


def _wait_for_a_worker(client: Any) -> None:
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
