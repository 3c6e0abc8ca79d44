"""k-means of a layer's weights, step by step: where the centroids start, and how they move."""

import numpy as np
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.storage.codebook_path import STEPS, CodebookPath, SharedLayer
from course_utils.panels.engine import Choice, Panel, Slider
from course_utils.plots import COLOURS, Histogram, move_limits, number

__all__ = ["codebook"]

SIZES = (2, 4, 8, 16, 32, 64)
BINS = 91
STARTS = {
    "linear: equal distances": "linear",
    "density: equal counts": "density",
    "random weights": "random",
    "exact optimum": "exact",
}


def codebook(data: str | Dataset = "digits") -> Panel:
    """Centroids on their way through Lloyd's steps, from each start (lecture, section 07; Han et al. 2015)."""
    path = CodebookPath(data)
    controls = [
        Slider(name="size", label="Centroids k", values=SIZES, value=8),
        Choice(name="init", label="Start", options=STARTS),
        Slider(name="steps", label="Steps of k-means", values=STEPS, value=0),
        Choice(name="layer", label="Layer", options={f"W{i + 1}": i for i in range(len(path.layers))}),
    ]

    def compute(size: float, init: str, steps: float, layer: int) -> SharedLayer:
        return path.shared_layer(layer, size=int(size), init=init, steps=int(steps))

    title = "Weights that share values"
    return Panel(title, controls, compute, lambda figure: CodebookPicture(figure).show, size=(960, 430))


class CodebookPicture:
    """Above the histogram with the centroids, below their paths over the steps."""

    def __init__(self, figure: Figure) -> None:
        self.histogram, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.1])
        self.bars = Histogram(self.histogram, color="#CBD3DA")
        self.lines = self.histogram.vlines([0], 0, 1, color=COLOURS["orange"], lw=1.6)
        title = "The weights that remain after pruning (30 %), and the centroids"
        self.histogram.set(yticks=[], ylim=(0, 1.06), title=title)
        self.paths = [below.plot([], [], color=COLOURS["orange"], lw=1.1)[0] for _ in range(max(SIZES))]
        (self.centroids,) = below.plot([], [], "o", ms=6, color=COLOURS["blue"])
        below.set(ylim=(len(STEPS) - 0.5, -0.5), xlabel="value", ylabel="steps of k-means")
        below.set_yticks(range(len(STEPS)), [str(steps) for steps in STEPS])

    def show(self, layer: SharedLayer) -> str:
        """Draw the weights, the centroids now, and their paths."""
        edge = float(np.abs(layer.weights).max()) * 1.05
        counts, edges = np.histogram(layer.weights, BINS, (-edge, edge))
        self.bars.show(counts / counts.max(), edges)
        k = layer.paths.shape[1]
        now = layer.paths[layer.at]
        self.lines.set_segments([[(v, 0), (v, 1.0)] for v in now[~np.isnan(now)]])
        for i, line in enumerate(self.paths):
            if i < k:
                line.set_data(layer.paths[:, i], range(len(STEPS)))
            else:
                line.set_data([], [])
        self.centroids.set_data(now, np.full(k, layer.at))
        move_limits(self.histogram, x=(-edge, edge))
        return describe(layer)


def describe(layer: SharedLayer) -> str:
    """The sentences under the panel: centroids, squared error, and the accuracy with shared values."""
    k, empty = layer.paths.shape[1], int((layer.counts == 0).sum())
    return (
        f"After {STEPS[layer.at]} steps: {k} centroids, bits per weight: {k.bit_length() - 1}; squared error "
        f"{number(layer.error, '.2e')}, {layer.error / max(layer.best_error, 1e-30):.2f} times the "
        f"minimum; {empty} centroids without a weight. With shared values in all layers the accuracy is "
        f"{layer.accuracy:.1%} (after pruning alone {layer.pruned_accuracy:.1%})."
    )
