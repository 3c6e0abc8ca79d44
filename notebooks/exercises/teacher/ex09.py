"""Exercise 09, the lecturer's part: never handed out."""

import math

import torch

from course_utils.exercises.task import Case
from course_utils.exercises.teacher import Teacher

GRID = torch.linspace(-2, 2, 9, dtype=torch.float64)

TEACHER = Teacher(
    seed=8_135_946,
    more={
        "steep_tanh": [
            Case((torch.tensor([[0.5], [-2.0]]),), {"a": torch.tensor([-3.0]), "b": torch.tensor([0.25])}),
        ],
        "hinged_relu": [
            Case(
                (torch.tensor([[-1.0], [2.0]]),),
                {"a": torch.tensor([[1.0], [-2.0]]), "b": torch.tensor([[0.5], [3.0]])},
            )
        ],
        "largest_piece": [
            Case(
                (torch.tensor([[1.0, -1.0]]),),
                {"weight": torch.tensor([[[1.0, 2.0], [-3.0, 0.5]]]), "bias": torch.tensor([[0.25, -1.0]])},
            )
        ],
        "bump_sum": [
            Case((torch.tensor([[0.4, -0.9]]),), {"alpha": torch.tensor([[1.0, -2, 3], [0, 4, -1]]), "boundary": 1.5})
        ],
        "start_from": [Case((GRID.exp(),), {"dictionary": GRID, "gamma": 2.0, "ridge": 0.01})],
    },
)
right, wrong = TEACHER.right, TEACHER.wrong


@right("steep_tanh")
def by_tanh(s, *, a, b):
    return a * torch.tanh(b * s / 2)


@right("steep_tanh")
def by_sigmoid(s, *, a, b):
    return a * (2 * torch.sigmoid(b * s) - 1)


@right("steep_tanh")
def with_loops(s, *, a, b):
    g = torch.zeros_like(s)
    for n, row in enumerate(s.tolist()):
        for j, x in enumerate(row):
            g[n, j] = a[j] * math.tanh(float(b[j]) * x / 2)
    return g


@wrong("steep_tanh", "twice as steep")
def _(s, *, a, b):
    return a * torch.tanh(b * s)


@wrong("steep_tanh", "sigmoid")
def _(s, *, a, b):
    return a / (1 + torch.exp(-b * s))


@wrong("steep_tanh", "amplitude forgotten")
def _(s, *, a, b):
    return torch.tanh(0.5 * b * s)


@wrong("steep_tanh", "exponent turned")
def _(s, *, a, b):
    return a * torch.tanh(-b * s / 2)


@wrong("steep_tanh", "amplitude and steepness exchanged")
def _(s, *, a, b):
    return b * torch.tanh(a * s / 2)


@wrong("steep_tanh", "too large for exp")
def _(s, *, a, b):
    e = torch.exp(-b * s)
    return a * (1 - e) / (1 + e)


@right("hinged_relu")
def hinge_by_hinge(s, *, a, b):
    g = torch.relu(s)
    for slope, position in zip(a, b, strict=True):
        g = g + slope * torch.relu(position - s)
    return g


@right("hinged_relu")
def all_hinges_at_once(s, *, a, b):
    return s.clamp(min=0) + (a * (b - s[:, None, :]).clamp(min=0)).sum(dim=1)


@right("hinged_relu")
def number_by_number(s, *, a, b):
    g = torch.zeros_like(s)
    for n in range(s.shape[0]):
        for j in range(s.shape[1]):
            x = float(s[n, j])
            g[n, j] = max(0.0, x) + sum(float(a[i, j]) * max(0.0, float(b[i, j]) - x) for i in range(len(a)))
    return g


@wrong("hinged_relu", "ReLU forgotten")
def _(s, *, a, b):
    return (a * (b - s[:, None]).clamp(min=0)).sum(1)


@wrong("hinged_relu", "hinges turned")
def _(s, *, a, b):
    return torch.relu(s) + (a * torch.relu(s[:, None] - b)).sum(1)


@wrong("hinged_relu", "positions turned")
def _(s, *, a, b):
    return torch.relu(s) + (a * torch.relu(-(s[:, None] + b))).sum(1)


@wrong("hinged_relu", "slope inside")
def _(s, *, a, b):
    return torch.relu(s) + torch.relu(a * (b - s[:, None])).sum(1)


@wrong("hinged_relu", "no maximum")
def _(s, *, a, b):
    return torch.relu(s) + (a * (b - s[:, None])).sum(1)


@wrong("hinged_relu", "mean for sum")
def _(s, *, a, b):
    return torch.relu(s) + (a * torch.relu(b - s[:, None])).mean(1)


@wrong("hinged_relu", "first hinge alone")
def _(s, *, a, b):
    return torch.relu(s) + a[0] * torch.relu(b[0] - s)


@wrong("hinged_relu", "changes its argument")
def _(s, *, a, b):
    hinges = (a * torch.relu(b - s[:, None])).sum(1)
    s.clamp_(min=0)
    return s + hinges


@right("largest_piece")
def by_einsum(h, *, weight, bias):
    return (torch.einsum("ni,oki->nok", h, weight) + bias).amax(dim=2)


@right("largest_piece")
def neuron_by_neuron(h, *, weight, bias):
    columns = [(h @ w.T + b).max(dim=1).values for w, b in zip(weight, bias, strict=True)]
    return torch.stack(columns, dim=1)


@right("largest_piece")
def piece_by_piece(h, *, weight, bias):
    g = h @ weight[:, 0].T + bias[:, 0]
    for k in range(1, weight.shape[1]):
        g = torch.maximum(g, h @ weight[:, k].T + bias[:, k])
    return g


def pieces_of(h, weight, bias):
    """All pieces, (n, out, K)."""
    return torch.stack([h @ w.T + b for w, b in zip(weight, bias, strict=True)], dim=1)


@wrong("largest_piece", "sum of the pieces")
def _(h, *, weight, bias):
    return pieces_of(h, weight, bias).sum(2)


@wrong("largest_piece", "smallest piece")
def _(h, *, weight, bias):
    return pieces_of(h, weight, bias).min(2).values


@wrong("largest_piece", "bias forgotten")
def _(h, *, weight, bias):
    return pieces_of(h, weight, 0 * bias).max(2).values


@wrong("largest_piece", "bias too late")
def _(h, *, weight, bias):
    return pieces_of(h, weight, 0 * bias).max(2).values + bias.max(1).values


@wrong("largest_piece", "largest in size")
def _(h, *, weight, bias):
    return pieces_of(h, weight, bias).abs().amax(2)


@wrong("largest_piece", "ReLU on top")
def _(h, *, weight, bias):
    return torch.relu(pieces_of(h, weight, bias).amax(2))


@wrong("largest_piece", "index for value")
def _(h, *, weight, bias):
    return pieces_of(h, weight, bias).max(2).indices


@right("bump_sum")
def all_kernels_at_once(s, *, alpha, boundary):
    d = torch.linspace(-boundary, boundary, alpha.shape[1])
    gamma = 1 / (6 * (d[1] - d[0]) ** 2)
    return (alpha * torch.exp(-gamma * (s[:, :, None] - d) ** 2)).sum(dim=2)


@right("bump_sum")
def kernel_by_kernel(s, *, alpha, boundary):
    size = alpha.shape[1]
    spacing = 2 * boundary / (size - 1)
    g = torch.zeros_like(s)
    for i in range(size):
        g += alpha[:, i] * torch.exp(-((s + boundary - i * spacing) ** 2) / (6 * spacing**2))
    return g


def bumps(s, alpha, d, gamma):
    """The weighted kernels, (n, H, D)."""
    return alpha * torch.exp(-gamma * (s.unsqueeze(2) - d).square())


@wrong("bump_sum", "D for D - 1")
def _(s, *, alpha, boundary):
    d, spacing = torch.linspace(-boundary, boundary, alpha.shape[1]), 2 * boundary / alpha.shape[1]
    return bumps(s, alpha, d, 1 / (6 * spacing**2)).sum(2)


@wrong("bump_sum", "spacing not squared")
def _(s, *, alpha, boundary):
    d = torch.linspace(-boundary, boundary, alpha.shape[1])
    return bumps(s, alpha, d, 1 / (6 * (d[1] - d[0]))).sum(2)


@wrong("bump_sum", "no factor 6")
def _(s, *, alpha, boundary):
    d = torch.linspace(-boundary, boundary, alpha.shape[1])
    return bumps(s, alpha, d, 1 / (d[1] - d[0]) ** 2).sum(2)


@wrong("bump_sum", "gamma upside down")
def _(s, *, alpha, boundary):
    d = torch.linspace(-boundary, boundary, alpha.shape[1])
    return bumps(s, alpha, d, 6 * (d[1] - d[0]) ** 2).sum(2)


@wrong("bump_sum", "dictionary from 0")
def _(s, *, alpha, boundary):
    d = torch.linspace(0, boundary, alpha.shape[1])
    return bumps(s, alpha, d, 1 / (6 * (d[1] - d[0]) ** 2)).sum(2)


@wrong("bump_sum", "one alpha for all")
def _(s, *, alpha, boundary):
    d = torch.linspace(-boundary, boundary, alpha.shape[1])
    return bumps(s, alpha[0], d, 1 / (6 * (d[1] - d[0]) ** 2)).sum(2)


@wrong("bump_sum", "mean for sum")
def _(s, *, alpha, boundary):
    d = torch.linspace(-boundary, boundary, alpha.shape[1])
    return bumps(s, alpha, d, 1 / (6 * (d[1] - d[0]) ** 2)).mean(2)


@right("start_from")
def by_solving(targets, *, dictionary, gamma, ridge):
    kernels = torch.exp(-gamma * (dictionary[:, None] - dictionary) ** 2)
    return torch.linalg.solve(kernels + ridge * torch.eye(len(dictionary)), targets)


@right("start_from")
def by_the_inverse(targets, *, dictionary, gamma, ridge):
    kernels = torch.exp(-gamma * (dictionary.unsqueeze(1) - dictionary.unsqueeze(0)).square())
    kernels.diagonal().add_(ridge)
    return kernels.inverse() @ targets


@right("start_from")
def entry_by_entry(targets, *, dictionary, gamma, ridge):
    d = dictionary.tolist()
    rows = [[math.exp(-gamma * (x - y) ** 2) + (ridge if x == y else 0) for y in d] for x in d]
    return torch.cholesky_solve(targets[:, None], torch.linalg.cholesky(torch.tensor(rows, dtype=torch.float64)))[:, 0]


def gram(dictionary, gamma):
    return torch.exp(-gamma * (dictionary[:, None] - dictionary) ** 2)


@wrong("start_from", "no ridge")
def _(targets, *, dictionary, gamma, ridge):
    return torch.linalg.solve(gram(dictionary, gamma), targets)


@wrong("start_from", "ridge everywhere")
def _(targets, *, dictionary, gamma, ridge):
    return torch.linalg.inv(gram(dictionary, gamma) + ridge) @ targets


@wrong("start_from", "inverse before the ridge")
def _(targets, *, dictionary, gamma, ridge):
    return (torch.linalg.inv(gram(dictionary, gamma)) + ridge * torch.eye(len(targets))) @ targets


@wrong("start_from", "multiplied")
def _(targets, *, dictionary, gamma, ridge):
    return (gram(dictionary, gamma) + ridge * torch.eye(len(targets))) @ targets


@wrong("start_from", "values for coefficients")
def _(targets, *, dictionary, gamma, ridge):
    return targets.clone()


@wrong("start_from", "ridge regression on columns")
def _(targets, *, dictionary, gamma, ridge):
    columns = gram(dictionary, gamma)
    return torch.linalg.solve(columns.T @ columns + ridge * torch.eye(len(targets)), columns.T @ targets)
