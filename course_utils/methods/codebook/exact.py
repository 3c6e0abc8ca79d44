"""The optimal clusters in one dimension, by dynamic programming over the places where a run may end.

    error(k, j) = min_{i <= j} error(k - 1, i) + cost(i, j)

is the minimum error of the first j places in k runs. The optimal i rises with j, so for one k the middle j is solved
first and halves the search for the others (Wu 1991; Gronlund et al. 2017, arXiv:1701.07204): m log m steps for each k,
all j of a level at once.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

__all__ = ["best_cuts"]

Cost = Callable[[np.ndarray, np.ndarray], np.ndarray]
PLACES = 512, 2048  # minimum and maximum: eight for each centroid, and Lloyd's steps do the rest


def best_cuts(values: Tensor, mass_at: Callable[[Tensor], Tensor], first: Tensor, second: Tensor, size: int) -> Tensor:
    """Where the optimal k <= `size` runs of sorted `values` (n,) end, (k + 1,) with 0 in front.

    `first`, `second` (n + 1,): prefix sums of the values and of their squares. `mass_at(places)`: the mass in front of
    each place. Runs may end only between different values. Where there are many more of those than eight for each run
    (`PLACES`), some are selected, so that an optimal quantizer would have about as many levels between any two of them
    (Panter, Dite 1951: a density of levels in proportion to the cube root of the density of values).

    >>> x = torch.tensor([0.0, 0.1, 5.0, 5.2], dtype=torch.float64)
    >>> sums = [torch.cat([x.new_zeros(1), torch.cumsum(x**power, 0)]) for power in (1, 2)]
    >>> best_cuts(x, lambda places: places.double(), *sums, size=2)
    tensor([0, 2, 4])
    """
    places = _places(values, maximum=min(PLACES[1], max(PLACES[0], 8 * size)))
    mass, first, second = (sums.cpu() for sums in (mass_at(places), first[places], second[places]))
    runs = _solve(mass.numpy(), first.numpy(), second.numpy(), size)
    return places[torch.from_numpy(runs).to(places.device)]


def _places(values: Tensor, maximum: int) -> Tensor:
    n = len(values)
    places = _sample(n, maximum, values.device)
    if int((values[places].diff() > 0).sum()) < maximum:  # few, or nearly all equal: take every change
        places = (values.diff() > 0).nonzero().squeeze(1) + 1
    if len(places) > maximum:
        places = _thin_out(values, places, maximum)
    ends = places.new_tensor([0, n])
    return torch.cat([ends[:1], places, ends[1:]])


def _thin_out(values: Tensor, places: Tensor, maximum: int) -> Tensor:
    """At most `maximum` of the places, spread as the levels of an optimal quantizer."""
    # Where mass p lies on a width d, the cube root of the density times the width is p^(1/3) d^(2/3).
    levels = torch.cumsum(places.diff() ** (1 / 3) * values[places].diff() ** (2 / 3), 0)
    wanted = torch.linspace(0, 1, maximum + 1, device=values.device, dtype=torch.float64)[1:-1] * levels[-1]
    near = places[1:][torch.searchsorted(levels, wanted).clamp(max=len(levels) - 1)]
    starts = torch.searchsorted(values, values[near]).unique()  # not inside a run of equal values
    return starts[starts > 0]


def _sample(n: int, maximum: int, device: torch.device) -> Tensor:
    """Indices of sorted values: evenly spread, and all of them at both ends, where the tails are thin."""
    even = torch.linspace(0, n - 1, 8 * maximum, device=device, dtype=torch.float64).long()
    ends = torch.arange(min(n, 4 * maximum), device=device)
    return torch.cat([even, ends, n - 1 - ends]).unique()


def _solve(mass: np.ndarray, first: np.ndarray, second: np.ndarray, size: int) -> np.ndarray:
    """The ends of the optimal runs as indices of places, with 0 in front."""
    m = len(mass) - 1
    size = min(size, m)

    def cost(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        weight, sums = mass[j] - mass[i], first[j] - first[i]
        return second[j] - second[i] - sums * sums / np.maximum(weight, 1e-300)

    error = cost(np.zeros(m + 1, int), np.arange(m + 1))
    last_starts = np.zeros((size, m + 1), np.int32)
    for k in range(1, size):
        error, last_starts[k] = _layer(error, cost, k)
    ends = [m]
    for k in range(size - 1, 0, -1):
        ends.append(int(last_starts[k, ends[-1]]))
    return np.unique([0, *ends])


def _layer(before: np.ndarray, cost: Cost, k: int) -> tuple[np.ndarray, np.ndarray]:
    """For each j the minimum error of the first j places in k + 1 runs, and where the last of them starts."""
    m = len(before) - 1
    error, start = np.full(m + 1, np.inf), np.full(m + 1, k)
    stride = 1 << (m - k).bit_length() - 1
    while stride:
        j = np.arange(k + stride, m + 1, 2 * stride)
        # Those at even multiples of the stride were solved before; at k and beyond m there are none.
        low, high = start[j - stride], np.append(start, m)[np.minimum(j + stride, m + 1)]
        error[j], start[j] = _minima(before, cost, j, low, np.minimum(high, j - 1))
        stride //= 2
    return error, start


def _minima(
    before: np.ndarray, cost: Cost, j: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each j the minimum of before[i] + cost(i, j) over low <= i <= high, and the first i that attains it."""
    lengths = high - low + 1
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    segment = np.repeat(np.arange(len(j)), lengths)  # the index into j of each candidate i
    i = np.arange(len(segment)) - starts[segment] + low[segment]
    total = before[i] + cost(i, j[segment])
    minima = np.minimum.reduceat(total, starts)
    hits = np.flatnonzero(total == minima[segment])
    firsts = hits[np.searchsorted(segment[hits], np.arange(len(j)))]
    return minima, i[firsts]
