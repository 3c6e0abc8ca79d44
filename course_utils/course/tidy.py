"""Notebooks as they are kept: with their pictures, without widget state, timestamps or the paths of a machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course_utils._support.files import written_atomically

__all__ = ["problems", "tidied", "tidy_file"]

MAX_BYTES = 600_000
KEPT_METADATA = {"tags", "nbgrader", "slideshow", "jupyter", "editable", "deletable"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# An absolute path of at least two parts, or a drive letter; not an address of the web, a closing tag or a fraction.
MACHINE_PATH = re.compile(r"""(?<![^\s"'(=:,])/(?:[A-Za-z_][\w.-]*/)+[\w.-]+|\b[A-Za-z]:\\\w[\w.\\-]*""")

Notebook = dict[str, Any]


def tidied(notebook: Notebook) -> Notebook:
    """A copy without what belongs to one run on one machine; pictures, texts and printed results stay.

    >>> tidied({"cells": [], "metadata": {"widgets": {}}, "nbformat": 4, "nbformat_minor": 5})["metadata"]
    {}
    """
    cells, count = [], 0
    for cell in notebook["cells"]:
        cell = cell | {"metadata": {k: v for k, v in cell["metadata"].items() if k in KEPT_METADATA}}
        if cell["cell_type"] == "code":
            outputs = _joined([clean for output in cell["outputs"] if (clean := _output(output)) is not None])
            count += 1
            number = count if cell["execution_count"] is not None else None
            for output in outputs:
                if "execution_count" in output:
                    output["execution_count"] = number
            cell |= {"outputs": outputs, "execution_count": number}
        cells.append(cell)
    return notebook | {"cells": cells, "metadata": _metadata(notebook["metadata"])}


def _metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    if "kernelspec" in metadata:
        kept["kernelspec"] = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    if "language_info" in metadata:
        kept["language_info"] = {"name": metadata["language_info"].get("name", "python")}  # without the version
    return kept


def _output(output: dict[str, Any]) -> dict[str, Any] | None:
    """The output as it is kept; None for progress bars, and for warnings, which name files of the machine."""
    if output["output_type"] == "stream":
        return dict(output) if output["name"] == "stdout" else None
    if "data" not in output:
        return dict(output)
    data = {mime: content for mime, content in output["data"].items() if mime != WIDGET_VIEW}
    if WIDGET_VIEW in output["data"] and set(data) <= {"text/plain"}:
        return None  # a widget without a picture of its own, such as a bar
    return output | {"data": data}


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The outputs, with what was printed in pieces, which differ from run to run, in one piece."""
    joined: list[dict[str, Any]] = []
    for output in outputs:
        before = joined[-1] if joined else output
        if joined and output["output_type"] == before["output_type"] == "stream" and output["name"] == before["name"]:
            lines = "".join((*before["text"], *output["text"])).splitlines(keepends=True)
            joined[-1] = before | {"text": lines}
        else:
            joined.append(output)
    return joined


def problems(path: Path) -> list[str]:
    """What is wrong with a notebook file, a sentence each; none if it may be committed."""
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    found = []
    if path.stat().st_size > MAX_BYTES:
        found.append(f"has {path.stat().st_size:,} bytes, {MAX_BYTES:,} are allowed; show fewer or smaller pictures")
    if tidied(notebook) != notebook:
        found.append("holds widget state, timestamps or other traces of a run; run `course tidy`")
    if any(output["output_type"] == "error" for cell in notebook["cells"] for output in cell.get("outputs", [])):
        found.append("shows an error; mend the cell and run it again")
    if machine := next(filter(None, map(MACHINE_PATH.search, _texts(notebook))), None):
        found.append(f"names a path of a machine, {machine.group()}; remove it and run the cell again")
    return found


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
