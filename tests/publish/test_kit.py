"""The lecturer's kit: the map is whole, the minutes add up, and panels show what the kit says of them."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import every_panel
import pytest
from click.testing import CliRunner

from course_utils._support.html import markdown_html, plain
from course_utils.cli import main
from course_utils.course.syllabus import SECTIONS, Page, pages
from course_utils.panels.engine import Button, Choice, Slider, Text, Toggle
from course_utils.publish.kit import lecture, minutes, timing
from course_utils.publish.kit.lecture import TABLES
from course_utils.publish.kit.lesson import Lesson, Misconception, Question, Skip, Step, lesson_of
from course_utils.publish.kit.minutes import Chapter, chapters, double, plan
from course_utils.publish.kit.pages import Kit, blocks
from course_utils.publish.kit.reading import number_in, says
from course_utils.publish.kit.stage import Stage, failures, move, panel_cell, value_of
from course_utils.publish.kit.timing import Times
from course_utils.publish.kit.write import write

ROOT = Path(__file__).parents[2]
COURSE = pages(ROOT / "notebooks")
LESSONS = [lesson_of(section.number) for section in SECTIONS]
ENTRIES = [(lesson.number, place) for lesson in LESSONS for place in range(len(lesson.entries))]
# Panels that train for longer than a quick test may; what is said of them is checked in the slow tier.
TRAINED = {
    "applications.captions",
    "applications.classification",
    "applications.giants",
    "applications.live_agent",
    "applications.translation",
    "binary.live_training",
    "building.boundary",
    "closing.everything",
    "distilling.left_out",
    "distilling.live_training",
    "distilling.softened",
    "flexible.size_against_accuracy",
    "parameters.corrupted",
    "parameters.federated",
    "parameters.predicted",
    "precision.low_precision_training",
    "sparsity.gallery",
    "sparsity.group_lasso",
    "storage.figure6",
    "storage.pruning",
    "storage.stack",
}

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.number)


def page_of(number: str) -> Page:
    return next(page for page in COURSE if page.section.number == number)


# What panels show


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    """The panels that have been made so far, of one notebook at a time, because they fill the memory."""
    return {}


def each_claim() -> Iterator[object]:
    for number, place in ENTRIES:
        panel = lesson_of(number).entries[place].panel
        yield pytest.param(
            number, place, id=f"{number}-{place}-{panel}", marks=pytest.mark.slow if panel in TRAINED else ()
        )


@pytest.mark.parametrize(("number", "place"), list(each_claim()))
def test_a_panel_shows_what_the_kit_says(number: str, place: int, stages: dict[str, Stage]) -> None:
    if number not in stages:
        stages.clear()
        stages[number] = Stage(page_of(number))
    lesson = lesson_of(number)
    entry = lesson.entries[place]
    assert failures(stages[number], lesson.titles[entry.panel], entry) == []


@pytest.mark.parametrize("name", sorted(TRAINED))
def test_labels_and_values_are_those_on_the_screen(name: str) -> None:
    """Where a panel trains too long to be asked for more, it is made of few rows here."""
    panel = every_panel.made(name)
    labels = {control.label: control for control in panel.controls.values()}
    for lesson in LESSONS:
        for entry in lesson.entries:
            if entry.panel == name:
                assert panel._title == lesson.titles[name]
                for label, text in (pair for step in entry.steps for pair in step.settings.items()):
                    if label not in OF_THE_DATA:
                        value_of(labels[label], text, panel.values)


OF_THE_DATA = {"Training rows"}  # controls whose values depend on how many rows there are


@each_lesson
def test_each_section_has_enough_to_ask(lesson: Lesson) -> None:
    closing = lesson.number == "10"
    assert 3 <= len(lesson.misconceptions) <= 5
    assert 3 <= len(lesson.questions) <= 4
    assert set(lesson.titles) == {entry.panel for entry in lesson.entries}
    assert len({entry.panel for entry in lesson.entries}) >= (2 if closing else 3)
    for entry in lesson.entries:
        panel_cell(page_of(lesson.number).cells, entry.panel)
        assert entry.steps


@each_lesson
def test_sentences_are_whole(lesson: Lesson) -> None:
    for entry in lesson.entries:
        texts = [entry.claim, entry.truth] if isinstance(entry, Misconception) else [entry.ask, entry.answer]
        for text in [*texts, *(step.observation for step in entry.steps)]:
            assert re.search(r"[.?)]$", text), text
            assert "  " not in text
        for step in entry.steps:
            assert not step.observation.startswith("You")  # it goes on after "you see"


def test_a_claim_that_is_wrong_is_found() -> None:
    stage = Stage(page_of("05"))
    right = Question("?", "!", "precision.relu_graph", (Step({}, "64.", lambda p: says(p, "0 is code 64")),))
    assert failures(stage, "The quantized ReLU, computing", right) == []
    wrong = replace(right, steps=(Step({"Minimum of the inputs": "0"}, "64.", lambda p: says(p, "0 is code 64")),))
    (failure,) = failures(stage, "The quantized ReLU, computing", wrong)
    assert "does not show: '64.'" in failure
    assert "is titled" in failures(stage, "Another title", right)[0]
    with pytest.raises(LookupError, match="no control is labelled"):
        failures(stage, "", replace(right, steps=(Step({"Least": "0"}, "", lambda p: True),)))
    with pytest.raises(LookupError, match="never shows '0.05'"):
        failures(stage, "", replace(right, steps=(Step({"Minimum of the inputs": "0.05"}, "", lambda p: True),)))
    with pytest.raises(LookupError, match=r"no cell of the notebook calls precision\.nothing\(\)"):
        stage.panel("precision.nothing")


def test_steps_are_compared_with_the_one_before() -> None:
    stage = Stage(page_of("05"))
    steps = [
        Step({"Bits b": bits}, "", lambda p: True, lambda now, before: now.qparams.scale < before.qparams.scale)
        for bits in ("4", "6")
    ]
    entry = Question("?", "!", "precision.relu_graph", tuple(steps))
    assert failures(stage, "The quantized ReLU, computing", entry) == []
    assert len(failures(stage, "The quantized ReLU, computing", replace(entry, steps=tuple(steps[::-1])))) == 1


def test_a_panel_is_made_as_its_notebook_makes_it_and_begins_there_each_time(tmp_path: Path) -> None:
    code = ["from course_utils.panels import precision\nx = 1", "y = x + 7", "precision.relu_graph().set(bits=y)"]
    cells = [{"cell_type": "code", "id": f"c{i}", "source": [text]} for i, text in enumerate(code)]
    cells.insert(2, {"cell_type": "code", "id": "never", "source": ["raise RuntimeError('nobody needs this cell')"]})
    path = tmp_path / "05_a.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    stage = Stage(Page(SECTIONS[4], path))
    panel = stage.panel("precision.relu_graph")
    assert panel.values["bits"] == 8
    assert move(panel, {"Bits b": "2"}).values["bits"] == 2
    assert stage.panel("precision.relu_graph") is panel
    assert panel.values["bits"] == 8


def test_values_are_found_by_what_is_shown() -> None:
    slider = Slider(name="s", label="S", values=[0.5, 1], texts=["half", "all"])
    assert value_of(slider, "half", {}) == 0.5
    assert value_of(Choice(name="c", label="C", options={"lasso": "l1"}), "lasso", {}) == "l1"
    assert value_of(Toggle(name="t", label="T"), "off", {}) is False
    assert value_of(Button(name="b", label="B"), "press", {"b": 2}) == 3
    assert value_of(Text(name="x", label="X"), "sin(s)", {}) == "sin(s)"


def test_numbers_are_read_from_the_words_of_a_panel() -> None:
    panel = every_panel.made("building.backpropagation")
    panel.words = "from −1.5 to 2,260 of 8%."
    try:
        assert (number_in(panel, "from # to"), number_in(panel, "to #"), number_in(panel, "of #%")) == (-1.5, 2260, 8)
        assert says(panel, "from", "8%")
        assert not says(panel, "from", "9%")
        with pytest.raises(LookupError, match="does not say 'cost #'"):
            number_in(panel, "cost #")
    finally:
        panel.reset()


# The map of the lecture


def test_nothing_of_the_lecture_is_missing() -> None:
    assert lecture.missing(COURSE) == []
    assert list(lecture.equations(COURSE)) == list(range(1, 21))
    assert sorted(lecture.figures(COURSE)) == [2, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16, 17]
    assert list(lecture.tables(COURSE)) == [table.name for table in TABLES]
    assert list(lecture.algorithms(COURSE)) == ["Algorithm 1"]
    assert {place.page.section.number for place in lecture.slips(COURSE)} == {"02", "04", "06", "07", "09"}


def test_places_are_right() -> None:
    equations = lecture.equations(COURSE)
    assert equations[9].text == r"J(w) + \lambda \sum_{g \in G} \sqrt{|g|}\; \|g\|_2"
    assert (equations[9].page.section.number, equations[9].number) == ("04", 3)
    assert (equations[9].cell, equations[9].panel) == ("cell-06", None)
    assert [(where.page.section.number, where.number) for where in (equations[3], equations[20])] == [
        ("01", 2),
        ("09", 4),
    ]
    figures = lecture.figures(COURSE)
    assert (figures[15].number, figures[15].panel) == (4, "09c05")  # named below its panel: not the next section's
    assert (figures[12].number, figures[12].panel) == (4, "05c06")
    susy = lecture.tables(COURSE)["SUSY: AUC and parameters"]
    assert (susy.page.section.number, susy.number, susy.cell) == ("09", 6, "09m09")


@pytest.mark.parametrize(
    ("number", "before", "after", "lacking"),
    [
        ("06", r"\\tag{12}", r"\\tag{99}", "equation (12)"),
        ("04", "figure 10 of", "a figure of", "figure 10"),
        ("07", "12.70 %", "12.7 %", "table Deep Compression: LeNet-300-100"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, number: str, before: str, after: str, lacking: str) -> None:
    for page in COURSE:
        assert page.path is not None
        shutil.copy(page.path, tmp_path)
    path = next(tmp_path.glob(f"{number}_*"))
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    assert lecture.missing(pages(tmp_path)) == [lacking]


# Minutes


@each_lesson
def test_plans_fit_into_their_lectures(lesson: Lesson) -> None:
    page = page_of(lesson.number)
    sections = chapters(page)
    assert [chapter.number for chapter in sections] == list(range(1, len(sections) + 1))
    total = sum(chapter.minutes for chapter in sections)
    assert page.minutes is not None
    assert page.minutes - 10 <= total <= page.minutes  # the rest is for recap and recall
    single = plan(sections, lesson.skip, 45)
    assert minutes.OPENING + sum(chapter.minutes for chapter in single.shown) + single.spare == 45
    assert single.spare >= 0
    skipped = [skip.section for skip in lesson.skip]
    assert set(skipped) < {chapter.number for chapter in sections}
    assert len(set(skipped)) == len(skipped)
    long = double(sections, len(lesson.misconceptions), len(lesson.questions))
    assert long.shown == tuple(sections)
    assert long.spare >= 0
    assert long.extras


def test_every_code_cell_below_a_heading_belongs_to_one_section() -> None:
    for page in COURSE:
        cells = [cell for chapter in chapters(page) for cell in chapter.cells]
        code = [cell["id"] for cell in page.cells if cell["cell_type"] == "code"]
        assert len(cells) == len(set(cells))
        assert set(cells) <= set(code)
        assert len(code) - len(cells) <= 1  # the imports at the top


def test_a_plan_that_cannot_be_says_so() -> None:
    with pytest.raises(ValueError, match="of 30 minutes needs 35 even without 1 section; name more"):
        plan([Chapter(1, "A", 30), Chapter(2, "B", 20)], [Skip(2, "")], 30)


def test_the_measured_times_are_of_this_course() -> None:
    times = timing.read()
    code = {cell["id"] for page in COURSE for cell in page.cells if cell["cell_type"] == "code"}
    assert len(code & times.cells.keys()) > 0.8 * len(
        code
    )  # a cell that is new says on the page that it is not measured
    assert all(0 <= seconds < 300 for seconds in times.cells.values())
    assert re.fullmatch(r"[0-9a-f]{10}", times.commit)
    assert times.machine
    assert times.versions
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", times.date)


def test_a_notebook_is_timed_cell_by_cell(tmp_path: Path) -> None:
    busy = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [
        {"cell_type": "code", "id": name, "metadata": {}, "outputs": [], "execution_count": None, "source": source}
        for name, source in (("first", "x = 1"), ("busy", busy), ("asleep", "import time\ntime.sleep(0.6)"))
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    seconds = timing.seconds_of(path)
    assert list(seconds) == ["first", "busy", "asleep"]
    assert seconds["busy"] > 0.45
    assert seconds["asleep"] < seconds["busy"]  # processor time: sleeping takes none
    cells[0]["source"] = "1 / 0"
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    with pytest.raises(RuntimeError, match=r"a cell of a\.ipynb fails"):
        timing.seconds_of(path)


# The pages


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    return Kit(ROOT, tmp_path_factory.mktemp("kit"), COURSE, timing.read(), ROOT / "no pages")


def test_both_files_say_the_same(kit: Kit) -> None:
    files = {path.name: path.read_text(encoding="utf-8") for path in write(kit)}
    assert set(files) == {"index.html", "kit.md"}
    page = plain(files["index.html"])
    for lesson in LESSONS:
        for entry in lesson.entries:
            text = entry.claim if isinstance(entry, Misconception) else entry.ask
            assert text in files["kit.md"]
            assert plain(markdown_html(text)).strip() in page
    assert files["index.html"].count('class="card ') == len(ENTRIES)
    assert "default-src 'none'" in files["index.html"]  # the browser refuses whatever the page would ask for
    assert not re.findall(r"""(?:src|srcset)=["'](?!data:)|@import""", files["index.html"])
    assert "$" not in page  # no formula is left unread
    names = re.findall(r' id="([^"]*)"', files["index.html"])
    assert len(names) == len(set(names))


def test_the_place_of_the_course_is_not_told(kit: Kit) -> None:
    text = "\n".join(block.text for block in blocks(replace(kit, out=ROOT / "kit")))
    assert "](../notebooks/01_" in text
    assert str(ROOT) not in text


def test_links_lead_to_cells_that_are_there(kit: Kit) -> None:
    text = "\n\n".join(block.text for block in blocks(kit))
    links = re.findall(r"\]\(([^)#]+)#cell-id=([\w-]+)\)", text)
    assert len(links) > 100
    ids = {page.path.name: {cell["id"] for cell in page.cells} for page in COURSE if page.path}
    for file, cell in links:
        assert (kit.out / file).resolve().is_file()
        assert cell in ids[Path(file).name]


def test_links_of_the_browser_lead_to_a_lab_and_to_exported_pages(kit: Kit, tmp_path: Path) -> None:
    exported = tmp_path / "pages"
    exported.mkdir()
    (exported / "04_sparse_and_group_sparse_penalties.html").touch()
    page, _ = write(replace(kit, out=tmp_path / "kit", pages=exported), lab="https://hub/lab/tree/course/")
    text = page.read_text(encoding="utf-8")
    assert 'href="https://hub/lab/tree/course/notebooks/05_limited_precision_arithmetic.ipynb#cell-id=05c02"' in text
    assert 'href="../pages/04_sparse_and_group_sparse_penalties.html#cell-cell-03"' in text
    assert "../pages/05_" not in text
    assert ".ipynb" not in re.sub(r'href="https://hub/lab/tree/course/notebooks/[^"]*"', "", text)


def test_a_cell_without_a_time_is_named(kit: Kit) -> None:
    complete = "\n".join(block.text for block in blocks(kit))
    cells = {name: seconds for name, seconds in kit.times.cells.items() if name != "05c04"}
    text = "\n".join(block.text for block in blocks(replace(kit, times=replace(kit.times, cells=cells))))
    assert "Not measured" in text
    assert "05c04." in text or "05c04," in text
    assert text != complete


def test_the_measured_tables_are_linked_where_they_are(kit: Kit, tmp_path: Path) -> None:
    without = replace(kit, root=tmp_path)
    assert "There is no overview of measured tables" in "\n".join(block.text for block in blocks(without))
    (tmp_path / "notebooks" / "tables").mkdir(parents=True)
    (tmp_path / "notebooks" / "tables" / "README.md").touch()
    pages_text = "\n".join(block.text for block in blocks(replace(without, out=tmp_path / "kit")))
    assert "[README.md](../notebooks/tables/README.md)" in pages_text
    assert re.search(r"\| 07 +\| Deep Compression +\| `course table deep-compression` +\|", pages_text)


def test_only_its_own_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "notes.txt").write_text("mine")
    (tmp_path / "kit" / "kit.md").write_text("old")
    result = CliRunner().invoke(main, ["kit"])
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "kit").iterdir()} == {"index.html", "kit.md", "notes.txt"}
    assert (tmp_path / "kit" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "kit" / "kit.md").read_text(encoding="utf-8").startswith("# Teaching kit")


def test_the_command_measures_if_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def measure(notebooks: list[Path]) -> Times:
        asked.extend(notebooks)
        return Times("0123456789", "2026-01-01", "a machine", "versions", "", {"05c04": 12.0})

    monkeypatch.setattr(timing, "measure", measure)
    monkeypatch.setattr(timing, "FILE", tmp_path / "seconds.json")
    result = CliRunner().invoke(main, ["kit", "--time", "--out", str(tmp_path / "kit")])
    assert result.exit_code == 0, result.output
    assert len(asked) == 10
    assert "05c04](" in (tmp_path / "kit" / "kit.md").read_text(encoding="utf-8")
    assert "a machine" in (tmp_path / "kit" / "kit.md").read_text(encoding="utf-8")


def test_links_of_the_teaching_page_lead_somewhere() -> None:
    page = ROOT / "notebooks" / "TEACHING.md"
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (page.parent / target).exists(), target
    for name in re.findall(r"`course ([\w-]+)", text):
        assert name in main.commands, name


def test_in_what_students_get_the_command_says_where_the_kit_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "course_utils.publish.kit.section_04", None)
    done = CliRunner().invoke(main, ["kit", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "course_utils.publish.kit.section_04 is not here" in done.output
    assert "run `course kit` in the lecturer's own copy of the course" in done.output


def test_a_package_that_the_kit_lacks_is_no_part_of_the_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'mistune'", name="mistune")

    monkeypatch.setattr("course_utils.publish.kit.write.write", lacking)
    done = CliRunner().invoke(main, ["kit", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert done.output == (
        "Error: mistune is not installed; it comes with an extra: pip install 'course-utils[course]'\n"
    )


def test_the_kit_is_written_through_a_link_and_a_folder_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    assert CliRunner().invoke(main, ["kit", "--out", str(tmp_path / "link" / "kit")]).exit_code == 0
    assert (tmp_path / "real" / "kit" / "index.html").is_file()
    (tmp_path / "file").touch()
    done = CliRunner().invoke(main, ["kit", "--out", str(tmp_path / "file" / "kit")])
    assert done.exit_code == 1
    assert "choose another folder with --out" in done.output
