"""What may go wrong in a panel of a reader's own: it is said, and picture, words and controls still agree."""

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from test_panels_engine import Front, a_panel, draw_line, slope

from course_utils.panels.engine import Button, Choice, Panel, Slider, panel, widget
from course_utils.plots import style

LOSS = 64  # of a patch with many colours


def line(ax: Any, k: int) -> str:
    ax.plot([0, k])
    return f"k is {k}."


def shown_by(of_panel: Panel, **options: Any) -> Front:
    front = Front(of_panel)
    front.tell(kind="hello", view="a view", scale=1, **options)
    return front


def assert_agrees(front: Front, k: int) -> None:
    """Controls, words and picture are those of k, and a view of another width sees the same."""
    assert front.panel.k == k
    assert front.messages[-1]["values"] == {"k": k}
    assert front.messages[-1]["words"] == f"k is {k}."
    assert front.panel.figure.axes[0].lines[0].get_ydata()[1] == k


def test_a_picture_without_words_is_a_picture() -> None:
    def silent(ax: Any, k: int) -> str:
        ax.plot([0, k])
        return "even" if k % 2 == 0 else ""

    front = shown_by(panel(silent, k=[1, 2, 3]), width=700)
    assert (front.picture < 255).any()
    front.move(k=3)
    assert front.messages[-1]["words"] == ""
    front.tell(kind="hello", view="a view", scale=1, width=400)
    assert (front.picture < 255).any()


@pytest.mark.parametrize("problem", [KeyError("k"), ValueError("no")])
def test_whoever_observes_a_control_and_raises_does_not_keep_the_picture_back(problem: Exception) -> None:
    def observer(change: Any) -> None:
        raise problem

    of_line = panel(line, k=range(5))
    front = shown_by(of_line)
    of_line.observe(observer, "k")
    front.move(k=4)
    assert type(problem).__name__ in front.messages[-1]["error"]["message"]
    assert_agrees(front, 4)
    with pytest.raises(type(problem)):
        of_line.set(k=3)
    assert_agrees(front, 3)


@pytest.mark.parametrize("where", ["compute", "show", "before the first result"])
def test_an_interrupt_leaves_no_old_picture_without_a_word(where: str) -> None:
    def stop(k: int, here: str) -> int:
        if k == 2 and where == here:
            raise KeyboardInterrupt
        return k

    def epochs(k: int) -> Iterator[int]:
        yield stop(k, "before the first result")

    def draw(figure: Any) -> Callable[[int], str]:
        draw_line(figure)
        return lambda k: f"k is {stop(k, 'show')}."

    compute = epochs if where.startswith("before") else lambda k: stop(k, "compute")
    front = shown_by(Panel("P", [Slider(name="k", label="k", values=range(5), value=0)], compute, draw))
    with pytest.raises(KeyboardInterrupt):
        front.panel.set(k=2)
    assert front.messages[-1]["settled"]
    assert "stopped before there was a result" in front.messages[-1]["error"]["message"]
    front.move(k=3)
    assert front.messages[-1]["error"] is None
    assert front.panel.words == "k is 3."


def test_a_function_that_fails_midway_leaves_the_picture_before() -> None:
    def halfway(ax: Any, k: int) -> str:
        ax.plot([0, k])
        return f"k is {k}, {1 / k:g}."

    of_half = panel(halfway, k=[1, 2, 0])
    front = shown_by(of_half)
    before = front.picture.copy()
    front.move(k=0)
    assert "ZeroDivisionError" in front.messages[-1]["error"]["message"]
    assert np.array_equal(front.picture, before)
    front.tell(kind="hello", view="another view", scale=1)
    assert np.array_equal(front.picture, before)


def test_a_generator_without_a_result_is_named() -> None:
    def epochs(a: int) -> Iterator[int]:
        if not a:
            yield a

    front = shown_by(a_panel(epochs))
    front.move(a=1)
    assert "yielded no result" in front.messages[-1]["error"]["message"]


def test_random_pictures_change_from_press_to_press_and_stay_while_they_are_shown() -> None:
    def dice(throw: int) -> tuple[float, ...]:
        return float(torch.rand(1)), float(np.random.rand()), random.random()  # noqa: NPY002

    seen: list[tuple[float, ...]] = []

    def draw(figure: Any) -> Callable[[Any], str]:
        draw_line(figure)
        return lambda thrown: seen.append(thrown) or f"{thrown}, {np.random.rand():.6f}"  # noqa: NPY002

    front = shown_by(Panel("Dice", [Button(name="throw", label="Throw")], dice, draw))
    said = [front.move(throw=number)["words"] for number in range(1, 4)]
    assert len(set(said)) == 3
    assert len({float(number) for thrown in seen[:4] for number in thrown}) == 12  # of all three kinds
    front.tell(kind="hello", view="a view", scale=1, width=400)  # drawn once more
    assert front.messages[-1]["words"] == said[-1]


def test_what_a_function_says_is_said_of_the_picture_that_is_shown() -> None:
    numbers = np.random.default_rng(0)

    def noise(ax: Any, k: int) -> str:
        mean = numbers.random()
        ax.set_title(f"{mean:.6f}")
        return f"{mean:.6f}"

    front = shown_by(panel(noise, k=[1, 2]), width=500)
    assert front.messages[-1]["words"] == front.panel.figure.axes[0].get_title(loc="left")


def test_a_generator_within_no_grad_leaves_the_readers_gradients_on() -> None:
    def epochs(a: int) -> Iterator[int]:
        with torch.no_grad():
            for _ in range(20):
                yield a
                assert not torch.is_grad_enabled()

    async def cell() -> bool:
        of_epochs = a_panel(epochs)
        of_epochs.a = 1
        enabled = True
        while of_epochs._computation is not None:
            await asyncio.sleep(0)
            enabled &= torch.is_grad_enabled()
        return enabled

    assert asyncio.run(cell())


def test_a_generator_within_settings_of_its_own_leaves_the_readers() -> None:
    def epochs(a: int) -> Iterator[int]:
        with plt.rc_context({"font.size": 30}):
            for _ in range(20):
                yield a
                assert plt.rcParams["font.size"] == 30
        assert plt.rcParams["font.size"] == 11  # the course's

    async def cell() -> set[float]:
        of_epochs = a_panel(epochs)
        of_epochs.a = 1
        sizes = set()
        while of_epochs._computation is not None:
            await asyncio.sleep(0)
            sizes.add(plt.rcParams["font.size"])
        assert of_epochs.error is None
        return sizes

    with matplotlib.rc_context({"font.size": 17}):
        assert asyncio.run(cell()) == {17}


def test_a_panel_made_without_gradients_trains_with_them() -> None:
    def epochs(a: int) -> Iterator[int]:
        assert torch.is_grad_enabled()
        yield a

    with torch.no_grad():
        of_epochs = a_panel(epochs)
        of_epochs.set(a=1)
        assert not torch.is_grad_enabled()
    of_epochs.set(a=2)


def test_all_views_show_what_the_narrowest_in_sight_can() -> None:
    front = shown_by(panel(line, k=range(5)), width=900)
    front.tell(kind="hello", view="narrow", scale=1, width=400)
    front.tell(kind="hello", view="wide", scale=1, width=1000)
    assert front.picture.shape[1] == 400
    front.tell(kind="hello", view="narrow", scale=1, width=400, hidden=True)  # another page is in front of it
    assert front.picture.shape[1] == 900
    front.tell(kind="hello", view="narrow", scale=1, width=400, hidden=False)
    assert front.picture.shape[1] == 400


def test_a_page_that_leaves_is_forgotten_unless_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widget, "ROLL", 0.05)

    async def leave() -> None:
        front = shown_by(panel(line, k=range(5)), width=900)
        front.tell(kind="hello", view="narrow", scale=1, width=400)
        front.tell(kind="leaving")
        front.tell(kind="here", view="a view")
        await asyncio.sleep(0.3)
        assert front.picture.shape[1] == 900

    asyncio.run(leave())


def test_a_narrow_page_that_ended_without_a_word_is_missed_at_a_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widget, "ROLL", 0.5)

    async def move() -> None:
        front = shown_by(panel(line, k=range(5)), width=900)
        front.tell(kind="hello", view="narrow", scale=1, width=400)
        for k in (1, 2, 3):
            front.move(k=k)
            front.tell(kind="here", view="a view")
        assert sum(message["kind"] == "roll" for message in front.messages) == 1
        await asyncio.sleep(0.8)
        assert front.picture.shape[1] == 900

    asyncio.run(move())


def test_the_view_that_stays_has_the_picture_that_was_made_for_it() -> None:
    front = shown_by(panel(line, k=range(5)), width=900)
    front.tell(kind="hello", view="a narrow view", scale=1, width=400)
    assert front.picture.shape[1] == 400
    front.tell(kind="bye", view="a narrow view")
    assert front.picture.shape[1] == 900


def test_what_another_thread_delivers_is_done_in_the_main_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterLab has messages of widgets delivered in threads of their own, while a cell runs."""
    threads: list[threading.Thread] = []
    front = shown_by(a_panel(lambda a: threads.append(threading.current_thread()) or a))
    content = {"comm_id": "1", "data": {"method": "update", "state": {"a": 2}, "buffer_paths": []}}
    message = {"content": content, "buffers": []}

    async def deliver() -> None:
        kernel = SimpleNamespace(io_loop=SimpleNamespace(asyncio_loop=asyncio.get_running_loop()))
        monkeypatch.setattr(widget, "get_ipython", lambda: SimpleNamespace(kernel=kernel))
        await asyncio.to_thread(front.panel._handle_msg, message)
        while front.panel.a != 2:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(deliver(), 10))
    assert set(threads) == {threading.main_thread()}
    assert front.messages[-1]["values"] == {"a": 2}


def test_a_closed_training_is_stopped() -> None:
    def epochs(train: bool) -> Iterator[int]:
        while train:
            yield 1
        yield 0

    from course_utils.panels.engine import Train

    async def closing() -> str:
        training = Panel("T", [Train()], epochs, lambda figure: lambda epoch: f"{epoch}")
        training.train = True
        await asyncio.sleep(0.02)
        training.close()
        return training.status

    assert asyncio.run(closing()) == "stopped"


def test_options_that_python_calls_equal_are_two() -> None:
    of_kinds = panel(lambda ax, kind=0: f"{kind!r}", kind={"zero": 0, "false": False})
    front = shown_by(of_kinds)
    assert [front.move(kind=text)["words"] for text in ("false", "zero", "false")] == ["False", "0", "False"]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Slider(name="k", label="k", values=[0.1, float("inf")]), "finite numbers only"),
        (lambda: Slider(name="k", label="k", values=[1, float("nan"), 2]), "finite numbers only"),
        (lambda: Slider(name="k", label="k", values=range(200_000)), "give it at most 10,000"),
        (lambda: Choice(name="k", label="k", options=["a"]), "takes a dictionary"),  # type: ignore[arg-type]
        (lambda: Choice(name="k", label="k", options={"L1": "l1", "lasso": "l1"}), "are one value"),
        *((lambda name=name: panel(lambda ax, **k: "", **{name: [1, 2]}), "rename it") for name in ("error", "_seen")),
        (lambda: panel(lambda ax, **k: "", controls=[1, 2]), "rename it"),
        (lambda: Panel("P", [slope()], lambda a: a, lambda figure: lambda a: None), "words"),  # type: ignore
    ],
)
def test_what_cannot_work_is_refused_with_a_way_out(make: Callable[[], Any], problem: str) -> None:
    with pytest.raises((ValueError, TypeError), match=problem):
        make()


def test_pyplot_is_refused_whatever_figure_is_open() -> None:
    mine = plt.figure()
    try:

        def plots(ax: Any, k: int) -> str:
            plt.plot([0, k])
            return "k"

        with pytest.raises(TypeError, match="draws with plt"):
            panel(plots, k=[1, 2])
        assert mine.axes == []
        assert plt.get_fignums() == [mine.number]
    finally:
        plt.close(mine)


def test_a_readers_figure_is_drawn_as_matplotlib_draws_it() -> None:
    def stacked(ax: Any, k: int) -> str:
        ax.stackplot([0, 1], [[k, k]], labels=["a label"])
        ax.legend(loc="center")
        return "k"

    of_stack = panel(stacked, k=[1, 2])
    front = shown_by(of_stack, width=960)
    figure = of_stack.figure
    figure.canvas.draw()
    assert np.array_equal(front.picture, np.asarray(figure.canvas.buffer_rgba())[:, :, :3])


def relabel(axes: Any, k: int) -> None:
    axes.xaxis.label.set_text(f"at {k}")


def recolour_ticks(axes: Any, k: int) -> None:
    axes.get_xticklabels()[0].set_color(f"C{k}")


def fit(axes: Any, k: int) -> None:
    axes.lines[0].set_ydata([0, k])
    axes.relim()
    axes.autoscale()


def rename(axes: Any, k: int) -> None:
    axes.figure.legends[0].get_texts()[0].set_text(f"line {k}")


@pytest.mark.parametrize("change", [relabel, recolour_ticks, fit, rename])
def test_a_still_part_that_changes_is_drawn_anew(change: Callable[[Any, int], None]) -> None:
    def draw(figure: Any) -> Callable[[int], str]:
        axes = figure.subplots()
        axes.set(xlabel="at 0")
        axes.plot([0, 1], [0, 1], label="line 0")
        figure.legend()

        def show(k: int) -> str:
            change(axes, k)
            return f"k is {k}."

        return show

    of_change = Panel("P", [Slider(name="k", label="k", values=range(5), value=0)], lambda k: k, draw, size=(400, 240))
    front = shown_by(of_change, width=400)
    for k in (3, 2, 4):
        front.move(k=k)
    of_change._canvas._background = None  # type: ignore[union-attr]
    pixels = np.ascontiguousarray(of_change._canvas.pixels())  # type: ignore[union-attr]
    whole = pixels.view(np.uint8).reshape(*pixels.shape, 4)[:, :, :3]
    assert np.abs(front.picture.astype(int) - whole).max() <= LOSS


def test_a_figure_in_space_is_drawn_as_matplotlib_draws_it() -> None:
    def draw(figure: Any) -> Callable[[int], str]:
        axes = figure.add_subplot(projection="3d")
        axes.plot_surface(*np.meshgrid([0, 1, 2], [0, 1, 2]), np.eye(3))

        def show(k: int) -> str:
            axes.view_init(20 * k, 30)
            return f"k is {k}."

        return show

    of_space = Panel("P", [Slider(name="k", label="k", values=range(5), value=0)], lambda k: k, draw, size=(400, 240))
    front = shown_by(of_space, width=400)
    front.move(k=3)
    figure = of_space.figure
    with style():
        figure.canvas.draw()
    assert np.abs(front.picture.astype(int) - np.asarray(figure.canvas.buffer_rgba())[:, :, :3]).max() <= LOSS
