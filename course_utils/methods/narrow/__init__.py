"""Physically smaller networks: neurons and channels that are dead are removed, and the outputs stay (lecture, 04).

Group-sparse penalties and pruning make whole units zero, but a layer keeps its shape and so its cost. `narrow` follows
the channels of a network through its graph, and takes out those that nobody reads (all outgoing weights are zero) and
those with the same value for every input (all incoming weights are zero), whose value goes into the next bias.

It removes what is exact to remove, in evaluation mode, and says what it left: a network that reads its channels as a
whole, as layer normalization and attention do, keeps these. Heads of attention stay, for `nn.MultiheadAttention` has no
size of its own for a head. The inputs of the network stay, for the one who calls it.
"""

import torch
from torch import Tensor, nn

from course_utils.methods.narrow.check import largest_difference, tolerance
from course_utils.methods.narrow.dead import dead_units, would_be_dead
from course_utils.methods.narrow.flow import Flow, follow
from course_utils.methods.narrow.report import NarrowResult, Size, sizes
from course_utils.methods.narrow.resize import resize_
from course_utils.methods.narrow.trace import frozen_copy, trace

__all__ = ["NarrowResult", "Size", "narrow"]


def narrow(model: nn.Module, example_input: Tensor | tuple[Tensor, ...], *, repeats: int = 5) -> NarrowResult:
    """A copy of `model` without its dead units, which computes the same in evaluation mode.

    The layers keep their classes, modes, dtypes and devices; the network that is given is not changed. `example_input`:
    one batch as the network takes it, or a tuple for several inputs. `repeats`: of the measurement of time.

    Units of linear layers and convolutions are removed through batch normalization, activations, pooling, flattening,
    residual additions, concatenation, and depthwise and grouped convolutions. Zeros must be exact. The outputs of both
    networks are compared, for the example and for a random input, before the smaller one is returned.

    Raises: TypeError if an input is not a tensor; ValueError for a network that torch.export cannot follow, that cannot
    be copied, or whose own code needs layers of the old sizes.

    >>> model = nn.Sequential(nn.Linear(8, 6), nn.GELU(), nn.Linear(6, 2)).eval()
    >>> with torch.no_grad():
    ...     model[0].weight[1:4] = 0  # constant neurons
    ...     model[2].weight[:, 5] = 0  # a neuron that nobody reads
    >>> result = narrow(model, torch.ones(1, 8))
    >>> result.layers
    {'0': ((6, 8), (2, 8)), '2': ((2, 6), (2, 2))}
    >>> x = torch.randn(5, 8)
    >>> torch.allclose(result.model(x), model(x), atol=1e-6)
    True
    """
    example = example_input if isinstance(example_input, tuple) else (example_input,)
    if not example or not all(isinstance(x, Tensor) for x in example):
        kinds = ", ".join(type(x).__name__ for x in example)
        raise TypeError(f"example_input must be a tensor or a tuple of tensors, got {kinds or 'no input'}")
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats!r}")
    modes = {name: module.training for name, module in model.named_modules()}
    whole, small = frozen_copy(model), frozen_copy(model)
    with torch.random.fork_rng(devices=[]):
        flow = follow(trace(whole, example))
        layers = resize_(small, flow, dead_units(flow))
        _compare(whole, small, example)
        before, after = sizes((whole, small), example, repeats=repeats)
    for name, module in small.named_modules():
        module.training = modes[name]
    return NarrowResult(small, before, after, layers, _left(flow))


def _compare(whole: nn.Module, small: nn.Module, example: tuple[Tensor, ...]) -> None:
    kind, way_out = type(whole).__name__, "narrow() the parts of it that do not, or take the sizes from the layers"
    try:
        difference = largest_difference(whole, small, example)
    except Exception as error:
        raise ValueError(f"the code of {kind} needs layers of the old sizes ({error}); {way_out}") from error
    if not difference <= tolerance(whole):
        raise ValueError(
            f"without its dead units {kind} gives other outputs, by {difference:.1e} of the largest: its code depends "
            f"on the old sizes, or on chance; {way_out}"
        )


def _left(flow: Flow) -> dict[str, str]:
    """The layers that have dead units still, or that could not be looked into."""
    stay, left = would_be_dead(flow), dict(flow.whole)
    for layer in flow.layers:
        units = [flow.units.find(unit) for unit in layer.out] if layer.kind not in ("vector", "depthwise") else []
        reasons = [stay[unit] for unit in units if unit in stay]
        if reasons:
            left[layer.name] = f"{len(reasons)} dead units stay, because {reasons[0]}"
    return left
