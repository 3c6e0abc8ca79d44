"""codebook: the optimum by brute force, the paper's example, and centroids that train."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layers import weight_layers
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import load_dataset
from course_utils.methods.codebook import (
    Codebook,
    centroid_gradient,
    exact,
    fit_codebook,
    share_weights,
    unshare_weights,
)
from course_utils.methods.prune import Pruner
from course_utils.models import mlp
from course_utils.train import evaluate, fit

INITS = ["exact", "linear", "density", "random"]


def inertia(values: Tensor, book: Codebook, weights: Tensor | None = None) -> float:
    squares = (values.double() - book.decode().double()).square()
    return float((squares if weights is None else squares * weights.double()).sum())


def least_inertia(values: list[float], weights: list[float], size: int) -> float:
    """By trying every way to cut the sorted values into at most `size` runs."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    x, w = np.array(values)[order], np.array(weights)[order]

    def cost(a: int, b: int) -> float:
        mass = w[a:b].sum()
        mean = (w[a:b] * x[a:b]).sum() / mass if mass else 0.0
        return float((w[a:b] * (x[a:b] - mean) ** 2).sum())

    best = float("inf")
    for k in range(min(size, len(x))):
        for cuts in combinations(range(1, len(x)), k):
            ends = [0, *cuts, len(x)]
            best = min(best, sum(cost(a, b) for a, b in pairwise(ends)))
    return best


few = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=9)


@given(few, st.integers(1, 5))
def test_exact_is_the_optimum(values: list[float], size: int) -> None:
    book = fit_codebook(torch.tensor(values), size=size)
    assert inertia(torch.tensor(values), book) == pytest.approx(
        least_inertia(values, [1.0] * len(values), size), abs=1e-6
    )


@given(
    st.lists(st.tuples(st.integers(-20, 20), st.sampled_from([0.0, 0.5, 1.0, 7.0])), min_size=1, max_size=8),
    st.integers(1, 4),
)
def test_exact_is_the_optimum_with_weights_too(pairs: list[tuple[int, float]], size: int) -> None:
    values, weights = [float(v) for v, _ in pairs], [w for _, w in pairs]
    x, w = torch.tensor(values, dtype=torch.float64), torch.tensor(weights)
    book = fit_codebook(x, size=size, weights=w)
    assert inertia(x, book, w) == pytest.approx(least_inertia(values, weights, size), abs=1e-9)


@given(
    st.integers(0, 2**31),
    st.integers(1, 40),
    st.sampled_from(INITS),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_what_every_codebook_keeps(seed: int, size: int, init: str, dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(seed)
    values = torch.randn(7, 30, generator=g, dtype=torch.float64).to(dtype)
    book = fit_codebook(values, size=size, init=init, generator=g)
    c = book.centroids
    assert c.dtype == dtype
    assert len(c) <= size
    assert book.decode().shape == values.shape
    assert bool((c.diff() > 0).all())
    assert book.indices.unique().numel() == len(c) or dtype == torch.bfloat16  # no centroid without a value
    gaps = (values.double().unsqueeze(-1) - c.double()).abs()
    chosen = gaps.gather(-1, book.indices.long().unsqueeze(-1)).squeeze(-1)
    assert torch.equal(chosen, gaps.min(-1).values)  # each value has a nearest centroid
    if dtype == torch.float64:  # and each centroid is the mean of its values
        for i, centroid in enumerate(c):
            assert float(values[book.indices == i].mean()) == pytest.approx(float(centroid), abs=1e-9)


def test_ties_go_to_the_lower_centroid() -> None:
    book = fit_codebook(torch.tensor([0.0, 1.0, 2.0, 2.0, 4.0]), size=2, init="linear", iterations=0)
    assert book.centroids.tolist() == [0, 4]
    assert book.indices.tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("kind", ["normal", "heavy tails", "two humps", "atom"])
@pytest.mark.parametrize(("size", "bar"), [(16, 1.001), (64, 1.01), (256, 1.2)])
def test_a_selection_of_places_is_nearly_as_good_as_all(kind: str, size: int, bar: float, monkeypatch) -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(30_000, generator=g)
    if kind == "heavy tails":
        x *= torch.rand(30_000, generator=g) ** -0.5
    elif kind == "two humps":
        x[::2] += 50
    elif kind == "atom":
        x[:29_000] = 0.0
    chosen = inertia(x, fit_codebook(x, size=size))
    monkeypatch.setattr(exact, "PLACES", (40_000, 40_000))
    assert chosen <= bar * inertia(x, fit_codebook(x, size=size))


def test_not_worse_than_scikit_learn() -> None:
    x = torch.randn(5000, generator=torch.Generator().manual_seed(0))
    theirs = KMeans(16, n_init=3, random_state=0).fit(x[:, None].numpy()).inertia_
    assert inertia(x, fit_codebook(x, size=16)) <= theirs * (1 + 1e-6)


def test_other_starts_leave_no_cluster_empty() -> None:
    x = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    for init in INITS:
        book = fit_codebook(x, size=256, init=init, generator=torch.Generator().manual_seed(0))
        assert len(book.centroids) == 256
        assert book.bits == 8
        assert book.indices.dtype == torch.uint8


def test_fewer_different_values_than_centroids() -> None:
    x = torch.tensor([3.0, -1.0, 3.0, 3.0])
    for init in INITS:
        book = fit_codebook(x, size=8, init=init)
        assert book.centroids.tolist() == [-1, 3]
        assert torch.equal(book.decode(), x)


@pytest.mark.parametrize(("size", "dtype"), [(256, torch.uint8), (300, torch.int16), (40_000, torch.int32)])
def test_indices_take_the_smallest_type(size: int, dtype: torch.dtype) -> None:
    assert fit_codebook(torch.arange(50_000.0), size=size, init="density", iterations=1).indices.dtype == dtype


def test_a_start_can_be_looked_at_and_steps_only_improve() -> None:
    x = torch.randn(3000, generator=torch.Generator().manual_seed(0))
    for init in INITS:
        steps = [
            fit_codebook(x, size=6, init=init, iterations=n, generator=torch.Generator().manual_seed(1))
            for n in range(9)
        ]
        errors = [inertia(x, book) for book in steps]
        assert all(b <= a * (1 + 1e-6) for a, b in pairwise(errors))
    linear = fit_codebook(x, size=6, init="linear", iterations=0)
    torch.testing.assert_close(linear.centroids, torch.linspace(float(x.min()), float(x.max()), 6))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "size must be between 1 and 65536, got 0"),
        ({"init": "kmeans++"}, "init must be one of"),
        ({"values": torch.tensor([1.0, float("nan")])}, "must be finite"),
        ({"weights": torch.ones(3)}, "weights must have the shape"),
        ({"weights": torch.tensor([1.0, -1.0])}, "not negative"),
    ],
)
def test_wrong_arguments(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_codebook(**({"values": torch.ones(2), "size": 2} | change))


# --- training


def test_the_example_of_the_paper() -> None:
    # Han, Mao, Dally 2015, figure 3.
    weights = [
        [2.09, -0.98, 1.48, 0.09],
        [0.05, -0.14, -1.08, 2.12],
        [-0.91, 1.92, 0.0, -1.03],
        [1.87, 0.0, 1.53, 1.49],
    ]
    gradient = [
        [-0.03, -0.01, 0.03, 0.02],
        [-0.01, 0.01, -0.02, 0.12],
        [-0.01, 0.02, 0.04, 0.01],
        [-0.07, -0.02, 0.01, -0.02],
    ]
    book = fit_codebook(torch.tensor(weights), size=4)
    assert book.indices.tolist() == [[3, 0, 2, 1], [1, 1, 0, 3], [0, 3, 1, 0], [3, 1, 2, 2]]
    assert book.bits == 2
    torch.testing.assert_close(book.centroids, torch.tensor([-1.0, 0.0, 1.5, 2.0]), atol=1e-6, rtol=0)
    summed = centroid_gradient(torch.tensor(gradient), book.indices, size=4)
    torch.testing.assert_close(summed, torch.tensor([-0.03, 0.04, 0.02, 0.04]))
    torch.testing.assert_close(book.centroids - summed, torch.tensor([-0.97, -0.04, 1.48, 1.96]))


def test_the_gradient_of_a_centroid_is_autograds() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(12, 7), torch.randn(5, 12)
    layer.weight.data[:, ::3] = 0
    book = share_weights(layer, size=5)[""]
    F.mse_loss(layer(x), torch.ones(5, 7)).backward()
    centroids = book.centroids.clone().requires_grad_()
    full = torch.cat([centroids, torch.zeros(1)])[layer.parametrizations.weight[0].indices]
    F.mse_loss(F.linear(x, full, layer.bias), torch.ones(5, 7)).backward()
    torch.testing.assert_close(layer.parametrizations.weight.original.grad, centroids.grad)
    assert bool((layer.weight[:, ::3] == 0).all())


def test_shapes_that_do_not_belong_together() -> None:
    with pytest.raises(ValueError, match="must have one shape"):
        centroid_gradient(torch.ones(2, 3), torch.zeros(3, 2, dtype=torch.uint8), size=2)


def test_fine_tuned_centroids_recover_what_sharing_lost() -> None:
    digits = load_dataset("digits")
    torch.manual_seed(0)
    model = mlp([64, 40, 30, 10])
    fit(model, digits, epochs=10, batch_size=32, lr=0.01, progress=False, device="cpu")
    Pruner(model).prune(sparsity=0.5)
    zeros = {name: layer.weight == 0 for name, layer in weight_layers(model).items()}
    share_weights(model, size=3, init="linear")
    shared = evaluate(model, digits)
    fit(model, digits, epochs=5, batch_size=32, lr=0.005, progress=False, device="cpu")
    tuned = evaluate(model, digits)
    assert tuned.loss < shared.loss
    outputs = model(digits.x_test)
    unshare_weights(model)
    assert torch.equal(model(digits.x_test), outputs)
    for name, layer in weight_layers(model).items():
        assert bool((layer.weight[zeros[name]] == 0).all())
        assert layer.weight.unique().numel() <= 4
        assert isinstance(layer.weight, nn.Parameter)


def test_sharing_by_layer_and_unknown_layers() -> None:
    model = mlp([8, 6, 4])
    first, second = weight_layers(model)
    assert list(share_weights(model, size={second: 2})) == [second]
    with pytest.raises(ValueError, match=f"no layer 'nose' with a weight; there are '{first}'"):
        share_weights(model, size={"nose": 2})
