"""Why deep networks could not be trained for long: how much of the gradient reaches each layer of a new network."""

from functools import lru_cache

import numpy as np
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.applications.depth import KINDS, gradients
from course_utils.experiments.applications.miniature import digit_pictures
from course_utils.panels.engine import Choice, Panel, Slider
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS, legend, number

__all__ = ["DEPTHS", "SCALES", "depth"]

DEPTHS = (2, 5, 10, 20, 50, 100)
SCALES = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
SEEDS = {"seed 0": 0, "seed 1": 1, "seed 2": 2}
BATCH = 32
LIMITS = (1e-20, 1e14)  # of the axis of the norms

Norms = dict[str, np.ndarray]  # for each kind, the norm of the gradient of every layer


def depth(data: str | Dataset = "digits") -> Panel:
    """The gradient that reaches each layer of new networks of 2 to 100 hidden layers (lecture, section 02)."""
    data = digit_pictures(data)
    x, labels = data.x_train[:BATCH].flatten(1), data.y_train[:BATCH]
    controls = [
        Slider(name="layers", label="Hidden layers", values=DEPTHS, value=20),
        Slider(name="scale", label="Weights multiplied by", values=SCALES, value=1.0),
        Choice(name="seed", label="Initial weights", options=SEEDS),
    ]

    @lru_cache(maxsize=32)
    def norms(layers: int, scale: float, seed: int) -> Norms:
        return {kind: gradients(kind, layers, x, labels, scale=scale, seed=seed) for kind in KINDS}

    def compute(layers: float, scale: float, seed: int) -> Norms:
        return norms(int(layers), scale, seed)

    title = "How much of the gradient arrives"
    return Panel(title, controls, compute, lambda figure: DepthPicture(figure).show, size=(960, 380))


class DepthPicture:
    """One curve for each kind of layer."""

    def __init__(self, figure: Figure) -> None:
        axes = figure.subplots()
        colours = [COLOURS["orange"], COLOURS["blue"], COLOURS["green"]]
        self.lines = [
            axes.plot(
                [], [], linestyle=LINE_STYLES[i], marker=MARKERS[i], ms=5, markevery=0.06, color=colours[i], label=kind
            )[0]
            for i, kind in enumerate(KINDS)
        ]
        axes.set(xlim=(-0.015, 1.015), ylim=LIMITS, yscale="log", xlabel="position of the layer in the network")
        axes.set_xticks([0, 0.5, 1], ["first (input side)", "middle", "last (output side)"])
        first, *_, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
        axes.set_yticks([1e-20, 1e-15, 1e-10, 1e-5, 1, 1e5, 1e10])
        axes.minorticks_off()
        axes.set_title("Norm of the gradient of a layer's weights")
        legend(axes, loc="upper left", ncols=3, fontsize=10, columnspacing=1.2)

    def show(self, norms: Norms) -> str:
        for line, values in zip(self.lines, norms.values(), strict=True):
            line.set_data(np.linspace(0, 1, len(values)), np.clip(values, *LIMITS))  # at the edge: beyond it
        return describe(norms)


def describe(norms: Norms) -> str:
    """The sentence under the panel: the gradient of the first and of the last layer, for each kind."""
    parts = [f"{kind} {scientific(values[0])} and {scientific(values[-1])}" for kind, values in norms.items()]
    layers = len(norms[KINDS[0]])
    return f"{layers} hidden layers; gradient of the first and of the last: {'; '.join(parts)}."


def scientific(value: float) -> str:
    """A number for a sentence, with a power of ten where it is very small or very large.

    >>> scientific(0.09), scientific(2.1e-13), scientific(3.4e8), scientific(1e-41)
    ('0.09', '2.1 × 10⁻¹³', '3.4 × 10⁸', 'below 10⁻²⁰')
    """
    if value < LIMITS[0]:
        return "below 10⁻²⁰"
    if 0.01 <= value < 1000:
        return number(value, ".2g" if value < 99.5 else ".0f")
    return number(value, ".1e")
