"""A decision tree: a list of yes-or-no questions about single inputs, grown by the purity of what they part.

Source: Breiman, Friedman, Olshen and Stone 1984, *Classification and Regression Trees*.
"""

from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["DecisionTree", "grow_tree"]

TOGETHER = 2**16  # numbers that are sorted at once: more would take more memory, fewer more time


class DecisionTree(NamedTuple):
    """Nodes from the root on, one in each row: the question of a node is whether x[feature] is at most `threshold`.

    `yes` and `no` are the rows of the two nodes below; a leaf has itself in both. `label`: the class of most of the
    training rows that come to a node.
    """

    feature: np.ndarray
    threshold: np.ndarray
    yes: np.ndarray
    no: np.ndarray
    label: np.ndarray

    @property
    def leaves(self) -> int:
        """The number of leaves."""
        return int((self.yes == np.arange(len(self.yes))).sum())

    def predict(self, x: Tensor) -> Tensor:
        """The classes (n,) of inputs (n, features)."""
        inputs, node = x.numpy(), np.zeros(len(x), dtype=np.int64)
        while True:
            is_yes = inputs[np.arange(len(node)), self.feature[node]] <= self.threshold[node]
            below = np.where(is_yes, self.yes[node], self.no[node])
            if (below == node).all():
                return torch.from_numpy(self.label[node])
            node = below


class Question(NamedTuple):
    """The best question for the rows of a node, and the rows that answer it with yes and with no."""

    gain: float  # by how much it lowers the rows' number times their Gini impurity
    feature: int
    threshold: np.float64
    yes: np.ndarray
    no: np.ndarray


def grow_tree(x: Tensor, y: Tensor, *, leaves: int) -> DecisionTree:
    """A tree of at most so many leaves for inputs (n, features) and labels (n,) from 0.

    Always that leaf is parted next whose question lowers the Gini impurity of all training rows most; of equally good
    questions the first is asked, in the order of the features. No random numbers are drawn.

    Raises: ValueError for shapes that do not fit, numbers that are not finite, or fewer than one leaf.

    >>> tree = grow_tree(torch.tensor([[0.0, 1.0], [0.0, 3.0], [1.0, 5.0]]), torch.tensor([0, 0, 1]), leaves=2)
    >>> tree.leaves, tree.predict(torch.tensor([[0.4, 0.0], [0.6, 0.0]]))
    (2, tensor([0, 1]))
    """
    if x.ndim != 2 or y.shape != x.shape[:1] or not x.numel() or not x.isfinite().all() or y.min() < 0:
        raise ValueError(
            f"x must be finite, (n, features), and y its labels (n,) from 0, got {tuple(x.shape)} and "
            f"{tuple(y.shape)}; flatten images with x.flatten(1)"
        )
    if leaves < 1:
        raise ValueError(f"leaves must be at least 1, got {leaves}; try 150")
    inputs, labels = x.numpy(), y.numpy().astype(np.min_scalar_type(int(y.max())))  # small numbers are sorted fast
    rows = [np.arange(len(inputs))]  # of each node
    questions = [(0, 0.0, 0, 0)]  # feature, threshold, yes, no: of a leaf, row 0 is asked in vain
    open_leaves: list[tuple[float, int, Question]] = []  # the best first; of equal ones the one that was there first

    def consider(node: int) -> None:
        question = best_question(inputs[rows[node]], labels[rows[node]])
        if question is not None:
            heappush(open_leaves, (-question.gain, node, question))

    consider(0)
    while open_leaves and (len(rows) + 1) // 2 < leaves:
        _, node, question = heappop(open_leaves)
        below = (len(rows), len(rows) + 1)
        questions[node] = (question.feature, question.threshold, *below)
        for new, part in zip(below, (question.yes, question.no), strict=True):
            rows.append(rows[node][part])
            questions.append((0, 0.0, new, new))
            consider(new)
    feature, threshold, yes, no = (np.array(column) for column in zip(*questions, strict=True))
    label = np.array([np.bincount(labels[part]).argmax() for part in rows])
    return DecisionTree(feature, threshold, yes, no, label)


def best_question(inputs: np.ndarray, labels: np.ndarray) -> Question | None:
    """The best question for some rows; None if they are of one class, or all alike.

    With n_k of n rows in class k, n times the impurity is n - sum n_k^2 / n.
    """
    n, total = len(labels), np.bincount(labels)
    if total.max() == n:
        return None
    of_its_class = np.arange(n) - np.repeat(total.cumsum() - total, total)  # how many of a class came before, by class
    count = np.arange(1, n)  # of rows that answer yes
    best, parted, width = -1.0, None, max(1, TOGETHER // n)
    for start in range(0, inputs.shape[1], width):
        part = inputs[:, start : start + width].T
        order = part.argsort(1)
        values, classes = np.take_along_axis(part, order, 1), labels[order]
        before = np.empty(classes.shape, dtype=np.int64)
        np.put_along_axis(before, classes.argsort(1, kind="stable"), of_its_class[None], 1)
        yes = (2 * before + 1).cumsum(1)[:, :-1]  # sum n_k^2 of the rows that answer yes: one more adds 2 n_k + 1
        no = yes - 2 * total[classes].cumsum(1)[:, :-1] + total @ total
        purity = yes / count + no / count[::-1]
        purity[values[:, 1:] == values[:, :-1]] = -1.0  # equal numbers cannot be parted
        feature, place = divmod(int(purity.argmax()), n - 1)
        if purity[feature, place] > best:
            best, parted = float(purity[feature, place]), (start + feature, *values[feature, place : place + 2])
    if parted is None:
        return None
    feature, low, high = parted
    middle = np.float64(low) / 2 + np.float64(high) / 2
    threshold = middle if middle < high else np.float64(low)  # between neighbours among the numbers there is none
    says_yes = inputs[:, feature] <= threshold
    gain = best - float(total @ total) / n
    return Question(gain, feature, threshold, np.flatnonzero(says_yes), np.flatnonzero(~says_yes))
