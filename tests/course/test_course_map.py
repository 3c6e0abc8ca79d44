"""The pages that lead through the course are up to date, and are written from one source."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from course_utils.cli import main
from course_utils.course.glossary import NOTATION, TERMS, find
from course_utils.course.glossary_page import introduced_in
from course_utils.course.map import LINE, MAP, stale, write
from course_utils.course.syllabus import SECTIONS, Page, pages

ROOT = Path(__file__).parents[2]
COURSE = pages(ROOT / "notebooks")
THERE = [page for page in COURSE if page.path]

each_page = pytest.mark.parametrize("page", THERE, ids=lambda page: page.section.number)


def cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def prose(page: Page) -> str:
    return "\n".join(source(cell) for cell in page.cells if cell["cell_type"] == "markdown")


# The repository


def test_everything_is_up_to_date() -> None:
    assert [str(path.relative_to(ROOT)) for path, _ in stale(ROOT)] == [], "run `course map`"


def test_the_syllabus_has_each_notebook_and_each_equation_once() -> None:
    assert [section.number for section in SECTIONS] == [f"{i:02}" for i in range(1, 11)]
    equations = [n for section in SECTIONS for n in section.equations]
    assert equations == list(range(1, 21))
    on_disk = {path.name for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert on_disk == {MAP} | {page.path.name for page in THERE if page.path}


@each_page
def test_a_notebook_agrees_with_the_syllabus(page: Page) -> None:
    first = source(page.cells[0])
    assert first.startswith(f"# {page.section.number} · {page.section.title}\n")
    assert page.minutes is not None
    assert 2 <= len(page.goals) <= 6
    assert f"lecture {page.section.lecture.partition(',')[0]}" in first or "lecture section" in first


@each_page
def test_each_notebook_leads_back_and_on(page: Page) -> None:
    assert page.path is not None
    first, last = source(page.cells[0]), source(page.cells[-1])
    assert LINE.findall(first) == [last]
    targets = re.findall(r"\]\(([^)]+)\)", last)
    neighbours = [other for other in THERE if abs(THERE.index(other) - THERE.index(page)) == 1]
    expected = {MAP, "glossary.ipynb"} | {other.path.name for other in neighbours if other.path}
    assert expected <= set(targets)
    assert all((page.path.parent / target).is_file() for target in targets)
    assert (page.exercise is not None) == ("[Exercise" in last)


def test_the_map_shows_time_abilities_and_places_in_the_lecture() -> None:
    text = "\n".join(source(cell) for cell in cells(ROOT / "notebooks" / MAP))
    for page in COURSE:
        row = next(line for line in text.splitlines() if line.startswith("|") and page.section.title in line)
        assert page.section.ability in row
        assert page.section.lecture in row
        if page.path:
            assert f"({page.path.name})" in row
            assert re.search(rf"\| {page.minutes} +\|", row)
        for goal in page.goals:
            assert f"- {goal}\n" in text


# The writer, on a copy


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns(".*"))
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def test_writing_twice_changes_nothing_more(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*.ipynb")}
    write(copy)
    assert write(copy) == []
    assert {path: path.read_bytes() for path in copy.rglob("*.ipynb")} == before


def test_only_the_line_is_touched(copy: Path) -> None:
    path = next((copy / "notebooks").glob("05_*.ipynb"))
    notebook = json.loads(path.read_text(encoding="utf-8"))
    expected = json.loads(json.dumps(notebook))
    first = "".join(notebook["cells"][0]["source"])
    notebook["cells"][0]["source"] = LINE.sub("", first).replace(
        "\n\n\n\n", "\n\n"
    )  # as it was before there was a line
    del notebook["cells"][-1]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert [page.name for page, _ in stale(copy)] == [path.name]
    assert write(copy) == [path]
    assert json.loads(path.read_text(encoding="utf-8")) == expected


def exercises_of(copy: Path, *names: str) -> None:
    """Leave these exercises, and no others."""
    shutil.rmtree(copy / "notebooks" / "exercises", ignore_errors=True)
    for name in names:
        path = copy / "notebooks" / "exercises" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    write(copy)


@pytest.mark.parametrize("name", ["ex04.ipynb", "source/ex04/ex04.ipynb"], ids=["students have", "lecturers have"])
def test_a_new_exercise_is_linked_from_its_notebook_and_from_the_maps(copy: Path, name: str) -> None:
    exercises_of(copy)
    before = {path: path.read_text(encoding="utf-8") for path in [*copy.rglob("*.ipynb"), copy / "README.md"]}
    assert not any("[Exercise" in text for text in before.values())
    exercises_of(copy, name)
    changed = {path.name for path, text in before.items() if path.read_text(encoding="utf-8") != text}
    assert changed == {MAP, "04_sparse_and_group_sparse_penalties.ipynb", "README.md"}
    for notebook in changed - {"README.md"}:
        assert f"[Exercise 04](exercises/{name})" in (copy / "notebooks" / notebook).read_text(encoding="utf-8")
    assert f"| [Exercise 04](notebooks/exercises/{name})" in (copy / "README.md").read_text(encoding="utf-8")


def test_what_students_have_goes_before_what_it_was_made_from(copy: Path) -> None:
    exercises_of(copy, "source/ex04/ex04.ipynb", "ex04.ipynb")
    assert "(exercises/ex04.ipynb)" in (copy / "notebooks" / MAP).read_text(encoding="utf-8")


def test_a_notebook_that_is_missing_is_passed_over(copy: Path) -> None:
    next((copy / "notebooks").glob("06_*.ipynb")).unlink()
    write(copy)
    five, seven = (pages(copy / "notebooks")[i] for i in (4, 6))
    assert "[07 " in source(five.cells[-1])
    assert "[05 " in source(seven.cells[-1])
    readme = (copy / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^\| 06 \| Binary neural networks +\| planned ", readme, re.M)


def test_the_command_says_what_is_out_of_date(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy)
    write(copy)
    assert CliRunner().invoke(main, ["map", "--check"]).exit_code == 0
    readme = copy / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("| 45 ", "| 46 "), encoding="utf-8")
    check = CliRunner().invoke(main, ["map", "--check"])
    assert check.exit_code == 1
    assert "README.md" in check.output
    assert CliRunner().invoke(main, ["map"]).exit_code == 0
    assert readme.read_bytes() == (ROOT / "README.md").read_bytes()


# The glossary


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_term_is_used_where_the_glossary_says(term: Any) -> None:
    page = next(page for page in COURSE if page.section.number == term.notebook)
    if page.path is None:
        pytest.skip(f"notebook {term.notebook} is not there yet")
    assert introduced_in(term, page), f"notebook {term.notebook} does not use {term.spelled or term.name!r}"


def test_no_term_is_listed_twice_and_each_has_a_sentence() -> None:
    names = [term.name.lower() for term in TERMS]
    assert len(set(names)) == len(names)
    assert all(len(term.meaning.split()) >= 3 and not term.meaning.endswith(".") for term in TERMS)
    assert all("|" not in term.meaning for term in TERMS)  # it would end the cell of the table


# What is set in bold without being a word of the field: the parts of a lesson, and sentences that begin in bold.
BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
PARTS = {"a", "b", "c", "q", "predict", "goals", "how to work", "recall", "read on", "published", "measured again"}
PARTS |= {"train", "algorithm 1"}
PARTS |= {"data", "computing power", "better techniques", "classification", "captioning"}  # heads of lists
PARTS |= {"random pixels", "shuffled pixels", "in miniature"}  # settings of a panel, and what is one


@each_page
def test_what_a_notebook_sets_in_bold_is_in_the_glossary(page: Page) -> None:
    known = {name.lower() for term in TERMS for name in (term.name, term.spelled) if name}
    text = re.sub(r"## Recap.*?\*\*Recall", "**Recall", prose(page), flags=re.S)
    for bold in BOLD.findall(text):
        word = bold.lower().rstrip(".:,")
        if bold.endswith((".", ":")) or word in PARTS or not word[0].isalpha() or "=" in word:
            continue
        assert any(name in word or word.rstrip("s") in name for name in known), bold


# Equations


COMMANDS = r"left|right|sum|max|min|arg|exp|tfrac|frac|qquad|quad|begin|end|cases|cdot|in|cup|le|ge|infty|dots|text|tag"
NAMED = re.compile(r"\\(?:mathrm|text|operatorname|tag)\{[^{}]*\}|\\(?:begin|end)\{cases\}")


def letters(latex: str) -> set[str]:
    r"""The letters of a formula, Greek ones by name, bold ones as \mathbf{...}; without words and commands."""
    latex = NAMED.sub(" ", latex)
    bold = set(re.findall(r"\\(?:mathbf|boldsymbol|bm)\s*\{?(\\?[A-Za-z]+)\}?", latex))
    latex = re.sub(r"\\(?:mathbf|boldsymbol|bm)\s*\{?\\?[A-Za-z]+\}?", " ", latex)
    greek = set(re.findall(r"\\(eta|lambda|sigma|alpha|gamma|Delta|varepsilon|theta|nabla)(?![A-Za-z])", latex))
    plain = set(re.findall(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])", re.sub(r"\\[A-Za-z]+", " ", latex)))
    return plain | (greek - {"nabla"}) | {name.lstrip("\\") for name in bold}


def equations(page: Page) -> dict[int, str]:
    """The displayed formulas of a notebook by their numbers."""
    formulas = {}
    for formula in re.findall(r"\$\$(.+?)\$\$", prose(page), re.S):
        for number in re.findall(r"\\tag\{(\d+)\}", formula):
            formulas[int(number)] = formula
    return formulas


@each_page
def test_each_symbol_of_an_equation_is_in_the_notation(page: Page) -> None:
    for number, formula in equations(page).items():
        assert number in page.section.equations
        listed: set[str] = set()
        for symbol in NOTATION:
            if number in symbol.equations:
                assert page.section.number in symbol.notebooks, symbol
                listed |= letters(symbol.latex) | letters(re.sub(r"[{}]|_\w+", "", symbol.latex))
        assert letters(formula) <= listed | {"i", "j", "T"}, (number, formula)


def test_each_equation_has_symbols() -> None:
    assert {n for symbol in NOTATION for n in symbol.equations} == set(range(1, 21))


def test_the_reading_of_formulas() -> None:
    assert letters(r"g(s) = \sum_{i=1}^{D} \alpha_i\, k(s, d_i) \tag{17}") == {"g", "s", "i", "D", "alpha", "k", "d"}
    assert letters(r"\max_{i = 1 \dots K} ( \mathbf{w}_i^T \mathbf{h} + b_i )") == {"i", "K", "w", "T", "h", "b"}
    assert letters(r"w_b = \mathrm{sign}(w) \quad \text{with } \sigma(w)") == {"w", "b", "sigma"}


def test_words_are_found_by_a_part() -> None:
    assert [term.name for term in find("SOFT thr")] == ["soft thresholding"]
    assert "No such word" in repr(find("zzz"))
    assert find("decision tree")[0].name == "decision tree"
