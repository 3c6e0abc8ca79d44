"""Pictures of a reader's figures: nothing is cut off, what is in front is in front, and no setting leaks in."""

from collections.abc import Callable
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.transforms import Affine2D
from test_mishaps import shown_by

from course_utils.panels.engine import Panel, Slider, panel
from course_utils.plots import style

Show = Callable[[int], str]


def of(draw: Callable[[Any], Show], *, last: int = 5) -> Panel:
    """A panel whose control k goes from 0 to 5, or to the power `last` of ten."""
    values = range(6) if last == 5 else [10**power for power in range(last + 1)]
    return Panel("P", [Slider(name="k", label="k", values=values, value=values[0])], lambda k: k, draw, size=(400, 240))


def drawn_by_matplotlib(of_panel: Panel) -> np.ndarray:
    figure = of_panel.figure
    for axes in figure.axes:
        for artist in axes.findobj():
            artist.set_animated(False)
    with style():
        figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[attr-defined]


def line_and_legend(ax: Any, k: int) -> str:
    ax.plot([-1, 1], [-k, k], label=r"$\lambda$ and words")
    ax.set(xlabel="an axis", title="A title")
    ax.legend()
    return f"k is {k}."


def moving_line(figure: Any) -> Show:
    axes = figure.subplots()
    (line,) = axes.plot([-1, 1], [-1, 1], label="line")
    axes.legend()

    def show(k: int) -> str:
        line.set_ydata([-k, k])
        axes.relim()
        axes.autoscale()
        axes.set_title(rf"$\lambda$ is {k}")
        return f"k is {k}."

    return show


READERS: dict[str, Any] = {
    "axes.labelsize": 30,
    "axes.unicode_minus": False,
    "font.family": "serif",
    "font.size": 30,
    "mathtext.fontset": "cm",
    "text.usetex": True,
    "figure.dpi": 40,
}


@pytest.mark.parametrize("make", [lambda: panel(line_and_legend, k=range(6)), lambda: of(moving_line)])
def test_settings_of_the_reader_reach_no_panel_and_stay_theirs(make: Callable[[], Panel]) -> None:
    plain = shown_by(make(), width=400)
    plain.move(k=3)
    with matplotlib.rc_context():
        plt.style.use("dark_background")
        matplotlib.rcParams.update(READERS)
        before = dict.copy(matplotlib.rcParams)
        styled = shown_by(make(), width=400)
        styled.move(k=3)
        assert dict.copy(matplotlib.rcParams) == before
    assert np.array_equal(plain.picture, styled.picture)


def twins(figure: Any) -> Show:
    axes = figure.subplots()
    (back,) = axes.plot([0, 5], [5, 0], lw=12)
    over = axes.twinx()
    over.set_zorder(-1)
    axes.set_facecolor("none")
    (front,) = over.plot([0, 5], [0, 5], lw=12)

    def show(k: int) -> str:
        back.set_ydata([k, 0])
        front.set_ydata([0, k + 1])
        return f"k is {k}."

    return show


def a_plot_in_a_plot(figure: Any) -> Show:
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    small = figure.add_axes((0.3, 0.3, 0.4, 0.4))
    (line,) = axes.plot([0, 5], [0, 5], lw=12)
    (other,) = small.plot([0, 5], [5, 0])

    def show(k: int) -> str:
        line.set_ydata([k, 5])
        other.set_ydata([5, k])
        return f"k is {k}."

    return show


def words_over_an_image(figure: Any) -> Show:
    axes = figure.subplots()
    image = axes.imshow(np.eye(5), aspect="auto")
    words = figure.text(0.5, 0.5, "words", color="red", fontsize=30)

    def show(k: int) -> str:
        image.set_data(np.roll(np.eye(5), k))
        words.set_text(f"words {k}")
        return f"k is {k}."

    return show


def a_framed_image(figure: Any) -> Show:
    axes = figure.subplots()
    image = axes.imshow(np.eye(5), aspect="auto")
    axes.spines[:].set(visible=True, color="red")
    axes.plot([0, 4], [0, 4])

    def show(k: int) -> str:
        image.set_data(np.roll(np.eye(5), k))
        return f"k is {k}."

    return show


def words_that_come_over_it(figure: Any) -> Show:
    show = words_over_an_image(figure)
    (words,) = figure.texts

    def moved(k: int) -> str:
        words.set_y(0.5 if k == 3 else 0.99)
        return show(k)

    return moved


@pytest.mark.parametrize(
    "draw", [twins, a_plot_in_a_plot, words_over_an_image, a_framed_image, words_that_come_over_it]
)
def test_what_lies_over_another_is_painted_over_it(draw: Callable[[Any], Show]) -> None:
    front = shown_by(of(draw), width=400)
    for k in (2, 3):
        front.move(k=k)
    front.tell(kind="hello", view="a view", scale=1, width=400)  # without losses
    assert np.array_equal(front.picture, drawn_by_matplotlib(front.panel))


def grows_to_the_left(axes: Any, k: int) -> None:
    axes.set_ylim(0, k)


def grows_to_the_right(axes: Any, k: int) -> None:
    axes.set(xlim=(0, k), xticks=[0, k])


@pytest.mark.parametrize("grow", [grows_to_the_left, grows_to_the_right])
@pytest.mark.parametrize("width", [360, 960])
def test_numbers_at_ticks_that_grow_are_given_room(grow: Callable[[Any, int], None], width: int) -> None:
    def draw(figure: Any) -> Show:
        axes = figure.subplots()
        axes.ticklabel_format(style="plain")

        def show(k: int) -> str:
            grow(axes, k)
            return f"k is {k}."

        return show

    front = shown_by(of(draw, last=9), width=width)
    for k in (10, 10**9):
        front.move(k=k)
    assert edges_are_white(front.picture)


def test_a_place_that_the_reader_gave_is_kept() -> None:
    def draw(figure: Any) -> Show:
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        (line,) = axes.plot([0, 1], [0, 1])

        def show(k: int) -> str:
            line.set_ydata([0, k])
            axes.set_ylim(0, max(k, 1))
            return f"k is {k}."

        return show

    front = shown_by(of(draw), width=400)
    front.move(k=4)
    assert tuple(front.panel.figure.axes[0].get_position().bounds) == (0, 0, 1, 1)


def coloured_box(figure: Any) -> Show:
    words = figure.subplots().text(0.5, 0.5, "words", bbox={"facecolor": "lightgreen"})

    def show(k: int) -> str:
        if k == 4:
            words.set_bbox({"facecolor": "red"})
        elif k == 2:
            words.get_bbox_patch().set(facecolor="yellow")
        return f"k is {k}."

    return show


def coloured_arrow(figure: Any) -> Show:
    note = figure.subplots().annotate("here", (0.8, 0.8), (0.2, 0.2), arrowprops={"arrowstyle": "->", "lw": 3})

    def show(k: int) -> str:
        note.arrow_patch.set_color(f"C{k}")
        return f"k is {k}."

    return show


def label_on_a_bar(figure: Any) -> Show:
    axes = figure.subplots()
    (bar,) = axes.bar([0], [1])
    axes.set_ylim(0, 6)
    axes.annotate("here", (0.5, 1), xycoords=bar, textcoords=("data", "offset points"), xytext=(0.2, 3))

    def show(k: int) -> str:
        bar.set_height(k)
        return f"k is {k}."

    return show


def text_in_a_frame_of_its_own(figure: Any) -> Show:
    axes, frame = figure.subplots(), Affine2D()
    axes.text(0, 0, "words", transform=frame)

    def show(k: int) -> str:
        frame.clear().translate(100 + 20 * k, 100)
        return f"k is {k}."

    return show


def another_unit(figure: Any) -> Show:
    axes, units = figure.subplots(), [1]
    axes.yaxis.set_major_formatter(lambda value, _: f"{value * units[0]:.1f}")

    def show(k: int) -> str:
        units[0] = k
        return f"k is {k}."

    return show


def another_format(figure: Any) -> Show:
    axes = figure.subplots()
    axes.set_ylim(0, 100_000)

    def show(k: int) -> str:
        axes.ticklabel_format(style="sci" if k % 2 else "plain", scilimits=(0, 0))
        return f"k is {k}."

    return show


WITHOUT_A_MARK = [
    coloured_box,
    coloured_arrow,
    label_on_a_bar,
    text_in_a_frame_of_its_own,
    another_unit,
    another_format,
]


@pytest.mark.parametrize("draw", WITHOUT_A_MARK)
def test_what_matplotlib_does_not_mark_is_drawn_anew(draw: Callable[[Any], Show]) -> None:
    front = shown_by(of(draw), width=400)
    for k in (1, 3, 2, 4):
        front.move(k=k)
        moved = front.panel._canvas.pixels()  # type: ignore[union-attr]
        picture = np.ascontiguousarray(moved).view(np.uint8).reshape(*moved.shape, 4)[:, :, :3]
        apart = np.abs(picture.astype(int) - drawn_by_matplotlib(front.panel)).max(2) > 64  # but shades of an edge
        assert apart.sum() <= 20


def legend_that_gives_way(figure: Any) -> Show:
    axes = figure.subplots()
    (line,) = axes.plot([0, 1], [0, 1], label="a line", lw=6)
    axes.set(xlim=(0, 1), ylim=(0, 5))
    axes.legend(loc="best")

    def show(k: int) -> str:
        line.set_ydata([k, 5 - k])
        return f"k is {k}."

    return show


def line_into_the_next_plot(figure: Any) -> Show:
    left, right = figure.subplots(1, 2)
    (line,) = left.plot([0, 1], [0, 1], clip_on=False, lw=6)
    right.plot([0, 1], [1, 0])
    left.set(xlim=(0, 1), ylim=(0, 1))

    def show(k: int) -> str:
        line.set_xdata([0, k / 2])
        return f"k is {k}."

    return show


@pytest.mark.parametrize("draw", [legend_that_gives_way, line_into_the_next_plot])
def test_a_moving_line_is_seen_by_what_it_comes_near(draw: Callable[[Any], Show]) -> None:
    for k in (1, 3, 4, 2):
        front = shown_by(of(draw), width=900)
        front.move(k=5 - k)
        front.move(k=k)
        moved = front.panel._canvas.pixels()  # type: ignore[union-attr]
        picture = np.ascontiguousarray(moved).view(np.uint8).reshape(*moved.shape, 4)[:, :, :3]
        apart = np.abs(picture.astype(int) - drawn_by_matplotlib(front.panel)).max(2) > 64  # but shades of an edge
        assert apart.sum() <= 30


def test_limits_that_are_left_to_matplotlib_are_its_own() -> None:
    def draw(figure: Any) -> Show:
        axes = figure.subplots()

        def show(k: int) -> str:
            axes.clear()
            axes.plot([0, k + 0.7])
            return f"k is {k}."

        return show

    with matplotlib.rc_context({"axes.autolimit_mode": "round_numbers"}):
        front = shown_by(of(draw), width=400)
        front.move(k=3)
    assert front.panel.figure.axes[0].get_ylim() == pytest.approx((-0.185, 3.885))


@pytest.mark.parametrize("width", [400, 900])
def test_numbers_that_a_lower_plot_has_are_given_room_at_once(width: int) -> None:
    def draw(figure: Any) -> Show:
        axes = figure.subplots()
        (line,) = axes.plot([0, 1], [0, 1], clip_on=False, marker="o", ms=12)
        axes.set(xlim=(0, 1), ylim=(0, 1))

        def show(k: int) -> str:
            line.set_ydata([0, 0.3 * k])
            return f"k is {k}."

        return show

    front = shown_by(of(draw), width=width)
    for k in (5, 0):  # above its plot, and back
        front.move(k=k)
        canvas = front.panel._canvas
        assert canvas is not None
        sent = canvas._shown
        assert np.array_equal(canvas.pixels(), sent)
    assert edges_are_white(front.picture)


def edges_are_white(picture: np.ndarray) -> bool:
    return all((edge == 255).all() for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]))


@pytest.mark.parametrize("keeps", [True, False])
def test_a_title_that_needs_another_line_is_given_it(keeps: bool) -> None:
    def draw(figure: Any) -> Show:
        axes = figure.subplots()
        axes.set_title("x")
        if not keeps:
            axes.twinx()  # drawn by matplotlib as a whole

        def show(k: int) -> str:
            axes.set_title("A title of the picture that is long " * k)
            return f"k is {k}."

        return show

    front = shown_by(of(draw), width=400)
    for k in (1, 4):
        front.move(k=k)
        assert edges_are_white(front.picture)


def test_numbers_that_grow_reach_into_no_neighbour_and_plots_do_not_jump() -> None:
    def draw(figure: Any) -> Show:
        left, right = figure.subplots(1, 2)
        for axes in (left, right):
            axes.ticklabel_format(style="plain")

        def show(k: int) -> str:
            (left if k == 10 else right).set_ylim(0, k)
            (right if k == 10 else left).set_ylim(0, 1)
            return f"k is {k}."

        return show

    front = shown_by(of(draw, last=9), width=900)
    places = []
    for k in (10**9, 10, 10**9, 10, 10**8):
        front.move(k=k)
        left, right = front.panel.figure.axes
        with style():
            assert right.yaxis.get_tightbbox().x0 > left.bbox.x1
        places.append((left.get_position().bounds, right.get_position().bounds))
    assert len(set(places)) == 1
