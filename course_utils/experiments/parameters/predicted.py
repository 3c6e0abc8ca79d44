"""The first layer from a few of its weights: predicted, and with the kept weights trained (Denil et al. 2013)."""

import copy
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.data import Dataset
from course_utils.experiments.lesson import lesson_data, measure_accuracy, trained_network
from course_utils.methods.predict_parameters import (
    PredictedLinear,
    choose_observed,
    empirical_kernel,
    pixel_coordinates,
    prediction_matrix,
    squared_exponential,
)
from course_utils.train import fit

__all__ = ["FEATURES", "SHARES", "Predict", "PredictedPath", "Prediction", "matrix_of", "predicted_path"]

SHARES = (0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75)
COLUMNS = (1, 10)
KINDS = ("near", "data", "zero")
ROWS, EPOCHS = 4_000, 8
FEATURES = 20  # of the layer that a result holds

Predict = Callable[[Tensor, Tensor, Tensor], Tensor]


class Prediction(NamedTuple):
    """A first layer of which a share is kept: some features (FEATURES, inputs), and the network's accuracy."""

    observed: np.ndarray  # 0 where a weight is not kept
    before: np.ndarray  # as predicted from the trained layer
    after: np.ndarray  # the same once the kept weights have been trained
    accuracy: tuple[float, float]  # before and after
    weights: int  # of the layer that are kept


class PredictedPath:
    """The lesson's network with its first layer predicted: `predictions` by (kind, columns, share).

    `features`: of the trained layer, those of the rows `shown`; `accuracy`: with all `weights`;
    `by_reader`: whether a function of the reader's predicts.
    """

    def __init__(self, data: str | Dataset, predict: Predict | None, epochs: int = EPOCHS) -> None:
        self.epochs = epochs
        self.data, model = lesson_data(data), trained_network(data)
        self.accuracy = measure_accuracy(model, self.data)
        layer = first_layer(model)
        self.weights = layer.in_features * layer.out_features
        self.shown = torch.arange(FEATURES) * (layer.out_features // FEATURES)
        self.features = layer.weight.detach()[self.shown].numpy()
        self.by_reader = predict is not None
        rows = self.data.subset(min(ROWS, len(self.data.y_train)))
        kinds = ("reader",) if predict else KINDS
        self.predictions: dict[tuple[str, int, float], Prediction] = {}
        for columns in COLUMNS:
            for share in SHARES:
                count = max(1, round(share * layer.in_features))
                observed = choose_observed(layer.in_features, count, columns=columns)
                for kind in kinds:
                    u = torch.stack([self._matrix(kind, places, predict) for places in observed])
                    self.predictions[kind, columns, share] = self._train(model, rows, u, observed)

    def __repr__(self) -> str:
        return (
            f"{len(self.predictions)} networks on {self.data.name} with {min(SHARES):.0%} to {max(SHARES):.0%} of the "
            f"{self.weights:,} weights of the first layer; accuracy with all of them {self.accuracy:.1%}"
        )

    def _matrix(self, kind: str, observed: Tensor, predict: Predict | None) -> Tensor:
        """U, (inputs, observed)."""
        if kind == "zero":
            return torch.eye(self.data.features)[:, observed]
        coordinates = pixel_coordinates(self.data.input_shape)
        if predict is not None:
            return matrix_of(predict, coordinates[observed], coordinates)
        return prediction_matrix(self._kernel(kind), observed)

    @lru_cache(maxsize=2)  # noqa: B019 - a path lives as long as its notebook
    def _kernel(self, kind: str) -> Tensor:
        """How alike the weights of two pixels are expected to be, (inputs, inputs)."""
        if kind == "data":
            return empirical_kernel(self.data.x_train)
        width = 1.0 if self.data.features < 100 else 1.5
        return squared_exponential(pixel_coordinates(self.data.input_shape), width=width)

    def _train(self, model: nn.Sequential, rows: Dataset, u: Tensor, observed: Tensor) -> Prediction:
        network = copy.deepcopy(model)
        dense = first_layer(network)
        network[1] = layer = PredictedLinear.from_linear(dense, u, observed)
        before, accuracy = layer.weight.detach()[self.shown].numpy(), measure_accuracy(network.eval(), self.data)
        weights = np.zeros_like(self.features)
        for i, feature in enumerate(self.shown.tolist()):
            places = observed[feature * len(observed) // dense.out_features]
            weights[i, places] = self.features[i, places]
        epochs = self.epochs if self.data.features < 100 else (self.epochs + 1) // 2
        fit(
            network, rows, epochs=epochs, lr=3e-3, batch_size=64,
            schedule="cosine", evaluate_every=0, device="cpu", progress=False,
        )  # fmt: skip
        after = layer.weight.detach()[self.shown].numpy()
        accuracies = accuracy, measure_accuracy(network.eval(), self.data)
        return Prediction(weights, before, after, accuracies, layer.observed.numel())


def first_layer(model: nn.Sequential) -> nn.Linear:
    """The dense layer behind the flattening of a lesson's perceptron."""
    layer = model[1]
    assert isinstance(layer, nn.Linear)
    return layer


def matrix_of(predict: Predict, known: Tensor, places: Tensor) -> Tensor:
    """U of a reader's ``predict(w, known, places)``, (inputs, observed); ValueError where it is no linear map of w."""
    generator = torch.Generator().manual_seed(0)
    probe = torch.cat([torch.eye(len(known)), torch.randn(2, len(known), generator=generator)])
    result = predict(probe.clone(), known.clone(), places.clone())  # it may overwrite them
    shape = (len(probe), len(places))
    if not isinstance(result, Tensor) or result.shape != shape:
        got = f"shape {tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
        raise ValueError(f"predict must return the weights of all pixels, here of shape {shape}, got {got}")
    u = result[: len(known)].T.float()
    if not bool(torch.isfinite(result).all()):
        raise ValueError("predict must return finite numbers; does it divide by a distance of 0?")
    if not torch.allclose(probe[-2:] @ u.T, result[-2:].float(), atol=1e-3, rtol=1e-3):
        raise ValueError("predict must be linear in w: twice the known weights, twice the predicted ones")
    return u.contiguous()


def predicted_path(
    data: str | Dataset = "digits", *, predict: Predict | None = None, epochs: int = EPOCHS
) -> PredictedPath:
    """Predict and train the first layer in every way of the panel; for a data set that is named only once.

    `predict`: your own ``predict(w, known, places)``, which gives the weights (features, n) at all `places` (n, d)
    from those `w` (features, m) at the `known` places (m, d).
    """
    return _of_name(data, predict, epochs) if isinstance(data, str) else PredictedPath(data, predict, epochs)


@lru_cache(maxsize=4)
def _of_name(name: str, predict: Predict | None, epochs: int) -> PredictedPath:
    return PredictedPath(name, predict, epochs)
