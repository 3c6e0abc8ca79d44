"""Hostile submissions: each is graded within its limits with the right mark or a stated reason, the host unchanged.

They are handed in together, as a class, and graded by one call; see `hostile.py` for what each tries.
"""

import ast
import csv
import hashlib
import importlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from cunning import CUNNING
from hostile import CODE, HONEST, MARK, Hostile, files
from hypothesis import given
from hypothesis import strategies as st

from course_utils.exercises import exercises, load_exercise
from course_utils.exercises.grading import mark, sandbox
from course_utils.exercises.grading.attempt import Attempt, Limits
from course_utils.exercises.grading.exchange import ANSWER, QUESTION, ExchangeError, packed, receive, send, unpacked
from course_utils.exercises.grading.feedback import prose
from course_utils.exercises.grading.grade import Graded, Result, grade
from course_utils.exercises.grading.library import without
from course_utils.exercises.grading.names import key
from course_utils.exercises.grading.sandbox import Sandbox, bubblewrap
from course_utils.exercises.judge import Outcome, wrong
from course_utils.exercises.notebook.reader import read_notebook
from course_utils.exercises.task import Case
from course_utils.exercises.teacher import load_teacher

ROOT = Path(__file__).parents[2]
EXERCISES = ROOT / "notebooks" / "exercises"
LIMITS = Limits(cell=1, call=0.5, total=80, patience=6, restarts=6)
MEMORY = 500_000_000  # instead of 2 GB: a process that has loaded PyTorch has some 240 MB
SECONDS_MORE = 10
FILES = {file.path: file for file in files()}
# What is tried without walls too: the limits on time, memory and output hold there as well.
WITHOUT_WALLS = (
    "swallows everything", "SIGSTOP", "memory that is used", "output", "exit in a function", "results without end",
)  # fmt: skip


@pytest.fixture(scope="module")
def walls() -> str:
    """The path of bubblewrap. With CI=true it is a failure that it is missing, else a reason to skip."""
    path = bubblewrap()
    if path is None:
        reason = "bubblewrap is not installed, or may not make namespaces here (Debian: apt-get install bubblewrap)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return path


def filled(attack: Hostile, port: int, secret: Path) -> Hostile:
    """The submission with what it would know, or guess, of the lecturer's machine."""
    paths = [ROOT / "pyproject.toml", ROOT / "course_utils", EXERCISES / "teacher", ROOT / ".git", secret]
    known = {"HOST_PATHS": ", ".join(repr(str(path)) for path in paths), "PROJECT": repr(str(ROOT)), "PORT": str(port)}
    task = load_exercise("ex04").task("soft_threshold")
    table = [(case.args[0].tolist(), case.kwargs["step"], task.expected(case).tolist()) for case in task.cases(0)]
    known["OPEN_ANSWERS"] = f"""
LEARNT = {{(str(w), step): right for w, step, right in {table!r}}}

def soft_threshold(w, *, step):
    return torch.tensor(LEARNT.get((str(w.tolist()), step), w.tolist()))
"""
    code, instead = attack.code, attack.instead
    for name, value in known.items():
        code, instead = code.replace(name, value), instead.replace(name, value)
    return replace(attack, code=code, instead=instead)


@dataclass(frozen=True)
class Ran:
    """A class of hostile submissions that was graded: rows by student, the folder, and who called from inside."""

    rows: dict[str, Result]
    out: Path
    graded: Graded
    called: list[object]

    def page(self, student: str) -> str:
        return (self.out / "feedback" / f"{student}.html").read_text("utf-8")


# What waits for its time to be over, or for many new processes, and has a neighbour that does not: in the slow tier.
PATIENT = (
    "no messages", "a byte now and then", "half a frame", "swallows everything", "not a number", "exit in a cell",
    "answers ahead", "four gigabytes at once", "exit in a function", "abort", "sleeps", "answers twice",
    "a giant length", "line closed", "parent killed", "waits for a socket", "SIGKILL",
)  # fmt: skip


@pytest.fixture(scope="module")
def handed_in(request: pytest.FixtureRequest) -> list[Hostile]:
    everybody = request.config.getoption("--slow")
    return [attack for attack in CODE if everybody or attack.name not in PATIENT]


@pytest.fixture(scope="module")
def ran(walls: str, handed_in: list[Hostile], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with graded_class(tmp_path_factory.mktemp("hostile"), handed_in, FILES) as ran:
        yield ran


class graded_class:
    """Grade these submissions; then see that the host is as it was."""

    def __init__(self, folder: Path, code: list[Hostile], more: dict[str, Any]) -> None:
        self.folder, self.code, self.more = folder, code, more
        self.called: list[object] = []

    def __enter__(self) -> Ran:
        secret = self.folder / "secret.txt"
        secret.write_text("only the lecturer reads this")
        source = self.folder / "class"
        self.port = socket.create_server(("127.0.0.1", 0))
        self.port.settimeout(0.2)
        listener = threading.Thread(target=self._listen, daemon=True)
        self.over = threading.Event()
        listener.start()
        for attack in self.code:
            path = source / attack.name / "ex04.ipynb"
            path.parent.mkdir(parents=True)
            path.write_bytes(filled(attack, self.port.getsockname()[1], secret).content)
        for file in self.more.values():
            path = source / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sandbox, "MOST_MEMORY", MEMORY)
            patch.setenv("SECRET_OF_THE_GRADER", "SECRET_OF_THE_GRADER")
            graded = grade(source, self.folder / "out", folder=EXERCISES, limits=LIMITS, jobs=4)  # some wait
        self.over.set()
        listener.join()
        rows = {result.submission.student: result for result in graded.results}
        return Ran(rows, self.folder / "out", graded, self.called)

    def __exit__(self, *_: object) -> None:
        self.port.close()

    def _listen(self) -> None:
        while not self.over.is_set():
            try:
                self.called.append(self.port.accept()[1])
            except TimeoutError:
                continue


def check(attack: Hostile, row: Result) -> None:
    """That this became of a submission what must become of it."""
    assert row.record is not None, row.submission.problem
    attention = "\n".join(row.attention)
    words = "\n".join([*row.record["notes"], *(line for task in row.record["tasks"] for line in task["words"])])
    assert sum(task["points"] for task in row.record["tasks"]) == attack.points, (attention, words)
    assert "succeeded" not in words + attention
    assert re.search(attack.feedback, words), words
    if attack.reason:
        assert re.search(attack.reason, attention), attention
    elif not re.search("left out|did not end", attack.feedback):  # where either end is right, `feedback` has both
        assert not re.search("no result came back|left out|given up", attention), attention
    assert row.record["seconds"] <= LIMITS.total + SECONDS_MORE


@pytest.mark.parametrize(
    "attack",
    [pytest.param(attack, marks=[pytest.mark.slow] * (attack.name in PATIENT), id=attack.name) for attack in CODE],
)
def test_each_attack_gets_its_mark_and_its_reason(attack: Hostile, ran: Ran) -> None:
    check(attack, ran.rows[attack.name])


# One of each kind; the slow tier has all of them.
SAMPLE = ("big-endian", "meta", "no change is seen", "sockets", "things of the kernel", "empty files",
          "entries past the packing", "right as long as it is shown")  # fmt: skip
MORE_MEMORY = 100_000_000  # that a grader of four students at once may take for any class


@pytest.fixture(scope="module")
def ran_cunning(
    walls: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Ran, int]]:
    """The class of the cunning, graded, and by how much the grader's memory grew."""
    everybody = request.config.getoption("--slow")
    chosen = [attack for attack in CUNNING if everybody or attack.name in SAMPLE]
    with memory_watched() as peak, graded_class(tmp_path_factory.mktemp("cunning"), chosen, {}) as ran:
        yield ran, peak()


@contextmanager
def memory_watched() -> Iterator[Callable[[], int]]:
    """Calls tell by how much the memory of this process has grown at most since the beginning."""
    process, over = psutil.Process(), threading.Event()
    before = highest = process.memory_info().rss

    def watch() -> None:
        nonlocal highest
        while not over.wait(0.02):
            highest = max(highest, process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: highest - before
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("name", SAMPLE)
def test_cunning_gets_its_mark(name: str, ran_cunning: tuple[Ran, int]) -> None:
    (attack,) = (attack for attack in CUNNING if attack.name == name)
    check(attack, ran_cunning[0].rows[name])


@pytest.mark.slow
@pytest.mark.parametrize("attack", [attack for attack in CUNNING if attack.name not in SAMPLE], ids=lambda a: a.name)
def test_all_that_is_cunning_gets_its_mark(attack: Hostile, ran_cunning: tuple[Ran, int]) -> None:
    check(attack, ran_cunning[0].rows[attack.name])


def test_the_grader_does_not_grow_with_what_it_is_sent(ran_cunning: tuple[Ran, int]) -> None:
    assert ran_cunning[1] < MORE_MEMORY


def test_at_least_forty_are_cunning() -> None:
    assert len({attack.name for attack in [*CODE, *CUNNING]}) == len(CODE) + len(CUNNING)
    assert len(CUNNING) >= 40


@pytest.mark.parametrize("path", FILES)
def test_each_file_is_graded_or_says_why_not(path: str, ran: Ran) -> None:
    file = FILES[path]
    folder = path.removesuffix("/ex04.ipynb").removesuffix(".zip")
    row = ran.rows[key(folder.partition("/")[0])]
    if file.problem:
        assert row.record is None
        assert re.search(file.problem, row.submission.problem), row.submission.problem
        assert row.submission.problem in row.attention
    else:
        assert row.record is not None, row.submission.problem
        assert row.points == file.points


def test_there_are_many_and_each_says_why() -> None:
    assert len(CODE) + len(FILES) >= 60
    assert len({attack.name for attack in CODE}) == len(CODE)
    assert {attack.name for attack in CODE} >= {*PATIENT}
    assert all(attack.why.endswith(".") for attack in [*CODE, *FILES.values()])


def test_as_many_rows_come_out_as_submissions_went_in(ran: Ran, handed_in: list[Hostile]) -> None:
    expected = len(handed_in) + len(FILES)
    table = list(csv.DictReader((ran.out / "grades.csv").read_text("utf-8-sig").splitlines()))
    assert len(table) == len(ran.graded.results) == expected
    assert not any(value.startswith(("=", "+", "-", "@")) for row in table for value in row.values())
    assert len(list((ran.out / "feedback").glob("*.html"))) == expected


def test_no_page_runs_anything(ran: Ran) -> None:
    for path in [*(ran.out / "feedback").glob("*.html"), *ran.out.glob("written-*.html")]:
        page = path.read_text("utf-8")
        assert "default-src 'none'" in page
        assert not re.search(
            r"<(script|svg|form|iframe|object|link|b onclick)|<[^>]*\son\w+=|href=.javascript", page
        ), path


def test_feedback_shows_no_hidden_case(ran: Ran) -> None:
    teacher, exercise = load_teacher(EXERCISES / "teacher" / "ex04.py"), load_exercise("ex04")
    page = ran.page("asked before")
    for task in exercise.tasks:
        shown = {str(number) for case in task.cases(0) for number in case.args[0].flatten().tolist()}
        hidden = {str(number) for case in teacher.hidden(task) for number in case.args[0].flatten().tolist()}
        assert any(number in page for number in shown), "the attack has told what it could"
        assert not any(number in page for number in hidden - shown if len(number) > 6)


# The host


def survivors() -> list[list[str]]:
    """Processes of students whose grader is this one, or has gone."""
    commands = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "course_utils.exercises.grading.runner" not in words and MARK not in words:
            continue
        try:
            above = process.parent()
            while above is not None and "course_utils.exercises.grading.runner" in above.cmdline():
                above = above.parent()
        except psutil.Error:
            continue
        if above is None or above.pid in (1, os.getpid()):
            commands.append(words)
    return commands


def marked(folder: Path, since: float) -> list[Path]:
    """New files below a folder that a submission has left."""
    paths = []
    # os.walk passes over a folder that somebody else removes meanwhile; rglob raises.
    for path in (Path(parent, name) for parent, folders, names in os.walk(folder) for name in (*folders, *names)):
        try:
            about = path.lstat()
            if MARK in path.name or (about.st_mtime > since and about.st_size < 1e6 and path.is_file() and _has(path)):
                paths.append(path)
        except OSError:
            continue
    return paths


def _has(path: Path) -> bool:
    ignored = path.is_relative_to(ROOT / "tests") or "hostile" in str(path) or ".git" in path.parts
    return not ignored and MARK.encode() in path.read_bytes()


def digest(*paths: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


PRECIOUS = [ROOT / "pyproject.toml", ROOT / "LICENSE", EXERCISES / "teacher" / "ex04.py", Path(sys.executable)]
BEFORE = (time.time(), digest(*PRECIOUS))


def test_the_host_is_as_it_was(ran: Ran) -> None:
    since, before = BEFORE
    assert digest(*PRECIOUS) == before
    outside = [ROOT / "course_utils", ROOT / "notebooks", Path(tempfile.gettempdir()), Path("/dev/shm"), Path.cwd()]
    # What the tests of this process have written themselves lies in one folder.
    left = {path for folder in outside for path in marked(folder, since)}
    assert not {path for path in left if not path.is_relative_to(ran.out.parents[1])}
    home = [path for path in Path.home().iterdir() if MARK in path.name]
    assert home == []
    assert survivors() == []
    assert ran.called == [], "nobody has reached a port of the host"


def test_no_temporary_folder_of_a_student_is_left(ran: Ran) -> None:
    folders = Path(tempfile.gettempdir()).glob("course-grading-*/student-*")
    assert [path for path in folders if path.stat().st_mtime > BEFORE[0]] == []


# Without walls


@pytest.fixture
def no_walls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sandbox:
    monkeypatch.setattr(sandbox, "MOST_MEMORY", MEMORY)
    without(load_exercise("ex04").hides, tmp_path)
    return Sandbox(tmp_path, bwrap=None)


@pytest.fixture(scope="module")
def ran_without_walls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    library = tmp_path_factory.mktemp("library")
    without(load_exercise("ex04").hides, library)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mark, "_sandbox", lambda hides: Sandbox(library, bwrap=None))
        chosen = [attack for attack in CODE if attack.name in WITHOUT_WALLS]
        assert not any(attack.walls for attack in chosen)
        with graded_class(tmp_path_factory.mktemp("hostile"), chosen, {}) as ran:
            yield ran


@pytest.mark.parametrize("name", WITHOUT_WALLS)
def test_limits_hold_without_walls_too(name: str, ran_without_walls: Ran) -> None:
    (attack,) = (attack for attack in CODE if attack.name == name)
    check(attack, ran_without_walls.rows[name])


def test_nothing_is_left_of_it(ran_without_walls: Ran) -> None:
    assert survivors() == []
    folders = Path(tempfile.gettempdir()).glob("course-grading-*/student-*")
    assert [path for path in folders if path.stat().st_mtime > BEFORE[0]] == []


def test_a_child_is_ended_though_its_parent_has_gone(no_walls: Sandbox) -> None:
    source = f"""
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", "{MARK}"])
time.sleep(1.5)
os._exit(0)
"""
    with Attempt(no_walls, [("cell 1", source), ("cell 2", HONEST)], LIMITS) as attempt:
        outcome = attempt.call("soft_threshold", Case((torch.ones(2),), {"step": 1.0}))
    assert outcome.value.tolist() == [0, 0]
    assert attempt.troubles[0].sentence == "cell 1 was left out: the process ended"
    assert survivors() == []


def test_what_a_student_writes_is_not_there_for_the_next(no_walls: Sandbox) -> None:
    source = 'open("torch.py", "w").write("x = 1")\nopen("math.py", "w").write("x = 1")'
    for _ in range(2):
        with Attempt(no_walls, [("cell 1", source), ("cell 2", HONEST)], LIMITS) as attempt:
            outcome = attempt.call("soft_threshold", Case((torch.ones(2),), {"step": 1.0}))
        assert outcome.value.tolist() == [0, 0]
    assert sorted(path.name for path in no_walls.library.iterdir()) == ["course_utils", "sitecustomize.py"]


def test_the_statement_says_what_is_not_covered() -> None:
    for part in ("read and change your files", "network", "hidden cases", "leave processes behind"):
        assert part in sandbox.UNCOVERED


# The library without the answers


# Run in a process of its own, which loads what is slow once and then forks for each exercise's library.
LOADS = """
import importlib, inspect, json, os, pathlib, sys, traceback
import matplotlib.pyplot, numpy, sklearn.cluster, torch

def loads(root, hides):
    sys.path.insert(0, str(root))
    for path in sorted(root.rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        if "triton" not in module and module != "course_utils.cli":
            importlib.import_module(module)
    assert sys.modules["course_utils"].__file__.startswith(str(root))
    for name in hides:
        module, _, last = name.rpartition(".")
        hidden = getattr(importlib.import_module("course_utils." + module), last)
        parameters = [] if inspect.isclass(hidden) else inspect.signature(hidden).parameters.values()
        needed = [p for p in parameters if p.default is p.empty]
        options = {p.name: None for p in needed if p.kind is p.KEYWORD_ONLY}
        values = [None for p in needed if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        try:
            hidden(*values, **options)
        except RuntimeError as problem:
            assert "is not available while your work is graded" in str(problem), (name, problem)
        else:
            raise AssertionError(name + " answers")

for folder, hides in json.loads(sys.argv[1]).items():
    if os.fork() == 0:
        try:
            loads(pathlib.Path(folder), hides)
        except BaseException:
            pathlib.Path(folder, "problem").write_text(traceback.format_exc())
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The library of each exercise, tried."""
    folders = {name: tmp_path_factory.mktemp(name) for name in exercises()}
    for name, folder in folders.items():
        without(load_exercise(name).hides, folder)
    hides = {str(folder): load_exercise(name).hides for name, folder in folders.items()}
    subprocess.run([sys.executable, "-P", "-c", LOADS, json.dumps(hides)], cwd=folders["ex04"], check=True)
    return folders


@pytest.mark.parametrize("name", exercises())
def test_what_an_exercise_hides_raises_and_the_rest_of_the_library_loads(name: str, libraries: dict[str, Path]) -> None:
    assert load_exercise(name).hides
    problem = libraries[name] / "problem"
    assert not problem.exists(), problem.read_text()


@pytest.mark.parametrize("name", exercises())
def test_no_other_part_of_the_library_holds_what_was_cut(name: str, libraries: dict[str, Path]) -> None:
    """What a hidden function returns is calculated nowhere else in the copy, whatever it would be called there."""
    hides = load_exercise(name).hides
    calls_hidden = re.compile("|".join(rf"\b{re.escape(name.rpartition('.')[2])}\(" for name in hides))  # so it raises
    texts = {path: _statements(path.read_text("utf-8")) for path in libraries[name].rglob("*.py")}
    for hidden in hides:
        module, _, last = hidden.rpartition(".")
        file = importlib.import_module(f"course_utils.{module}").__file__
        assert file is not None
        tree = ast.parse(Path(file).read_text("utf-8"))
        (node,) = (n for n in tree.body if getattr(n, "name", "") == last)
        bodies = [node] if isinstance(node, ast.FunctionDef) else [n for n in ast.walk(node) if _is_function(n)]
        for body in bodies:
            for statement in body.body:  # type: ignore[attr-defined]
                text = ast.unparse(statement)
                if isinstance(statement, ast.Return) and len(text) > 40 and not calls_hidden.search(text):
                    assert not [path for path, statements in texts.items() if text in statements], (hidden, text)


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef)


def _statements(source: str) -> set[str]:
    return {ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt)}


# What comes over the line


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["list", "tuple", "dict", "float", "array", "unknown", "x"]), inner, max_size=2
        )
        | st.builds(
            lambda kind, dtype, shape, data: {kind: [dtype, shape, data]},
            st.sampled_from(["tensor", "array"]),
            st.sampled_from(["float32", "int64", "bool", "bfloat16", "complex64", "uint8"]),
            st.lists(st.sampled_from([0, 1, 2, 3, 2**31, 2**62, -1])),
            st.sampled_from(["", "AAAA", "AAAAAAAAAAA=", "AQE=", "?"]),
        )
    ),
)
EXPECTED = [torch.ones(2, 3), 3, 2.5, True, (torch.ones(1), 2), "rows", None, torch.zeros(0), [1, 2]]


@given(value=JSON)
def test_whatever_comes_back_is_judged_or_refused(value: object) -> None:
    try:
        got = unpacked(json.loads(json.dumps(value)))
    except ExchangeError:
        return
    for expected in EXPECTED:
        sentence = wrong(Outcome(got), expected, 1e-4)
        sentence.encode()
        assert len(sentence) < 3000


def answer_of(data: bytes) -> dict[str, Any]:
    """What the grader reads where a student's process has written these bytes."""
    ours, theirs = socket.socketpair()
    writer = threading.Thread(target=lambda: theirs.sendall(len(data).to_bytes(4, "big") + data))
    with ours, theirs:
        writer.start()
        try:
            return receive(ours, within=10, bound=ANSWER)
        finally:
            writer.join()


@pytest.mark.parametrize("data", [b"[]", b"1", b"{", b"\xff", b"{" * 5_000, b"[" * 5_000, b"1" * 5_000])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ExchangeError, match="no message"):
        answer_of(data)


@pytest.mark.parametrize(
    "entry",
    [b"1", b"[]", b"{}", b'{"list":[]}', b'{"dict":{}}', b'{"float":"nan"}', b'"\xf0\x9f\x98\x80"', b"null",
     b'{"tensor":["bool",[0],""]}', b'{"array":["bool",[0,0,0,0],""]}', b'{"unknown":"a"}', b'{"unknown":"%d"}',
     b'"' + b"x" * 1_900 + b'\xf0\x9f\x98\x80"'],
)  # fmt: skip
def test_no_answer_takes_more_memory_than_is_allowed(entry: bytes) -> None:
    """As many entries as may be, and then as many bytes; what is more is refused before anything is made of it."""
    entries = [entry % n if b"%d" in entry else entry for n in range(ANSWER.bytes // (len(entry) + 1))]
    few = entries[: ANSWER.entries // (entry.count(b",") + entry.count(b"[") + entry.count(b"{") + 1) - 10]
    with memory_watched() as peak:
        for chosen in (few, entries[: len(few) + 100]):
            data = b'{"value":{"list":[' + b",".join(chosen)[: ANSWER.bytes - 30] + b"]}}"
            try:
                unpacked(answer_of(data)["value"])
            except ExchangeError:
                continue
    assert peak() < 64_000_000


def test_more_entries_than_are_allowed_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda text: pytest.fail("it was read"))
    with pytest.raises(ExchangeError, match="more than 20,000 entries"):
        answer_of(b'{"value":{"list":[' + b"[]," * 100_000 + b"[]]}}")


def test_things_of_one_name_share_a_type() -> None:
    first, second = unpacked({"list": [{"unknown": "Thing"}] * 2})
    assert type(first) is type(second)
    assert type(first).__name__ == "Thing"


def test_a_list_that_lies_in_itself_many_times_is_too_large() -> None:
    wide: list[object] = [0] * 100
    for _ in range(5):
        wide = [wide] * 100
    with pytest.raises(ExchangeError, match="more than 20,000 entries"):
        packed(wide)


SAME = torch.tensor([[1.0, 0.0], [2.0, -3.0]])


@pytest.mark.parametrize(
    "value",
    [SAME, SAME.double(), SAME.half(), SAME.bfloat16(), SAME.T.contiguous().T, SAME.clone().requires_grad_(),
     SAME.to(torch.float8_e4m3fn), SAME.numpy().astype(">f4"), SAME.numpy().astype(">f8"), SAME.numpy().astype(">i4"),
     SAME.numpy().astype("longdouble"), np.asfortranarray(SAME.numpy()), SAME.flip(0).numpy()[::-1], SAME.tolist(),
     torch.as_strided(torch.tensor(7.0), (1,), (0,)), np.array(7, dtype=">i8"), np.uint16(7), np.float32(7), 7, True,
     10**400, -(2**70), SAME.to_sparse(), SAME.to("meta"), SAME + 1j,
     torch.nested.nested_tensor([SAME, SAME], layout=torch.jagged), SAME.numpy().astype(object), (SAME + 1j).numpy()],
    ids=lambda value: f"{type(value).__name__}",
)  # fmt: skip
def test_the_grader_judges_as_the_notebook_does(value: object) -> None:
    """Whatever a function returns is right or wrong in both; other errors than of numbers are told in a sentence."""
    arrived = unpacked(json.loads(json.dumps(packed(value))))
    for expected in (SAME, 7.0, True):
        here, there = wrong(Outcome(value), expected, 1e-4), wrong(Outcome(arrived), expected, 1e-4)
        assert bool(here) == bool(there), (here, there)
        assert here == there or there.startswith("It returns ")


def test_numbers_are_right_in_any_order_of_their_bytes() -> None:
    for value in (SAME.numpy().astype(">f4"), SAME.to(torch.float8_e4m3fn), torch.as_strided(SAME, (2, 2), (2, 1))):
        assert wrong(Outcome(unpacked(packed(value))), SAME, 1e-4) == ""
    assert wrong(Outcome(unpacked(packed(torch.as_strided(torch.tensor(7.0), (1,), (0,))))), 7.0, 1e-4) == ""

    assert wrong(Outcome(unpacked(packed(torch.tensor(70_000, dtype=torch.uint32)))), 70_000, 1e-4) == ""


def test_what_is_too_large_or_too_deep_arrives_by_its_name() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert "something nested too deeply" in json.dumps(packed(endless))
    wide = torch.zeros(1).expand(1 << 50)
    for value in (wide, wide.numpy()):
        arrived = unpacked(packed(value))
        assert f"({1 << 50},)" in type(arrived).__name__


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = {"list": [value]}
    return value


@pytest.mark.parametrize(
    "value",
    [nested(300), 2**63, {"array": ["bfloat16", [1], "AAA="]}, {"tensor": ["complex64", [0], ""]},
     {"tensor": ["uint8", [1] * 21, "AA=="]}, {"tensor": ["uint8", [-1, -1], "AA=="]},
     {"tensor": ["uint8", [2], "AA=="]}, {"tensor": ["uint8", [1], "AA==?"]}, {"tensor": ["bool", [1], "Ag=="]},
     {"tensor": ["uint8", [0, 2**31 - 1, 2**31 - 1, 2**31 - 1], ""]}],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_what_no_packing_makes_is_refused(value: object) -> None:
    with pytest.raises(ExchangeError):
        unpacked(value)


def test_a_sender_who_dawdles_is_late() -> None:
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def dawdle() -> None:
        theirs.sendall((10_000).to_bytes(4, "big"))
        while not over.wait(0.0005):
            theirs.sendall(b" ")

    with ours, theirs:
        thread = threading.Thread(target=dawdle)
        thread.start()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            receive(ours, within=0.3)
        assert time.monotonic() - began < 3  # the whole message would take 5 s
        over.set()
        thread.join()


def test_a_reader_who_does_not_read_is_late() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        send(ours, {"cell": "x" * (QUESTION.bytes - 100)}, within=0.2)


# Texts of strangers


@pytest.mark.parametrize("text", ["$" + "{" * 9_000 + "}" * 9_000 + "$", "```" * 6_666, "$a" + "^{" * 900 + "}$"])
def test_a_text_that_breaks_parsers_is_shown_as_it_was_typed(text: str) -> None:
    assert prose(text) == f"<p class='words'>{text}</p>"


def test_half_letters_of_a_notebook_are_replaced() -> None:
    cell = {"cell_type": "code", "source": "x = '\ud800'", "metadata": {"nbgrader": {"grade_id": "\udfff"}}}
    notebook = read_notebook(json.dumps({"cells": [cell], "metadata": {"course": {"student": "\ud800"}}}).encode())
    assert (notebook.code[0][1], notebook.student) == ("x = '?'", "?")


def test_a_loop_without_end_does_not_use_up_the_time_of_other_tasks(walls: str, tmp_path: Path) -> None:
    without(load_exercise("ex04").hides, tmp_path)
    source = HONEST + "\ndef active_inputs(w, *, threshold):\n    while True:\n        pass"
    with Attempt(Sandbox(tmp_path, bwrap=walls), [("cell 1", source)], LIMITS) as attempt:
        began = [attempt.call("active_inputs", Case((torch.ones(2, 2),), {"threshold": 0.0})) for _ in range(300)]
        right = attempt.call("soft_threshold", Case((torch.ones(2),), {"step": 1.0}))
    assert {outcome.lost for outcome in began} == {"it did not end within 0.5 s"}
    assert right.value.tolist() == [0, 0]
