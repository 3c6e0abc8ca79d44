"""Git's answers, and one sentence where there is none."""

from pathlib import Path

import pytest

from course_utils._support.git import GitError, current_branch, git, origin


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "a", settings=("user.name=A", "user.email=a@localhost"))
    return tmp_path


def test_what_git_prints_is_given_back(repository: Path) -> None:
    assert (
        git(repository, "hash-object", "-t", "blob", "--stdin", stdin="") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    )
    assert current_branch(repository) == "main"
    git(repository, "checkout", "--quiet", "--detach")
    assert current_branch(repository) == git(repository, "rev-parse", "HEAD")


def test_a_failure_is_one_sentence_or_an_empty_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GitError, match=f"git rev-parse in {tmp_path} failed: fatal: not a git repository"):
        git(tmp_path, "rev-parse", "HEAD")
    assert git(tmp_path, "rev-parse", "HEAD", check=False) == ""
    assert (current_branch(tmp_path), origin(tmp_path)) == ("HEAD", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git, which is not installed"):
        git(tmp_path, "--version")
    assert git(tmp_path, "--version", check=False) == ""
