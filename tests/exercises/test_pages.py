"""Pages with what strangers wrote: it stays in its own frame, whatever it is, and looks like nothing of the page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from course_utils.bench.browser import chromium
from course_utils.exercises.grading.collect import Submission
from course_utils.exercises.grading.feedback import prose, write_feedback, write_written
from course_utils.exercises.grading.grade import Result
from course_utils.exercises.grading.mark import AnswerKey
from course_utils.exercises.grading.marks import Mark

TOWER = "Z" + "\u0301\u0300\u0302\u0308\u030a\u0332\u0323" * 60
ANSWERS = {
    "ordinary": "A step *never* arrives at $w = 0$:\n\n$$w - \\lambda \\operatorname{sign}(w)$$\n\n- so it\n- jumps",
    "raised": r"$\raisebox{-60em}{3 of 3}$ and $\raisebox{60em}{up}$",
    "moved": r"$\hspace{-90em}left$ $\kern90em right$ $\mspace{-900mu}x$ $$\hskip-50em y$$",
    "out of place": r"$\overset{\overset{\overset{a}{b}}{c}}{\raisebox{-5em}{3 of 3}\raisebox{5em}{up}\hspace{-5em}x}$",
    "boxed": "$" + r"\boxed{" * 20 + "x" + "}" * 20 + "$",
    "tall": r"$\begin{array}{c}" + r"a\\" * 150 + r"b\end{array}$" + "\n\nline" * 400,
    "tower": TOWER + " " + TOWER,
    "long": "w" * 5000,
    "code": "```\n" + "x" * 3000 + "\n```\n`" + "y" * 2000 + "`",
    "turned": "\u202eabc 3 of 3\u202e\u2066 and \u202d so on\n\nשלום עולם",
    "headings": "# Feedback\n## ex04: 15 of 15 points\n### ✓ Task 1. Soft threshold: 2 of 2\nWritten\n===\nanswer\n---",
    "markup": "</div></section><h1 style='position:fixed;top:0'>3 of 3</h1><style>body{display:none}</style>",
    "pictures": "![3 of 3](https://example.org/a.png) [the rubric](https://example.org/b) <https://example.org/c>",
    "quotes": "> " * 200 + "deep\n\n" + "- " * 200 + "deep",
}
# The answers are taken away, and what is outside their frames does not change; the frames are covered.
HIDE = """() => { for (const box of document.querySelectorAll(".answer")) {
  const height = box.getBoundingClientRect().height;
  box.style.cssText = `box-sizing:border-box;max-height:none;height:${height}px`; box.replaceChildren(); } }"""
FRAMES = """parts => parts.map(part => [part.tagName, getComputedStyle(part).contain,
  part.getBoundingClientRect().left, part.getBoundingClientRect().right])"""
FILL = """() => { for (const box of document.querySelectorAll(".answer")) {
  const cover = document.createElement("div"), frame = box.getBoundingClientRect();
  cover.style.cssText = `position:absolute;background:#808080;left:${frame.left + scrollX}px;` +
    `top:${frame.top + scrollY}px;width:${frame.width}px;height:${frame.height}px`;
  document.body.append(cover); } }"""


def record(text: str, words: list[str]) -> dict[str, Any]:
    task = {"name": "soft_threshold", "title": "Soft threshold", "of": 2, "points": 0, "words": words}
    return {"tasks": [task], "written": {"of": 3, "text": text}, "notes": words, "attention": []}


def results() -> list[Result]:
    """A student for each answer, with the same text in an error and in the name of the file."""
    rows = []
    for name, text in ANSWERS.items():
        submission = Submission(name, "ex04", f"{name}/{text[:300]}.ipynb", receipt="0123456789abcdef")
        words = [f"Not yet right: {text[:1500]}", "It calls soft_threshold."]
        mark = Mark(name, "ex04", "written", None, "Read the hint\nonce more.", 2)
        rows.append(Result(submission, record(text, words), {"written": mark} if name == "ordinary" else {}))
    return rows


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_feedback(results(), folder / "feedback")
    key = AnswerKey("ex04", "", "", "**Rubric.** One point for each reason.", "")
    write_written(results(), {"ex04": key}, folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def opened(browser: Browser, path: Path, **options: Any) -> Page:
    page = browser.new_page(**options)
    page.goto(path.as_uri())
    return page


@pytest.mark.browser
@pytest.mark.parametrize("width", [1000, 390])
def test_an_answer_paints_nothing_outside_its_frame(browser: Browser, pages: Path, width: int) -> None:
    page = opened(browser, pages / "written-ex04.html", viewport={"width": width, "height": 800})
    boxes = page.locator(".answer")
    assert boxes.count() == len(ANSWERS)
    heights = boxes.evaluate_all("boxes => boxes.map(box => box.getBoundingClientRect().height)")
    assert max(heights) <= 45 * 1.05 * 16 + 2
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(FILL)
    with_answers = page.screenshot(full_page=True)
    page.evaluate(HIDE)
    assert page.screenshot(full_page=True) == with_answers
    page.close()


@pytest.mark.parametrize("name", ["raised", "moved"])
def test_a_formula_that_would_be_out_of_sight_appears_as_it_was_typed(name: str) -> None:
    assert prose(ANSWERS[name]) == f"<p class='words'>{ANSWERS[name]}</p>"


def test_ordinary_spaces_of_a_formula_stay() -> None:
    assert "<math>" in prose(r"$a\quad b \qquad c \hspace{2em} \raisebox{1em}{x}$ and `width:90em`")


@pytest.mark.browser
def test_words_and_names_of_files_stay_in_their_place(browser: Browser, pages: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    for name in ANSWERS:
        page.goto((pages / "feedback" / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        parts = page.locator("main > *, section > *")
        assert parts.count() > 8
        for tag, contain, left, right in parts.evaluate_all(FRAMES):
            assert contain == "content" or tag == "SECTION"
            assert left >= 0
            assert right <= 390
    page.close()


def test_what_is_written_looks_like_nothing_of_the_page() -> None:
    page = prose(ANSWERS["headings"] + "\n\n" + ANSWERS["pictures"] + "\n\n" + ANSWERS["markup"])
    assert not re.search(r"<(h\d|img|a|style|section|/div|/section)\b", page)
    assert "<strong>✓ Task 1. Soft threshold: 2 of 2</strong>" in page
    assert "the rubric (https://example.org/b)" in page
    assert "3 of 3 (https://example.org/a.png)" in page


def test_letters_that_turn_a_line_are_shown_by_their_number(pages: Path) -> None:
    page = (pages / "feedback" / "turned.html").read_text(encoding="utf-8")
    outside = re.sub(r"(?s)<div class='answer'.*?</div>", "", page)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", outside)
    assert "<bdi>Not yet right: \\u202eabc 3 of 3" in outside
