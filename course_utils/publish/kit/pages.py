"""The kit as Markdown: the map of the lecture, minutes and plans, and misconceptions and questions of each section.

The page for the browser is made from the same Markdown, block by block, so that both say the same.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from course_utils._support.markdown import table
from course_utils._support.words import plural
from course_utils.course.syllabus import Page
from course_utils.publish.kit import lecture
from course_utils.publish.kit.lecture import Place
from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Step, lesson_of
from course_utils.publish.kit.minutes import (
    BREAK,
    MISCONCEPTION,
    OPENING,
    QUESTION,
    Chapter,
    Plan,
    chapters,
    double,
    plan,
)
from course_utils.publish.kit.stage import panel_cell
from course_utils.publish.kit.timing import Times
from course_utils.tables import table as measured_table
from course_utils.tables import tables

__all__ = ["Block", "Kit", "blocks"]

SLOW = 5.0  # seconds: a cell that takes longer is run before class
TITLE = "Teaching kit: compressing deep neural networks"


@dataclass(frozen=True)
class Block:
    """A piece of the page: Markdown, and the name of the box in which a browser shows it."""

    text: str
    box: str = ""


@dataclass(frozen=True)
class Kit:
    """What the kit is made from. `out`: the folder it is written to; `pages`: the folder of exported pages, if any."""

    root: Path
    out: Path
    course: Sequence[Page]
    times: Times
    pages: Path

    def cell(self, page: Page, cell: str, text: str) -> str:
        """A link to a cell of a notebook, as JupyterLab understands it."""
        assert page.path is not None
        return f"[{text}]({relative(page.path, self.out)}#cell-id={cell})"

    def exported(self, page: Page, cell: str = "") -> str:
        """A link to the exported page, at one of its cells; empty where there is no page."""
        assert page.path is not None
        file = self.pages / f"{page.path.stem}.html"
        if not file.is_file():
            return ""
        return f"[page]({relative(file, self.out)}{f'#cell-{cell}' if cell else ''})"


def relative(target: Path, folder: Path) -> str:
    """The path from a folder to a file, as a link writes it."""
    return Path(os.path.relpath(target, folder)).as_posix()


def blocks(kit: Kit) -> Iterator[Block]:
    """All blocks of the kit, in their order."""
    yield Block(f"# {TITLE}")
    yield Block(opening(kit), "lead")
    yield from map_of_the_lecture(kit)
    yield from minutes(kit)
    for page in kit.course:
        yield from section(kit, page, lesson_of(page.section.number))
    yield from measured(kit)


def opening(kit: Kit) -> str:
    """What this is, and what the links need."""
    pages = "Links called *page* lead to the exported pages, which need no kernel."
    if not any(kit.exported(page) for page in kit.course):
        pages = "For links to pages that need no kernel run `course export`, and then `course kit` again."
    return (
        "For lecturers: where the notebooks treat the numbered equations, figures and tables of the lecture, how long "
        "each section takes, common misconceptions with the panel that corrects them, and questions for class. "
        "Each “you see” is tested: a program moves the same controls of the same panel and reads what it says. Numbers "
        "that come out of a training may differ a little on your machine.\n\n"
        "Links to notebooks need a running `course lab`. In JupyterLab itself, open `kit.md` of this folder by *Open "
        f"With › Markdown Preview*: there they lead to the cell itself. {pages}"
    )


# The map of the lecture


def map_of_the_lecture(kit: Kit) -> Iterator[Block]:
    """From the lecture's numbers to the cells."""
    yield Block("## Map of the lecture")
    yield Block("### Equations")
    rows = [
        [f"({n})", f"${formula(where.text)}$", *cells(kit, where)] for n, where in lecture.equations(kit.course).items()
    ]
    yield Block(table(["no.", "equation", *PLACE], rows), "map")
    yield Block("### Figures and algorithms")
    rows = [[f"figure {n}", *cells(kit, where)] for n, where in sorted(lecture.figures(kit.course).items())]
    rows += [[name, *cells(kit, where)] for name, where in lecture.algorithms(kit.course).items()]
    yield Block(table(["no.", *PLACE], rows), "map")
    yield Block("### Tables")
    rows = [[name, *cells(kit, where)] for name, where in lecture.tables(kit.course).items()]
    yield Block(table(["table", *PLACE], rows), "map")
    if lacking := lecture.missing(kit.course):
        yield Block(f"**In no notebook:** {', '.join(lacking)}.")
    yield Block("### Errata of the lecture")
    yield Block("The notebooks correct these where they occur; mention them before a student does.")
    yield Block("\n".join(f"- {where.text} ({cells(kit, where)[0]})" for where in lecture.slips(kit.course)))


PLACE = ("section", "cell", "panel")


def cells(kit: Kit, where: Place) -> list[str]:
    """A place in three columns: its section with the exported page, its cell, and the panel next to it."""
    page = where.page
    name = page.section.number + (f".{where.number}" if where.number else "")
    title = re.sub(r"^\d+ · | \(\d+ minutes\)$", "", where.heading)
    exported = kit.exported(page, where.cell)
    panel = kit.cell(page, where.panel, "panel") if where.panel else "–"
    return [f"{name} {title}" + (f" ({exported})" if exported else ""), kit.cell(page, where.cell, where.cell), panel]


def formula(latex: str) -> str:
    """A formula for a cell of a table, where a bar would end the cell."""
    return latex.replace(r"\|", r"\Vert ").replace("|", r"\vert ").replace("\n", " ").strip()


# Minutes


def minutes(kit: Kit) -> Iterator[Block]:
    """How long each notebook takes, and how the lectures below are planned."""
    times = kit.times
    yield Block("## Minutes")
    yield Block(
        "*Minutes* are those that the notebook states for a student who works alone; they are an estimate, and a class "
        "that discusses takes longer. *Seconds* are the processor time of the cells on one core, which is how long an "
        f"idle machine takes: measured by `course kit --time` on {times.date} ({times.machine}; {times.versions}; "
        f"commit {times.commit}; {f'with {times.data} available' if times.data else 'with the package’s own data'}). "
        f"Cells of {SLOW:.0f} seconds or more are better run before class. Each change of a panel that trains live "
        "takes some seconds more."
    )
    rows = []
    for page in kit.course:
        sections = chapters(page)
        seconds = sum(seconds_of(page, times))
        slow = [f"{kit.cell(page, cell, cell)} {spent:.0f} s" for cell, spent in slowest(page, times)]
        title = f"{page.section.number} {page.section.title}"
        exported = kit.exported(page)
        rows.append(
            [
                title + (f" ({exported})" if exported else ""),
                str(page.minutes),
                " + ".join(str(chapter.minutes) for chapter in sections),
                f"{seconds:.0f}",
                ", ".join(slow) or "–",
            ]
        )
    rows.append(["total", str(sum(page.minutes or 0 for page in kit.course)), "", f"{total(kit):.0f}", ""])
    yield Block(table(["notebook", "minutes", "section by section", "seconds", "run before class"], rows), "minutes")
    if unmeasured := [cell for page in kit.course for cell in code_cells(page) if cell not in times.cells]:
        yield Block(f"Not measured, because they are newer than the measurement: {', '.join(unmeasured)}.")
    yield Block(
        f"**How the plans below are made.** A lecture of 45 minutes has {OPENING} to arrive and to recall the last "
        "one; sections are left out in the order given until the others fit. A double lecture of 90 has the same "
        f"{OPENING}, a break of {BREAK}, all sections, and then questions for class ({QUESTION} minutes each) and "
        f"misconceptions ({MISCONCEPTION} minutes each), as many as fit. These two lengths are rules of thumb; they "
        "have not been measured."
    )


def code_cells(page: Page) -> list[str]:
    return [cell["id"] for cell in page.cells if cell["cell_type"] == "code"]


def seconds_of(page: Page, times: Times) -> list[float]:
    return [times.cells.get(cell, 0.0) for cell in code_cells(page)]


def slowest(page: Page, times: Times) -> list[tuple[str, float]]:
    """The cells of a notebook for which a class would have to wait."""
    return [(cell, times.cells[cell]) for cell in code_cells(page) if times.cells.get(cell, 0.0) >= SLOW]


def total(kit: Kit) -> float:
    return sum(sum(seconds_of(page, kit.times)) for page in kit.course)


# A section


def section(kit: Kit, page: Page, lesson: Lesson) -> Iterator[Block]:
    """The plan, the misconceptions and the questions of one notebook."""
    yield Block(f"## {page.section.number} · {page.section.title}")
    links = [kit.cell(page, page.cells[0]["id"], "notebook"), kit.exported(page)]
    yield Block(f"Afterwards your students can {page.section.ability}. {' · '.join(link for link in links if link)}")
    yield Block("### Plan")
    yield Block(chapter_table(kit, page, lesson), "minutes")
    yield Block(plans(page, lesson), "plan")
    yield Block("### Misconceptions")
    for number, misconception in enumerate(lesson.misconceptions, 1):
        yield Block(belief(kit, page, lesson, misconception, number), "belief")
    yield Block("### Questions for class")
    for number, question in enumerate(lesson.questions, 1):
        yield Block(asked(kit, page, lesson, question, number), "question")


def chapter_table(kit: Kit, page: Page, lesson: Lesson) -> str:
    """The sections of a notebook: minutes, seconds, and which are left out first."""
    order = {skip.section: n for n, skip in enumerate(lesson.skip, 1)}
    rows = [
        [
            f"{chapter.number} {chapter.title}",
            str(chapter.minutes),
            f"{chapter.seconds(kit.times.cells):.1f}",
            ORDINALS[order[chapter.number]] if chapter.number in order else "",
        ]
        for chapter in chapters(page)
    ]
    return table(["section", "minutes", "seconds", "leave out"], rows)


ORDINALS = ("", "first", "second", "third", "fourth", "fifth")


def plans(page: Page, lesson: Lesson) -> str:
    """A single and a double lecture."""
    sections = chapters(page)
    single = plan(sections, lesson.skip, 45)
    lines = [f"- **45 minutes:** {numbers(single.shown)}{spare(single)}."]
    titles = {chapter.number: chapter.title for chapter in sections}
    lines += [f"    - without section {skip.section}, *{titles[skip.section]}*: {skip.why}" for skip in single.left_out]
    long = double(sections, len(lesson.misconceptions), len(lesson.questions))
    lines.append(f"- **90 minutes:** {numbers(long.shown)}, {' and '.join(long.extras)}{spare(long)}.")
    later = [skip for skip in lesson.skip if skip not in single.left_out]
    if later:
        lines.append("- **If time runs out**, leave out next:")
        lines += [f"    - section {skip.section}, *{titles[skip.section]}*: {skip.why}" for skip in later]
    return "\n".join(lines)


def numbers(shown: Sequence[Chapter]) -> str:
    """Sections by their numbers.

    >>> numbers([Chapter(1, "A", 5), Chapter(2, "B", 5), Chapter(4, "D", 5)])
    'sections 1, 2 and 4'
    """
    names = [str(chapter.number) for chapter in shown]
    if names == [str(n) for n in range(1, len(names) + 1)] and len(names) > 2:
        return f"sections 1 to {names[-1]}"
    return f"sections {', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else f"section {names[0]}"


def spare(lecture_plan: Plan) -> str:
    return f", {plural(lecture_plan.spare, 'minute')} to spare" if lecture_plan.spare else ""


def belief(kit: Kit, page: Page, lesson: Lesson, entry: Misconception, number: int) -> str:
    """A misconception with the panel that corrects it."""
    return f"#### {number}. “{entry.claim}”\n\n{entry.truth}\n\n{moves(kit, page, lesson, entry)}"


def asked(kit: Kit, page: Page, lesson: Lesson, entry: Question, number: int) -> str:
    """A question with its answer and the panel that gives it."""
    return f"#### {number}. {entry.ask}\n\n*Answer.* {entry.answer}\n\n{moves(kit, page, lesson, entry)}"


def moves(kit: Kit, page: Page, lesson: Lesson, entry: Misconception | Question) -> str:
    """The panel, and what to do with it."""
    at = panel_cell(page.cells, entry.panel)
    where = lecture.place(page, at)
    panel = kit.cell(page, page.cells[at]["id"], lesson.titles[entry.panel])
    exported = kit.exported(page, page.cells[at]["id"])
    head = (
        f"**Panel** {panel}"
        + (f" ({exported})" if exported else "")
        + (f", section {where.number}" if where.number else "")
    )
    return "\n".join([f"{head}:\n", *(f"{n}. {move(step)}" for n, step in enumerate(entry.steps, 1))])


def move(step: Step) -> str:
    """A step in words.

    >>> move(Step({"Bits b": "2", "Train": "press"}, "four levels.", lambda panel: True))
    '*Bits b*: **2**, *Train*: **press** → you see four levels.'
    """
    settings = ", ".join(f"*{plain(label)}*: **{plain(text)}**" for label, text in step.settings.items())
    return f"{settings or 'As it opens'} → you see {step.observation}"


def plain(text: str) -> str:
    """A label in Markdown that reads as it does on the screen."""
    return re.sub(r"([*_|\\])", r"\\\1", text)


# The lecture's tables, measured again


def measured(kit: Kit) -> Iterator[Block]:
    """Where the measured tables are, and the commands that measure them."""
    yield Block("## The lecture's tables, measured again")
    overview = kit.root / "notebooks" / "tables" / "README.md"
    if overview.is_file():
        link = f"[{overview.name}]({relative(overview, kit.out)})"
        yield Block(f"The overview of the measured tables: {link}. Each of its numbers leads to its record.")
    else:
        yield Block("There is no overview of measured tables in this copy of the course (`notebooks/tables/`).")
    modules = {name: measured_table(name) for name in tables()}
    rows = [[module.SECTION, module.TITLE, f"`course table {name}`"] for name, module in modules.items()]
    yield Block(table(["notebook", "table", "command"], rows), "map")
