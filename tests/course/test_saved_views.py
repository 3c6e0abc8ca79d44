"""Notebooks as a Jupyter server saves and opens them, through its own interface."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from course_utils._support.views import AWAY, VIEW
from course_utils.bench import browser
from course_utils.course.saved_views import put_away, take_out

pytest.importorskip("jupyterlab")

Request = Callable[..., Any]
PANEL = {"text/html": "<p>picture</p>", "image/png": "aGVsbG8=", "text/plain": "words", VIEW: {"model_id": "7"}}
BARE = {VIEW: {"model_id": "8"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def request_(folder: Path) -> Iterator[Request]:
    with browser.serve(folder) as address:

        def ask(method: str, path: str, content: object = None) -> Any:
            data = None if content is None else json.dumps(content).encode()
            request = urllib.request.Request(address.format(path=f"api/{path}"), data, method=method)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or "null")

        yield ask


def notebook(*data: dict[str, Any]) -> dict[str, Any]:
    outputs = [{"output_type": "display_data", "data": d, "metadata": {}} for d in data]
    cell = {"cell_type": "code", "id": "a", "source": "p", "metadata": {}, "execution_count": 1, "outputs": outputs}
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def views(notebook: dict[str, Any]) -> list[bool]:
    return [VIEW in output["data"] for output in notebook["cells"][0]["outputs"]]


def test_a_view_is_there_as_long_as_its_process(request_: Request, folder: Path) -> None:
    path = "my work.ipynb"
    session = request_(
        "POST", "sessions", {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
    )
    content = notebook(PANEL, BARE)
    request_("PUT", "contents/my%20work.ipynb", {"type": "notebook", "format": "json", "content": content})
    saved = json.loads((folder / path).read_text("utf-8"))
    assert views(saved) == [False, True]  # the other one shows nothing else
    assert saved["cells"][0]["outputs"][0]["data"]["image/png"].strip() == PANEL["image/png"]
    opened = request_("GET", "contents/my%20work.ipynb")["content"]
    assert views(opened) == [True, True]
    assert opened["cells"][0]["outputs"][0]["data"][VIEW] == {"model_id": "7"}
    assert opened["cells"][0]["outputs"][0]["metadata"][AWAY].keys() == {"process"}

    request_("POST", f"kernels/{session['kernel']['id']}/restart")
    opened = request_("GET", "contents/my%20work.ipynb")["content"]
    assert views(opened) == [False, True]
    assert opened["cells"][0]["outputs"][0]["metadata"] == {}

    request_("DELETE", f"sessions/{session['id']}")
    request_("PUT", "contents/my%20work.ipynb", {"type": "notebook", "format": "json", "content": content})
    saved = json.loads((folder / path).read_text("utf-8"))
    assert views(saved) == [False, True]
    assert "7" in str(saved["cells"][0]["outputs"][0]["metadata"])  # by which a hand-in form finds its notebook
    assert views(request_("GET", "contents/my%20work.ipynb")["content"]) == [False, True]


def test_a_view_belongs_to_the_process_that_made_it_and_not_to_the_one_that_runs() -> None:
    content = notebook(PANEL)
    (output,) = content["cells"][0]["outputs"]
    output["metadata"] = {AWAY: {"process": 7}, "image/png": {"alt": "words"}}  # as a panel shows itself
    put_away(content, 12)  # the kernel was restarted before the notebook was saved
    take_out(content, 12)
    assert views(content) == [False]
    put_away(content := notebook(PANEL), 12)
    take_out(content, 12)
    put_away(content, 13)
    take_out(content, 13)
    assert views(content) == [False]


def test_widgets_without_a_picture_stay_in_the_file() -> None:
    content = notebook({VIEW: {"model_id": "7"}, "text/plain": "IntSlider(value=0)"})
    before = json.dumps(content)
    put_away(content, 12)
    assert json.dumps(content) == before


@pytest.mark.parametrize("damaged", ['{"cells": [{"outputs": [{"data": 7}]}]}', '{"cells": 3}', "[]", "{"])
def test_a_damaged_notebook_is_opened_or_refused_as_without_it(request_: Request, folder: Path, damaged: str) -> None:
    (folder / "damaged.ipynb").write_text(damaged)
    with suppress(urllib.error.HTTPError):  # Jupyter refuses what is no notebook
        request_("GET", "contents/damaged.ipynb")
    assert (folder / "damaged.ipynb").read_text() == damaged


def test_other_files_are_left_alone(request_: Request, folder: Path) -> None:
    request_("PUT", "contents/notes.txt", {"type": "file", "format": "text", "content": VIEW})
    assert (folder / "notes.txt").read_text() == VIEW
    assert request_("GET", "contents/notes.txt")["content"] == VIEW
