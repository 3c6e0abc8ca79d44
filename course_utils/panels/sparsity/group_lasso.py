"""A network under one penalty: weight matrices, surviving neurons, pixel map, accuracy (lecture, figure 11)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from course_utils.data import Dataset
from course_utils.experiments.sparsity.lambda_path import KINDS, LambdaPath, Pruned, lambda_path
from course_utils.panels.engine import Choice, Control, Panel, Sheet, Slider
from course_utils.panels.sparsity.sliders import lam_slider, threshold_slider
from course_utils.plots import COLOURS, FAINT, number, weight_map, write

__all__ = ["group_lasso"]


class State(NamedTuple):
    """The networks along the path, and the lambda in use."""

    pruned: Pruned
    place: int  # the number of the lambda
    difference: float | None  # between the reader's networks and those of prox_group, the largest over all weights


def group_lasso(data: str | Dataset | LambdaPath = "digits", *, prox: Callable[..., Tensor] | None = None) -> Panel:
    """The network under a penalty, as lambda moves along a path that was trained before (lecture, (5) to (9)).

    `data`: a name of `load_dataset`, a data set, or a path from `lambda_path`. `prox`: your own
    ``prox(w, *, step, dim)`` for the group lasso: its networks are trained when the panel is made, and compared with
    those of `prox_group`.
    """
    path = data if isinstance(data, LambdaPath) else lambda_path(data)
    reader_path = None if prox is None else lambda_path(path.data, prox=prox, plan=path.plan)
    options = ({"your own proximal step": "reader"} if reader_path else {}) | KINDS
    ratios = path.plan.ratios
    middle = ratios[len(ratios) // 2]
    where = "in the mixtures, not in your step" if reader_path else "in the mixtures"
    controls: list[Control] = [
        Choice(name="kind", label="Penalty", options=options, value="reader" if reader_path else "group"),
        lam_slider(path),
        Slider(name="l1_ratio", label=f"l1_ratio, {where}", values=ratios, value=middle),
        threshold_slider(),
    ]

    def compute(kind: str, lam: float, l1_ratio: float, threshold: float) -> State:
        index = path.index(lam)
        if reader_path is None or kind != "reader":
            return State(path.pruned(kind, l1_ratio, threshold), index, None)
        pruned, reference = reader_path.pruned(kind, l1_ratio, threshold), path.pruned("group", l1_ratio, threshold)
        pairs = zip(pruned.weights, reference.weights, strict=True)
        return State(pruned, index, max(float(np.abs(a[index] - b[index]).max()) for a, b in pairs))

    title = "A network under a penalty" if prox is None else "A network under your proximal step"
    return Panel(title, controls, compute, lambda figure: GroupLassoPicture(figure, path).show, size=(960, 560))


class GroupLassoPicture:
    """Above the weight matrices of the networks of `path`, below what they mean for pixels, neurons and accuracy."""

    def __init__(self, figure: Sheet, path: LambdaPath) -> None:
        self.path = path
        widths = [max(n, 26) for n in path.sizes[:-1]]
        above, (digit, pixels, bars, curves) = figure.rows(
            widths,
            [1, 1, 1.3, 2],
            heights=[1.0, 1.1],
            least=[[0.6] * len(widths), [0.8, 0.8, 0.8, 0.8]],
        )
        self.maps = weight_maps(above, path)
        self.pixel_map = PixelMap(digit, pixels, path.data)
        self.neuron_bars = NeuronBars(bars, path.sizes[:-1])
        self.curves = Curves(curves, path.lams)

    def show(self, state: State) -> str:
        pruned, i = state.pruned, state.place
        for image, w in zip(self.maps, pruned.weights, strict=True):
            image.set_data(w[i])
        self.pixel_map.show(np.abs(pruned.weights[0][i]).sum(axis=0))
        self.neuron_bars.show(pruned.neurons[i])
        self.curves.show(pruned, i)
        return describe(state, self.path)


def weight_maps(axes: list[Axes], path: LambdaPath) -> list:
    """An image for the weight matrix of each layer."""
    maps = []
    for layer, ax in enumerate(axes):
        inputs, outputs = path.sizes[layer], path.sizes[layer + 1]
        maps.append(weight_map(ax, np.zeros((outputs, inputs)), limit=path.limits[layer]))
        ax.set(title=f"$W_{layer + 1}$, {outputs} × {inputs}", xticks=[], yticks=[])
        ax.set_xlabel("inputs" if layer == 0 else "hidden neurons", fontsize=9.5)
    axes[0].set_ylabel("outputs of the layer", fontsize=9.5)
    return maps


class PixelMap:
    """Figure 11: one input beside the strength of each input's outgoing weights, white lowest, black highest."""

    def __init__(self, digit: Axes, pixels: Axes, data: Dataset) -> None:
        images = len(data.input_shape) > 1
        self.shape = data.input_shape[-2:] if images else (1, data.features)
        aspect: Any = "equal" if images else "auto"
        zero = data.x_test[int((data.y_test == 0).nonzero()[0])].reshape(-1, *self.shape)[0].numpy()
        digit.imshow(zero, cmap="gray_r", aspect=aspect)
        digit.set(title="A zero", xticks=[], yticks=[])
        for axes in (digit, pixels):
            axes.spines[:].set_visible(True)
        self.image = pixels.imshow(np.zeros(self.shape), cmap="gray_r", vmin=0, vmax=1, aspect=aspect)
        title = "Pixel use" if images else "Feature use"
        pixels.set(title=title, xticks=[], yticks=[], xlabel="blank: removed")

    def show(self, strength: np.ndarray) -> None:
        self.image.set_data((strength / max(float(strength.max()), 1e-12)).reshape(self.shape))


class NeuronBars:
    """How many inputs and hidden neurons have any outgoing weight left, of how many."""

    def __init__(self, axes: Axes, sizes: list[int]) -> None:
        self.sizes = sizes
        places = range(len(sizes))
        axes.barh(places, [1] * len(sizes), color="#E5E8EB", edgecolor=FAINT, height=0.62)
        self.bars = axes.barh(places, [1] * len(sizes), color=COLOURS["blue"], height=0.62)
        self.texts = [axes.text(0.04, i, "", va="center", color="white", fontweight="bold") for i in places]
        axes.set(xlim=(0, 1), xticks=[], title="Neurons left")
        axes.set_yticks(list(places), ["inputs", *(f"hidden {i}" for i in range(1, len(sizes)))])
        axes.invert_yaxis()

    def show(self, neurons: np.ndarray) -> None:
        for bar, text, n, size in zip(self.bars, self.texts, neurons, self.sizes, strict=True):
            bar.set_width(n / size)
            write(text, text=f"{n} of {size}", color="white" if n / size > 0.6 else COLOURS["ink"])


class Curves:
    """Accuracy and zeros along the path."""

    def __init__(self, axes: Axes, lams: tuple[float, ...]) -> None:
        self.x = x = np.array([lams[1] / 3, *lams[1:]])  # lambda = 0 has its place left of the logarithmic axis
        (self.accuracy,) = axes.plot([], [], "o-", ms=4, color=COLOURS["blue"], label="test accuracy")
        (self.zeros,) = axes.plot([], [], "s--", ms=4, color=COLOURS["orange"], label="share of zeros")
        self.mark = axes.axvline(x[0], ymax=0.7, color=COLOURS["ink"], lw=1)  # below the legend
        axes.set(xscale="log", xlim=(x[0] / 1.15, x[-1] * 1.15), ylim=(-0.03, 1.5), xlabel="λ", title="Along the path")
        ticks = [t for t in (1e-4, 1e-3, 1e-2) if t <= x[-1] * 1.01]
        axes.set_xticks([x[0], *ticks], ["0", *(f"{t:g}" for t in ticks)])
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.minorticks_off()
        axes.legend(loc="upper left", fontsize=9.5, borderaxespad=0)

    def show(self, pruned: Pruned, index: int) -> None:
        self.accuracy.set_data(self.x, pruned.accuracy)
        self.zeros.set_data(self.x, pruned.zeros)
        self.mark.set_xdata([self.x[index]] * 2)


def describe(state: State, path: LambdaPath) -> str:
    """The sentences under the panel: accuracy, zeros and neurons left, and how far the reader's networks differ."""
    pruned, i = state.pruned, state.place
    left = ", ".join(f"{n} of {size}" for n, size in zip(pruned.neurons[i], path.sizes, strict=False))
    sentence = (
        f"λ = {number(path.lams[i], '.3g')}: accuracy {pruned.accuracy[i]:.1%} on {len(path.data.y_test):,} test rows "
        f"with {pruned.zeros[i]:.0%} of all weights zero; inputs and hidden neurons left: {left}."
    )
    if state.difference is None:
        return sentence
    difference = number(state.difference, ".2g")
    return (
        f"{sentence} Largest difference to the networks of prox_group: {difference}. An l1_ratio has no part in your "
        f"step."
    )
