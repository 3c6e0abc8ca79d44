"""The Huffman code of indices or of a text: its tree, the lengths of its codewords, and the entropy."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from course_utils._support.words import plural
from course_utils.coding.huffman import HuffmanCode
from course_utils.panels.engine import Choice, Panel, Slider, Text
from course_utils.plots import COLOURS, INK, move_limits, write

__all__ = ["Code", "huffman_tree"]

MAX_SYMBOLS = 16  # symbols in a tree that can still be read
BARS, SHARES = 0.3, 0.62  # where the longest bar and the column of shares end, as shares of the width
NARROW = 6.0  # inches of a picture in which codewords take the room of the bars

Lengths = Callable[[list[int]], list[int]]


class Code(NamedTuple):
    """Symbols from the most frequent down, how often they occur, the lengths and bits of their codewords.

    `letters`, `characters`: how many the text has, which may be more than there is room for.
    """

    symbols: list[str]
    counts: list[int]
    lengths: list[int]
    words: list[str]
    fixed: int
    letters: int
    characters: int

    @property
    def mean(self) -> float:
        """Bits per symbol."""
        return sum(c * n for c, n in zip(self.counts, self.lengths, strict=True)) / sum(self.counts)

    @property
    def entropy(self) -> float:
        """The lower bound of the bits per symbol of any code of codewords."""
        total = sum(self.counts)
        return sum(-c / total * math.log2(c / total) for c in self.counts)


def huffman_tree(*, lengths: Lengths | None = None) -> Panel:
    """The tree of a Huffman code for a text, or for eight indices of a chosen skew (lecture, section 07, figure 5).

    `lengths`: your own function from descending counts to lengths of codewords in bits, instead of Huffman's.
    """
    controls = [
        Choice(name="source", label="Symbols from", options={"indices of a codebook": "indices", "a text": "text"}),
        Slider(name="skew", label="Skew of the frequencies", values=[round(0.1 * i, 1) for i in range(11)], value=0.3),
        Text(name="text", label="A text", value="deep compression", max_length=60),
    ]

    def compute(source: str, skew: float, text: str) -> Code:
        if source == "text":
            if len(text) < 2:
                raise ValueError(f"type a text of two letters or more, got {text!r}")
            everything = Counter(text.replace(" ", "␣"))
        else:
            everything = Counter({str(i): max(1, round(1000 * math.exp(-skew * i))) for i in range(8)})
        names, counts = map(list, zip(*everything.most_common(MAX_SYMBOLS), strict=True))
        if lengths is None:
            word_lengths = [int(n) for n in HuffmanCode.from_counts(counts).lengths]
        else:
            word_lengths = checked(lengths, counts)
        fixed = max(1, (len(names) - 1).bit_length())
        return Code(names, counts, word_lengths, canonical(word_lengths), fixed, len(everything), everything.total())

    title = "A Huffman code" if lengths is None else "A code of your lengths"
    return Panel(title, controls, compute, lambda figure: TreePicture(figure).show, size=(960, 440))


def checked(lengths: Lengths, counts: list[int]) -> list[int]:
    """What a reader's function returns, if a prefix code can have these lengths."""
    new = [int(n) for n in lengths(list(counts))]
    if len(new) != len(counts):
        raise ValueError(f"lengths must return {len(counts)} numbers, one for each count, got {len(new)}")
    kraft = sum(2.0**-n for n in new)
    if kraft > 1 or min(new) < 0:
        raise ValueError(
            f"no prefix code has the lengths {new}: the sum of 2^-length is {kraft:g} and must be at most 1"
        )
    return new


def canonical(lengths: list[int]) -> list[str]:
    """The codewords of a canonical code: consecutive numbers in each length.

    >>> canonical([1, 2, 2])
    ['0', '10', '11']
    """
    words, code, last_length = [""] * len(lengths), 0, 0
    for length, i in sorted((n, i) for i, n in enumerate(lengths)):
        code <<= length - last_length
        words[i] = f"{code:0{length}b}" if length else ""
        code, last_length = code + 1, length
    return words


class TreePicture:
    """The tree from left to right beside the share of each symbol."""

    def __init__(self, figure: Figure) -> None:
        narrow = figure.get_size_inches()[0] < NARROW
        shares = 0.32 if narrow else SHARES
        self.longest = 10 if narrow else MAX_SYMBOLS  # digits of a codeword; a longer one is cut, as the tree shows it
        self.tree, table = figure.subplots(1, 2, width_ratios=[1, 1] if narrow else [1.3, 1], sharey=True)
        self.tree.set(xticks=[], yticks=[], title="Tree: 0 up, 1 down")
        self.tree.spines[:].set_visible(False)
        self.edges = [self.tree.plot([], [], "-", color="#8A939C", lw=1.6)[0] for _ in range(4 * MAX_SYMBOLS)]
        box = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none"}
        bit: dict[str, Any] = {"fontsize": 10, "color": INK["orange"], "ha": "center", "va": "center", "bbox": box}
        self.bits = [self.tree.text(0, 0, "", **bit) for _ in range(4 * MAX_SYMBOLS)]
        leaf: dict[str, Any] = {"fontsize": 12, "fontweight": "bold", "va": "center"}
        self.leaves = [self.tree.text(0, 0, "", **leaf) for _ in range(MAX_SYMBOLS)]
        self.bars = table.barh(range(MAX_SYMBOLS), np.ones(MAX_SYMBOLS), height=0.62, color=COLOURS["blue"])
        self.widest = 0.0 if narrow else BARS
        note: dict[str, Any] = {"fontsize": 10, "va": "center", "transform": table.get_yaxis_transform()}
        self.shares = [table.text(shares, i, "", ha="right", **note) for i in range(MAX_SYMBOLS)]
        self.codewords = [table.text(shares + 0.04, i, "", **note) for i in range(MAX_SYMBOLS)]
        table.set(xlim=(0, 1), xticks=[], title="Share, and codeword")
        table.spines[["left", "bottom"]].set_visible(False)
        table.tick_params(axis="y", length=0, labelleft=False)

    def show(self, code: Code) -> str:
        """Draw the tree with a row for each symbol, in the order of the codewords."""
        order = sorted(range(len(code.words)), key=lambda i: code.words[i])
        self.show_tree({code.words[i]: float(row) for row, i in enumerate(order)})
        self.show_rows(code, order)
        deepest = max(1, *code.lengths)
        move_limits(self.tree, x=(-0.2, deepest + 0.9), y=(len(order) - 0.4, -0.6))
        return describe(code)

    def show_rows(self, code: Code, order: list[int]) -> None:
        """In each row the symbol, its share and its codeword; the rows that are left stay empty."""
        total = sum(code.counts)
        rows = zip(self.leaves, self.bars, self.shares, self.codewords, strict=True)
        for row, (leaf, bar, share_text, codeword) in enumerate(rows):
            bar.set_visible(row < len(order))
            if row >= len(order):
                for text in (leaf, share_text, codeword):
                    write(text, text="")
                continue
            i = order[row]
            share = code.counts[i] / total
            write(leaf, text=code.symbols[i], position=(code.lengths[i] + 0.12, row))
            write(share_text, text=f"{share:.1%}")
            word = code.words[i]
            write(codeword, text=word if len(word) <= self.longest else f"{word[: self.longest - 1]}…")
            bar.set_width(self.widest * code.counts[i] / max(code.counts))

    def show_tree(self, leaves: dict[str, float]) -> None:
        """Set the lines and the bits on them for the codewords in `leaves`, whose values are their rows."""
        rows = dict(leaves)
        for length in range(max(map(len, leaves), default=0) - 1, -1, -1):
            for start in {word[:length] for word in rows if len(word) > length}:
                children = [rows[start + bit] for bit in "01" if start + bit in rows]
                rows[start] = sum(children) / len(children)
        branches = [word for word in sorted(rows) if word]
        for i, (edge, bit) in enumerate(zip(self.edges, self.bits, strict=True)):
            edge.set_visible(i < len(branches))
            bit.set_visible(i < len(branches))
            if i < len(branches):
                word = branches[i]
                x, y, parent_y = len(word) - 1, rows[word], rows[word[:-1]]
                edge.set_data([x, x, x + 1], [parent_y, y, y])
                write(bit, text=word[-1], position=(x + 0.5, y))


def describe(code: Code) -> str:
    """The sentence under the panel: symbols, merges, bits per symbol, and the entropy."""
    symbols = len(code.symbols)
    left_out = ""
    if symbols < code.letters:
        shown = f"{sum(code.counts)} of {code.characters} characters"
        left_out = f"Of the text only the {symbols} most frequent of {code.letters} letters, {shown}: "
    return (
        f"{left_out}{plural(symbols, 'symbol')} in {plural(symbols - 1, 'merge')}: {code.mean:.3f} bits each on "
        f"average, from {min(code.lengths)} to {max(code.lengths)}; with a fixed length {code.fixed}; the entropy is "
        f"{code.entropy:.3f} bits, a lower bound."
    )
