"""The `course` command from the outside."""

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
import torch
from click.testing import CliRunner, Result

import course_utils
from course_utils import bench, cli
from course_utils._support.paths import LAB_SETTINGS
from course_utils.bench import about
from course_utils.cli import main
from course_utils.course import lab
from course_utils.course.lab import lab_environment, lab_settings

ROOT = Path(__file__).parent.parent


def course(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments with which JupyterLab would have been started."""
    from jupyterlab.labapp import LabApp

    calls: list[list[str]] = []
    monkeypatch.setattr(LabApp, "launch_instance", calls.append)
    monkeypatch.setattr(cli.os, "environ", dict(cli.os.environ))
    monkeypatch.chdir(ROOT)
    return calls


def test_lab_opens_on_the_map(started: list[list[str]]) -> None:
    result = course("lab", "--no-browser")
    assert result.exit_code == 0, result.output
    assert "copy the address printed below" in result.output
    assert {f"--ServerApp.root_dir={ROOT}", "--LabApp.default_url=/lab/tree/notebooks/00_course_map.ipynb"} <= set(
        started[0]
    )
    assert "--no-browser" in started[0]
    assert (Path(cli.os.environ["JUPYTER_CONFIG_PATH"].split(":")[-1]) / "labconfig").is_dir()


@pytest.mark.parametrize(
    ("jupyterlab", "mode"), [("4.4.10", "defer"), ("4.5.0", None), ("4.10.1", None), ("5.0", None)]
)
def test_every_cell_is_on_the_page_in_each_version(jupyterlab: str, mode: str | None) -> None:
    tracker = {}
    for folder in lab_settings(jupyterlab):
        settings = json.loads((Path(folder) / "labconfig" / "default_setting_overrides.json").read_text())
        tracker |= settings["@jupyterlab/notebook-extension:tracker"]
    assert tracker.get("windowingMode") == mode


def test_jupyterlab_takes_the_settings_of_the_course() -> None:
    from jupyterlab.commands import get_app_dir

    for file in (LAB_SETTINGS).rglob("default_setting_overrides.json"):
        for plugin, values in json.loads(file.read_text()).items():
            package, _, name = plugin.partition(":")
            schema = json.loads((Path(get_app_dir()) / "schemas" / package / f"{name}.json").read_text())
            for key, value in values.items():
                allowed = schema["properties"][key]
                choices = allowed.get("enum") or [option["const"] for option in allowed.get("oneOf", [])]
                assert not choices or value in choices, f"{plugin}: {key} is one of {choices}"


def test_lab_finds_the_course_from_any_folder(started: list[list[str]], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert course("lab", "--no-browser").exit_code == 0
    assert f"--ServerApp.root_dir={ROOT}" in started[0]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and a package that was installed without a clone, from a wheel with the notebooks."""
    package = tmp_path / "site-packages" / "course_utils"
    (package / "notebooks").mkdir(parents=True)
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(notebook, package / "notebooks")
    monkeypatch.setattr(lab, "PACKAGE", package)
    monkeypatch.setattr(lab, "NOTEBOOKS", package / "notebooks")
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_lab_without_a_clone_copies_the_notebooks_and_opens_them(
    started: list[list[str]], installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = CliRunner().invoke(main, ["lab", "--no-browser"], input="y\n")
    assert result.exit_code == 0, result.output
    copy = installed / lab.COPY
    assert f"--ServerApp.root_dir={copy}" in started[0]
    names = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name for path in (copy / "notebooks").glob("*.ipynb")} == names
    assert "exercises/source" not in (copy / lab.FIRST_PAGE).read_text(encoding="utf-8")
    (copy / lab.FIRST_PAGE).touch()
    assert course("lab", "--no-browser").exit_code == 0  # the second time asks nothing, and copies nothing
    assert started[1] == started[0]
    assert [path.name for path in installed.iterdir()] == [lab.COPY]
    monkeypatch.chdir(copy / "notebooks")
    assert lab.course_folder() == copy


def test_lab_copies_nothing_after_a_no(started: list[list[str]], installed: Path) -> None:
    result = CliRunner().invoke(main, ["lab"], input="n\n")
    assert result.exit_code == 1
    assert not list(installed.iterdir())
    assert started == []


def test_lab_copies_nothing_unasked(started: list[list[str]], installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # nobody answers
    with pytest.raises(click.Abort):
        main(["lab"], standalone_mode=False)
    assert not list(installed.iterdir())
    assert started == []


def test_lab_copies_over_nothing(started: list[list[str]], installed: Path) -> None:
    (installed / lab.COPY).mkdir()
    (installed / lab.COPY / "mine.txt").touch()
    result = course("lab", "--yes")
    assert result.exit_code == 1
    assert "is there already" in result.output
    assert [path.name for path in (installed / lab.COPY).iterdir()] == ["mine.txt"]


def test_a_copy_that_fails_leaves_nothing(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.shutil, "copytree", Path(installed, "no").read_bytes)
    with pytest.raises(TypeError):
        lab.copied(installed / lab.COPY)
    assert not list(installed.iterdir())


def test_lab_names_a_notebook_that_is_not_there(started: list[list[str]]) -> None:
    result = course("lab", "notebooks/11.ipynb")
    assert result.exit_code == 1
    assert "no notebooks/11.ipynb" in result.output


@pytest.mark.parametrize(("container", "address"), [(True, "0.0.0.0"), (False, "localhost")])
def test_lab_listens_to_others_only_in_a_container(started, monkeypatch, container: bool, address: str) -> None:
    monkeypatch.setattr(cli, "in_container", lambda: container)
    course("lab", "--no-browser")
    assert f"--ServerApp.ip={address}" in started[0]


@pytest.mark.parametrize("uid", [0, 1000])
def test_lab_runs_as_root_too(started, monkeypatch, uid: int) -> None:
    monkeypatch.setattr(cli.os, "geteuid", lambda: uid, raising=False)
    course("lab", "--no-browser")
    assert ("--allow-root" in started[0]) == (uid == 0)


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).parent / "course"
    result = subprocess.run([command, "--version"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert course_utils.__version__ in result.stdout


def test_data_lists_and_loads(tmp_path: Path) -> None:
    listed = course("data", "--root", str(tmp_path))
    for name in ("digits", "mnist", "sensorless", "covertype", "susy", "cifar10"):
        assert name in listed.output
    assert f"data folder: {tmp_path}" in listed.output
    assert course("data", "digits", "--root", str(tmp_path)).exit_code == 0


def test_data_answers_a_wrong_name_with_the_right_ones(tmp_path: Path) -> None:
    result = course("data", "mnits", "--root", str(tmp_path))
    assert result.exit_code == 1
    assert "mnist" in result.output
    assert "Traceback" not in result.output


def test_bench_answers_a_wrong_name_with_the_right_ones() -> None:
    result = course("bench", "no_such_claim")
    assert result.exit_code == 1
    assert "slider_follows_the_hand" in result.output
    result = course("bench", "slider", "no_such_claim")
    assert result.exit_code == 1
    assert "no claim is called no_such_claim" in result.output


@pytest.mark.parametrize("wanted", [["--student", "nobody"], ["--exercise", "ex99"]])
def test_grading_nobody_is_an_error(wanted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from course_utils.exercises.grading import grade

    monkeypatch.setattr(grade, "grade", lambda source, out, **_: grade.Graded([], 0, out))
    result = course("grade", str(tmp_path), *wanted)
    assert result.exit_code == 1
    assert re.search(rf"Error: nothing was graded: .* has no submission of {wanted[1]} that can be read", result.output)
    assert course("grade", str(tmp_path)).exit_code == 0


def test_bench_ends_with_an_error_where_a_claim_cannot_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(device: str) -> list[dict]:
        raise RuntimeError(f"no {device} device")

    monkeypatch.setattr(bench, "claims", lambda: ["a_is_fast"])
    monkeypatch.setattr(bench.importlib, "import_module", lambda name: SimpleNamespace(run=run))
    result = course("bench", "--device", "cuda")
    assert result.exit_code == 1
    assert "not measured: no cuda device" in result.output
    assert "Error: 1 of 1 claims could not be measured here" in result.output


def test_the_table_shows_rows_and_says_what_could_not_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    class Claim:
        @staticmethod
        def run(device: str) -> list[dict]:
            if device == "cuda":
                raise RuntimeError("no CUDA device")
            return [{"claim": "loop", "measured": 2.0, "baseline": 10.0, "ratio": 5.0, "bar": ">= 4"}]

    monkeypatch.setattr(bench.importlib, "import_module", lambda name: Claim)
    _, title, row = bench.table(["a_is_fast"], "cpu")
    assert title == "a is fast (cpu)"
    assert row.split() == ["loop", "2", "10", "5", ">=", "4"]
    assert list(bench.table(["a_is_fast"], "cuda"))[-1] == "  not measured: no CUDA device"


def test_a_report_of_a_problem_has_versions_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ("anywidget", "jupyterlab")
    installed = about.version
    monkeypatch.setattr(about, "version", lambda name: installed("no-such" if name in missing else name))
    facts = dict(line.split(maxsplit=1) for line in course("bench", "--about").output.splitlines())
    assert facts["torch"].startswith(torch.__version__)
    assert "build" in facts["torch"]
    assert facts["numpy"][0].isdigit()
    assert {name for name, fact in facts.items() if fact == "not installed"} == set(missing)
    assert "cores" in facts["processor"]
    assert facts["memory"].endswith("GiB")


@pytest.mark.parametrize("name", bench.claims())
def test_each_claim_says_what_it_claims(name: str) -> None:
    module = bench.importlib.import_module(f"course_utils.bench.{name}")
    assert module.__doc__.startswith("Claim: ")
    assert callable(module.run)


def test_threads_wait_asleep_unless_the_reader_has_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert lab_environment()["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert lab_environment()["OMP_WAIT_POLICY"] == "ACTIVE"
