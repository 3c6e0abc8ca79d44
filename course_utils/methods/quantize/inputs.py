"""What goes into the layers of a network, as rows of numbers that its weight, as a matrix, is multiplied with.

A linear layer's weight is one matrix (out, in). That of a convolution is a matrix (out, in * kernel) for each of its
`groups`, and a row of its input is what the kernel sees at one place.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.methods.evaluation_mode import evaluation_mode

__all__ = ["as_batches", "input_rows", "watch_inputs", "weight_matrices"]


def as_batches(calibration: Any, purpose: str) -> list[Tensor]:
    """The batches of inputs: one, or several, or the first parts of tuples.

    Raises: ValueError where there are none; TypeError for batches of another kind.

    >>> [x.shape for x in as_batches([(torch.ones(3, 2), torch.ones(3))], "activation_bits")]
    [torch.Size([3, 2])]
    """
    if calibration is None:
        raise ValueError(f"{purpose} needs calibration, a batch of inputs or several; give some of the training data")
    batches: list[Any] = [
        batch[0] if isinstance(batch, (tuple, list)) and batch else batch
        for batch in ([calibration] if isinstance(calibration, Tensor) else calibration)
    ]
    if not batches:
        raise ValueError("calibration reached no layer; give at least one batch of inputs")
    for x in batches:
        if not isinstance(x, Tensor):
            raise TypeError(
                "calibration must be a batch of inputs, an iterable of them, or of tuples that start with one, got a "
                f"batch of {type(x).__name__}"
            )
    return batches


def weight_matrices(layer: nn.Module) -> Tensor:
    """The weight as (groups, out per group, columns).

    >>> weight_matrices(nn.Conv2d(4, 6, 3, groups=2)).shape
    torch.Size([2, 3, 18])
    """
    weight: Tensor = layer.weight  # type: ignore[assignment]
    return weight.flatten(1).unflatten(0, (getattr(layer, "groups", 1), -1))


def input_rows(layer: nn.Module, x: Tensor, *, zero: int = 0) -> Tensor:
    """The input as (groups, rows, columns), so that the sums of a layer are rows @ weight^T for each group.

    `zero`: what a padding with zeros adds, for codes their zero point.

    >>> layer = nn.Conv2d(1, 2, 3)
    >>> x = torch.randn(5, 1, 4, 4)
    >>> sums = input_rows(layer, x) @ weight_matrices(layer).mT + layer.bias
    >>> torch.allclose(sums.view(5, 2, 2, 2).permute(0, 3, 1, 2), layer(x), atol=1e-6)
    True
    """
    if isinstance(layer, nn.Linear):
        return x.reshape(1, -1, x.shape[-1])
    conv: Any = layer
    dims = len(conv.kernel_size)
    if x.ndim == dims + 1:  # an example without a batch
        x = x.unsqueeze(0)
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    x = F.pad(x, conv._reversed_padding_repeated_twice, mode=mode, value=zero if mode == "constant" else None)
    for d, (size, stride, dilation) in enumerate(zip(conv.kernel_size, conv.stride, conv.dilation, strict=True)):
        x = x.unfold(d + 2, (size - 1) * dilation + 1, stride)[..., ::dilation]
    # (n, channels, places ..., kernel ...) to (groups, n * places, channels per group * kernel)
    x = x.unflatten(1, (conv.groups, -1))
    places, kernel = range(3, 3 + dims), range(3 + dims, 3 + 2 * dims)
    return x.permute(1, 0, *places, 2, *kernel).flatten(dims + 2).flatten(1, dims + 1)


@torch.no_grad()
def watch_inputs(
    model: nn.Module, layers: Mapping[str, nn.Module], batches: Iterable[Tensor], see: Callable[[str, Tensor], object]
) -> None:
    """Run the batches in evaluation mode, and call `see(name, input)` each time that one of the layers is reached."""

    def hook(name: str) -> Callable[..., None]:
        def record(_: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
            see(name, inputs[0] if inputs else named["input"])

        return record

    handles = [layer.register_forward_pre_hook(hook(name), with_kwargs=True) for name, layer in layers.items()]
    try:
        with evaluation_mode(model), torch.compiler.set_stance("force_eager"):  # compiled code calls no hooks
            for x in batches:
                model(x)
    finally:
        for handle in handles:
            handle.remove()
