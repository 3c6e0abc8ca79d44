"""A notebook as one HTML page: text, formulas, code, what the cells show, and panels that live without a kernel."""

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course_utils._support.html import PAGE_STYLE, Link, code_html, document, linked, markdown_html
from course_utils._support.paths import PANEL_FILES
from course_utils.publish.pages.capture import Cell, Lesson, PanelOutput
from course_utils.publish.pages.store import Live

__all__ = ["live_document", "output_html", "page", "panel_script", "title_of"]

STATIC = Path(__file__).parent / "static"
EXPORTED = "\nexport default { render };"
FIRST = (
    '<p class="first">This page shows a notebook as it is after a run, so there is nothing to run here: where the text '
    "asks you to run a cell, its result stands below the cell already. To change code, "
    '<a href="#open">open the notebook itself</a>.</p>'
)
OPEN = (
    "<p>This is a picture book of the notebook: its sliders show what was computed beforehand. To compute every "
    "setting, change the code and train networks of your own, open the notebook itself: in the folder of the course, "
    "run</p>"
    '<pre class="code"><code>course lab notebooks/{name}.ipynb</code></pre>'
    "<p>The README of the course has the one line that installs it.</p>"
)


def page(lesson: Lesson, lives: Sequence[Live], *, link: Link, navigation: str = "") -> str:
    """The page of a lesson; `navigation`: links to the pages before and after it."""
    waiting = iter(lives)
    parts = [cell_html(cell, waiting, link) for cell in lesson.cells]
    body = "\n".join(parts)
    title = title_of(lesson)
    opening = OPEN.format(name=html.escape(lesson.name))
    main = (
        f'<a class="skip" href="#content">Skip to the text</a>\n<nav class="contents" aria-label="Contents">'
        f"<strong>{html.escape(title)}</strong>{contents(body)}{navigation}</nav>\n"
        f'<main id="content">\n{FIRST}\n{body}\n<section class="opening" id="open">'
        f"<h2>Open the notebook itself</h2>{opening}</section>\n</main>\n"
    )
    return live_document(title, main, styles=[PAGE_STYLE], lives=lives)


def live_document(
    title: str, body: str, *, styles: Sequence[Path], lives: Sequence[Live], scripts: Sequence[Path] = ()
) -> str:
    """A document with panels: their look, their front end and their pictures come with it."""
    components = [PANEL_FILES / "panel.css"] if lives else []
    code = ([panel_script()] if lives else []) + [path.read_text() for path in scripts]
    stored = "".join(live.stored for live in lives)
    return document(title, body, styles=styles, components=components, script="\n".join(code), stored=stored)


def panel_script() -> str:
    """The front end of the panels, and what stands in for their kernel, as one script.

    Raises: RuntimeError if `panel.js` does not end with its export.
    """
    front = (PANEL_FILES / "panel.js").read_text().rstrip()
    if not front.endswith(EXPORTED):
        raise RuntimeError(
            f"panel.js must end with {EXPORTED.strip()!r}, so that a page can take it without its export"
        )
    return front.removesuffix(EXPORTED) + "\n" + (STATIC / "replay.js").read_text()


def cell_html(cell: Cell, lives: Any, link: Link) -> str:
    """A cell with what it shows; its address within the page is made of its name in the notebook."""
    address = f' id="cell-{html.escape(cell.id)}"' if cell.id else ""
    if cell.kind == "markdown":
        return f'<section class="text"{address}>\n{markdown_html(cell.source, link=link)}</section>'
    if cell.kind != "code":
        return ""
    outputs = "\n".join(output_html(output, lives, link) for output in cell.outputs)
    return f'<section class="cell"{address}>\n{code_html(cell.source)}\n{outputs}\n</section>'


def output_html(output: PanelOutput | dict[str, Any], lives: Any, link: Link) -> str:
    """One thing that a cell shows."""
    if isinstance(output, PanelOutput):
        return live_html(next(lives))
    if "stream" in output:
        return f'<pre class="output">{html.escape(output["stream"].rstrip())}</pre>'
    if "image/png" in output:
        alt = html.escape(output["metadata"].get("image/png", {}).get("alt", ""), quote=True)
        content = output["image/png"]
        data = content if isinstance(content, str) else base64.b64encode(content).decode()
        return f'<img class="output" src="data:image/png;base64,{"".join(data.split())}" alt="{alt}">'
    if "text/html" in output:
        return f'<div class="output">{linked(output["text/html"], link)}</div>'
    if "text/markdown" in output:
        return f'<div class="output">{markdown_html(output["text/markdown"], link=link)}</div>'
    return f'<pre class="output">{html.escape(output.get("text/plain", ""))}</pre>'


def live_html(live: Live) -> str:
    """A panel, and below it which of its settings the page holds."""
    note = (
        " It is drawn with the function above as it stands; in the notebook you change that." if live.editable else ""
    )
    return (
        f'{live.box}<p class="held" id="{live.id}-note" style="max-width: {live.size[0] + 34}px">'
        f"{live.coverage}{note} "
        '<a href="#open">How to open the notebook</a></p>'
    )


def title_of(lesson: Lesson) -> str:
    """The first heading of a lesson."""
    for cell in lesson.cells:
        if cell.kind == "markdown" and (heading := re.search(r"^# (.+)$", cell.source, re.M)):
            return heading[1].strip()
    return lesson.name


def contents(body: str) -> str:
    """Links to the sections of a page."""
    headings = re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', body, re.S)
    lines = [f'<li><a href="#{name}">{heading}</a></li>' for name, heading in headings]
    return f"<ol>{''.join(lines)}<li><a href='#open'>Open the notebook itself</a></li></ol>"
