"""A network under one penalty: weight matrices, surviving neurons, pixel map, accuracy (lecture, figure 11)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import Dataset
from course_utils.panels.engine import Choice, Control, Draw, Panel, Show, Slider
from course_utils.panels.sparsity.path import KINDS, LambdaPath, Look, lambda_path
from course_utils.plots import COLOURS, FAINT, number, weight_map, write

__all__ = ["group_lasso", "lam_slider", "threshold_slider"]

THRESHOLDS = [0.0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3]
OWN = "your own proximal step"


class State(NamedTuple):
    """Where the reader stands: the networks along the path, and the lambda in use."""

    look: Look
    at: int  # the number of the lambda
    difference: float | None  # between the reader's networks and those of prox_group, the largest over all weights


def lam_slider(path: LambdaPath, *, start: float = 1e-3) -> Slider:
    """A slider over the lambdas that were trained."""
    lam = path.lams[path.index(start)]
    return Slider(name="lam", label="λ, weight of the penalty", values=path.lams, value=lam)


def threshold_slider() -> Slider:
    """A slider over the magnitude up to which a weight counts as zero."""
    texts = ["0 (exact zeros)", *(f"{t:g}" for t in THRESHOLDS[1:])]
    return Slider(name="threshold", label="Threshold for |w|", values=THRESHOLDS, value=0.0, texts=texts)


def group_lasso(data: str | Dataset | LambdaPath = "digits", *, prox: Callable[..., Tensor] | None = None) -> Panel:
    """The network under a penalty, as lambda moves along a path that was trained before (lecture, (5) to (9)).

    `data`: a name of `load_dataset`, a data set, or a path from `lambda_path`. `prox`: your own
    ``prox(w, *, step, dim)`` for the group lasso: its networks are trained when the panel is made, and compared with
    those of `prox_group`.
    """
    path = data if isinstance(data, LambdaPath) else lambda_path(data)
    own = None if prox is None else lambda_path(path.data, prox=prox, plan=path.plan)
    options = ({OWN: "own"} if own else {}) | KINDS
    ratios = path.plan.ratios
    middle = ratios[len(ratios) // 2]
    where = "in the mixtures, not in your step" if own else "in the mixtures"
    controls: list[Control] = [
        Choice(name="kind", label="Penalty", options=options, value="own" if own else "group"),
        lam_slider(path),
        Slider(name="l1_ratio", label=f"l1_ratio, {where}", values=ratios, value=middle),
        threshold_slider(),
    ]

    def compute(kind: str, lam: float, l1_ratio: float, threshold: float) -> State:
        source = own if own is not None and kind == "own" else path
        look, index = source.look(kind, l1_ratio, threshold), path.index(lam)
        difference = None
        if kind == "own":
            ours = path.look("group", l1_ratio, threshold)
            pairs = zip(look.weights, ours.weights, strict=True)
            difference = max(float(np.abs(a[index] - b[index]).max()) for a, b in pairs)
        return State(look, index, difference)

    title = "A network under a penalty" if prox is None else "A network under your proximal step"
    return Panel(title, controls, compute, drawing(path), size=(960, 560))


def drawing(path: LambdaPath) -> Draw:
    """The drawing for the networks of `path`."""

    def draw(figure: Figure) -> Show:
        above, below = figure.subfigures(2, 1, height_ratios=[1.0, 1.1], squeeze=False)[:, 0]
        widths = [max(n, 26) for n in path.sizes[:-1]]
        maps = _weight_maps(above.subplots(1, len(widths), width_ratios=widths), path)
        digit, pixels, bars, curves = below.subplots(1, 4, width_ratios=[1, 1, 1.2, 2.1])
        strength = _pixel_map(digit, pixels, path.data)
        show_neurons = _neuron_bars(bars, path)
        show_curves = _curves(curves, path)

        def show(state: State) -> str:
            look, i = state.look, state.at
            for image, w in zip(maps, look.weights, strict=True):
                image.set_data(w[i])
            strength(np.abs(look.weights[0][i]).sum(axis=0))
            show_neurons(look.neurons[i])
            show_curves(look, i)
            return words(path, state)

        return show

    return draw


def words(path: LambdaPath, state: State) -> str:
    """The state in words, for those who cannot see the picture."""
    look, i = state.look, state.at
    pairs = zip(look.neurons[i], path.sizes, strict=False)
    alive = ", ".join(f"{n} of {size}" for n, size in pairs)
    said = (
        f"λ = {path.lams[i]:.3g}: {look.accuracy[i]:.1%} right on {len(path.data.y_test):,} test rows with "
        f"{look.zeros[i]:.0%} of all weights zero; inputs and hidden neurons left: {alive}."
    )
    if state.difference is not None:
        said += f" Largest difference to the networks of prox_group: {number(state.difference, '.2g')}. An l1_ratio"
        said += " has no part in your step."
    return said


def _weight_maps(axes: np.ndarray, path: LambdaPath) -> list:
    maps = []
    for layer, ax in enumerate(axes):
        inputs, outputs = path.sizes[layer], path.sizes[layer + 1]
        maps.append(weight_map(ax, np.zeros((outputs, inputs)), limit=path.limits[layer]))
        ax.set(title=f"$W_{layer + 1}$, {outputs} × {inputs}", xticks=[], yticks=[])
        ax.set_xlabel("inputs" if layer == 0 else "hidden neurons", fontsize=9.5)
    axes[0].set_ylabel("outputs of the layer", fontsize=9.5)
    return maps


def _pixel_map(digit: Axes, pixels: Axes, data: Dataset) -> Callable[[np.ndarray], None]:
    """Figure 11: one input beside the strength of each input's outgoing weights, white lowest, black highest."""
    shape = data.input_shape[-2:] if len(data.input_shape) > 1 else (1, data.features)
    zero = data.x_test[int((data.y_test == 0).nonzero()[0])].reshape(-1, *shape)[0].numpy()
    kind = "pixel" if len(data.input_shape) > 1 else "feature"
    digit.imshow(zero, cmap="gray_r", aspect="equal" if kind == "pixel" else "auto")
    digit.set(title="A zero", xticks=[], yticks=[])
    image = pixels.imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1, aspect="equal" if kind == "pixel" else "auto")
    pixels.set(title=f"{kind.capitalize()} use", xticks=[], yticks=[], xlabel="white: cut off")

    def show(strength: np.ndarray) -> None:
        image.set_data((strength / max(float(strength.max()), 1e-12)).reshape(shape))

    return show


def _neuron_bars(axes: Axes, path: LambdaPath) -> Callable[[np.ndarray], None]:
    sizes = path.sizes[:-1]
    places = range(len(sizes))
    axes.barh(places, [1] * len(sizes), color="#E5E8EB", edgecolor=FAINT, height=0.62)
    bars = axes.barh(places, [1] * len(sizes), color=COLOURS["blue"], height=0.62)
    texts = [axes.text(0.04, i, "", va="center", color="white", fontweight="bold") for i in places]
    axes.set(xlim=(0, 1), xticks=[], title="Neurons left")
    axes.set_yticks(list(places), ["inputs", *(f"hidden {i}" for i in range(1, len(sizes)))])
    axes.invert_yaxis()

    def show(neurons: np.ndarray) -> None:
        for bar, text, n, size in zip(bars, texts, neurons, sizes, strict=True):
            bar.set_width(n / size)
            write(text, text=f"{n} of {size}", color="white" if n / size > 0.6 else COLOURS["ink"])

    return show


def _curves(axes: Axes, path: LambdaPath) -> Callable[[Look, int], None]:
    x = np.array([path.lams[1] / 3, *path.lams[1:]])  # lambda = 0 has its place left of the logarithmic axis
    (accuracy,) = axes.plot([], [], "o-", ms=4, color=COLOURS["blue"], label="test accuracy")
    (zeros,) = axes.plot([], [], "s--", ms=4, color=COLOURS["orange"], label="share of zeros")
    here = axes.axvline(x[0], color=COLOURS["ink"], lw=1)
    axes.set(xscale="log", xlim=(x[0] / 1.15, x[-1] * 1.15), ylim=(-0.03, 1.03), xlabel="λ", title="Along the path")
    ticks = [t for t in (1e-4, 1e-3, 1e-2) if t <= x[-1] * 1.01]
    axes.set_xticks([x[0], *ticks], ["0", *(f"{t:g}" for t in ticks)])
    axes.minorticks_off()
    axes.legend(loc="center left", fontsize=9.5)

    def show(look: Look, index: int) -> None:
        accuracy.set_data(x, look.accuracy)
        zeros.set_data(x, look.zeros)
        here.set_xdata([x[index]] * 2)

    return show
