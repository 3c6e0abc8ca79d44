"""Notebooks fit to be committed: with their pictures, without widget state, timestamps or the paths of a machine.

nbstripout takes out what belongs to one run. What it does not know is done here: views of widgets, which are empty
places without their kernel, and what a machine says of its kernel and its Python.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course_utils._support.extras import require
from course_utils._support.files import written_atomically
from course_utils._support.kernel import METADATA
from course_utils._support.views import AWAY, VIEW

__all__ = ["problems", "tidied", "tidy_file"]

MAX_BYTES = 600_000
OF_ONE_RUN = [
    *(f"metadata.{key}" for key in ("widgets", "signature", "colab", "vscode", "toc")),
    *(f"cell.metadata.{key}" for key in ("execution", "ExecuteTime", "collapsed", "scrolled", "heading_collapsed")),
    *(f"cell.metadata.{key}" for key in ("hidden", "trusted", "colab", "vscode", "id", "outputId")),
]
# An absolute path of at least two parts, or a drive letter; not an address of the web, a closing tag or a fraction.
MACHINE_PATH = re.compile(r"""(?<![^\s"'(=:,])/(?:[A-Za-z_][\w.-]*/)+[\w.-]+|\b[A-Za-z]:\\\w[\w.\\-]*""")

Notebook = dict[str, Any]


def tidied(notebook: Notebook) -> Notebook:
    """A copy without what belongs to one run on one machine; pictures, texts and printed results stay.

    Raises: ModuleNotFoundError, with the way out, where nbstripout is not installed.

    >>> tidied({"cells": [], "metadata": {"widgets": {}}, "nbformat": 4, "nbformat_minor": 5})["metadata"]
    {}
    """
    require("nbstripout")
    import nbformat
    from nbstripout import strip_output

    clean = strip_output(
        nbformat.from_dict(json.loads(json.dumps(notebook))),
        keep_output=True,
        keep_count=True,
        keep_id=True,
        extra_keys=OF_ONE_RUN,
        drop_output_types={"stream:stderr"},  # progress bars, and warnings, which name files of the machine
    )
    if clean.metadata.keys() & METADATA.keys():
        clean.metadata.update(METADATA)
    for cell in clean.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_without_widget, cell.outputs) if output is not None]
    copy: Notebook = json.loads(json.dumps(clean))
    return copy


def _without_widget(output: dict[str, Any]) -> dict[str, Any] | None:
    """The output without the view of a widget; None for a widget without a picture, such as a progress bar."""
    if AWAY in output.get("metadata", {}):
        output = output | {"metadata": {key: value for key, value in output["metadata"].items() if key != AWAY}}
    if VIEW not in output.get("data", {}):
        return output
    data = {kind: content for kind, content in output["data"].items() if kind != VIEW}
    return None if data.keys() <= {"text/plain"} else output | {"data": data}


def problems(path: Path) -> list[str]:
    """What is wrong with a notebook file, in a sentence for each problem; none if it may be committed."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    sentences = []
    if (size := path.stat().st_size) > MAX_BYTES:
        sentences.append(f"has {size:,} bytes, {MAX_BYTES:,} are allowed; show fewer or smaller pictures")
    if tidied(notebook) != notebook:
        sentences.append("holds widget state, timestamps or other traces of a run; run `course tidy`")
    if any(output["output_type"] == "error" for cell in notebook["cells"] for output in cell.get("outputs", [])):
        sentences.append("shows an error; mend the cell and run it again")
    for text in _texts(notebook):
        if match := MACHINE_PATH.search(text):
            sentences.append(f"names a path of a machine, {match.group()}; remove it and run the cell again")
            break
    return sentences


def _texts(value: Any) -> Iterator[str]:
    """Every piece of text below `value`, the lines of a cell or an output in one piece; pictures are no text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not key.startswith("image/"):
                yield from _texts(inner)
    elif isinstance(value, list):
        if all(isinstance(inner, str) for inner in value):
            yield "".join(value)
        else:
            for inner in value:
                yield from _texts(inner)


def tidy_file(path: Path) -> bool:
    """Rewrite a notebook in place, atomically, if it is not tidy; returns whether it was rewritten."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    clean = tidied(notebook)
    if clean == notebook:
        return False
    with written_atomically(path) as file:
        file.write((json.dumps(clean, indent=1, ensure_ascii=False) + "\n").encode())
    return True
