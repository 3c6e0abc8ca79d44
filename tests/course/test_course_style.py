"""One course and not ten notebooks: the same structure, words, numbers and sizes everywhere."""

import ast
import base64
import itertools
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from course_utils.course.glossary import NOTATION, TERMS
from course_utils.course.syllabus import SECTIONS, Page, pages

ROOT = Path(__file__).parents[2]
COURSE = [page for page in pages(ROOT / "notebooks") if page.path]
WIDTH = 960  # of every panel, in CSS pixels
WHAT_TO_SEE = "<details><summary><b>What to see</b></summary>\n\n"
SOLUTION = "<details><summary><b>One solution</b></summary>\n\n"
DATA_COMMENT = '# Or "mnist": a download of 12 MB, and a few times as long where networks are trained.\nDATA = "digits"'

each_page = pytest.mark.parametrize("page", COURSE, ids=lambda page: page.section.number)


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def prose(page: Page) -> str:
    """All that a notebook says outside of code, formulas and links' targets."""
    text = "\n".join(source(cell) for cell in page.cells if cell["cell_type"] == "markdown")
    text = re.sub(r"```.*?```|\$\$.*?\$\$", " ", text, flags=re.S)
    return re.sub(r"`[^`]*`|\$[^$\n]*\$|\]\([^)]*\)", " ", text)


def headings(page: Page) -> list[str]:
    text = "\n".join(source(cell) for cell in page.cells if cell["cell_type"] == "markdown")
    return re.findall(r"^## (.+)$", text, re.M)


def is_panel(cell: dict[str, Any]) -> bool:
    """A picture; those of measured tables have nothing to move."""
    return not source(cell).startswith("measured(") and any(
        "image/png" in output.get("data", {}) for output in cell.get("outputs", [])
    )


# Structure


@each_page
def test_the_first_cell_has_title_time_goals_and_how_to_work(page: Page) -> None:
    title, about, line, goals, listed, how, *_ = source(page.cells[0]).split("\n\n")
    assert title == f"# {page.section.number} · {page.section.title}"
    assert re.fullmatch(r"\*[^*]+ · time needed: about \d+ minutes · lecture [^*]+\*", about)
    assert "[Course map]" in line
    assert goals == "**Goals.** When you have worked through this notebook you can"
    assert all(re.fullmatch(r"- .+[,.]", goal) for goal in listed.splitlines())
    assert how.startswith("**How to work.** Run the cells from top to bottom (Shift + Enter).")
    assert "marked **Predict**" in how


@each_page
def test_the_second_cell_imports_and_names_the_data(page: Page) -> None:
    second = page.cells[1]
    assert second["cell_type"] == "code"
    statements = ast.parse(source(second)).body
    calls = [ast.unparse(node) for node in statements if isinstance(node, ast.Expr)]
    assert calls == ["record_progress()"]
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.Expr)
    assert all(isinstance(node, allowed) for node in statements)
    assert DATA_COMMENT in source(second)


@each_page
def test_sections_are_numbered_and_their_minutes_add_up(page: Page) -> None:
    *numbered, recap = headings(page)
    assert recap == "Recap"
    minutes = []
    for i, heading in enumerate(numbered, 1):
        match = re.fullmatch(r"(\d+) · .+ \((\d+) minutes\)", heading)
        assert match, heading
        assert int(match[1]) == i
        minutes.append(int(match[2]))
    assert numbered[-1].split(" · ")[1].startswith("Now you (")
    assert page.minutes is not None
    assert 0 <= page.minutes - sum(minutes) <= 0.15 * page.minutes, f"{sum(minutes)} of {page.minutes}"  # the recap


@each_page
def test_each_panel_is_predicted_and_explained(page: Page) -> None:
    cells = page.cells
    first_task = next(i for i, cell in enumerate(cells) if re.search(r"^## \d+ · Now you", source(cell), re.M))
    for i, cell in enumerate(cells):
        if not is_panel(cell):
            continue
        texts_before = itertools.takewhile(lambda c: not is_panel(c), reversed(cells[:i]))
        before = "\n".join(source(c) for c in texts_before if c["cell_type"] == "markdown")
        after = next(source(c) for c in cells[i + 1 :] if c["cell_type"] == "markdown")
        if i < first_task:
            assert "**Predict.**" in before or is_panel(cells[i - 1]), source(cell)
            assert after.startswith(WHAT_TO_SEE) or is_panel(cells[i + 1]), source(cell)
        else:
            assert after.startswith(SOLUTION), source(cell)


@each_page
def test_the_end_is_recap_recall_and_reading(page: Page) -> None:
    end = source(page.cells[-2]).partition("## Recap\n\n")[2]
    assert end, "the last cell but one holds the recap"
    recap, _, rest = end.partition("**Recall.** Answer without scrolling up, then unfold.\n\n")
    assert 3 <= recap.count("\n- ") + recap.startswith("- ") <= 7
    recall, _, reading = rest.partition("\n\n**Read on.** ")
    questions = re.findall(r"^<details><summary>(\d)\. .+\?</summary>.+</details>$", recall, re.M)
    assert questions == [str(i) for i in range(1, len(questions) + 1)]
    assert 3 <= len(questions) <= 5
    assert reading.rstrip().endswith((".", ")"))
    assert "arXiv" in reading


@each_page
def test_now_you_has_tasks_with_solutions_that_are_code_or_words(page: Page) -> None:
    text = "\n\n".join(source(cell) for cell in page.cells)
    tasks = re.findall(r"^\*\*([a-d])\.\*\* ", text[text.index("Now you (") :], re.M)
    assert tasks == ["a", "b", "c", "d"][: len(tasks)]
    assert 2 <= len(tasks) <= 4
    assert text.count(SOLUTION) >= len(tasks)


@each_page
def test_folded_parts_are_closed_and_have_an_empty_line_for_markdown(page: Page) -> None:
    for cell in page.cells:
        text = source(cell)
        assert text.count("<details>") == text.count("</details>")
        assert not re.search(r"</summary>\n[^\n<]", text), "without an empty line Markdown stays raw"


# Sizes


@each_page
def test_all_pictures_have_one_width(page: Page) -> None:
    for cell in page.cells:
        for output in cell.get("outputs", []):
            if data := output.get("data", {}).get("image/png"):
                width, height = struct.unpack(">II", base64.b64decode("".join(data))[16:24])
                assert width == WIDTH, source(cell)
                assert 240 <= height <= 600, source(cell)


# Equations


def test_each_equation_of_the_lecture_has_its_number_once() -> None:
    sections: dict[int, str] = {}
    for page in COURSE:
        text = "\n".join(source(cell) for cell in page.cells if cell["cell_type"] == "markdown")
        for formula in re.findall(r"\$\$.+?\$\$", text, re.S):
            for number in map(int, re.findall(r"\\tag\{(\d+)\}", formula)):
                assert number not in sections, f"({number}) is in {sections.get(number)} and {page.section.number}"
                sections[number] = page.section.number
        assert not re.findall(r"\\tag(?!\{\d+\})", text)
    expected = {n: page.section.number for page in COURSE for n in page.section.equations}
    assert sections == expected


@each_page
def test_equations_are_referred_to_only_by_numbers_of_the_lecture(page: Page) -> None:
    """A number in brackets is that of an equation; there are twenty of them."""
    for number in re.findall(r"(?<![\w)])\((\d{1,2})\)", prose(page)):
        assert 1 <= int(number) <= 20


# Words: one spelling for each. On the left what is not written, as a regular expression.

SPELLINGS = {
    r"back-?propogat\w*|[Bb]ackpropagat\w*|[Bb]ack propagat\w*": "back-propagation",
    r"[Mm]inibatch\w*|[Mm]ini batch\w*": "mini-batch",
    r"[Hh]yperparameter\w*|[Hh]yper parameter\w*": "hyper-parameter",
    r"[Dd]atasets?|[Dd]ata-sets?": "data set",
    r"[Cc]ross entropy": "cross-entropy",
    r"[Rr]e-train\w*": "retrain",
    r"[Cc]ode-?[ -]book\w*": "codebook",
    r"[Ff]inetun\w*|[Ff]ine tun\w*": "fine-tune",
    r"\bRelu\b|\bReLu\b|\brelu\b": "ReLU",
    r"\bK-means\b|\bk means\b|\bkmeans\b": "k-means",
    r"[Ss]oft-max\w*|[Ss]oft max\b": "softmax",
    r"[Mm]inmax|[Mm]in max\b|[Mm]in/max": "min-max",
    r"[Mm]ax-out|\bMaxOut\b": "maxout",
    r"\bPRelu\b|\bP-ReLU\b": "PReLU",
    r"[Bb]inary[Cc]onnect(?<!BinaryConnect)|Binary Connect": "BinaryConnect",
    r"\b[Ff]loat 32\b|\bfp32\b|\bFP32\b": "float32",
    r"\w*[Qq]uantis\w+|\w*[Rr]egularis\w+|\w*[Bb]inaris\w+|\w*[Oo]ptimis\w+|\w*[Nn]ormalis\w+": "-ize",
    r"\w*[Mm]inimis\w+|\w*[Mm]aximis\w+|\w*[Pp]enalis\w+|\w*[Rr]ecognis\w+|\w*[Gg]eneralis\w+": "-ize",
    r"\w*[Ii]nitialis\w+|\w*[Vv]ectoris\w+|\w*[Mm]emoris\w+|\w*[Ss]ummaris\w+|\w*[Rr]ealis\w+": "-ize",
    r"\w*[Pp]arameteris\w+": "-ize",
    r"\b[Cc]olors?\b|\b[Nn]eighbors?\b|\b[Bb]ehavior\w*|\b[Gg]ray\b|\b[Cc]enters?\b": "colour, neighbour, grey",
    r"\bper cent\b|\d ?percent\b": "a number with %",
    r"\b(?:can't|don't|doesn't|isn't|won't|it's|you'll|we'll|let's)\b": "the long form",
    r"\be\.g\.|\bi\.e\.|\betc\.": "for example, that is, and so on",
    r"(?<![\w.,–-])-\d": "− (a true minus sign)",
    r"\d%": "a space between number and %",
}


@each_page
@pytest.mark.parametrize("pattern", SPELLINGS)
def test_each_word_is_spelled_one_way(page: Page, pattern: str) -> None:
    text = prose(page)
    text = re.sub(r"\*[^*\n]+\*, (?= )|\*\*Read on\.\*\*.*", " ", text)  # titles of papers keep their spelling
    assert re.findall(pattern, text) == [], f"write {SPELLINGS[pattern]}"


@each_page
def test_penalties_are_named_in_small_letters(page: Page) -> None:
    """l1 and l2, but for the lecture's own "SG-L1", and L2-SVM, which is a name."""
    assert re.findall(r"(?<!SG-)\bL[12]\b(?!-SVM)", prose(page)) == []


def test_the_checks_see_what_they_look_for() -> None:
    wrong = "A dataset of -3 colors, 50% quantised by backpropagation; it's a Relu, e.g. K-means, hyperparameters."
    spotted = {pattern for pattern in SPELLINGS if re.search(pattern, wrong)}
    assert len(spotted) >= 10


# Notation


def test_glossary_and_notation_name_only_notebooks_of_the_course() -> None:
    numbers = {section.number for section in SECTIONS}
    assert {term.notebook for term in TERMS} <= numbers
    assert {number for symbol in NOTATION for number in symbol.notebooks} <= numbers


def test_every_notebook_brings_words() -> None:
    for page in COURSE:
        assert sum(term.notebook == page.section.number for term in TERMS) >= 1, page.section.number
