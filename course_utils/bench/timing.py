"""Times that can be compared: in one process, in turn, so that noise hits all alike."""

import sys
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch

__all__ = ["extra_megabytes", "in_turn", "row"]


def in_turn(functions: Sequence[Callable[[], object]], *, rounds: int = 9) -> list[float]:
    """Median milliseconds of each function; they are called in turn, after one round that warms up.

    >>> [t > 0 for t in in_turn([lambda: sum(range(10)), lambda: None], rounds=3)]
    [True, True]
    """
    times: list[list[float]] = [[] for _ in functions]
    for number in range(rounds + 1):
        for function, milliseconds in zip(functions, times, strict=True):
            synchronize()
            started = perf_counter()
            function()
            synchronize()
            if number:
                milliseconds.append(1000 * (perf_counter() - started))
    return [median(t) for t in times]


def synchronize() -> None:
    """Wait until a GPU that is in use has done its work."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def row(claim: str, measured: float | None, baseline: float | None, bar: str, *, faster: bool = True) -> dict[str, Any]:
    """A row of the table; the ratio is baseline / measured, how many times faster, or its inverse."""
    ratio = None
    if measured and baseline:
        ratio = baseline / measured if faster else measured / baseline
    return {"claim": claim, "measured": measured, "baseline": baseline, "ratio": ratio, "bar": bar}


def extra_megabytes(make: Callable[[str], Callable[[], object]], device: str) -> float | None:
    """The most memory that the function made by `make(device)` takes while it runs, beyond what was there before.

    On a CPU in a separate process, as the system counts it (not on Windows). `make` is a module's function.
    """
    if device != "cpu":
        function = make(device)
        function()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    if sys.platform == "win32":
        return None
    context = get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_grown, (make,))


def _grown(make: Callable[[str], Callable[[], object]]) -> float:
    function = make("cpu")
    before = _peak_megabytes()
    function()
    return _peak_megabytes() - before


def _peak_megabytes() -> float:
    """The peak memory of this process, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux hands the maximum that resource knows down from the parent
        return float(status.read_text().split("VmHWM:")[1].split()[0]) / 1e3
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
