"""Forked kernels from the parent of the course: PyTorch, its threads and processes, pictures, and the memory in all."""

import os
from collections.abc import Iterator

import pytest
from forked import GROUP, PLACE, Kernel, kernel, own_parent

from course_utils.bench.eleven_notebooks_in_2_gb import LIMIT, TO_SPARE, Notebook, measure

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="kernels are forked on Linux 5.3 or later"),
]

# MiB that no other process has a part of, after all cells have run; an ordinary kernel has two to three times as much.
PRIVATE = {"00": 120} | {f"{number:02d}": 200 for number in range(1, 11)}
MULTIPROCESSING = """
import math, multiprocessing
with multiprocessing.get_context({method!r}).Pool(2) as pool:
    print(pool.map(math.sqrt, [4, 9]))
"""
LOADER = """
import torch
from torch.utils.data import DataLoader, TensorDataset
rows = TensorDataset(torch.arange(8))
loader = DataLoader(rows, batch_size=2, num_workers=2, multiprocessing_context={method!r})
[int(batch[0].sum()) for batch in loader]
"""
TRAINING = """
import torch
from course_utils import fit, load_dataset, mlp
torch.manual_seed(0)
model = mlp([64, 16, 10])
fit(model, load_dataset("digits"), epochs=2)
[p.double().sum().item() for p in model.parameters()]
"""
THREADS = """
import numpy, torch, threadpoolctl
rows = torch.rand(600, 600)
(rows @ rows).sum(), numpy.ones((500, 500)) @ numpy.ones((500, 500))
pools = sorted((pool["internal_api"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info())
torch.get_num_threads(), torch.get_num_interop_threads(), pools
"""
LOADED = """
import sys
looking = {"tqdm.auto", "tqdm.notebook", "matplotlib_inline.backend_inline"}
sorted((looking | {"torch._dynamo", "course_utils.panels.sparsity", "ipywidgets"}) & set(sys.modules))
"""


@pytest.fixture(scope="module", autouse=True)
def parent() -> Iterator[None]:
    with own_parent():
        yield


def test_the_parent_imports_what_panels_need_and_nothing_that_looks_at_the_page() -> None:
    with kernel() as new:
        assert eval(new.run(LOADED)) == ["course_utils.panels.sparsity", "ipywidgets", "torch._dynamo"]
        assert new.run("from tqdm.auto import tqdm; tqdm.__mro__[1].__module__") == "'tqdm.notebook'"


@pytest.mark.parametrize("threads", ["1", "2", None])
def test_threads_of_pytorch_and_numpy_are_as_in_any_other_kernel(threads: str | None) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    environment |= {"OMP_NUM_THREADS": threads} if threads else {}
    with kernel(env=environment) as new, kernel(forked=False, env=environment) as old:
        assert new.forked
        load = "import sklearn.datasets, torch, course_utils.data"  # the libraries that have threads of their own
        assert new.run(f"{load}\n{THREADS}") == old.run(f"{load}\n{THREADS}")


def test_seeds_differ_and_a_seeded_training_does_not(forked: Kernel, ordinary: Kernel) -> None:
    with kernel() as other:
        draw = "import torch; torch.rand(()).item(), torch.initial_seed()"
        assert not set(eval(forked.run(draw))) & set(eval(other.run(draw)))
    assert forked.run(TRAINING).splitlines()[-1] == ordinary.run(TRAINING).splitlines()[-1]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_start_in_every_way(method: str, forked: Kernel) -> None:
    assert forked.run(MULTIPROCESSING.format(method=method)) == "[2.0, 3.0]\n"
    assert forked.run(LOADER.format(method=method)) == "[1, 5, 9, 13]"


def test_processes_of_joblib_start(forked: Kernel) -> None:
    code = "import joblib, math; joblib.Parallel(2)(joblib.delayed(math.sqrt)(n) for n in (4, 9))"
    assert forked.run(code) == "[2.0, 3.0]"


def test_a_training_is_interrupted(forked: Kernel) -> None:
    forked.send("import torch\nwhile True: torch.rand(500, 500) @ torch.rand(500, 500)")
    forked.manager.interrupt_kernel()
    assert forked.reply() == "KeyboardInterrupt"


def test_pictures_and_panels_are_shown(forked: Kernel) -> None:
    forked.run("import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show()")
    assert "image/png" in forked.kinds
    forked.run("from course_utils.panels import sparsity; sparsity.shrinkage()")
    assert "application/vnd.jupyter.widget-view+json" in forked.kinds


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Notebook]]:
    """All of them, run and left open under JupyterLab in a control group of 2 GiB."""
    with pytest.MonkeyPatch.context() as patch:
        installed = tmp_path_factory.mktemp("installed")
        folder = installed / "forked-0.dist-info"  # as `pip install` writes it, if that was before this package had it
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: forked\nVersion: 0\n")
        (folder / "entry_points.txt").write_text(f"[{GROUP}]\n{PLACE.name} = {PLACE.value}\n")
        paths = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        yield measure(forked=True, limit=LIMIT)[0]


def test_all_notebooks_stay_open_in_2_gb(notebooks: list[Notebook]) -> None:
    for notebook in notebooks:
        print(notebook)
    assert [n.name for n in notebooks] == sorted(PRIVATE)
    assert not any(n.errors or n.restarted or n.killed for n in notebooks)
    assert notebooks[-1].together <= LIMIT - TO_SPARE


def test_each_notebook_keeps_its_budget_of_memory(notebooks: list[Notebook]) -> None:
    assert {n.name: n.private for n in notebooks if n.private > PRIVATE[n.name]} == {}
