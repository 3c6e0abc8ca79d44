"""The address at which mybinder.org runs a repository, made from the repository's own address.

    https://mybinder.org/v2/gh/OWNER/REPO/BRANCH?urlpath=lab/tree/PATH

Binder knows GitHub (gh) and GitLab (gl) by their names, and any other public repository by its address (git). The forms
of these addresses: https://mybinder.readthedocs.io/en/latest/howto/user_interface.html
"""

import re
from urllib.parse import quote

__all__ = ["BinderLinkError", "badge", "binder_link"]

HOME = "https://mybinder.org"
# https://[user[:password]@]host[:port]/path, the same with ssh:// or git://, or the short form of ssh: [user@]host:path
LONG = re.compile(r"(?:https?|ssh|git)://(?:[^/@]*@)?(?P<host>[^/:]+)(?::\d+)?/(?P<path>.+)")
SHORT = re.compile(r"(?:[^/@:]+@)?(?P<host>[^/:]+\.[^/:]+):(?!//)(?P<path>[^/].*)")


class BinderLinkError(ValueError):
    """There is no address that Binder could open; the message says what to do."""


def binder_link(repository: str, *, branch: str, path: str) -> str:
    """The link that opens `path` of a public repository in JupyterLab on Binder.

    Raises: BinderLinkError if `repository` is not the address of a repository that another machine could open.

    >>> binder_link("git@github.com:ada/course.git", branch="main", path="notebooks/a.ipynb")
    'https://mybinder.org/v2/gh/ada/course/main?urlpath=lab/tree/notebooks/a.ipynb'
    """
    address = repository.strip()
    match = LONG.fullmatch(address) or SHORT.fullmatch(address)
    name = match["path"].strip("/").removesuffix(".git") if match else ""
    if match is None or not name:
        raise BinderLinkError(
            f"{repository!r} is not an address that Binder can open; it needs a public repository, such as "
            "https://github.com/OWNER/REPO"
        )
    host = match["host"].lower().removeprefix("www.")
    if host == "github.com" and name.count("/") == 1:
        spec = f"gh/{quote(name)}"
    elif host == "gitlab.com":  # where groups may lie within groups
        spec = f"gl/{quote(name, safe='')}"
    else:
        spec = f"git/{quote(f'https://{host}/{name}', safe='')}"
    return f"{HOME}/v2/{spec}/{quote(branch)}?urlpath=lab/tree/{quote(path)}"


def badge(link: str) -> str:
    """The link as a picture to click on, in Markdown."""
    return f"[![Open on Binder]({HOME}/badge_logo.svg)]({link})"
