"""Cells with what only Jupyter understands are plain Python for the check before hand-in and for the grader."""

import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.exercises.grading.runner import Shell
from course_utils.exercises.notebook.answers import defines, problem_of
from course_utils.exercises.notebook.jupyter import compiled, tree_of

LINE, CELL = "get_ipython().run_line_magic", "get_ipython().run_cell_magic"
CELLS = {
    "%matplotlib inline\nx = 1": f"{LINE}('matplotlib', 'inline')\nx = 1",
    "x = 1\n!ls -l\nx?": f"x = 1\nget_ipython().system('ls -l')\n{LINE}('pinfo', 'x')",
    "%%bash\nls": f"{CELL}('bash', '', 'ls\\n')",
    "%%time\nx = 1": "x = 1",
    "%%time\n%time x = 1\n!ls": "x = 1\nget_ipython().system('ls')",
    "%%capture --no-stderr out\nx = 1": "x = 1\nout = get_ipython()",
    's = """\n%not a magic\n"""\n!ls': "s = '\\n%not a magic\\n'\nget_ipython().system('ls')",
    "a = (7\n  % 3)": "a = 7 % 3",
    "a = 7 \\\n  % 3": "a = 7 % 3",
    "if True:\r\n    %time x = 3\r\n": "if True:\n    x = 3",
    "x = %time 3": "x = 3",
    "x = !ls": "x = get_ipython().getoutput('ls')",
    ">>> x = 1\n>>> y = 2": "x = 1\ny = 2",
    "  x = 1\n  y = 2": "x = 1\ny = 2",
    "%%timeit\nx = 1": "x = 1",
    "%%prun\nx = 1": "x = 1",
}


@pytest.mark.parametrize("source", CELLS)
def test_a_cell_is_read_as_jupyter_reads_it_and_runs_without_its_shell(source: str) -> None:
    assert ast.unparse(tree_of(source, "cell 1")) == CELLS[source]
    assert problem_of({"source": source}) == ""
    space: dict[str, Any] = {"get_ipython": Shell}
    exec(compiled(source, "cell 1"), space)


@pytest.mark.parametrize(
    ("source", "line"),
    [("%magic\ndef f(:", 2), ("\n \n%%time\nx = 1\ndef f(:", 5), ("%time f(\n", 1), ("\nawait f()", 2)],
)
def test_what_is_no_python_either_way_is_an_error_with_its_line(source: str, line: int) -> None:
    with pytest.raises(SyntaxError) as caught:
        compiled(source, "cell 1")
    assert caught.value.lineno == line
    assert problem_of({"source": source}).startswith(f"line {line}: ")


def test_an_error_in_a_cell_of_magics_is_known_by_its_line() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compiled("\n%%time\nx = 1\n%time y = 1 / 0", "cell 1"), {"get_ipython": Shell})
    assert caught.traceback[-1].lineno + 1 == 4


@pytest.mark.parametrize("source", ["%%time\ndef half(x):\n    return x / 2", "%time\ndef half(x): return x / 2"])
def test_a_function_below_a_magic_counts(source: str) -> None:
    assert defines({"source": source}, "half")
    assert not defines({"source": f"%%bash\n{source}"}, "half")


PIECES = ["%time", "%%time", "%ls", "!", "?", "x", "= ", "\n", "  ", "(", ")", '"""', "\\", "def f():", "\0", ">>> "]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_text_is_code_or_has_a_problem(source: str) -> None:
    """The grader runs just those cells that the check before hand-in finds nothing wrong with."""
    try:
        compiled(source, "cell 1")
    except (SyntaxError, ValueError):
        assert problem_of({"source": source})
    else:
        assert problem_of({"source": source}) == ""


def test_a_long_cell_of_many_magics_is_refused_in_seconds() -> None:
    cell = "%time 1\n" * 50 + "# " + "x" * 180_000
    with pytest.raises(SyntaxError, match="too many magics for so long a cell; split it"):
        compiled(cell, "cell 1")
    compiled("%time 1\n" * 100, "cell 1")
