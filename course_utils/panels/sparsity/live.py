"""A network that trains before the reader's eyes, and loses weights and neurons while it does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset, load_dataset
from course_utils.methods.penalties import Regularizer, active_neurons
from course_utils.models import mlp
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, Toggle
from course_utils.panels.sparsity.path import KINDS, plan_for
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS, weight_map
from course_utils.train import fit_epochs

__all__ = ["live_training"]

METHODS = {"proximal step": "prox", "gradient of the penalty": "gradient"}
STARTS = {"new network": 0, "another one": 1, "a third one": 2}


@dataclass
class Growing:
    """What has been seen so far of one training; the lists have an entry per epoch, the first before any training."""

    weights: list[np.ndarray] = field(default_factory=list)  # now
    neurons: list[list[int]] = field(default_factory=list)
    zeros: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)


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
        Toggle(name="train", label="Train live"),
        Choice(name="kind", label="Penalty", options=kinds, value="group"),
        Slider(name="lam", label="λ, weight of the penalty", values=plan.lams, value=plan.lams[len(plan.lams) // 2]),
        Choice(name="method", label="The penalty acts by", options=methods),
        Choice(name="seed", label="Start from", options=STARTS),
    ]

    def compute(train: bool, kind: str, lam: float, method: str, seed: int) -> Iterator[Growing]:
        with random_numbers(seed):
            model = mlp(sizes)
        growing = Growing()
        look(model, data, growing)
        yield growing
        if not train:
            return
        for history in fit_epochs(
            model,
            data,
            epochs=plan.epochs,
            evaluate_every=0,
            optimizer="sgd",
            lr=plan.lr,
            batch_size=plan.batch_size,
            schedule="cosine",
            regularizer=Regularizer(kind, lam=lam, prox=prox),
            method=method,
            seed=seed,
        ):
            if history:
                look(model, data, growing)
                yield growing

    title = "A network while it trains" if prox is None else "A network while it trains by your proximal step"
    return Panel(title, controls, compute, drawing(sizes, plan.epochs), size=(960, 400))


@torch.no_grad()
def look(model: nn.Sequential, data: Dataset, growing: Growing) -> None:
    """Add the present state of the network to what has been seen."""
    weights = [layer.weight for layer in model if isinstance(layer, nn.Linear)]
    growing.weights = [w.detach().clone().numpy() for w in weights]
    growing.neurons.append(active_neurons(model))
    growing.zeros.append(sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights))
    growing.accuracy.append(float((model(data.x_test).argmax(1) == data.y_test).float().mean()))


def drawing(sizes: list[int], epochs: int) -> Draw:
    """The drawing for a perceptron of these sizes, trained for so many epochs."""

    def draw(figure: Figure) -> Show:
        maps_side, curves_side = figure.subfigures(1, 2, width_ratios=[1.15, 1], squeeze=False)[0]
        first, second = maps_side.subplots(2, 1, height_ratios=[1.3, 1])
        maps = []
        for layer, ax in enumerate((first, second)):
            maps.append(weight_map(ax, np.zeros((sizes[layer + 1], sizes[layer])), limit=0.4))
            ax.set(title=f"$W_{layer + 1}$, {sizes[layer + 1]} × {sizes[layer]}", xticks=[], yticks=[])
        shares, neurons = curves_side.subplots(2, 1, sharex=True)
        (accuracy,) = shares.plot([], [], "o-", ms=3, color=COLOURS["blue"], label="test accuracy")
        (zeros,) = shares.plot([], [], "s--", ms=3, color=COLOURS["orange"], label="share of exact zeros")
        shares.set(xlim=(0, epochs), ylim=(-0.03, 1.03))
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "fontsize": 9.5, "borderaxespad": 0.2}
        shares.legend(ncols=2, **above)  # above the curves, which may go anywhere
        names = ["inputs", *(f"hidden {i}" for i in range(1, len(sizes) - 1))]
        colours = [COLOURS["green"], COLOURS["purple"], COLOURS["sky"]]
        lines = [
            neurons.plot([], [], LINE_STYLES[i], marker=MARKERS[i], ms=3, color=colours[i], label=name)[0]
            for i, name in enumerate(names)
        ]
        neurons.set(ylim=(-0.03, 1.03), xlabel="epoch", ylabel="share left")
        neurons.legend(ncols=len(names), **above)

        def show(growing: Growing) -> str:
            for image, w in zip(maps, growing.weights, strict=False):
                image.set_data(w)
            x = range(len(growing.zeros))
            accuracy.set_data(x, growing.accuracy)
            zeros.set_data(x, growing.zeros)
            for line, size, left in zip(lines, sizes, zip(*growing.neurons, strict=True), strict=False):
                line.set_data(x, np.array(left) / size)
            left_now = ", ".join(f"{n} of {size}" for n, size in zip(growing.neurons[-1], sizes, strict=False))
            return (
                f"Epoch {len(x) - 1}: {growing.accuracy[-1]:.1%} right, {growing.zeros[-1]:.0%} of the weights exactly "
                f"zero; inputs and hidden neurons left: {left_now}."
            )

        return show

    return draw
