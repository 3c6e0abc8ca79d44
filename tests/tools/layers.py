"""The layers of a network that have weights."""

from typing import Any

from torch import nn

from course_utils.methods.weights import weights_of


def weight_layers(model: nn.Module) -> dict[str, Any]:
    """The layers by the names of their weights."""
    return {name: weight.module for name, weight in weights_of(model).items()}
