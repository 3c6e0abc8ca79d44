"""side_by_side: the same calls on this machine and on a cluster, and a sentence for whatever is lost."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import cluster, free_port

from course_utils._support import side_by_side as module
from course_utils._support.side_by_side import WorkerLost, side_by_side

FOLDER = Path(__file__).parent  # where a worker finds the functions below


def process(item: int) -> int:
    time.sleep(0.2)
    return os.getpid()


def thread(item: int) -> tuple[int, int]:
    time.sleep(0.2)
    return os.getpid(), threading.get_ident()


def fails(item: int) -> int:
    raise FileNotFoundError(f"item {item}")


def ends_its_process(item: int) -> int:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def taken(
    calls: Iterator[tuple[int, Any]], on_result: Callable[..., object] = lambda *_: None
) -> tuple[dict[int, Any], str]:
    """What has come before the workers were lost, and the sentence; `on_result` is called after each result."""
    results: dict[int, Any] = {}
    try:
        for number, value in calls:
            results[number] = value
            on_result(number, value)
    except WorkerLost as lost:
        return results, str(lost)
    return results, ""


def test_processes_threads_and_a_single_one() -> None:
    results = dict(side_by_side(process, range(6), at_once=2))
    assert sorted(results) == list(range(6))
    assert os.getpid() not in results.values()
    assert len(set(results.values())) == 2
    results = dict(side_by_side(thread, range(6), at_once=2, threads=True))
    assert {pid for pid, _ in results.values()} == {os.getpid()}
    assert len({ident for _, ident in results.values()}) == 2
    assert set(dict(side_by_side(process, range(2), at_once=1)).values()) == {os.getpid()}
    assert list(side_by_side(process, [])) == []
    with pytest.raises(ValueError, match="at_once must be at least 1, got -1"):
        list(side_by_side(process, [1], at_once=-1))
    with pytest.raises(FileNotFoundError, match="item 0"):
        list(side_by_side(fails, [0], at_once=1))


def test_a_cluster_does_the_same() -> None:
    pytest.importorskip("distributed")
    with cluster(FOLDER) as (address, (first, second, _)):
        assert dict(side_by_side(str, [1, 2], scheduler=address)) == {0: "1", 1: "2"}
        deadline = time.monotonic() + 60
        while len(results := set(dict(side_by_side(process, range(8), scheduler=address)).values())) < 2:
            assert time.monotonic() < deadline, "the second worker has never joined"
        assert results == {first.pid, second.pid}
        assert set(dict(side_by_side(process, range(4), scheduler=address, at_once=1)).values()) <= results
        assert list(side_by_side(process, [], scheduler=address)) == []
        with pytest.raises(FileNotFoundError, match="item 7"):
            list(side_by_side(fails, [7], scheduler=address))


def test_one_worker_of_one_thread_is_a_cluster() -> None:
    pytest.importorskip("distributed")
    with cluster(FOLDER, workers=1) as (address, (worker, _)):
        assert set(dict(side_by_side(process, range(3), scheduler=address)).values()) == {worker.pid}


@pytest.mark.parametrize("workers", [2, 1])
def test_a_call_that_ends_its_workers_does_not_end_the_others(workers: int) -> None:
    pytest.importorskip("distributed")
    with cluster(FOLDER, workers=workers, nannies=True) as (address, _):
        results, lost = taken(side_by_side(ends_its_process, range(8), scheduler=address))
    assert lost.startswith("1 of 8 calls ended each worker of the cluster that tried them")
    assert results == {n: n for n in range(8) if n != 3}


@pytest.mark.parametrize(
    ("victim", "sentence"),
    [(0, "the cluster has no worker any more"), (1, "the scheduler of the cluster was ended")],
    ids=["worker", "scheduler"],
)
def test_a_cluster_that_is_ended_is_a_sentence(victim: int, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")

    def end(*_: object) -> None:
        monkeypatch.setattr(module, "PATIENCE", 1.0)
        processes[victim].kill()

    with cluster(FOLDER, workers=1) as (address, processes):
        results, lost = taken(side_by_side(process, range(20), scheduler=address), end)
    assert lost.startswith(sentence)
    assert 1 <= len(results) < 20


def test_no_worker_and_no_scheduler_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    with cluster(FOLDER, workers=0) as (address, _), pytest.raises(ValueError, match=f"at '{address}' has no worker; "):
        list(side_by_side(abs, [1], scheduler=address))
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "300ms"}),
        pytest.raises(ValueError, match=f"no Dask scheduler answers at '{nowhere}'; start one"),
    ):
        list(side_by_side(abs, [1], scheduler=nowhere))
