"""sweep: every point once, whatever is killed."""

import json
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from processes import cluster, started, wait_until
from sweeping import GRID

from course_utils._support.journal import Journal
from course_utils.data import load_dataset
from course_utils.models import mlp
from course_utils.train import fit
from course_utils.train.ensemble import fit_many
from course_utils.train.sweep import SweepError, product, run_sweep

TOOLS = Path(__file__).parents[1] / "tools"


def quiet(*arguments: Any, **settings: Any) -> list[dict[str, Any]]:
    return run_sweep(*arguments, progress=False, **settings)


def points(journal: Journal) -> list[dict[str, Any]]:
    """The records of points, without what the journal notes of the function."""
    return [record for record in journal.records.values() if "values" in record]


def double(a: int) -> dict[str, int]:
    return {"b": 2 * a, "process": os.getpid()}


def test_records_come_in_the_order_of_the_grid_from_several_processes() -> None:
    records = quiet(double, product(a=range(20)), n_jobs=2)
    assert [r["settings"]["a"] for r in records] == list(range(20))
    assert [r["values"]["b"] for r in records] == list(range(0, 40, 2))
    assert os.getpid() not in {r["values"]["process"] for r in records}
    assert {r["values"]["process"] for r in quiet(double, product(a=range(3)), n_jobs=1)} == {os.getpid()}


def test_a_finished_point_is_not_run_again_and_a_new_one_is(tmp_path: Path) -> None:
    calls: list[int] = []

    def count(a: int) -> dict[str, int]:
        calls.append(a)
        return {"a": a}

    path = tmp_path / "journal.jsonl"
    first = quiet(count, product(a=[1, 2, 2]), name="count", journal=Journal(path), n_jobs=1)
    assert calls == [1, 2]
    assert first[1] == first[2]
    again = quiet(count, product(a=[3, 2, 1]), name="count", journal=Journal(path), n_jobs=1)
    assert calls == [1, 2, 3]
    assert [r["values"]["a"] for r in again] == [3, 2, 1]
    quiet(count, product(a=[1]), name="another", journal=Journal(path), n_jobs=1)
    assert calls == [1, 2, 3, 1]


def test_a_torn_last_line_costs_one_point(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    quiet(double, product(a=range(4)), journal=Journal(path), n_jobs=1)
    path.write_bytes(path.read_bytes()[:-9])
    assert len(points(Journal(path))) == 3
    records = quiet(double, product(a=range(4)), journal=Journal(path), n_jobs=1)
    assert len(points(Journal(path))) == 4
    assert [r["values"]["b"] for r in records] == [0, 2, 4, 6]


def times(scale: float) -> Callable[[int], dict[str, float]]:
    return lambda a: {"b": scale * a}


class Times:
    def __init__(self, scale: float) -> None:
        self.scale = scale

    def __call__(self, a: int) -> dict[str, float]:
        return {"b": self.scale * a}


def multiplied(scale: float, a: int) -> dict[str, float]:
    return {"b": scale * a}


@pytest.mark.parametrize(
    "make", [times, Times, lambda scale: partial(multiplied, scale)], ids=["closure", "object", "partial"]
)
def test_the_points_of_another_function_are_refused(make: Callable[[float], Any], tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    quiet(make(2.0), product(a=[1, 2]), journal=Journal(path), n_jobs=1)
    content = path.read_bytes()
    quiet(make(2.0), product(a=[2, 1]), journal=Journal(path), n_jobs=1)
    assert path.read_bytes() == content, "no point was run again"
    with pytest.raises(
        ValueError, match=r"journal\.jsonl has points of another function: .* was 2\.0 and is now 3\.0; use"
    ):
        quiet(make(3.0), product(a=[1, 4]), journal=Journal(path), n_jobs=1)
    assert path.read_bytes() == content
    named = quiet(make(3.0), product(a=[1]), journal=Journal(path), name="three", n_jobs=1)
    assert named[0]["values"] == {"b": 3.0}


def test_a_journal_that_does_not_say_what_the_function_was_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    quiet(multiplied, product(scale=[1.0], a=[1]), journal=Journal(path), n_jobs=1)
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])
    with pytest.raises(ValueError, match="points of another function: multiplied was not there and is now multiplied"):
        quiet(multiplied, product(scale=[1.0], a=[1]), journal=Journal(path), n_jobs=1)


def test_a_function_whose_state_cannot_be_read_needs_a_name(tmp_path: Path) -> None:
    numbers = iter(n for n in [1, 2])
    arguments: dict[str, Any] = {"journal": Journal(tmp_path / "journal.jsonl"), "n_jobs": 1}
    with pytest.raises(ValueError, match="numbers is of type generator, .*; give the sweep a name, or no journal"):
        quiet(lambda a: {"b": next(numbers)}, product(a=[1]), **arguments)
    assert quiet(lambda a: {"b": next(numbers)}, product(a=[1]), name="next", **arguments)[0]["values"] == {"b": 1}


def fails_at_two(a: int) -> dict[str, int]:
    if a == 2:
        raise ZeroDivisionError("two")
    return {"a": a}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_point_that_fails_is_named_and_the_others_are_kept(tmp_path: Path, jobs: int) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(SweepError, match=r"1 of 5 points .* kept.*ZeroDivisionError: two, at the settings {'a': 2}"):
        quiet(fails_at_two, product(a=range(5)), journal=journal, n_jobs=jobs)
    assert sorted(r["values"]["a"] for r in points(journal)) == [0, 1, 3, 4]


def ends_its_process(a: int) -> dict[str, int]:
    if a == 3:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return {"a": a}


def test_a_worker_that_is_killed_is_a_sentence(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(SweepError, match="the others are kept; run it again .* ended from outside"):
        quiet(ends_its_process, product(a=range(4)), journal=journal, n_jobs=2)
    assert {r["values"]["a"] for r in points(journal)} <= {0, 1, 2}


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be JSON values .* got \{'a': \{1\}\}"):
        quiet(double, [{"a": {1}}])
    with pytest.raises(ValueError, match="NaN|nan|Out of range"):
        quiet(double, [{"a": float("nan")}])
    with pytest.raises(SweepError, match="not JSON serializable"):
        quiet(lambda a: {"a": object()}, [{"a": 1}], n_jobs=1)
    with pytest.raises(SweepError, match="2 results for 1 points"):
        quiet(lambda points: [1, 2], [{"a": 1}], n_jobs=1, batch_by=["a"], batch=4)
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        quiet(lambda points: [1], [{"a": 1}], n_jobs=1, batch_by=["a"], batch=0)


def test_points_that_agree_are_handed_over_together() -> None:
    handed: list[list[int]] = []

    def together(points: list[dict[str, Any]]) -> list[dict[str, int]]:
        assert len({point["data"] for point in points}) == 1
        handed.append([point["seed"] for point in points])
        return [{"seed": point["seed"]} for point in points]

    grid = product(seed=range(5), data=["x", "y"])
    records = quiet(together, grid, n_jobs=1, batch_by=["data"], batch=3)
    assert handed == [[0, 1, 2], [3, 4]] * 2
    assert [r["values"]["seed"] for r in records] == [point["seed"] for point in grid]


def trained_together(points: list[dict[str, Any]]) -> list[dict[str, float]]:
    trained = fit_many(
        lambda: mlp([64, 8, 10]), load_dataset("digits"), settings=points, epochs=2, batch_size=64, progress=False
    )
    return [{"loss": history.train_loss[-1]} for _, history in trained]


def test_small_networks_are_trained_as_one_and_still_have_a_record_each(tmp_path: Path) -> None:
    import torch

    journal = Journal(tmp_path / "journal.jsonl")
    grid = product(lr=[0.001, 0.01], seed=[0, 1])
    records = quiet(trained_together, grid, journal=journal, n_jobs=1, batch_by=[], batch=16)
    assert len(points(journal)) == 4
    for record in records:
        torch.manual_seed(record["settings"]["seed"])
        model = mlp([64, 8, 10])
        alone = fit(model, load_dataset("digits"), epochs=2, batch_size=64, progress=False, **record["settings"])
        assert record["values"]["loss"] == pytest.approx(alone.train_loss[-1], rel=1e-4)


def test_a_bar_counts_what_is_done_and_says_how_long_the_rest_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    run_sweep(double, product(a=range(3)), journal=journal, name="doubling", n_jobs=1, progress=False)
    assert capsys.readouterr().err == ""
    run_sweep(slow, product(a=range(5)), journal=journal, name="doubling", n_jobs=1, progress=True)
    bar = capsys.readouterr().err
    assert re.search(r"doubling: +60%.* 3/5 ", bar)
    assert re.search(r" 4/5 \[00:00<00:00, .*(point/s|s/point)\]", bar)


def slow(a: int) -> dict[str, int]:
    time.sleep(0.15)  # longer than a bar waits before it is drawn again
    return double(a)


def test_an_early_table_can_grow_while_it_runs() -> None:
    lengths: list[int] = []
    quiet(double, product(a=range(4)), n_jobs=1, on_progress=lambda records: lengths.append(len(records)))
    assert lengths == [1, 2, 3, 4]


def once_each(path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == len({line["key"] for line in lines}) == len(GRID) == 30
    assert sorted(list(line["record"]["settings"].items()) for line in lines) == [list(point.items()) for point in GRID]


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_thirty_points_and_kills_leave_thirty_records(tmp_path: Path, kills: int) -> None:
    path, notes, rng = tmp_path / "journal.jsonl", tmp_path / "notes", random.Random(kills)
    command = ("sweeping", str(path), "2", "")

    def finished() -> list[dict[str, Any]]:
        return [record["settings"] for record in Journal(path).records.values()] if path.is_file() else []

    def begun() -> list[dict[str, Any]]:
        lines = notes.read_text().splitlines() if notes.is_file() else []
        return [{"lam": float(line.split()[0]), "seed": int(line.split()[1])} for line in lines]

    for _ in range(kills):
        done, before = finished(), len(begun())
        with started(*command, folder=TOOLS) as sweep:
            # At some moment after the first point has begun.
            wait_until(partial(lambda n, process: len(begun()) > n or process.poll() is not None, before, sweep), 60)
            time.sleep(rng.uniform(0, 0.3))
            assert sweep.poll() is None, "it has ended before it was killed"
            sweep.kill()
            sweep.wait()
        assert not [point for point in begun()[before:] if point in done], "a finished point was run again"
    with started(*command, folder=TOOLS) as sweep:
        assert sweep.wait(timeout=120) == 0
    once_each(path)


@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_dask_worker_that_is_killed_costs_no_point(tmp_path: Path, victim: int) -> None:
    pytest.importorskip("distributed")
    path, notes = tmp_path / "journal.jsonl", tmp_path / "notes"
    with (
        cluster(TOOLS) as (address, processes),
        started("sweeping", str(path), "0", address, folder=TOOLS) as sweep,
    ):
        pids = {str(process.pid) for process in processes[:2]}
        wait_until(lambda: notes.is_file() and pids <= set(notes.read_text().split()), 120)  # both are in the work
        os.kill(processes[victim].pid, signal.SIGKILL)
        assert sweep.wait(timeout=120) == 0
    once_each(path)


def counts_those_beside(folder: str, a: int) -> dict[str, int]:
    """How many calls run at one time, with this one: each is a file while it runs."""
    mine = Path(folder) / str(a)
    mine.touch()
    time.sleep(0.2)
    beside = len(list(Path(folder).iterdir()))
    mine.unlink()
    return {"beside": beside, "thread": threading.get_ident()}


def test_a_worker_of_several_threads_does_one_point_at_a_time(tmp_path: Path) -> None:
    with cluster(Path(__file__).parent, workers=1, threads=2) as (address, _):  # where a worker finds the function
        records = quiet(partial(counts_those_beside, str(tmp_path)), product(a=range(6)), name="b", scheduler=address)
    assert len({r["values"]["thread"] for r in records}) == 2
    assert {r["values"]["beside"] for r in records} == {1}


def fails_together(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    raise ZeroDivisionError(len(points))


def test_all_points_that_failed_together_are_named() -> None:
    with pytest.raises(SweepError, match=r"3 of 3 points .* settings {'a': 0}, {'a': 1}, {'a': 2}$"):
        quiet(fails_together, product(a=range(3)), batch_by=[], batch=3, n_jobs=1)


def test_a_point_may_be_a_sweep() -> None:
    def sweeps(a: int) -> dict[str, int]:
        return {"sum": sum(r["values"]["b"] for r in quiet(double, product(a=range(a)), n_jobs=1))}

    assert [r["values"]["sum"] for r in quiet(sweeps, product(a=[1, 3]), n_jobs=1)] == [0, 6]
