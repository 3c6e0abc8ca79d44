"""Stands for modules that draw, ask or check, while work is graded: every name in it does nothing.

`library` writes this text in the place of such modules.
"""

from collections.abc import Iterator
from typing import Any


class Silent:
    """Any use of any part of it does nothing; as a decorator it leaves the function as it is."""

    def __getattr__(self, name: str) -> "Silent":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if len(args) == 1 and callable(args[0]) and not kwargs else self

    def __getitem__(self, key: Any) -> "Silent":
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *error: object) -> None:
        pass


def __getattr__(name: str) -> Silent:
    if name.startswith("__"):
        raise AttributeError(name)
    return Silent()
