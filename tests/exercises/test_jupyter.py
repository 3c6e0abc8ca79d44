"""Cells with what only Jupyter understands run as plain Python."""

import ast

import pytest

from course_utils.exercises.grading.magics import parsed

CELLS = {
    "%matplotlib inline\nx = 1": "pass\nx = 1",
    "x = 1\n!ls -l\nw.shape?": "x = 1\npass\npass",
    "%%bash\nls": "",
    "%%time\nx = 1": "x = 1",
    's = """\n%not a magic\n"""\n!ls': "s = '\\n%not a magic\\n'\npass",
    "a = (7\n  % 3)": "a = 7 % 3",
    "a = 7 \\\n  % 3": "a = 7 % 3",
    "if x:\r\n    %time f()\r\n": "if x:\n    pass",
}


@pytest.mark.parametrize("source", CELLS)
def test_a_cell_is_read_as_jupyter_reads_it(source: str) -> None:
    assert ast.unparse(parsed(source, "cell 1")) == CELLS[source]


def test_what_is_no_python_either_way_is_an_error() -> None:
    with pytest.raises(SyntaxError):
        parsed("%magic\ndef f(:", "cell 1")
