"""The shared drawings: a heat map in which nothing is lost and zero is the only white."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from course_utils.plots import COLOURS, LINE_STYLES, MARKERS, WEIGHTS, fit_to, weight_map, wrap

WHITE = [255, 255, 255]


def painted(matrix: np.ndarray, limit: float, size: int = 120) -> np.ndarray:
    """The pixels inside the frame of a heat map that fills the figure."""
    figure = Figure(figsize=(size / 100, size / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    weight_map(axes, matrix, limit=limit)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[2:-2, 2:-2, :3]


def test_zero_is_the_only_white() -> None:
    assert (painted(np.zeros((5, 5)), 1.0) == WHITE).all()
    for tiny in (1e-30, -1e-30, 1e-3, -1e-3, 1.0, -1.0, 1e9):
        assert not (painted(np.full((5, 5), tiny), 1.0) == WHITE).all(axis=-1).any()


def test_signs_and_strength_are_told_apart() -> None:
    picture = painted(np.array([[-1.0, -0.2, 0.0, 0.2, 1.0]]), 1.0)[50]
    left, faint_left, zero, faint_right, right = picture[[5, 35, 58, 80, 110]].astype(int)
    assert left[0] > left[2]
    assert right[2] > right[0]
    assert faint_left.sum() > left.sum()
    assert faint_right.sum() > right.sum()
    assert (zero == WHITE).all()


def test_rows_run_downwards_as_in_a_matrix() -> None:
    picture = painted(np.array([[1.0], [0.0], [0.0]]), 1.0)
    assert (picture[5] != WHITE).any()
    assert (picture[-5] == WHITE).all()


def test_a_lone_weight_in_a_wide_matrix_is_seen() -> None:
    wide = np.zeros((700, 900))
    wide[333, 777] = -0.5
    assert (painted(wide, 1.0) != WHITE).any()


def test_nan_and_infinity_do_not_hurt() -> None:
    picture = painted(np.array([[np.nan, np.inf, -np.inf]]), 1.0)
    assert (picture[50, 10] == WHITE).all()
    assert (picture[50, 60] != WHITE).any()


@given(
    rows=st.integers(1, 30),
    columns=st.integers(1, 30),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 999),
)
def test_resizing_keeps_the_entry_of_largest_magnitude(
    rows: int, columns: int, height: int, width: int, seed: int
) -> None:
    matrix = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    small = fit_to(matrix, height, width)
    assert small.shape == (height, width)
    assert np.isin(small, matrix).all()
    assert abs(small).max() == abs(matrix).max()
    if height >= rows and width >= columns:
        assert np.isin(matrix, small).all()


def test_every_colour_has_a_second_cue() -> None:
    assert len(LINE_STYLES) == len(MARKERS) == 5
    assert len(set(COLOURS.values())) == len(COLOURS)


@pytest.mark.parametrize("deficiency", ["deutan", "protan"])
def test_positive_and_negative_differ_for_colour_blind_readers(deficiency: str) -> None:
    # Viénot, Brettel, Mollon 1999: what is left of linear RGB without the middle or the long cones.
    mix = {"protan": [0.11238, 0.88762, 0.0], "deutan": [0.29275, 0.70725, 0.0]}[deficiency]
    ends = np.array([WEIGHTS(0.1)[:3], WEIGHTS(0.9)[:3]]) ** 2.2
    perceived = np.stack([ends @ mix, ends[:, 2]], axis=1)
    assert abs(perceived[0] - perceived[1]).max() > 0.2


def test_no_line_ends_within_a_formula() -> None:
    figure = Figure(dpi=100)
    FigureCanvasAgg(figure)
    words = "x = 1.5 and w = 0.5 of 8 × 8 pixels cost λ |w|"
    text = figure.text(0, 0, words)
    for room in range(60, 400, 20):
        wrap(text, lambda room=room: room)  # type: ignore[misc]
        text.get_window_extent()  # with what measures it
        for line in text._get_wrapped_text().replace("\N{NO-BREAK SPACE}", " ").split("\n"):  # type: ignore[attr-defined]
            assert not line.startswith(("=", "×", "|")), line
            assert not line.endswith(("=", "×", "λ")), line
        assert text.get_text() == words
