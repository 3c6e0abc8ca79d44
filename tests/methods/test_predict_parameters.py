"""Weights predicted from a few: against scikit-learn's kernel ridge regression, low rank, gradients, training."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from torch import nn

from course_utils.data import load_dataset
from course_utils.methods.predict_parameters import (
    PredictedLinear,
    choose_observed,
    empirical_kernel,
    pixel_coordinates,
    predict_weights,
    prediction_matrix,
    squared_exponential,
)
from course_utils.models import mlp
from course_utils.train import evaluate, fit

PIXELS = pixel_coordinates((1, 8, 8))


@pytest.mark.parametrize(("width", "ridge"), [(1.0, 1e-2), (2.0, 1e-3), (0.7, 1.0)])
def test_prediction_is_kernel_ridge_regression(width: float, ridge: float) -> None:
    torch.manual_seed(0)
    w = torch.randn(5, 64, dtype=torch.float64)
    places = PIXELS.double()
    (observed,) = choose_observed(64, 12)
    u = prediction_matrix(squared_exponential(places, width=width), observed, ridge=ridge)
    oracle = KernelRidge(alpha=ridge, kernel="rbf", gamma=1 / (2 * width**2))
    oracle.fit(places[observed].numpy(), w[:, observed].T.numpy())
    expected = oracle.predict(places.numpy()).T
    np.testing.assert_allclose(predict_weights(w, observed, u).numpy(), expected, atol=1e-9)
    process = GaussianProcessRegressor(RBF(width), alpha=ridge, optimizer=None)  # the same by another road
    process.fit(places[observed].numpy(), w[0, observed].numpy())
    np.testing.assert_allclose(predict_weights(w, observed, u)[0].numpy(), process.predict(places.numpy()), atol=1e-7)


def test_without_a_ridge_the_known_weights_are_met_and_with_all_known_nothing_is_predicted() -> None:
    kernel = squared_exponential(PIXELS.double(), width=0.8)
    w = torch.linspace(-1, 1, 128, dtype=torch.float64).view(2, 64)
    (observed,) = choose_observed(64, 10)
    made = predict_weights(w, observed, prediction_matrix(kernel, observed, ridge=0.0))
    torch.testing.assert_close(made[:, observed], w[:, observed])
    everything = torch.arange(64)
    identity = prediction_matrix(kernel, everything, ridge=0.0)
    torch.testing.assert_close(identity, torch.eye(64, dtype=torch.float64), atol=1e-6, rtol=0)


def test_kernels() -> None:
    near = squared_exponential(PIXELS, width=1.5)
    assert torch.equal(near.diagonal(), torch.ones(64))
    assert float(near[0, 9]) == pytest.approx(np.exp(-2 / (2 * 1.5**2)), rel=1e-4)
    x = load_dataset("digits").x_train
    data = empirical_kernel(x)
    expected = np.cov(x.flatten(1).numpy().astype(float), rowvar=False, bias=True)
    np.testing.assert_allclose(data.numpy(), expected / expected.diagonal().mean(), atol=1e-4)
    assert float(torch.linalg.eigvalsh(data.double()).min()) > -1e-5
    with pytest.raises(ValueError, match="width"):
        squared_exponential(PIXELS, width=0.0)
    with pytest.raises(TypeError, match="floating"):
        squared_exponential(PIXELS.long(), width=1.0)
    with pytest.raises(ValueError, match="square"):
        prediction_matrix(torch.rand(3, 4), torch.tensor([0]))


def test_coordinates_follow_the_order_of_flattening() -> None:
    shape = (3, 4, 5)
    places = pixel_coordinates(shape).long()
    image = torch.arange(60).view(shape)
    assert torch.equal(image[tuple(places.T)], image.flatten())
    assert pixel_coordinates((7,)).shape == (7, 1)
    assert pixel_coordinates((1, 1)).shape == (1, 1)


def test_observed_pixels_are_nested_and_differ_between_columns() -> None:
    few, many = choose_observed(64, 5, columns=3), choose_observed(64, 20, columns=3)
    for a, b in zip(few, many, strict=True):
        assert set(a.tolist()) <= set(b.tolist())
        assert len(set(b.tolist())) == 20
        assert b.tolist() == sorted(b.tolist())
    assert len({tuple(row.tolist()) for row in many}) == 3
    with pytest.raises(ValueError, match="count"):
        choose_observed(64, 65)


def test_the_layer_is_the_product_and_its_rank_is_that_of_the_known_weights() -> None:
    torch.manual_seed(0)
    observed = choose_observed(64, 6, columns=2)
    kernel = squared_exponential(PIXELS, width=1.0)
    u = torch.stack([prediction_matrix(kernel, places) for places in observed])
    dense = nn.Linear(64, 40)
    layer = PredictedLinear.from_linear(dense, u, observed)
    for block in range(2):
        rows = slice(20 * block, 20 * block + 20)
        expected = predict_weights(dense.weight.detach()[rows], observed[block], u[block])
        torch.testing.assert_close(layer.weight.detach()[rows], expected)
        assert int(torch.linalg.matrix_rank(layer.weight.detach()[rows])) == 6
    x = torch.rand(9, 64)
    torch.testing.assert_close(layer(x), x @ layer.weight.T + layer.bias)
    assert sum(p.numel() for p in layer.parameters()) == 40 * 6 + 40
    assert "u" in dict(layer.named_buffers())
    layer(x).sum().backward()
    torch.testing.assert_close(layer.observed.grad[0, 0], u[0].T @ x.sum(0), atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="multiple of the 3 columns"):
        PredictedLinear(torch.rand(3, 64, 5), outputs=40)
    assert PredictedLinear(torch.rand(64, 5), outputs=7, bias=False)(x).shape == (9, 7)


def test_one_weight_in_five_of_a_first_layer_is_enough() -> None:
    digits = load_dataset("digits")
    observed = choose_observed(64, 13, columns=10)
    u = torch.stack([prediction_matrix(empirical_kernel(digits.x_train), places) for places in observed])
    torch.manual_seed(0)
    model = mlp([64, 100, 10])
    model[1] = PredictedLinear(u, outputs=100)
    fit(model, digits, epochs=10, lr=1e-2, batch_size=64, schedule="cosine", progress=False, evaluate_every=0)
    assert evaluate(model, digits).accuracy > 0.92


@pytest.mark.gpu
def test_the_same_on_a_gpu() -> None:
    observed = choose_observed(64, 6)
    kernel = squared_exponential(PIXELS, width=1.0)
    matrix = prediction_matrix(kernel, observed[0])
    matrix_gpu = prediction_matrix(kernel.cuda(), observed[0].cuda())
    torch.testing.assert_close(matrix, matrix_gpu.cpu())
    assert PredictedLinear(matrix, 4).cuda()(torch.rand(3, 64, device="cuda")).shape == (3, 4)
