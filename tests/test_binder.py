"""binder/: what Binder would build, without Docker."""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from course_utils._support.paths import FORKED_KERNELS
from course_utils.course.lab import lab_settings

ROOT = Path(__file__).parent.parent
BINDER = ROOT / "binder"
LINES = (BINDER / "packages.txt").read_text().splitlines()
PINS = {r.name: r for line in LINES if line[:1].isalpha() for r in [Requirement(line)]}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COURSE = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["course"]
WANTED = {r.name: r for text in COURSE for r in [Requirement(text)]}


def test_what_a_student_needs_is_pinned_and_nothing_else() -> None:
    assert PINS.keys() == WANTED.keys() - {"jupyterlab"}  # Binder's base image brings JupyterLab


@pytest.mark.parametrize("name", PINS)
def test_each_pin_is_exact_and_in_the_range_of_pyproject(name: str) -> None:
    (pin,) = PINS[name].specifier
    assert pin.operator == "=="
    assert WANTED[name].specifier.contains(pin.version.split("+")[0])


def test_torch_is_the_build_without_cuda() -> None:
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in LINES
    assert all(str(PINS[name].specifier).endswith("+cpu") for name in ("torch", "torchvision"))


def test_there_is_one_list_of_packages() -> None:
    # Beside an environment.yml the runtime.txt would be ignored, silently; a requirements.txt would be a layer of its
    # own, out of which nothing can be taken.
    assert {path.name for path in BINDER.iterdir()} == {"packages.txt", "runtime.txt", "postBuild", "start"}
    version = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")
    assert PROJECT["requires-python"] == f">={version}"


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_the_scripts_can_be_run(name: str) -> None:
    assert os.access(BINDER / name, os.X_OK)
    assert subprocess.run(["bash", "-n", BINDER / name]).returncode == 0


def test_what_is_installed_and_never_used_goes(tmp_path: Path) -> None:
    packages, programs = tmp_path / "site-packages", tmp_path / "programs"
    kept = [
        "torch/__init__.py", "torch/testing/__init__.py", "torch/lib/libtorch.so", "torch/bin/torch_shm_manager",
        "numpy/testing/__init__.py", "matplotlib/testing/__init__.py", "sympy/testing/__init__.py",
    ]  # fmt: skip
    gone = [
        "torch/test/test_jit", "torch/include/torch/all.h", "torch/bin/protoc", "numpy/_core/tests/test_dtype.py",
        "sympy/core/tests/deep/a.py", "matplotlib/tests/baseline.png", "networkx/tests/a.py", "mpmath/tests/a.py",
    ]  # fmt: skip
    for name in kept + gone:
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("")
    programs.mkdir()
    log = tmp_path / "log"
    for name, says in (("pip", ""), ("python", f'case "$2" in *purelib*) echo "{packages}";; esac')):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> "{log}"\n{says}\n')
        (programs / name).chmod(0o755)
    bare = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    subprocess.run([BINDER / "postBuild"], cwd=ROOT, env=bare, check=True)
    assert log.read_text().startswith("pip install --no-cache-dir -r binder/packages.txt\npip install --no-deps")
    left = {path.relative_to(packages).as_posix() for path in packages.rglob("*") if path.is_file()}
    assert left == set(kept)


def test_start_sets_the_environment_and_hands_over() -> None:
    bare = {k: v for k, v in os.environ.items() if k != "JUPYTER_CONFIG_PATH"} | {"REPO_DIR": str(ROOT)}
    show = 'printf "%s\\n" "$OMP_NUM_THREADS" "$JUPYTER_CONFIG_PATH" "$1"'
    command = [BINDER / "start", "bash", "-c", show, "bash", "last argument"]
    threads, config, last = subprocess.run(command, env=bare, capture_output=True, text=True).stdout.splitlines()
    assert threads == "1"
    assert config.split(":") == [str(FORKED_KERNELS), *lab_settings("4.4")]
    assert all(any(Path(folder).iterdir()) for folder in config.split(":"))
    assert last == "last argument"


def test_binders_image_has_the_buttons_that_keep_a_students_work() -> None:
    # The course map and README for students tell of them: jupyter-offlinenotebook, in the toolbar of each notebook.
    python = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")
    (folder,) = find_spec("repo2docker").submodule_search_locations  # which is not imported: it warns
    image = Path(folder) / "buildpacks" / "conda" / f"environment.py-{python}-linux-64.lock"
    assert "/jupyter-offlinenotebook-0.3" in image.read_text()


def test_repo2docker_accepts_it(tmp_path: Path) -> None:
    copy = tmp_path / "course"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "notebooks", "tests", "__pycache__"))
    options = ["--no-build", "--no-run", "--debug", "--user-id", "1000", "--user-name", "jovyan"]
    command = [sys.executable, "-W", "ignore", "-m", "repo2docker", *options, str(copy)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    for step in ("./binder/postBuild", 'ENTRYPOINT="${REPO_DIR}'):
        assert step in output
    assert "requirements.txt" not in output
    assert "python=3.11" in output
