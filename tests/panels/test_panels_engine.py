"""The panel engine without a browser: controls, what is sent, what is drawn, and what happens when something fails."""

import ast
import asyncio
import base64
import gc
import io
import os
import random
import signal
import subprocess
import sys
import time
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
import traitlets
from comm.base_comm import BaseComm
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from PIL import Image

import course_utils.panels
from course_utils.panels.engine import Button, Choice, Panel, Show, Slider, Text, Toggle, on_move, widget
from course_utils.panels.engine.canvas import INDEXED, Canvas, Patch, changed_boxes, indexed, make_patch
from course_utils.panels.engine.sheet import Sheet
from course_utils.plots import write


def draw_line(figure: Figure) -> Show:
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(-5, 5), title="A line")
    (line,) = axes.plot([0, 1], [0, 0])
    image = axes.imshow(np.zeros((8, 8)), extent=(0, 1, -5, 0), vmin=0, vmax=5, aspect="auto", cmap="viridis")

    def show(slope: float) -> str:
        line.set_ydata([0, slope])
        image.set_data(np.outer(np.arange(8), np.ones(8)) * slope / 8)
        return f"The slope is {slope:g}."

    return show


def slope(**options: Any) -> Slider:
    return Slider(name="a", label="Slope", values=[-2, -1, 0, 1, 2], **options)


def a_panel(compute: Any = lambda a: a) -> Panel:
    return Panel("A panel", [slope()], compute, draw_line, size=(400, 240))


class Front:
    """Stands in for the browser: it takes messages and keeps the picture that a reader would see."""

    def __init__(self, panel: Panel, scale: int = 1) -> None:
        self.panel, self.messages, self.picture = panel, [], np.zeros((0, 0, 3), np.uint8)
        panel.send = self.receive  # type: ignore[method-assign]
        self.tell(kind="hello", view="a view", scale=scale)

    def tell(self, **message: Any) -> None:
        self.panel._on_message(self.panel, message, [])

    def move(self, **values: Any) -> dict[str, Any]:
        self.panel.set_state(values)
        return self.messages[-1]

    def receive(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        self.messages.append(content | {"words": self.panel.words, "error": self.panel._error})
        if content["kind"] == "frame":
            shape = round(content["height"] * content["scale"]), round(content["width"] * content["scale"])
            if self.picture.shape[:2] != shape:
                self.picture = np.zeros((*shape, 3), np.uint8)
            for patch, data in zip(content["patches"], buffers or [], strict=True):
                pixels = decode(patch["mime"], data, patch["width"])
                height, width = pixels.shape[:2]
                self.picture[patch["y"] : patch["y"] + height, patch["x"] : patch["x"] + width] = pixels


def decode(mime: str, data: bytes, width: int) -> np.ndarray:
    if mime != INDEXED:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    palette = np.frombuffer(data[:1024], np.uint8).reshape(256, 4)
    return palette[np.frombuffer(zlib.decompress(data[1024:]), np.uint8)].reshape(-1, width, 4)[:, :, :3]


class Silent(BaseComm):
    """A connection to a page that hears nothing."""

    def publish_msg(self, *_: Any, **__: Any) -> None:
        """Nothing is sent."""


@contextmanager
def counted_draws() -> Iterator[list[int]]:
    """A list that grows by one whenever a canvas is rendered."""
    drawn: list[int] = []
    render = Canvas._render

    def counted(canvas: Canvas) -> np.ndarray:
        drawn.append(1)
        return render(canvas)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Canvas, "_render", counted)
        yield drawn


# Controls


def test_slider_reads_the_nearest_value_and_refuses_others() -> None:
    slider = slope()
    assert slider.value == 0
    assert slider.read(0.9) == slider.read(np.float32(0.9)) == 1
    for wrong in (3, -2.5, "1", True, None, float("nan")):
        with pytest.raises(ValueError, match="between -2 and 2"):
            slider.read(wrong)
    assert slider.probe() == [-2, 0, 2]
    assert slider.spec()["texts"] == ["−2", "−1", "0", "1", "2"]  # with a minus, which is no hyphen


def test_numbers_of_a_slider_and_its_notice_are_written_as_in_a_book() -> None:
    rate = Slider(name="rate", label="Rate", values=np.array([-0.5, 1e-5, 1e-3]))
    assert rate.spec()["texts"] == ["−0.5", "1 × 10⁻⁵", "0.001"]
    shown = Panel("P", [rate], lambda rate: rate, draw_line)
    with pytest.warns(UserWarning, match="has no −0.4 on its slider; it was set to the nearest value, −0.5"):
        shown.rate = -0.4


def test_slider_names_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="no values"):
        Slider(name="a", label="A", values=[])
    with pytest.raises(ValueError, match="2 values but 1 texts"):
        Slider(name="a", label="A", values=[1, 2], texts=["one"])
    with pytest.raises(ValueError, match="between 1 and 2"):
        Slider(name="a", label="A", values=[1, 2], value=7)


def test_choice_toggle_text_and_button() -> None:
    choice = Choice(name="k", label="Kind", options={"lasso": "l1", "ridge": "l2"})
    assert (choice.value, choice.probe()) == ("l1", ["l1", "l2"])
    assert choice.spec()["options"] == ["lasso", "ridge"]
    assert (choice.to_json("l2"), choice.from_json("ridge"), choice.read("ridge")) == ("ridge", "l2", "l2")
    with pytest.raises(ValueError, match=r"one of \['l1', 'l2'\], got 'l3'"):
        choice.read("l3")
    assert Toggle(name="t", label="T").probe() == [False, True]
    with pytest.raises(ValueError, match="True or False"):
        Toggle(name="t", label="T").read(1)
    assert Text(name="x", label="X").read("abc") == "abc"
    with pytest.raises(ValueError, match="at most 200 characters"):
        Text(name="x", label="X").read("a" * 201)
    assert Button(name="b", label="B").read(3) == 3
    with pytest.raises(ValueError, match="counts presses"):
        Button(name="b", label="B").read(-1)


def test_controls_need_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        Panel("P", [slope(), slope()], lambda a: a, draw_line)


# Moving and drawing


def test_set_moves_controls_draws_and_says() -> None:
    panel = a_panel()
    before = panel.png()
    assert panel.set(a=2).words == "The slope is 2."
    assert panel.result == 2
    assert panel.figure.axes[0].lines[0].get_ydata()[1] == 2
    assert panel.png() != before
    assert panel.reset().words == "The slope is 0."
    assert panel.png() == before


def test_unknown_and_forbidden_values_change_nothing() -> None:
    panel = a_panel().set(a=1)
    with pytest.raises(ValueError, match="no control named b; there are a"):
        panel.set(b=1)
    with pytest.raises(ValueError, match="between -2 and 2"):
        panel.set(a=9)
    assert panel.values == {"a": 1}


def test_an_error_is_shown_and_gone_after_the_next_move() -> None:
    panel = a_panel(lambda a: a / (2 - a) * (2 - a) if a < 2 else 1 / 0)
    front = Front(panel)
    with pytest.raises(ZeroDivisionError):
        panel.set(a=2)
    assert isinstance(panel.error, ZeroDivisionError)
    assert panel.words == "The slope is 0."
    shown = front.messages[-1]["error"]
    assert shown["message"].startswith("ZeroDivisionError")
    assert "test_panels_engine.py" in shown["traceback"]
    assert front.move(a=1)["error"] is None
    assert panel.error is None


def test_a_function_that_is_still_to_be_written_is_named_without_a_traceback() -> None:
    def double(a: float) -> float:
        raise NotImplementedError()

    panel = a_panel(lambda a: double(a))
    front = Front(panel)
    answer = front.move(a=1)
    assert answer["error"]["message"].startswith("double has not been begun: write it in its cell")
    assert (answer["error"]["traceback"], answer["words"]) == ("", "")  # named once


def test_an_error_of_the_same_type_with_a_message_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match="for 'Long'"):
        a_panel(lambda a: float(torch.tensor([1, 2]).softmax(0)[0]))


def test_a_forbidden_value_from_the_browser_is_answered_by_an_error() -> None:
    front = Front(a_panel())
    assert "between -2 and 2" in front.move(a=77)["error"]["message"]
    assert front.move(a=1)["words"] == "The slope is 1."


def test_a_listener_hears_of_each_move_in_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course_utils.panels.engine.widget._listeners", [])
    heard: list[str] = []
    front = Front(a_panel())
    on_move(heard.append)
    on_move(listener := lambda title: heard.append(title.upper()))
    on_move(listener)
    front.move(a=1)
    assert heard == ["A panel", "A PANEL"]
    front.move(a=77)  # refused
    front.panel.set(a=2)  # from code
    assert heard == ["A panel", "A PANEL"]


IMPORTS = """
import importlib, os, pkgutil, sys, threading
from course_utils import panels
for module in pkgutil.walk_packages(panels.__path__, "course_utils.panels."):
    importlib.import_module(module.name)
print(sum(name.startswith("course_utils.panels.") for name in sys.modules))
print([thread.name for thread in threading.enumerate()], os.listdir())
"""


def test_importing_the_panels_writes_no_file_and_starts_no_thread(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], cwd=tmp_path, capture_output=True, text=True, check=True)
    modules, left = done.stdout.splitlines()
    assert int(modules) > 50
    assert left == "['MainThread'] []"


PANELS = Path(course_utils.panels.__path__[0])


def test_the_text_under_a_panel_is_what_describe_returns() -> None:
    problems = []
    for path in sorted(PANELS.glob("*/*.py")):
        nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)]
        panels = [node.name for node in nodes if node.returns and ast.unparse(node.returns) == "Panel"]
        if path.parent.name == "engine" or not panels:
            continue
        texts = {node.name for node in nodes if (ast.get_docstring(node) or "").startswith("The sentence")}
        shows = [node for node in nodes if node.name == "show" and node.returns and ast.unparse(node.returns) == "str"]
        last = {ast.unparse(show.body[-1]).partition("(")[0].removeprefix("return ") for show in shows}
        if not texts == last == {"describe"} or len(panels) > 1:
            problems.append(f"{path.relative_to(PANELS)}: panels {panels}, texts {texts}; shows return {last}")
    assert problems == []


# What is sent


def test_the_picture_in_the_browser_is_the_picture_in_the_kernel() -> None:
    def draw(figure: Figure) -> Show:
        (line,) = figure.subplots().plot([0, 1], [-2, 2])

        def show(slope: float) -> str:
            line.set_ydata([0, slope])
            return f"The slope is {slope:g}."

        return show

    def a_panel() -> Panel:
        return Panel("A panel", [slope()], lambda a: a, draw, size=(400, 240))

    front = Front(a_panel())
    for a in (1, -2, 2, 0, 0, 1):
        answer = front.move(a=a)
        assert answer["values"] == {"a": a}
        assert answer["words"] == f"The slope is {a:g}."
        fresh = a_panel().set(a=a)
        expected = np.asarray(Image.open(io.BytesIO(fresh._canvas.complete().data)).convert("RGB"))
        np.testing.assert_array_equal(front.picture, expected)


def test_nothing_is_sent_twice() -> None:
    front = Front(a_panel())
    front.move(a=1)
    assert front.move(a=1)["patches"] == []


def test_a_dense_screen_gets_twice_the_pixels() -> None:
    front = Front(a_panel(), scale=2)
    assert front.picture.shape == (480, 800, 3)
    front.move(a=2)
    assert front.messages[-1]["patches"]


def test_moves_from_code_move_the_controls_in_the_browser() -> None:
    panel = a_panel()
    front = Front(panel)
    panel.set(a=-1)
    assert front.messages[-1]["values"] == {"a": -1}
    assert front.move(a=1)["values"] == {"a": 1}


def test_a_panel_is_one_output_with_its_view_its_picture_and_its_words() -> None:
    panel = a_panel()
    bundle, metadata = panel._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.model_id
    assert Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).size == (400, 240)
    assert metadata["image/png"]["alt"] == panel.words == bundle["text/plain"] == "The slope is 0."
    assert bundle["image/png"] in bundle["text/html"]
    assert panel.words in bundle["text/html"]
    assert "Run this cell" in bundle["text/html"]


def test_reset_in_the_browser_leads_to_what_the_cell_showed() -> None:
    panel = a_panel().set(a=2)  # as a notebook may open it
    panel._repr_mimebundle_()
    assert panel._controls[0]["value"] == 2
    assert panel.reset().values == {"a": 0}


# An ordinary widget


def test_the_value_of_a_control_is_a_trait_of_its_name() -> None:
    panel = a_panel()
    changes: list[tuple[int, int]] = []
    panel.observe(lambda change: changes.append((change["old"], change["new"])), "a")
    panel.a = 2
    assert (panel.words, panel.values, changes) == ("The slope is 2.", {"a": 2}, [(0, 2)])
    with pytest.raises(ValueError, match="between -2 and 2"):
        panel.a = 9
    assert panel.a == 2
    assert panel.trait_metadata("a", "sync")


def test_panels_and_other_widgets_can_be_linked() -> None:
    first, second, number = a_panel(), a_panel(), ipywidgets.IntSlider(min=-2, max=2)
    traitlets.link((number, "value"), (first, "a"))
    traitlets.link((first, "a"), (second, "a"))
    number.value = 2
    assert (first.words, second.words) == ("The slope is 2.", "The slope is 2.")
    second.a = -1
    assert (number.value, first.words) == (-1, "The slope is -1.")


def test_a_value_that_is_not_on_the_slider_is_set_to_the_nearest_and_said() -> None:
    panel = a_panel()
    with pytest.warns(UserWarning, match=r"Slope has no 0\.9 on its slider; it was set to the nearest value, 1\."):
        panel.a = 0.9
    assert panel.a == 1
    front = Front(panel)
    front.move(a=1.7)  # by a link in the browser
    assert (panel.a, panel._notice) == (2, "Slope has no 1.7 on its slider; it was set to the nearest value, 2.")
    front.move(a=1)
    assert panel._notice == ""


def test_several_values_are_one_move() -> None:
    computed: list[tuple[int, int]] = []

    def compute(a: int, b: int) -> int:
        computed.append((a, b))
        return a

    panel = Panel("P", [slope(), Slider(name="b", label="B", values=[0, 1])], compute, draw_line)
    panel.set(a=1, b=0)
    Front(panel).move(a=2, b=1)
    assert computed == [(0, 1), (1, 0), (2, 1)]


def test_options_may_be_anything() -> None:
    options = {"relu": torch.relu, "pair": (1, 2), "array": np.zeros(2), "none": None}
    panel = Panel("P", [Choice(name="f", label="F", options=options)], lambda f: 0.0, draw_line)
    for text, value in options.items():
        panel.f = value
        assert panel.get_state("f") == {"f": text}
        assert panel.f is value
        Front(panel).move(f=text)
        assert panel.f is value
    array = Panel("P", [Slider(name="a", label="A", values=np.linspace(0, 1, 5))], lambda a: a, draw_line)
    assert array.set(a=0.25).get_state("a") == {"a": 0.25}


@pytest.mark.parametrize("name", ["layout", "set", "values", "words", "keys", "_esm", "a b", "lambda", ""])
def test_a_name_that_a_panel_needs_itself_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        Panel("P", [Slider(name=name, label="A", values=[1])], lambda **values: 0.0, draw_line)


def test_a_forgotten_return_is_named() -> None:
    with pytest.raises(TypeError, match="draw returned None; it has to end with `return show`"):
        Panel("P", [slope()], lambda a: a, lambda figure: None)  # type: ignore[arg-type,return-value]


def test_a_panel_that_nobody_sees_gives_its_memory_back_and_is_drawn_again() -> None:
    panel = a_panel().set(a=2)
    front = Front(panel)
    front.tell(kind="hello", view="another view", scale=1)
    figure, png = weakref.ref(panel.figure), panel.png()
    front.tell(kind="bye", view="a view")
    assert figure() is not None
    front.tell(kind="bye", view="another view")
    gc.collect()
    assert figure() is None
    assert panel.png() == png
    front.tell(kind="hello", view="a third view", scale=1)
    assert front.messages[-1]["patches"]


def test_a_view_that_went_without_goodbye_does_not_keep_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widget, "ROLL", 0.02)

    def asked(front: Front) -> int:
        return sum(message["kind"] == "roll" for message in front.messages)

    async def cell_is_run_again(*here: str, busy: float = 0) -> tuple[bool, int]:
        """Whether the picture is kept, and how often was asked; the kernel is `busy` before the answer arrives."""
        panel = a_panel()
        front = Front(panel)
        front.tell(kind="hello", view="another view", scale=1)
        figure = weakref.ref(panel.figure)
        front.tell(kind="bye", view="another view")
        time.sleep(busy)
        await asyncio.sleep(0)
        for view in here:
            front.tell(kind="here", view=view)
        await asyncio.sleep(0.1)
        gc.collect()
        return figure() is not None, asked(front)

    assert asyncio.run(cell_is_run_again()) == (False, 1)
    assert asyncio.run(cell_is_run_again("a view")) == (True, 1)
    assert asyncio.run(cell_is_run_again(busy=0.05)) == (False, 2)


def test_a_picture_is_drawn_once_and_goes_before_its_words() -> None:
    def compute(a: float) -> Iterator[float]:
        yield a

    for panel, expected in (
        (a_panel(), ["a", "frame", "words"]),
        (a_panel(compute), ["a", "accepted", "frame", "words", "frame"]),
    ):
        panel.comm = Silent()  # whatever an earlier test has left of a kernel
        Front(panel)
        sent: list[str] = []
        panel.send = lambda content, buffers=None, to=sent: to.append(content["kind"])  # type: ignore[method-assign]
        panel._send = lambda message, buffers=None, to=sent: to.extend(message.get("state", {}))  # type: ignore
        with counted_draws() as drawn:
            panel.set_state({"a": 2})
        assert (sent, len(drawn)) == (expected, 1)


def test_a_closed_panel_is_opened_by_showing_it_again() -> None:
    panel = a_panel().set(a=2)
    panel.close()
    assert panel.comm is None
    bundle, _ = panel._repr_mimebundle_()
    assert panel.comm is not None
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.model_id
    panel.a = 1
    assert panel.words == "The slope is 1."


# Slow computations


def test_a_generator_shows_each_result_and_settles_at_the_last() -> None:
    def compute(a: float) -> Iterator[float | None]:
        for part in (0.25, 0.5, 1.0):
            yield None  # nothing new to show
            yield a * part

    front = Front(a_panel(compute))
    front.messages.clear()
    front.move(a=2)
    assert front.messages[0]["kind"] == "accepted"
    frames = front.messages[1:]
    assert [m["words"] for m in frames] == [f"The slope is {s:g}." for s in (0.5, 1, 2, 2)]
    assert [m["settled"] for m in frames] == [False, False, False, True]


def test_the_latest_value_wins_and_the_older_computation_ends() -> None:
    yielded: list[float] = []
    closed: list[float] = []

    def compute(a: float) -> Iterator[float]:
        try:
            for part in (0.25, 0.5, 1.0):
                yielded.append(a * part)
                yield a * part
        finally:
            closed.append(a)

    panel = a_panel(compute)
    front = Front(panel)

    async def moves() -> None:
        front.move(a=1)
        while panel.result != 0.25:
            await asyncio.sleep(0)
        for a in (-1, -2, 2):
            assert front.move(a=a)["kind"] == "accepted"
        while panel.result != 2 or not front.messages[-1]["settled"]:
            await asyncio.sleep(0)

    asyncio.run(moves())
    assert yielded == [0, 0, 0, 0.25, 0.5, 1, 2]  # of 1 no more than was under way, of -1 and -2 nothing
    assert closed == [0, 1, 2]
    assert front.messages[-1]["values"] == {"a": 2}


def test_a_live_computation_leaves_the_readers_random_numbers_alone() -> None:
    def draws() -> tuple[float, float, float]:
        return float(torch.rand(1)), float(np.random.rand()), random.random()  # noqa: NPY002

    def compute(a: float) -> Iterator[float]:
        for _ in range(5):
            draws()
            torch.manual_seed(5)
            yield a

    def seed() -> None:
        torch.manual_seed(0), np.random.seed(0), random.seed(0)  # noqa: NPY002

    seed()
    expected = [draws() for _ in range(4)]

    async def cells() -> list[tuple[float, float, float]]:
        panel = a_panel(compute)
        seed()
        got = [draws()]
        panel.a = 2
        for _ in range(3):
            await asyncio.sleep(0.01)
            got.append(draws())
        panel.wait()
        return got

    assert asyncio.run(cells()) == expected
    panel = a_panel(lambda a: float(torch.rand(1)))
    seed()
    panel.set(a=1)
    assert draws() == expected[0]


def test_an_interrupt_stops_what_is_under_way() -> None:
    def compute(a: float) -> Iterator[float]:
        while a:
            yield a
        yield 0

    panel, other = a_panel(compute), a_panel(compute)

    async def interrupted() -> None:
        panel.a = 1
        other.a = 1
        await asyncio.sleep(0.05)
        assert (panel.result, other.result) == (1, 1)
        os.kill(os.getpid(), signal.SIGINT)  # as a kernel that runs no cell gets it
        while panel._computation or other._computation:
            await asyncio.sleep(0)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asyncio.run(asyncio.wait_for(interrupted(), 10))
    finally:
        signal.signal(signal.SIGINT, before)
    assert panel.error is other.error is None
    assert panel.set(a=0).result == 0


def test_a_function_that_calls_exit_is_an_error_in_the_panel() -> None:
    def compute(a: float) -> Iterator[float]:
        if a == 2:
            sys.exit()
        yield a

    for function in (compute, lambda a: sys.exit() if a == 2 else a):
        panel = a_panel(function)
        with pytest.raises(RuntimeError, match="SystemExit"):
            panel.set(a=2)
        assert panel.set(a=1).result == 1


def test_an_error_of_drawing_is_shown_and_gone_after_the_next_move() -> None:
    def draw(figure: Figure) -> Show:
        axes = figure.subplots()

        def show(slope: float) -> str:
            axes.set_title("$x^{$" if slope == 2 else "$x$")
            return f"The slope is {slope:g}."

        return show

    for compute in (lambda a: a, lambda a: iter([a])):
        panel = Panel("P", [slope()], compute if compute(0) == 0 else (lambda a: a), draw)
        front = Front(panel)
        front.move(a=2)
        assert "ParseException" in str(panel._error) or "ValueError" in str(panel._error)
        assert front.move(a=1)["error"] is None


def test_an_error_on_the_way_reaches_the_caller_and_the_panel_lives_on() -> None:
    def compute(a: float) -> Iterator[float]:
        yield a
        if a == 2:
            raise RuntimeError("it went wrong")

    panel = a_panel(compute)
    with pytest.raises(RuntimeError, match="it went wrong"):
        panel.set(a=2)
    assert panel.set(a=1).result == 1


# The canvas


def test_drawing_over_the_background_equals_drawing_everything() -> None:
    canvas = Canvas(Sheet((400, 240), width=400))
    show = draw_line(canvas.figure)
    canvas.arrange()
    places = [axes.get_position().bounds for axes in canvas.figure.axes]
    for a in (1, -2, 0.5):
        show(a)
        blitted = canvas._render().copy()
        canvas._background = None
        np.testing.assert_array_equal(blitted, canvas._render())
    canvas.figure.axes[0].set_title("Another title")  # a still part: the background has to follow
    changed = canvas._render().copy()
    assert (changed != blitted).any()
    assert [axes.get_position().bounds for axes in canvas.figure.axes] == places


def test_texts_that_rest_are_pasted_as_they_would_be_painted() -> None:
    canvas = Canvas(Sheet((400, 240), width=400))
    axes = canvas.figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1), title="A title, $x^2$")
    (line,) = axes.plot([0, 1], [0, 1], lw=6)
    framed = axes.text(0.5, 0.5, "framed", fontstyle="italic", bbox={"boxstyle": "round", "fc": "white"})
    turned = axes.text(0.2, 0.4, "two\nlines", rotation=30, fontsize=20, alpha=0.5)
    axes.text(float("nan"), 0.5, "nowhere")
    axes.text(0.98, 0.9, "beyond the edge of the picture")
    label = axes.annotate("here", (0.3, 0.8), (0.6, 0.2), arrowprops={"arrowstyle": "->"})
    bare = axes.annotate("", (0.9, 0.2), (0.7, 0.1), arrowprops={"arrowstyle": "-|>", "lw": 3})
    canvas.arrange()

    def moves() -> Iterator[None]:
        line.set_ydata([1, 0])  # below the texts
        yield
        framed.set_text("other words")
        yield
        turned.set_color("red")
        yield
        label.xy = (0.9, 0.9)  # which matplotlib does not notice
        yield
        bare.xy = (0.5, 0.05)
        yield
        axes.set_xlim(-1, 1)  # all places move
        yield
        canvas.set_scale(2)
        yield

    def painted() -> np.ndarray:
        canvas._background = None
        return canvas.pixels()

    before = canvas.pixels()
    for _ in moves():
        now = canvas.pixels()
        assert now.shape != before.shape or (now != before).any()
        for _ in range(3):  # kept, then pasted
            np.testing.assert_array_equal(canvas.pixels(), now)
        np.testing.assert_array_equal(painted(), now)
        canvas.pixels()
        before = canvas.pixels()


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> list[Artist]:
    """Every artist that an axes paints from here on, in order."""
    artists: list[Artist] = []
    draw = Axes.draw_artist

    def spy(axes: Axes, artist: Artist) -> None:
        artists.append(artist)
        draw(axes, artist)

    monkeypatch.setattr(Axes, "draw_artist", spy)
    return artists


def test_legends_that_rest_are_pasted_as_they_would_be_painted(painted: list[Artist]) -> None:
    canvas = Canvas(Sheet((400, 240), width=400))
    left, right = canvas.figure.subplots(1, 2)
    (line,) = left.plot([0, 1], [0, 1], label="rises")
    legend = left.legend(loc="upper left")
    right.plot([1, 0], label="falls")
    right.legend(loc="lower left", frameon=True)
    canvas.arrange()

    def moves() -> Iterator[int]:
        """A change, and how many legends have to be painted for it."""
        line.set_ydata([1, 0])
        yield 0
        left.set_xlim(-1, 1)
        yield 0
        legend.get_texts()[0].set_text("falls, too")
        yield 1
        right.set_visible(False)
        yield 0
        right.set_visible(True)
        yield 1  # all were forgotten while it was hidden
        legend.set_visible(False)  # which matplotlib tells nobody of what is animated
        yield 1
        legend.set_visible(True)
        yield 1
        legend.set_bbox_to_anchor((0.2, 0.3))
        yield 1
        canvas.set_scale(2)
        yield 2

    def rest() -> np.ndarray:
        for _ in range(2):  # what was painted once is kept when the background is drawn the next time
            canvas._background = None
            picture = canvas.pixels()
        return picture

    before = rest()
    for count in moves():
        painted.clear()
        now = canvas.pixels()
        assert sum(isinstance(artist, Legend) for artist in painted) == count
        assert now.shape != before.shape or (now != before).any()
        np.testing.assert_array_equal(rest(), now)
        canvas._legends.forget()
        np.testing.assert_array_equal(rest(), now)
        before = now


def test_a_text_that_rests_is_not_painted_again(painted: list[Artist]) -> None:
    canvas = Canvas(Sheet((400, 240), width=400))
    axes = canvas.figure.subplots()
    texts = [axes.text(0.1, 0.2 * i, f"text {i}") for i in range(5)]
    canvas.arrange()
    canvas.pixels()
    canvas.pixels()
    painted.clear()
    write(texts[3], text="another")
    write(texts[2], text="text 2", color="black", position=(0.1, 0.4))  # as it is
    canvas.pixels()
    assert painted == [texts[3]]


@given(st.data())
def test_patches_turn_the_old_picture_into_the_new_one(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 90)))
    old = rng.integers(0, 2**24, shape, dtype=np.uint32) | np.uint32(0xFF000000)
    new = old.copy()
    for _ in range(data.draw(st.integers(0, 5))):
        new[rng.integers(shape[0]), rng.integers(shape[1])] ^= np.uint32(0x00F0F0F0)
    patched = old.copy()
    for left, top, right, bottom in changed_boxes(old, new):
        patched[top:bottom, left:right] = new[top:bottom, left:right]
    np.testing.assert_array_equal(patched, new)


@given(seed=st.integers(0, 2**32), colours=st.integers(1, 256), height=st.integers(1, 20), width=st.integers(1, 20))
def test_few_colours_are_sent_exactly(seed: int, colours: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 2**24, colours, dtype=np.uint32) | np.uint32(0xFF000000)
    pixels = rng.choice(palette, (height, width))
    patch = make_patch(pixels, (0, 0, width, height))
    assert patch.mime == INDEXED
    rgba = pixels.view(np.uint8).reshape(height, width, 4)
    np.testing.assert_array_equal(decode(patch.mime, patch.data, patch.width), rgba[:, :, :3])


def test_many_colours_are_sent_as_a_photograph() -> None:
    pixels = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64) * 16 | np.uint32(0xFF000000)
    assert indexed(pixels) is None
    patch = make_patch(pixels, (0, 0, 64, 64))
    assert isinstance(patch, Patch)
    assert patch.mime == "image/jpeg"
    difference = decode(patch.mime, patch.data, 64).astype(int) - pixels.view(np.uint8).reshape(64, 64, 4)[:, :, :3]
    assert abs(difference).mean() < 12


def test_a_slider_of_thousands_shows_no_power_of_ten() -> None:
    slider = Slider(name="rows", label="Rows", values=(0.125, 50, 1000, 25000))
    assert slider.spec()["texts"] == ["0.125", "50", "1,000", "25,000"]
