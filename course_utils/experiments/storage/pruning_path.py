"""Prunes a trained network to several sparsities, with several rounds of retraining."""

import copy
from functools import lru_cache

import numpy as np

from course_utils.data import Dataset
from course_utils.experiments.lesson import SMALL_INPUT, lesson_data, measure_accuracy, trained_network
from course_utils.methods.prune import Pruner
from course_utils.methods.weights import weights_of
from course_utils.train import fit

__all__ = ["ROUNDS", "SPARSITIES", "PruningPath", "pruning_path"]

SPARSITIES = (0.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98)
ROUNDS = (0, 1, 3)


class PruningPath:
    """A network pruned to each of SPARSITIES, with each number of ROUNDS of retraining.

    `weights`: of each layer by (sparsity, rounds); `accuracy` likewise.
    """

    def __init__(self, data: Dataset, epochs: int) -> None:
        self.data, self.epochs = data, epochs
        self.weights: dict[tuple[float, int], list[np.ndarray]] = {}
        self.accuracy: dict[tuple[float, int], float] = {}

    def __repr__(self) -> str:
        return (
            f"{len(self.accuracy)} networks on {self.data.name}: {len(SPARSITIES)} sparsities, "
            f"each with {', '.join(map(str, ROUNDS))} rounds of retraining"
        )


def pruning_path(data: str | Dataset = "digits", *, epochs: int = 4) -> PruningPath:
    """Prune and retrain the lesson's network in every way of the panel, `epochs` of retraining in each round."""
    return copy.deepcopy(_load(data, epochs)) if isinstance(data, str) else _make(data, epochs)


@lru_cache(maxsize=2)
def _load(name: str, epochs: int) -> PruningPath:
    return _make(name, epochs)


def _make(data: str | Dataset, epochs: int) -> PruningPath:
    dataset, dense = lesson_data(data), trained_network(data)
    if dataset.features > SMALL_INPUT:
        epochs = max(1, epochs // 3)
    path = PruningPath(dataset, epochs)
    for sparsity in SPARSITIES:
        for rounds in ROUNDS:
            model = copy.deepcopy(dense)
            pruner = Pruner(model, scope="global")
            steps = max(rounds, 1)
            for step in range(1, steps + 1):
                # The number of remaining weights falls by the same factor in each round.
                pruner.prune(sparsity=1 - (1 - sparsity) ** (step / steps))
                if rounds and sparsity:
                    with pruner:
                        fit(model, dataset, epochs=epochs, lr=2e-3, batch_size=64, evaluate_every=0, device="cpu",
                            progress=False, schedule="cosine")  # fmt: skip
            matrices = [weight.tensor.detach() for weight in weights_of(model).values()]
            path.weights[sparsity, rounds] = [matrix.clone().numpy() for matrix in matrices]
            path.accuracy[sparsity, rounds] = measure_accuracy(model.eval(), dataset)
    return path
