"""Functions of s that a reader types, such as "tanh(3*s)": read as a formula, never run as code."""

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from course_utils._support.words import plural

__all__ = ["KNOWN", "typed_function"]

KNOWN: dict[str, Callable[..., Any]] = {
    "tanh": torch.tanh, "sin": torch.sin, "cos": torch.cos, "exp": torch.exp, "abs": torch.abs, "relu": torch.relu,
    "elu": torch.nn.functional.elu, "sigmoid": torch.sigmoid, "sign": torch.sign, "sqrt": torch.sqrt, "log": torch.log,
    "max": torch.maximum, "min": torch.minimum,
}  # fmt: skip
CONSTANTS = {"pi": math.pi, "e": math.e}
BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}  # fmt: skip
UNARY: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}


def typed_function(formula: str) -> Callable[[Tensor], Tensor]:
    """The function of s that a formula spells: + - * / ** (or ^), numbers, pi, e and the functions KNOWN.

    Raises: ValueError that says what could not be read.

    >>> typed_function("max(s, 0) + 1")(torch.tensor([-1.0, 2.0]))
    tensor([1., 3.])
    """
    try:
        tree = ast.parse(formula.strip().replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(f"this is no formula: {formula!r}; type one of s, such as tanh(2*s) or s**2 - 1") from None
    _read(tree, torch.zeros(1))  # what is unknown is said now

    def function(s: Tensor) -> Tensor:
        value = _read(tree, s)
        return (torch.as_tensor(value, dtype=s.dtype) + torch.zeros_like(s)).nan_to_num(0.0, 1e6, -1e6)

    return function


def _read(node: ast.AST, s: Tensor) -> Any:
    match node:
        case ast.Constant(value=value) if isinstance(value, (int, float)) and not isinstance(value, bool):
            return torch.tensor(float(value))
        case ast.Name(id="s"):
            return s
        case ast.Name(id=name) if name in CONSTANTS:
            return torch.tensor(CONSTANTS[name])
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](_read(left, s), _read(right, s))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
            return UNARY[type(op)](_read(operand, s))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in KNOWN:
            expected = 2 if name in ("max", "min") else 1
            if len(args) != expected:
                raise ValueError(f"{name} takes {plural(expected, 'number')}, got {len(args)}")
            return KNOWN[name](*(_read(arg, s) for arg in args))
    raise ValueError(f"not understood: {ast.unparse(node)}; use s, numbers, + - * / **, pi, e and {', '.join(KNOWN)}")
