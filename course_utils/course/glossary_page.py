"""The tables of `notebooks/glossary.ipynb`: words with the sections that introduce them, symbols with their places."""

import re
from collections.abc import Sequence

from course_utils._support.markdown import table
from course_utils.course.glossary import NOTATION, TERMS, Term
from course_utils.course.syllabus import Page

__all__ = ["introduced_in", "symbols_table", "words_table"]


def words_table(course: Sequence[Page]) -> str:
    """All words in the order of the alphabet."""
    by_number = {page.section.number: page for page in course}
    terms = sorted(TERMS, key=lambda term: term.name.lower())
    rows = [[f"**{term.name}**", term.meaning, place(term, by_number[term.notebook])] for term in terms]
    return table(["word", "what it means", "introduced in"], rows)


def place(term: Term, page: Page) -> str:
    """A link to the notebook, with the number of the section in it."""
    text = f"[{page.section.number}]({page.path.name})" if page.path else page.section.number
    section = introduced_in(term, page)
    return f"{text}, section {section}" if section else text


def introduced_in(term: Term, page: Page) -> int | None:
    """The number of the first section that sets a term in bold or italics, or else of the first that uses it.

    None where the notebook does not use the term, 0 where it does so only before its first section.
    """
    section, used, emphasized = 0, set(), set()
    word = re.compile(rf"(\**)\b{re.escape(term.spelled or term.name)}", re.I)
    for cell in page.cells:
        if cell["cell_type"] == "markdown" and cell.get("id") != "navigation":
            for line in "".join(cell["source"]).splitlines():
                if heading := re.match(r"## (\d+) · ", line):
                    section = int(heading[1])
                stars = [match[1] for match in word.finditer(line)]
                used |= {section} if stars else set()
                emphasized |= {section} if any(stars) else set()
    return min(emphasized - {0} or used - {0}, default=0 if used else None)


def symbols_table() -> str:
    """All symbols, by the notebooks that use them."""
    head = ["symbol", "what it stands for", "shape or range", "equations", "notebooks"]
    rows = []
    for symbol in sorted(NOTATION, key=lambda symbol: symbol.notebooks[0]):
        equations = ", ".join(f"({n})" for n in symbol.equations)
        meaning, shape = with_indices(symbol.meaning), with_indices(symbol.shape)
        rows.append([f"${symbol.latex}$", meaning, shape, equations, ", ".join(symbol.notebooks)])
    return table(head, rows)


def with_indices(text: str) -> str:
    """A sentence with its indexed letters as formulas.

    >>> with_indices("the places d_1 to d_D")
    'the places $d_1$ to $d_D$'
    """
    return re.sub(r"\b([A-Za-z])_([A-Za-z0-9])\b", r"$\1_\2$", text)
