"""Random numbers and numbers of threads that a new process would have, in a copy of an older one."""

import ctypes
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["new_seeds", "set_threads"]

# By which functions the libraries that NumPy and PyTorch are built with are told their number of threads.
SETTERS = {
    "openblas": ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads64_",
                 "openblas_set_num_threads"),
    "gomp": ("omp_set_num_threads",),
    "libomp": ("omp_set_num_threads",),
    "iomp": ("omp_set_num_threads",),
    "mkl_rt": ("MKL_Set_Num_Threads",),
}  # fmt: skip


def new_seeds() -> None:
    """Give the global generators of NumPy and PyTorch a seed of their own; that of `random` takes one in every fork."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()


def set_threads(environment: Mapping[str, str]) -> None:
    """Let PyTorch and NumPy use as many threads as in a process with this environment; the parent has one."""
    processors = os.sched_getaffinity(0)
    torch_threads = wanted(environment, "OMP_NUM_THREADS", "MKL_NUM_THREADS") or cores(processors)
    blas_threads = wanted(environment, "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") or len(processors)
    if max(torch_threads, blas_threads) == 1:
        return
    for path in libraries():
        for part, names in SETTERS.items():
            if part in Path(path).name:
                set_in(path, names, blas_threads if part == "openblas" else torch_threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(torch_threads)


def wanted(environment: Mapping[str, str], *names: str) -> int | None:
    """The number in the first of these variables that has one.

    >>> wanted({"OMP_NUM_THREADS": "4,2"}, "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    4
    """
    for name in names:
        number = environment.get(name, "").split(",")[0].strip()
        if number.isdecimal() and int(number) > 0:
            return int(number)
    return None


def cores(processors: set[int]) -> int:
    """How many cores these processors are: two of them may be threads of one."""
    folder = Path("/sys/devices/system/cpu")
    try:
        return len({(folder / f"cpu{n}" / "topology" / "thread_siblings_list").read_text() for n in processors})
    except OSError:
        return len(processors)


def libraries() -> list[str]:
    """The shared libraries of this process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return sorted({line.split(maxsplit=5)[5] for line in lines if ".so" in line and "/" in line})


def set_in(path: str, names: tuple[str, ...], threads: int) -> None:
    """Call the function of a loaded library that has one of these names."""
    with suppress(OSError):
        library = ctypes.CDLL(path)
        for name in names:
            if hasattr(library, name):
                library[name](threads)
                return
