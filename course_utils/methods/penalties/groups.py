"""Which parameters of a network are penalized, and in which groups (lecture, (9))."""

from collections.abc import Iterator

from torch import Tensor, nn

from course_utils._support.check import one_of

__all__ = ["parameter_groups", "penalized_layers"]


CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def penalized_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module, Tensor]]:
    for path, layer in model.named_modules():
        if isinstance(layer, (nn.Linear, *CONVOLUTIONS)):
            yield path, layer, layer.weight


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
    for path, layer, weight in penalized_layers(model):
        if id(weight) not in names:
            raise ValueError(
                f"the weight of layer {path!r} must be a parameter, got one computed from others (torch's pruning or a "
                "parametrization); make it permanent first, with prune.remove() or remove_parametrizations()"
            )
        n, transposed = weight.ndim, getattr(layer, "transposed", False)  # a transposed weight is (in, out, ...)
        filters = isinstance(layer, CONVOLUTIONS) and conv_groups == "filters"
        unit_dim = -n if filters != transposed else 1 - n  # of the inputs or filters; a group is all of one
        if unit_dim == 1 - n and getattr(layer, "groups", 1) != 1:
            alternative = "inputs" if filters else "filters"
            raise ValueError(
                f"conv_groups={conv_groups!r} needs convolutions with groups=1, got groups={layer.groups} in layer "
                f"{path!r}, where channels share an axis of the weight; use conv_groups={alternative!r}"
            )
        groups[names[id(weight)]] = tuple(d for d in range(-n, 0) if d != unit_dim)
        if layer.bias is not None:
            groups[names[id(layer.bias)]] = None
    return groups
