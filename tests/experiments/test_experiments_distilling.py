"""The decision tree of notebook 08 against scikit-learn's, and what it refuses."""

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from course_utils.experiments.distilling.tree import grow_tree


def rows(n: int, seed: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy((np.abs(x[:, 0]) + x[:, 1] * x[:, 2] > 0.8) + (x[:, 3] > 1.0)).long()


@pytest.mark.parametrize("leaves", [2, 3, 10, 40])
def test_a_tree_answers_as_scikit_learns(leaves: int) -> None:
    x, y = rows(3000, seed=0)
    fresh, _ = rows(3000, seed=1)
    ours = grow_tree(x, y, leaves=leaves)
    theirs = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(x.numpy(), y.numpy())
    assert ours.leaves == leaves
    np.testing.assert_array_equal(ours.predict(fresh).numpy(), theirs.predict(fresh.numpy()))


def test_a_tree_with_leaves_enough_knows_all_its_rows_and_stops() -> None:
    x, y = rows(200, seed=2)
    tree = grow_tree(x, y, leaves=1000)
    assert torch.equal(tree.predict(x), y)
    assert tree.leaves < 200
    assert grow_tree(x, y, leaves=1).predict(x).unique().tolist() == [int(y.mode().values)]
    alike = grow_tree(torch.ones(3, 2), torch.tensor([0, 1, 1]), leaves=9)
    assert (alike.leaves, alike.predict(torch.zeros(1, 2)).tolist()) == (1, [1])


def test_numbers_without_another_between_them_are_told_apart() -> None:
    one = torch.tensor(1.0, dtype=torch.float64)
    x = torch.stack([one, torch.nextafter(one, one + 1)])[:, None]
    assert grow_tree(x, torch.tensor([0, 1]), leaves=2).predict(x).tolist() == [0, 1]


def test_what_cannot_be_parted_is_refused() -> None:
    x, y = rows(10, seed=0)
    for inputs, labels in ((x[None], y), (x, y[:9]), (x * float("nan"), y), (x[:0], y[:0]), (x, y - 1)):
        with pytest.raises(ValueError, match=r"x must be finite, \(n, features\)"):
            grow_tree(inputs, labels, leaves=3)
    with pytest.raises(ValueError, match="leaves must be at least 1, got 0"):
        grow_tree(x, y, leaves=0)
