"""Tables of Markdown."""

from collections.abc import Sequence

from tabulate import tabulate

__all__ = ["table"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, align: Sequence[str] | None = None) -> str:
    """A table of Markdown: a head, rows of text, and "left", "right" or "center" for each column.

    >>> print(table(["a", "b"], [["1", "2"]]))
    | a   | b   |
    |:----|:----|
    | 1   | 2   |
    """
    return tabulate(rows, headers=head, tablefmt="pipe", colalign=align or ["left"] * len(head), disable_numparse=True)
