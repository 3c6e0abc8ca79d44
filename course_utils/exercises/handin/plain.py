"""A notebook file of any origin as a plain notebook: format 4.5, with nothing in it but what notebooks hold."""

import json
import re
from collections.abc import Iterator
from typing import Any

from course_utils.exercises.notebook import Cell

__all__ = ["NoNotebook", "outputs_cleared", "plain_notebook", "source_of", "written"]

MOST_BYTES = 100_000_000  # of a file that is read at all
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
METADATA = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"  # without its kernel a widget is an empty place
IDENTIFIER = re.compile(r"[a-zA-Z0-9-_]{1,64}")
JSON_KIND = re.compile(r"application/(.*\+)?json")
OTHER_KINDS = {b"<": "a web page", b"PK": "a zip file", b"%PDF": "a PDF file"}
EARLIER = (
    "For an earlier state of it open it in JupyterLab and choose File > Revert Notebook to Checkpoint, "
    "or restore what Binder's button has saved to your browser"
)


class NoNotebook(ValueError):
    """Why a file is not a notebook, and what to do."""


def plain_notebook(content: bytes) -> tuple[dict[str, Any], list[str]]:
    """The notebook in a file's bytes, and what was repaired in it, a sentence each.

    Raises: NoNotebook.

    >>> notebook, _ = plain_notebook(b'{"cells": [], "metadata": {"colab": {}}, "nbformat": 4, "nbformat_minor": 0}')
    >>> sorted(notebook["metadata"])
    ['kernelspec', 'language_info']
    """
    document, repaired = _document(content)
    cells, taken = [], set[str]()
    for number, raw in enumerate(document["cells"], 1):
        if not isinstance(raw, dict):
            repaired.append(f"Cell {number} was no cell of a notebook; it was left out.")
            continue
        cells.append(_cell(raw))
        name = raw.get("id")
        if not (isinstance(name, str) and IDENTIFIER.fullmatch(name)) or name in taken:
            name = next(f"cell-{i}" for i in range(number, number + len(taken) + 1) if f"cell-{i}" not in taken)
        taken.add(name)
        cells[-1]["id"] = name
    if any("\r" in source_of(cell) for cell in cells):
        repaired.append("Line ends of Windows (CRLF) were replaced by ordinary ones.")
        for cell in cells:
            written(cell, source_of(cell).replace("\r\n", "\n").replace("\r", "\n"))
    return {"cells": cells, "metadata": dict(METADATA), "nbformat": 4, "nbformat_minor": 5}, repaired


def source_of(cell: Cell) -> str:
    """A cell's text.

    >>> source_of({"source": ["a = 1\\n", "b = 2"]})
    'a = 1\\nb = 2'
    """
    source = cell.get("source", "")
    return _text(source if isinstance(source, str) else "".join(_strings(source)))


def written(cell: Cell, text: str) -> None:
    """Give a cell another text, line by line as notebooks keep it."""
    cell["source"] = text.splitlines(keepends=True)


def outputs_cleared(cell: Cell) -> None:
    """What a code cell has shown is taken out; other cells stay as they are."""
    if cell["cell_type"] == "code":
        cell["outputs"] = []


def _document(content: bytes) -> tuple[dict[str, Any], list[str]]:
    if len(content) > MOST_BYTES:
        raise NoNotebook(
            f"The notebook has {len(content) / 1e6:.0f} MB. "
            "Choose Edit > Clear Outputs of All Cells, save it, and try again."
        )
    if not content.strip():
        raise NoNotebook(f"The file is empty. {EARLIER}.")
    for start, kind in OTHER_KINDS.items():
        if content.lstrip().startswith(start):
            raise NoNotebook(f"The file is {kind} and not a notebook. Choose the file that ends in .ipynb.")
    repaired = []
    encoding = json.detect_encoding(content)
    if encoding != "utf-8":
        what = "An invisible mark at its beginning (BOM)" if encoding == "utf-8-sig" else f"Its encoding {encoding}"
        repaired.append(f"{what}, which an editor had given the file, was replaced by plain UTF-8.")
    try:
        document = json.loads(content.decode(encoding), parse_constant=lambda _: None)
    except json.JSONDecodeError as problem:
        raise NoNotebook(f"The file is damaged at line {problem.lineno} ({problem.msg}). {EARLIER}.") from problem
    except (ValueError, RecursionError) as problem:
        raise NoNotebook(f"The file is damaged and cannot be read. {EARLIER}.") from problem
    if isinstance(document, dict) and isinstance(document.get("worksheets"), list):
        raise NoNotebook("The notebook is in an old format (3). Open it in JupyterLab, save it, and try again.")
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise NoNotebook("The file is not a notebook: it has no list of cells. Choose the file that ends in .ipynb.")
    return document, repaired


def _cell(raw: dict[str, Any]) -> Cell:
    """The cell with nothing in it but the fields of its type."""
    kind = raw.get("cell_type") if raw.get("cell_type") in ("code", "markdown") else "raw"
    cell: Cell = {"cell_type": kind, "metadata": _metadata(raw.get("metadata"))}
    written(cell, source_of(raw))
    if kind == "code":
        cell |= {"execution_count": _count(raw), "outputs": list(_outputs(raw.get("outputs")))}
    elif isinstance(raw.get("attachments"), dict):
        cell["attachments"] = {_text(name): _bundle(data) for name, data in raw["attachments"].items()}
    return cell


def _metadata(raw: Any) -> dict[str, Any]:
    """The tags and locks of a cell, and the marks by which its place in the exercise is known."""
    raw = raw if isinstance(raw, dict) else {}
    kept: dict[str, Any] = {}
    if tags := [_text(tag) for tag in dict.fromkeys(_strings(raw.get("tags"))) if tag and "," not in tag]:
        kept["tags"] = list(dict.fromkeys(tags))
    kept |= {key: raw[key] for key in ("deletable", "editable") if isinstance(raw.get(key), bool)}
    marks = raw.get("nbgrader")
    if isinstance(marks, dict) and isinstance(marks.get("grade_id"), str):
        plain = {key: value for key, value in marks.items() if isinstance(value, bool | int | str)}
        kept["nbgrader"] = {
            _text(key): _text(value) if isinstance(value, str) else value for key, value in plain.items()
        }
    return kept


def _count(raw: dict[str, Any]) -> int | None:
    count = raw.get("execution_count")
    return count if type(count) is int and count >= 0 else None


def _outputs(raw: Any) -> Iterator[dict[str, Any]]:
    """What a cell has shown, without widgets; what is no output of a notebook is left out."""
    for output in raw if isinstance(raw, list) else []:
        kind = output.get("output_type") if isinstance(output, dict) else None
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            yield {"name": name, "output_type": kind, "text": source_of({"source": output.get("text", "")})}
        elif kind == "error":
            told = {key: _text(str(output.get(key, ""))) for key in ("ename", "evalue")}
            lines = [_text(line) for line in _strings(output.get("traceback"))]
            yield told | {"output_type": kind, "traceback": lines}
        elif kind in ("display_data", "execute_result") and (data := _bundle(output.get("data"))):
            counted = {"execution_count": _count(output)} if kind == "execute_result" else {}
            yield {"data": data, "metadata": {}, "output_type": kind} | counted


def _bundle(raw: Any) -> dict[str, Any]:
    """The forms of one thing that is shown, by their types."""
    kept: dict[str, Any] = {}
    for kind, data in raw.items() if isinstance(raw, dict) else ():
        if JSON_KIND.fullmatch(kind) and kind != WIDGET_VIEW:
            kept[kind] = json.loads(_text(json.dumps(data, ensure_ascii=False)))
        elif isinstance(data, str | list) and kind != WIDGET_VIEW:
            kept[_text(kind)] = source_of({"source": data})
    return kept


def _strings(values: Any) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _text(value: str) -> str:
    """A text that can be written as UTF-8: half of a pair of surrogates is no letter."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
