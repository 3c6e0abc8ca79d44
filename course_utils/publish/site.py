"""One notebook as files, a page and slides; and the front page that leads to all of them."""

import html
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from course_utils._support.files import written_atomically
from course_utils._support.html import PAGE_STYLE, Link, document
from course_utils._support.words import plural
from course_utils.publish.pages.capture import Lesson, capture
from course_utils.publish.pages.fit import fit
from course_utils.publish.pages.page import page, title_of
from course_utils.publish.pages.record import BUDGET, record
from course_utils.publish.pages.store import Live, live
from course_utils.publish.slides.deck import deck

__all__ = ["LIMIT", "Exported", "export_notebook", "front_page"]

LIMIT = 10_000_000  # bytes of a page
SCALE = 1.5  # pixels of a picture for each pixel of the page: sharp on a dense screen, and on a wall
FRAME = 500_000  # bytes of a page without its panels, at most
STILL = 60_000  # bytes of a panel without its recorded pictures: its words, and what is shown without scripts


class Exported(NamedTuple):
    """A notebook that has been written: its title, the files, and how long it took."""

    name: str
    title: str
    panels: int
    coverage: list[str]  # which settings of each panel the page holds
    files: dict[str, int]  # the bytes of each
    seconds: float


def export_notebook(
    path: Path,
    out: Path,
    *,
    names: Sequence[str] = (),
    slides: bool = False,
    limit: int = LIMIT,
    budget: int = BUDGET,
    scale: float = SCALE,
    progress: Callable[[int, int], None] = lambda done, more: None,
) -> Exported:
    """Write a notebook as ``NAME.html`` into the folder `out`, and with `slides` also ``NAME_slides.html``.

    `names`: all notebooks that are exported with it, in their order; links between them lead from page to page.
    `limit`: bytes of a file; `budget`: pictures of a panel; `scale`: their pixels for each pixel of the page.
    `progress`: is called with how many panels are done and how many more are known. The notebook runs in this process,
    which should do nothing else.

    Raises: RuntimeError where a cell fails; ValueError for a formula that cannot be read, and if a page is too large.
    """
    import torch

    torch.set_num_threads(1)  # sums in another order would be other numbers: the same page on any machine
    start = time.monotonic()
    lesson = capture(path)
    progress(0, len(lesson.panels))
    lives = panels_of(lesson, limit=limit, budget=budget, scale=scale, progress=progress)
    link, navigation = linker(names), neighbours(path.stem, names)
    pages = {f"{path.stem}.html": page(lesson, lives, link=link, navigation=navigation)}
    if slides:
        pages[f"{path.stem}_slides.html"] = deck(lesson, lives, link=link)
    files = {name: write(out / name, text, limit) for name, text in pages.items()}
    coverage = [f"{panel.title}: {panel.coverage}" for panel in lives]
    return Exported(path.stem, title_of(lesson), len(lives), coverage, files, time.monotonic() - start)


def panels_of(
    lesson: Lesson, *, limit: int, budget: int, scale: float, progress: Callable[[int, int], None]
) -> list[Live]:
    """All panels of a lesson as a page carries them, within its `limit` of bytes."""
    recordings = []
    for output in lesson.panels:
        recordings.append(record(output.panel, start=output.values, scale=scale, budget=budget))
        progress(1, 0)
    room = 3 * (limit - FRAME - STILL * len(recordings)) // 4  # three bytes are four letters in base 64
    fitted = fit(recordings, limit=room) if recordings else []
    pairs = zip(lesson.panels, fitted, strict=True)
    return [live(i, output, recording, packed) for i, (output, (recording, packed)) in enumerate(pairs)]


def write(path: Path, text: str, limit: int) -> int:
    """Write a page, and return its bytes."""
    content = text.encode()
    if len(content) > limit:
        raise ValueError(f"{path.name} would have {len(content):,} bytes; at most {limit:,} are allowed")
    with written_atomically(path) as file:
        file.write(content)
    return len(content)


def linker(names: Sequence[str]) -> Link:
    """Where a link of a notebook leads in its page: to another page, to the web, or nowhere.

    >>> link = linker(["05_b"])
    >>> link("05_b.ipynb"), link("06_c.ipynb"), link("#here"), link("https://arxiv.org/abs/1")
    ('05_b.html', None, '#here', 'https://arxiv.org/abs/1')
    """

    def link(target: str) -> str | None:
        if target.startswith(("https:", "http:", "mailto:", "#")):
            return target
        name, _, place = target.partition("#")
        if name.removesuffix(".ipynb") in names:
            return name.removesuffix(".ipynb") + ".html" + (f"#{place}" if place else "")
        return None

    return link


def neighbours(name: str, names: Sequence[str]) -> str:
    """Links to the pages before and after a page, and to the first."""
    if name not in names:
        return ""
    at = list(names).index(name)
    links = ['<a href="index.html">All pages</a>']
    if at > 0:
        links.insert(0, f'<a href="{names[at - 1]}.html" rel="prev">← {readable(names[at - 1])}</a>')
    if at + 1 < len(names):
        links.append(f'<a href="{names[at + 1]}.html" rel="next">{readable(names[at + 1])} →</a>')
    return f'<div class="around">{"".join(links)}</div>'


def readable(name: str) -> str:
    """The name of a notebook's file as a title.

    >>> readable("07_deep_compression")
    '07 · Deep compression'
    """
    number, _, words = name.replace("_", " ").partition(" ")
    return f"{number} · {words.capitalize()}" if number.isdigit() else html.escape(name)


def front_page(exported: Sequence[Exported]) -> str:
    """The page that leads to all others."""
    lines = []
    for notebook in exported:
        (file, size), *slides = notebook.files.items()
        links = [f'<a class="lesson" href="{file}">{html.escape(notebook.title)}</a>']
        links += [f'<a href="{name}">slides</a>' for name, _ in slides]
        count = f"{plural(notebook.panels, 'live panel')}, " if notebook.panels else ""
        links.append(f"<small>{count}{size / 1e6:.1f} MB</small>")
        lines.append(f"<li>{' '.join(links)}</li>")
    body = (
        '<main id="content" class="front"><h1>Compressing neural networks: a hands-on course</h1>'
        "<p>Each page is one file that needs no installation, no kernel and no network. Its sliders show what was "
        "computed beforehand; the notebooks compute everything, and let you write steps of your own.</p>"
        f"<ul>{''.join(lines)}</ul></main>"
    )
    return document("Compressing neural networks", body, styles=[PAGE_STYLE])
