"""Exercise 03, the lecturer's part: never handed out."""

import math
from itertools import pairwise

import numpy as np
import torch

from course_utils.exercises.task import Case
from course_utils.exercises.teacher import Teacher

TEACHER = Teacher(
    seed=3_950_261,
    more={
        "mlp_parameters": [Case(([18, 300, 300, 300, 300, 300, 1],))],
        "corrupt_labels": [
            Case(
                (torch.tensor([4, 4, 4, 4, 4]),),
                {
                    "share": 0.4,
                    "draws": torch.tensor([0.9, 0.1, 0.6, 0.3, 0.2]),
                    "new": torch.tensor([0, 1, 2, 3, 5]),
                },
            )
        ],
        "predict_others": [
            Case(
                (torch.tensor([[1.0, 3.0]]),),
                {
                    "kernel": torch.tensor([[1.0, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 1.0]]),
                    "observed": torch.tensor([0, 2]),
                    "ridge": 0.25,
                },
            )
        ],
        "server_step": [Case((torch.zeros(2), torch.eye(2)), {"rows": [300, 100]})],
        "update_bytes": [Case(([(300, 784), (300,), (100, 300), (100,), (10, 100), (10,)],), {"bits": 5})],
    },
)
right, wrong = TEACHER.right, TEACHER.wrong


@right("mlp_parameters")
def layer_by_layer(sizes):
    total = 0
    for i in range(len(sizes) - 1):
        total += sizes[i] * sizes[i + 1] + sizes[i + 1]
    return total


@right("mlp_parameters")
def in_pairs(sizes):
    return sum((a + 1) * b for a, b in pairwise(sizes))


@right("mlp_parameters")
def as_arrays(sizes):
    s = np.array(sizes)
    return np.dot(s[:-1] + 1, s[1:])


@wrong("mlp_parameters", "no biases")
def _(sizes):
    return sum(a * b for a, b in pairwise(sizes))


@wrong("mlp_parameters", "biases of inputs")
def _(sizes):
    return sum(a * b for a, b in pairwise(sizes)) + sum(sizes)


@wrong("mlp_parameters", "outputs without bias")
def _(sizes):
    return sum(a * b for a, b in pairwise(sizes)) + sum(sizes[1:-1])


@wrong("mlp_parameters", "one bias for a layer")
def _(sizes):
    return sum(a * b + 1 for a, b in pairwise(sizes))


@wrong("mlp_parameters", "last layer missing")
def _(sizes):
    total = 0
    for i in range(len(sizes) - 2):
        total += (sizes[i] + 1) * sizes[i + 1]
    return total


@wrong("mlp_parameters", "neurons")
def _(sizes):
    return sum(sizes)


@right("corrupt_labels")
def by_the_order(labels, *, share, draws, new):
    rows = draws.argsort()[: round(share * len(labels))]
    noisy = labels.clone()
    noisy[rows] = new[rows]
    return noisy


@right("corrupt_labels")
def by_the_ranks(labels, *, share, draws, new):
    ranks = (draws[:, None] > draws).sum(1)
    return torch.where(ranks < round(share * len(labels)), new, labels)


@right("corrupt_labels")
def one_by_one(labels, *, share, draws, new):
    left, noisy = draws.tolist(), labels.tolist()
    for _ in range(round(share * len(noisy))):
        row = left.index(min(left))
        noisy[row] = int(new[row])
        left[row] = 2.0
    return torch.tensor(noisy)


@wrong("corrupt_labels", "threshold for count")
def _(labels, *, share, draws, new):
    noisy = labels.clone()
    noisy[draws < share] = new[draws < share]
    return noisy


@wrong("corrupt_labels", "largest draws")
def _(labels, *, share, draws, new):
    rows = draws.argsort(descending=True)[: round(share * len(labels))]
    noisy = labels.clone()
    noisy[rows] = new[rows]
    return noisy


@wrong("corrupt_labels", "first rows")
def _(labels, *, share, draws, new):
    count = round(share * len(labels))
    return torch.cat([new[:count], labels[count:]])


@wrong("corrupt_labels", "order for rank")
def _(labels, *, share, draws, new):
    return torch.where(draws.argsort() < round(share * len(labels)), new, labels)


@wrong("corrupt_labels", "from the front")
def _(labels, *, share, draws, new):
    count = round(share * len(labels))
    noisy = labels.clone()
    noisy[draws.argsort()[:count]] = new[:count]
    return noisy


@wrong("corrupt_labels", "cut off")
def _(labels, *, share, draws, new):
    rows = draws.argsort()[: int(share * len(labels))]
    noisy = labels.clone()
    noisy[rows] = new[rows]
    return noisy


@wrong("corrupt_labels", "changes its argument")
def _(labels, *, share, draws, new):
    rows = draws.argsort()[: round(share * len(labels))]
    labels[rows] = new[rows]
    return labels


@right("predict_others")
def solved(weights, *, kernel, observed, ridge):
    across = kernel[:, observed]
    block = across[observed] + ridge * torch.eye(len(observed))
    return torch.linalg.solve(block, weights.T).T @ across.T


@right("predict_others")
def inverted_in_float64(weights, *, kernel, observed, ridge):
    k = kernel.double().numpy()
    chosen = observed.numpy()
    u = k[:, chosen] @ np.linalg.inv(k[np.ix_(chosen, chosen)] + ridge * np.eye(len(chosen)))
    return weights.double().numpy() @ u.T


@right("predict_others")
def feature_by_feature(weights, *, kernel, observed, ridge):
    block = torch.stack([torch.stack([kernel[i, j] for j in observed]) for i in observed])
    for i in range(len(observed)):
        block[i, i] += ridge
    return torch.stack([kernel[:, observed] @ torch.linalg.solve(block, w) for w in weights])


@wrong("predict_others", "no ridge")
def _(weights, *, kernel, observed, ridge):
    across = kernel[:, observed]
    return weights @ torch.linalg.solve(across[observed].double(), across.T.double()).float()


@wrong("predict_others", "ridge everywhere")
def _(weights, *, kernel, observed, ridge):
    across = kernel[:, observed]
    return weights @ torch.linalg.inv(across[observed] + ridge) @ across.T


@wrong("predict_others", "no inverse")
def _(weights, *, kernel, observed, ridge):
    return weights @ kernel[observed]


@wrong("predict_others", "kept ones stay")
def _(weights, *, kernel, observed, ridge):
    ridged = kernel + ridge * torch.eye(len(kernel))
    u = ridged[:, observed] @ torch.linalg.inv(ridged[observed][:, observed])
    return weights @ u.T


@wrong("predict_others", "kept ones stay")
def _(weights, *, kernel, observed, ridge):
    predicted = solved(weights, kernel=kernel, observed=observed, ridge=ridge)
    predicted[:, observed] = weights
    return predicted


@wrong("predict_others", "only the kept ones")
def _(weights, *, kernel, observed, ridge):
    block = kernel[observed][:, observed]
    return weights @ torch.linalg.inv(block + ridge * torch.eye(len(block))) @ block


@wrong("predict_others", "first pixels")
def _(weights, *, kernel, observed, ridge):
    m = weights.shape[1]
    return weights @ torch.linalg.inv(kernel[:m, :m] + ridge * torch.eye(m)) @ kernel[:m]


@right("server_step")
def with_shares(w, updates, *, rows):
    shares = torch.tensor(rows) / sum(rows)
    return w + torch.einsum("k,k...->...", shares, updates)


@right("server_step")
def client_by_client(w, updates, *, rows):
    new = w.clone()
    for n, update in zip(rows, updates, strict=True):
        new += n / sum(rows) * update
    return new


@right("server_step")
def each_row_once(w, updates, *, rows):
    return w + updates.repeat_interleave(torch.tensor(rows), 0).mean(0)


@wrong("server_step", "plain mean")
def _(w, updates, *, rows):
    return w + updates.mean(0)


@wrong("server_step", "plain sum")
def _(w, updates, *, rows):
    return w + updates.sum(0)


@wrong("server_step", "not divided")
def _(w, updates, *, rows):
    return w + sum(n * update for n, update in zip(rows, updates, strict=True))


@wrong("server_step", "divided by the clients")
def _(w, updates, *, rows):
    return w + sum(n * update for n, update in zip(rows, updates, strict=True)) / len(rows)


@wrong("server_step", "against the updates")
def _(w, updates, *, rows):
    return w - sum(n / sum(rows) * update for n, update in zip(rows, updates, strict=True))


@wrong("server_step", "without the old weights")
def _(w, updates, *, rows):
    return sum(n / sum(rows) * update for n, update in zip(rows, updates, strict=True))


@wrong("server_step", "changes its argument")
def _(w, updates, *, rows):
    for n, update in zip(rows, updates, strict=True):
        w += n / sum(rows) * update
    return w


@right("update_bytes")
def in_a_loop(shapes, *, bits):
    total = 0
    for shape in shapes:
        total += math.ceil(math.prod(shape) * bits / 8)
        if bits < 32:
            total += 8
    return total


@right("update_bytes")
def with_whole_numbers(shapes, *, bits):
    each = np.array([np.prod(shape) for shape in shapes])
    return ((each * bits + 7) // 8).sum() + 8 * len(shapes) * (bits < 32)


@wrong("update_bytes", "no range")
def _(shapes, *, bits):
    return sum(math.ceil(math.prod(shape) * bits / 8) for shape in shapes)


@wrong("update_bytes", "range at 32 bits")
def _(shapes, *, bits):
    return sum(math.ceil(math.prod(shape) * bits / 8) + 8 for shape in shapes)


@wrong("update_bytes", "one range for all")
def _(shapes, *, bits):
    numbers = sum(math.ceil(math.prod(shape) * bits / 8) for shape in shapes)
    return numbers + 8 if bits < 32 else numbers


@wrong("update_bytes", "rounded once")
def _(shapes, *, bits):
    numbers = math.ceil(sum(math.prod(shape) for shape in shapes) * bits / 8)
    return numbers + 8 * len(shapes) if bits < 32 else numbers


@wrong("update_bytes", "cut off")
def _(shapes, *, bits):
    return sum(math.prod(shape) * bits // 8 + (8 if bits < 32 else 0) for shape in shapes)


@wrong("update_bytes", "bits for bytes")
def _(shapes, *, bits):
    return sum(math.prod(shape) * bits + (8 if bits < 32 else 0) for shape in shapes)
