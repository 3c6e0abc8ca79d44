"""Deep Compression's steps by check boxes, and the bytes of the file that really lies on the disk each time."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from course_utils.compress import CompressedModel, Recipe, compress
from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy, trained
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS, HATCHES, move_limits, smaller

__all__ = ["stack", "written"]

KINDS = ("positions", "values", "codebook", "table", "dense", "header", "checksum")
CODERS = {"none: whole numbers of bits": "none", "Huffman": "huffman", "ANS": "ans", "mixed contexts": "mixed"}


class Written(NamedTuple):
    """A file that was written and read back: its bytes by kind, and how the network in it does."""

    size: int
    by_kind: dict[str, float]
    accuracy: float
    dense: int
    whole: float


def stack(data: str | Dataset = "digits") -> Panel:
    """Pruning, sharing and a coder on one network, as one file on the disk (lecture, section 07).

    `data`: a name of `load_dataset`, or a data set. Each state retrains for a moment, writes a file, reads it back and
    measures the network that came out of it.
    """
    room, model = classroom(data), trained(data)
    whole, dense = measure_accuracy(model, room), 4 * sum(p.numel() for p in model.parameters())
    keep = (0.5, 0.3, 0.2, 0.12, 0.08, 0.05, 0.03)
    controls = [
        Toggle(name="prune", label="Prune", value=True),
        Slider(name="kept", label="Share kept", values=keep, value=0.12, texts=[f"{k:.0%}" for k in keep]),
        Toggle(name="share", label="Share values", value=True),
        Slider(name="levels", label="Values in a layer", values=(2, 4, 8, 16, 32, 64), value=8),
        Choice(name="coder", label="Coder", options=CODERS, value="huffman"),
    ]
    seen: dict[tuple[Any, ...], Written] = {}

    def compute(prune: bool, kept: float, share: bool, levels: float, coder: str) -> Iterator[Written]:
        recipe: dict[str, Any] = {"prune": 1 - kept if prune else None, "levels": int(levels) if share else None}
        recipe["entropy"] = None if coder == "none" else coder
        if coder == "mixed" and not share:
            raise ValueError("mixed contexts need shared values: switch Share values on, or take Huffman")
        key = tuple(recipe.values())
        if key not in seen:
            # At once, without retraining; then after retraining.
            yield written(model, Recipe(**recipe, init="exact"), room, dense, whole)
            # Weights that are shared keep being few; what was pruned stays pruned.
            epochs: dict[str, Any] = {"prune_epochs": 4 if prune else 0, "share_epochs": 2 if share else 0}
            again = Recipe(**recipe, **epochs, init="exact", rounds=1, lr=2e-3, share_lr=5e-4, batch_size=64)
            seen[key] = written(model, again, room, dense, whole)
        yield seen[key]

    return Panel("From a network to a file", controls, compute, drawing(dense), size=(960, 330))


def written(model: Any, recipe: Recipe, data: Dataset, dense: int, whole: float) -> Written:
    """Compress, write to the disk, read back, and measure what came back."""
    small = compress(model, recipe, data=data, progress=False, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.cun"
        small.save(path)
        size = path.stat().st_size
        back = CompressedModel.load(path)
    return Written(size, back.report().by_kind, measure_accuracy(back.to_model(), data), dense, whole)


def drawing(dense: int) -> Draw:
    """The drawing, beside so many dense bytes."""

    def draw(figure: Figure) -> Show:
        bytes_, accuracy = figure.subplots(1, 2, width_ratios=[2.6, 1])
        colours = list(COLOURS.values())
        bars = [
            bytes_.barh([0], [1], height=0.55, color=colours[i], hatch=HATCHES[i], edgecolor="white", lw=0, label=kind)[
                0
            ]
            for i, kind in enumerate(KINDS)
        ]
        bytes_.set(yticks=[], ylim=(-0.5, 0.5), xlabel="bytes of the file on the disk")
        bytes_.spines["left"].set_visible(False)
        note = bytes_.text(0, 0.36, "", fontsize=12, fontweight="bold", va="center")
        bytes_.legend(
            loc="upper center", bbox_to_anchor=(0.5, 1.22), ncols=7, fontsize=9.5, columnspacing=1, handlelength=1.4
        )
        (right,) = accuracy.bar([0], [1], width=0.5, color=COLOURS["blue"])
        line = accuracy.axhline(1, color=COLOURS["orange"], ls="--")
        accuracy.set_xlabel("dashed: the dense network", fontsize=10)
        value = accuracy.text(0, 0.5, "", ha="center", va="center", fontsize=13, fontweight="bold", color="white")
        accuracy.set(xticks=[], xlim=(-0.5, 0.5), ylim=(0, 1.03), title="Right on test rows")

        def show(found: Written) -> str:
            left = 0.0
            for bar, kind in zip(bars, KINDS, strict=True):
                width = found.by_kind.get(kind, 0.0)
                bar.set(x=left, width=width)
                left += width
            move_limits(bytes_, x=(0.0, nice(found.size)))
            note.set_text(f"{found.size:,} bytes, {smaller(found.dense / found.size)} the dense weights")
            right.set_height(found.accuracy)
            value.set_text(f"{found.accuracy:.1%}")
            line.set_ydata([found.whole] * 2)
            kinds = ", ".join(f"{kind} {n:,.0f}" for kind, n in found.by_kind.items())
            return (
                f"A file of {found.size:,} bytes, {smaller(found.dense / found.size)} {found.dense:,} "
                f"dense bytes ({kinds}); read back it gets {found.accuracy:.1%} right, the dense network "
                f"{found.whole:.1%}."
            )

        return show

    return draw


def nice(size: float) -> float:
    """A little more than `size`, from a short list, so that the scale does not tremble.

    >>> nice(1300), nice(47_000)
    (2000.0, 50000.0)
    """
    scale = 10 ** np.floor(np.log10(max(size, 1)))
    return float(next(m for m in (1, 2, 5, 10) if m * scale >= size) * scale)
