"""Many settings, one function: `run_sweep` runs a grid side by side and never runs a finished point twice.

The work is done by processes of this machine, or unchanged by a Dask cluster. Each finished point is written to a
journal at once, so a sweep that was stopped or killed goes on where it was.
"""

import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from course_utils._support.description import Description, first_difference
from course_utils._support.journal import Journal
from course_utils._support.side_by_side import WorkerLost, side_by_side
from course_utils.data.sources import DataError

__all__ = ["SweepError", "product", "run_sweep"]

_ONE_POINT = threading.RLock()  # at a time in a process; reentrant, as a point may be a sweep itself
Point = dict[str, Any]
Record = dict[str, Any]


class SweepError(RuntimeError):
    """Some points of a sweep have failed; the others are finished and in the journal."""


def product(**values: Iterable[Any]) -> list[Point]:
    """Every combination of some values, the last name varying fastest.

    >>> product(lam=[0.0, 0.1], seed=[0, 1])
    [{'lam': 0.0, 'seed': 0}, {'lam': 0.0, 'seed': 1}, {'lam': 0.1, 'seed': 0}, {'lam': 0.1, 'seed': 1}]
    """
    return [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]


def run_sweep(
    function: Callable[..., Any],
    grid: Sequence[Mapping[str, Any]],
    *,
    name: str = "",
    journal: Journal | None = None,
    n_jobs: int | None = None,
    scheduler: str | None = None,
    batch_by: Sequence[str] | None = None,
    batch: int = 1,
    progress: bool = True,
    on_progress: Callable[[list[Record]], object] = lambda records: None,
) -> list[Record]:
    """Call ``function(**point)`` for every point of `grid` and return a record for each, in the order of the grid.

    grid: settings by name, as JSON values; see `product`. A record is ``{"settings": point, "values": what the function
    returned, "seconds": its time}``; the function returns JSON values by name, and is known to the workers (a function
    of a module, or anything that cloudpickle can carry).
    journal: keeps every record as soon as it is there; points that stand in it are not run, unless the function is
    another one (other code, or another value that it uses), which is refused. `name` tells sweeps in one journal apart;
    by default it is the function's. Points of a name that is given are known by that name alone: with another function
    give another one.
    n_jobs: processes, by default one for each processor; with 1 the points run in this process. All of them share a
    GPU.
    scheduler: the address of a Dask cluster, whose machines have the same package installed; a worker does one point at
    a time, whatever its threads are, as all of them would draw from the same random numbers.
    batch_by: points that agree in these settings are handed over together, at most `batch` of them, as
    ``function(points)``, which returns a list: for `fit_many`, which trains small networks as one. Each still has a
    record of its own.
    progress: a bar with the time left. on_progress: called with all finished records after each new one, for a table
    that grows while the sweep runs.

    Raises: ValueError for a point that is no JSON, a batch below 1, or a journal of another function; DataError
    at once where data are not available; SweepError after all other points if some have failed, or if a worker was
    ended.

    >>> records = run_sweep(lambda a, b: {"sum": a + b}, product(a=[1, 2], b=[3]), n_jobs=1, progress=False)
    >>> [record["values"] for record in records]
    [{'sum': 4}, {'sum': 5}]
    """
    from tqdm.auto import tqdm

    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}: so many points are handed over together")
    title = name or _title(function)
    keys = [_key(title, point) for point in grid]
    points = {key: dict(point) for key, point in zip(keys, grid, strict=True)}
    if journal is not None and not name:
        _check_function(function, title, journal, points)
    records = {key: journal.records[key] for key in points if journal and key in journal.records}
    waiting = {key: point for key, point in points.items() if key not in records}
    failed: list[str] = []
    batches = _batches(waiting, batch_by, batch)
    with tqdm(
        total=len(points), initial=len(records), desc=title, unit="point", leave=False, disable=not progress
    ) as bar:
        run = partial(_run, function, in_batches=batch_by is not None, sweep_process=os.getpid())
        try:
            for number, outcome in side_by_side(run, batches, at_once=n_jobs, scheduler=scheduler):
                bar.update(len(batches[number]))
                if isinstance(outcome, str):
                    failed.append(outcome)
                    continue
                for key, record in zip(batches[number], outcome, strict=True):
                    records[key] = record
                    if journal is not None:
                        journal.add(key, record)
                on_progress([records[key] for key in points if key in records])
        except WorkerLost as lost:
            failed.append(str(lost))
    if failed:
        raise SweepError(
            f"{len(points) - len(records)} of {len(points)} points of the sweep are not done, the others are kept; run "
            f"it again to try these again. The first reason: {failed[0]}"
        )
    return [records[key] for key in keys]


def _key(title: str, point: Mapping[str, Any]) -> str:
    try:
        spelled = json.dumps(dict(point), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the settings of a point must be JSON values (numbers, texts, lists), got {dict(point)!r}: {error}"
        ) from error
    return f"{title} {spelled}"


def _title(function: Callable[..., Any]) -> str:
    """The name of a function, or that of the class of an object that is called."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__qualname__", type(function).__qualname__)


def _check_function(function: Callable[..., Any], title: str, journal: Journal, points: Iterable[str]) -> None:
    """Note in the journal what the function is, or refuse one that differs from what is noted there."""
    description, key = Description(), f"{title} is"
    try:
        description.add(title, function)
    except ValueError as error:
        raise ValueError(f"{error}; give the sweep a name, or no journal") from error
    difference = first_difference(journal.records.get(key, {}), description.lines)
    if key not in journal.records and journal.records.keys().isdisjoint(points):
        journal.add(key, description.lines)
    elif difference is not None:
        raise ValueError(
            f"{journal.path} has points of another function: {difference}; use another journal, give the sweep another "
            "name, or delete the journal"
        )


def _batches(waiting: Mapping[str, Point], batch_by: Sequence[str] | None, batch: int) -> list[dict[str, Point]]:
    """What is handed to a worker at once: one point, or a few that agree in the settings of `batch_by`."""
    if batch_by is None:
        return [{key: point} for key, point in waiting.items()]
    alike: dict[str, list[str]] = {}
    for key, point in waiting.items():
        alike.setdefault(json.dumps([point.get(name) for name in batch_by]), []).append(key)
    return [
        {key: waiting[key] for key in keys[start : start + batch]}
        for keys in alike.values()
        for start in range(0, len(keys), batch)
    ]


def _run(
    function: Callable[..., Any], batch: dict[str, Point], *, in_batches: bool, sweep_process: int
) -> list[Record] | str:
    """The records of a batch, or the sentence that says why there are none: one bad point must not end the others."""
    if os.getppid() == sweep_process:
        _end_with(sweep_process)
    points = list(batch.values())
    try:
        with _ONE_POINT:
            started = time.perf_counter()
            results = function([dict(point) for point in points]) if in_batches else [function(**points[0])]
            seconds = round((time.perf_counter() - started) / len(points), 2)
        if len(results) != len(points):
            raise ValueError(f"the function returned {len(results)} results for {len(points)} points")
        json.dumps(results)
    except DataError:
        raise  # no other point would have its data either
    except Exception as error:
        return f"{type(error).__name__}: {error}, at the settings {', '.join(map(str, points))}"
    return [
        {"settings": point, "values": values, "seconds": seconds} for point, values in zip(points, results, strict=True)
    ]


@cache
def _end_with(sweep_process: int) -> None:
    """End this worker as soon as the process of its sweep is killed: its results would be lost.

    On Windows the number of a parent stays after its death, so a worker there finishes its point first, and joblib
    ends it when it has been idle.
    """

    def watch() -> None:
        while os.getppid() == sweep_process:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
