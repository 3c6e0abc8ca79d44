"""A lesson as slides for class, in one HTML file: its panels work, and the arrow keys turn the slides."""

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from course_utils._support.html import Link, code_html, markdown_html, plain
from course_utils.publish.pages.capture import Cell, Lesson, PanelOutput
from course_utils.publish.pages.page import live_document, output_html, title_of
from course_utils.publish.pages.store import Live
from course_utils.publish.slides.outline import Slide, outline

__all__ = ["deck"]

STATIC = Path(__file__).parent / "static"
KEYS = "→ next · ← back · H what to see · F full screen · Esc from a slider back to the slides"


def deck(lesson: Lesson, lives: Sequence[Live], *, link: Link) -> str:
    """All slides of a lesson as one document."""
    slides = outline(lesson)
    waiting = iter(lives)
    pages = [slide_html(slide, i, len(slides), waiting, link) for i, slide in enumerate(slides, 1)]
    title = title_of(lesson)
    body = (
        f'<main class="deck" aria-label="{html.escape(title, quote=True)}, slides">\n{chr(10).join(pages)}\n</main>\n'
        '<nav class="turn" aria-label="Slides"><button type="button" id="back" aria-label="Slide before">←</button>'
        f'<span id="number" aria-live="polite">1 / {len(slides)}</span>'
        f'<button type="button" id="next" aria-label="Next slide">→</button><span class="keys">{KEYS}</span></nav>'
        '<div class="done" aria-hidden="true"></div>'
    )
    styles, scripts = [STATIC / "slides.css"], [STATIC / "slides.js"]
    return live_document(f"{title} · slides", body, styles=styles, lives=lives, scripts=scripts)


def slide_html(slide: Slide, number: int, count: int, lives: Iterator[Live], link: Link) -> str:
    """One slide as HTML."""
    parts = "\n".join(part_html(part, lives, link) for part in slide.parts)
    section = markdown_html(slide.section, link=link).strip().removeprefix("<p>").removesuffix("</p>")
    heading = f"<h1>{section}</h1>" if slide.kind == "title" else f'<h2 class="section">{section}</h2>'
    hint = f'<aside class="hint">{markdown_html(slide.hint, link=link)}</aside>' if slide.hint else ""
    name = html.escape(f"{number} of {count}: {plain(section)}", quote=True)
    return (
        f'<section class="slide {slide.kind}" id="slide-{number}" aria-roledescription="slide" aria-label="{name}" '
        f'tabindex="-1">\n{heading}\n<div class="body">{parts}</div>{hint}\n</section>'
    )


def part_html(part: str | Cell | PanelOutput | dict[str, Any], lives: Iterator[Live], link: Link) -> str:
    """A block of text, a cell of code with what it printed, a picture, or a panel."""
    if isinstance(part, str):
        return markdown_html(part, link=link)
    if isinstance(part, Cell):
        return code_html(part.source) + "\n".join(output_html(output, lives, link) for output in part.outputs)
    if isinstance(part, dict):
        return output_html(part, lives, link)
    live = next(lives)
    return f'{live.box}<p class="held" id="{live.id}-note">{live.coverage}</p>'
