"""What a Python function consists of beside its arguments: its code, and the variables that it uses."""

import dis
import importlib.util
import sys
import sysconfig
import types
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from course_utils._support.paths import PACKAGE

__all__ = ["code_checksum", "is_installed", "used_variables"]

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
PACKAGES = {"site-packages", "dist-packages"}


@cache
def is_installed(module: str) -> bool:
    """Whether a module is Python's, this package's or another installed one's, and not the user's.

    >>> is_installed("torch.nn"), is_installed("builtins"), is_installed("__main__")
    (True, True, False)
    """
    root = module.partition(".")[0]
    if root in ("__main__", PACKAGE.name):
        return root == PACKAGE.name
    file = _file(root)
    if file is None:  # it is compiled into Python, or known by no name
        return root in sys.stdlib_module_names
    return Path(file).is_relative_to(STANDARD_LIBRARY) or not PACKAGES.isdisjoint(Path(file).parts)


def _file(root: str) -> str | None:
    """The file of a module that is imported or can be; None for one without a file, and for one that is not there."""
    if root in sys.modules:
        return getattr(sys.modules[root], "__file__", None)
    spec = importlib.util.find_spec(root)
    return spec.origin if spec is not None and spec.has_location else None


def code_checksum(code: types.CodeType) -> str:
    """A checksum of what a code does; of the same source it is the same, wherever the source stands.

    >>> code_checksum((lambda x: x + 1).__code__) == code_checksum((lambda y: y + 1).__code__)
    True
    """
    return f"{zlib.crc32(repr(_parts(code)).encode()):08x} of Python {sys.version_info[0]}.{sys.version_info[1]}"


def _parts(code: types.CodeType) -> list[Any]:
    counts = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags]
    return [code.co_code, code.co_names, code.co_exceptiontable, *counts, *map(_constant, code.co_consts)]


def _constant(value: Any) -> Any:
    """A constant of a code, where a set has no order and a code no address."""
    if isinstance(value, types.CodeType):
        return _parts(value)
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    return [_constant(part) for part in value] if isinstance(value, tuple) else value


def used_variables(function: types.FunctionType) -> dict[str, Any]:
    """The global variables that a function uses, by name, also those of the user's modules.

    >>> used_variables(lambda x: Path(x) / missing)
    {'Path': <class 'pathlib.Path'>}
    """
    variables: dict[str, Any] = {}
    for code in _codes(function.__code__):
        instructions = [(part.opname, part.argval) for part in dis.get_instructions(code)]
        for i, (operation, name) in enumerate(instructions):
            if operation in ("LOAD_GLOBAL", "LOAD_NAME") and name in function.__globals__:
                value = function.__globals__[name]
                for following, attribute in instructions[i + 1 :]:
                    if following not in ("LOAD_ATTR", "LOAD_METHOD") or not _is_of_user(value):
                        break
                    name, value = f"{name}.{attribute}", getattr(value, attribute, None)
                variables[name] = value
            elif operation == "IMPORT_NAME":
                (_, level), (_, names) = instructions[i - 2 : i]
                if level or not is_installed(name):
                    variables["." * level + name] = _imported(name, function.__globals__, names, level)
    return variables


def _imported(name: str, variables: dict[str, Any], names: tuple[str, ...] | None, level: int) -> Any:
    """The module that an import in a function gives; None for one that is not there, which the function may expect."""
    try:
        module = __import__(name, variables, None, names or (), level)
    except ImportError:
        return None
    return module if names else sys.modules[name]


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code, and those of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _is_of_user(value: Any) -> bool:
    return isinstance(value, types.ModuleType) and not is_installed(value.__name__)
