"""How close the measured numbers are to the published ones: a row for each, all on one scale."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from course_utils._support.check import one_of
from course_utils.panels.engine import Choice, Panel, Slider
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, FAINT, HALO, INK, legend, write
from course_utils.tables.measured import Claim, measured_tables

__all__ = ["reproduced"]

SIZE = (960, 460)
LINES = 10  # rows of the picture: no part of a table has more published numbers
FEW = 3  # rows that the picture has room for in any case: fewer would lie far apart
HEAD = -0.9  # the row of the heads
RISE = 12  # points from a narrow row's points up to the middle of its numbers, and from there to that of its name
TABLE_WIDTH = 760  # pixels in which name, scale and both numbers stand beside each other
SCALE = (0.34, 0.72)  # where the scale begins and ends there, as shares of the width
ENDS = (0.2, 5.0)  # what lies outside, as a multiple, is drawn here, near the ends of the scale
TICKS = {0.25: "¼", 0.5: "½", 1.0: "as published", 2.0: "2 ×", 4.0: "4 ×"}
# The kinds of points: marker, colour of its face and of its edge.
KINDS = {
    "within the tolerance, or better": ("o", COLOURS["blue"], COLOURS["blue"]),
    "outside the tolerance": ("D", COLOURS["orange"], COLOURS["orange"]),
    "other data: not comparable": ("s", "white", COLOURS["grey"]),
}
NEAR, FAR, INCOMPARABLE = range(3)  # indices into KINDS
COLUMNS = {"": (0.0, "left"), "published": (0.85, "right"), "measured": (1.0, "right")}  # as shares of the width
NARROW_COLUMNS = COLUMNS | {"published": (0.7, "right")}


class Scene(NamedTuple):
    """The published numbers of a part, in the order in which they are shown, and the tolerance."""

    title: str
    claims: list[Claim]
    tolerance: float


def reproduced(table: str | None = None, part: str | None = None) -> Panel:
    """Published numbers beside the measured ones, opened at a part of a table; any other can be chosen.

    The scale is that of `Claim.times`: how far a number is from the best that there could be, as a multiple of how far
    the published one is. Raises: ValueError for a table or a part without published numbers.

    >>> reproduced("binary").words.startswith("Binary networks, MNIST:")
    True
    """
    parts = {
        f"{name}/{part.name}": (measured, part)
        for name, measured in measured_tables().items()
        for part in measured.parts
        if part.claims
    }
    names: dict[str, list[str]] = {}  # of the parts of each table
    for key in parts:
        names.setdefault(key.split("/")[0], []).append(key.split("/")[1])
    table = next(iter(names)) if table is None else table
    one_of("table", table, list(names))
    part = names[table][0] if part is None else part
    one_of("part", part, names[table])
    options = {f"{measured.section} {measured.title}: {part.title}": key for key, (measured, part) in parts.items()}
    controls = [
        Choice(name="part", label="Table", value=f"{table}/{part}", options=options),
        Choice(
            name="order", label="Order", options={"as in the lecture": "lecture", "largest deviation first": "farthest"}
        ),
        Slider(name="tolerance", label="Tolerance", values=range(0, 51, 5), value=10, unit=" %"),
    ]

    def compute(part: str, order: str, tolerance: float) -> Scene:
        measured, chosen = parts[part]
        claims = list(chosen.claims)
        if order == "farthest":
            claims.sort(key=distance, reverse=True)
        return Scene(f"{measured.title}, {chosen.title}", claims, tolerance / 100)

    title = "Published and measured again"
    return Panel(title, controls, compute, lambda figure: ClaimsPicture(figure).show, size=SIZE)


def distance(claim: Claim) -> float:
    """How far the measured number is from the published one on the scale, in either direction."""
    return abs(np.log(max(claim.times(claim.value), 1e-6)))


def near(claim: Claim, tolerance: float) -> bool:
    """Whether the measured number is at least as good as the published one, but for the tolerance."""
    return claim.reached or claim.times(claim.value) <= 1 + tolerance


class ClaimsPicture:
    """Name, place on the scale and both values of each published number; above each other where it is narrow."""

    def __init__(self, figure: Figure) -> None:
        width, height = figure.get_size_inches()
        self.narrow = 100 * width < TABLE_WIDTH
        figure.set_size_inches(width, height + 3.4 * self.narrow)
        self.scale = figure.subplots()
        self.draw_scale()
        self.draw_points()
        self.draw_cells(figure)
        self.legend = legend(
            figure, handles=[*self.points, self.seeds], loc="outside lower center", ncols=4, fontsize=10
        )

    def draw_scale(self) -> None:
        """The scale, with a band for the tolerance."""
        axes = self.scale
        begin, end = (0.0, 1.0) if self.narrow else SCALE
        low, high = np.log(ENDS[0] / 1.2), np.log(1.2 * ENDS[1])
        width = (high - low) / (end - begin)
        axes.set(xscale="log", xlim=np.exp([low - begin * width, high + (1 - end) * width]))
        axes.set_title("Error or cost relative to published")
        axes.set_xlabel("← better · worse →", x=(begin + end) / 2)
        axes.spines["bottom"].set_bounds(*np.exp([low, high]))
        axes.set_xticks(list(TICKS), [("1 ×" if self.narrow and tick == 1 else name) for tick, name in TICKS.items()])
        axes.minorticks_off()
        self.band = axes.axvspan(1, 1.1, fc="#DCEBF5", ec=COLOURS["grey"], lw=1, ls="--")
        axes.axvline(1, color=COLOURS["ink"], lw=1.4)
        axes.yaxis.grid(color="#E9ECEF", lw=0.8)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)

    def draw_points(self) -> None:
        """The points, of one kind for each of KINDS, and a short line for each seed."""
        (self.seeds,) = self.scale.plot([], [], "|", ms=13, mew=1.4, color=FAINT, label="a seed")
        self.points = []
        for label, (marker, face, edge) in KINDS.items():
            (points,) = self.scale.plot([], [], marker, ls="none", ms=9, mew=1.6, color=edge, mfc=face, label=label)
            self.points.append(points)

    def draw_cells(self, figure: Figure) -> None:
        """The texts of each row: name, published number, measured number; and the heads of the numbers."""
        columns = []
        for head, (x, side) in (NARROW_COLUMNS if self.narrow else COLUMNS).items():
            rise = self.narrow * (RISE if head else 2 * RISE)
            above = ScaledTranslation(0, rise / 72, figure.dpi_scale_trans)
            place = self.scale.get_yaxis_transform() + above  # share of the width, row, and so many points above it
            cell: dict[str, Any] = {"ha": side, "va": "center", "fontsize": 10.5, "transform": place}
            self.scale.text(x, HEAD, head, fontweight="bold", path_effects=HALO, **cell)
            columns.append([self.scale.text(x, row, "", **cell) for row in range(LINES)])
        self.cells = list(zip(*columns, strict=True))

    def show(self, scene: Scene) -> str:
        """Place the points, and write the rows."""
        rows = len(scene.claims)
        if len(self.scale.get_yticks()) != rows + 1:
            below = 0.22 if self.narrow else 0.5
            self.scale.set_yticks(np.arange(-1, rows) + below, [""] * (rows + 1))  # a line below each row
            self.scale.set_ylim(max(rows, FEW) - 1 + below, HEAD - 0.6)
        self.band.set_width(max(scene.tolerance, 0.004))
        self.show_points(scene)
        for row, cells in enumerate(self.cells):
            texts, colour = ("", "", ""), COLOURS["ink"]
            if row < rows:
                claim = scene.claims[row]
                texts = (claim.what, claim.published, shown(claim))
                if kind_of(claim, scene.tolerance) == FAR:
                    colour = INK["orange"]
            for cell, text in zip(cells, texts, strict=True):
                write(cell, text=text, color=colour)
        return describe(scene)

    def show_points(self, scene: Scene) -> None:
        """The point of each number, and a line for each of its seeds where there are several."""
        kinds = [kind_of(claim, scene.tolerance) for claim in scene.claims]
        for kind, points in enumerate(self.points):
            rows = [row for row, of_claim in enumerate(kinds) if of_claim == kind]
            places = [inside(scene.claims[row].times(scene.claims[row].value)) for row in rows]
            points.set_data(places, rows)
        seeds = [
            (inside(claim.times(value)), row)
            for row, claim in enumerate(scene.claims)
            if len(claim.measured) > 1
            for value in claim.measured
        ]
        self.seeds.set_data([x for x, _ in seeds], [row for _, row in seeds])
        name_what_is_drawn(self.legend)


def kind_of(claim: Claim, tolerance: float) -> int:
    """The index into KINDS of a number."""
    if claim.note:
        return INCOMPARABLE
    return NEAR if near(claim, tolerance) else FAR


def inside(times: float) -> float:
    """A multiple, moved to the end of the scale where it lies outside."""
    return min(max(times, ENDS[0]), ENDS[1])


def shown(claim: Claim) -> str:
    """The measured number, without its spread: the short lines show that."""
    return claim.text.partition(" ±")[0]


def describe(scene: Scene) -> str:
    """The sentences under the panel: how many of the numbers are reached, and which one is the worst."""
    comparable = [claim for claim in scene.claims if not claim.note]
    parts = [f"{scene.title}: {len(scene.claims)} published numbers, first {scene.claims[0].what}."]
    if comparable:
        reached = sum(claim.reached for claim in comparable)
        close = sum(near(claim, scene.tolerance) for claim in comparable)
        worst = max(comparable, key=lambda claim: claim.times(claim.value))
        parts.append(f"{reached} of {len(comparable)} are reached, {close} within {scene.tolerance:.0%}.")
        parts.append(
            "None is worse."
            if worst.times(worst.value) <= 1
            else f"The worst: {worst.what}, {worst.quantity} {shown(worst)} for {worst.published}, "
            f"{worst.times(worst.value):.2f} times the published error or cost."
        )
    incomparable = [claim for claim in scene.claims if claim.note]
    if incomparable:
        notes = "; ".join(dict.fromkeys(claim.note for claim in incomparable))
        parts.append(f"{len(incomparable)} cannot be compared: {notes}.")
    return " ".join(parts)
