"""A network that trains before the reader's eyes, and loses weights and neurons while it does."""

from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import Dataset, load_dataset
from course_utils.experiments.sparsity.lambda_path import KINDS, plan_for
from course_utils.experiments.sparsity.live_training import Course, train_under_penalty
from course_utils.panels.engine import Choice, Panel, Show, Slider, Train
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS, legend, weight_map

__all__ = ["live_training"]

METHODS = {"proximal step": "prox", "gradient of the penalty": "gradient"}
SEEDS = {"seed 0": 0, "seed 1": 1, "seed 2": 2}


def live_training(data: str | Dataset = "digits", *, prox: Callable[..., Tensor] | None = None) -> Panel:
    """Training epoch by epoch under a penalty, by proximal steps or by the penalty's gradient (lecture, (5) to (9)).

    `data`: a name of `load_dataset`, or a data set. `prox`: your own ``prox(w, *, step, dim)`` for the group lasso.
    """
    data = load_dataset(data) if isinstance(data, str) else data
    plan = plan_for(data.name)
    data = data.subset(min(plan.rows, len(data.y_train)))
    sizes = [data.features, *plan.hidden, data.classes]
    kinds, methods = KINDS, METHODS
    if prox is not None:  # the gradient beside it is that of the group lasso, whatever the step is
        kinds, methods = {"group lasso (9)": "group"}, {"your proximal step": "prox", "gradient of (9)": "gradient"}
    controls = [
        Train(),
        Choice(name="kind", label="Penalty", options=kinds, value="group"),
        Slider(name="lam", label="λ, strength of the penalty", values=plan.lams, value=plan.lams[len(plan.lams) // 2]),
        Choice(name="method", label="The penalty acts by", options=methods),
        Choice(name="seed", label="Initial weights", options=SEEDS),
    ]

    def compute(train: bool, kind: str, lam: float, method: str, seed: int) -> Iterator[Course | None]:
        for course in train_under_penalty(data, plan, kind=kind, lam=lam, method=method, seed=seed, prox=prox):
            yield course
            if not train:
                return

    def draw(figure: Figure) -> Show:
        return LiveTrainingPicture(figure, sizes, plan.epochs).show

    title = "A network while it trains" if prox is None else "A network while it trains by your proximal step"
    return Panel(title, controls, compute, draw, size=(960, 400))


class LiveTrainingPicture:
    """Two weight matrices of a perceptron of these sizes, and curves over so many epochs."""

    def __init__(self, figure: Figure, sizes: list[int], epochs: int) -> None:
        self.sizes = sizes
        left, right = figure.subfigures(1, 2, width_ratios=[1.15, 1], squeeze=False)[0]
        self.maps = []
        for layer, axes in enumerate(left.subplots(2, 1, height_ratios=[1.3, 1])):
            self.maps.append(weight_map(axes, np.zeros((sizes[layer + 1], sizes[layer])), limit=0.4))
            axes.set(title=f"$W_{layer + 1}$, {sizes[layer + 1]} × {sizes[layer]}", xticks=[], yticks=[])
        shares, neurons = right.subplots(2, 1, sharex=True)
        (self.accuracy,) = shares.plot([], [], "o-", ms=4, color=COLOURS["blue"], label="test accuracy")
        (self.zeros,) = shares.plot([], [], "s--", ms=4, color=COLOURS["orange"], label="share of exact zeros")
        shares.set(xlim=(-0.02 * epochs, 1.02 * epochs), ylim=(-0.03, 1.03))
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "fontsize": 9.5, "borderaxespad": 0.2}
        legend(shares, ncols=2, **above)  # above the curves, which may go anywhere
        names = ["inputs", *(f"hidden {i}" for i in range(1, len(sizes) - 1))]
        colours = [COLOURS["green"], COLOURS["purple"], COLOURS["sky"]]
        self.neurons = [
            neurons.plot([], [], LINE_STYLES[i], marker=MARKERS[i], ms=4, color=colours[i], label=name)[0]
            for i, name in enumerate(names)
        ]
        neurons.set(ylim=(-0.03, 1.03), xlabel="epoch", ylabel="share left")
        legend(neurons, ncols=len(names), **above)

    def show(self, course: Course) -> str:
        for image, w in zip(self.maps, course.weights, strict=False):
            image.set_data(w)
        x = range(len(course.zeros))
        self.accuracy.set_data(x, course.accuracy)
        self.zeros.set_data(x, course.zeros)
        for line, size, counts in zip(self.neurons, self.sizes, zip(*course.neurons, strict=True), strict=False):
            line.set_data(x, np.array(counts) / size)
        return describe(course, self.sizes)


def describe(course: Course, sizes: list[int]) -> str:
    """The sentence under the panel: accuracy, zeros, and the neurons left of those in a perceptron of these sizes."""
    left = ", ".join(f"{n} of {size}" for n, size in zip(course.neurons[-1], sizes, strict=False))
    return (
        f"Epoch {len(course.zeros) - 1}: accuracy {course.accuracy[-1]:.1%}, {course.zeros[-1]:.0%} of the weights "
        f"exactly zero; inputs and hidden neurons left: {left}."
    )
