r"""Formulas of Markdown as MathML, which browsers draw themselves: a page needs no script and no fonts for them."""

import html
import re

from math_core import LatexError, LatexToMathML

__all__ = ["Formula", "mathml", "split_formulas"]

TAG = re.compile(r"\\tag\{([^}]*)\}")
# Code first, so that a dollar inside it is none. An inline formula touches its dollars and ends before no digit.
CODE = r"(?P<code>^```.*?^```[^\n]*$|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))"
FORMULA = re.compile(
    CODE + r"|\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?P<inline>[^\s$](?:[^$]*?[^\s$])?)\$(?!\d)",
    re.S | re.M,
)
MARK = "\ue000{}\ue001"  # from the private area of Unicode: no text has it

Formula = tuple[str, bool]  # LaTeX, and whether it stands on a line of its own


def split_formulas(markdown: str) -> tuple[str, list[Formula]]:
    """The text with a mark in the place of each formula, so that Markdown leaves it alone, and the formulas.

    >>> text, formulas = split_formulas("so $a_1$ and `$x` and $$b$$")
    >>> formulas
    [('a_1', False), ('b', True)]
    >>> text.replace("\ue000", "<").replace("\ue001", ">")
    'so <0> and `$x` and <1>'
    """
    formulas: list[Formula] = []

    def mark(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        formulas.append((match["block"] or match["inline"], match["block"] is not None))
        return MARK.format(len(formulas) - 1)

    return FORMULA.sub(mark, markdown), formulas


def join_formulas(page: str, formulas: list[Formula]) -> str:
    """HTML with each mark replaced by its formula; punctuation after it does not begin the next line."""

    def formula(match: re.Match[str]) -> str:
        converted, after = mathml(*formulas[int(match[1])]), match[2]
        return f'<span class="glued">{converted}{after}</span>' if after else converted

    return re.sub("\ue000(\\d+)\ue001([.,;:!?)]*)", formula, page)


def mathml(latex: str, block: bool) -> str:
    r"""A formula as HTML; an equation number, ``\tag``, stands at the end of its line.

    Raises: ValueError for LaTeX that cannot be read.

    >>> mathml("w^2", False).startswith("<math")
    True
    >>> '<span class="tag">(7)</span>' in mathml(r"|w| \tag{7}", True)
    True
    """
    tag = TAG.search(latex)
    try:
        formula = LatexToMathML().convert_with_local_state(TAG.sub("", latex).strip(), displaystyle=block)
    except LatexError as error:
        raise ValueError(f"the formula {latex!r} cannot be read: {error}") from error
    if not block:
        return formula
    number = f'<span class="tag">({html.escape(tag[1])})</span>' if tag else ""
    return f'<span class="formula" tabindex="0" role="group" aria-label="formula">{formula}{number}</span>'
