"""Many notebooks at once: each in a process of its own, under one progress bar."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

from tqdm.auto import tqdm

from course_utils._support.files import written_atomically
from course_utils.publish.site import Exported, export_notebook, front_page

__all__ = ["export_all"]


def export_all(
    paths: Sequence[Path], out: Path, *, slides: bool = False, jobs: int | None = None, **settings: Any
) -> list[Exported]:
    """Export notebooks, and write ``index.html``, which leads to their pages.

    `jobs`: how many at once; by default one for each processor. `settings` go to `export_notebook`. What a notebook
    raises is raised here when the others are done, and those are written.
    """
    out.mkdir(parents=True, exist_ok=True)
    names = [path.stem for path in paths]
    workers = max(1, min(jobs or os.cpu_count() or 1, len(paths)))
    context = multiprocessing.get_context("spawn")  # a notebook gets a fresh Python
    with context.Manager() as manager, ProcessPoolExecutor(workers, context, max_tasks_per_child=1) as pool:
        messages = manager.Queue()
        tasks = [
            pool.submit(export_notebook, path, out, names=names, slides=slides, progress=Reporter(messages), **settings)
            for path in paths
        ]
        follow(tasks, lambda: _drained(messages))
    exported = [task.result() for task in tasks]
    with written_atomically(out / "index.html") as file:
        file.write(front_page(exported).encode())
    return exported


class Reporter:
    """Sends how many panels are done, and how many more are known, to the process that started the work."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def __call__(self, done: int, more: int) -> None:
        self._queue.put((done, more))


def follow(tasks: Sequence[Future[Exported]], messages: Callable[[], Iterator[tuple[int, int]]]) -> None:
    """Show a bar until all tasks are done."""
    with tqdm(total=0, unit="panel", desc="panels") as bar:
        running = True
        while running:
            running = not all(task.done() for task in tasks)
            for done, more in messages():
                bar.total += more
                bar.update(done)
            bar.refresh()


def _drained(queue: Any) -> Iterator[tuple[int, int]]:
    """What is in a queue, after a short wait for it."""
    try:
        yield queue.get(timeout=0.5)
        while True:
            yield queue.get_nowait()
    except Empty:
        return
