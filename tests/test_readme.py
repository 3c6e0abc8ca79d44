"""What the README and the other pages promise is there."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from course_utils.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
TRACKED = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")[:-1]


def test_the_two_commands_are_one_line_each() -> None:
    start, test = re.findall(r"```sh\n(python3 .*)\n```", README)
    assert start.endswith("course lab")
    assert "pytest" in test
    assert "'.[test]'" in test
    assert f"<!-- test -->\n```sh\n{test}" in README


def test_ci_calls_the_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    command = re.search(r"command=\$\((sed .*)\)\n", script)
    assert command
    line = subprocess.run(command[1], shell=True, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    assert line == re.findall(r"```sh\n(python3 .*)\n```", README)[1]
    assert 'eval "$command"' in script


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    content = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", content):
        assert (ROOT / target).exists(), target
    for name in re.findall(r"`((?:tests|course_utils|notebooks|binder)/[\w./]*)`", content):
        assert (ROOT / name).exists(), name


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own_panel, recipe, example = re.findall(r"```python\n(.*?)```", README, re.S)
    namespace: dict = {}
    exec(own_panel, namespace)
    namespace["waves"].f = 3
    assert namespace["waves"].words == "sin with 3 periods"
    namespace = {}
    exec(recipe, namespace)
    size = (tmp_path / "digits.cun").stat().st_size
    assert "some 1,200 bytes for 30,000" in recipe
    assert 1100 < size < 1300
    assert namespace["evaluate"](namespace["small"].to_model(), namespace["data"]).accuracy > 0.92
    namespace = {}
    exec(example, namespace)
    pruned = [p for p in namespace["model"].parameters() if p.ndim > 1]
    assert sum(int((p == 0).sum()) for p in pruned) >= 0.9 * sum(p.numel() for p in pruned) - 3
    assert all(p.unique().numel() <= 16 * len(p) for p in namespace["small"].parameters() if p.ndim > 1)


def test_each_command_is_described() -> None:
    assert set(re.findall(r"^\| `course ([\w-]+)` \|", README, re.M)) == set(main.commands)
    for name in main.commands:
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_each_notebook_is_on_both_maps() -> None:
    course_map = (ROOT / "notebooks" / "00_course_map.ipynb").read_text()
    for path in (ROOT / "notebooks").glob("[01][0-9]_*.ipynb"):
        if path.name != "00_course_map.ipynb":
            assert f"(notebooks/{path.name})" in README
            assert f"({path.name})" in course_map


def test_every_dependency_has_a_reason_and_a_range() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    for group in (project["dependencies"], *project["optional-dependencies"].values()):
        others = [requirement for requirement in group if not requirement.startswith(f"{project['name']}[")]
        assert all(re.search(r"[<>=]", requirement) for requirement in others)
    for line in text[text.index("dependencies = [") : text.index("# What only a lecturer needs")].splitlines():
        assert not line.startswith('  "') or "#" in line, line


def test_no_file_names_a_path_of_a_machine() -> None:
    if not TRACKED:
        pytest.skip("not a git checkout")
    machine = [f"{folder}/" for folder in (Path.home(), ROOT) if folder != Path("/")]
    for name in TRACKED:
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".ipynb", ".js", ".css", ""}:
            content = path.read_text(errors="ignore")
            assert not [place for place in machine if place in content], name
