"""Back-propagation on a graph of ten numbers: values forwards, then gradients backwards, one node at a time."""

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from course_utils.experiments.building.backpropagation import (
    PARAMETERS,
    POINTS,
    Gradient,
    V,
    Y,
    autograd,
    backwards,
    count_right,
    equal,
    forwards,
    gradient_of_reader,
)
from course_utils.panels.building.factors import bracketed
from course_utils.panels.engine import Panel, Sheet, Slider
from course_utils.plots import COLOURS, FAINT, INK, number, wrap

__all__ = ["BACKWARD", "FORWARD", "backpropagation"]

ETA = 0.05
FORWARD = ("a", "s", "h", "yhat", "L")
BACKWARD = ("L", "yhat", "v", "h", "s", "b", "a", "w", "x")
NAMES = {"yhat": "ŷ"}
NUMBERS = [i / 4 for i in range(-8, 9)]


class Trace(NamedTuple):
    """The values of all nodes, the gradients of L for all but y, and how many steps of both are shown."""

    values: dict[str, float]
    gradients: dict[str, float]
    shown: int
    torch: dict[str, float]  # what PyTorch says
    by_reader: dict[str, float] | None  # what the reader's function says
    right: int  # at how many of POINTS it is right


def backpropagation(gradient: Gradient | None = None) -> Panel:
    """One neuron, its loss, and the gradient of each parameter, step by step.

    `gradient`: your own ``gradient(x, w, b, v, y)`` that returns dL/dw, dL/db and dL/dv; it is checked against PyTorch.
    """
    right = count_right(gradient) if gradient else 0
    last = len(FORWARD) + len(BACKWARD)
    texts = ["inputs", *(f"forward, {letter(n)}" for n in FORWARD), *(f"backward, {letter(n)}" for n in BACKWARD)]
    controls = [
        Slider(name="shown", label="Step", values=list(range(last + 1)), value=last if gradient else 0, texts=texts),
        Slider(name="x", label="Input x", values=NUMBERS, value=1.5),
        Slider(name="w", label="Weight w", values=NUMBERS, value=0.5),
        Slider(name="b", label="Bias b", values=NUMBERS, value=0.25),
    ]

    def compute(shown: float, x: float, w: float, b: float) -> Trace:
        values = forwards(x, w, b)
        answer = gradient_of_reader(gradient, x, w, b, V, Y) if gradient else None
        return Trace(values, backwards(values), int(shown), autograd(x, w, b), answer, right)

    title = "Back-propagation, step by step" if gradient is None else "Back-propagation, and your gradient"
    return Panel(title, controls, compute, lambda figure: GraphPicture(figure).show, size=(960, 420))


NARROW = 0.85  # of the intended width: the graph leads downwards instead of to the right
# Where each node stands, what it is, and how its derivative comes from that of the node behind it.
PLACES = {
    "w": (0.75, 3.75), "x": (0.75, 1.55), "a": (2.6, 2.65), "b": (2.6, 0.45), "s": (4.4, 2.65), "h": (6.2, 2.65),
    "v": (6.2, 0.45), "yhat": (8.0, 2.65), "y": (8.0, 0.45), "L": (9.8, 2.65),
}  # fmt: skip
DOWN = {
    "w": (0.85, 8.6), "x": (4.35, 8.6), "a": (2.6, 7.1), "b": (4.35, 7.1), "s": (2.6, 5.6), "h": (2.6, 4.1),
    "v": (4.35, 4.1), "yhat": (2.6, 2.6), "y": (4.35, 2.6), "L": (2.6, 1.1),
}  # fmt: skip
RULES = {"a": "w · x", "s": "a + b", "h": "g(s)", "yhat": "v · h", "L": "(ŷ − y)²"}
ARROW = {"arrowstyle": "-|>", "color": "#4A5560", "lw": 1.5}
EDGES = [
    ("w", "a"), ("x", "a"), ("a", "s"), ("b", "s"), ("s", "h"), ("h", "yhat"), ("v", "yhat"), ("yhat", "L"), ("y", "L"),
]  # fmt: skip
CHAIN = {
    "L": ("1", ""),
    "yhat": ("∂L/∂L · 2(ŷ − y)", "{L} · 2 · ({yhat_} − {y_})"),
    "v": ("∂L/∂ŷ · h", "{yhat} · {h_}"),
    "h": ("∂L/∂ŷ · v", "{yhat} · {v_}"),
    "s": ("∂L/∂h · g′(s)", "{h} · {slope}"),
    "b": ("∂L/∂s · 1", "{s} · 1"),
    "a": ("∂L/∂s · 1", "{s} · 1"),
    "w": ("∂L/∂a · x", "{a} · {x_}"),
    "x": ("∂L/∂a · w", "{a} · {w_}"),
}


def letter(node: str) -> str:
    """The letter of a node as it is written."""
    return NAMES.get(node, node)


def short(value: float) -> str:
    """A number with at most four digits."""
    return number(value, ".4g")


def chain(trace: Trace, node: str) -> str:
    """The chain rule at a node, in letters and in numbers."""
    letters, digits = CHAIN[node]
    rule = f"∂L/∂{letter(node)} = {letters}"
    if not digits:
        return rule
    known = {name: bracketed(short(value)) for name, value in trace.gradients.items()}
    known |= {f"{name}_": bracketed(short(value)) for name, value in trace.values.items()}
    known["slope"] = "1" if trace.values["s"] > 0 else "0"
    return f"{rule} = {digits.format(**known)} = {short(trace.gradients[node])}"


def value_rule(trace: Trace, node: str) -> str:
    """A step forwards, in letters and in numbers."""
    n = {name: bracketed(short(value)) for name, value in trace.values.items()}
    digits = {"a": f"{n['w']} · {n['x']}", "s": f"{n['a']} + {n['b']}", "h": f"max(0, {n['s']})"}
    digits |= {"yhat": f"{n['v']} · {n['h']}", "L": f"({n['yhat']} − {n['y']})²"}
    return f"{letter(node)} = {RULES[node]} = {digits[node]} = {short(trace.values[node])}"


class GraphPicture:
    """Boxes with a value and a gradient each, arrows between them, and the rule of the present step below."""

    def __init__(self, figure: Sheet) -> None:
        narrow = figure.share < NARROW
        if narrow:
            figure.grow(1.7)
        axes = figure.subplots()
        axes.set(xticks=[], yticks=[])
        axes.set(xlim=(-0.05, 5.25) if narrow else (-0.1, 10.65), ylim=(-2.2, 9.2) if narrow else (-1.9, 4.5))
        axes.spines[:].set_visible(False)
        places = DOWN if narrow else PLACES
        for start, end in EDGES:
            (arrow_down if narrow else arrow)(axes, places[start], places[end])
        self.boxes = {name: NodeBox(axes, name, place, wide=1.64 if narrow else 1.48) for name, place in places.items()}
        x, y = (2.6, -0.1) if narrow else (5.3, -0.68)
        centred: dict[str, Any] = {"ha": "center", "va": "center", "linespacing": 1.3}
        self.rule = axes.text(x, y, "", fontsize=11 if narrow else 12.5, fontweight="bold", **centred)
        self.check = axes.text(x, y - (1.35 if narrow else 0.74), "", fontsize=10 if narrow else 11, **centred)
        for text in (self.rule, self.check):
            wrap(text, lambda: 0.98 * figure.bbox.width)
            text.set_in_layout(False)  # a long sentence must not press the graph together

    def show(self, trace: Trace) -> str:
        forward = FORWARD[: trace.shown]
        backward = BACKWARD[: max(0, trace.shown - len(FORWARD))]
        for name, box in self.boxes.items():
            box.show(
                value=trace.values[name] if name not in FORWARD or name in forward else None,
                gradient=trace.gradients[name] if name in backward else None,
                active=name == (backward or forward or ("",))[-1],
            )
        if backward:
            rule = chain(trace, backward[-1])
        elif forward:
            rule = value_rule(trace, forward[-1])
        else:
            n = {name: short(value) for name, value in trace.values.items()}
            rule = (
                f"x = {n['x']} and y = {n['y']} come from the data; w = {n['w']}, b = {n['b']} and v = {n['v']} are "
                f"parameters."
            )
        self.rule.set_text(rule)
        answer = verdict(trace) if trace.by_reader or len(backward) == len(BACKWARD) else ""
        self.check.set_text(answer)
        return describe(rule, answer)


def describe(rule: str, answer: str) -> str:
    """The sentences under the panel: the two texts of the picture, the rule of the step and the verdict, in a row."""
    return f"{rule.removesuffix('.')}. {answer}".replace("\n", " ").rstrip()


def verdict(trace: Trace) -> str:
    """The parameters' gradients beside PyTorch's or the reader's, and what a step (4) would do."""
    if trace.by_reader is None:
        g = trace.gradients
        same = all(equal(g[name], trace.torch[name]) for name in PARAMETERS)
        w, b, v = (trace.values[name] - ETA * g[name] for name in PARAMETERS)
        after = forwards(trace.values["x"], w, b, v, trace.values["y"])["L"]
        grads = ", ".join(f"{name}.grad = {short(trace.torch[name])}" for name in PARAMETERS)
        return (
            f"PyTorch: {grads}: {'the same numbers' if same else 'different'}.\n"
            f"A step (4) with η = {ETA:g} takes L from {short(trace.values['L'])} to {short(after)}."
        )
    parts = []
    for name in PARAMETERS:
        answer, expected = trace.by_reader[name], trace.torch[name]
        mark = "✓" if equal(answer, expected) else f"✗ (it is {short(expected)})"
        parts.append(f"∂L/∂{name} = {short(answer)} {mark}")
    return f"Yours: {', '.join(parts)}.\nAll three right at {trace.right} of {POINTS} random points."


class NodeBox:
    """A box with the name and rule of a node, its value and its gradient."""

    def __init__(self, axes: Axes, name: str, place: tuple[float, float], *, wide: float) -> None:
        self.name = name
        x, y = place
        parameter = name in PARAMETERS
        self.frame = FancyBboxPatch(
            (x - wide / 2, y - 0.56), wide, 1.12, boxstyle="round,pad=0.02,rounding_size=0.12",
            fc="#E8F1F8" if parameter else "#F6F7F8" if name in RULES else "white", ec=FAINT, lw=1.0,
        )  # fmt: skip
        axes.add_patch(self.frame)
        kind = "parameter" if parameter else "data"
        head = f"{letter(name)} = {RULES[name]}" if name in RULES else f"{name}, {kind}"
        centred: dict[str, Any] = {"ha": "center", "va": "center"}
        axes.text(x, y + 0.35, head, fontsize=10, color="#4A5560", **centred)
        self.value = axes.text(x, y + 0.01, "", fontsize=13, fontweight="bold", color=INK["blue"], **centred)
        self.gradient = axes.text(x, y - 0.35, "", fontsize=10, fontweight="bold", color=INK["orange"], **centred)

    def show(self, *, value: float | None, gradient: float | None, active: bool) -> None:
        """None: not known yet."""
        self.value.set_text("?" if value is None else short(value))
        self.gradient.set_text("" if gradient is None else f"∂L/∂{letter(self.name)} = {short(gradient)}")
        self.frame.set_linewidth(3.0 if active else 1.0)
        colour = COLOURS["blue" if gradient is None else "orange"]
        self.frame.set_edgecolor(colour if active else FAINT)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow from box to box, from the right side of one, or from its top, to the left side of the other."""
    (x0, y0), (x1, y1) = start, end
    straight = y0 == y1
    tail = (x0 + 0.78, y0) if straight or y0 > y1 else (x0 + 0.78, y0 + 0.15)
    head = (x1 - 0.78, y1) if straight else (x1 - 0.78, y1 + (0.3 if y0 > y1 else -0.3))
    axes.annotate("", head, tail, arrowprops=ARROW)


def arrow_down(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow from the foot of a box to the top of one below it, towards the side from which it comes."""
    (x0, y0), (x1, y1) = start, end
    aside = 0.4 if x0 > x1 else -0.4 if x0 < x1 else 0.0
    axes.annotate("", (x1 + aside, y1 + 0.6), (x0 - aside, y0 - 0.6), arrowprops=ARROW)
