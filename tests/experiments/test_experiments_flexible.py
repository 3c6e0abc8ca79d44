"""The experiments of notebook 09: parameters by activation."""

from course_utils.experiments.flexible.activations import make_network
from course_utils.experiments.lesson import lesson_data
from course_utils.models import count_parameters


def test_parameters_are_counted() -> None:
    room = lesson_data("digits").subset(100)
    expected = {"ReLU": 0, "PReLU (14)": 8, "scaled tanh (13)": 16, "APL, S = 3 (15)": 48, "KAF, D = 20 (17)": 160}
    dense = 64 * 8 + 8 + 8 * 10 + 10
    for name, extra in expected.items():
        assert count_parameters(make_network(name, room, width=8, depth=1)) == dense + extra
    assert count_parameters(make_network("maxout, K = 3 (16)", room, width=8, depth=1)) == 3 * (64 * 8 + 8) + 90
