"""Back-propagation on a graph of ten numbers: values forwards, then gradients backwards, one node at a time."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from course_utils.panels.engine import Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT, INK

__all__ = ["BACKWARD", "FORWARD", "Trace", "autograd", "backpropagation", "backwards", "forwards"]

V, Y = 2.0, 1.0  # the outer weight and the label do not lie under a slider
ETA = 0.05
FORWARD = ("a", "s", "h", "yhat", "L")
BACKWARD = ("L", "yhat", "v", "h", "s", "b", "a", "w", "x")
PARAMETERS = ("w", "b", "v")
NAMES = {"yhat": "ŷ"}
POINTS = 200  # at which a function of the reader's is tried

Gradient = Callable[..., Sequence[Any]]


class Trace(NamedTuple):
    """The values of all nodes, the gradients of L for all but y, how many steps of both are shown, what PyTorch says,
    and what the reader's function says, with at how many of POINTS it is right."""

    values: dict[str, float]
    gradients: dict[str, float]
    shown: int
    torch: dict[str, float]
    own: dict[str, float] | None
    right: int


def forwards(x: float, w: float, b: float, v: float = V, y: float = Y) -> dict[str, float]:
    """The value of every node of L = (v g(w x + b) - y)^2 with the ReLU g.

    >>> forwards(1.0, 0.5, 0.25)["L"]
    0.25
    """
    a = w * x
    s = a + b
    h = max(0.0, s)
    yhat = v * h
    return {"x": x, "w": w, "a": a, "b": b, "s": s, "h": h, "v": v, "yhat": yhat, "y": y, "L": (yhat - y) ** 2}


def backwards(n: dict[str, float]) -> dict[str, float]:
    """The derivative of L with respect to every node but y, from the values of `forwards`, by the chain rule.

    >>> backwards(forwards(1.0, 0.5, 0.25))["w"]
    2.0
    """
    d = {"L": 1.0}
    d["yhat"] = d["L"] * 2 * (n["yhat"] - n["y"])
    d["v"] = d["yhat"] * n["h"]
    d["h"] = d["yhat"] * n["v"]
    d["s"] = d["h"] * (1.0 if n["s"] > 0 else 0.0)
    d["b"] = d["s"] * 1
    d["a"] = d["s"] * 1
    d["w"] = d["a"] * n["x"]
    d["x"] = d["a"] * n["w"]
    return d


def autograd(x: float, w: float, b: float, v: float = V, y: float = Y) -> dict[str, float]:
    """What PyTorch's `backward` leaves in the `.grad` of x, w, b and v.

    >>> autograd(1.0, 0.5, 0.25)["w"]
    2.0
    """
    leaves = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in {"x": x, "w": w, "b": b, "v": v}.items()
    }
    loss = (leaves["v"] * torch.relu(leaves["w"] * leaves["x"] + leaves["b"]) - y) ** 2
    loss.backward()
    return {name: float(leaf.grad) for name, leaf in leaves.items() if leaf.grad is not None}


def asked(gradient: Gradient, x: float, w: float, b: float, v: float, y: float) -> dict[str, float]:
    """The reader's derivatives by parameter; ValueError where there are not three numbers."""
    answer = gradient(x, w, b, v, y)
    try:
        dw, db, dv = (float(part) for part in answer)
    except (TypeError, ValueError):
        raise ValueError(
            f"the function must return three numbers, dw, db, dv, got {answer!r:.80}; end it by return dw, db, dv"
        ) from None
    return {"w": dw, "b": db, "v": dv}


def alike(one: float, other: float) -> bool:
    """Equal but for rounding."""
    return abs(one - other) <= 1e-6 * max(1.0, abs(other))


def count_right(gradient: Gradient) -> int:
    """At how many of POINTS random points all three derivatives of the reader's are those of autograd."""
    points = torch.randn(POINTS, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tolist()
    right = 0
    for point in points:
        own, true = asked(gradient, *point), autograd(*point)
        right += all(alike(own[name], true[name]) for name in PARAMETERS)
    return right


def backpropagation(gradient: Gradient | None = None) -> Panel:
    """One neuron, its loss, and the gradient of each parameter, step by step.

    `gradient`: your own ``gradient(x, w, b, v, y)`` that returns dL/dw, dL/db and dL/dv; it is checked against PyTorch.
    """
    right = count_right(gradient) if gradient else 0
    numbers = [i / 4 for i in range(-8, 9)]
    last = len(FORWARD) + len(BACKWARD)
    texts = ["inputs", *(f"forward, {NAMES.get(n, n)}" for n in FORWARD)]
    texts += [f"backward, {NAMES.get(n, n)}" for n in BACKWARD]
    controls = [
        Slider(name="shown", label="Step", values=list(range(last + 1)), value=last if gradient else 0, texts=texts),
        Slider(name="x", label="Input x", values=numbers, value=1.5),
        Slider(name="w", label="Weight w", values=numbers, value=0.5),
        Slider(name="b", label="Bias b", values=numbers, value=0.25),
    ]

    def compute(shown: float, x: float, w: float, b: float) -> Trace:
        values = forwards(x, w, b)
        own = asked(gradient, x, w, b, V, Y) if gradient else None
        return Trace(values, backwards(values), int(shown), autograd(x, w, b), own, right)

    title = "Back-propagation, step by step" if gradient is None else "Back-propagation, and your gradient"
    return Panel(title, controls, compute, draw, size=(960, 420))


# Where each node stands, what it is, and how its derivative comes from that of the node behind it.
PLACES = {
    "w": (0.75, 3.75), "x": (0.75, 1.55), "a": (2.6, 2.65), "b": (2.6, 0.45), "s": (4.4, 2.65), "h": (6.2, 2.65),
    "v": (6.2, 0.45), "yhat": (8.0, 2.65), "y": (8.0, 0.45), "L": (9.8, 2.65),
}  # fmt: skip
RULES = {"a": "w · x", "s": "a + b", "h": "g(s)", "yhat": "v · h", "L": "(ŷ − y)²"}
EDGES = ["wa", "xa", "as", "bs", "sh", "h>", "v>", ">L", "yL"]  # > is ŷ
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


def number(value: float) -> str:
    """A number with at most four digits and a true minus sign; a negative one in brackets is for products.

    >>> number(-0.5)
    '−0.5'
    """
    return f"{value + 0.0:.4g}".replace("-", "−")


def bracketed(value: float) -> str:
    """A factor: negative ones in brackets."""
    return f"({number(value)})" if value < 0 else number(value)


def chain(trace: Trace, node: str) -> str:
    """The chain rule at a node, in letters and in numbers."""
    letters, digits = CHAIN[node]
    said = f"∂L/∂{NAMES.get(node, node)} = {letters}"
    if not digits:
        return said
    known = {name: bracketed(value) for name, value in trace.gradients.items()}
    known |= {f"{name}_": bracketed(value) for name, value in trace.values.items()}
    known["slope"] = "1" if trace.values["s"] > 0 else "0"
    return f"{said} = {digits.format(**known)} = {number(trace.gradients[node])}"


def value_said(trace: Trace, node: str) -> str:
    """A step forwards, in letters and in numbers."""
    n = {name: bracketed(value) for name, value in trace.values.items()}
    digits = {"a": f"{n['w']} · {n['x']}", "s": f"{n['a']} + {n['b']}", "h": f"max(0, {n['s']})"}
    digits |= {"yhat": f"{n['v']} · {n['h']}", "L": f"({n['yhat']} − {n['y']})²"}
    return f"{NAMES.get(node, node)} = {RULES[node]} = {digits[node]} = {number(trace.values[node])}"


def draw(figure: Figure) -> Show:
    """Boxes with a value and a gradient each, arrows between them, and the rule of the present step below."""
    axes = figure.subplots()
    axes.set(xlim=(-0.1, 10.65), ylim=(-1.9, 4.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    for edge in EDGES:
        start, end = (PLACES["yhat" if end == ">" else end] for end in edge)
        arrow(axes, start, end)
    boxes = {name: node_box(axes, name) for name in PLACES}
    rule = axes.text(5.3, -0.68, "", ha="center", va="center", fontsize=12.5, fontweight="bold")
    check = axes.text(5.3, -1.42, "", ha="center", va="center", fontsize=11, linespacing=1.5)
    for text in (rule, check):
        text.set_in_layout(False)  # a long sentence must not press the graph together

    def show(trace: Trace) -> str:
        forward = FORWARD[: trace.shown]
        backward = BACKWARD[: max(0, trace.shown - len(FORWARD))]
        latest = (*forward, *(f"d{name}" for name in backward))[-1:]
        for name, (frame, value, slope) in boxes.items():
            known = name not in FORWARD or name in forward
            value.set_text(number(trace.values[name]) if known else "?")
            slope.set_text(f"∂L/∂{NAMES.get(name, name)} = {number(trace.gradients[name])}" if name in backward else "")
            active = latest in ((name,), (f"d{name}",))
            frame.set_linewidth(3.0 if active else 1.0)
            frame.set_edgecolor(COLOURS["orange" if name in backward else "blue"] if active else FAINT)
        if not latest:
            n = {name: number(value) for name, value in trace.values.items()}
            said = f"x = {n['x']} and y = {n['y']} come from the data; "
            said += f"w = {n['w']}, b = {n['b']} and v = {n['v']} are parameters."
        elif latest[0].startswith("d"):
            said = chain(trace, latest[0][1:])
        else:
            said = value_said(trace, latest[0])
        rule.set_text(said)
        answer = verdict(trace) if trace.own or len(backward) == len(BACKWARD) else ""
        check.set_text(answer)
        return f"{said}{'' if said.endswith('.') else '.'} {answer}".replace("\n", " ").rstrip()

    return show


def verdict(trace: Trace) -> str:
    """The parameters' gradients beside PyTorch's or the reader's, and what a step (4) would do."""
    if trace.own is None:
        g = trace.gradients
        same = all(alike(g[name], trace.torch[name]) for name in PARAMETERS)
        w, b, v = (trace.values[name] - ETA * g[name] for name in PARAMETERS)
        after = forwards(trace.values["x"], w, b, v, trace.values["y"])["L"]
        grads = ", ".join(f"{name}.grad = {number(trace.torch[name])}" for name in PARAMETERS)
        return (
            f"PyTorch: {grads}: {'the same numbers' if same else 'different'}.\n"
            f"A step (4) with η = {ETA:g} takes L from {number(trace.values['L'])} to {number(after)}."
        )
    parts = []
    for name in PARAMETERS:
        own, true = trace.own[name], trace.torch[name]
        parts.append(f"∂L/∂{name} = {number(own)} {'✓' if alike(own, true) else f'✗ (it is {number(true)})'}")
    return f"Yours: {', '.join(parts)}.\nAll three right at {trace.right} of {POINTS} random points."


def node_box(axes: Axes, name: str) -> tuple[Any, Any, Any]:
    """A box with the name and rule of a node; returns its frame and the texts of its value and its gradient."""
    x, y = PLACES[name]
    parameter = name in PARAMETERS
    frame = FancyBboxPatch(
        (x - 0.74, y - 0.56), 1.48, 1.12, boxstyle="round,pad=0.02,rounding_size=0.12",
        fc="#E8F1F8" if parameter else "#F6F7F8" if name in RULES else "white", ec=FAINT, lw=1.0,
    )  # fmt: skip
    axes.add_patch(frame)
    kind = "parameter" if parameter else "data"
    head = f"{NAMES.get(name, name)} = {RULES[name]}" if name in RULES else f"{name}, {kind}"
    axes.text(x, y + 0.35, head, ha="center", va="center", fontsize=10, color="#4A5560")
    value = axes.text(x, y + 0.01, "", ha="center", va="center", fontsize=13, fontweight="bold", color=INK["blue"])
    slope = axes.text(x, y - 0.35, "", ha="center", va="center", fontsize=10, fontweight="bold", color=INK["orange"])
    return frame, value, slope


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """An arrow from box to box, from the right side of one, or from its top, to the left side of the other."""
    (x0, y0), (x1, y1) = start, end
    straight = y0 == y1
    tail = (x0 + 0.78, y0) if straight or y0 > y1 else (x0 + 0.78, y0 + 0.15)
    head = (x1 - 0.78, y1) if straight else (x1 - 0.78, y1 + (0.3 if y0 > y1 else -0.3))
    axes.annotate("", head, tail, arrowprops={"arrowstyle": "-|>", "color": "#4A5560", "lw": 1.5})
