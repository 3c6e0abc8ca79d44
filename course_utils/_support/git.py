"""The one place that runs git."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

__all__ = ["GitError", "current_branch", "git", "origin"]


class GitError(RuntimeError):
    """git is not installed, or refuses a command; the message says which, and what git answered."""


def git(
    folder: Path,
    *arguments: str,
    check: bool = True,
    stdin: str | None = None,
    settings: Sequence[str] = (),
    timeout: float = 60,
) -> str:
    """What git prints for a command in `folder`, without the last line end.

    `check`: raise where the command fails; otherwise a failure, or a machine without git, gives an empty text.
    `stdin`: what the command reads. `settings`: of git for this command alone, such as "core.autocrlf=false".

    Raises: GitError, if `check` is set.

    >>> git(Path.cwd(), "--version").startswith("git version")
    True
    """
    command = ["git", "-C", str(folder), *(part for setting in settings for part in ("-c", setting)), *arguments]
    try:
        return _run(command, stdin, timeout, f"git {arguments[0]} in {folder}")
    except GitError:
        if check:
            raise
        return ""


def _run(command: Sequence[str], stdin: str | None, timeout: float, what: str) -> str:
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=timeout
        )
    except FileNotFoundError as problem:
        raise GitError("this needs git, which is not installed; install it from https://git-scm.com") from problem
    except subprocess.TimeoutExpired as problem:
        raise GitError(f"{what} did not end in {timeout:g} s") from problem
    if done.returncode != 0:
        raise GitError(f"{what} failed: {done.stderr.strip() or 'it gave no reason'}")
    return done.stdout.rstrip("\n")


def current_branch(folder: Path) -> str:
    """The branch that is checked out; its commit where there is no branch, "HEAD" where there is no repository."""
    return (
        git(folder, "symbolic-ref", "--short", "--quiet", "HEAD", check=False)
        or git(folder, "rev-parse", "HEAD", check=False)
        or "HEAD"
    )


def origin(folder: Path) -> str | None:
    """The address from which the repository in `folder` was cloned; None where it has none."""
    return git(folder, "remote", "get-url", "origin", check=False) or None
