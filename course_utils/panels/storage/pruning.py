"""Magnitude pruning: what a threshold removes, and how far rounds of retraining restore the accuracy."""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.storage.pruning_path import ROUNDS, SPARSITIES, PruningPath, pruning_path
from course_utils.panels.engine import Choice, Panel, Slider
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS, Histogram, move_limits

__all__ = ["pruning"]

BINS = 81


class PrunedLayer(NamedTuple):
    """The network and the layer that are shown."""

    sparsity: float
    rounds: int
    layer: int


def pruning(data: str | Dataset | PruningPath = "digits") -> Panel:
    """The weights that remain above a threshold, and the accuracy with and without retraining (Han et al. 2015).

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

    def compute(sparsity: float, rounds: float, layer: int) -> PrunedLayer:
        return PrunedLayer(sparsity, int(rounds), layer)

    title = "Pruned by magnitude"
    return Panel(title, controls, compute, lambda figure: PruningPicture(figure, path).show, size=(960, 370))


class PruningPicture:
    """The weights before and after on the left; accuracy against sparsity for each number of rounds on the right."""

    def __init__(self, figure: Figure, path: PruningPath) -> None:
        self.path = path
        self.weights, right = figure.subplots(1, 2)
        self.before = Histogram(self.weights, color="#D9DEE2", label="before")
        self.after = Histogram(self.weights, color=COLOURS["blue"], label="remaining")
        title = "Weights of the layer, without zeros"
        self.weights.set(yticks=[], ylim=(0, 1.25), xlabel="value of a weight", title=title)
        self.weights.legend(loc="upper right", fontsize=10)
        names = {0: "not retrained", 1: "1 round of retraining", 3: "3 rounds of retraining"}
        for rounds, dashes, marker, colour in zip(ROUNDS, LINE_STYLES, MARKERS, COLOURS.values(), strict=False):
            right.plot(
                [1 / (1 - sparsity) for sparsity in SPARSITIES],
                [path.accuracy[sparsity, rounds] for sparsity in SPARSITIES],
                linestyle=dashes,
                marker=marker,
                ms=5,
                color=colour,
                label=names[rounds],
            )
        (self.marker,) = right.plot([], [], "o", ms=13, mfc="none", mew=2.2, color=COLOURS["ink"])
        right.set(xscale="log", ylim=(0, 1.03), xlabel="times fewer weights", title="Test accuracy")
        right.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        right.minorticks_off()
        right.legend(loc="lower left", fontsize=10)

    def show(self, chosen: PrunedLayer) -> str:
        """Draw the weights of the chosen layer, and mark its network on the curves."""
        dense = self.path.weights[0.0, 0][chosen.layer]
        pruned = self.path.weights[chosen.sparsity, chosen.rounds][chosen.layer]
        largest = max(np.abs(dense).max(), np.abs(pruned).max())
        # In steps, as the axis shall not tremble; between two ticks, as the label of one at the end would be cut off.
        edge = float(np.ceil(10 * largest)) / 10 + 0.04
        dense_counts, edges = np.histogram(dense, BINS, (-edge, edge))
        pruned_counts, _ = np.histogram(pruned[pruned != 0], BINS, (-edge, edge))
        self.before.show(dense_counts / dense_counts.max(), edges)
        self.after.show(pruned_counts / dense_counts.max(), edges)
        move_limits(self.weights, x=(-edge, edge))
        accuracy = self.path.accuracy[chosen.sparsity, chosen.rounds]
        self.marker.set_data([1 / (1 - chosen.sparsity)], [accuracy])
        return describe(chosen, self.path)


def describe(chosen: PrunedLayer, path: PruningPath) -> str:
    """The sentence under the panel: how many weights are left, and the accuracy."""
    pruned = path.weights[chosen.sparsity, chosen.rounds][chosen.layer]
    return (
        f"{chosen.sparsity:.0%} of all weights removed, {np.mean(pruned != 0):.0%} of W{chosen.layer + 1} kept; "
        f"rounds of retraining: {chosen.rounds}; accuracy {path.accuracy[chosen.sparsity, chosen.rounds]:.1%}, before "
        f"pruning {path.accuracy[0.0, 0]:.1%}."
    )
