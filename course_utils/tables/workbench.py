"""What the experiments behind the tables share: data, settings, and results that are kept.

Choices are made with `validate`, where the test part is held out of the training part; the real test part is looked at
once, in the run without it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from torch import nn

from course_utils.data import Dataset, load_dataset
from course_utils.files import written_atomically
from course_utils.train import fit

__all__ = ["Workbench", "columns", "spread"]

Result = dict[str, Any]


@dataclass
class Workbench:
    """Where and how to measure.

    `folder`: keeps results, files and checkpoints. `level`: "quick" (one seed, short training) or "full". `validate`:
    hold 8,000 of 60,000 training rows out and test on them. `data`: in the place of data sets to be loaded, by name.
    """

    folder: Path
    level: str = "full"
    seeds: Sequence[int] = (0, 1, 2)
    validate: bool = False
    device: str = "auto"
    progress: bool = True
    data: dict[str, Dataset] = field(default_factory=dict)

    def dataset(self, name: str) -> Dataset:
        """A data set, or the training part of it split in two."""
        if name not in self.data:
            self.data[name] = load_dataset(name)
        data = self.data[name]
        return data.split(8000 / 60000) if self.validate else data

    def epochs(self, full: int) -> int:
        """So many epochs, or a quarter of them and at least one for the quick level."""
        return full if self.level == "full" else max(1, full // 4)

    def place(self, name: str, settings: Any = "") -> Path:
        """The path of a result, without an ending: it is another one for other settings."""
        spelled = json.dumps([settings, self.level, self.validate], sort_keys=True, default=str)
        return self.folder / f"{name}-{hashlib.sha256(spelled.encode()).hexdigest()[:8]}"

    def measure(self, name: str, settings: Any, make: Callable[[Path], Result]) -> Result:
        """The result that `make(path)` gives, with the seconds it took; made once, and kept in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.place(name, settings)
        kept = path.with_name(path.name + ".json")
        if kept.is_file():
            return json.loads(kept.read_text())
        started = time.perf_counter()
        result = make(path)
        result["seconds"] = round(time.perf_counter() - started, 1)
        with written_atomically(kept) as file:
            file.write(json.dumps(result, indent=1).encode())
        return result

    def trained(
        self, name: str, make: Callable[[], nn.Module], data: Dataset, *, seed: int, **settings: Any
    ) -> nn.Module:
        """A network trained by `fit`, or the one that was trained before; the checkpoint lies in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = make()
        path = self.place(f"{name}-{seed}", [data.name, len(data.y_train), sorted(settings.items())])
        fit(
            model,
            data,
            seed=seed,
            checkpoint=path.with_name(path.name + ".pt"),
            evaluate_every=0,
            device=self.device,
            progress=self.progress,
            **settings,
        )
        return model.eval()


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """The mean, with the standard deviation where there are several.

    >>> spread([1.0, 1.2, 1.1]), spread([2.0])
    ('1.10 ± 0.10', '2.00')
    """
    text = format(mean(values), form)
    return f"{text} ± {format(stdev(values), form)}" if len(values) > 1 else text


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of text as lines of a Markdown table; the first row is its head.

    >>> list(columns([["a", "bytes"], ["x", "12"]]))
    ['| a | bytes |', '|---|------:|', '| x |    12 |']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            yield "|".join(["", "-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:]), ""])
