"""The experiments of notebook 06: walks on a grid."""

import numpy as np

from course_utils.experiments.binary.grid_walk import GRID, MINIMUM, walk


def test_binary_connect_settles_and_stochastic_rounding_does_not() -> None:
    settled, restless = (walk(0.01, keep_real=real) for real in (True, False))
    near = [float(np.mean(np.abs(points - MINIMUM).max(1) < GRID)) for points in (settled, restless)]
    assert near[0] > 0.95
    assert near[1] < 0.6
    for points in (settled, restless):
        np.testing.assert_allclose(np.round(points / GRID) * GRID, points)
