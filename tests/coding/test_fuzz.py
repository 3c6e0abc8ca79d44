"""Files from strangers under a hard cap of memory, and writers that are killed; more of it with --slow."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from mutating import mutated, right_files
from test_container import ATTACKS, LIMIT, a_file, coded, forged, joint, random_arrays, same, varint

from course_utils.coding.container import Coded, load, save

SPARE = 64 * 2**20  # what a loader may take besides the limit

CAPPED = """
import re, resource, sys, time
from pathlib import Path
import numpy, constriction
from course_utils.coding.container import FormatError, load
load(sys.argv[1])  # so that everything is imported
used = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)) * 1024
cap = used + int(sys.argv[2]) + int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_AS, (cap, cap))
for path in sorted(Path(sys.argv[4]).iterdir()):
    started = time.perf_counter()
    try:
        load(path, max_bytes=int(sys.argv[2]))
        found = "loaded"
    except FormatError:
        found = "refused"
    except MemoryError:
        found = "out of memory"
    print(f"{path.name}\\t{found}\\t{time.perf_counter() - started:.3f}")
"""


def under_a_cap(example: Path, folder: Path, limit: int) -> dict[str, tuple[str, float]]:
    """Load every file of a folder in a process that has no more memory than it may use."""
    command = [sys.executable, "-c", CAPPED, str(example), str(limit), str(SPARE), str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return {name: (outcome, float(seconds)) for name, outcome, seconds in lines}


needs_a_cap = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the cap is set and read as on Linux")


@needs_a_cap
def test_attacks_and_mutated_files_stay_within_the_memory(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    count = 10_000 if request.config.getoption("--slow") else 300
    path, _ = a_file(tmp_path)
    files = tmp_path / "files"
    files.mkdir()
    for i, (attack, _) in enumerate(ATTACKS.values()):
        (files / f"attack {i}").write_bytes(attack)
    rng, pool = np.random.default_rng(1), right_files()
    for i in range(count):
        (files / f"mutated {i}").write_bytes(mutated(rng, pool))
    results = under_a_cap(path, files, LIMIT)
    assert len(results) == len(ATTACKS) + count
    assert {result for result, _ in results.values()} == {"loaded", "refused"}
    assert all(result == "refused" for name, (result, _) in results.items() if name.startswith("attack"))


def many_mutated(count: int, seed: int) -> dict:
    """What comes of mutated files in a process of their own, which measures its memory and its time."""
    command = [sys.executable, "-m", "mutating", str(count), str(seed)]
    paths = [str(Path(__file__).parents[1] / "tools"), *sys.path]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_a_cap
def test_mutated_files_are_refused_or_come_back_with_a_report(request: pytest.FixtureRequest) -> None:
    # With --slow half a million, in as many processes as there are processors.
    batches, count = (50, 10_000) if request.config.getoption("--slow") else (1, 700)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda seed: many_mutated(count, seed), range(batches)))
    assert [failure for result in results for failure in result["failures"]] == []
    assert all(len(result["outcomes"]) > 1 for result in results)


@needs_a_cap
@pytest.mark.parametrize("entropy", [None, "huffman", "ans", "in order", "rows", "dense"])
def test_a_file_as_large_as_the_limit_is_read_within_the_memory(tmp_path: Path, entropy: str | None) -> None:
    rng = np.random.default_rng(0)
    n = 12 * 2**20
    files = tmp_path / "files"
    files.mkdir()
    book = rng.normal(size=200).astype("f4")
    if entropy == "dense":
        size = save(files / "a", {"w": rng.normal(size=n).astype("f4")})
    else:
        mask = rng.random((n // 2**14, 2**14)) < 0.6
        nonzeros = int(mask.sum())
        if entropy == "in order":
            book = rng.normal(size=nonzeros).astype("f4")
        indices = np.zeros(0, int) if entropy == "in order" else rng.integers(0, 200, nonzeros)
        if entropy == "rows":
            size = save(files / "a", {"w": Coded(book, indices, mask, None, 0)})
        else:
            size = save(files / "a", {"w": Coded(book, indices, mask, entropy, 2)})
    example, _ = a_file(tmp_path)
    positions = size if entropy == "rows" else 0
    limit = 4 * n if entropy == "dense" else max(4 * n, size + 2 * n + book.nbytes + 4 * positions)
    assert under_a_cap(example, files, limit)["a"][0] == "loaded"


LONG = b"\1" * 2**25
WIDE: dict[str, bytes] = {
    "a code far behind its symbols": forged((4,), coded(size=2, coder=1, rest=b"\x11" + LONG), kind=1),
    "states far behind their symbols": forged((4,), coded(size=2, coder=2, rest=2 * varint(2**15) + LONG), kind=1),
    "rows far behind their places": forged((4, 4), coded(full=0, positions=b"\0" + LONG), kind=1),
    "gaps far behind their places": forged((4,), coded(full=0, positions=b"\1\3\0\0\0\x11\0" + LONG), kind=1),
    "joint bits far behind their places": forged((4,), joint(LONG), kind=2),
    "blocks that are longer than their symbols": forged(
        (2**21,), coded(size=2, coder=1, rest=b"\x11" + 2047 * b"\xff\xff" + LONG), kind=1
    ),
}  # fmt: skip


@needs_a_cap
def test_sections_that_are_too_long_take_no_more_than_themselves(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for name, content in WIDE.items():
        (files / name).write_bytes(content)
    example, _ = a_file(tmp_path)
    results = under_a_cap(example, files, 2**26)
    assert {name: result for name, (result, _) in results.items()} == dict.fromkeys(WIDE, "refused")


def test_random_networks_come_back(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    for seed in range(500 if request.config.getoption("--slow") else 50):
        arrays = random_arrays(10**6 + seed)
        save(tmp_path / "a.cun", arrays)
        assert same(load(tmp_path / "a.cun", max_bytes=LIMIT), arrays), seed


WRITER = """
import sys
import numpy as np
from course_utils.coding.container import save
print("ready", flush=True)
number = 0
while True:
    number += 1
    save(sys.argv[1], {"w": np.full(200_000, number, "f4")})
"""


def test_a_process_killed_while_writing_leaves_a_complete_file(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "a.cun"
    written = 0
    for _ in range(50 if request.config.getoption("--slow") else 5):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if path.exists():
            written += 1
            array = load(path)["w"]
            assert isinstance(array, np.ndarray)
            assert array.min() == array.max() >= 1
    assert written
