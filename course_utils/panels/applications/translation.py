"""Edges in, a digit out: what an encoder-decoder makes of its input, also of one that somebody has tampered with."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.applications.edges import chimera, dotted, rubbed_out
from course_utils.experiments.applications.translator import BUILDS, Quality, Translators, translators
from course_utils.models import count_parameters
from course_utils.panels.engine import Choice, Panel, Sheet, Slider
from course_utils.plots import COLOURS, MARKERS

__all__ = ["translation"]

SHOWN = 20
AMOUNTS = [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0]
TICKS = (5_000, 10_000, 20_000, 50_000, 100_000)

Change = Callable[[Tensor, float], Any]

CHANGES: dict[str, Change] = {
    "erase from the top": rubbed_out,
    "add random dots": dotted,
    "lower part of another digit": chimera,
}


class Translated(NamedTuple):
    """One picture on its way, and how good each network is over all test pictures."""

    edges: np.ndarray
    output: np.ndarray
    truth: np.ndarray
    label: int
    read: int  # the digit that the classifier sees in the output
    name: str  # of the network
    errors: dict[str, float]  # the mean error of each network
    accuracy: dict[str, float]  # of the classifier on the outputs of each network
    edges_accuracy: float  # of the classifier on the edges themselves


def translation(data: str | Dataset | Translators = "digits", *, corrupt: Change | None = None) -> Panel:
    """Edges to digits through bottlenecks of several widths (lecture, section 02; after Isola et al. 2016).

    `data`: a name of `load_dataset`, a data set, or what `translators` returned. `corrupt`: your own
    ``corrupt(edges, amount)`` from edges (n, 1, side, side) and a number from 0 to 1 to edges of the same shape.
    """
    trained = data if isinstance(data, Translators) else translators(data)
    changes = {"by your function": corrupt} if corrupt else CHANGES
    controls = [
        Slider(name="picture", label="Test picture", values=list(range(1, SHOWN + 1)), value=8),
        Choice(name="name", label="Through", options={name: name for name in BUILDS}, value="8 numbers"),
        Choice(name="change", label="Change the edges", options={name: name for name in changes}),
        Slider(name="amount", label="How much", values=AMOUNTS, value=0.5 if corrupt else 0.0,
               texts=[f"{a:.0%}" for a in AMOUNTS]),
    ]  # fmt: skip

    @lru_cache(maxsize=64)
    def through_all(change: str, amount: float) -> tuple[Tensor, dict[str, Quality], float]:
        edges = checked(changes[change], trained.edges, amount)
        return edges, {name: trained.quality(name, edges) for name in BUILDS}, trained.reading_accuracy(edges)

    def compute(picture: float, name: str, change: str, amount: float) -> Translated:
        edges, qualities, edges_accuracy = through_all(change, amount)
        row = int(picture) - 1
        output = qualities[name].outputs[row]
        return Translated(
            edges=edges[row, 0].numpy(),
            output=output[0].numpy(),
            truth=trained.truth[row, 0].numpy(),
            label=int(trained.data.y_test[row]),
            read=int(trained.read(output[None])),
            name=name,
            errors={name: quality.error for name, quality in qualities.items()},
            accuracy={name: quality.accuracy for name, quality in qualities.items()},
            edges_accuracy=edges_accuracy,
        )

    title = "From edges to a digit" if corrupt is None else "From edges to a digit, after your function"
    return Panel(title, controls, compute, lambda figure: TranslationPicture(figure, trained).show, size=(960, 370))


def checked(change: Change, edges: Tensor, amount: float) -> Tensor:
    """What a function made of the edges, if it has their shape and numbers that are finite."""
    changed = change(edges.clone(), amount)
    if not isinstance(changed, Tensor) or changed.shape != edges.shape:
        got = f"a tensor of shape {tuple(changed.shape)}" if isinstance(changed, Tensor) else type(changed).__name__
        raise ValueError(f"corrupt must return a tensor of shape {tuple(edges.shape)} like edges, got {got}")
    changed = changed.detach().float()
    if not bool(changed.isfinite().all()):
        raise ValueError("corrupt must return finite numbers, got some that are infinite or none; clamp them")
    return changed


class TranslationPicture:
    """Edges, output and truth, and for each network the accuracy of a classifier on its outputs."""

    def __init__(self, figure: Sheet, trained: Translators) -> None:
        self.tests = len(trained.truth)
        self.sizes = {name: count_parameters(model) for name, model in trained.models.items()}
        *pictures, chart = figure.rows([1, 1, 1, 1.75], least=[[0.55, 0.55, 0.55, 0.8]])[0]
        side, titles = trained.truth.shape[-1], ("Edges: input", "Output", "Truth")
        self.images = [framed(axes, side, title) for axes, title in zip(pictures, titles, strict=True)]
        output = pictures[1]
        self.caption = output.text(0.5, -0.05, "", transform=output.transAxes, ha="center", va="top", fontsize=11)
        self._draw_chart(chart, best=trained.reading_accuracy(trained.truth))

    def _draw_chart(self, axes: Axes, *, best: float) -> None:
        axes.axhline(best, color=COLOURS["grey"], ls=":", lw=1.8, label="true pictures")
        self.untouched = axes.axhline(0.5, color=COLOURS["orange"], ls="--", lw=1.8, label="edges, not translated")
        self.points, self.labels = [], []
        for (name, (_, shortcuts)), marker in zip(BUILDS.items(), MARKERS, strict=False):
            size, colour = self.sizes[name], COLOURS["green" if shortcuts else "blue"]
            self.points += axes.plot([size], [0.5], marker, ms=8, color=colour)
            label = name.replace(" numbers", "")
            self.labels.append(
                axes.text(size, 0.5, label, fontsize=10, ha="center", va="bottom" if shortcuts else "top")
            )
        (self.ring,) = axes.plot([], [], "o", ms=16, mfc="none", mew=2.2, color=COLOURS["ink"])
        axes.set(xscale="log", ylim=(-0.2, 1.5), xlabel="parameters Q")
        smallest, largest = min(self.sizes.values()), max(self.sizes.values())
        axes.set_xlim(0.7 * smallest, 1.5 * largest)
        axes.set_title("Accuracy of a classifier")
        ticks = [q for q in TICKS if smallest < 1.5 * q < 3 * largest]
        axes.set_xticks(ticks, [f"{q:,}" for q in ticks])
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.minorticks_off()
        axes.legend(loc="upper left", fontsize=10)

    def show(self, result: Translated) -> str:
        for image, values in zip(self.images, (result.edges, result.output, result.truth), strict=True):
            image.set_data(values)
        self.caption.set_text(f"read as {result.read} {'✓' if result.read == result.label else '✗'}")
        for point, label, accuracy in zip(self.points, self.labels, result.accuracy.values(), strict=True):
            point.set_ydata([accuracy])
            label.set_y(accuracy + (0.09 if label.get_verticalalignment() == "bottom" else -0.09))
        self.untouched.set_ydata([result.edges_accuracy] * 2)
        size = self.sizes[result.name]
        self.ring.set_data([size], [result.accuracy[result.name]])
        return describe(result, size, self.tests)


def describe(result: Translated, size: int, rows: int) -> str:
    """The sentences under the panel: what a network of this size made of the edges, and how good all outputs are."""
    error = float(np.abs(result.output - result.truth).mean())
    return (
        f"A {result.label} through {result.name} (Q = {size:,}), read as {result.read}; mean error "
        f"{error:.3f}. Over {rows} test pictures: mean error {result.errors[result.name]:.3f}, "
        f"accuracy of a classifier {result.accuracy[result.name]:.1%}, on the edges themselves "
        f"{result.edges_accuracy:.1%}."
    )


def framed(axes: Axes, side: int, title: str) -> AxesImage:
    """A picture of pixels in a frame."""
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set_visible(True)
    return axes.imshow(np.zeros((side, side)), cmap="gray_r", vmin=0, vmax=1)
