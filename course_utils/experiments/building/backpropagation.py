"""Values forwards and gradients backwards through one neuron and its loss, by hand, by PyTorch and by a reader."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

__all__ = [
    "PARAMETERS",
    "POINTS",
    "Gradient",
    "V",
    "Y",
    "autograd",
    "backwards",
    "count_right",
    "equal",
    "forwards",
    "gradient_of_reader",
]

V, Y = 2.0, 1.0  # the output weight and the label do not lie under a slider
PARAMETERS = ("w", "b", "v")
POINTS = 200  # at which a function of the reader's is tried

Gradient = Callable[..., Sequence[Any]]


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


def gradient_of_reader(gradient: Gradient, x: float, w: float, b: float, v: float, y: float) -> dict[str, float]:
    """The reader's derivatives by parameter; ValueError where there are not three numbers."""
    answer = gradient(x, w, b, v, y)
    try:
        dw, db, dv = (float(part) for part in answer)
    except (TypeError, ValueError):
        raise ValueError(
            f"the function must return three numbers, dw, db, dv, got {answer!r:.80}; end it by return dw, db, dv"
        ) from None
    return {"w": dw, "b": db, "v": dv}


def equal(value: float, expected: float) -> bool:
    """Equal but for rounding."""
    return abs(value - expected) <= 1e-6 * max(1.0, abs(expected))


def count_right(gradient: Gradient) -> int:
    """At how many of POINTS random points all three derivatives of the reader's are those of autograd."""
    points = torch.randn(POINTS, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tolist()
    right = 0
    for point in points:
        answer, expected = gradient_of_reader(gradient, *point), autograd(*point)
        right += all(equal(answer[name], expected[name]) for name in PARAMETERS)
    return right
