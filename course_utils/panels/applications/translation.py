"""Edges in, a digit out: what an encoder-decoder makes of its input, also of one that somebody has tampered with."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from course_utils.data import Dataset
from course_utils.models import count_parameters
from course_utils.panels.applications.translator import BUILDS, Translators, translators
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, MARKERS

__all__ = ["CHANGES", "chimera", "dotted", "rubbed_out", "translation"]

SHOWN = 20
AMOUNTS = [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0]

Change = Callable[[Tensor, float], Any]


def rubbed_out(edges: Tensor, amount: float) -> Tensor:
    """The edges without the upper part, an `amount` of the rows."""
    found = edges.clone()
    found[:, :, : round(amount * edges.shape[2])] = 0
    return found


def dotted(edges: Tensor, amount: float) -> Tensor:
    """Stray dots: each pixel is turned over with probability `amount` / 4."""
    noise = torch.rand(edges.shape, generator=torch.Generator().manual_seed(0))
    return (edges - (noise < amount / 4).float()).abs()


def chimera(edges: Tensor, amount: float) -> Tensor:
    """The lower part, an `amount` of the rows, comes from the next picture."""
    start = edges.shape[2] - round(amount * edges.shape[2])
    return torch.cat([edges[:, :, :start], edges.roll(-1, 0)[:, :, start:]], 2)


CHANGES: dict[str, Change] = {
    "rub out from the top": rubbed_out,
    "scatter dots": dotted,
    "lower part of another digit": chimera,
}


class Translated(NamedTuple):
    """One picture on its way, and for each network the mean error and the share read right over all test pictures."""

    edges: np.ndarray
    output: np.ndarray
    truth: np.ndarray
    label: int
    read: int
    name: str
    errors: dict[str, float]
    right: dict[str, float]
    edges_right: float


def translation(data: str | Dataset | Translators = "digits", *, corrupt: Change | None = None) -> Panel:
    """Edges to digits through bottlenecks of several widths (lecture, section 02; after Isola et al. 2016).

    `data`: a name of `load_dataset`, a data set, or what `translators` returned. `corrupt`: your own
    ``corrupt(edges, amount)`` from edges (n, 1, side, side) and a number from 0 to 1 to edges of the same shape.
    """
    made = data if isinstance(data, Translators) else translators(data)
    changes = {"by your function": corrupt} if corrupt else CHANGES
    names = list(changes)
    controls = [
        Slider(name="picture", label="Test picture", values=list(range(1, SHOWN + 1)), value=8),
        Choice(name="name", label="Through", options={f"{name}": name for name in BUILDS}, value="8 numbers"),
        Choice(name="change", label="Change the edges", options={name: name for name in names}),
        Slider(name="amount", label="How much", values=AMOUNTS, value=0.5 if corrupt else 0.0,
               texts=[f"{a:.0%}" for a in AMOUNTS]),
    ]  # fmt: skip

    @lru_cache(maxsize=64)
    def all_of(
        change: str, amount: float
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, float], dict[str, float], float]:
        edges = checked(changes[change], made.edges, amount)
        found = {name: made.quality(name, edges) for name in BUILDS}
        outputs = {name: quality[0] for name, quality in found.items()}
        errors = {name: quality[1] for name, quality in found.items()}
        right = {name: quality[2] for name, quality in found.items()}
        return edges, outputs, errors, right, made.read_right(edges)

    def compute(picture: float, name: str, change: str, amount: float) -> Translated:
        edges, outputs, errors, right, edges_right = all_of(change, amount)
        row = int(picture) - 1
        output = outputs[name][row]
        return Translated(
            edges[row, 0].numpy(),
            output[0].numpy(),
            made.truth[row, 0].numpy(),
            int(made.data.y_test[row]),
            int(made.read(output[None])),
            name,
            errors,
            right,
            edges_right,
        )

    title = "From edges to a digit" if corrupt is None else "From edges to a digit, after your function"
    return Panel(title, controls, compute, drawing(made), size=(960, 370))


def checked(change: Change, edges: Tensor, amount: float) -> Tensor:
    """What a function made of the edges, if it has their shape and numbers that are finite."""
    found = change(edges.clone(), amount)
    if not isinstance(found, Tensor) or found.shape != edges.shape:
        got = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"corrupt must return a tensor of shape {tuple(edges.shape)} like edges, got {got}")
    found = found.detach().float()
    if not bool(found.isfinite().all()):
        raise ValueError("corrupt must return finite numbers, got some that are infinite or none; clamp them")
    return found


def drawing(made: Translators) -> Draw:
    """The drawing for these networks."""
    sizes = {name: count_parameters(model) for name, model in made.models.items()}

    def draw(figure: Figure) -> Show:
        *pictures, chart = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.75])
        images = [framed(axes, made.truth.shape[-1], title) for axes, title in
                  zip(pictures, ("Edges: input", "Output", "Truth"), strict=True)]  # fmt: skip
        caption = pictures[1].text(0.5, -0.05, "", transform=pictures[1].transAxes, ha="center", va="top", fontsize=11)
        chart.axhline(made.read_right(made.truth), color=COLOURS["grey"], ls=":", lw=1.8, label="true pictures")
        untouched = chart.axhline(0.5, color=COLOURS["orange"], ls="--", lw=1.8, label="edges, not translated")
        points, labels = [], []
        for i, name in enumerate(BUILDS):
            colour = COLOURS["green" if BUILDS[name][1] else "blue"]
            points += chart.plot([sizes[name]], [0.5], MARKERS[i], ms=8, color=colour)
            at = "bottom" if BUILDS[name][1] else "top"
            labels.append(chart.text(sizes[name], 0.5, name.replace(" numbers", ""), fontsize=10, ha="center", va=at))
        (here,) = chart.plot([], [], "o", ms=16, mfc="none", mew=2.2, color=COLOURS["ink"])
        chart.set(xscale="log", ylim=(-0.2, 1.5), xlabel="parameters Q")
        chart.set_xlim(0.7 * min(sizes.values()), 1.5 * max(sizes.values()))
        chart.set_title("Read right by a classifier")
        ticks = [
            q
            for q in (5_000, 10_000, 20_000, 50_000, 100_000)
            if min(sizes.values()) < 1.5 * q < 3 * max(sizes.values())
        ]
        chart.set_xticks(ticks, [f"{q:,}" for q in ticks])
        chart.set_yticks([0, 0.25, 0.5, 0.75, 1])
        chart.minorticks_off()
        chart.legend(loc="upper left", fontsize=10)

        def show(seen: Translated) -> str:
            for image, values in zip(images, (seen.edges, seen.output, seen.truth), strict=True):
                image.set_data(values)
            caption.set_text(f"read as {seen.read} {'✓' if seen.read == seen.label else '✗'}")
            for point, label, share in zip(points, labels, seen.right.values(), strict=True):
                point.set_ydata([share])
                label.set_y(share + (0.09 if label.get_va() == "bottom" else -0.09))
            untouched.set_ydata([seen.edges_right] * 2)
            here.set_data([sizes[seen.name]], [seen.right[seen.name]])
            here_error = float(np.abs(seen.output - seen.truth).mean())
            return (
                f"A {seen.label} through {seen.name} (Q = {sizes[seen.name]:,}), read as {seen.read}; mean error "
                f"{here_error:.3f}. Over {len(made.truth)} test pictures: mean error {seen.errors[seen.name]:.3f}, "
                f"{seen.right[seen.name]:.1%} read right, of the edges themselves {seen.edges_right:.1%}."
            )

        return show

    return draw


def framed(axes: Axes, side: int, title: str) -> Any:
    """A picture of pixels in a frame."""
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set_visible(True)
    return axes.imshow(np.zeros((side, side)), cmap="gray_r", vmin=0, vmax=1)
