"""The form in the last cell of an exercise: it looks through the saved notebook and gives the file to hand in."""

import time
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from IPython.display import display

from course_utils._support.paths import PANEL_FILES
from course_utils._support.views import VIEW
from course_utils.exercises.catalogue import load_exercise
from course_utils.exercises.handin.prepare import FOLDER, HandIn, last_student, prepare, write
from course_utils.exercises.handin.saved import Saved, cells_run, saved_notebook

__all__ = ["HandInForm"]

NO_KERNEL = "<p><em>Run this cell to hand in your work.</em></p>"  # in a saved notebook without a running kernel
SAVE = "Save the notebook (Ctrl + S, on a Mac Cmd + S), then press the button again."


class HandInForm(anywidget.AnyWidget):
    """The widget of `hand_in`. Messages: {"kind": "written" | "unsaved" | "refused"} to the browser, the first with the
    file's bytes in a buffer, and {"kind": "check", "name": ..., "anyway": ...} from it."""

    _esm = (PANEL_FILES / "handin.js").read_text(encoding="utf-8")
    _css = "".join((PANEL_FILES / name).read_text(encoding="utf-8") for name in ("panel.css", "handin.css"))
    _title = traitlets.Unicode().tag(sync=True)
    _student = traitlets.Unicode().tag(sync=True)

    def __init__(self, exercise: str) -> None:
        self.exercise = load_exercise(exercise)
        number = exercise.removeprefix("ex")
        super().__init__(_title=f"Hand in exercise {number}", _student=last_student(Path.cwd() / FOLDER))
        self.on_msg(self._on_message)

    def _ipython_display_(self) -> None:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        bundle = {
            VIEW: view,
            "text/html": NO_KERNEL,
            "text/plain": "Hand in",
        }
        display(bundle, raw=True)

    def _on_message(self, _: Any, message: dict[str, Any], buffers: list[Any]) -> None:
        if message.get("kind") != "check":
            return
        try:
            self._check(str(message.get("name", "")), bool(message.get("anyway")))
        except (ValueError, OSError) as problem:
            self.send({"kind": "refused", "message": str(problem)})

    def _check(self, student: str, anyway: bool) -> None:
        saved = saved_notebook(self.model_id, f"{self.exercise.name}.ipynb")
        if saved is None:
            raise ValueError(
                f"The file of this notebook was not found in {Path.cwd()}. {SAVE} If that does not help, download the "
                f"notebook and run `course handin {self.exercise.name}.ipynb` where it lies."
            )
        hand_in = prepare(
            saved.content, student=student, exercise=self.exercise.name, file=saved.path.name, run=cells_run()
        )
        if anyway or (saved.current and not hand_in.unsaved):
            self._give(saved, hand_in)
        else:
            self.send({"kind": "unsaved", "message": unsaved(saved, hand_in)})

    def _give(self, saved: Saved, hand_in: HandIn) -> None:
        folder = saved.path.parent / FOLDER
        try:
            earlier = write(hand_in, folder, notebook=saved.path).earlier
            place = f"It was also written to the folder {FOLDER} beside your notebook."
        except OSError as problem:  # a download needs no disk
            earlier, place = "", f"The download is all there is of it: it could not be written to {folder} ({problem})."
        report: dict[str, Any] = {"file": hand_in.file, "receipt": hand_in.receipt, "place": place, "earlier": earlier}
        report |= {"saved": clock(saved), "repaired": hand_in.repaired, "warnings": hand_in.warnings}
        self.send(report | {"kind": "written"}, buffers=[hand_in.content])


def unsaved(saved: Saved, hand_in: HandIn) -> str:
    """Why the file seems to be older than what is on the screen, and what to do."""
    if not saved.current:
        return f"The file {saved.path.name} was saved at {clock(saved)}, before you ran this cell. {SAVE}"
    return (
        f"In the saved file (of {clock(saved)}) {' and '.join(hand_in.unsaved)} is not what you ran last. Run the cell "
        f"again if you have changed it since. {SAVE}"
    )


def clock(saved: Saved) -> str:
    """When a file was saved, by the clock."""
    return time.strftime("%H:%M:%S", time.localtime(saved.path.stat().st_mtime))
