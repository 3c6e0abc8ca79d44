"""A server extension of Jupyter: a saved notebook shows pictures and words, and no widgets that are gone.

A panel's output holds the view of a widget, a picture and its words. JupyterLab shows the view alone, and where its
kernel has ended nothing but "model not found". So the view is put away while the notebook is in the file, and comes
back only for a page that opens the notebook beside the process that made the widget: a second tab, or a reload.
"""

from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from typing import Any

from course_utils._support.views import AWAY, VIEW

__all__ = ["put_away", "take_out"]


PICTURES = {"image/png", "text/html"}  # what shows without its kernel what a widget showed

Notebook = dict[str, Any]


def outputs(notebook: Notebook) -> Iterator[dict[str, Any]]:
    for cell in notebook.get("cells", []):
        yield from (output for output in cell.get("outputs", []) if "data" in output)


def put_away(notebook: Notebook, process: int | None) -> None:
    """Take the views of widgets out of the outputs that show something else too.

    `process`: of the notebook's kernel; None where it has none on this machine. A panel's output says itself which
    process has made it. Widgets without a picture stay: a notebook may hold their state.

    >>> output = {"data": {VIEW: {"model_id": "7"}, "image/png": ""}, "metadata": {}}
    >>> put_away({"cells": [{"outputs": [output]}]}, process=12)
    >>> output
    {'data': {'image/png': ''}, 'metadata': {'widget_view': {'process': 12, 'view': {'model_id': '7'}}}}
    """
    for output in outputs(notebook):
        if VIEW in output["data"] and output["data"].keys() & PICTURES:
            view = output["data"].pop(VIEW)
            metadata = output.setdefault("metadata", {})
            metadata[AWAY] = {"process": process} | metadata.get(AWAY, {}) | {"view": view}


def take_out(notebook: Notebook, process: int | None) -> None:
    """Give the views back that the process of the notebook's kernel has made, and drop all others.

    >>> output = {"data": {"image/png": ""}, "metadata": {AWAY: {"view": {"model_id": "7"}, "process": 12}}}
    >>> take_out({"cells": [{"outputs": [output]}]}, process=12)
    >>> output["data"]
    {'image/png': '', 'application/vnd.jupyter.widget-view+json': {'model_id': '7'}}
    """
    for output in outputs(notebook):
        metadata = output.get("metadata", {})
        away = metadata.pop(AWAY, None)
        if away and process is not None and away.get("process") == process:
            metadata[AWAY] = {"process": process}  # for the next time: then the kernel may be another one
            output["data"][VIEW] = away["view"]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    contents = server.contents_manager
    if not iscoroutinefunction(contents.get):
        server.log.info("%s: notebooks keep their views, since %s is not asynchronous", __name__, type(contents))
        return
    get, save = contents.get, contents.save

    async def get_with_views(path: str, *arguments: Any, **options: Any) -> dict[str, Any]:
        model: dict[str, Any] = await get(path, *arguments, **options)
        await _if_notebook(server, take_out, model, path)
        return model

    async def save_without_views(model: dict[str, Any], path: str = "") -> dict[str, Any]:
        await _if_notebook(server, put_away, model, path)
        saved: dict[str, Any] = await save(model, path)
        return saved

    contents.get, contents.save = get_with_views, save_without_views


async def _if_notebook(
    server: Any, change: Callable[[Notebook, int | None], None], model: dict[str, Any], path: str
) -> None:
    if model.get("type") != "notebook" or not isinstance(model.get("content"), dict):
        return
    try:
        change(model["content"], await _process_of_kernel(server, path))
    except Exception:  # a notebook that is damaged is opened and saved as it is
        server.log.exception("%s: %s is left as it is", __name__, path)


async def _process_of_kernel(server: Any, path: str) -> int | None:
    """The number of the process in which the notebook's cells run; None where there is none on this machine."""
    for session in await server.session_manager.list_sessions():
        if session["path"] == path.strip("/") and session.get("kernel"):
            kernel = server.kernel_manager.get_kernel(session["kernel"]["id"])
            process: int | None = getattr(kernel.provisioner, "pid", None)
            return process
    return None
