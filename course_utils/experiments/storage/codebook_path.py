"""Shares the weights of a pruned network by k-means and records the centroids after several numbers of steps."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.lesson import accuracy_with_weights, lesson_data, trained_network
from course_utils.methods.codebook import Codebook, fit_codebook
from course_utils.methods.prune import magnitude_mask
from course_utils.methods.weights import weights_of

__all__ = ["STEPS", "CodebookPath", "SharedLayer"]

STEPS = (0, 1, 2, 3, 5, 8, 12, 20, 40)
SPARSITY = 0.7


class SharedLayer(NamedTuple):
    """A layer's weights that remain after pruning, the centroids after each of STEPS, the weights of each, and the
    squared errors now and at the optimum; the accuracy with shared values in all layers, and after pruning alone."""

    weights: np.ndarray
    paths: np.ndarray  # (len(STEPS), k)
    at: int  # index into STEPS
    counts: np.ndarray
    error: float
    best_error: float
    accuracy: float
    pruned_accuracy: float


class CodebookPath:
    """The lesson's network, pruned; its codebooks are fitted when they are asked for, once each."""

    def __init__(self, data: str | Dataset) -> None:
        self.data, self.model = lesson_data(data), trained_network(data)
        self.layers = [weight.tensor.detach() for weight in weights_of(self.model).values()]
        self.masks = [magnitude_mask(w, sparsity=SPARSITY) for w in self.layers]
        self._codebooks: dict[tuple[int, int, str, int], Codebook] = {}
        self._accuracies: dict[tuple[int, str, int], float] = {}

    @cached_property
    def pruned_accuracy(self) -> float:
        """The accuracy of the pruned network before its weights share values."""
        pruned = [w * mask for w, mask in zip(self.layers, self.masks, strict=True)]
        return accuracy_with_weights(self.model, pruned, self.data)

    def codebook(self, layer: int, size: int, init: str, steps: int) -> Codebook:
        """The codebook of a layer after at most so many steps of k-means."""
        key = (layer, size, init, steps)
        if key not in self._codebooks:
            generator = torch.Generator().manual_seed(1)
            values = self.layers[layer][self.masks[layer]]
            self._codebooks[key] = fit_codebook(values, size=size, init=init, iterations=steps, generator=generator)
        return self._codebooks[key]

    def accuracy(self, size: int, init: str, steps: int) -> float:
        """The accuracy with values shared in all layers by such codebooks."""
        key = (size, init, steps)
        if key not in self._accuracies:
            shared = []
            for i, (w, mask) in enumerate(zip(self.layers, self.masks, strict=True)):
                new = torch.zeros_like(w)
                new[mask] = self.codebook(i, size, init, steps).decode()
                shared.append(new)
            self._accuracies[key] = accuracy_with_weights(self.model, shared, self.data)
        return self._accuracies[key]

    def shared_layer(self, layer: int, *, size: int, init: str, steps: int) -> SharedLayer:
        """A layer after `steps` of k-means, one of STEPS; `init`: a start that `fit_codebook` knows."""
        values = self.layers[layer][self.masks[layer]]
        codebooks = [self.codebook(layer, size, init, n) for n in STEPS]
        now, best = codebooks[STEPS.index(steps)], self.codebook(layer, size, "exact", 300)
        return SharedLayer(
            weights=values.numpy(),
            paths=np.stack([_padded(codebook.centroids, size) for codebook in codebooks]),
            at=STEPS.index(steps),
            counts=torch.bincount(now.indices.long(), minlength=size).numpy(),
            error=float((values - now.decode()).square().mean()),
            best_error=float((values - best.decode()).square().mean()),
            accuracy=self.accuracy(size, init, steps),
            pruned_accuracy=self.pruned_accuracy,
        )


def _padded(centroids: Tensor, size: int) -> np.ndarray:
    """The centroids, with NaN for those that do not exist."""
    row = np.full(size, np.nan)
    row[: len(centroids)] = centroids.numpy()
    return row
