"""Markdown and code as HTML, and a complete HTML file around them."""

import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import mistune
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from course_utils._support.mathematics import join_formulas, split_formulas

__all__ = ["PAGE_STYLE", "code_html", "code_styles", "document", "linked", "markdown_html", "plain"]

STATIC = Path(__file__).parent / "static"
PAGE_STYLE = STATIC / "page.css"  # of a page that is read; slides and reports add their own

Link = Callable[[str], str | None]  # where a link of a notebook leads in the page; None for nowhere

ANCHOR = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.S)
HEADING = re.compile(r"<h([1-4])>(.*?)</h\1>", re.S)
TABLE = re.compile(r"<table>.*?</table>", re.S)
FORMATTER = HtmlFormatter(nowrap=True)


def markdown_html(source: str, *, link: Link = lambda target: target) -> str:
    """A cell of text as HTML: formulas as MathML, headings with an address, wide tables in a frame that scrolls."""
    text, formulas = split_formulas(re.sub(r"\n(?=</details>)", "\n\n", source))  # or it would end a list from within
    parse = mistune.create_markdown(escape=False, plugins=["table", "strikethrough"], renderer=Renderer(escape=False))
    page = str(parse(text))
    page = linked(page, link)
    page = HEADING.sub(lambda h: f'<h{h[1]} id="{slug(h[2])}">{h[2]}</h{h[1]}>', page)
    page = TABLE.sub(lambda table: f'<div class="wide" tabindex="0">{table[0]}</div>', page)
    return join_formulas(page, formulas)


def document(
    title: str,
    body: str,
    *,
    styles: Sequence[Path],
    components: Sequence[Path] = (),
    script: str = "",
    stored: str = "",
) -> str:
    """A complete HTML file that loads nothing from outside, and may not: a policy in its head forbids it.

    `styles`: the style sheets of the page; `components`: those of parts in it, whose rules the page may override.
    `script` runs when the page has been read; `stored` is HTML behind the body, for what the script reads.
    """
    colours = (STATIC / "colours.css").read_text()
    sheets = [
        *(path.read_text() for path in components),
        colours,
        code_styles(),
        *(path.read_text() for path in styles),
    ]
    policy = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    running = f'<script type="module">\n{script}\n</script>\n' if script else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{chr(10).join(sheets)}\n</style>\n</head>\n<body>\n{body}\n"
        f"{stored}{running}</body>\n</html>\n"
    )


class Renderer(mistune.HTMLRenderer):
    """mistune's renderer, with Python in colours."""

    def block_code(self, code: str, info: str | None = None) -> str:
        """A fenced block."""
        return code_html(code) if info == "python" else f"<pre><code>{html.escape(code)}</code></pre>"


def linked(page: str, link: Link) -> str:
    """HTML whose links lead where `link` says; those that lead nowhere are plain text.

    >>> linked('<a href="05_b.ipynb">b</a>', lambda target: None)
    '<span>b</span>'
    """
    return ANCHOR.sub(lambda anchor: _anchor(anchor, link), page)


def _anchor(anchor: re.Match[str], link: Link) -> str:
    target = link(html.unescape(anchor[1]))
    return f'<a href="{html.escape(target)}">{anchor[2]}</a>' if target else f"<span>{anchor[2]}</span>"


def slug(heading: str) -> str:
    """The address of a heading within its page.

    >>> slug("1 · Two penalties &amp; their shapes")
    '1-two-penalties-their-shapes'
    """
    return re.sub(r"[^\w]+", "-", plain(heading).lower()).strip("-_")


def plain(page: str) -> str:
    """HTML without its tags."""
    return html.unescape(re.sub(r"<[^>]*>", "", page))


DIRECTIVES = re.compile(r"^# NBVAL_\w+\n|  # (?:fmt|noqa|type): .*$", re.M)  # comments for tools


def code_html(source: str) -> str:
    """Python in colours, without comments for tools."""
    source = DIRECTIVES.sub("", source)
    return f'<pre class="code"><code>{highlight(source, PythonLexer(), FORMATTER).rstrip()}</code></pre>'


def code_styles() -> str:
    """The colours of code, light and dark; what lies behind it is the page's own."""
    light, dark = (
        "\n".join(rule for rule in HtmlFormatter(style=name).get_style_defs(".code").splitlines() if _is_colour(rule))
        for name in ("xcode", "github-dark")
    )
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"


def _is_colour(rule: str) -> bool:
    return bool(re.match(r"\.code \.\w", rule)) and ".hll" not in rule
