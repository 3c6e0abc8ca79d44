"""Errors that say what was given, what is allowed, and the way out."""

from collections.abc import Collection

from torch import Tensor

__all__ = ["floating", "in_range", "one_of"]


def floating(name: str, x: object) -> Tensor:
    """Return `x` if it is a floating-point tensor. Raises: TypeError otherwise.

    >>> floating("w", [1.0])
    Traceback (most recent call last):
        ...
    TypeError: w must be a torch.Tensor, got list; wrap it in torch.as_tensor()
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(x).__name__}; wrap it in torch.as_tensor()")
    if not x.is_floating_point():
        raise TypeError(
            f"{name} must have a floating-point dtype, got {x.dtype}; convert it with .float() or .double()"
        )
    return x


def in_range(name: str, value: float, low: float, high: float, way_out: str = "") -> float:
    """Return `value` if low <= value <= high (NaN is outside). Raises: ValueError otherwise, with the way out.

    >>> in_range("bits", 1, 2, 16, "for one bit use binarize()")
    Traceback (most recent call last):
        ...
    ValueError: bits must be between 2 and 16, got 1; for one bit use binarize()
    """
    if not low <= value <= high:
        allowed = f"at least {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
        raise ValueError(f"{name} must be {allowed}, got {value!r}" + (f"; {way_out}" if way_out else ""))
    return value


def one_of(name: str, value: object, allowed: Collection[object]) -> None:
    """Check that `value` is among `allowed`. Raises: ValueError otherwise.

    >>> one_of("kind", "l3", ["l1", "l2"])
    Traceback (most recent call last):
        ...
    ValueError: kind must be one of 'l1', 'l2'; got 'l3'
    """
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}")
