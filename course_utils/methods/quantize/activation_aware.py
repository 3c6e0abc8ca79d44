"""AWQ: channels whose inputs are large get finer steps, by a scale that the layer before takes back.

    W x = (W diag(s)) (diag(1/s) x)        s_j = (mean |x_j|)^alpha, divided by sqrt(max s * min s)

W diag(s) is what is rounded: the error of a column is divided by s_j, as long as the range of its row or group stays.
1/s goes into the layer that makes x, so the network computes what it did before and nothing is added to it. alpha is
searched from 0 (no scale) to 1 for the smallest error of the sums, trace((W - W') X^T X (W - W')^T). (Lin et al. 2023,
arXiv:2306.00978, (4) and (5); without its search for clipped ranges.)
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from course_utils._support.check import floating, in_range
from course_utils.methods.evaluation_mode import evaluation_mode
from course_utils.methods.quantize.affine import fake_quantize
from course_utils.methods.quantize.inputs import as_batches, input_rows, watch_inputs

__all__ = ["awq", "awq_scales"]

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
# f(x / s) = f(x) / s for each positive s of a channel, so the scale can be taken back before them.
PASSING = (
    *(nn.Identity, nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.Flatten),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d),
)


def awq_scales(
    w: Tensor,
    hessian: Tensor,
    magnitude: Tensor,
    *,
    bits: int,
    symmetric: bool = False,
    axis: int | None = 0,
    group: int | None = None,
    steps: int = 20,
) -> Tensor:
    """The positive scales s, of the shape of `magnitude`, with which w * s has the smallest error when it is rounded.

    `w`: (out, in). `hessian`: X^T X of the inputs, (in, in). `magnitude`: the mean |x| of each channel, (channels,),
    where a channel has in / channels neighbouring columns: one for a linear layer, the size of the kernel for a
    convolution. `bits`, `symmetric`, `axis` and `group` as in `choose_qparams`; `steps` + 1 values of alpha are tried.
    Channels that are always 0 keep the scale 1. All are 1 where no alpha helps.

    Raises: as `choose_qparams`; ValueError for shapes that do not belong together, or fewer than 1 step.

    >>> w, x = torch.tensor([[1.0, 0.3, -0.6]]), torch.tensor([[0.1, 9.0, 0.1], [0.1, -9.0, 0.1]])
    >>> s = awq_scales(w, x.T @ x, x.abs().mean(0), bits=2)
    >>> before, after = (fake_quantize(w * t, bits=2) / t for t in (torch.ones(3), s))
    >>> [round(float(((w - v) @ x.T).square().sum()), 2) for v in (before, after)]  # the error of the sums
    [8.82, 0.0]
    """
    channels = max(1, magnitude.numel())
    if floating("w", w).ndim != 2 or magnitude.ndim != 1 or w.shape[1] % channels or hessian.shape != (w.shape[1],) * 2:
        raise ValueError(
            "w must be (out, in), hessian (in, in) and magnitude (channels,) with in a multiple of channels, got "
            f"{tuple(w.shape)}, {tuple(hessian.shape)} and {tuple(magnitude.shape)}"
        )
    in_range("steps", steps, 1, float("inf"))
    weight, h = w.detach().double(), hessian.detach().double()
    live = magnitude > 0
    best, best_error = torch.ones_like(magnitude, dtype=torch.float64), float("inf")
    for step in range(steps + 1):
        scales = torch.where(live, magnitude.double(), 1.0) ** (step / steps)
        if bool(live.any()):
            scales = torch.where(live, scales / (scales[live].max() * scales[live].min()).sqrt(), 1.0)
        columns = scales.repeat_interleave(w.shape[1] // channels)
        axis_or_none = None if group is not None else axis
        rounded = fake_quantize(weight * columns, bits=bits, symmetric=symmetric, axis=axis_or_none, group=group)
        difference = weight - rounded / columns
        error = float(((difference @ h) * difference).sum())
        if error < best_error:
            best, best_error = scales, error
    return best.to(magnitude.dtype)


@torch.no_grad()
def awq(
    model: nn.Module,
    *,
    bits: int,
    calibration: Tensor | Iterable[Tensor],
    pairs: Mapping[str, Sequence[str]] | None = None,
    symmetric: bool = False,
    per_channel: bool = True,
    group: int | None = None,
    steps: int = 20,
) -> nn.Module:
    """A copy of a network that computes the same, and loses less when `quantize_model` rounds it with these options.

    `pairs`: for each module that makes an input the layers that read it, by their names, such as {"norm": ["q", "k",
    "v"]}; nobody else may read it. By default they are found in each nn.Sequential: a linear, convolutional or
    normalization layer, then modules such as ReLU, pooling and dropout, then a linear or convolutional layer. GELU,
    tanh and others do not pass a scale on, so what follows them stays as it is. `calibration`: one batch of inputs or
    several. That the outputs are those of the given network is checked on the first, in float64.

    Raises: as `awq_scales`; ValueError for unknown names, kinds of modules that cannot take a scale, calibration that
    does not reach a layer, no pairs at all, or outputs that would change.

    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> x = torch.randn(20, 4)
    >>> scaled = awq(model, bits=3, calibration=x)
    >>> torch.allclose(scaled(x), model(x), atol=1e-5)
    True
    """
    scaled = copy.deepcopy(model)
    batches = as_batches(calibration, "awq")
    chosen = _pairs_in(scaled) if pairs is None else pairs
    if not chosen:
        raise ValueError("awq finds no layer whose input comes from a layer that can take a scale; name some in pairs")
    _check_outputs(model, chosen, batches[0])
    modules: dict[str, Any] = dict(scaled.named_modules())
    axis = 0 if per_channel else None
    options: dict[str, Any] = {"bits": bits, "symmetric": symmetric, "axis": axis, "group": group, "steps": steps}
    for before, names in chosen.items():
        readers = {name: modules[name] for name in names}
        scales = _search(scaled, modules[before], readers, batches, options)
        _fold_(modules[before], readers.values(), scales)
    return scaled


def _pairs_in(model: nn.Module) -> dict[str, list[str]]:
    names = {module: name for name, module in model.named_modules()}
    found: dict[str, list[str]] = {}
    for sequence in model.modules():
        if isinstance(sequence, nn.Sequential):
            parts = [part for part in sequence if type(part) not in PASSING]
            found |= {names[a]: [names[b]] for a, b in pairwise(parts) if _takes(a) and _gives(b)}
    return found


def _takes(before: Any) -> bool:
    """Whether 1/s can go into what a module makes."""
    return type(before) in LAYERS or (type(before) in NORMS and before.weight is not None and before.weight.ndim == 1)


def _gives(layer: nn.Module) -> bool:
    """Whether s can go into the columns of a layer."""
    return type(layer) in LAYERS and getattr(layer, "groups", 1) == 1


def _check(modules: Mapping[str, Any], before: str, readers: Sequence[str]) -> None:
    if unknown := [name for name in (before, *readers) if name not in modules]:
        raise ValueError(f"pairs must name modules of the model, got {', '.join(unknown)}; see model.named_modules()")
    if not _takes(modules[before]):
        raise ValueError(
            f"{before} must be a linear, convolutional or affine normalization layer to take a scale, got "
            f"{modules[before]}; leave it out of pairs"
        )
    made = len(modules[before].weight)
    for name in readers:
        if not _gives(modules[name]) or modules[name].weight.shape[1] % made:
            raise ValueError(
                f"{name} must be a linear or convolutional layer without groups that reads the {made} channels of "
                f"{before}, got {modules[name]}; leave it out of pairs"
            )


def _check_outputs(model: nn.Module, pairs: Mapping[str, Sequence[str]], x: Tensor) -> None:
    """Fold scales of no meaning, whatever the search will find, and compare the outputs in float64."""
    exact, changed = copy.deepcopy(model).double(), copy.deepcopy(model).double()
    modules: dict[str, Any] = dict(changed.named_modules())
    for before, readers in pairs.items():
        _check(modules, before, readers)
        weight = modules[before].weight
        probe = torch.linspace(0.5, 2, len(weight), dtype=torch.float64, device=weight.device)
        _fold_(modules[before], [modules[name] for name in readers], probe)
    if not _same_outputs(exact, changed, x):
        raise ValueError(
            f"the outputs must stay, and with scales after {', '.join(pairs)} they change; give only pairs with "
            "nothing but ReLU, pooling and the like between them, and with all layers that read the input"
        )


def _search(
    model: nn.Module,
    before: Any,
    readers: Mapping[str, Any],
    batches: list[Tensor],
    options: Mapping[str, Any],
) -> Tensor:
    """The scales for the channels of `before`, from the inputs of the first reader, which all readers share."""
    name, first = next(iter(readers.items()))
    weight = torch.cat([layer.weight.detach().flatten(1) for layer in readers.values()])
    hessian = weight.new_zeros(weight.shape[1], weight.shape[1], dtype=torch.float64)
    sums, count = weight.new_zeros(weight.shape[1], dtype=torch.float64), 0

    def add(_: str, x: Tensor) -> None:
        nonlocal count
        rows = input_rows(first, x)[0].double()
        hessian.add_(rows.T @ rows)
        sums.add_(rows.abs().sum(0))
        count += len(rows)

    watch_inputs(model, {name: first}, batches, add)
    if not count:
        raise ValueError(f"calibration must reach {name}, and it does not; leave it out of pairs")
    magnitude = (sums / count).view(len(before.weight), -1).mean(1)
    return awq_scales(weight, hessian, magnitude, **options)


def _fold_(before: Any, readers: Iterable[Any], scales: Tensor) -> None:
    """Divide what `before` makes by the scales, and multiply the columns that read it."""
    for parameter in (before.weight, getattr(before, "bias", None)):  # RMSNorm has no bias
        if parameter is not None:
            parameter.div_(scales.to(parameter.dtype).view(-1, *[1] * (parameter.ndim - 1)))
    for layer in readers:
        weight = layer.weight
        columns = scales.to(weight.dtype).repeat_interleave(weight.shape[1] // len(scales))
        weight.mul_(columns.view(1, -1, *[1] * (weight.ndim - 2)))


def _same_outputs(model: nn.Module, other: nn.Module, x: Tensor) -> bool:
    x = x.double() if x.is_floating_point() else x
    with evaluation_mode(model), evaluation_mode(other):
        outputs = [[t for t in tree_leaves(network(x)) if isinstance(t, Tensor)] for network in (model, other)]
    for ours, theirs in zip(*outputs, strict=True):
        if not torch.allclose(ours, theirs, rtol=1e-7, atol=1e-9 * float(ours.abs().max()) if ours.numel() else 0):
            return False
    return True
