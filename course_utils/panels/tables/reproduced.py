"""How near the measured numbers are to the published ones: a row for each of them, all on one scale."""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from course_utils._support.check import one_of
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT, INK, write
from course_utils.tables.measured import Claim, measured_tables

__all__ = ["reproduced"]

SIZE = (960, 460)
LINES = 10  # rows of the picture: no part of a table has more published numbers
FEW = 6  # rows that the picture has room for in any case: fewer would lie far apart
ENDS = (0.2, 5.0)  # of the scale, as multiples; what lies outside is drawn at its end
TICKS = {0.25: "a quarter", 0.5: "half", 1.0: "as published", 2.0: "twice", 4.0: "four times"}
COLUMNS = {"published": 0.46, "measured": 1.0}  # where the columns of numbers end


class Scene(NamedTuple):
    """The published numbers of a part, in the order in which they are shown, and what counts as near."""

    title: str
    claims: list[Claim]
    tolerance: float


def reproduced(table: str | None = None, part: str | None = None) -> Panel:
    """Published numbers beside the measured ones, opened at a part of a table; any other one can be chosen.

    The scale is that of `Claim.times`: how far a number is from the best that there could be, as a multiple of how far
    the published one is. Raises: ValueError for a table or a part without published numbers.

    >>> reproduced("binary").words.startswith("Binary networks, MNIST:")
    True
    """
    tables = measured_tables()
    parts = {f"{name}/{one.name}": (each, one) for name, each in tables.items() for one in each.parts if one.claims}
    names = [key.split("/") for key in parts]
    table = names[0][0] if table is None else table
    one_of("table", table, list(dict.fromkeys(name for name, _ in names)))
    own = [one for name, one in names if name == table]
    part = own[0] if part is None else part
    one_of("part", part, own)
    controls = [
        Choice(
            name="part", label="Table", value=f"{table}/{part}",
            options={f"{each.section} {each.title}: {one.title}": key for key, (each, one) in parts.items()},
        ),
        Choice(name="order", label="Order", options={"as in the lecture": "lecture", "the farthest first": "farthest"}),
        Slider(name="tolerance", label="Counts as near", values=range(0, 51, 5), value=10, unit=" %"),
    ]  # fmt: skip

    def compute(part: str, order: str, tolerance: float) -> Scene:
        whole, one = parts[part]
        claims = list(one.claims)
        if order == "farthest":
            claims.sort(key=distance, reverse=True)
        return Scene(f"{whole.title}, {one.title}", claims, tolerance / 100)

    return Panel("Published and measured again", controls, compute, drawing(), size=SIZE)


def distance(claim: Claim) -> float:
    """How far the measured number is from the published one on the scale, in either direction."""
    return abs(np.log(max(claim.times(claim.value), 1e-6)))


def near(claim: Claim, tolerance: float) -> bool:
    """Whether the measured number is at least as good as the published one, but for the tolerance."""
    return claim.reached or claim.times(claim.value) <= 1 + tolerance


def drawing() -> Draw:
    """The drawing."""

    def draw(figure: Figure) -> Show:
        words, axes, numbers = figure.subplots(1, 3, sharey=True, width_ratios=[1.12, 1.45, 0.8])
        for side in (words, numbers):
            side.set(xlim=(0, 1), xticks=[])
            side.spines[:].set_visible(False)
            side.tick_params(axis="y", length=0)
        axes.set(xscale="log", xlim=ENDS, title="Distance from the best possible")
        axes.set_yticks([])
        axes.set_xticks(list(TICKS), list(TICKS.values()))
        axes.minorticks_off()
        band = axes.axvspan(1, 1.1, fc="#DCEBF5", ec=COLOURS["grey"], lw=1, ls="--")
        axes.axvline(1, color=COLOURS["ink"], lw=1.4)
        axes.yaxis.grid(color="#E9ECEF", lw=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.text(ENDS[0] * 1.05, -0.6, "← better", fontsize=11, va="center")
        axes.text(ENDS[1] / 1.05, -0.6, "worse →", fontsize=11, va="center", ha="right")
        (seeds,) = axes.plot([], [], "|", ms=13, mew=1.4, color=FAINT, label="a seed", clip_on=False)
        looks = {
            "within what counts as near, or better": ("o", COLOURS["blue"], COLOURS["blue"]),
            "farther": ("D", COLOURS["orange"], COLOURS["orange"]),
            "other data: not to be compared": ("s", "white", COLOURS["grey"]),
        }
        dots = [
            axes.plot(
                [], [], marker, ms=9, color=edge, mfc=face, mew=1.6, linestyle="none", label=label, clip_on=False
            )[0]
            for label, (marker, face, edge) in looks.items()
        ]
        for artist in (*dots, seeds):  # at the ends of the scale they reach over the edge, which moves nothing
            artist.set_in_layout(False)
        figure.legend(handles=[*dots, seeds], loc="outside lower center", ncols=4, fontsize=10)
        names = [words.text(1, i, "", ha="right", va="center", fontsize=10.5) for i in range(LINES)]
        cells = {
            title: [numbers.text(x, i, "", ha="right", va="center", fontsize=10.5) for i in range(LINES)]
            for title, x in COLUMNS.items()
        }
        for title, x in COLUMNS.items():
            numbers.text(x, -0.6, title, ha="right", va="center", fontsize=10.5, fontweight="bold")

        def show(scene: Scene) -> str:
            rows = len(scene.claims)
            if len(axes.get_yticks()) != rows:
                axes.set_yticks(range(rows), [""] * rows)
                axes.set_ylim(max(rows, FEW) - 0.4, -0.9)
            band.set_width(max(scene.tolerance, 0.004))
            kinds: list[list[tuple[float, int]]] = [[], [], []]
            single: list[tuple[float, int]] = []
            for i, claim in enumerate(scene.claims):
                kind = 2 if claim.note else 0 if near(claim, scene.tolerance) else 1
                kinds[kind].append((inside(claim.times(claim.value)), i))
                if len(claim.measured) > 1:
                    single += [(inside(claim.times(value)), i) for value in claim.measured]
            for artist, places in zip((*dots, seeds), (*kinds, single), strict=True):
                artist.set_data([x for x, _ in places], [i for _, i in places])
            for i, name in enumerate(names):
                claim_ = scene.claims[i] if i < len(scene.claims) else None
                far = claim_ is not None and not claim_.note and not near(claim_, scene.tolerance)
                texts = ("", "", "") if claim_ is None else (claim_.what, claim_.published, shown(claim_))
                for text, cell in zip(texts, (name, *(column[i] for column in cells.values())), strict=True):
                    write(cell, text=text, color=INK["orange"] if far else COLOURS["ink"])
            return sentence(scene)

        return show

    return draw


def inside(times: float) -> float:
    """A multiple, moved to the end of the scale where it lies outside."""
    return min(max(times, ENDS[0]), ENDS[1])


def shown(claim: Claim) -> str:
    """The measured number, without its spread: the short lines show that."""
    return claim.text.partition(" ±")[0]


def sentence(scene: Scene) -> str:
    """How many of the numbers are reached, and which one is the farthest."""
    fair = [claim for claim in scene.claims if not claim.note]
    parts = [f"{scene.title}: {len(scene.claims)} published numbers, at the top {scene.claims[0].what}."]
    if fair:
        close = sum(near(claim, scene.tolerance) for claim in fair)
        worst = max(fair, key=lambda claim: claim.times(claim.value))
        parts.append(
            f"{sum(claim.reached for claim in fair)} of {len(fair)} are reached, {close} within {scene.tolerance:.0%}."
        )
        parts.append(
            "None lies on the worse side."
            if worst.times(worst.value) <= 1
            else f"Farthest to the worse side: {worst.what}, {worst.quantity} {shown(worst)} for {worst.published}, "
            f"{worst.times(worst.value):.2f} times as far from the best possible."
        )
    if apart := [claim for claim in scene.claims if claim.note]:
        notes = "; ".join(dict.fromkeys(claim.note for claim in apart))
        parts.append(f"{len(apart)} cannot be compared: {notes}.")
    return " ".join(parts)
