"""Keep a reader's work when the machine below the notebook goes away, as Binder's does after ten idle minutes.

While the notebook is open, each notebook that the reader has changed is copied into the browser's own storage, as soon
as it is saved. In a new session the same cell offers to take it up again. A file can be downloaded, and taken up, too:
storage belongs to one address in one browser, a file goes everywhere.
"""

import platform
import threading
import uuid
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython.display import display

from course_utils._support.files import written_atomically
from course_utils._support.paths import PANEL_FILES
from course_utils.course.map import MAP
from course_utils.course.work import beside, changed_notebooks, pack, texts, unpack

__all__ = ["Keeper", "keep_work"]

SLEEPING = "<p><em>Run this cell to keep your work.</em></p>"  # where a kept notebook has no kernel
EVERY = 5.0  # seconds between two looks at the folder


def keep_work(folder: str | Path | None = None) -> "Keeper":
    """Buttons to download your work and to take it up again; meanwhile your browser keeps a copy of it.

    `folder`: that of the notebooks; by default the one that holds the course map, which may be above the working
    folder, so that one's work has the same names wherever it is kept; without a map the working folder.
    """
    return Keeper(Path(folder) if folder is not None else course_notebooks(Path.cwd()))


def course_notebooks(here: Path) -> Path:
    """The folder of the course's notebooks that `here` lies in; `here` itself if it lies in none."""
    return next((folder for folder in (here, *here.parents) if (folder / MAP).is_file()), here)


def disk(folder: Path) -> str:
    """A name for this folder on this disk: it stays when a kernel starts again, and is another one on a new machine."""
    about = folder.stat()
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{platform.node()} {folder} {about.st_dev} {about.st_ino}").hex


class Keeper(anywidget.AnyWidget):
    """The widget of `keep_work`. Messages: {"kind": "keep" | "packed" | "taken" | "failed"} to the browser, and
    {"kind": "hello" | "pack" | "take"} from it, with the bytes of a zip file in a buffer."""

    _esm = PANEL_FILES / "keeper.js"
    _css = PANEL_FILES / "panel.css"
    _session = traitlets.Unicode().tag(sync=True)

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._sent: dict[str, float] = {}
        self._replaced: dict[Path, tuple[bytes, bytes]] = {}
        self._watcher: threading.Thread | None = None
        super().__init__(_session=disk(self.folder))
        self.on_msg(self._on_message)

    def _ipython_display_(self) -> None:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        bundle = {
            "application/vnd.jupyter.widget-view+json": view,
            "text/html": SLEEPING,
            "text/plain": "Keep your work",
        }
        display(bundle, raw=True)

    def _on_message(self, _: Any, message: dict[str, Any], buffers: list[Any]) -> None:
        kind = message.get("kind")
        try:
            if kind == "hello":
                self._sent.clear()  # a browser that has just come knows nothing yet
                self.look()
                self._start()
            elif kind == "pack":
                changed = changed_notebooks(self.folder)
                names = [path.relative_to(self.folder).as_posix() for path in changed]
                self.send({"kind": "packed", "names": names}, buffers=[pack(changed, self.folder)])
            elif kind == "take":
                self._take(buffers, str(message.get("name")))
        except (ValueError, OSError) as problem:
            self.send({"kind": "failed", "message": str(problem)})

    def _take(self, buffers: list[Any], name: str) -> None:
        before = {path: path.read_bytes() for path in self.folder.rglob("*.ipynb")}
        taken = [step for data in buffers for step in unpack(bytes(data), self.folder, name=name)]
        for path in {step.path for step in taken} & before.keys():
            self._replaced[path] = (before[path], path.read_bytes())
        pairs = [[step.name, step.path.relative_to(self.folder).as_posix()] for step in taken]
        self.send({"kind": "taken", "files": pairs})
        self.look()

    def _rescue(self) -> None:
        """What was taken up into a notebook that was open, and was overwritten by it, is written beside it."""
        for path, (before, taken) in list(self._replaced.items()):
            now = texts(path.read_bytes()) if path.is_file() else None
            if now in (None, texts(taken)) or now != texts(before):
                continue
            del self._replaced[path]
            other = beside(path)
            with written_atomically(other) as file:
                file.write(taken)
            name, found = path.relative_to(self.folder).as_posix(), other.relative_to(self.folder).as_posix()
            self.send({"kind": "taken", "files": [[name, found]]})

    def look(self) -> None:
        """Send each notebook that has changed since it was sent last."""
        self._rescue()
        for path in changed_notebooks(self.folder):
            name, written = path.relative_to(self.folder).as_posix(), path.stat().st_mtime
            if self._sent.get(name) != written:
                self.send({"kind": "keep", "name": name, "time": written}, buffers=[pack([path], self.folder)])
                self._sent[name] = written

    def _start(self) -> None:
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, daemon=True, name="keeper")
            self._watcher.start()

    def _watch(self) -> None:
        rest = threading.Event()
        while not rest.wait(EVERY):
            try:
                self.look()
            except OSError:  # a notebook that is just being written, or has gone: the next look will tell
                continue
