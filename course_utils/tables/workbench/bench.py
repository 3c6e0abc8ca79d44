"""What the experiments behind the tables share: data, settings, and a journal of results that know their origin.

Choices are made with `validate`, where the test part is held out of the training part; the real test part is used
once, in the run without it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from torch import nn

from course_utils._support.files import written_atomically
from course_utils._support.journal import Journal
from course_utils._support.markdown import table
from course_utils._support.random_numbers import random_numbers
from course_utils.data import DataError, Dataset, available, data_root, is_local, load_dataset
from course_utils.tables.workbench.origin import origin, peak_memory
from course_utils.tables.workbench.section import Result
from course_utils.train import History, evaluate, fit, pick_device
from course_utils.train.sweep import run_sweep

__all__ = ["Workbench", "percent"]

SHARE = 4  # processes that share a GPU: a single one seldom fills it, and every one needs some of its memory


@dataclass
class Workbench:
    """Where and how to measure.

    `folder`: for the journal, files and checkpoints. `table`: the name of what is measured. `level`: "quick" (one seed,
    short training) or "full". `validate`: hold some 8,000 of 60,000 training rows out and test on them. `data`: instead
    of data sets to be loaded, by name. `jobs`: processes of a sweep, by default one for each processor. `scheduler`:
    the address of a Dask cluster that sweeps run on; the machines share `folder`, or have files and checkpoints of
    their own. `command`: what was typed, for the records.
    """

    folder: Path
    table: str = ""
    level: str = "full"
    seeds: Sequence[int] = (0, 1, 2)
    validate: bool = False
    device: str = "auto"
    progress: bool = True
    data: dict[str, Dataset] = field(default_factory=dict)
    jobs: int | None = None
    scheduler: str | None = None
    command: str = ""
    used: dict[str, str] = field(default_factory=dict)  # checksums of the data that this piece of work has read

    @property
    def full(self) -> bool:
        """Whether the published settings are wanted."""
        return self.level == "full"

    @property
    def at_once(self) -> int | None:
        """The processes of a sweep; None for one for each processor, or for what a cluster has."""
        if self.jobs or self.scheduler:
            return self.jobs
        return SHARE if pick_device(self.device).type == "cuda" else None

    @property
    def journal_file(self) -> Path:
        """Where the journal lies; the folder is made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / "journal.jsonl"

    @cached_property
    def journal(self) -> Journal:
        """The finished records, without those of other data, such as a sample instead of the full set."""
        journal = Journal(self.journal_file)
        journal.records = {key: record for key, record in journal.records.items() if self._is_current(record)}
        return journal

    def _is_current(self, record: dict[str, Any]) -> bool:
        """Whether a record is complete, and was measured on the data installed now, where they can be compared."""
        values = record.get("values")
        if not (isinstance(values, dict) and {"result", "data", "origin", "CPU seconds", "peak MB"} <= values.keys()):
            return False
        for name, digest in values["data"].items():
            # Data that are not installed any more, or that are no data set, cannot be compared.
            if name in self.data or (name in available() and is_local(name)):
                with suppress(DataError):
                    if (self.data.get(name) or _loaded(name, str(data_root()))).checksum != digest:
                        return False
        return True

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "journal"}  # of this process alone

    def dataset(self, name: str) -> Dataset:
        """A data set, or the training part of it split in two; its checksum goes into the record that is measured."""
        data = self.data.get(name) or _loaded(name, str(data_root()))
        self.used[name] = data.checksum
        return data.split(8000 / 60000) if self.validate else data

    @property
    def tested(self) -> str:
        """What the rows are that networks are tested on."""
        return "held-out rows" if self.validate else "test rows"

    def epochs(self, full: int) -> int:
        """So many epochs, or a quarter of them and at least one for the quick level."""
        return full if self.full else max(1, full // 4)

    def place(self, name: str, settings: Any = "") -> Path:
        """The path of a file, without an ending; other settings have another path."""
        spelled = json.dumps([settings, self.level, self.validate], sort_keys=True, default=str)
        return self.folder / f"{name}-{hashlib.sha256(spelled.encode()).hexdigest()[:8]}"

    def sweep(
        self,
        function: Callable[..., Any],
        points: Sequence[dict[str, Any]],
        *,
        batch_by: Sequence[str] | None = None,
        batch: int = 1,
    ) -> list[Result]:
        """The results of ``function(bench, **point)`` for all points, side by side; see `run_sweep`.

        With `batch_by` it is ``function(bench, points)``, which returns a list.
        """
        title = self._title(function.__name__)
        call = partial(_with_origin if batch_by is None else _all_with_origin, function, replace(self, used={}))
        records = run_sweep(
            call,
            points,
            name=title,
            journal=self.journal,
            n_jobs=self.at_once,
            scheduler=self.scheduler,
            batch_by=batch_by,
            batch=batch,
            progress=self.progress,
            on_progress=partial(self._write_so_far, function.__name__),
        )
        return [Result(title, record) for record in records]

    def trained(
        self, name: str, make: Callable[[], nn.Module], data: Dataset, *, seed: int, **settings: Any
    ) -> nn.Module:
        """The network that `make` gives at a seed, trained; see `train`."""
        with random_numbers(seed):
            model = make()
        self.train(name, model, data, seed=seed, **settings)
        return model

    def train(
        self, name: str, model: nn.Module, data: Dataset, *, seed: int, origin: Any = (), **settings: Any
    ) -> History:
        """Train a network by `fit`, or read it where it was trained before: the checkpoint lies in the folder.

        By default the learning rate falls like a cosine; in the end the network is in evaluation mode. `origin`: what
        else decides the result, beside the data and the settings, so that it is another checkpoint.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        spelled = {key: getattr(value, "__qualname__", value) for key, value in settings.items()}
        path = self.place(f"{name.replace(' ', '-')}-{seed}", [data.name, len(data.y_train), spelled, origin])
        history = fit(
            model,
            data,
            seed=seed,
            checkpoint=path.with_name(path.name + ".pt"),
            evaluate_every=0,
            device=self.device,
            progress=False,  # the sweep has a bar
            **{"schedule": "cosine"} | settings,
        )
        model.eval()
        return history

    def _title(self, name: str) -> str:
        """What tells the records of one kind from all others in the journal."""
        return " ".join([self.table, name, self.level, *(["validate"] if self.validate else [])])

    def _write_so_far(self, name: str, _: list[dict[str, Any]]) -> None:
        """An early table beside the journal: all finished records of a function."""
        title = f"{self._title(name)} {{"
        records = [record for key, record in self.journal.records.items() if key.startswith(title)]
        rows = [record["settings"] | record["values"]["result"] for record in records]
        cells = [{key: text for key, value in row.items() if (text := _short(value))} for row in rows]
        head = list(dict.fromkeys(key for row in cells for key in row))
        with written_atomically(self.folder / f"{name}-so-far.md") as file:
            text = table(head, [[row.get(key, "") for key in head] for row in cells]) if head else ""
            file.write(f"{text}\n".encode())


def _with_origin(function: Callable[..., dict[str, Any]], bench: Workbench, **point: Any) -> dict[str, Any]:
    """A piece of work, with where its result comes from."""
    return _all_with_origin(lambda bench, points: [function(bench, **points[0])], bench, [point])[0]


def _all_with_origin(
    function: Callable[[Workbench, list[dict[str, Any]]], list[dict[str, Any]]],
    bench: Workbench,
    points: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Several pieces of work that are done together, with where their results come from."""
    bench.used.clear()
    code = origin(bench.command)  # before the work: the commit of the code that runs, not of a later one
    started = time.process_time()
    results = function(bench, points)
    source = {
        "data": dict(bench.used),
        "origin": code,
        "CPU seconds": round((time.process_time() - started) / len(points), 2),
        "peak MB": peak_memory(),
    }
    return [{"result": result, **source} for result in results]


def percent(model: nn.Module, data: Dataset) -> float:
    """The test error in percent."""
    return 100 - 100 * evaluate(model, data).accuracy


@cache
def _loaded(name: str, root: str) -> Dataset:
    """A data set, read once in a process."""
    return load_dataset(name, root=root)


def _short(value: Any) -> str:
    """A value in a few letters; nothing for one that takes more, such as a curve.

    >>> _short(0.12345), _short([0.5, 0.25]), _short({"lr": 0.1}), _short(list(range(100)))
    ('0.1235', '0.5, 0.25', '', '')
    """
    if isinstance(value, list):
        text = ", ".join(map(_short, value))
        return text if len(text) <= 40 else ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value) if isinstance(value, int | str) else ""
