"""A live panel: controls, a pure function from their values to a result, and a function that draws a result.

    controls  --values-->  compute(**values)  --result-->  show(result)  --words, pixels-->  browser

A panel is an ordinary widget: the value of each control is a trait of the control's own name, so it can be set,
observed and linked, and all views of a panel show the same. `compute` is a plain function, or a generator function that
yields a result whenever there is something new to show; then the latest values win: what is under way is dropped when
a control has moved again. `draw(figure)` builds the artists once and returns `show`, which updates them in place and
returns the words under the picture, those of the module's function `describe`. So a test needs no browser, and a
reader's function can replace ours.
"""

import asyncio
import base64
import html
import inspect
import keyword
import math
import os
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, MutableSet, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import anywidget
import numpy as np
import traitlets
from IPython.core.getipython import get_ipython
from matplotlib.figure import Figure

from course_utils._support.paths import PANEL_FILES
from course_utils._support.unwritten import unwritten
from course_utils._support.views import AWAY, VIEW
from course_utils.panels.engine.canvas import Canvas, Patch
from course_utils.panels.engine.controls import Control, Slider, Train, same
from course_utils.panels.engine.live import Computation, RandomNumbers
from course_utils.panels.engine.sheet import Sheet
from course_utils.plots import number, style

__all__ = ["Draw", "Panel", "Show", "error_report", "on_move", "waiting"]

NOT_BEGUN = "{name} has not been begun: write it in its cell, run that cell, and then this one again."
STILL = (
    '<p><img src="data:image/png;base64,{png}" width="{width}" alt="{words}"></p>'
    "<p>{words}</p><p><em>This picture is kept in the file. Run this cell to bring it to life.</em></p>"
)
NOTHING_TO_SHOW = "draw returned {got}; it has to end with `return show`, the function that draws a result"

NO_WORDS = "show returned {got!r:.60}; it has to return the words that stand under the picture"
NO_RESULT = "compute yielded no result for {values}; it has to yield at least one that is not None"
INTERRUPTED = "it was stopped before there was a result; move a control, and it is computed again"

UNDER_WAY, STOPPED, FINISHED = "training …", "stopped", "finished"
NARROWEST, WIDEST = 320, 1400  # pixels of a page for which a picture is drawn
ROLL = 5.0  # seconds for an answer of a view
AGAIN = 30.0  # seconds until views are asked again without a reason

Show = Callable[[Any], str]
Draw = Callable[[Sheet], Show]
Listener = Callable[[str], None]

_listeners: list[Listener] = []


def on_move(listener: Listener) -> None:
    """Call `listener(title)` whenever a reader has moved a control of any panel in the browser, to an allowed value.

    The engine knows nobody who listens. A move from code is not reported, and a listener that subscribes twice hears
    of each move once.
    """
    if listener not in _listeners:
        _listeners.append(listener)


class View(NamedTuple):
    """What a browser shows a panel on."""

    scale: float  # pixels of the screen for each pixel of the page
    room: int  # pixels of the page that a picture may take
    hidden: bool = False  # another page is in front of it

    @property
    def width(self) -> int:
        """Pixels of the page that a picture takes."""
        return min(max(self.room, NARROWEST), WIDEST)


class Value(traitlets.TraitType[Any, Any]):
    """The value of a control, as a trait of the panel."""

    def __init__(self, control: Control) -> None:
        super().__init__(default_value=control.value)
        self.control = control
        self.tag(
            sync=True,
            to_json=lambda value, panel: control.to_json(value),
            from_json=lambda raw, panel: control.from_json(raw),
        )

    def set(self, panel: Any, raw: Any) -> None:
        """As all traits do, but 1 and True, which Python calls equal, are two values."""
        before = panel._trait_values.get(self.name)
        super().set(panel, raw)
        now = panel._trait_values[self.name]
        if not same(before, now) and isinstance(before == now, bool) and before == now:
            panel._notify_trait(self.name, before, now)

    def validate(self, panel: Any, raw: Any) -> Any:
        """An allowed value; the nearest one, with a word about it, where a number is not on the slider."""
        value = self.control.read(raw)
        far = isinstance(self.control, Slider) and abs(value - raw) > 1e-9 * max(abs(value), abs(raw))
        panel._say_nearest(self.control, raw, value if far else None)
        return value


class Panel(anywidget.AnyWidget):
    """Controls above a picture above a line of words.

    `draw` is given a matplotlib figure, with the course's settings. What moves is painted over frames, grids and
    legends, because that is quick; ``figure.keeps = False`` has matplotlib paint everything in its own order.
    `size`: width and height for which the picture is meant; it is laid out for the width that the page has.

    >>> from course_utils.panels.engine.controls import Slider
    >>> def draw(figure):
    ...     (line,) = figure.subplots().plot([0, 1], [0, 1])
    ...     def show(slope):
    ...         line.set_ydata([0, slope])
    ...         return f"The line rises by {slope:g}."
    ...     return show
    >>> panel = Panel("A line", [Slider(name="a", label="Slope", values=[0, 1, 2])], lambda a: a, draw)
    >>> panel.a = 2
    >>> panel.words
    'The line rises by 2.'
    """

    _esm = (PANEL_FILES / "panel.js").read_text(encoding="utf-8")  # a path would keep each panel: it is watched
    _css = (PANEL_FILES / "panel.css").read_text(encoding="utf-8")
    _title = traitlets.Unicode().tag(sync=True)
    _controls: Any = traitlets.List().tag(sync=True)
    _size: Any = traitlets.List().tag(sync=True)
    words = traitlets.Unicode(help="The words under the picture.").tag(sync=True)
    _notice = traitlets.Unicode(help="What became of a value that is not on its slider.").tag(sync=True)
    status = traitlets.Unicode(help="Of a training: 'training …', 'stopped' or 'finished'; empty before.").tag(
        sync=True
    )
    _error: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)

    controls: dict[str, Control]
    result: Any = None
    error: Exception | None = None

    # What a panel that could not be made is closed with.
    _canvas: Canvas | None = None
    _show: Show | None = None
    _computation: Computation | None = None

    def __init__(
        self,
        title: str,
        controls: Sequence[Control],
        compute: Callable[..., Any],
        draw: Draw,
        *,
        size: tuple[int, int] = (960, 400),
    ) -> None:
        check_names([c.name for c in controls])
        self.controls = {c.name: c for c in controls}
        self._compute, self._draw = compute, draw
        self._numbers = RandomNumbers()  # the reader's as they are now; they go on from move to move
        self._before = self._numbers.copy()  # as they were before the picture that is shown
        self._has_result = self._presented = False  # at all; since the last move
        self._trainings = [c.name for c in controls if isinstance(c, Train)]
        self._views: dict[str, View] = {}  # by their ids
        self._absent: set[str] = set()  # those that have not answered
        self._asked = -math.inf  # when they were
        self._seen = View(1, size[0])
        self._from_browser = self._gathering = self._moved = False  # several values are being set: one move
        self._drawn = False  # since the last frame
        self.add_traits(**{c.name: Value(c) for c in controls})
        super().__init__(_title=title, _controls=[c.spec() for c in controls], _size=list(size))
        self.observe(self._changed, list(self.controls))
        self.on_msg(self._on_message)
        try:
            self._move()
            self.wait()
            self._raise()
        except NotImplementedError as problem:
            if not unwritten(problem):
                raise  # otherwise there is neither a picture nor words yet: the panel is shown, and says why

    @property
    def values(self) -> dict[str, Any]:
        """The value of each control, by its name."""
        return {name: getattr(self, name) for name in self.controls}

    @property
    def figure(self) -> Sheet:
        """The matplotlib figure, for a closer look at what is drawn."""
        return self._picture().figure

    @property
    def trains(self) -> bool:
        """Whether `compute` shows results on its way."""
        return inspect.isgeneratorfunction(self._compute)

    def set(self, **values: Any) -> "Panel":
        """Move controls from code; returns when the picture has settled, and raises what `compute` raised."""
        values = self._read(values)
        with self._one_move(always=True):
            for name, value in values.items():
                setattr(self, name, value)
        self.wait()
        self._raise()
        return self

    def reset(self) -> "Panel":
        """All controls back to their start."""
        return self.set(**{name: c.value for name, c in self.controls.items()})

    def wait(self) -> None:
        """Go on with what is under way until it has come to its end."""
        if self._computation is not None:
            self._computation.finish()

    def stop(self) -> None:
        """Stop what is under way; what is shown stays."""
        if self._computation is not None:
            self._computation.stop()

    def retrain(self) -> None:
        """Train once more, from the start."""
        for name in self._trainings:
            setattr(self, name, False)
        for name in self._trainings:
            setattr(self, name, True)

    def close(self) -> None:
        """Stop, free the memory, and take the panel off every page; showing it again opens it again."""
        if self._computation is not None:
            self._computation.drop()
            self._computation = None
        if self.status == UNDER_WAY:
            self.status = STOPPED
        self._views = {}
        self._free()
        super().close()
        self.__dict__.pop("_repr_mimebundle_", None)  # ipywidgets hides it

    def png(self) -> bytes:
        """The picture as a PNG file."""
        return self._picture().png()

    def pictures(self, values: dict[str, Any], *, scale: float = 1, room: int | None = None) -> Iterator[np.ndarray]:
        """Each picture on the way to these values as packed RGBA pixels; `words` and `error` go with it.

        For a caller that stores pictures: without a browser. They are laid out for the width `room`; by default it
        stays as it was.
        """
        self.wait()
        self._see(self._seen._replace(scale=scale, room=room or self._seen.room))
        with self._one_move(never=True):
            for name, value in self._read(values).items():
                setattr(self, name, value)
        try:
            results = self._compute(**self.values)
            for result in results if self.trains else [results]:
                if result is not None or not self.trains:
                    self._draw_result(result)
                    yield self._picture().pixels()
        except Exception as problem:  # a setting that is refused
            self._refuse(problem)
            yield self._picture().pixels()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        self.open()  # where it was closed
        # A cell may open a panel with `set`: that is the start to which the browser's Reset leads back.
        starts = {name: control.to_json(getattr(self, name)) for name, control in self.controls.items()}
        self._controls = [control.spec() | {"value": starts[name]} for name, control in self.controls.items()]
        words = self.words or (self._error or {}).get("message", "")
        png = base64.b64encode(self.png()).decode()
        still = STILL.format(png=png, words=html.escape(words), width=self.figure.pixels[0])
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        _, metadata = super()._repr_mimebundle_() or ({}, {})  # by which Colab finds what shows it
        bundle = {
            VIEW: view,
            "text/html": still,
            "image/png": png,
            "text/plain": words,
        }
        return bundle, metadata | {"image/png": {"alt": words}, AWAY: {"process": os.getpid()}}

    # Moves

    def _read(self, values: dict[str, Any]) -> dict[str, Any]:
        unknown = values.keys() - self.controls.keys()
        if unknown:
            raise ValueError(f"no control named {', '.join(sorted(unknown))}; there are {', '.join(self.controls)}")
        for name, raw in values.items():
            self.controls[name].read(raw)  # all or none
        return values

    def _handle_msg(self, msg: dict[str, Any]) -> None:
        """What a view says, in the kernel's main thread: JupyterLab has it delivered in another one.

        There it would be drawn, and random numbers would be drawn, while a cell runs.
        """
        if threading.current_thread() is threading.main_thread():
            super()._handle_msg(msg)
        else:
            shell: Any = get_ipython()
            shell.kernel.io_loop.asyncio_loop.call_soon_threadsafe(super()._handle_msg, msg)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """What a view has changed: ipywidgets calls it."""
        self._from_browser = True
        moved = [name for name in sync_data if name in self.controls]
        try:
            for name in moved:
                self.controls[name].read(self.controls[name].from_json(sync_data[name]))  # all or none
            with self._one_move():
                super().set_state(sync_data)
        except Exception as problem:  # a value that is refused, or the fault of somebody who observes
            self.send_state(moved)
            self._refuse(problem)
            self._send_frame(settled=self._computation is None)
        else:
            if moved:
                if not self._moved:
                    self._send_frame(settled=self._computation is None)  # every question has its answer
                self._miss_the_narrowest()
                for listener in _listeners:
                    listener(self._title)
        finally:
            self._from_browser = False

    @contextmanager
    def _one_move(self, *, always: bool = False, never: bool = False) -> Iterator[None]:
        """All values that are set meanwhile are one move, also where somebody who observes them raises."""
        self._gathering, self._notice, self._moved = True, "", always
        try:
            yield
        finally:
            self._gathering = False
            if self._moved and not never:
                self._move()

    def _changed(self, change: Any) -> None:
        self._moved = True
        if not self._gathering:
            self._move()

    def _say_nearest(self, control: Control, raw: float, value: float | None) -> None:
        if value is not None:
            given, nearest = number(raw, "g"), number(value, "g")
            self._notice = f"{control.label} has no {given} on its slider; it was set to the nearest value, {nearest}."
            if not self._from_browser:
                warnings.warn(self._notice, stacklevel=5)
        elif not self._gathering:
            self._notice = ""

    def _move(self) -> None:
        if self._computation is not None:
            self._computation.drop()
        if self.trains:
            self.status = UNDER_WAY if any(getattr(self, name) for name in self._trainings) else ""
            self._tell({"kind": "accepted", "values": self._json_values()})
            self._presented = False
            self._computation = Computation(self._compute(**self.values), self._present, self._ended, self._numbers)
            self._computation.start()
            return
        with self.hold_sync():  # the picture goes first, and has the words with it
            try:
                with self._numbers.drawing():
                    result = self._compute(**self.values)
                self._draw_result(result)
            except (Exception, SystemExit) as problem:  # whatever a reader's function raises is shown in the panel
                self._refuse(problem)
            except KeyboardInterrupt:
                self._refuse(RuntimeError(INTERRUPTED))
                raise
            finally:
                self._send_frame()

    def _present(self, result: Any) -> None:
        with self.hold_sync():
            self._draw_result(result)
            self._presented = True
            self._send_frame(settled=False)

    def _ended(self, problem: BaseException | None) -> None:
        stopped = self._computation is not None and self._computation.stopped
        if self.status and self._computation is not None:
            self.status = STOPPED if problem or stopped else FINISHED
        self._computation = None
        if problem is None and not self._presented:
            problem = RuntimeError(INTERRUPTED) if stopped else ValueError(NO_RESULT.format(values=self.values))
        with self.hold_sync():
            if problem is not None:
                self._refuse(problem)
            self._send_frame()

    def _refuse(self, problem: BaseException) -> None:
        self.error = problem if isinstance(problem, Exception) else RuntimeError(f"{type(problem).__name__} was raised")
        self._error = error_report(self.error)

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error

    # The picture

    def _draw_result(self, result: Any) -> None:
        self._before = self._numbers.copy()
        try:
            with self._numbers.drawing(), style():
                words = self._show(result) if self._show is not None else self._draw_anew(lambda show: show(result))
            if not isinstance(words, str):
                raise TypeError(NO_WORDS.format(got=words))
        except BaseException:
            self._free()  # it may be half drawn
            raise
        self._drawn = self._has_result = True
        with self.hold_sync():
            self.result, self.words, self.error, self._error = result, words, None, None

    def _picture(self) -> Canvas:
        """The picture as it is; drawn anew where it was freed."""
        if self._canvas is None:
            # The same picture as before; the reader's numbers know nothing of it.
            with self._before.copy().drawing(), style():
                words = self._draw_anew(lambda show: show(self.result) if self._has_result else "")
            if self._has_result:
                self.words = words  # a function that depends on more than its arguments may say something else now
        assert self._canvas is not None
        return self._canvas

    def _draw_anew(self, fill: Callable[[Show], str]) -> str:
        width, height = self._size
        canvas = Canvas(Sheet((width, height), width=self._seen.width))
        canvas.set_scale(self._seen.scale)
        show = self._draw(canvas.figure)
        if not callable(show):
            raise TypeError(NOTHING_TO_SHOW.format(got=show))
        words = fill(show)
        canvas.arrange()
        self._canvas, self._show, self._drawn = canvas, show, True
        return words

    def _free(self) -> None:
        self._canvas = self._show = None

    def _see(self, seen: View) -> None:
        """Draw for a screen of this density and a page of this width."""
        if seen.width != self._seen.width:
            self._free()
        elif self._canvas is not None:
            self._canvas.set_scale(seen.scale)
        self._seen = seen

    # Views

    def _on_message(self, _: Any, message: dict[str, Any], buffers: Any) -> None:
        view = message.get("view", "")
        match message.get("kind"):
            case "hello":  # again where its size has changed
                self._absent.discard(view)
                self._views.pop(view, None)
                self._views[view] = View(
                    max(1, int(message.get("scale", 1))),
                    int(message.get("width") or self._size[0]),
                    bool(message.get("hidden")),
                )
                self._see(self._seen_by_all())
                self._send_frame(complete=True, settled=self._computation is None)
            case "bye":
                self._views.pop(view, None)
                self._call_the_roll()
            case "leaving":
                self._call_the_roll()
            case "here":
                self._absent.discard(view)
            case "stop":
                self.stop()
            case "again":
                self.retrain()

    def _seen_by_all(self) -> View:
        """There is one picture for all views: that for the narrowest in sight, or its letters would shrink there."""
        in_sight = [view for view in self._views.values() if not view.hidden] or list(self._views.values())
        return View(max(view.scale for view in in_sight), min(view.room for view in in_sight))

    def _show_to_all(self) -> None:
        seen = self._seen_by_all()
        if seen != self._seen:
            self._see(seen)
            self._send_frame(complete=True, settled=self._computation is None)

    def _miss_the_narrowest(self) -> None:
        """Ask who is there where a view has more room than its picture: a narrow page that crashed did not say so."""
        roomy = any(view.width > self._seen.width and not view.hidden for view in self._views.values())
        if roomy and time.monotonic() > self._asked + AGAIN:
            self._call_the_roll()

    def _call_the_roll(self) -> None:
        """Ask who is there: a page that was loaded again, or has lost its kernel, has not said goodbye."""
        if not self._views:  # the cell was run again, or the page closed
            self.stop()
            self._free()
            return
        self._show_to_all()
        self._absent, self._asked = set(self._views), time.monotonic()
        self._tell({"kind": "roll"})
        with suppress(RuntimeError):  # where no event loop runs, no browser answers
            loop = asyncio.get_running_loop()
            loop.call_later(ROLL, self._forget, self._absent, loop.time() + 2 * ROLL)

    def _forget(self, absent: MutableSet[str], latest: float) -> None:
        if absent is not self._absent or not absent:  # it was called again, or all are here
            return
        late = asyncio.get_running_loop().time() > latest  # a cell was running: the answers wait too
        if not late:
            self._views = {view: seen for view, seen in self._views.items() if view not in absent}
        if late or not self._views:
            self._call_the_roll()
        else:
            self._show_to_all()

    def _json_values(self) -> dict[str, Any]:
        return {name: control.to_json(getattr(self, name)) for name, control in self.controls.items()}

    def _tell(self, message: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        if self._views:
            self.send(message, buffers=buffers)

    def _send_frame(self, *, settled: bool = True, complete: bool = False) -> None:
        """What has changed in the picture, with the values that it answers."""
        if not self._views:
            return
        patches: list[Patch] = []
        width, height = self._size
        try:
            picture = self._picture()
            if complete or self._drawn:
                patches = [picture.complete()] if complete else picture.changed()
            self._drawn = False
            width, height = picture.figure.pixels
        except Exception as problem:  # of drawing
            self._refuse(problem)
        frame = {
            "kind": "frame",
            "values": self._json_values(),
            "settled": settled,
            "words": self.words,
            "notice": self._notice,
            "error": self._error,
            "room": self._seen.room,
            "width": width,
            "height": height,
            "scale": self._seen.scale,
            "patches": [{"x": p.x, "y": p.y, "mime": p.mime, "width": p.width} for p in patches],
        }
        self._tell(frame, [p.data for p in patches])


def check_names(names: Sequence[str]) -> None:
    """Each control gives the panel a trait of its name: one of its own, and none that a panel has already."""
    if len(set(names)) < len(names):
        raise ValueError(f"every control needs a name of its own, got {names}")
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"a control's name is an argument of the compute function, so it cannot be {name!r}")
        if name.startswith("_"):
            raise ValueError(f"a control cannot be named {name!r}: a panel's own names begin so; rename it")
        if hasattr(Panel, name) or name == "controls":
            raise ValueError(
                f"a control cannot be named {name!r}: every panel has an attribute of that name; rename it"
            )


def waiting(title: str, problem: NotImplementedError) -> Panel:
    """A panel that says which function is still to be written, where nothing at all can be computed without it."""

    def compute() -> None:
        raise problem

    def draw(figure: Figure) -> Show:
        return lambda nothing: ""

    return Panel(title, [], compute, draw, size=(960, 20))


def error_report(problem: BaseException | None) -> dict[str, str] | None:
    """An exception as the front end shows it; a function that is still to be written needs no traceback."""
    if problem is None:
        return None
    if name := unwritten(problem):
        return {"message": NOT_BEGUN.format(name=name), "traceback": ""}
    try:
        lines = traceback.format_exception(problem)
        return {"message": f"{type(problem).__name__}: {problem}", "traceback": "".join(lines)}
    except Exception:  # a reader's exception that cannot say itself what it is
        return {"message": type(problem).__name__, "traceback": "".join(traceback.format_tb(problem.__traceback__))}
