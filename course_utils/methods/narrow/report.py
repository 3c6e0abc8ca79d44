"""What a smaller network saves: parameters, bytes, multiply-adds, and measured time."""

import time
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["NarrowResult", "Size", "sizes"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Size:
    """`bytes`: of parameters and buffers. `multiply_adds`, `milliseconds`: of one call with the example input."""

    parameters: int
    bytes: int
    multiply_adds: int
    milliseconds: float


@dataclass(frozen=True)
class NarrowResult:
    """A network without its dead units, and what became of the other one.

    `layers`: the shapes of the weights that changed, before and after. `left`: the layers with something that could not
    be removed, and why.
    """

    model: nn.Module
    before: Size
    after: Size
    layers: dict[str, tuple[Shape, Shape]]
    left: dict[str, str]

    def __str__(self) -> str:
        """A line for each quantity, for each layer that changed, and for each that was left."""
        rows = [
            ("parameters", f"{self.before.parameters:,}", f"{self.after.parameters:,}"),
            ("bytes", f"{self.before.bytes:,}", f"{self.after.bytes:,}"),
            ("multiply-adds", f"{self.before.multiply_adds:,}", f"{self.after.multiply_adds:,}"),
            ("milliseconds", f"{self.before.milliseconds:.3g}", f"{self.after.milliseconds:.3g}"),
            *((name, _by(before), _by(after)) for name, (before, after) in self.layers.items()),
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}} -> {c:>{widths[2]}}" for a, b, c in rows]
        return "\n".join([*lines, *(f"left: {name or 'the network'}: {why}" for name, why in self.left.items())])


def _by(shape: Shape) -> str:
    return " x ".join(map(str, shape))


@torch.no_grad()
def sizes(models: tuple[nn.Module, nn.Module], example: tuple[Tensor, ...], *, repeats: int) -> tuple[Size, Size]:
    """The sizes of two networks in evaluation mode; their runs alternate, so that a busy machine slows both."""
    counted = [_multiply_adds(model, example) for model in models]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for model, runs in zip(models, times, strict=True):
            runs.append(_milliseconds(model, example))
    first, second = (
        Size(
            sum(p.numel() for p in model.parameters()),
            sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers())),
            count,
            median(runs),
        )
        for model, count, runs in zip(models, counted, times, strict=True)
    )
    return first, second


def _multiply_adds(model: nn.Module, example: tuple[Tensor, ...]) -> int:
    with FlopCounterMode(display=False) as counter:
        model(*example)
    return counter.get_total_flops() // 2


def _milliseconds(model: nn.Module, example: tuple[Tensor, ...]) -> float:
    _wait(example)
    start = time.perf_counter()
    model(*example)
    _wait(example)
    return 1000 * (time.perf_counter() - start)


def _wait(example: tuple[Tensor, ...]) -> None:
    if example[0].is_cuda:
        torch.cuda.synchronize(example[0].device)
