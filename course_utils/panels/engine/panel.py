"""A live panel: controls, a pure function from their values to a result, and a function that draws a result.

    controls  --values-->  compute(**values)  --result-->  show(result)  --words, pixels-->  browser

`compute` is a plain function, called in the kernel's own thread, or a generator function that yields a result whenever
there is something new to show. A generator runs in a worker thread, where the latest values win: it is dropped at its
next `yield` when a reader has moved a control again. `draw(figure)` builds the artists once and returns `show`, which
updates them in place and returns the words under the picture, those of the module's function `describe`. So a test
needs no browser, and a reader's function can replace ours.
"""

import base64
import html
import inspect
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import anywidget
import matplotlib
import numpy as np
import traitlets
from IPython.display import display
from matplotlib.figure import Figure

from course_utils._support.paths import PANEL_FILES
from course_utils._support.unwritten import unwritten
from course_utils.panels.engine.canvas import Canvas, Patch
from course_utils.panels.engine.controls import Control
from course_utils.plots import style

__all__ = ["Draw", "Panel", "Show", "error_report", "on_move", "waiting"]

NOT_BEGUN = "{name} has not been begun: write it in its cell, run that cell, and then this one again."
CAPTION = "<p>{words}</p><p><em>The picture above is kept in the file. Run this cell to bring it to life.</em></p>"

Show = Callable[[Any], str]
Draw = Callable[[Figure], Show]
Listener = Callable[[str], None]

_listeners: list[Listener] = []


def on_move(listener: Listener) -> None:
    """Call `listener(title)` whenever a reader has moved a control of any panel in the browser, to an allowed value.

    The engine knows nobody who listens. A move from code is not reported, and a listener that subscribes twice hears
    of each move once.
    """
    if listener not in _listeners:
        _listeners.append(listener)


class Panel(anywidget.AnyWidget):
    """Controls above a picture above a line of words.

    >>> from course_utils.panels.engine.controls import Slider
    >>> def draw(figure):
    ...     (line,) = figure.subplots().plot([0, 1], [0, 1])
    ...     def show(slope):
    ...         line.set_ydata([0, slope])
    ...         return f"The line rises by {slope:g}."
    ...     return show
    >>> panel = Panel("A line", [Slider(name="a", label="Slope", values=[0, 1, 2])], lambda a: a, draw)
    >>> panel.set(a=2).words
    'The line rises by 2.'
    """

    _esm = PANEL_FILES / "panel.js"
    _css = PANEL_FILES / "panel.css"
    _title = traitlets.Unicode().tag(sync=True)
    _controls: Any = traitlets.List().tag(sync=True)
    _size: Any = traitlets.List().tag(sync=True)

    def __init__(
        self,
        title: str,
        controls: Sequence[Control],
        compute: Callable[..., Any],
        draw: Draw,
        *,
        size: tuple[int, int] = (900, 400),
    ) -> None:
        names = [c.name for c in controls]
        if len(set(names)) < len(names):
            raise ValueError(f"every control needs a name of its own, got {names}")
        self.controls = {c.name: c for c in controls}
        self.values = {c.name: c.value for c in controls}
        self.result: Any = None
        self.words = ""
        self.error: Exception | None = None
        self._compute = compute
        self._canvas = Canvas(*size)
        with matplotlib.rc_context(style()):
            self._show = draw(self._canvas.figure)
        self._number = 0  # of the message that is being answered
        self._live = False  # a browser is looking
        self._drawing = threading.Lock()
        self._worker = Latest(self._run) if inspect.isgeneratorfunction(compute) else None
        super().__init__(_title=title, _controls=[c.spec() for c in controls], _size=list(size))
        self.on_msg(self._on_message)
        try:
            self.set()
        except NotImplementedError as problem:
            if not unwritten(problem):
                raise  # otherwise there is neither a picture nor words yet: the panel is shown, and says why
        self._canvas.arrange()

    @property
    def figure(self) -> Figure:
        """The matplotlib figure, for a closer look at what is drawn."""
        return self._canvas.figure

    @property
    def trains(self) -> bool:
        """Whether `compute` shows results on its way."""
        return self._worker is not None

    def set(self, **values: Any) -> "Panel":
        """Move controls from code; returns when the picture has settled, and raises what `compute` raised."""
        self._number = 0
        self._move(self._read(values), controls=True)
        self.wait()
        if self.error is not None:
            raise self.error
        return self

    def reset(self) -> "Panel":
        """All controls back to their start."""
        return self.set(**{name: c.value for name, c in self.controls.items()})

    def wait(self) -> None:
        """Return when no computation is under way."""
        if self._worker is not None:
            self._worker.wait()

    def png(self) -> bytes:
        """The picture as a PNG file."""
        with self._drawing:
            return self._canvas.png()

    def pictures(self, values: dict[str, Any], *, scale: float = 1) -> Iterator[np.ndarray]:
        """Each picture on the way to these values as packed RGBA pixels; `words` and `error` go with it.

        For a caller that stores pictures: without a browser, and in the caller's thread.
        """
        self.wait()
        self._canvas.set_scale(scale)
        self.values = self._read(values)
        try:
            results = self._compute(**self.values)
            for result in results if self._worker is not None else [results]:
                self.result, self.error = result, None
                self.words = self._show(result)
                yield self._canvas.pixels()
        except Exception as problem:  # a setting that is refused
            self.error = problem
            yield self._canvas.pixels()

    def _ipython_display_(self) -> None:
        # A cell may open a panel with `set`: that is the start to which the browser's Reset leads back.
        self._controls = [control.spec() | {"value": self.values[name]} for name, control in self.controls.items()]
        # Two outputs, because JupyterLab shows nothing but an error for a widget whose kernel is gone; the front end
        # hides the still picture while the panel lives.
        words = self.words or (error_report(self.error) or {}).get("message", "")
        still = {"image/png": base64.b64encode(self.png()).decode(), "text/plain": words}
        display(still, raw=True, metadata={"image/png": {"alt": words}})
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        caption = CAPTION.format(words=html.escape(words))  # JupyterLab shows no alternative text of a picture
        bundle = {"application/vnd.jupyter.widget-view+json": view, "text/html": caption, "text/plain": words}
        display(bundle, raw=True)

    def _read(self, values: dict[str, Any]) -> dict[str, Any]:
        unknown = values.keys() - self.controls.keys()
        if unknown:
            raise ValueError(f"no control named {', '.join(sorted(unknown))}; there are {', '.join(self.controls)}")
        return self.values | {name: self.controls[name].read(raw) for name, raw in values.items()}

    def _on_message(self, _: Any, message: dict[str, Any], buffers: Any) -> None:
        self._number = message.get("number", 0)
        if message.get("kind") == "hello":
            self._live = True
            with self._drawing:
                self._canvas.set_scale(int(message.get("scale", 1)))
                self._send_picture(controls=True, complete=True)
        elif message.get("kind") == "move":
            try:
                values = self._read(message["values"])
            except ValueError as problem:
                self._fail(problem)
            else:
                self._move(values)
                for listener in _listeners:
                    listener(self._title)

    def _move(self, values: dict[str, Any], *, controls: bool = False) -> None:
        self.values = values
        if self._worker is None:
            self._run((values, self._number, controls), lambda: False)
        else:
            if self._live:
                self.send({"kind": "accepted", "number": self._number})
            self._worker.submit((values, self._number, controls))

    def _run(self, job: tuple[dict[str, Any], int, bool], superseded: Callable[[], bool]) -> None:
        values, number, controls = job
        try:
            if self._worker is None:
                self._present(self._compute(**values), number, controls=controls)
                return
            for result in self._compute(**values):
                self._present(result, number, controls=controls, settled=False)
                if superseded():
                    return
            with self._drawing:
                self._send_frame([])  # settled: nothing was drawn since the last picture
        except Exception as problem:  # whatever a reader's function raises is shown in the panel
            self._number = number
            self._fail(problem)

    def _present(self, result: Any, number: int, *, controls: bool, settled: bool = True) -> None:
        with self._drawing:
            self.result, self.error, self._number = result, None, number
            self.words = self._show(result)
            self._send_picture(controls=controls, settled=settled)

    def _fail(self, problem: Exception) -> None:
        self.error = problem
        with self._drawing:
            self._send_picture()

    def _send_picture(self, *, controls: bool = False, settled: bool = True, complete: bool = False) -> None:
        if self._live:
            patches = [self._canvas.complete()] if complete else self._canvas.changed()
            self._send_frame(patches, controls=controls, settled=settled)

    def _send_frame(self, patches: list[Patch], *, controls: bool = False, settled: bool = True) -> None:
        if not self._live:
            return
        width, height = (round(side * self.figure.dpi / 100) for side in self._size)
        message = {
            "kind": "frame",
            "number": self._number,
            "settled": settled,
            "words": self.words,
            "error": error_report(self.error),
            "values": self.values if controls else None,
            "width": width,
            "height": height,
            "patches": [{"x": p.x, "y": p.y, "mime": p.mime, "width": p.width} for p in patches],
        }
        self.send(message, buffers=[p.data for p in patches])


class Latest:
    """A worker thread that runs the latest job; an older one learns from `superseded()` that it should stop."""

    def __init__(self, run: Callable[[Any, Callable[[], bool]], None]) -> None:
        self._run = run
        self._job: Any = None
        self._busy = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def submit(self, job: Any) -> None:
        with self._changed:
            self._job = job
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, daemon=True, name="panel")
                self._thread.start()

    def wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._job is None and not self._busy)

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._job is not None)
                job, self._job, self._busy = self._job, None, True
            try:
                self._run(job, lambda: self._job is not None)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()


def waiting(title: str, problem: NotImplementedError) -> Panel:
    """A panel that says which function is still to be written, where nothing at all can be computed without it."""

    def compute() -> None:
        raise problem

    def draw(figure: Figure) -> Show:
        return lambda nothing: ""

    return Panel(title, [], compute, draw, size=(960, 20))


def error_report(problem: Exception | None) -> dict[str, str] | None:
    """An exception as the front end shows it; a function that is still to be written needs no traceback."""
    if problem is None:
        return None
    if name := unwritten(problem):
        return {"message": NOT_BEGUN.format(name=name), "traceback": ""}
    lines = traceback.format_exception(problem)
    return {"message": f"{type(problem).__name__}: {problem}", "traceback": "".join(lines)}
