"""Figure 9: why corners make zeros. A quadratic cost of two weights, the ball of a penalty, and where they touch."""

import numpy as np
from matplotlib.figure import Figure

from course_utils.experiments.sparsity.geometry import (
    EDGE,
    LAMBDAS,
    MINIMUM,
    Penalty,
    Touch,
    group,
    p_norm,
    quadratic,
    touch,
)
from course_utils.panels.engine import Choice, Control, Panel, Slider
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, HALO, legend, number

__all__ = ["geometry"]

SHAPES = [0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 8.0]
KINDS = {"each weight alone: Σ|w|ᵖ": "p", "both as one group: √2·‖w‖₂": "group"}
ZEROS = ["Neither weight is exactly zero", "One weight is exactly zero", "Both weights are exactly zero"]


def geometry(*, penalty: Penalty | None = None) -> Panel:
    """Cost and penalty over two weights, and the path of their best compromise as lambda grows (lecture, figure 9).

    `penalty`: your own function of two arrays w1, w2, in place of sum |w|^p; for example
    ``lambda w1, w2: abs(w1) + abs(w2 - w1)``.
    """
    controls: list[Control] = [
        Slider(name="lam", label="λ, strength of the penalty", values=list(LAMBDAS), value=LAMBDAS[25]),
        Slider(name="angle", label="Angle of the cost", values=list(range(0, 181, 5)), value=60, unit="°"),
    ]
    if penalty is None:
        controls.insert(1, Slider(name="p", label="p, shape of the ball", values=SHAPES, value=1.0))
        controls.append(Choice(name="kind", label="Penalty", options=KINDS))

    def compute(lam: float, angle: float, p: float = 1.0, kind: str = "reader") -> Touch:
        chosen = penalty or (group if kind == "group" else p_norm(p))
        return touch(quadratic(angle), chosen, lam)

    title = "Where the cost and the penalty touch" if penalty is None else "Your penalty, and where the cost touches it"
    return Panel(title, controls, compute, lambda figure: GeometryPicture(figure).show, size=(960, 430))


class GeometryPicture:
    """Left the plane of the two weights, right the path of the best weights over lambda."""

    def __init__(self, figure: Figure) -> None:
        plane, path = figure.subplots(1, 2, width_ratios=[1, 1.15])
        plane.axhline(0, color="#C4CAD0", lw=1)
        plane.axvline(0, color="#C4CAD0", lw=1)
        plane.plot(*MINIMUM, "+", color=COLOURS["ink"], ms=11, mew=2)
        plane.annotate("minimum", MINIMUM, xytext=(0, -14), textcoords="offset points", ha="center", fontsize=10,
                       path_effects=HALO)  # fmt: skip
        (self.contours,) = plane.plot([], [], color=COLOURS["sky"], lw=0.9)
        (self.level,) = plane.plot([], [], color=COLOURS["blue"], label="cost, as at the best weights")
        (self.ball,) = plane.plot([], [], "--", color=COLOURS["orange"], label="penalty, as at the best weights")
        (self.dot,) = plane.plot([], [], "o", color=COLOURS["ink"], ms=9, label="best weights")
        plane.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xlabel="$w_1$", ylabel="$w_2$", aspect="equal")
        plane.set_title("Cost and penalty")
        self.legend = legend(
            figure, handles=[self.level, self.ball, self.dot], loc="outside lower left", ncols=3, fontsize=10
        )
        self.x = np.maximum(LAMBDAS, 0.007)  # lambda = 0 has its place left of the logarithmic axis
        (self.first,) = path.plot([], [], color=COLOURS["green"], label="$w_1$")
        (self.second,) = path.plot([], [], "-.", color=COLOURS["purple"], label="$w_2$")
        self.mark = path.axvline(1, ymax=0.85, color=COLOURS["ink"], lw=1)  # below the legend
        path.axhline(0, color="#C4CAD0", lw=1)
        path.set(xscale="log", xlim=(0.0065, 1.05), ylim=(-1.2, 1.9), xlabel="λ", title="Best weights as λ grows")
        path.set_xticks([0.007, 0.01, 0.1, 1], ["0", "0.01", "0.1", "1"])
        path.set_yticks([-1, 0, 1])
        path.legend(loc="upper left", ncols=2, borderaxespad=0)

    def show(self, result: Touch) -> str:
        self.contours.set_data(*result.cost_curves)
        self.level.set_data(*result.cost_level)
        self.ball.set_data(*result.ball)
        w = result.best[result.chosen]
        self.dot.set_data([w[0]], [w[1]])
        self.first.set_data(self.x, result.best[:, 0])
        self.second.set_data(self.x, result.best[:, 1])
        self.mark.set_xdata([self.x[result.chosen]] * 2)
        name_what_is_drawn(self.legend)
        return describe(result)


def describe(result: Touch) -> str:
    """The sentences under the panel: the best weights, and how many of them are zero."""
    w = result.best[result.chosen]
    best = " and ".join(number(weight, ".3f" if abs(weight) >= 5e-4 else ".0e") for weight in w)
    zeros = int((w == 0).sum())
    return f"λ = {LAMBDAS[result.chosen]:.3g}: the best weights are {best}. {ZEROS[zeros]}."
