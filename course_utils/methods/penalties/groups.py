"""Which parameters of a network are penalized, and in which groups (lecture, (9))."""

from torch import nn

from course_utils._support.check import one_of
from course_utils.methods.weights import changeable_weights, weights_of

__all__ = ["parameter_groups"]


def parameter_groups(model: nn.Module, *, conv_groups: str = "inputs") -> dict[str, tuple[int, ...] | None]:
    """Name each penalized parameter and the dimensions of its groups; None: each entry is its own group.

    G = G_in u G_h u G_b of (9): a Linear weight (out, in) has a group per input, (-2,); a Conv2d weight (out, in, h, w)
    one per input channel, (-4, -2, -1), or with conv_groups="filters" one per filter, (-3, -2, -1); a bias has None.
    The dimensions are negative, so they hold for parameters stacked into (S, ...) too. A tied weight counts once.
    BatchNorm is left out: its scale multiplies weights that are penalized already, and the next normalization undoes
    any shrinking, so a penalty would change the scale of the layer and make nothing sparse.
    ValueError: a grouped convolution whose channels share an axis, or a weight that is not a parameter of `model`.
    Scardapane et al. 2017, arXiv:1607.00485; lecture, (9).

    >>> parameter_groups(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2)))
    {'0.weight': (-4, -2, -1), '0.bias': None, '3.weight': (-2,), '3.bias': None}
    """
    one_of("conv_groups", conv_groups, ("inputs", "filters"))
    names = {id(p): name for name, p in model.named_parameters()}
    groups: dict[str, tuple[int, ...] | None] = {}
    if not weights_of(model):
        return groups
    for weight in changeable_weights(model, method="a penalty").values():
        n = weight.tensor.ndim
        filters = "convolution" in weight.kind and conv_groups == "filters"
        if weight.input_dim is None:
            raise ValueError(f"a bilinear weight, {weight.name!r}, has two inputs and so no groups; leave it out")
        unit_dim = (1 - weight.input_dim if filters else weight.input_dim) - n  # a group is all of one
        parts = getattr(weight.module, "groups", 1)
        if unit_dim == 1 - n and parts != 1:
            alternative = "inputs" if filters else "filters"
            raise ValueError(
                f"conv_groups={conv_groups!r} needs convolutions with groups=1, got groups={parts} in layer "
                f"{weight.name!r}, where channels share an axis of the weight; use conv_groups={alternative!r}"
            )
        groups[names[id(weight.tensor)]] = tuple(d for d in range(-n, 0) if d != unit_dim)
        for layer in (weight, *weight.also):
            if layer.bias_attribute is not None:
                bias = layer.module._parameters.get(layer.bias_attribute)
                groups[names[id(bias)]] = None
    return groups
