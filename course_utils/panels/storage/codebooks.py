"""k-means of a layer's weights, step by step: centroids that start somewhere, move, and stand for many weights."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, trained
from course_utils.methods.codebook import Codebook, fit_codebook
from course_utils.methods.layers import weight_layers
from course_utils.methods.prune import magnitude_mask
from course_utils.panels.engine import Choice, Panel, Show, Slider
from course_utils.panels.precision.levels import accuracy_with
from course_utils.plots import COLOURS, Histogram, move_limits, number

__all__ = ["codebook"]

SIZES = (2, 4, 8, 16, 32, 64)
STEPS = (0, 1, 2, 3, 5, 8, 12, 20, 40)
BINS = 91
STARTS = {"linear: equal distances": "linear", "density: equal shares": "density", "random weights": "random"}
STARTS |= {"exact optimum": "exact"}


class Moving(NamedTuple):
    """A layer's weights that are left, the centroids after each of STEPS, how many weights each has, and the errors."""

    weights: np.ndarray
    paths: np.ndarray  # (len(STEPS), k)
    at: int
    counts: np.ndarray
    error: float
    best_error: float
    accuracy: float
    whole: float


def codebook(data: str | Dataset = "digits") -> Panel:
    """Centroids on their way through Lloyd's steps, from each start (lecture, section 07; Han et al. 2015)."""
    room, model = classroom(data), trained(data)
    layers = [layer.weight.detach() for layer in weight_layers(model).values()]
    masks = [magnitude_mask(w, sparsity=0.7) for w in layers]
    whole = accuracy_with(model, [w * m for w, m in zip(layers, masks, strict=True)], room)
    controls = [
        Slider(name="size", label="Centroids k", values=SIZES, value=8),
        Choice(name="init", label="Start", options=STARTS),
        Slider(name="steps", label="Steps of k-means", values=STEPS, value=0),
        Choice(name="layer", label="Layer", options={f"W{i + 1}": i for i in range(len(layers))}),
    ]

    @lru_cache(maxsize=512)
    def fitted(layer: int, size: int, init: str, steps: int) -> Codebook:
        generator = torch.Generator().manual_seed(1)
        values = layers[layer][masks[layer]]
        return fit_codebook(values, size=size, init=init, iterations=steps, generator=generator)

    @lru_cache(maxsize=512)
    def accuracy(size: int, init: str, steps: int) -> float:
        shared = []
        for i, (w, mask) in enumerate(zip(layers, masks, strict=True)):
            new = torch.zeros_like(w)
            new[mask] = fitted(i, size, init, steps).decode()
            shared.append(new)
        return accuracy_with(model, shared, room)

    def compute(size: float, init: str, steps: float, layer: int) -> Moving:
        k, n = int(size), int(steps)
        values = layers[layer][masks[layer]]
        books = [fitted(layer, k, init, step) for step in STEPS]
        paths = np.stack([padded(book.centroids, k) for book in books])
        now = books[STEPS.index(n)]
        best = fitted(layer, k, "exact", 300)
        counts = torch.bincount(now.indices.long(), minlength=k).numpy()
        error, least = (float((values - b.decode()).square().mean()) for b in (now, best))
        return Moving(values.numpy(), paths, STEPS.index(n), counts, error, least, accuracy(k, init, n), whole)

    return Panel("Weights that share values", controls, compute, draw, size=(960, 430))


def padded(centroids: torch.Tensor, size: int) -> np.ndarray:
    """The centroids, with NaN for those that do not exist."""
    row = np.full(size, np.nan)
    row[: len(centroids)] = centroids.numpy()
    return row


def draw(figure: Figure) -> Show:
    """Above the histogram with the centroids, below their paths over the steps."""
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.1])
    bars = Histogram(above, color="#CBD3DA")
    lines = above.vlines([0], 0, 1, color=COLOURS["orange"], lw=1.6)
    above.set(yticks=[], ylim=(0, 1.06), title="The weights that pruning left (30 %), and the centroids")
    paths = [below.plot([], [], color=COLOURS["orange"], lw=1.1)[0] for _ in range(max(SIZES))]
    (here,) = below.plot([], [], "o", ms=6, color=COLOURS["blue"])
    below.set(ylim=(len(STEPS) - 0.5, -0.5), xlabel="value", ylabel="steps of k-means")
    below.set_yticks(range(len(STEPS)), [str(s) for s in STEPS])

    def show(moving: Moving) -> str:
        edge = float(np.abs(moving.weights).max()) * 1.05
        counts, edges = np.histogram(moving.weights, BINS, (-edge, edge))
        bars.show(counts / counts.max(), edges)
        now = moving.paths[moving.at]
        lines.set_segments([[(v, 0), (v, 1.0)] for v in now[~np.isnan(now)]])
        for i, path in enumerate(paths):
            known = i < moving.paths.shape[1]
            path.set_data(moving.paths[:, i] if known else [], range(len(STEPS)) if known else [])
        here.set_data(now, np.full(len(now), moving.at))
        move_limits(above, x=(-edge, edge))
        k = moving.paths.shape[1]
        empty = int((moving.counts == 0).sum())
        return (
            f"After {STEPS[moving.at]} steps {k} centroids, bits for each weight: {k.bit_length() - 1}; squared error "
            f"{number(moving.error, '.2e')}, {moving.error / max(moving.best_error, 1e-30):.2f} times the least "
            f"possible; {empty} centroids without a weight. With every layer shared so, {moving.accuracy:.1%} are "
            f"right (pruned alone {moving.whole:.1%})."
        )

    return show
