"""Which parts of a network the compression methods work on."""

from typing import Any

from torch import nn

__all__ = ["weight_layers"]


def weight_layers(model: nn.Module) -> dict[str, Any]:
    """The linear and convolutional layers of a network by their names, in order.

    >>> list(weight_layers(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))))
    ['0', '2']
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, kinds)}
