"""How a weight becomes exactly zero: proximal steps beside steps along the subgradient."""

import numpy as np
from matplotlib.figure import Figure

from course_utils.experiments.sparsity.shrinkage import STEPS, Prox, Shrunk, W, shrink
from course_utils.methods.penalties import prox_l1
from course_utils.panels.engine import Panel, Slider
from course_utils.plots import COLOURS, FAINT, number

__all__ = ["shrinkage"]


def shrinkage(*, prox: Prox | None = None) -> Panel:
    """What one proximal step does to a weight, and where many of them lead (lecture, (5), (7) and (8)).

    Right: the minimum of (w - a)^2 / 2 + lambda |w| by STEPS steps of size LR. `prox`: your own ``prox(w, *, step)`` in
    place of `prox_l1`; `w` is a tensor of any shape, `step` a number.
    """
    lams, minima = np.linspace(0, 1.5, 31).round(2).tolist(), np.linspace(-2, 2, 41).round(1).tolist()
    controls = [
        Slider(name="lam", label="λ, strength of the penalty", values=lams, value=0.5),
        Slider(name="a", label="a, minimum of the cost", values=minima, value=0.3),
    ]

    def compute(lam: float, a: float) -> Shrunk:
        return shrink(lam, a, prox or prox_l1)

    name = "l1" if prox is None else "yours"
    title = "One proximal step, and forty" if prox is None else "Your proximal step, once and forty times"
    return Panel(title, controls, compute, lambda figure: ShrinkagePicture(figure, name).show, size=(960, 380))


class ShrinkagePicture:
    """Left one step on every weight, right the path of one weight; `name`: of the step that may be the reader's."""

    def __init__(self, figure: Figure, name: str) -> None:
        once, many = figure.subplots(1, 2)
        for axes in (once, many):
            axes.axhline(0, color="#C4CAD0", lw=1)
        once.plot(W, W, color=FAINT, lw=1, label="no step")
        self.maps = {
            kind: once.plot([], [], style, color=COLOURS[colour], label=label)[0]
            for kind, label, colour, style in (
                ("l2", "l2", "sky", ":"),
                ("elastic net", "elastic net", "green", "-."),
                ("l1", name, "orange", "-"),
            )
        }
        once.set(xlim=(-2, 2), ylim=(-2, 2), xlabel="weight before", ylabel="weight after")
        once.set_title("One step of size λ")
        once.legend(loc="upper left")
        self.paths = {
            way: many.plot([], [], style, color=COLOURS[colour], ms=3.5, lw=1.2, label=label)[0]
            for way, label, colour, style in (
                ("subgradient", "subgradient of (8)", "blue", "s-"),
                ("proximal", f"proximal step, {name}", "orange", "o-"),
            )
        }
        many.set(xlim=(0, STEPS), ylim=(-2, 2), xlabel="step", ylabel="w", title="Many small steps on cost + λ |w|")
        many.legend(loc="lower right")

    def show(self, result: Shrunk) -> str:
        for kind, line in self.maps.items():
            line.set_data(W, result.maps[kind])
        for way, line in self.paths.items():
            line.set_data(range(STEPS + 1), result.paths[way])
        return describe(result)


def describe(result: Shrunk) -> str:
    """The sentences under the panel: which weights become zero, and where many steps end."""
    zeros = np.flatnonzero(result.maps["l1"] == 0)
    dead = "Only 0 stays 0"
    if len(zeros) > 1:
        low, high = (number(float(W[i])) for i in (zeros[0], zeros[-1]))
        dead = f"Weights from {low} to {high} become exactly 0"
    subgradient, proximal = (end_of(result.paths[way]) for way in ("subgradient", "proximal"))
    return f"{dead}. After {STEPS} steps the subgradient is at {subgradient}, the proximal step at {proximal}."


def end_of(path: np.ndarray) -> str:
    """Where a path of weights ends, and the weight before where it still moves."""
    before, w = path[-2:]
    if w == 0:
        return "exactly 0"
    if abs(w - before) > 1e-3:
        return f"{number(w, '.3f')} (before that at {number(before, '.3f')})"
    return number(w, ".3f")
