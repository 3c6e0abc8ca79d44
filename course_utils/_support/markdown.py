"""Tables of Markdown."""

import re
from collections.abc import Sequence
from typing import Literal

from tabulate import tabulate

__all__ = ["table"]

Align = Literal["left", "right", "center"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, align: Sequence[Align] | None = None) -> str:
    r"""A table of Markdown with columns of equal width, so that it can be read in a terminal as well.

    `head` names the columns; a row has a cell for each of them. `align`: for each column "left", "right" or "center";
    by default all are left. A `|` within a cell is escaped, and a line break is a space, since either would end the
    cell. Raises: ValueError for a row, or an alignment, with another number of cells than the head.

    >>> print(table(["layer", "bytes"], [["a|b", "12"]], align=["left", "right"]))
    | layer   |   bytes |
    |:--------|--------:|
    | a\|b    |      12 |
    """
    for cells in (*rows, align or head):
        if len(cells) != len(head):
            raise ValueError(f"a table of {len(head)} columns needs as many cells in each row, got {list(cells)}")
    head, *rows = ([_cell(text) for text in cells] for cells in (head, *rows))
    alignment = align or ["left"] * len(head)
    # Numbers stay as they are printed; without a row tabulate would ignore the alignment.
    text = tabulate(rows or [[""] * len(head)], head, "pipe", disable_numparse=True, colalign=alignment)
    return text if rows else "\n".join(text.splitlines()[:2])


def _cell(text: str) -> str:
    """A text that ends no cell; one that is escaped already stays."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(line.strip() for line in text.splitlines()))
