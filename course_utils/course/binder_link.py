"""The address at which mybinder.org runs a repository, made from the repository's own address.

    https://mybinder.org/v2/gh/OWNER/REPO/BRANCH?urlpath=lab/tree/PATH

Binder knows GitHub (gh), GitLab (gl) and gists by their names, and any other public repository by its whole address
(git). The forms of these addresses: https://mybinder.readthedocs.io/en/latest/howto/user_interface.html
"""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

__all__ = ["BinderLinkError", "badge", "binder_link", "current_branch", "is_pushed", "origin"]

HOME = "https://mybinder.org"
# https://[user[:password]@]host[:port]/path, the same with ssh:// or git://, or the short form of ssh: [user@]host:path
LONG = re.compile(r"(?:https?|ssh|git)://(?:[^/@]*@)?(?P<host>[^/:]+)(?::\d+)?/(?P<path>.+)")
SHORT = re.compile(r"(?:[^/@:]+@)?(?P<host>[^/:]+\.[^/:]+):(?!//)(?P<path>[^/].*)")


class BinderLinkError(ValueError):
    """There is no address that Binder could open; the message says what to do."""


class Address(NamedTuple):
    """Where a repository lies, without the user, the password and the way in."""

    host: str
    path: str


def parse(repository: str) -> Address:
    """The host and the path of a repository's address.

    Raises: BinderLinkError for what is no address that another machine could open.

    >>> parse("git@github.com:ada/course.git")
    Address(host='github.com', path='ada/course')
    """
    match = LONG.fullmatch(repository.strip()) or SHORT.fullmatch(repository.strip())
    path = match["path"].strip("/").removesuffix(".git") if match else ""
    if match is None or not path:
        raise BinderLinkError(
            f"{repository!r} is no address that Binder can open; it needs a public repository, such as "
            "https://github.com/OWNER/REPO. Name one by --repo"
        )
    return Address(match["host"].lower().removeprefix("www."), path)


def binder_link(repository: str, *, branch: str, path: str) -> str:
    """The link that opens `path` of a public repository in JupyterLab on Binder.

    Raises: BinderLinkError if `repository` is no address of a repository.

    >>> binder_link("https://github.com/ada/course.git", branch="main", path="notebooks/a.ipynb")
    'https://mybinder.org/v2/gh/ada/course/main?urlpath=lab/tree/notebooks/a.ipynb'
    """
    where, ref = parse(repository), quote(branch)
    parts = where.path.split("/")
    if where.host == "github.com" and len(parts) == 2:
        spec = f"gh/{quote(where.path)}/{ref}"
    elif where.host == "gitlab.com" and len(parts) >= 2:  # groups may lie within groups
        spec = f"gl/{quote(where.path, safe='')}/{ref}"
    elif where.host == "gist.github.com" and len(parts) == 2:
        spec = f"gist/{quote(where.path)}/{ref}"
    else:
        spec = f"git/{quote(f'https://{where.host}/{where.path}', safe='')}/{ref}"
    return f"{HOME}/v2/{spec}?urlpath=lab/tree/{quote(path)}"


def badge(link: str) -> str:
    """The link as a picture to click on, in Markdown."""
    return f"[![Open on Binder]({HOME}/badge_logo.svg)]({link})"


# What the repository says about itself


def origin(folder: Path) -> str:
    """The address from which the repository in `folder` was cloned.

    Raises: BinderLinkError where there is none.
    """
    address = _git(folder, "remote", "get-url", "origin")
    if address is None:
        raise BinderLinkError(
            f"the repository in {folder} has no remote called origin, so its public address is not known. Push it to "
            "GitHub or GitLab and run `git remote add origin ADDRESS`, or name the address by --repo"
        )
    return address


def current_branch(folder: Path) -> str:
    """The branch that is checked out; its commit where there is no branch, "HEAD" where there is no git."""
    branch = _git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    return branch or _git(folder, "rev-parse", "HEAD") or "HEAD"


def is_pushed(folder: Path, branch: str) -> bool:
    """Whether this copy has seen the branch, or the commit, at its origin."""
    if _git(folder, "rev-parse", "--verify", "--quiet", f"refs/remotes/origin/{branch}"):
        return True
    return bool(_git(folder, "branch", "--remotes", "--contains", branch))


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None where it fails or is not installed."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
