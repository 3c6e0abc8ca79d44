"""What an installation lacks, in a sentence: which extra of the package brings a module that is not installed.

The base of `course-utils` is what the methods, the coders, training and compression need; pyproject.toml says what each
extra adds.
"""

import re
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

__all__ = ["lacking", "require"]

PACKAGE = "course-utils"
# Modules whose distribution has another name.
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "IPython": "ipykernel", "distributed": "dask"}
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+).*;.*extra == ['\"](?P<extra>\w+)['\"]")


def require(*modules: str) -> None:
    """Raise ModuleNotFoundError, with the way to install it, for the first of `modules` that is not there.

    >>> require("json")
    """
    for module in modules:
        if find_spec(module) is None:
            raise ModuleNotFoundError(lacking(module) or f"{module} is not installed", name=module)


def lacking(module: str) -> str:
    """How to install a module that is missing; empty for one that is in no extra of the package.

    >>> lacking("PIL.Image")
    "PIL is not installed; it comes with an extra: pip install 'course-utils[course]'"
    >>> lacking("numpy")
    ''
    """
    top = module.partition(".")[0]
    name = DISTRIBUTIONS.get(top, top)
    for extra in _extras(re.sub(r"[-_.]+", "-", name).lower()):
        return f"{top} is not installed; it comes with an extra: pip install '{PACKAGE}[{extra}]'"
    return ""


def _extras(distribution: str) -> list[str]:
    """The extras that bring a distribution, in the order of pyproject.toml."""
    try:
        requirements = [REQUIREMENT.match(line) for line in requires(PACKAGE) or []]
    except PackageNotFoundError:  # the package is used from a folder without being installed
        return []
    return [match["extra"] for match in requirements if match and match["name"].lower() == distribution]
