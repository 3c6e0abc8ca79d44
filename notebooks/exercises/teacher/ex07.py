"""Exercise 07, the lecturer's part: never handed out."""

import math

import torch

from course_utils.exercises.task import Case
from course_utils.exercises.teacher import Teacher

TEACHER = Teacher(
    seed=4_870_163,
    more={
        "prune_and_step": [
            Case((torch.tensor([[-0.9, 0.2, 0.4]]), torch.tensor([[0.5, -3.0, 1.0]])), {"sparsity": 0.6, "lr": 0.1})
        ],
        "sparse_row": [
            Case((torch.tensor([0.0] * 30 + [2.5, 0.0, -1.0]),), {"bits": 2}),
            Case((torch.tensor([-1.0, 0.0, 0.0, 0.0, 2.0]),), {"bits": 1}, "a weight at position 0 has the gap 0"),
        ],
        "kmeans_step": [
            Case((torch.tensor([0.1, 0.2, 0.9, -0.7, 1.4, -0.95]),), {"centroids": torch.tensor([-1, 0.5])})
        ],
        "centroid_step": [
            Case((torch.tensor([0.5, 1.0]), torch.tensor([1.0, -2.0, 4.0]), torch.tensor([1, 1, 0])), {"lr": 0.25})
        ],
        "bits_and_ratio": [
            Case((torch.tensor([8, 4, 2, 1, 1]),), {"lengths": torch.tensor([1, 2, 3, 4, 4])}),
            Case((torch.tensor([0, 6, 3]),), {"lengths": torch.tensor([0, 1, 1])}, "a centroid that no weight has"),
        ],
    },
)
right, wrong = TEACHER.right, TEACHER.wrong


def least(w, count):
    """The places of the `count` smallest weights, as a mask like w."""
    mask = torch.zeros(w.numel(), dtype=torch.bool)
    mask[w.abs().flatten().argsort()[:count]] = True
    return mask.reshape(w.shape)


@right("prune_and_step")
def vectorised(w, gradient, *, sparsity, lr):
    mask = ~least(w, round(sparsity * w.numel()))
    return (w - lr * gradient) * mask


@right("prune_and_step")
def one_by_one(w, gradient, *, sparsity, lr):
    flat, slope = w.flatten().tolist(), gradient.flatten().tolist()
    order = sorted(range(len(flat)), key=lambda i: abs(flat[i]))
    gone = set(order[: round(sparsity * len(flat))])
    new = [0.0 if i in gone else flat[i] - lr * slope[i] for i in range(len(flat))]
    return torch.tensor(new).reshape(w.shape)


@right("prune_and_step")
def by_a_threshold(w, gradient, *, sparsity, lr):
    count = round(sparsity * w.numel())
    new = w.clone()
    if count:
        threshold = w.abs().flatten().kthvalue(count).values
        gradient = torch.where(w.abs() <= threshold, 0, gradient)
        new[w.abs() <= threshold] = 0
    return new - lr * gradient


@wrong("prune_and_step", "mask not put back")
def _(w, gradient, *, sparsity, lr):
    pruned = w.masked_fill(least(w, round(sparsity * w.numel())), 0)
    return pruned - lr * gradient


@wrong("prune_and_step", "never set to zero")
def _(w, gradient, *, sparsity, lr):
    frozen = least(w, round(sparsity * w.numel()))
    return w - lr * gradient.masked_fill(frozen, 0)


@wrong("prune_and_step", "share kept for share removed")
def _(w, gradient, *, sparsity, lr):
    mask = torch.zeros(w.numel())
    mask[w.abs().flatten().argsort(descending=True)[: round(sparsity * w.numel())]] = 1
    return (w - lr * gradient) * mask.reshape(w.shape)


@wrong("prune_and_step", "signs count")
def _(w, gradient, *, sparsity, lr):
    mask = torch.ones(w.numel())
    mask[w.flatten().argsort()[: round(sparsity * w.numel())]] = 0
    return (w - lr * gradient) * mask.reshape(w.shape)


@wrong("prune_and_step", "mask of the moved weights")
def _(w, gradient, *, sparsity, lr):
    new = w - lr * gradient
    return new.masked_fill(least(new, round(sparsity * w.numel())), 0)


@wrong("prune_and_step", "uphill")
def _(w, gradient, *, sparsity, lr):
    return (w + lr * gradient).masked_fill(least(w, round(sparsity * w.numel())), 0)


@wrong("prune_and_step", "rounded down")
def _(w, gradient, *, sparsity, lr):
    return (w - lr * gradient).masked_fill(least(w, int(sparsity * w.numel())), 0)


@wrong("prune_and_step", "changes its argument")
def _(w, gradient, *, sparsity, lr):
    gone = least(w, round(sparsity * w.numel()))
    w -= lr * gradient
    w[gone] = 0
    return w


@right("sparse_row")
def walk(w, *, bits):
    gaps, values, before = [], [], 0
    for place, value in enumerate(w.tolist()):
        if value == 0:
            continue
        while place - before > 2**bits:
            gaps.append(2**bits)
            values.append(0.0)
            before += 2**bits
        gaps.append(place - before)
        values.append(value)
        before = place
    return gaps, values


@right("sparse_row")
def in_tensors(w, *, bits):
    places = w.nonzero().flatten()
    spans = places.diff(prepend=torch.tensor([0]))
    fillers = torch.div((spans - 1).clamp(min=0), 2**bits, rounding_mode="floor")
    ends = (fillers + 1).cumsum(0) - 1
    total = int(ends[-1]) + 1 if len(ends) else 0
    gaps, values = torch.full((total,), 2**bits), torch.zeros(total)
    gaps[ends], values[ends] = spans - fillers * 2**bits, w[places]
    return gaps, values


def walked(w, limit, again):
    """The walk of a student who puts fillers as `again` says: the span that is left, and how many there were."""
    gaps, values, before = [], [], 0
    for place in [i for i in range(len(w)) if w[i] != 0]:
        span, fillers = place - before, 0
        while again(span, fillers):
            gaps.append(limit)
            values.append(0)
            span, fillers = span - limit, fillers + 1
        gaps.append(span)
        values.append(float(w[place]))
        before = place
    return gaps, values


@wrong("sparse_row", "gaps up to one less")
def _(w, *, bits):
    return walked(w, 2**bits - 1, lambda span, fillers: span > 2**bits - 1)


@wrong("sparse_row", "no fillers")
def _(w, *, bits):
    places = torch.arange(len(w))[w != 0]
    return torch.diff(places, prepend=torch.zeros(1, dtype=torch.long)), w[w != 0]


@wrong("sparse_row", "long gaps cut")
def _(w, *, bits):
    places = torch.arange(len(w))[w != 0]
    return torch.diff(places, prepend=torch.zeros(1, dtype=torch.long)).clamp(max=2**bits), w[w != 0]


@wrong("sparse_row", "one filler at most")
def _(w, *, bits):
    return walked(w, 2**bits, lambda span, fillers: span > 2**bits and not fillers)


@wrong("sparse_row", "filler too early")
def _(w, *, bits):
    return walked(w, 2**bits, lambda span, fillers: span >= 2**bits)


@wrong("sparse_row", "positions from 1")
def _(w, *, bits):
    gaps, values, before = [], [], -1
    for place in w.nonzero().flatten().tolist():
        while place - before > 2**bits:
            gaps, values, before = [*gaps, 2**bits], [*values, 0], before + 2**bits
        gaps, values, before = [*gaps, place - before], [*values, w[place].item()], place
    return gaps, values


@wrong("sparse_row", "fillers without a value")
def _(w, *, bits):
    gaps, _ = walk(w, bits=bits)
    return gaps, [value for value in w.tolist() if value]


@right("kmeans_step")
def matrix_of_distances(w, *, centroids):
    nearest = (w[:, None] - centroids).abs().argmin(dim=1)
    new = centroids.clone()
    for k in nearest.unique():
        new[k] = w[nearest == k].mean()
    return new


@right("kmeans_step")
def lists(w, *, centroids):
    starts = centroids.tolist()
    members = [[] for _ in starts]
    for value in w.tolist():
        members[min(range(len(starts)), key=lambda k: (value - starts[k]) ** 2)].append(value)
    return torch.tensor([sum(m) / len(m) if m else c for m, c in zip(members, starts, strict=True)])


@right("kmeans_step")
def by_counting(w, *, centroids):
    nearest = ((w.unsqueeze(1) - centroids) ** 2).argmin(1)
    sums = torch.zeros_like(centroids).index_add_(0, nearest, w)
    counts = torch.bincount(nearest, minlength=len(centroids))
    return torch.where(counts > 0, sums / counts.clamp(min=1), centroids)


def joined(w, centroids):
    return (w[:, None] - centroids).abs().argmin(1)


@wrong("kmeans_step", "nothing over nothing")
def _(w, *, centroids):
    nearest = joined(w, centroids)
    return torch.stack([w[nearest == k].sum() / (nearest == k).sum() for k in range(len(centroids))])


@wrong("kmeans_step", "empty clusters at zero")
def _(w, *, centroids):
    nearest = joined(w, centroids)
    return torch.stack([w[nearest == k].sum() / max(1, int((nearest == k).sum())) for k in range(len(centroids))])


@wrong("kmeans_step", "sum for mean")
def _(w, *, centroids):
    nearest, new = joined(w, centroids), centroids.clone()
    for k in range(len(centroids)):
        if (nearest == k).any():
            new[k] = w[nearest == k].sum()
    return new


@wrong("kmeans_step", "sizes compared")
def _(w, *, centroids):
    nearest, new = joined(w.abs(), centroids.abs()), centroids.clone()
    for k in range(len(centroids)):
        if (nearest == k).any():
            new[k] = w[nearest == k].mean()
    return new


@wrong("kmeans_step", "no absolute value")
def _(w, *, centroids):
    nearest, new = (w[:, None] - centroids).argmin(1), centroids.clone()
    for k in range(len(centroids)):
        if (nearest == k).any():
            new[k] = w[nearest == k].mean()
    return new


@wrong("kmeans_step", "more than one step")
def _(w, *, centroids):
    while True:
        new = matrix_of_distances(w, centroids=centroids)
        if torch.equal(new, centroids):
            return new
        centroids = new


@right("centroid_step")
def added_at_indices(centroids, gradient, indices, *, lr):
    sums = torch.zeros_like(centroids).index_add_(0, indices.flatten(), gradient.flatten())
    return centroids - lr * sums


@right("centroid_step")
def cluster_by_cluster(centroids, gradient, indices, *, lr):
    new = []
    for k, centroid in enumerate(centroids):
        new.append(float(centroid) - lr * sum(gradient[indices == k].tolist()))
    return torch.tensor(new)


@right("centroid_step")
def by_backward(centroids, gradient, indices, *, lr):
    c = centroids.clone().requires_grad_()
    c[indices].backward(gradient)
    return (c - lr * c.grad).detach()


@wrong("centroid_step", "mean for sum")
def _(centroids, gradient, indices, *, lr):
    return torch.stack([c - lr * gradient[indices == k].mean() for k, c in enumerate(centroids)])


@wrong("centroid_step", "last one wins")
def _(centroids, gradient, indices, *, lr):
    new = centroids.clone()
    for g, k in zip(gradient.flatten(), indices.flatten(), strict=True):
        new[k] = centroids[k] - lr * g
    return new


@wrong("centroid_step", "last one wins")
def _(centroids, gradient, indices, *, lr):
    new = centroids.clone()
    new[indices.flatten()] -= lr * gradient.flatten()
    return new


@wrong("centroid_step", "one sum for all")
def _(centroids, gradient, indices, *, lr):
    return torch.tensor([float(c) - lr * float(gradient.sum()) for c in centroids])


@wrong("centroid_step", "uphill")
def _(centroids, gradient, indices, *, lr):
    return torch.stack([c + lr * gradient[indices == k].sum() for k, c in enumerate(centroids)])


@wrong("centroid_step", "no learning rate")
def _(centroids, gradient, indices, *, lr):
    return torch.stack([c - gradient[indices == k].sum() for k, c in enumerate(centroids)])


@wrong("centroid_step", "changes its argument")
def _(centroids, gradient, indices, *, lr):
    for k in range(len(centroids)):
        centroids[k] -= lr * gradient[indices == k].sum()
    return centroids


@right("bits_and_ratio")
def with_tensors(counts, *, lengths):
    n = counts.sum()
    p = counts[counts > 0] / n
    bits = (counts * lengths).sum()
    return bits / n, -(p * p.log2()).sum(), 32 * n / (bits + 32 * len(counts))


@right("bits_and_ratio")
def with_loops(counts, *, lengths):
    n, mean, entropy = int(counts.sum()), 0.0, 0.0
    for count, length in zip(counts.tolist(), lengths.tolist(), strict=True):
        if count:
            mean += count / n * length
            entropy += count / n * math.log2(n / count)
    return mean, entropy, 32 * n / (n * mean + 32 * len(counts))


@right("bits_and_ratio")
def from_numbers(counts, *, lengths):
    p = counts / counts.sum()
    entropy = -torch.xlogy(p, p).sum() / math.log(2)
    mean = p @ lengths.float()
    return [mean.item(), entropy.item(), (32 / (mean + 32 * len(p) / counts.sum())).item()]


def figures(counts, lengths):
    """n, the bits of all codewords, and the shares of the values that occur."""
    n = int(counts.sum())
    return n, int((counts * lengths).sum()), [c / n for c in counts.tolist() if c]


@wrong("bits_and_ratio", "natural logarithm")
def _(counts, *, lengths):
    n, bits, shares = figures(counts, lengths)
    return bits / n, -sum(p * math.log(p) for p in shares), 32 * n / (bits + 32 * len(counts))


@wrong("bits_and_ratio", "zero times infinity")
def _(counts, *, lengths):
    p = counts / counts.sum()
    mean = (p * lengths).sum()
    return mean, -(p * torch.log2(p)).sum(), 32 / (mean + 32 * len(counts) / counts.sum())


@wrong("bits_and_ratio", "negative entropy")
def _(counts, *, lengths):
    n, bits, shares = figures(counts, lengths)
    return bits / n, sum(p * math.log2(p) for p in shares), 32 * n / (bits + 32 * len(counts))


@wrong("bits_and_ratio", "each length counts the same")
def _(counts, *, lengths):
    n, _, shares = figures(counts, lengths)
    mean = sum(lengths.tolist()) / len(lengths)
    return mean, -sum(p * math.log2(p) for p in shares), 32 * n / (mean * n + 32 * len(counts))


@wrong("bits_and_ratio", "codebook forgotten")
def _(counts, *, lengths):
    n, bits, shares = figures(counts, lengths)
    return bits / n, -sum(p * math.log2(p) for p in shares), 32 * n / bits


@wrong("bits_and_ratio", "upside down")
def _(counts, *, lengths):
    n, bits, shares = figures(counts, lengths)
    return bits / n, -sum(p * math.log2(p) for p in shares), (bits + 32 * len(counts)) / (32 * n)
