"""Files from strangers under a hard cap of memory, and writers that are killed; more of it with --slow."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_container import ATTACKS, LIMIT, a_file, mutated, outcome, random_arrays, read_header, same

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
    path, content = a_file(tmp_path)
    files = tmp_path / "files"
    files.mkdir()
    for i, attack in enumerate(ATTACKS.values()):
        (files / f"attack {i}").write_bytes(attack)
    for i, wrong in enumerate(mutated(content, read_header(path), count)):
        (files / f"mutated {i}").write_bytes(wrong)
    results = under_a_cap(path, files, LIMIT)
    assert len(results) == len(ATTACKS) + count
    assert {result for result, _ in results.values()} == {"loaded", "refused"}
    assert all(result == "refused" for name, (result, _) in results.items() if name.startswith("attack"))
    assert max(seconds for _, seconds in results.values()) < 30


@needs_a_cap
@pytest.mark.parametrize("entropy", [None, "huffman", "ans", "in order", "dense"])
def test_a_file_as_large_as_the_limit_is_read_within_the_memory(tmp_path: Path, entropy: str | None) -> None:
    rng = np.random.default_rng(0)
    n = 12 * 2**20
    files = tmp_path / "files"
    files.mkdir()
    if entropy == "dense":
        save(files / "a", {"w": rng.normal(size=n).astype("f4")})
    else:
        mask = rng.random(n) < 0.6
        nonzeros = int(mask.sum())
        book = rng.normal(size=nonzeros if entropy == "in order" else 200).astype("f4")
        indices = np.zeros(0, int) if entropy == "in order" else rng.integers(0, 200, nonzeros)
        save(files / "a", {"w": Coded(book, indices, mask, entropy, 2)})
    (entry,) = read_header(files / "a").entries
    example, _ = a_file(tmp_path)
    assert under_a_cap(example, files, entry.memory)["a"][0] == "loaded"


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


@pytest.mark.slow
def test_mutated_files_are_loaded_or_refused_in_large_numbers(tmp_path: Path) -> None:
    path, content = a_file(tmp_path)
    outcomes = [outcome(path, wrong) for wrong in mutated(content, read_header(path), 10_000)]
    assert 0 < outcomes.count("loaded") < 10_000
