"""Claim: random signs for 1024 x 1024 weights are drawn at least twice as fast as by the rule as it is written.

A stochastic BinaryConnect network draws a sign for each weight in each step, so this decides how long it trains. The
rule as it is written compares torch.rand with the hard sigmoid and chooses by torch.where.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from course_utils.bench.timing import in_turn, row
from course_utils.methods.binarize import binarize, hard_sigmoid
from course_utils.train import pick_device

__all__ = ["run"]


def run(device: str = "cpu", *, rounds: int = 9) -> list[dict[str, Any]]:
    """Measure both in turn, for random signs and for plain ones."""
    pick_device(device)
    w = (2 * torch.rand(1024, 1024, generator=torch.Generator().manual_seed(0)) - 1).to(device)
    functions = [partial(binarize, w, stochastic=True), partial(drawn, w), partial(binarize, w), partial(chosen, w)]
    ours, plain, ours_sign, plain_sign = in_turn(functions, rounds=rounds)
    return [
        row("stochastic, 1024 x 1024, against the rule as written, ms", ours, plain, "at least 2 times faster"),
        row("deterministic, the same, ms", ours_sign, plain_sign, "at least 2 times faster"),
    ]


def drawn(w: Tensor) -> Tensor:
    """(11) as it is written."""
    return torch.where(torch.rand(w.shape, device=w.device) < hard_sigmoid(w), 1.0, -1.0)


def chosen(w: Tensor) -> Tensor:
    """(10) as it is written."""
    return torch.where(w >= 0, 1.0, -1.0)
