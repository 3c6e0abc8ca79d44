"""`course binder-link`: the right link for each kind of address, and a way out where there is none."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from course_utils.cli import FIRST_PAGE, main
from course_utils.course.binder_link import BinderLinkError, binder_link

GITHUB = "https://mybinder.org/v2/gh/ada/course/main?urlpath=lab/tree/notebooks/00_course_map.ipynb"


@pytest.mark.parametrize(
    "repository",
    [
        "https://github.com/ada/course",
        "https://github.com/ada/course.git",
        "https://github.com/ada/course/",
        "https://ada:secret@github.com/ada/course.git",
        "https://www.github.com/ada/course",
        "https://GitHub.com/ada/course",
        "git@github.com:ada/course.git",
        "github.com:ada/course",
        "ssh://git@github.com/ada/course.git",
        "ssh://git@github.com:22/ada/course",
        "git://github.com/ada/course.git",
    ],
)
def test_all_forms_of_one_address_give_one_link(repository: str) -> None:
    assert binder_link(repository, branch="main", path=FIRST_PAGE) == GITHUB


@pytest.mark.parametrize(
    ("repository", "spec"),
    [
        ("https://gitlab.com/ada/course.git", "gl/ada%2Fcourse"),
        ("git@gitlab.com:school/maths/course.git", "gl/school%2Fmaths%2Fcourse"),
        ("https://codeberg.org/ada/course.git", "git/https%3A%2F%2Fcodeberg.org%2Fada%2Fcourse"),
        ("git@git.school.edu:ada/course.git", "git/https%3A%2F%2Fgit.school.edu%2Fada%2Fcourse"),
    ],
)
def test_each_host_has_its_form(repository: str, spec: str) -> None:
    assert binder_link(repository, branch="main", path="a.ipynb") == (
        f"https://mybinder.org/v2/{spec}/main?urlpath=lab/tree/a.ipynb"
    )


def test_branches_and_paths_are_quoted() -> None:
    link = binder_link("https://github.com/ada/course", branch="week 1/ü", path="my notes/50%.ipynb")
    assert link.endswith("/week%201/%C3%BC?urlpath=lab/tree/my%20notes/50%25.ipynb")


@pytest.mark.parametrize(
    "repository", ["", "course", "../course", "/srv/git/course.git", "C:\\course", "file:///srv/x"]
)
def test_what_no_other_machine_can_open_is_refused(repository: str) -> None:
    with pytest.raises(BinderLinkError, match="public repository"):
        binder_link(repository, branch="main", path="a.ipynb")


# The command, in a repository of its own


def git(folder: Path, *arguments: str) -> None:
    names = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "course"
    (folder / "notebooks").mkdir(parents=True)
    (folder / FIRST_PAGE).write_text("{}")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Start")
    monkeypatch.chdir(folder)
    return folder


def course() -> Result:
    return CliRunner().invoke(main, ["binder-link"])


def test_the_link_is_that_of_origin_and_the_current_branch(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "git@github.com:ada/course.git")
    result = course()
    assert result.exit_code == 0, result.output
    badge = f"[![Open on Binder](https://mybinder.org/badge_logo.svg)]({GITHUB})"
    assert result.stdout.splitlines() == [GITHUB, "", badge]
    git(repository, "checkout", "-q", "-b", "week-2")
    assert "/gh/ada/course/week-2?" in course().stdout


def test_without_a_public_address_the_way_out_is_said(repository: Path) -> None:
    result = course()
    assert result.exit_code == 1
    assert "git remote add origin" in result.output
    git(repository, "remote", "add", "origin", "/srv/git/course.git")
    result = course()
    assert result.exit_code == 1
    assert "it needs a public repository" in result.output
