"""How channels go through the graph of a network, from the layers that make them to those that read them.

What no rule below knows keeps all channels that it reads, and its result has none.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from course_utils.methods.narrow.channels import Channels, Units
from course_utils.methods.narrow.layers import LAYERS, Layer, layer_channels
from course_utils.methods.narrow.trace import Trace

__all__ = ["Flow", "follow"]

# Operations on each number by itself that PyTorch does not tag as such, or only under another name.
POINTWISE = {
    "relu", "relu6", "gelu", "silu", "mish", "elu", "selu", "celu", "leaky_relu", "hardtanh", "hardswish",
    "hardsigmoid", "softplus", "softsign", "sigmoid", "tanh", "logsigmoid", "log_sigmoid", "threshold",
    "hardshrink", "softshrink", "tanhshrink", "abs", "neg", "clamp", "square", "rrelu", "add", "sub", "mul", "div"
}  # fmt: skip
# The same numbers, perhaps in another dtype or layout.
SAME = {
    "dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "to", "_to_copy", "type_as", "clone",
    "contiguous", "detach", "alias", "lift_fresh_copy"
}  # fmt: skip
# Operations on each channel by itself, which keep the number of dimensions.
SPATIAL = {
    "max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "pad", "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "upsample_nearest1d",
    "upsample_nearest2d", "upsample_nearest3d", "upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d",
    "upsample_trilinear3d"
}  # fmt: skip
REDUCING = {"mean", "sum", "amax", "amin"}
MOVING = {"flatten", "squeeze", "unsqueeze", "permute", "transpose", "movedim", "swapaxes", "t", "slice", "select"}
SIZED = {"view", "reshape", "expand"}  # as moving, if the size of the channels is given as -1


class Flow(NamedTuple):
    """All units, the layers that can be made smaller, and those that cannot with the reason."""

    units: Units
    layers: list[Layer]
    whole: dict[str, str]


def follow(trace: Trace) -> Flow:
    """The channels of a network, from its inputs to its outputs."""
    units, known, layers = Units(), dict[Any, Channels](), list[Layer]()
    whole: dict[str, str] = {}
    for node in trace.nodes:
        if node.op == "output":
            for source in node.all_input_nodes:
                _keep(source, known, units, "it is an output of the network")
        elif node.op == "call_function":
            op = _name(node)
            result, layer = _result(op, node, known, units, trace)
            if result is None:
                _refuse(op, node, known, units, trace, whole)
            else:
                known[node] = result
                if _in_place(node):
                    known[node.args[0]] = result
            if layer is not None:
                layers.append(layer)
    return Flow(units, layers, whole)


def _name(node: fx.Node) -> str:
    schema = getattr(node.target, "_schema", None)
    name = getattr(node.target, "__name__", str(node.target)) if schema is None else schema.name.split("::")[-1]
    return name[:-1] if _in_place(node) else name


def _in_place(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.name.endswith("_") and bool(node.args)


def _keep(node: fx.Node, known: dict[Any, Channels], units: Units, reason: str) -> None:
    if node in known:
        units.keep(known[node].units, reason)


def _refuse(
    op: str, node: fx.Node, known: dict[Any, Channels], units: Units, trace: Trace, whole: dict[str, str]
) -> None:
    for source in node.all_input_nodes:
        _keep(source, known, units, f"{op} reads it as a whole")
        if source in trace.stored:
            name = trace.stored[source].rpartition(".")[0]
            whole.setdefault(name, f"{op} with its parameters cannot be made smaller")


def _result(
    op: str, node: fx.Node, known: dict[Any, Channels], units: Units, trace: Trace
) -> tuple[Channels | None, Layer | None]:
    if op in LAYERS:
        return layer_channels(op, node, known, units, trace)
    if op in {"cat", "concat", "concatenate"}:
        return _cat(node, known, units), None
    if op not in SAME and (op in POINTWISE or torch.Tag.pointwise in getattr(node.target, "tags", ())):
        return _pointwise(op, node, known, units), None
    x = known.get(node.args[0]) if node.args and isinstance(node.args[0], fx.Node) else None
    if x is None or len(node.all_input_nodes) > 1 or not isinstance(node.meta.get("val"), Tensor):
        return None, None
    if op in SAME:
        return x.with_values(x.known, x.value.to(node.meta["val"].dtype)), None
    if op in SPATIAL or op in REDUCING:
        return _spatial(node, x, reducing=op in REDUCING), None
    if op in MOVING or op in SIZED:
        return _moved(op, node, x), None
    return None, None


def _call(node: fx.Node, given: dict[fx.Node, Tensor]) -> Tensor:
    """What the operation makes of other tensors in place of its nodes."""
    target: Any = node.target
    return target(*fx.map_arg(node.args, given.__getitem__), **fx.map_arg(node.kwargs, given.__getitem__))


def _pointwise(op: str, node: fx.Node, known: dict[Any, Channels], units: Units) -> Channels | None:
    """Tensors whose channels meet are tied; a tensor that is the same for all channels leaves them apart."""
    ndim = node.meta["val"].ndim
    meeting: dict[fx.Node, Channels] = {}
    dims: set[int] = set()
    for source in node.all_input_nodes:
        if source in known:
            dim = known[source].dim + ndim - source.meta["val"].ndim
            meeting[source] = known[source].at(dim)
            dims.add(dim)
    if len(dims) != 1:
        return None
    dim = dims.pop()
    size = node.meta["val"].shape[dim]
    others = [source for source in node.all_input_nodes if source not in known]
    if any(_size(source, dim, ndim) != 1 for source in others) or any(len(x.units) != size for x in meeting.values()):
        return None
    first, *rest = meeting.values()
    for x in rest:
        units.tie(first.units, x.units)
    zero = torch.zeros(size, dtype=torch.bool)
    for x in meeting.values():
        zero |= x.known & (x.value == 0)
    if others:
        is_known, value = torch.zeros_like(zero), torch.zeros(size, dtype=torch.float64)
    else:
        is_known = torch.stack([x.known for x in meeting.values()]).all(0)
        value = _call(node, {source: x.value.clone() for source, x in meeting.items()})
    if op == "mul":  # 0 times whatever
        is_known, value = is_known | zero, torch.where(zero, 0.0, value)
    return first.with_values(is_known, value)


def _size(source: fx.Node, dim: int, ndim: int) -> int:
    value = source.meta.get("val")
    if not isinstance(value, Tensor):
        return -1
    own = dim - ndim + value.ndim
    return 1 if own < 0 else value.shape[own]


def _cat(node: fx.Node, known: dict[Any, Channels], units: Units) -> Channels | None:
    arguments: Any = (*node.args, 0)
    parts = arguments[0]
    dim = node.kwargs.get("dim", arguments[1]) % node.meta["val"].ndim
    channels = list[Channels]()
    for part in parts:
        if part in known and known[part].dim != dim:
            return None
        fixed = Channels.varying(dim, [] if part in known else units.new(part.meta["val"].shape[dim]))
        units.keep(fixed.units, "it is no output of a layer")
        channels.append(known.get(part, fixed))
    if not any(part in known for part in parts):
        return None
    joined = Channels.varying(dim, [unit for x in channels for unit in x.units])
    return joined.with_values(torch.cat([x.known for x in channels]), torch.cat([x.value for x in channels]))


def _spatial(node: fx.Node, x: Channels, *, reducing: bool) -> Channels | None:
    """Constants stay only where the operation gives the same at all places, which padding with zeros may not."""
    arguments: Any = node.args
    source = arguments[0]
    shape, dim = source.meta["val"].shape, x.dim
    if reducing:
        over: Any = arguments[1] if len(arguments) > 1 else node.kwargs.get("dim")
        dims = {d % len(shape) for d in ([over] if isinstance(over, int) else over or range(len(shape)))}
        if dim in dims:
            return None
        if len(shape) != node.meta["val"].ndim:
            dim -= sum(d < dim for d in dims)
    if node.meta["val"].shape[dim] != len(x.units):
        return None
    if dim > 0 and node.meta["val"].shape[0] == shape[0]:
        shape = torch.Size([1, *shape[1:]])  # the samples do not meet: one is enough
    probe = x.value.reshape([-1 if d == x.dim else 1 for d in range(len(shape))]).expand(shape).contiguous()
    rows = _call(node, {source: probe}).movedim(dim, 0).reshape(len(x.units), -1)
    steady = (rows - rows[:, :1]).abs().amax(1) <= 1e-12 * rows.abs().amax(1)
    return x.at(dim).with_values(x.known & steady, rows[:, 0])


def _moved(op: str, node: fx.Node, x: Channels) -> Channels | None:
    """Where the positions go, found by moving the numbers 0, 1, 2, ... of the channels."""
    arguments: Any = node.args
    source = arguments[0]
    shape, target = source.meta["val"].shape, node.meta["val"].shape
    if len(x.units) == 1 or 0 in shape:
        return None  # where one channel went cannot be seen
    positions = torch.arange(len(x.units)).reshape([-1 if d == x.dim else 1 for d in range(len(shape))]).expand(shape)
    moved = _call(node, {source: positions.contiguous()})
    for dim in range(len(target)):
        rows = moved.movedim(dim, 0).reshape(target[dim], -1)
        if bool((rows == rows[:, :1]).all()):
            index = rows[:, 0]
            break
    else:
        return None
    if op in SIZED and arguments[1][dim] != -1:
        return None  # the size of the channels may be a number in the code of the network
    if op in {"slice", "select"} and not torch.equal(
        index, positions.movedim(x.dim, 0).reshape(len(x.units), -1)[:, 0]
    ):
        return None
    return Channels(dim, [x.units[i] for i in index.tolist()], x.known[index], x.value[index])
