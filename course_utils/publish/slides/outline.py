"""A lesson cut into slides: for its title, each piece of its text, each prediction, each panel and each picture."""

import re
from dataclasses import dataclass, field
from typing import Any

from course_utils.publish.pages.capture import Cell, Lesson, PanelOutput

__all__ = ["Slide", "outline"]

LINES = 12.0  # of text on a slide that is read from the back row
MOST_LINES = 15.0  # below a title, which are set smaller; with code; of a table that would be cut otherwise
WIDTH = 74  # letters of a line
TABLE_WIDTH = 100  # the same in a table, which is set smaller
DROPPED = re.compile(r"\*\*How to work|<!--|(?:← )?\[.*→\s*$|← \[", re.S)  # among them links to other notebooks
# A smaller heading, a colon at the end, or a sentence of a paragraph (no list) that goes on.
ANNOUNCES = re.compile(r"\A###|:\s*\Z|\A(?![-*] |\d+\. )[\w*\[(].*[\w*]\s*\Z", re.S)
LINK = re.compile(r"\]\([^)]*\)")  # where a link leads, which is not shown
SHORT = 4.5  # lines that share a slide with the question after them


@dataclass
class Slide:
    """`parts`: Markdown blocks, cells of code, panels and pictures, from top to bottom; `hint`: for the speaker."""

    kind: str  # "title", "text", "predict", "panel", "code", "picture"
    section: str
    parts: list[str | Cell | PanelOutput | dict[str, Any]] = field(default_factory=list)
    hint: str = ""

    @property
    def lines(self) -> float:
        """About how many lines it fills."""
        return sum(height(part) for part in self.parts)


def outline(lesson: Lesson) -> list[Slide]:
    """The slides of a lesson, in its order."""
    slides: list[Slide] = []
    section = ""
    for cell in lesson.cells:
        if cell.kind == "markdown":
            for block in blocks(cell.source):
                if heading := re.match(r"#{1,2} (.*)", block):
                    section = heading[1]
                    slides.append(Slide("title" if block.startswith("# ") else "text", section))
                else:
                    _add(slides, section, block)
        elif cell.kind == "code":
            _add_code(slides, section, cell)
    return [slide for slide in slides if slide.parts or slide.kind == "title"]


def _add(slides: list[Slide], section: str, block: str) -> None:
    """Put a block of text where it belongs: onto the last slide, a new one, or behind the last panel as its hint."""
    last = slides[-1] if slides else Slide("text", section)
    if DROPPED.match(block):
        return
    if last.kind == "panel" and block.startswith("<details"):
        last.hint += f"\n\n{block}"
    elif block.startswith("**Predict.**"):
        if last.kind == "text" and 0 < last.lines <= SHORT:
            last.kind = "predict"
            last.parts.append(block)
        else:
            slides.append(Slide("predict", section, [block]))
    elif last.kind in ("title", "text") and _fits(last, block):
        last.parts.append(block)
    else:
        carried = [last.parts.pop()] if last.kind == "text" and len(last.parts) > 1 and _leads(last, block) else []
        slides.append(Slide("text", section, [*carried, block]))


def _fits(slide: Slide, block: str) -> bool:
    if len(slide.parts) == 1 and _leads(slide, block):
        return True  # a line that announces a large table is not left alone
    room = MOST_LINES if slide.kind == "title" else LINES
    return not slide.parts or (slide.lines + height(block) <= room and not block.startswith(("### ", "**Recall.**")))


def _leads(slide: Slide, block: str) -> bool:
    """Whether the last block only announces the next one, and must not stand alone at the end of a slide."""
    last = slide.parts[-1]
    announces = isinstance(last, str) and ANNOUNCES.search(last) is not None
    return announces and (height(last) < LINES / 3 or height(last) + height(block) <= LINES)


def _add_code(slides: list[Slide], section: str, cell: Cell) -> None:
    """The code of a cell where it is there to be read or has printed something; then what else it shows, in order."""
    panels = [output for output in cell.outputs if isinstance(output, PanelOutput)]
    printed = [o for o in cell.outputs if not (isinstance(o, PanelOutput) or "image/png" in o or "text/markdown" in o)]
    if printed or any(panel.editable for panel in panels):
        code = Cell("code", cell.source, list(printed))
        last = slides[-1] if slides else None
        if last and last.kind == "text" and last.lines + height(code) <= MOST_LINES:
            last.parts.append(code)
            last.kind = "code"
        else:
            slides.append(Slide("code", section, [code]))
    before = len(slides)
    for output in cell.outputs:
        if isinstance(output, PanelOutput):
            slides.append(Slide("panel", section, [output]))
        elif "image/png" in output:
            slides.append(Slide("picture", section, [output]))
        elif "text/markdown" in output:
            text = output["text/markdown"]
            if "\n\n" not in text and len(slides) > before:  # a paragraph alone goes below what the cell has shown
                slides[-1].parts.append(text)
            else:
                slides.append(Slide("code", section, [text]))


def blocks(markdown: str) -> list[str]:
    """The blocks of a text: separated by empty lines, but not within code or what is folded.

    >>> blocks("a\\n\\n<details>\\nb\\n\\nc\\n</details>\\n\\n## d")
    ['a', '<details>\\nb\\n\\nc\\n</details>', '## d']
    """
    groups: list[list[str]] = [[]]
    fenced = folded = False
    for line in markdown.splitlines():
        if not (fenced or folded) and (not line.strip() or line.startswith("#")):
            groups.append([line] if line.strip() else [])
            if line.strip():
                groups.append([])
            continue
        fenced ^= line.startswith("```")
        folded = (folded or line.startswith("<details")) and "</details>" not in line
        groups[-1].append(line)
    return [piece for lines in groups if lines for piece in pieces(lines)]


def pieces(block: list[str]) -> list[str]:
    """The lines of a block as one text; a table that is too long for a slide as several, each with its head."""
    head, rows = block[:2], block[2:]
    if not block[0].startswith("|") or height("\n".join(block)) <= MOST_LINES:
        return ["\n".join(block)]
    tables = [list(head)]
    for row in rows:
        if len(tables[-1]) > len(head) and height("\n".join([*tables[-1], row])) > LINES:
            tables.append(list(head))
        tables[-1].append(row)
    return ["\n".join(lines) for lines in tables]


def height(block: str | Cell | PanelOutput | dict[str, Any]) -> float:
    """About how many lines a block of text, or code with what it printed, fills on a slide."""
    if isinstance(block, PanelOutput | dict):
        return LINES
    if isinstance(block, Cell):
        shown = [str(o.get("stream", o.get("text/plain", ""))) for o in block.outputs if isinstance(o, dict)]
        return 2 + 0.8 * sum(len(text.splitlines()) for text in [block.source, *shown])
    if block.startswith("$$"):
        return 2.6
    if block.startswith("<details"):
        return 1.4
    if block.startswith("```"):
        return 0.9 * len(block.splitlines())
    per_line, width = (1.25, TABLE_WIDTH) if block.startswith("|") else (1.0, WIDTH)
    return 0.6 + per_line * sum(1 + len(LINK.sub("]", line)) // width for line in block.splitlines())
