"""Cells with what only Jupyter understands are read as plain Python by the check before hand-in."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.exercises.notebook.answers import begun, defines, left_over, problem_of
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
    "%%timeit\nx = 1": "def _():\n    pass\n    x = 1",
    "%%time x = 1\ny = 2": f"{CELL}('time', 'x = 1', 'y = 2\\n')",
    "x: int = %time 3": "x: int = 3",
    "%prun -s cumulative x = 1": "x = 1",
    "%%prun -q -l 5 x = 1\ny = 2": "x = 1\ny = 2",
    "time x = 1": "x = 1",
    "pip install torch": f"{LINE}('pip', 'install torch')",
    "cat notes.txt": f"{LINE}('cat', 'notes.txt')",
    "x = await f()": "x = await f()",
    "%%prun\nx = 1": "x = 1",
}


@pytest.mark.parametrize("source", CELLS)
def test_a_cell_is_read_as_jupyter_reads_it(source: str) -> None:
    assert ast.unparse(tree_of(source, "cell 1")) == CELLS[source]
    assert problem_of({"source": source}) == ""


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("%magic\ndef f(:", 2),
        ("\n \n%%time\nx = 1\ndef f(:", 5),
        ("%time f(\n", 1),
        ("\n%time\nreturn", 3),
        ("pip = 3 4", 1),
        ("is this", 1),
    ],
)
def test_what_is_no_python_either_way_is_an_error_with_its_line(source: str, line: int) -> None:
    with pytest.raises(SyntaxError) as caught:
        compiled(source, "cell 1")
    assert caught.value.lineno == line
    assert problem_of({"source": source}).startswith(f"line {line}: ")


DEFINING = {
    "%%time\ndef half(x):\n    return x / 2": True,
    "%time\ndef half(x): return x / 2": True,
    ">>> def half(x):\n...     return x / 2": True,
    "In [3]: def half(x):\n   ...:     return x / 2": True,
    "y = await f()\ndef half(x):\n    return x / 2": True,
    "if True:\n    def half(x):\n        return x / 2": True,
    "try:\n    from fast import half\nexcept ImportError:\n    def half(x):\n        return x / 2": True,
    "half, third = lambda x: x / 2, None": True,
    "(half := lambda x: x / 2)": True,
    "half = %time lambda x: x / 2": True,
    "from fast import quick as half": True,
    "for half in range(3):\n    pass": True,
    "half: int": False,
    "def other():\n    def half(x):\n        return x / 2": False,
    "%%timeit\ndef half(x):\n    return x / 2": False,
    "%%bash\n%time\ndef half(x): return x / 2": False,
    "%%script python\ndef half(x):\n    return x / 2": False,
    '"""\ndef half(x):\n"""': False,
    "async def half(x:": True,
    "def half(x:\n    return x / 2": True,
}


@pytest.mark.parametrize("source", DEFINING)
def test_a_function_is_found_where_the_cell_defines_it(source: str) -> None:
    assert defines({"source": source}, "half") is DEFINING[source]


@pytest.mark.parametrize("top", ["%%time\n", "if True:\n", "%time y = 1\n", "y = await f()\n"])
def test_a_function_is_begun_wherever_it_stands(top: str) -> None:
    indent = "    " if top.startswith("if") else ""
    empty = f"{top}{indent}def half(x):\n{indent}    raise NotImplementedError()"
    assert not begun({"source": empty}, "half")
    assert begun({"source": f"{empty}\n{indent}    return x"}, "half")
    assert left_over(
        {"source": f"{top}{indent}def half(x):\n{indent}    y = x\n{indent}    raise NotImplementedError()"}, "half"
    )


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
