"""What the experiments behind the tables share: data, settings, and results that are kept with where they came from.

Choices are made with `validate`, where the test part is held out of the training part; the real test part is looked at
once, in the run without it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from torch import nn

from course_utils._support.files import written_atomically
from course_utils._support.journal import Journal
from course_utils._support.random_numbers import random_numbers
from course_utils.data import DataError, Dataset, available, data_root, is_local, load_dataset
from course_utils.tables.origin import origin, peak_memory
from course_utils.tables.section import Result, columns
from course_utils.train import History, evaluate, fit, pick_device
from course_utils.train.sweep import run_sweep

__all__ = ["Workbench", "percent"]

SHARE = 4  # processes that share a GPU: one alone seldom fills it, and each needs some of its memory


@dataclass
class Workbench:
    """Where and how to measure.

    `folder`: keeps the journal, files and checkpoints. `table`: the name of what is measured. `level`: "quick" (one
    seed, short training) or "full". `validate`: hold some 8,000 of 60,000 training rows out and test on them. `data`:
    in the place of data sets to be loaded, by name. `jobs`: processes of a sweep, by default one a processor.
    `scheduler`: the address of a Dask cluster that sweeps run on; the machines share `folder`, or keep files and
    checkpoints of their own. `command`: what was typed, for the records.
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
    used: dict[str, str] = field(default_factory=dict)  # checksums of the data that the present piece of work has read

    @property
    def full(self) -> bool:
        """Whether the published settings are wanted."""
        return self.level == "full"

    @property
    def at_once(self) -> int | None:
        """The processes of a sweep; None for one a processor, or for what a cluster has."""
        if self.jobs or self.scheduler:
            return self.jobs
        return SHARE if pick_device(self.device).type == "cuda" else None

    @property
    def journal_file(self) -> Path:
        """Where the journal lies; the folder is made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / "journal.jsonl"

    @property
    def journal(self) -> Journal:
        """The records that are finished, without those of other data, such as a sample in the place of the whole."""
        if "_journal" not in self.__dict__:
            journal = Journal(self.journal_file)
            journal.records = {key: record for key, record in journal.records.items() if self._of_these_data(record)}
            self.__dict__["_journal"] = journal
        return self.__dict__["_journal"]

    def _of_these_data(self, record: dict[str, Any]) -> bool:
        """Whether a record is whole, and was measured on the data that are at hand now, where they can be compared."""
        values = record.get("values")
        if not (isinstance(values, dict) and {"result", "data", "origin", "CPU seconds", "peak MB"} <= values.keys()):
            return False
        for name, digest in values["data"].items():
            # What is not here any more, or no data set, cannot be compared.
            if name in self.data or (name in available() and is_local(name)):
                with suppress(DataError):
                    if (self.data.get(name) or _loaded(name, str(data_root()))).checksum != digest:
                        return False
        return True

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_journal"}  # of this process alone

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
        """The path of a file, without an ending: it is another one for other settings."""
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
        call = partial(_alone if batch_by is None else _together, function, replace(self, used={}))
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
            on_progress=partial(self._so_far, function.__name__),
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

    def _so_far(self, name: str, _: list[dict[str, Any]]) -> None:
        """An early table beside the journal, for whoever does not want to wait: all records of a kind so far."""
        title = f"{self._title(name)} {{"
        records = [record for key, record in self.journal.records.items() if key.startswith(title)]
        rows = [record["settings"] | record["values"]["result"] for record in records]
        cells = [{key: text for key, value in row.items() if (text := _short(value))} for row in rows]
        head = list(dict.fromkeys(key for row in cells for key in row))
        with written_atomically(self.folder / f"{name}-so-far.md") as file:
            lines = columns([head, *([row.get(key, "") for key in head] for row in cells)])
            file.write("\n".join([*lines, ""]).encode())


def _alone(function: Callable[..., dict[str, Any]], bench: Workbench, **point: Any) -> dict[str, Any]:
    """One piece of work, with where its result comes from."""
    return _together(lambda bench, points: [function(bench, **points[0])], bench, [point])[0]


def _together(
    function: Callable[[Workbench, list[dict[str, Any]]], list[dict[str, Any]]],
    bench: Workbench,
    points: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Several pieces of work that are done as one, each with where its result comes from."""
    bench.used.clear()
    here = origin(bench.command)  # before the work: the commit of the code that runs, not of a later one
    started = time.process_time()
    results = function(bench, points)
    came_from = {
        "data": dict(bench.used),
        "origin": here,
        "CPU seconds": round((time.process_time() - started) / len(points), 2),
        "peak MB": peak_memory(),
    }
    return [{"result": result, **came_from} for result in results]


def percent(model: nn.Module, data: Dataset) -> float:
    """The test error in percent."""
    return 100 - 100 * evaluate(model, data).accuracy


@cache
def _loaded(name: str, root: str) -> Dataset:
    """A data set, read once by each process."""
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
