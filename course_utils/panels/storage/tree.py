"""The Huffman code of a text, or of the reader's own: a tree, the lengths of its words, and the entropy."""

import heapq
import math
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from course_utils.coding.huffman import HuffmanCode
from course_utils.panels.engine import Choice, Panel, Show, Slider, Text
from course_utils.plots import COLOURS, INK, move_limits, write

__all__ = ["Tree", "huffman_tree"]

MOST = 16  # symbols in a tree that can still be read

Lengths = Callable[[list[int]], list[int]]


class Tree(NamedTuple):
    """Symbols from the most frequent down, how often they occur, the lengths and bits of their words."""

    symbols: list[str]
    counts: list[int]
    lengths: list[int]
    words: list[str]
    fixed: int

    @property
    def mean(self) -> float:
        """Bits per symbol."""
        return sum(c * n for c, n in zip(self.counts, self.lengths, strict=True)) / sum(self.counts)

    @property
    def entropy(self) -> float:
        """Bits per symbol that no code of whole words can beat."""
        total = sum(self.counts)
        return sum(-c / total * math.log2(c / total) for c in self.counts)


def huffman_tree(*, lengths: Lengths | None = None) -> Panel:
    """The tree of a Huffman code for a text, or for eight indices of a chosen bias (lecture, section 07, figure 5).

    `lengths`: your own function from counts, falling, to lengths of words in bits, in the place of Huffman's.
    """
    controls = [
        Choice(name="source", label="Symbols from", options={"indices of a codebook": "indices", "a text": "text"}),
        Slider(
            name="bias", label="How biased the indices are", values=[round(0.1 * i, 1) for i in range(11)], value=0.3
        ),
        Text(name="text", label="A text", value="deep compression", max_length=60),
    ]

    def compute(source: str, bias: float, text: str) -> Tree:
        if source == "text":
            if len(text) < 2:
                raise ValueError(f"type a text of two letters or more, got {text!r}")
            table = Counter(text.replace(" ", "␣")).most_common(MOST)
        else:
            table = [(str(i), max(1, round(1000 * math.exp(-bias * i)))) for i in range(8)]
        names, counts = [name for name, _ in table], [n for _, n in table]
        if lengths is None:
            found = [int(n) for n in HuffmanCode.from_counts(counts).lengths]
        else:
            found = checked(lengths, counts)
        fixed = max(1, (len(names) - 1).bit_length())
        return Tree(names, counts, found, canonical(found), fixed)

    title = "A Huffman code" if lengths is None else "A code of your lengths"
    return Panel(title, controls, compute, draw, size=(960, 440))


def checked(lengths: Lengths, counts: list[int]) -> list[int]:
    """What a reader's function returns, if a prefix code can have these lengths."""
    found = [int(n) for n in lengths(list(counts))]
    if len(found) != len(counts):
        raise ValueError(f"lengths must return {len(counts)} numbers, one for each count, got {len(found)}")
    kraft = sum(2.0**-n for n in found)
    if kraft > 1 or min(found) < 0:
        raise ValueError(
            f"no prefix code has the lengths {found}: the sum of 2^-length is {kraft:g} and must be at most 1"
        )
    return found


def canonical(lengths: list[int]) -> list[str]:
    """The words of a canonical code: consecutive numbers in each length.

    >>> canonical([1, 2, 2])
    ['0', '10', '11']
    """
    words, code, before = [""] * len(lengths), 0, 0
    for length, i in sorted((n, i) for i, n in enumerate(lengths)):
        code <<= length - before
        words[i] = f"{code:0{length}b}" if length else ""
        code, before = code + 1, length
    return words


def merges(counts: list[int]) -> int:
    """How many times Huffman's algorithm joins the two rarest; one less than there are symbols."""
    heap, number = [(c, i) for i, c in enumerate(counts)], count(len(counts))
    heapq.heapify(heap)
    joined = 0
    while len(heap) > 1:
        a, b = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (a[0] + b[0], next(number)))
        joined += 1
    return joined


def draw(figure: Figure) -> Show:
    """The tree from left to right beside the share of each symbol."""
    tree, table = figure.subplots(1, 2, width_ratios=[1.5, 1], sharey=True)
    tree.set(xticks=[], yticks=[], title="The tree: 0 upwards, 1 downwards")
    tree.spines[:].set_visible(False)
    edges = [tree.plot([], [], "-", color="#8A939C", lw=1.6)[0] for _ in range(4 * MOST)]
    look: dict[str, Any] = {"fontsize": 10, "color": INK["orange"], "ha": "center", "va": "center"}
    look["bbox"] = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none"}
    tags = [tree.text(0, 0, "", **look) for _ in range(4 * MOST)]
    leaves = [tree.text(0, 0, "", fontsize=12, fontweight="bold", va="center") for _ in range(MOST)]
    bars = table.barh(range(MOST), np.ones(MOST), height=0.62, color=COLOURS["blue"])
    notes = [table.text(0, i, "", va="center", fontsize=10, family="monospace") for i in range(MOST)]
    table.set(xlim=(0, 1.3), xticks=[], title="Share, and word")
    table.spines[["left", "bottom"]].set_visible(False)
    table.tick_params(axis="y", length=0, labelleft=False)

    def show(found: Tree) -> str:
        order = sorted(range(len(found.words)), key=lambda i: found.words[i])
        place = {i: row for row, i in enumerate(order)}
        draw_tree(edges, tags, {found.words[i]: float(place[i]) for i in place})
        deepest = max(1, *found.lengths)
        for row, leaf in enumerate(leaves):
            used = row < len(order)
            if used:
                write(leaf, text=found.symbols[order[row]], position=(found.lengths[order[row]] + 0.12, row))
            else:
                write(leaf, text="")
        total = sum(found.counts)
        for row, (bar, note) in enumerate(zip(bars, notes, strict=True)):
            used = row < len(order)
            bar.set_visible(used)
            if not used:
                write(note, text="")
            else:
                i = order[row]
                share = found.counts[i] / total
                write(note, text=f"{share:5.1%}  {found.words[i]}", position=(0.72, row))
                bar.set_width(share * 0.7 / max(found.counts) * total)
        move_limits(tree, x=(-0.2, deepest + 0.9), y=(len(order) - 0.4, -0.6))
        return (
            f"{len(order)} symbols in {merges(found.counts)} joinings: {found.mean:.3f} bits each on average, from "
            f"{min(found.lengths)} to {max(found.lengths)}; with words of one length {found.fixed}; the entropy is "
            f"{found.entropy:.3f} bits, which no such code can beat."
        )

    return show


def draw_tree(edges: list[Any], tags: list[Any], leaves: dict[str, float]) -> None:
    """Set the lines and the bits on them for the words in `leaves`, which say the row of each."""
    rows: dict[str, float] = dict(leaves)
    for length in range(max(map(len, leaves), default=0) - 1, -1, -1):
        for start in {word[:length] for word in rows if len(word) > length}:
            children = [rows[start + bit] for bit in "01" if start + bit in rows]
            rows[start] = sum(children) / len(children)
    lines = [(word[:-1], word) for word in sorted(rows) if word]
    for i, (edge, tag) in enumerate(zip(edges, tags, strict=True)):
        edge.set_visible(i < len(lines))
        tag.set_visible(i < len(lines))
        if i < len(lines):
            parent, child = lines[i]
            x, y = (len(parent), len(child)), (rows[parent], rows[child])
            edge.set_data([x[0], x[0], x[1]], [y[0], y[1], y[1]])
            write(tag, text=child[-1], position=(x[0] + 0.5, y[1]))
