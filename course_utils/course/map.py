"""The pages that lead through the course, written from the syllabus and the glossary.

These are the table of the course map, the tables of the README, the line at the top and at the bottom of each notebook,
and the glossary. Whatever else is in these files stays as it is, outputs included.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from course_utils._support.files import written_atomically
from course_utils._support.markdown import table
from course_utils.course.glossary_page import symbols_table, words_table
from course_utils.course.syllabus import Page, pages
from course_utils.tables.measured import measured

__all__ = ["MAP", "stale", "write"]

MAP = "00_course_map.ipynb"
GLOSSARY = "glossary.ipynb"
LINE = re.compile(rf"^.*\({MAP}\).*\({GLOSSARY}\).*$", re.M)  # the navigation line: it alone has both links
README_TABLE = re.compile(r"(?<=<!-- map -->\n).*?(?=<!-- end of map -->)", re.S)
README_FILES = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- end of measured -->)", re.S)

Notebook = dict[str, Any]


def write(root: Path) -> list[Path]:
    """Bring all pages below `root` (it holds README.md and notebooks/) up to date; returns those that were changed."""
    changed = list(stale(root))
    for path, content in changed:
        with written_atomically(path) as file:
            file.write(content.encode())
    return [path for path, _ in changed]


def stale(root: Path) -> Iterator[tuple[Path, str]]:
    """Each file that is not up to date, with the text that it should have."""
    for path, content in _files_up_to_date(root):
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            yield path, content


def _files_up_to_date(root: Path) -> Iterator[tuple[Path, str]]:
    folder = root / "notebooks"
    course = pages(folder)
    readme = (root / "README.md").read_text(encoding="utf-8")
    readme = README_TABLE.sub(lambda _: f"\n{readme_table(course)}\n\n", readme)
    yield root / "README.md", README_FILES.sub(lambda _: f"\n{readme_files()}\n\n", readme)
    parts = {"map-table": map_table(course), "map-goals": map_goals(course)}
    parts |= {"glossary-words": words_table(course), "glossary-symbols": symbols_table()}
    for name in (MAP, GLOSSARY):
        yield folder / name, edited(folder / name, partial(fill, parts=parts))
    for i, page in enumerate(course):
        if page.path is not None:
            line = navigation(course, i)
            yield page.path, edited(page.path, partial(with_navigation, line=line))


def edited(path: Path, edit: Callable[[Notebook], None]) -> str:
    """The text of a notebook once `edit` has changed it, in the form in which `course tidy` writes it."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    edit(notebook)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def lines(text: str) -> list[str]:
    """A cell's source, as notebooks keep it: a list of lines with their ends."""
    return text.splitlines(keepends=True)


def fill(notebook: Notebook, parts: dict[str, str]) -> None:
    """Give the cells whose ids are in `parts` the texts that stand there."""
    for cell in notebook["cells"]:
        if cell.get("id") in parts:
            cell["source"] = lines(parts[cell["id"]])


# The line that leads from notebook to notebook


def link(page: Page) -> str:
    """The section's title with its number, as a link where there is a notebook."""
    text = f"{page.section.number} {page.section.title}"
    return f"[{text}]({page.path.name})" if page.path else text


def navigation(course: Sequence[Page], i: int) -> str:
    """The way from the i-th section: back, to the map, to the glossary, to its exercise, and on."""
    before = next((page for page in reversed(course[:i]) if page.path), None)
    after = next((page for page in course[i + 1 :] if page.path), None)
    parts = [f"← {link(before)}"] if before else []
    parts += [f"[Course map]({MAP})", f"[Glossary]({GLOSSARY})"]
    parts += [exercise_link(course[i])]
    parts += [f"{link(after)} →"] if after else []
    return " · ".join(part for part in parts if part)


def exercise_link(page: Page, folder: str = "") -> str:
    """A link to the exercise of a section; empty where it has none. `folder`: the way to the notebooks."""
    if page.exercise is None or page.path is None:
        return ""
    return f"[Exercise {page.section.number}]({folder}{page.exercise.relative_to(page.path.parent).as_posix()})"


def with_navigation(notebook: Notebook, line: str) -> None:
    """Put the line below the title of a notebook, and into a cell of its own at the end."""
    first = notebook["cells"][0]
    text = "".join(first["source"])
    if LINE.search(text):
        text = LINE.sub(lambda _: line, text)
    else:
        head, goals, rest = text.partition("\n\n**Goals.**")
        text = f"{head}\n\n{line}{goals}{rest}"
    first["source"] = lines(text)
    notebook["cells"] = [cell for cell in notebook["cells"] if cell.get("id") != "navigation"]
    notebook["cells"].append({"cell_type": "markdown", "id": "navigation", "metadata": {}, "source": [line]})


# The maps


def map_table(course: Sequence[Page]) -> str:
    """The table of the course map: what, how long, what for, where in the lecture."""
    head = ["section", "minutes", "after it you can", "in the lecture", "exercise"]
    rows = [
        [link(page), shown_minutes(page), page.section.ability, page.section.lecture, exercise_link(page)]
        for page in course
    ]
    total = sum(page.minutes or 0 for page in course)
    return (
        f"{table(*without_empty_last_column(head, rows))}\n\n"
        f"Together about {total / 60:.0f} hours. Words and symbols: [Glossary]({GLOSSARY})."
    )


def shown_minutes(page: Page) -> str:
    return str(page.minutes or "planned")


def without_empty_last_column(head: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """A table without its last column where that is empty: a course without exercises names none."""
    if any(row[-1] for row in rows):
        return head, rows
    return head[:-1], [row[:-1] for row in rows]


def map_goals(course: Sequence[Page]) -> str:
    """The goals of each notebook, folded away."""
    parts = ["**What you will be able to do**, notebook by notebook:"]
    for page in course:
        if page.goals:
            goals = "\n".join(f"- {goal}" for goal in page.goals)
            title = f"{page.section.number} {page.section.title}"
            parts.append(f"<details><summary>{title}</summary>\n\n{goals}\n</details>")
    return "\n\n".join(parts)


def readme_table(course: Sequence[Page]) -> str:
    """The table of the README."""
    head = ["", "section", "minutes", "after it you can", "exercise"]
    rows = []
    for page in course:
        section = page.section
        title = f"[{section.title}](notebooks/{page.path.name})" if page.path else section.title
        exercise = exercise_link(page, "notebooks/")
        rows.append([section.number, title, shown_minutes(page), section.ability, exercise])
    return table(*without_empty_last_column(head, rows))


def readme_files() -> str:
    """How small the files get, as measured: bytes and errors, and what each step of the best recipe buys."""
    shown = measured("deep-compression", "files", "ablation")
    parts = [part.table() for part in shown.parts]
    return "\n\n".join([parts[0], "What each step of the best recipe buys, LeNet-300-100:", parts[1]])
