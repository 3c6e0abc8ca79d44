"""Groups: runs of so many neighbours along one dimension that share a scale, with the last one perhaps shorter.

A tensor of shape (out, in) has, for groups of g along its last dimension, scales of shape (out, ceil(in / g)). The
last group has what is left, where some libraries refuse a length that is no multiple, so that every layer has groups.
"""

import torch
from torch import Tensor

__all__ = ["check_group", "group_range", "spread"]


def check_group(group: int) -> int:
    """Return `group` if it is a whole number of at least 1. Raises: ValueError otherwise."""
    if isinstance(group, bool) or not isinstance(group, int) or group < 1:
        raise ValueError(f"group must be a whole number of at least 1, got {group!r}; None is one range for all")
    return group


def group_range(x: Tensor, group: int, axis: int) -> tuple[Tensor, Tensor]:
    """The minimum and the maximum of each group of `x` along `axis`, whose length becomes ceil(length / group).

    >>> group_range(torch.tensor([[1.0, 5.0, 2.0, 3.0, -4.0]]), 2, -1)
    (tensor([[ 1.,  2., -4.]]), tensor([[ 5.,  3., -4.]]))
    """
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"x must have a dimension {axis} to have groups along it, got shape {tuple(x.shape)}")
    length = x.shape[axis]
    axis %= x.ndim
    whole = length // group * group
    if not x.numel():
        shape = [-(-length // group) if d == axis else n for d, n in enumerate(x.shape)]
        return x.new_zeros(shape), x.new_zeros(shape)
    parts = [x.narrow(axis, 0, whole).unflatten(axis, (-1, group))] if whole else []
    if whole < length:
        parts.append(x.narrow(axis, whole, length - whole).unsqueeze(axis))
    lows, highs = ([end(part, dim=axis + 1) for part in parts] for end in (torch.amin, torch.amax))
    return torch.cat(lows, axis), torch.cat(highs, axis)


def spread(numbers: Tensor, group: int, axis: int, length: int) -> Tensor:
    """The number of its group for each of the `length` members along `axis`.

    Raises: ValueError where the groups do not belong to such a length.

    >>> spread(torch.tensor([1.0, 2.0, 3.0]), 2, 0, 5)
    tensor([1., 1., 2., 2., 3.])
    """
    count = numbers.shape[axis]
    if count != -(-length // group):
        raise ValueError(
            f"x must have between {(count - 1) * group + 1} and {count * group} numbers along dimension {axis} "
            f"for these {count} groups of {group}, got {length}; choose_qparams(x) anew"
        )
    return numbers.repeat_interleave(group, axis).narrow(axis, 0, length)
