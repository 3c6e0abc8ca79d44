"""Stands for modules that draw, ask or check, while work is graded: every name in it does nothing.

`library` writes this text in the place of such modules.
"""

from typing import Any


class Silent:
    """Any call of any part of it does nothing."""

    def __getattr__(self, name: str) -> "Silent":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> "Silent":
        return self


def __getattr__(name: str) -> Silent:
    if name.startswith("__"):
        raise AttributeError(name)
    return Silent()
