"""A sweep to be killed: `python -m sweeping JOURNAL JOBS SCHEDULER`, 30 points, each noted as it starts, and where."""

import os
import sys
import time
from functools import partial
from pathlib import Path

from course_utils._support.journal import Journal
from course_utils.train.sweep import product, run_sweep

GRID = product(lam=[n / 10 for n in range(10)], seed=[0, 1, 2])


def work(notes: str, lam: float, seed: int) -> dict[str, float]:
    """A point takes a moment; the note is one write, so that two processes do not mix theirs."""
    note = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(note, f"{lam} {seed} {os.getpid()}\n".encode())
    os.close(note)
    time.sleep(0.3)
    return {"value": lam + seed}


if __name__ == "__main__":
    path, jobs, scheduler = Path(sys.argv[1]), int(sys.argv[2]) or None, sys.argv[3] or None
    sweep = partial(work, str(path.with_name("notes")))
    records = run_sweep(
        sweep, GRID, name="work", journal=Journal(path), n_jobs=jobs, scheduler=scheduler, progress=False
    )
    assert [record["values"]["value"] for record in records] == [point["lam"] + point["seed"] for point in GRID]
