"""Exercise 07: the stages of Deep Compression (Han, Mao, Dally 2015, arXiv:1510.00149)."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils.coding.gaps import encode_gaps
from course_utils.coding.huffman import HuffmanCode
from course_utils.exercises.task import Case, Exercise, Mistake, Task, Written, seeded
from course_utils.methods.codebook import centroid_gradient
from course_utils.methods.codebook.kmeans import Runs, _assign
from course_utils.methods.prune import Pruner, magnitude_mask

__all__ = ["EXERCISE"]

# Task 1: prune, and retrain for one step


def pruning_cases(seed: int) -> Sequence[Case]:
    """Matrices in which rounding matters; as edge cases nothing and everything is removed."""
    generator = seeded(seed)
    cases = []
    for shape, sparsity, lr in [((2, 3), 0.3, 0.5), ((4, 2), 0.6, 0.1), ((3, 7), 0.4, 1.0), ((16, 9), 0.9, 0.2)]:
        w, gradient = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
        cases.append(Case((w, gradient), {"sparsity": sparsity, "lr": lr}))
    cases.append(Case(cases[0].args, {"sparsity": 0.0, "lr": 0.5}, "nothing is removed"))
    cases.append(Case(cases[1].args, {"sparsity": 1.0, "lr": 0.5}, "everything is removed"))
    return cases


def prune_and_step(w: Tensor, gradient: Tensor, *, sparsity: float, lr: float) -> Tensor:
    """Prune by magnitude, then one step of SGD under the mask."""
    layer = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
    layer.weight.data, layer.weight.grad = w, gradient
    with Pruner(layer).prune(sparsity=sparsity):
        torch.optim.SGD(layer.parameters(), lr=lr).step()
    return layer.weight.data


def _removing(number: int, w: Tensor, gradient: Tensor, lr: float) -> Tensor:
    """The correct step where so many weights are removed."""
    return prune_and_step(w, gradient, sparsity=min(number / w.numel(), 1), lr=lr)


def _removed(w: Tensor, sparsity: float) -> int:
    return int((~magnitude_mask(w, sparsity=sparsity)).sum())


PRUNING = Task(
    "prune_and_step",
    "Prune, and retrain for one step",
    3,
    prune_and_step,
    pruning_cases,
    (
        Mistake(
            "mask not put back",
            "the gradient of a pruned weight is not zero, so the step moves the weight away from zero again; the mask "
            "must be applied after the step as well.",
            lambda w, gradient, sparsity, lr: w * magnitude_mask(w, sparsity=sparsity) - lr * gradient,
        ),
        Mistake(
            "never set to zero",
            "pruned weights become zero; yours are only kept from moving.",
            lambda w, gradient, sparsity, lr: w - lr * gradient * magnitude_mask(w, sparsity=sparsity),
        ),
        Mistake(
            "share kept for share removed",
            "the sparsity is the share that is removed; yours keeps this share.",
            lambda w, gradient, sparsity, lr: _removing(w.numel() - _removed(w, sparsity), w, gradient, lr),
        ),
        Mistake(
            "signs count",
            "a weight is small if its magnitude |w| is small; yours removes the most negative ones.",
            lambda w, gradient, sparsity, lr: (w - lr * gradient) * magnitude_mask(w - w.min(), sparsity=sparsity),
        ),
        Mistake(
            "mask of the moved weights",
            "the mask belongs to the weights before the step; yours comes from those after it.",
            lambda w, gradient, sparsity, lr: (
                (w - lr * gradient) * magnitude_mask(w - lr * gradient, sparsity=sparsity)
            ),
        ),
        Mistake(
            "uphill",
            "a step goes against the gradient; yours goes with it, and the loss rises.",
            lambda w, gradient, sparsity, lr: prune_and_step(w, -gradient, sparsity=sparsity, lr=lr),
        ),
        Mistake(
            "rounded down",
            "the number of weights to remove is rounded to the nearest integer; yours is rounded down.",
            lambda w, gradient, sparsity, lr: _removing(int(sparsity * w.numel()), w, gradient, lr),
        ),
    ),
    (
        "methods.prune.magnitude_mask",
        "methods.prune.Pruner",
        "methods.prune.iterative_prune",
        "methods.prune._keep_largest",
        "methods.semi_structured.n_of_m_mask",
        "methods.movement.MovementMask",
    ),
)

# Task 2: gaps with fillers


def row_cases(seed: int) -> Sequence[Case]:
    """The lecture's row and random ones; as edge cases position 0, a distance of exactly 2^bits, and an empty row."""
    generator = seeded(seed)
    cases = [Case((_row(20, {1: 3.4, 4: 0.9, 15: 1.7}),), {"bits": 3})]
    for size, share, bits in [(12, 0.4, 1), (40, 0.1, 2), (150, 0.06, 3), (300, 0.04, 4)]:
        mask = torch.rand(size, generator=generator) < share
        mask[0], mask[size // 2], mask[size - 2] = False, True, True
        cases.append(Case((torch.randn(size, generator=generator) * mask,), {"bits": bits}))
    cases.append(Case((_row(6, {0: 1.5, 3: -2.0}),), {"bits": 2}, "a weight at position 0 has the gap 0"))
    cases.append(Case((_row(16, {3: 1.0, 7: 0.5, 15: -0.5}),), {"bits": 2}, "spans of 4 and of 8, with gaps up to 4"))
    cases.append(Case((_row(5, {}),), {"bits": 3}, "a row of zeros: nothing is stored"))
    return cases


def _row(size: int, values: dict[int, float]) -> Tensor:
    row = torch.zeros(size)
    for place, value in values.items():
        row[place] = value
    return row


def sparse_row(w: Tensor, *, bits: int) -> tuple[Tensor, Tensor]:
    """The gaps of the stored places, and their values."""
    gaps, fillers = encode_gaps((w != 0).numpy(), bits=bits)
    values = torch.zeros(len(gaps))
    values[torch.from_numpy(~fillers)] = w[w != 0]
    return torch.from_numpy(gaps.astype("int64")), values


def _stored(w: Tensor, limit: int, fillers: Callable[[int], int]) -> tuple[Tensor, Tensor]:
    """A row in which a span of s places is given fillers(s) fillers, each `limit` places on."""
    places = w.nonzero().flatten()
    gaps: list[int] = []
    values: list[float] = []
    for span, value in zip(places.diff(prepend=torch.tensor([0])).tolist(), w[places].tolist(), strict=True):
        n = fillers(span)
        gaps += [limit] * n + [span - limit * n]
        values += [0.0] * n + [value]
    return torch.tensor(gaps), torch.tensor(values)


def _clipped(w: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    gaps, values = _stored(w, 0, lambda span: 0)
    return gaps.clamp(max=2**bits), values


ROW = Task(
    "sparse_row",
    "Gaps with fillers",
    3,
    sparse_row,
    row_cases,
    (
        Mistake(
            "gaps up to one less",
            "a gap of b bits goes from 1 to 2^b, as no gap but the first is 0; yours stop at 2^b - 1.",
            lambda w, bits: _stored(w, 2**bits - 1, lambda span: max(span - 1, 0) // (2**bits - 1)),
        ),
        Mistake(
            "no fillers",
            "a gap above 2^b cannot be written with b bits: it has to be split by a filler zero.",
            lambda w, bits: _stored(w, 0, lambda span: 0),
        ),
        Mistake(
            "long gaps cut",
            "a long gap that is clipped leads to the wrong place: the rest of the distance is missing. Store a filler "
            "zero, and go on from there.",
            _clipped,
        ),
        Mistake(
            "one filler at most",
            "a very long distance needs more than one filler; yours stops after the first.",
            lambda w, bits: _stored(w, 2**bits, lambda span: int(span > 2**bits)),
        ),
        Mistake(
            "filler too early",
            "a distance of exactly 2^b fits into a single gap; yours puts a filler there, and a gap of 0 after it.",
            lambda w, bits: _stored(w, 2**bits, lambda span: span // 2**bits),
        ),
        Mistake(
            "positions from 1",
            "the first gap is counted from position 0: a weight at position 1 has the gap 1. Yours is one more.",
            lambda w, bits: sparse_row(torch.cat([torch.zeros(1), w]), bits=bits),
        ),
        Mistake(
            "fillers without a value",
            "a filler takes a place among the values too: its value is 0. Yours has more gaps than values.",
            lambda w, bits: (sparse_row(w, bits=bits)[0], w[w != 0]),
        ),
    ),
    ("coding.gaps.encode_gaps",),
)

# Task 3: one step of k-means


def kmeans_cases(seed: int) -> Sequence[Case]:
    """Centroids of which each has weights; as edge cases one that has none, and a single one."""
    generator = seeded(seed)
    cases = []
    for n, k in [(6, 2), (20, 3), (50, 4), (200, 8)]:
        w = torch.randn(n, generator=generator)
        places = ((torch.arange(k) + 0.3) / k * n).long()
        cases.append(Case((w,), {"centroids": w.sort().values[places]}))
    w = cases[0].args[0]
    cases.append(Case((w,), {"centroids": torch.tensor([-0.5, 0.25, 50.0])}, "a centroid without a weight"))
    cases.append(Case((w,), {"centroids": torch.tensor([0.25])}, "a single centroid"))
    return cases


def kmeans_step(w: Tensor, *, centroids: Tensor) -> Tensor:
    """The means of the weights nearest to each centroid."""
    runs, moved = Runs.of(w, None), centroids.double()
    cuts = runs.cuts(moved)
    moved[cuts.diff() > 0] = runs.means(cuts)
    return moved.to(centroids.dtype)


def _by_cluster(w: Tensor, indices: Tensor, centroids: Tensor, of: Callable[[Tensor], Tensor]) -> Tensor:
    """`of` the weights of each cluster; a centroid without any stays."""
    groups = [w[indices == k] for k in range(len(centroids))]
    return torch.stack([of(group) if len(group) else c for group, c in zip(groups, centroids, strict=True)])


def _nearest(w: Tensor, centroids: Tensor) -> Tensor:
    return _assign(Runs.of(w, None), centroids).long()


def _empty_at(value: float, w: Tensor, centroids: Tensor) -> Tensor:
    """The correct step, except for centroids without a weight."""
    used = torch.bincount(_nearest(w, centroids), minlength=len(centroids)) > 0
    return kmeans_step(w, centroids=centroids).where(used, value)


def _to_the_end(w: Tensor, centroids: Tensor) -> Tensor:
    for _ in range(100):
        centroids = kmeans_step(w, centroids=centroids)
    return centroids


KMEANS = Task(
    "kmeans_step",
    "One step of k-means",
    3,
    kmeans_step,
    kmeans_cases,
    (
        Mistake(
            "nothing over nothing",
            "the mean of no weights is 0/0, which is not a number (nan); a centroid without a weight stays.",
            lambda w, centroids: _empty_at(math.nan, w, centroids),
        ),
        Mistake(
            "empty clusters at zero",
            "a centroid without a weight stays where it was; yours goes to 0.",
            lambda w, centroids: _empty_at(0.0, w, centroids),
        ),
        Mistake(
            "sum for mean",
            "a centroid moves to the mean of its weights; yours moves to their sum.",
            lambda w, centroids: _by_cluster(w, _nearest(w, centroids), centroids, torch.sum),
        ),
        Mistake(
            "sizes compared",
            "-1 is far from +1: take the distance |w - c|, and not that of the magnitudes |w| and |c|.",
            lambda w, centroids: _by_cluster(
                w, (w.abs()[:, None] - centroids.abs()).abs().argmin(1), centroids, torch.mean
            ),
        ),
        Mistake(
            "no absolute value",
            "the minimum of w - c is the most negative one, so that all weights go to the largest centroid; a distance "
            "has no sign.",
            lambda w, centroids: _by_cluster(w, (w[:, None] - centroids).argmin(1), centroids, torch.mean),
        ),
        Mistake(
            "more than one step",
            "only one step is asked for; yours goes on until nothing changes.",
            _to_the_end,
        ),
    ),
    # `Runs` needs both of the last.
    (
        "methods.codebook.kmeans.fit_codebook",
        "methods.codebook.kmeans._assign",
        "methods.codebook.kmeans._sorted",
        "methods.codebook.kmeans._prefix",
    ),
)

# Task 4: training the centroids

PAPER = (
    torch.tensor([-1.0, 0.0, 1.5, 2.0]),
    torch.tensor([[-3, -1, 3, 2], [-1, 1, -2, 12], [-1, 2, 4, 1], [-7, -2, 1, -2]]) / 100,
    torch.tensor([[3, 0, 2, 1], [1, 1, 0, 3], [0, 3, 1, 0], [3, 1, 2, 2]]),
)


def centroid_cases(seed: int) -> Sequence[Case]:
    """The paper's figure 3 and random layers; as edge cases a centroid that no weight has."""
    generator = seeded(seed)
    cases = [Case(PAPER, {"lr": 1.0})]
    for shape, k, lr in [((2, 3), 2, 0.5), ((5, 4), 3, 0.1), ((20, 30), 8, 0.02)]:
        indices = torch.randint(k, shape, generator=generator)
        indices.view(-1)[:k] = torch.arange(k)  # each has a member
        gradient = torch.randn(shape, generator=generator)
        cases.append(Case((torch.randn(k, generator=generator).sort().values, gradient, indices), {"lr": lr}))
    centroids, gradient, indices = cases[1].args
    more = torch.cat([centroids, centroids.new_tensor([9.0])])
    cases.append(Case((more, gradient, indices), {"lr": 0.5}, "a centroid without a weight"))
    return cases


def centroid_step(centroids: Tensor, gradient: Tensor, indices: Tensor, *, lr: float) -> Tensor:
    """The centroids after a step along the sums of the gradients."""
    moving = centroids.clone().requires_grad_()
    moving.grad = centroid_gradient(gradient, indices, size=len(centroids))
    torch.optim.SGD([moving], lr=lr).step()
    return moving.detach()


def _sizes(centroids: Tensor, indices: Tensor) -> Tensor:
    return torch.bincount(indices.flatten(), minlength=len(centroids))


def _last_alone(gradient: Tensor, indices: Tensor) -> Tensor:
    """The gradient with all but the last member of each cluster at 0."""
    flat, mask = indices.flatten().tolist(), torch.zeros(gradient.numel())
    mask[list({k: place for place, k in enumerate(flat)}.values())] = 1
    return gradient * mask.reshape(gradient.shape)


CENTROIDS = Task(
    "centroid_step",
    "Training the centroids",
    2,
    centroid_step,
    centroid_cases,
    (
        Mistake(
            "mean for sum",
            "the gradient of a centroid is the sum over its weights; yours is their mean.",
            lambda centroids, gradient, indices, lr: (
                centroids - lr * centroid_gradient(gradient, indices, size=len(centroids)) / _sizes(centroids, indices)
            ),
        ),
        Mistake(
            "last one wins",
            "several weights have one index, and an assignment to the same place keeps only the last of them; they "
            "have to be added up.",
            lambda centroids, gradient, indices, lr: centroid_step(
                centroids, _last_alone(gradient, indices), indices, lr=lr
            ),
        ),
        Mistake(
            "one sum for all",
            "each centroid has its own sum, over its weights; yours is the sum over all weights.",
            lambda centroids, gradient, indices, lr: centroids - lr * gradient.sum(),
        ),
        Mistake(
            "uphill",
            "a step goes against the gradient; yours goes with it, and the loss rises.",
            lambda centroids, gradient, indices, lr: centroid_step(centroids, -gradient, indices, lr=lr),
        ),
        Mistake(
            "no learning rate",
            "the sum is multiplied by the learning rate before it is subtracted.",
            lambda centroids, gradient, indices, lr: centroid_step(centroids, gradient, indices, lr=1.0),
        ),
    ),
    ("methods.codebook.sharing.centroid_gradient",),
)

# Task 5: how many bits


def count_cases(seed: int) -> Sequence[Case]:
    """Counts with their Huffman code; as edge cases a value that never occurs, and equal counts."""
    generator = seeded(seed)
    cases = [_counted(torch.tensor([5, 1, 2]))]
    for k in (4, 8, 16, 32):
        counts = 1 + (600 * torch.rand(k, generator=generator) ** 3).long()
        counts[0] += 500  # uneven, so that the codewords differ in length
        cases.append(_counted(counts))
    cases.append(_counted(torch.tensor([40, 0, 7, 3]), "a centroid that no weight has"))
    cases.append(_counted(torch.tensor([25, 25, 25, 25]), "all are equally frequent"))
    return cases


def _counted(counts: Tensor, edge: str = "") -> Case:
    lengths = torch.from_numpy(HuffmanCode.from_counts(counts.numpy()).lengths.astype("int64"))
    return Case((counts,), {"lengths": lengths}, edge)


def bits_and_ratio(counts: Tensor, *, lengths: Tensor) -> tuple[float, float, float]:
    """Mean length in bits, entropy in bits, and the compression rate."""
    total = HuffmanCode(lengths.numpy()).bits(counts.numpy())
    entropy = torch.distributions.Categorical(counts.double()).entropy() / math.log(2)
    n = int(counts.sum())
    return total / n, float(entropy), 32 * n / (total + 32 * len(counts))


def _rate(counts: Tensor, mean: float, book: float) -> float:
    """The compression rate of codewords of `mean` bits beside a codebook of `book` bits."""
    return 32 * int(counts.sum()) / (int(counts.sum()) * mean + book)


def _unweighted(counts: Tensor, lengths: Tensor) -> tuple[float, float, float]:
    mean = float(lengths.double().mean())
    return mean, bits_and_ratio(counts, lengths=lengths)[1], _rate(counts, mean, 32 * len(counts))


def _entropy(counts: Tensor, lengths: Tensor, factor: float) -> tuple[float, float, float]:
    """The correct numbers, but with the entropy multiplied."""
    mean, entropy, rate = bits_and_ratio(counts, lengths=lengths)
    return mean, factor * entropy, rate


BITS = Task(
    "bits_and_ratio",
    "How many bits",
    3,
    bits_and_ratio,
    count_cases,
    (
        Mistake(
            "natural logarithm",
            "bits are counted with the logarithm to base 2; yours is the natural one.",
            lambda counts, lengths: _entropy(counts, lengths, math.log(2)),
        ),
        Mistake(
            "zero times infinity",
            "a value that never occurs adds 0 to the entropy, but 0 times the logarithm of 0 is not a number (nan).",
            lambda counts, lengths: _entropy(counts, lengths, 1.0 if counts.all() else math.nan),
        ),
        Mistake(
            "negative entropy",
            "the logarithm of a share is negative, and the minus sign in front of the sum makes the entropy positive.",
            lambda counts, lengths: _entropy(counts, lengths, -1.0),
        ),
        Mistake(
            "each length counts the same",
            "frequent values have short codewords, so the mean length is over the weights, and each length counts as "
            "often as its value occurs; yours is the mean over the values.",
            _unweighted,
        ),
        Mistake(
            "codebook forgotten",
            "the codebook is stored as well: k centroids of 32 bits.",
            lambda counts, lengths: (
                *bits_and_ratio(counts, lengths=lengths)[:2],
                _rate(counts, bits_and_ratio(counts, lengths=lengths)[0], 0),
            ),
        ),
        Mistake(
            "upside down",
            "the rate says how many times smaller the layer is: the bits before, divided by the bits after.",
            lambda counts, lengths: (
                *bits_and_ratio(counts, lengths=lengths)[:2],
                1 / bits_and_ratio(counts, lengths=lengths)[2],
            ),
        ),
    ),
    ("coding.huffman.HuffmanCode",),
)

EXERCISE = Exercise(
    "ex07",
    "Deep Compression",
    70,
    (PRUNING, ROW, KMEANS, CENTROIDS, BITS),
    Written("Twelve times fewer weights", 3),
)
