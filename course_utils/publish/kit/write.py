"""The two files of the kit: `kit.md` for JupyterLab and `index.html` for a browser, from the same blocks."""

import html
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from course_utils._support.files import written_atomically
from course_utils._support.html import PAGE_STYLE, Link, document, markdown_html, plain
from course_utils.publish.kit.pages import TITLE, Block, Kit, blocks

__all__ = ["LAB", "browser_page", "write"]

STYLE = Path(__file__).parent / "static" / "kit.css"
LAB = "http://localhost:8888/lab/tree"  # where `course lab` serves the folder of the course


def write(kit: Kit, *, lab: str = LAB) -> list[Path]:
    """Write the kit into its folder, and return the files; all else in the folder stays.

    `lab`: the address of the folder of the course in a JupyterLab, to which links of the browser's page lead.
    """
    kit.out.mkdir(parents=True, exist_ok=True)
    parts = list(blocks(kit))
    texts = {
        "index.html": browser_page(parts, linker(kit, lab)),
        "kit.md": "\n\n".join(block.text for block in parts) + "\n",
    }
    for name, text in texts.items():
        with written_atomically(kit.out / name) as file:
            file.write(text.encode())
    return [kit.out / name for name in texts]


def linker(kit: Kit, lab: str) -> Link:
    """Where links lead in a browser: those to notebooks to a JupyterLab, all others where they lead in the text."""

    def link(target: str) -> str:
        file, _, cell = target.partition("#")
        if not file.endswith(".ipynb"):
            return target
        path = (kit.out / file).resolve().relative_to(kit.root.resolve()).as_posix()
        return f"{lab.rstrip('/')}/{path}" + (f"#{cell}" if cell else "")

    return link


def browser_page(parts: Sequence[Block], link: Link) -> str:
    """The kit as one file that loads nothing from outside."""
    body = "\n".join(boxes(parts, link))
    main = (
        '<a class="skip" href="#content">Skip to the text</a>\n'
        f'<nav class="contents" aria-label="Contents"><strong>{html.escape(TITLE)}</strong>{contents(body)}</nav>\n'
        f'<main id="content" class="kit">\n{body}\n</main>'
    )
    return document(TITLE, main, styles=[PAGE_STYLE, STYLE])


def boxes(parts: Sequence[Block], link: Link) -> Iterator[str]:
    """Each block in its box; boxes of one kind that follow each other stand side by side where there is room."""
    for box, group in groupby(parts, key=lambda block: block.box):
        pieces = [without_addresses(markdown_html(block.text, link=link)) for block in group]
        if box in ("belief", "question"):
            cards = "\n".join(f'<article class="card {box}">\n{piece}</article>' for piece in pieces)
            yield f'<div class="cards">\n{cards}\n</div>'
        else:
            yield "\n".join(f'<section class="text {box}">\n{piece}</section>' for piece in pieces)


def without_addresses(page: str) -> str:
    """HTML whose smaller headings have no address: the same ones stand in each section."""
    return re.sub(r'<h([34]) id="[^"]*">', r"<h\1>", page)


def contents(body: str) -> str:
    """Links to the sections of the page."""
    headings = re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', body, re.S)
    lines = [f'<li><a href="#{name}">{html.escape(plain(text))}</a></li>' for name, text in headings]
    return f"<ol>{''.join(lines)}</ol>"
