"""k-means in one dimension: k values that stand for many, with the minimum sum of squared errors (lecture, section 07).

In one dimension a cluster is a run of the sorted values. So they are sorted once, sums over any run come from prefix
sums in float64, and a step of Lloyd's algorithm costs k binary searches, however many values there are.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from course_utils._support.check import floating, in_range, one_of
from course_utils.methods.codebook.exact import best_cuts

__all__ = ["Codebook", "fit_codebook"]


@dataclass(frozen=True, eq=False)
class Codebook:
    """`centroids` (k,), rising, in the type of the values, and for each value the index of its centroid.

    `indices` has the shape of the values and the smallest of uint8, int16 and int32 that holds k - 1.
    """

    centroids: Tensor
    indices: Tensor

    def decode(self) -> Tensor:
        """centroids[indices], in the shape of the indices.

        >>> Codebook(torch.tensor([-1.0, 2.0]), torch.tensor([[0, 1], [1, 1]])).decode()
        tensor([[-1.,  2.],
                [ 2.,  2.]])
        """
        return self.centroids[self.indices.long()]

    @property
    def bits(self) -> int:
        """Bits per index, ceil(log2 k)."""
        return max(0, len(self.centroids) - 1).bit_length()


def fit_codebook(
    values: Tensor,
    *,
    size: int,
    init: str = "exact",
    weights: Tensor | None = None,
    iterations: int = 300,
    generator: torch.Generator | None = None,
) -> Codebook:
    """A codebook of at most `size` centroids for `values` of any shape, by k-means (Han, Mao, Dally 2015).

    minimize sum_i weights_i (values_i - centroids[indices_i])^2; ties go to the lower centroid.

    `init`: where the centroids start. "linear": equally spaced from the minimum to the maximum; "density": at equally
    spaced quantiles; "random": at values drawn with `generator`; "exact": at the optimum over 512 to 2,048 places to
    cut, which is the optimum itself for fewer different values than that. Then Lloyd's steps follow, until nothing
    changes or for `iterations`; 0 returns the start. A cluster that runs empty takes half of the one with the largest
    error. `weights`: how much each value counts, not negative. Fewer different values than `size` give fewer centroids.
    (arXiv:1510.00149, section 3; Lloyd 1982.)

    Raises: TypeError if values is not a floating tensor; ValueError for NaN or infinity, a size outside 1 to 65,536,
    another init, or weights of another shape.

    >>> book = fit_codebook(torch.tensor([0.0, 0.1, 5.0, 5.2]), size=2)
    >>> book.centroids, book.indices
    (tensor([0.0500, 5.1000]), tensor([0, 0, 1, 1], dtype=torch.uint8))
    """
    _check(values, size, init, weights, iterations)
    flat = values.detach().reshape(-1).contiguous()  # so that sums do not depend on the layout in memory
    if not flat.numel():
        return Codebook(flat, torch.zeros(values.shape, dtype=torch.uint8, device=values.device))
    runs = Runs.of(flat, weights)
    centroids = _start(runs, size, init, generator)
    for _ in range(iterations):
        moved = runs.means(_split_empty(runs, runs.cuts(centroids), size))
        if torch.equal(moved, centroids):
            break
        centroids = moved
    # Rounding to the type of the values may make two centroids equal.
    centroids = centroids.to(values.dtype).unique()
    return Codebook(centroids, _assign(runs, centroids).reshape(values.shape))


def _check(values: Tensor, size: int, init: str, weights: Tensor | None, iterations: int) -> None:
    floating("values", values)
    in_range("size", size, 1, 2**16)
    in_range("iterations", iterations, 0, float("inf"))
    one_of("init", init, ("linear", "density", "random", "exact"))
    if not bool(torch.isfinite(values).all()):
        raise ValueError(
            "values must be finite to be clustered, got NaN or infinity; select with torch.isfinite(values)"
        )
    if weights is None:
        return
    if floating("weights", weights).shape != values.shape:
        raise ValueError(f"weights must have the shape of values, {tuple(values.shape)}, got {tuple(weights.shape)}")
    if not bool((weights >= 0).all() & torch.isfinite(weights).all()):
        raise ValueError("weights must be finite and not negative; use weights.clamp(min=0)")


class Runs(NamedTuple):
    """Sorted values, and sums over the first n of them for each n; shifted by their mean, which saves digits."""

    sorted: Tensor  # (n,) in the type that they were compared in
    order: Tensor  # (n,) where each came from
    shifted: Tensor  # (n,) float64
    mass: Tensor | None  # (n + 1,) sum of weights; None where each counts 1
    first: Tensor  # (n + 1,) sum of weight * value
    second: Tensor  # (n + 1,) sum of weight * value^2
    shift: Tensor

    @classmethod
    def of(cls, flat: Tensor, weights: Tensor | None) -> "Runs":
        """The runs of values (n,), not sorted, with weights of the same shape or None."""
        shift = flat.double().mean()
        ordered, order = _sorted(flat)
        shifted = ordered.double().sub_(shift) if ordered.dtype != torch.float64 else ordered - shift
        if weights is None:
            return cls(ordered, order, shifted, None, _prefix(shifted), _prefix(shifted * shifted), shift)
        w = weights.reshape(-1).double()[order]
        if not bool(w.sum() > 0):
            w = torch.ones_like(w)  # where all weights are 0, all values count the same
        return cls(ordered, order, shifted, _prefix(w), _prefix(w * shifted), _prefix(w * shifted * shifted), shift)

    def mass_at(self, places: Tensor) -> Tensor:
        """The mass in front of each place."""
        return places.double() if self.mass is None else self.mass[places]

    def cuts(self, centroids: Tensor) -> Tensor:
        """Where the run of values nearest to each centroid ends, (k + 1,) with 0 in front."""
        centroids = centroids - self.shift
        middle = (centroids[1:] + centroids[:-1]) / 2
        inner = torch.searchsorted(self.shifted, middle, right=True)
        ends = inner.new_tensor([0, len(self.shifted)])
        return torch.cat([ends[:1], inner, ends[1:]])

    def means(self, cuts: Tensor) -> Tensor:
        """The mean of each run; a run without mass is left out."""
        mass, first = self.mass_at(cuts).diff(), self.first[cuts].diff()
        means = first / mass + self.shift
        return means if bool((mass > 0).all()) else means[mass > 0]

    def errors(self, cuts: Tensor) -> Tensor:
        """The sum of squared differences to the mean in each run."""
        mass, first = self.mass_at(cuts).diff(), self.first[cuts].diff()
        return (self.second[cuts].diff() - first * first / mass.clamp(min=1e-300)).clamp(min=0)


def _prefix(x: Tensor) -> Tensor:
    sums = x.new_empty(len(x) + 1)
    sums[0] = 0
    torch.cumsum(x, 0, out=sums[1:])
    return sums


def _sorted(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Finite values in order, and where each came from.

    On a CPU torch sorts integers by radix, on all cores and ten times as fast as floats; and the bits of a float, read
    as an integer, are in its order, but backwards for negative numbers until all bits below the sign are flipped.
    """
    if flat.device.type != "cpu":
        return torch.sort(flat)
    if flat.dtype != torch.float64:
        flat = flat.float()
    kind, sign = (torch.int64, 63) if flat.dtype == torch.float64 else (torch.int32, 31)

    def flip(bits: Tensor) -> Tensor:
        return (bits >> sign).bitwise_and_(torch.iinfo(kind).max).bitwise_xor_(bits)

    keys, order = torch.sort(flip(flat.contiguous().view(kind)))
    return flip(keys).view(flat.dtype), order


def _start(runs: Runs, size: int, init: str, generator: torch.Generator | None) -> Tensor:
    values, n = runs.shifted, len(runs.shifted)
    if init == "exact":
        return runs.means(best_cuts(values, runs.mass_at, runs.first, runs.second, size))
    if init == "linear":
        low, high = float(values[0]), float(values[-1])
        start = torch.linspace(low, high, size, dtype=values.dtype, device=values.device)
    elif init == "density":
        places = ((torch.arange(size, device=values.device) + 0.5) / size * n).long()
        start = values[places.clamp(max=n - 1)]
    else:
        device = values.device if generator is None else generator.device
        drawn = torch.randperm(n, generator=generator, device=device)[:size]
        start = values[drawn.to(values.device)].sort().values
    return start + runs.shift


def _split_empty(runs: Runs, cuts: Tensor, size: int) -> Tensor:
    """Cuts with each empty run dropped, and a cut at the mean of a run of large error for each that is missing."""
    filled = cuts.diff() > 0
    cuts = torch.cat([cuts[:1], cuts[1:][filled]])
    missing = size - (len(cuts) - 1)
    if missing <= 0:
        return cuts
    errors = runs.errors(cuts)
    worst = errors.topk(min(missing, len(errors))).indices
    worst = worst[errors[worst] > 1e-12 * errors.sum()]
    mass, first = runs.mass_at(cuts).diff(), runs.first[cuts].diff()
    middle = (first / mass.clamp(min=1e-300))[worst]
    return torch.cat([cuts, torch.searchsorted(runs.shifted, middle, right=True)]).unique()


def _assign(runs: Runs, centroids: Tensor) -> Tensor:
    """The index of the nearest centroid for each value, in the original order."""
    middle = (centroids[1:].double() + centroids[:-1].double()) / 2
    if runs.sorted.dtype != torch.float64:
        middle = _round_down(middle)
    inner = torch.searchsorted(runs.sorted, middle, right=True)
    ends = inner.new_tensor([0, len(runs.sorted)])
    size = len(centroids)
    kind = torch.uint8 if size <= 2**8 else torch.int16 if size <= 2**15 else torch.int32
    numbers = torch.arange(size, device=centroids.device).to(kind)
    counts = torch.cat([ends[:1], inner, ends[1:]]).diff()
    indices = torch.empty(len(runs.sorted), dtype=kind, device=centroids.device)
    return indices.scatter_(0, runs.order, numbers.repeat_interleave(counts))


def _round_down(x: Tensor) -> Tensor:
    """The largest float32 that is not above x: float32 numbers compare with it as they do with x."""
    near = x.float()
    return torch.where(near.double() > x, torch.nextafter(near, near.new_tensor(-torch.inf)), near)
