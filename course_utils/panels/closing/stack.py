"""The closing panel: methods stacked by check boxes, on one plot of accuracy against bytes that are on the disk."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom
from course_utils.panels.closing.methods import LABELS, Made, Methods, course_of, steps
from course_utils.panels.engine import Choice, Control, Draw, Panel, Show, Toggle
from course_utils.plots import COLOURS, INK, smaller, write

__all__ = ["everything"]

LINES = 12  # of the table
LETTERS = 30  # of a line; where the methods take more, those after the second are counted
ORDERS = {"bytes, the smallest first": "size", "accuracy, the best first": "accuracy", "as they were made": "made"}


class Seen(NamedTuple):
    """All networks so far, which is the present one, whether it is finished, and how the table is sorted."""

    made: list[Made]
    now: Made
    finished: bool
    order: str


def everything(data: str | Dataset = "digits", *, made: Sequence[Made] | None = None) -> Panel:
    """Every method of the course on one network (lecture, section 10); each state is trained and written as a file.

    `made`: networks to begin with, from `course_of`; by default it is called here.
    """
    room = classroom(data)
    seen = {m.methods: m for m in (course_of(data) if made is None else made)}
    controls: list[Control] = [Toggle(name=name, label=label) for name, label in LABELS.items()]
    controls.append(Choice(name="order", label="Sort the table by", options=ORDERS))

    def compute(order: str, **chosen: bool) -> Iterator[Seen]:
        methods = Methods(**chosen)
        if methods not in seen:
            for now in steps(data, methods):
                yield Seen(list(seen.values()), now, False, order)
            seen[methods] = now
        yield Seen(list(seen.values()), seen[methods], True, order)

    return Panel("The whole course on one network", controls, compute, drawing(len(room.y_test)), size=(960, 470))


def ordered(seen: Seen) -> list[Made]:
    """The networks in the order that was asked for."""
    if seen.order == "size":
        return sorted(seen.made, key=lambda m: (m.size, -m.accuracy))
    if seen.order == "accuracy":
        return sorted(seen.made, key=lambda m: (-m.accuracy, m.size))
    return seen.made


def short(methods: Methods) -> str:
    """The methods in a few letters, for the table.

    >>> short(Methods(prune=True, coder=True))
    'prune + coder'
    """
    words = {
        "penalty": "penalty", "low_rank": "low rank", "distill": "student", "kaf": "KAF", "prune": "prune",
        "binary": "1 bit", "quantize": "4 bit", "share": "share", "coder": "coder",
    }  # fmt: skip
    chosen = [words[name] for name in LABELS if getattr(methods, name)]
    if len(" + ".join(chosen)) > LETTERS:
        chosen = [*chosen[:2], f"{len(chosen) - 2} more"]
    return " + ".join(chosen) or "dense network"


def drawing(rows: int) -> Draw:
    """The drawing, for a test set of so many rows."""

    def draw(figure: Figure) -> Show:
        axes, table = figure.subplots(1, 2, width_ratios=[1, 1])
        (all_,) = axes.plot([], [], "o", ms=7, color=COLOURS["sky"], mec=COLOURS["blue"], label="networks so far")
        (best,) = axes.plot(
            [], [], "-", color=COLOURS["blue"], lw=1.4, drawstyle="steps-post", label="best for these bytes"
        )
        (here,) = axes.plot([], [], "*", ms=17, color=COLOURS["orange"], label="this one")
        axes.set(xscale="log", xlim=(400, 100_000), ylim=(0, 1.03), xlabel="bytes of the file on the disk")
        axes.set_ylabel(f"right, of {rows:,} test rows")
        axes.set_xticks(
            [500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000], ["500", "1k", "2k", "5k", "10k", "20k", "50k"]
        )
        axes.minorticks_off()
        axes.legend(loc="lower right", fontsize=10)
        table.set(xlim=(0, 1), ylim=(LINES + 0.5, -1.3), xticks=[], yticks=[])
        table.spines[:].set_visible(False)
        places = {"methods": (0.0, "left"), "bytes": (0.7, "right"), "ratio": (0.85, "right"), "right": (1.0, "right")}
        for name, (x, side) in places.items():
            table.text(x, -0.85, name, ha=side, va="center", fontsize=10.5, fontweight="bold")
        cells = [
            [table.text(x, i, "", ha=side, va="center", fontsize=10) for x, side in places.values()]
            for i in range(LINES)
        ]

        def show(seen: Seen) -> str:
            made = seen.made if seen.finished else [*seen.made, seen.now]
            all_.set_data([m.size for m in made], [m.accuracy for m in made])
            front = frontier(made)
            best.set_data([m.size for m in front], [m.accuracy for m in front])
            here.set_data([seen.now.size], [seen.now.accuracy])
            low, high = min(m.size for m in made), max(m.size for m in made)
            if not axes.get_xlim()[0] <= low <= high <= axes.get_xlim()[1]:
                axes.set_xlim(low / 1.5, high * 1.5)
            lines = window(ordered(seen), seen.now)
            for i, row in enumerate(cells):
                one = lines[i] if i < len(lines) else None
                texts = ("",) * 4
                if one is not None:
                    texts = (short(one.methods), f"{one.size:,}", f"{one.ratio:.1f}×", f"{one.accuracy:.1%}")
                mine = seen.finished and one is not None and one.methods == seen.now.methods
                for cell, text in zip(row, texts, strict=True):
                    look = {
                        "fontweight": "bold" if mine else "normal",
                        "color": INK["orange"] if mine else COLOURS["ink"],
                    }
                    write(cell, text=text, **look)
            return words(seen)

        return show

    return draw


def window(made: list[Made], now: Made) -> list[Made]:
    """At most LINES of the table, the present network among them."""
    at = next((i for i, m in enumerate(made) if m.methods == now.methods), 0)
    start = max(0, min(at - LINES // 2, len(made) - LINES)) if at >= LINES else 0
    return made[start : start + LINES]


def frontier(made: list[Made]) -> list[Made]:
    """The networks that no smaller one beats, from small to large."""
    front: list[Made] = []
    for one in sorted(made, key=lambda m: (m.size, -m.accuracy)):
        if not front or one.accuracy > front[-1].accuracy:
            front.append(one)
    return front


def words(seen: Seen) -> str:
    """The present network in a sentence."""
    now = seen.now
    state = "" if seen.finished else "On the way to: "
    beaten = sum(m.size < now.size and m.accuracy > now.accuracy for m in seen.made)
    count = {0: "no network so far is", 1: "one network so far is"}.get(beaten, f"{beaten} networks so far are")
    return (
        f"{state}{now.methods}: a file of {now.size:,} bytes, {smaller(now.ratio)} the dense weights, "
        f"{now.accuracy:.1%} right; {count} smaller and better."
    )
