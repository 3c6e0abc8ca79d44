"""Magnitude pruning: what a threshold removes, and what rounds of retraining bring back."""

import copy
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy, trained
from course_utils.methods.layers import weight_layers
from course_utils.methods.prune import Pruner
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS, Histogram, move_limits
from course_utils.train import fit

__all__ = ["ROUNDS", "SPARSITIES", "PruningPath", "pruning", "pruning_path"]

SPARSITIES = (0.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98)
ROUNDS = (0, 1, 3)
BINS = 81


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
            f"{len(self.accuracy)} networks on {self.data.name}: {len(SPARSITIES)} shares of zeros, "
            f"{', '.join(map(str, ROUNDS))} rounds of retraining"
        )


def pruning_path(data: str | Dataset = "digits", *, epochs: int = 4) -> PruningPath:
    """Prune and retrain the lesson's network in every way of the panel, `epochs` of retraining in each round."""
    return _of_name(data, epochs) if isinstance(data, str) else _make(data, epochs)


@lru_cache(maxsize=2)
def _of_name(name: str, epochs: int) -> PruningPath:
    return _make(name, epochs)


def _make(data: str | Dataset, epochs: int) -> PruningPath:
    room, dense = classroom(data), trained(data)
    if room.features > 100:
        epochs = max(1, epochs // 3)
    path = PruningPath(room, epochs)
    for sparsity in SPARSITIES:
        for rounds in ROUNDS:
            model = copy.deepcopy(dense)
            pruner = Pruner(model, scope="global")
            for number in range(1, max(rounds, 1) + 1):
                # What is left falls by the same factor in each round.
                pruner.prune(sparsity=1 - (1 - sparsity) ** (number / max(rounds, 1)))
                if rounds and sparsity:
                    with pruner:
                        fit(model, room, epochs=epochs, lr=2e-3, batch_size=64, evaluate_every=0, device="cpu",
                            progress=False, schedule="cosine")  # fmt: skip
            layers = weight_layers(model).values()
            path.weights[sparsity, rounds] = [layer.weight.detach().clone().numpy() for layer in layers]
            path.accuracy[sparsity, rounds] = measure_accuracy(model.eval(), room)
    return path


class Pruned(NamedTuple):
    """Where the reader stands on the path."""

    sparsity: float
    rounds: int
    layer: int


def pruning(data: str | Dataset | PruningPath = "digits") -> Panel:
    """The weights that a threshold leaves, and the accuracy with and without retraining (Han et al. 2015).

    `data`: a name of `load_dataset`, a data set, or a path from `pruning_path`.
    """
    path = data if isinstance(data, PruningPath) else pruning_path(data)
    layers = len(path.weights[0.0, 0])
    texts = [f"{s:.0%}" for s in SPARSITIES]
    controls = [
        Slider(name="sparsity", label="Share of the weights removed", values=SPARSITIES, value=0.9, texts=texts),
        Slider(name="rounds", label="Rounds of retraining", values=ROUNDS, value=0),
        Choice(name="layer", label="Layer in the picture", options={f"W{i + 1}": i for i in range(layers)}),
    ]

    def compute(sparsity: float, rounds: float, layer: int) -> Pruned:
        return Pruned(sparsity, int(rounds), layer)

    return Panel("Pruned by magnitude", controls, compute, drawing(path), size=(960, 370))


def drawing(path: PruningPath) -> Draw:
    """The drawing for the networks of `path`."""

    def draw(figure: Figure) -> Show:
        left, right = figure.subplots(1, 2)
        before = Histogram(left, color="#D9DEE2", label="before")
        after = Histogram(left, color=COLOURS["blue"], label="left, and retrained")
        left.set(yticks=[], ylim=(0, 1.25), xlabel="value of a weight", title="Weights of the layer, zeros left out")
        legend = left.legend(loc="upper right", fontsize=10)
        x = [1 / (1 - s) for s in SPARSITIES]
        for i, rounds in enumerate(ROUNDS):
            right.plot(
                x,
                [path.accuracy[s, rounds] for s in SPARSITIES],
                linestyle=LINE_STYLES[i],
                marker=MARKERS[i],
                ms=5,
                color=list(COLOURS.values())[i],
                label="not retrained" if not rounds else f"{rounds} round{'s' if rounds > 1 else ''} of retraining",
            )
        (here,) = right.plot([], [], "o", ms=13, mfc="none", mew=2.2, color=COLOURS["ink"])
        right.set(xscale="log", ylim=(0, 1.03), xlabel="times fewer weights", title="Right on the test rows")
        right.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        right.minorticks_off()
        right.legend(loc="lower left", fontsize=10)

        def show(state: Pruned) -> str:
            dense, now = path.weights[0.0, 0][state.layer], path.weights[state.sparsity, state.rounds][state.layer]
            edge = float(max(np.abs(dense).max(), np.abs(now).max())) * 1.02
            most, edges = np.histogram(dense, BINS, (-edge, edge))
            for bars, values in ((before, dense), (after, now[now != 0])):
                counts, _ = np.histogram(values, BINS, (-edge, edge))
                bars.show(counts / most.max(), edges)
            legend.get_texts()[1].set_text("left, and retrained" if state.rounds else "left")
            move_limits(left, x=(-edge, edge))
            accuracy = path.accuracy[state.sparsity, state.rounds]
            here.set_data([1 / (1 - state.sparsity)], [accuracy])
            kept = np.mean(now != 0)
            return (
                f"{state.sparsity:.0%} of all weights removed, {kept:.0%} of W{state.layer + 1} kept; "
                f"rounds of retraining: {state.rounds}; {accuracy:.1%} right, before pruning "
                f"{path.accuracy[0.0, 0]:.1%}."
            )

        return show

    return draw
