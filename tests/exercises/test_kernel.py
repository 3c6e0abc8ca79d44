"""What a Jupyter kernel runs, the grader runs: forms of cells against IPython's own shell, and whole submissions."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from forms import FORMS

from course_utils.exercises.grading.attempt import Attempt, Limits, Trouble
from course_utils.exercises.grading.library import without
from course_utils.exercises.grading.mark import Job, answer_key, mark
from course_utils.exercises.grading.sandbox import Sandbox, bubblewrap
from course_utils.exercises.judge import Outcome
from course_utils.exercises.notebook.answers import defines, problem_of
from course_utils.exercises.notebook.reader import read_notebook
from course_utils.exercises.task import Case

ROOT = Path(__file__).parents[2]
EXERCISES = ROOT / "notebooks" / "exercises"
QUICK = list(FORMS)[::6]
OTHERS = [name for name in FORMS if name not in QUICK]
REFUSED = ("SyntaxError", "IndentationError", "TabError", "ValueError: source code")


class Ran(NamedTuple):
    """Of a notebook: the values of its names in IPython and when it is graded, and the errors of its cells there."""

    real: dict[str, str]
    graded: dict[str, str]
    errors: list[str]


def ran(notebooks: dict[str, list[str]], folder: Path) -> tuple[dict[str, Ran], Any]:
    """These notebooks and the one of every magic in a process of their own, which is left with what they did to it."""
    script = Path(__file__).parents[1] / "tools" / "kernels.py"
    environment = os.environ | {"HOME": str(folder), "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, str(script)],
        input=json.dumps(list(notebooks.values())),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        check=True,
    )
    real, graded, *magics = json.loads(process.stdout)
    outcomes = {name: Ran(r, *g) for name, r, g in zip(notebooks, real, graded, strict=True)}
    return outcomes, magics


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Ran], Any]:
    return ran({name: FORMS[name] for name in QUICK} | MIXED, tmp_path_factory.mktemp("quick"))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    return ran({name: FORMS[name] for name in OTHERS}, tmp_path_factory.mktemp("others"))[0]


def mixed() -> Iterator[tuple[str, list[str]]]:
    """A definition between lines of Jupyter's syntax, drawn by lot."""
    lot = random.Random(19)
    lines = [
        "%time a = 1",
        "!true",
        "len?",
        "b = !true",
        "c = %time 2",
        "await g()",
        "%cd .",
        "d = 3; e = 4",
        "# no more",
        "",
    ]
    lines += ["if True:\n    %time h = 1", "for i in range(2):\n    !true", "%timeit -n1 -r1 1", "k: int = %time 3"]
    for number in range(20):
        before, after = lot.choices(lines, k=lot.randrange(4)), lot.choices(lines, k=lot.randrange(4))
        definition = "def f():\n    return 7" if lot.random() < 0.8 else "def f(:\n    return 7"
        top = lot.choice(["", "", "%%time\n", "%%capture\n", "%%prun\n", "%%timeit -n1 -r1\n", "%%bash\n", "\n\n"])
        if top.startswith("%%"):  # where IPython knows no await
            before, after = ([line for line in some if "await" not in line] for some in (before, after))
        yield f"mixed {number}", ["async def g():\n    return 1", top + "\n".join([*before, definition, *after])]


MIXED = dict(mixed())


def check(cells: Sequence[str], outcome: Ran) -> None:
    """As in IPython; and the check before hand-in says of the cells what comes true when they are graded."""
    assert outcome.graded == outcome.real
    refused = [problem_of({"source": cell}) for cell in cells]
    assert any(refused) == any(error.startswith(REFUSED) for error in outcome.errors)
    if not outcome.errors:
        assert any(defines({"source": cell}, "f") for cell in cells) == ("f" in outcome.graded)


@pytest.mark.parametrize("name", [*QUICK, *MIXED])
def test_a_cell_leaves_behind_what_it_leaves_in_ipython(name: str, quick: tuple[dict[str, Ran], Any]) -> None:
    check((FORMS | MIXED)[name], quick[0][name])


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_other_cells_leave_behind_what_they_leave_in_ipython(name: str, others: dict[str, Ran]) -> None:
    check(FORMS[name], others[name])


def test_after_every_magic_its_cell_goes_on(quick: tuple[dict[str, Ran], Any]) -> None:
    (values, errors), count = quick[1]
    assert errors == []
    assert sum(name.startswith("magic_") for name in values) >= count - 2  # those that clear the names
    assert count > 80


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    library = tmp_path_factory.mktemp("library")
    without((), library)
    return Sandbox(library, bwrap=bubblewrap())


def attempt(sandbox: Sandbox, *sources: str, limits: Limits | None = None) -> Attempt:
    cells = [(f"cell {number}", source) for number, source in enumerate(sources, 1)]
    return Attempt(sandbox, cells, limits or Limits())


def called(attempt: Attempt, name: str) -> Outcome:
    return attempt.call(name, Case((), {}))


UNATTENDED = [
    "a = input('name? ')\nfrom getpass import getpass\nb = getpass()\nbreakpoint()\nimport pdb; pdb.set_trace()",
    "import matplotlib\nmatplotlib.use('TkAgg')\n%matplotlib widget\nimport matplotlib.pyplot as plt\n"
    "plt.plot([1, 2])\nplt.switch_backend('QtAgg')\nfig, axes = plt.subplots()\nplt.show()",
    "import asyncio\nasync def later(): return 4\ntask = asyncio.create_task(later())",
    "c = await task\nloop = asyncio.get_running_loop()",
    "import ipywidgets\nd = []\n@ipywidgets.interact(n=(0, 4))\ndef shown(n):\n    display(n)\n    d.append(n)",
    "%load_ext an_extension_that_is_not_here\n%its_magic 3\n%pip install torch",
    "pip install torch",
    "from course_utils.panels.sparsity import live_training\n@live_training\ndef decorated(): return 5\n"
    "with live_training(1) as panel:\n    for line in panel.lines: pass\npanel['a'] = panel['b']",
    "%%writefile helper.py\ndef half(x): return x / 2",
    "from helper import half\nfrom IPython.display import *\nclear_output()\ndisplay(Markdown('a'))",
    "import torch\n@torch.compile\ndef twice(n): return 2 * n",  # with a C compiler
    "exit()\nimport sys\nprint('a', file=sys.stderr)\ne = get_ipython().__class__.__name__",
    "def results():\n    display(fig)\n    %time z = 1\n    get_ipython().run_line_magic('matplotlib', 'inline')\n"
    "    return [a, b, c, decorated(), half(8), len(plt.get_fignums()) > 0, twice(torch.ones(1)).item()]",
]


def test_nobody_is_asked_and_no_window_is_opened(sandbox: Sandbox) -> None:
    with attempt(sandbox, *UNATTENDED) as graded:
        outcome = called(graded, "results")
    assert [trouble.sentence for trouble in graded.troubles.values()] == []
    assert outcome.value == ["", "", 4, 5, 4.0, True, 2]


# A cell, what is said of it, and whether a function that is graded may miss something; F, H and I are names.
LOST = [
    ("def F(x:\n    return 1", "was not run: SyntaxError: '\\(' was never closed", True),
    ("this is no code", "was not run: SyntaxError: invalid syntax", True),
    ("%load_ext memory\n%memit F()", "", False),
    ("%%memit\ndef F():\n    return 1", "raises UsageError: Cell magic `%%memit` not found", True),
    ("%%debug\nH = 3", "raises UsageError: what stands below %%debug was not run", True),
    ("%%time\nimport nothing_here\ndef F():\n    return 1", "raises ModuleNotFoundError: .*line 2 of", True),
    ("import nothing_here\nH = 3\n", "raises ModuleNotFoundError", True),
    ("import nothing_here as I\n", "raises ModuleNotFoundError", True),
    ("%%capture\n\n1 / 0\nH = 3", "raises ZeroDivisionError: .*line 3 of", True),
    ("H = 3\nresult = 1 / 0\nmore = 4", "raises ZeroDivisionError: .*line 2 of", False),
    ("import torch\nassert F(torch.ones(2)) == 1", "raises NameError", False),
    ("H = [\n    1,\n    1 / 0,\n]", "raises ZeroDivisionError: .*line 3 of", True),
    ("if True:\n    1 / 0\n    def F(): return 1", "raises ZeroDivisionError", True),
    ("import os\nos._exit(0)", "was left out: the process ended", True),
    ("await 3\nH = 1", "raises TypeError", True),
    ("import sys\nsys.exit()", "raises SystemExit", False),
    ("class No(Exception):\n    __len__ = lambda self: 0\nraise No\nH = 1", "raises No", True),
    ("%%capture\nraise No\nH = 1", "raises No", True),
    ("I = 4\nreturn 4\nH = 1", "raises SyntaxError: 'return' outside function", True),
    ("while True: H = 1", "raises Late", False),
    ("while True: await asyncio.sleep(0)\nH = 1", "raises Late", True),
]
USER = """
import torch, functools, asyncio
@functools.cache
def middleF():
    return I(H)
class ClassF:
    def method(self): return F()
def userF():
    return [middleF() for _ in ClassF().parts]
"""


@pytest.fixture(scope="module")
def troubles(sandbox: Sandbox) -> dict[int, tuple[Trouble | None, frozenset[str]]]:
    """Of each of these cells what went wrong, and what is needed by the function that is graded."""
    sources = [re.sub(r"[FHI]\b", rf"\g<0>_{n}", source) for n, (source, *_) in enumerate(LOST)]
    users = [re.sub(r"[FHI]\b", rf"\g<0>_{n}", USER) for n, _ in enumerate(LOST)]
    with attempt(sandbox, "import asyncio", *sources, *users, limits=Limits(cell=1, patience=20)) as graded:
        needs = [graded.needed([f"userF_{n}"]) or frozenset() for n, _ in enumerate(LOST)]
    return {n: (graded.troubles.get(n + 1), need) for n, need in enumerate(needs)}


@pytest.mark.parametrize("number", range(len(LOST)))
def test_a_cell_from_which_a_graded_function_may_miss_something_is_told(
    number: int, troubles: dict[int, tuple[Trouble | None, frozenset[str]]]
) -> None:
    _, sentence, concerns = LOST[number]
    trouble, needed = troubles[number]
    assert needed >= {f"{name}_{number}" for name in ("F", "H", "I", "middleF", "ClassF", "userF")}
    if trouble is None:
        assert sentence == ""
        return
    assert sentence
    assert re.match(f"cell {number + 2} {sentence}", trouble.sentence)
    assert trouble.concerns(needed) is concerns
    assert ("Restart Kernel and Run All Cells" in trouble.note(needed)) is concerns


@pytest.mark.parametrize(
    ("lost", "needed", "concerns"),
    [(None, frozenset("f"), True), (frozenset("x"), None, True), (frozenset("x"), frozenset("f"), False)],
)
def test_where_it_is_not_known_what_a_cell_has_lost_it_is_told(
    lost: frozenset[str] | None, needed: frozenset[str] | None, concerns: bool
) -> None:
    assert Trouble("cell 1 raises an error", lost).concerns(needed) is concerns


def test_an_error_is_told_whatever_its_text_does_and_the_process_goes_on(sandbox: Sandbox) -> None:
    source = """
import time
calls = []
class Long(Exception):
    def __str__(self):
        end = time.process_time() + 1
        while time.process_time() < end: pass
        return "long"
class Broken(Exception):
    def __str__(self): raise SystemExit
def long():
    calls.append(1)
    raise Long
def broken():
    calls.append(1)
    raise Broken
def count():
    return len(calls)
"""
    with attempt(sandbox, source, "raise Broken", limits=Limits(call=0.2, patience=100)) as graded:
        assert called(graded, "long").error == "Long: long (line 13 of cell 1)"
        assert called(graded, "broken").error == "an error that fails while its text is made"
        assert called(graded, "count").value == 2
    (trouble,) = graded.troubles.values()
    assert trouble.sentence == "cell 2 raises an error that fails while its text is made"


def test_a_cell_that_awaits_for_ever_is_stopped_wherever_the_time_is_over(sandbox: Sandbox) -> None:
    source = "import asyncio\nwhile True: await asyncio.sleep(0)"
    with attempt(sandbox, *[source] * 10, limits=Limits(cell=0.05, patience=400)) as graded:
        assert graded.needed(["f"]) == {"f"}
    sentences = [trouble.sentence for trouble in graded.troubles.values()]
    assert all(re.match(r"cell \d+ raises Late: it takes too long", sentence) for sentence in sentences)
    assert len(sentences) == 10


def test_a_lost_cell_is_in_the_attention_and_in_the_feedback_and_a_check_that_fails_is_not() -> None:
    source = json.loads((EXERCISES / "source" / "ex04" / "ex04.ipynb").read_text())
    for cell in source["cells"]:
        name = cell["metadata"]["nbgrader"]["grade_id"]
        if name == "ex04-soft_threshold":
            cell["source"] = ["import nothing_here\n", *cell["source"]]
        if name == "ex04-group_penalty-check":
            cell["source"] = "result = group_penalty(torch.ones(2, 2), dim=5)"
    record = mark(Job(answer_key(EXERCISES, "ex04"), read_notebook(json.dumps(source).encode())))
    lost, unchecked, failed, *_ = record["notes"]
    assert re.fullmatch(r"cell \d+ raises ModuleNotFoundError: .*, so soft_threshold did not become .* save .*\.", lost)
    assert re.fullmatch(r"cell \d+ raises NameError: .*\)", unchecked)
    assert re.fullmatch(r"cell \d+ raises IndexError: .*\)", failed)
    (reason,) = record["attention"]
    assert lost.startswith(reason)
