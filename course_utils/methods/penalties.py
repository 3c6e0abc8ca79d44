"""Sparse and group-sparse penalties, their proximal steps, and the sparsity of a network (lecture, section 04).

A penalty maps a tensor `w` of any floating dtype to a 0-d tensor of that dtype; autograd gives it the gradient 0 at 0.
`prox_*` is argmin_v step * penalty(v) + ||v - w||^2 / 2 (Parikh, Boyd 2014, *Proximal algorithms*): a new tensor of w's
shape and dtype, with exact zeros where a gradient step on the penalty would only come near them. For all of them:

- a group runs along `dim`: an int, or several, reduced over; dim=0 of a Linear weight (out, in) is the outgoing weights
  of each input;
- `step` and `l1_ratio` are numbers or tensors that broadcast against w with the reduced dimensions as 1, so networks
  stacked into (S, out, in) take one step each as (S, 1, 1). A tensor's values are not checked: torch.func.vmap works;
- NaN stays NaN and makes all of its group NaN; a group with an infinity stays as it is; step=0 changes nothing;
- float16 and bfloat16 are computed in float32 and rounded once, at the end.

TypeError: w is not a floating tensor. ValueError: step < 0, l1_ratio outside [0, 1], a tensor that does not broadcast,
a wrong `dim`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_utils._support.check import floating, in_range, one_of

__all__ = [
    "Regularizer",
    "active_neurons",
    "elastic_net",
    "group",
    "l1",
    "l2",
    "parameter_groups",
    "prox_elastic_net",
    "prox_group",
    "prox_l1",
    "prox_l2",
    "prox_sparse_group",
    "sparse_group",
    "sparsity",
]

Dims = int | tuple[int, ...]
Number = float | Tensor


def _wide(w: Tensor) -> Tensor:
    # A sum of 65 504 ones is already the largest float16, and bfloat16 has three digits.
    return w.float() if floating("w", w).dtype in (torch.float16, torch.bfloat16) else w


def _groups(w: Tensor, dim: Dims) -> tuple[tuple[int, ...], float, list[int]]:
    """`dim` as a tuple, sqrt(|g|), and the shape of w with the dimensions of a group kept as 1."""
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    # torch reads an empty tuple as "all dimensions", so it has to be caught here.
    if not dims or not all(-w.ndim <= d < w.ndim for d in dims) or len({d % w.ndim for d in dims}) < len(dims):
        raise ValueError(
            f"dim must name one or more different dimensions of w of shape {tuple(w.shape)}, got {dim!r}; "
            "for the columns of a matrix (out, in) use dim=0, for single entries l1()"
        )
    shape = [1 if i in dims or i - w.ndim in dims else n for i, n in enumerate(w.shape)]
    return dims, math.sqrt(math.prod(w.shape[d] for d in dims)), shape


def _factor(name: str, value: Number, w: Tensor, shape: Sequence[int], high: float = math.inf) -> Tensor:
    """A step or a ratio as a tensor of w's dtype that broadcasts against `shape` without enlarging it."""
    info = torch.finfo(w.dtype)
    limit = info.max * info.eps  # so that even step=inf times sqrt(|g|) is finite, and inf / inf never occurs
    if not isinstance(value, Tensor):
        return torch.full((), min(in_range(name, value, 0.0, high), limit), dtype=w.dtype, device=w.device)
    pairs = zip(reversed(value.shape), reversed(shape), strict=False)
    if value.ndim > len(shape) or any(a not in (1, b) for a, b in pairs):
        raise ValueError(
            f"{name} must be a number or broadcast against {tuple(shape)}, got shape {tuple(value.shape)}; "
            "for one value per stacked network give (S, 1, ..., 1)"
        )
    return value.to(w).clamp(max=limit)


def _mix(l1_ratio: Number, first: Tensor, second: Tensor) -> Tensor:
    r = _factor("l1_ratio", l1_ratio, first, (), 1.0)
    if isinstance(l1_ratio, Tensor) or 0.0 < l1_ratio < 1.0:
        return r * first + (1 - r) * second
    return first if l1_ratio else second  # 0 * inf is never formed


def l1(w: Tensor) -> Tensor:
    """Sum of magnitudes, sum_i |w_i|; its gradient is sign(w) (Tibshirani 1996; lecture, (7) and (8)).

    `w`: any shape. Returns a 0-d tensor.

    >>> l1(torch.tensor([3.0, -4.0]))
    tensor(7.)
    """
    return _wide(w).abs().sum().to(w.dtype)


def l2(w: Tensor) -> Tensor:
    """Squared norm, sum_i w_i^2; its gradient is 2 w (weight decay: Krogh, Hertz 1991; lecture, (5) and (6)).

    `w`: any shape. Returns a 0-d tensor. lam * l2(w) is torch's weight_decay = 2 * lam.

    >>> l2(torch.tensor([3.0, -4.0]))
    tensor(25.)
    """
    return _wide(w).square().sum().to(w.dtype)


def elastic_net(w: Tensor, *, l1_ratio: Number) -> Tensor:
    """Mix of both, r l1(w) + (1 - r) l2(w) with r = l1_ratio (Zou, Hastie 2005; lecture, (5) and (7)).

    `w`: any shape. Returns a 0-d tensor. ValueError: l1_ratio outside [0, 1].

    >>> elastic_net(torch.tensor([3.0, -4.0]), l1_ratio=0.5)
    tensor(16.)
    """
    wide = _wide(w)
    return _mix(l1_ratio, l1(wide), l2(wide)).to(w.dtype)


def group(w: Tensor, *, dim: Dims) -> Tensor:
    """Group lasso, sum_g sqrt(|g|) ||g||_2 (Yuan, Lin 2006; Scardapane et al. 2017, arXiv:1607.00485; lecture, (9)).

    `w`: any shape; each group runs along `dim` and |g| is the product of their sizes. Returns a 0-d tensor. Groups of
    one entry give l1. ValueError: `dim` is empty, repeated or out of range.

    >>> group(torch.tensor([[3.0, 0.0], [4.0, 0.0]]), dim=0)  # sqrt(2) * 5
    tensor(7.0711)
    """
    wide = _wide(w)
    dims, root, _ = _groups(wide, dim)
    # vector_norm, since sqrt(sum of squares) has the gradient NaN at 0.
    return (root * torch.linalg.vector_norm(wide, dim=dims).sum()).to(w.dtype)


def sparse_group(w: Tensor, *, dim: Dims, l1_ratio: Number) -> Tensor:
    """Sparse group lasso, r l1(w) + (1 - r) group(w) (Friedman, Hastie, Tibshirani 2010, arXiv:1001.0736; lecture (9)).

    `w`, `dim`: as in `group`. Returns a 0-d tensor. ValueError: a wrong `dim`, l1_ratio outside [0, 1].

    >>> sparse_group(torch.tensor([[3.0, 0.0], [4.0, 0.0]]), dim=0, l1_ratio=0.5)  # (7 + 7.0711) / 2
    tensor(7.0355)
    """
    wide = _wide(w)
    return _mix(l1_ratio, l1(wide), group(wide, dim=dim)).to(w.dtype)


def _soft(w: Tensor, step: Tensor) -> Tensor:
    return w - w.clamp(-step, step)  # w - w is +0, where sign(w) * 0 is -0 for a negative weight


def _shrink(w: Tensor, step: Tensor, dims: tuple[int, ...]) -> Tensor:
    norm = torch.linalg.vector_norm(w, dim=dims, keepdim=True).clamp(min=torch.finfo(w.dtype).tiny)  # no 0 / 0
    return w * (1 - step / norm).clamp(min=0) + 0.0  # -0 + 0 is +0


def prox_l1(w: Tensor, *, step: Number) -> Tensor:
    """Soft threshold, sign(w) max(|w| - step, 0): the proximal step of l1 (Beck, Teboulle 2009; lecture, (7)).

    `w`: any shape. Returns a new tensor shaped like w. ValueError: a negative step.

    >>> prox_l1(torch.tensor([3.0, -0.5]), step=1.0)
    tensor([2., 0.])
    """
    wide = _wide(w)
    return _soft(wide, _factor("step", step, wide, w.shape)).to(w.dtype)


def prox_l2(w: Tensor, *, step: Number) -> Tensor:
    """Shrinkage, w / (1 + 2 step): the proximal step of l2, which makes no zeros (lecture, (5)).

    `w`: any shape. Returns a new tensor shaped like w. ValueError: a negative step. Parikh, Boyd 2014.

    >>> prox_l2(torch.tensor([3.0, -0.5]), step=1.0)
    tensor([ 1.0000, -0.1667])
    """
    wide = _wide(w)
    return (wide / (1 + 2 * _factor("step", step, wide, w.shape))).to(w.dtype)


def prox_elastic_net(w: Tensor, *, step: Number, l1_ratio: Number) -> Tensor:
    """Soft threshold by r step, then division by 1 + 2 (1 - r) step (Zou, Hastie 2005; lecture, (5) and (7)).

    `w`: any shape. Returns a new tensor shaped like w. ValueError: a negative step, l1_ratio outside [0, 1].

    >>> prox_elastic_net(torch.tensor([3.0, -0.5]), step=1.0, l1_ratio=0.5)
    tensor([1.2500, 0.0000])
    """
    wide = _wide(w)
    t, r = _factor("step", step, wide, w.shape), _factor("l1_ratio", l1_ratio, wide, w.shape, 1.0)
    return (_soft(wide, r * t) / (1 + 2 * (1 - r) * t)).to(w.dtype)


def prox_group(w: Tensor, *, step: Number, dim: Dims) -> Tensor:
    """Block soft threshold, g max(1 - step sqrt(|g|) / ||g||_2, 0) for each group g (Yuan, Lin 2006; lecture, (9)).

    `w`, `dim`: as in `group`. Returns a new tensor shaped like w. ValueError: a negative step, one that differs within
    a group, a wrong `dim`.

    >>> prox_group(torch.tensor([[3.0, 0.1], [4.0, 0.1]]), step=1.0, dim=0)
    tensor([[2.1515, 0.0000],
            [2.8686, 0.0000]])
    """
    wide = _wide(w)
    dims, root, shape = _groups(wide, dim)
    return _shrink(wide, root * _factor("step", step, wide, shape), dims).to(w.dtype)


def prox_sparse_group(w: Tensor, *, step: Number, dim: Dims, l1_ratio: Number) -> Tensor:
    """Soft threshold by r step, then block soft threshold by (1 - r) step; in the other order it is not proximal.

    `w`, `dim`: as in `group`. Returns a new tensor shaped like w. ValueError: as `prox_group`, or l1_ratio outside
    [0, 1]. Friedman, Hastie, Tibshirani 2010, arXiv:1001.0736; lecture, (9).

    >>> prox_sparse_group(torch.tensor([[3.0, 1.0], [0.1, 1.0]]), step=0.8, dim=0, l1_ratio=0.5)
    tensor([[2.0343, 0.2000],
            [0.0000, 0.2000]])
    """
    wide = _wide(w)
    dims, root, shape = _groups(wide, dim)
    t, r = _factor("step", step, wide, shape), _factor("l1_ratio", l1_ratio, wide, shape, 1.0)
    return _shrink(_soft(wide, r * t), (1 - r) * t * root, dims).to(w.dtype)


class _Kind(NamedTuple):
    """A penalty, its proximal step, and the options that both take."""

    penalty: Callable[..., Tensor]
    prox: Callable[..., Tensor]
    options: tuple[str, ...] = ()


_KINDS = {
    "l1": _Kind(l1, prox_l1),
    "l2": _Kind(l2, prox_l2),
    "elastic_net": _Kind(elastic_net, prox_elastic_net, ("l1_ratio",)),
    "group": _Kind(group, prox_group, ("dim",)),
    "sparse_group": _Kind(sparse_group, prox_sparse_group, ("dim", "l1_ratio")),
}
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module, Tensor]]:
    for path, layer in model.named_modules():
        if isinstance(layer, (nn.Linear, *_CONVOLUTIONS)):
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
    for path, layer, weight in _layers(model):
        if id(weight) not in names:
            raise ValueError(
                f"the weight of layer {path!r} must be a parameter, got one computed from others (torch's pruning or a "
                "parametrization); make it permanent first, with prune.remove() or remove_parametrizations()"
            )
        n, transposed = weight.ndim, getattr(layer, "transposed", False)  # a transposed weight is (in, out, ...)
        filters = isinstance(layer, _CONVOLUTIONS) and conv_groups == "filters"
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


def _stacked(value: Number) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0


def _per_network(value: Number, w: Tensor) -> Number:
    """One number per stacked network, (S,), shaped to multiply w of shape (S, ...)."""
    return value.to(w.device).reshape(-1, *[1] * (w.ndim - 1)) if isinstance(value, Tensor) and value.ndim else value


def _require(params: Mapping[str, Tensor], groups: Mapping[str, tuple[int, ...] | None]) -> None:
    if missing := sorted(groups.keys() - params.keys()):
        raise ValueError(
            f"params must hold every parameter of groups, but {', '.join(missing)} are missing; take both from the "
            "same model, params as dict(model.named_parameters())"
        )


def _numbers(value: Number, count: int) -> list[float]:
    values = value.reshape(-1).tolist() if isinstance(value, Tensor) else [value]
    return values * count if len(values) == 1 else values


@dataclass(frozen=True, eq=False)
class Regularizer:
    """lam * (sum over G_in u G_h u G_b of a penalty), for a model or for many stacked models (lecture, (5), (7), (9)).

    `kind`: "l1", "l2", "elastic_net", "group" or "sparse_group". `lam` >= 0 and `l1_ratio` in [0, 1]: numbers, or
    tensors (S,) for S stacked networks (see `stack`). `conv_groups`: see `parameter_groups`; a bias is penalized entry
    by entry. `prox`: another proximal step in place of `prox_<kind>`, with the same signature; it is given one weight
    matrix of one network at a time, with its groups as columns (so dim=0), and numbers as floats.
    ValueError: an unknown kind, a number out of range. Scardapane et al. 2017, arXiv:1607.00485.

    >>> model = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.constant_(model.weight, 3.0)
    >>> regularizer = Regularizer("group", lam=0.1)
    >>> regularizer(model)
    tensor(0.6000, grad_fn=<MulBackward0>)
    >>> regularizer.prox_(model, lr=10.0)
    >>> model.weight.data.round(decimals=4)
    tensor([[2., 2.]])
    """

    kind: str
    _: KW_ONLY
    lam: Number
    l1_ratio: Number = 0.5
    conv_groups: str = "inputs"
    prox: Callable[..., Tensor] | None = None

    def __post_init__(self) -> None:
        one_of("kind", self.kind, _KINDS)
        one_of("conv_groups", self.conv_groups, ("inputs", "filters"))
        for name, value, high in (("lam", self.lam, math.inf), ("l1_ratio", self.l1_ratio, 1.0)):
            if not isinstance(value, Tensor):
                in_range(name, value, 0.0, high)
            elif value.ndim > 1:
                raise ValueError(f"{name} must be a number or a tensor (S,), got shape {tuple(value.shape)}")

    @classmethod
    def stack(cls, regularizers: Sequence["Regularizer"]) -> "Regularizer":
        """One regularizer for parameters stacked into (S, ...), the s-th of the list for the s-th network.

        ValueError: an empty list, a list that differs in more than lam and l1_ratio, one that is stacked already.

        >>> Regularizer.stack([Regularizer("l1", lam=0.1), Regularizer("l1", lam=0.2)]).lam
        tensor([0.1000, 0.2000], dtype=torch.float64)
        """
        if not regularizers:
            raise ValueError("stack needs one or more regularizers, got an empty list")
        first = regularizers[0]
        for name in ("kind", "conv_groups", "prox"):
            values = [getattr(r, name) for r in regularizers]
            if any(value != values[0] for value in values):
                raise ValueError(f"stacked regularizers must have the same {name}, got {values}; stack them separately")
        if any(_stacked(r.lam) or _stacked(r.l1_ratio) for r in regularizers):
            raise ValueError("stack needs regularizers of one network each, got a stacked one; list its parts instead")

        def column(values: list[Number]) -> Tensor:  # float64, so that each network gets exactly the number given
            return torch.stack([torch.as_tensor(v, dtype=torch.float64) for v in values])

        ratios = column([r.l1_ratio for r in regularizers])
        return replace(first, lam=column([r.lam for r in regularizers]), l1_ratio=ratios)

    def _for(self, dim: tuple[int, ...] | None, l1_ratio: Number) -> tuple[_Kind, dict[str, Any]]:
        """The kind of penalty of one parameter, and its options."""
        grouped = "dim" in _KINDS[self.kind].options
        kind = _KINDS["l1" if dim is None and grouped else self.kind]  # (9) with |g| = 1
        given = {"dim": dim, "l1_ratio": l1_ratio}
        return kind, {name: given[name] for name in kind.options}

    def _one_network(self) -> None:
        if _stacked(self.lam) or _stacked(self.l1_ratio):
            raise ValueError(
                "a model needs one lam and one l1_ratio, got a stacked regularizer; give penalty() or prox_params_() "
                "the stacked parameters"
            )

    def __call__(self, model: nn.Module) -> Tensor:
        """The penalty of a model, a 0-d tensor to be added to its loss; 0 where no layer is penalized."""
        self._one_network()
        return self.penalty(dict(model.named_parameters()), parameter_groups(model, conv_groups=self.conv_groups))

    def penalty(self, params: Mapping[str, Tensor], groups: Mapping[str, tuple[int, ...] | None]) -> Tensor:
        """The penalty of named parameters, `groups` from `parameter_groups`: 0-d, or (S,) if lam or l1_ratio is (S,).

        Inside a torch.func.vmap of your own use `dataclasses.replace(regularizer, lam=lam, l1_ratio=l1_ratio)`.
        """
        _require(params, groups)
        if _stacked(self.lam) or _stacked(self.l1_ratio):
            axes = (0, *(0 if _stacked(v) else None for v in (self.lam, self.l1_ratio)))
            return torch.vmap(lambda p, lam, r: replace(self, lam=lam, l1_ratio=r).penalty(p, groups), in_dims=axes)(
                {name: params[name] for name in groups}, self.lam, self.l1_ratio
            )
        terms = []
        for name, dim in groups.items():
            kind, options = self._for(dim, self.l1_ratio)
            terms.append(kind.penalty(params[name], **options))
        total = torch.stack(terms).sum() if terms else torch.zeros(())
        return (self.lam.to(total) if isinstance(self.lam, Tensor) else self.lam) * total

    def prox_(self, model: nn.Module, *, lr: float) -> None:
        """Take the proximal step lr * lam on a model, in place, after the optimizer's step on the loss alone.

        It is lr * lam after Adam too, whose scale of each weight does not enter. Frozen parameters do not change.
        """
        self._one_network()
        groups = parameter_groups(model, conv_groups=self.conv_groups)
        params = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.prox_params_(params, {name: dim for name, dim in groups.items() if name in params}, lr=lr)

    @torch.no_grad()
    def prox_params_(
        self, params: Mapping[str, Tensor], groups: Mapping[str, tuple[int, ...] | None], *, lr: Number
    ) -> None:
        """`prox_` on named parameters, of one network or stacked into (S, ...); lr is a number or a tensor (S,)."""
        _require(params, groups)
        if not isinstance(lr, Tensor):
            in_range("lr", lr, 0.0, math.inf)
        for name, dim in groups.items():
            w = params[name]
            step, l1_ratio = _per_network(lr, w) * _per_network(self.lam, w), _per_network(self.l1_ratio, w)
            if dim is not None and self.prox is not None:
                self._given_prox(self.prox, w, step, dim, l1_ratio)
            else:
                kind, options = self._for(dim, l1_ratio)
                w.copy_(kind.prox(w, step=step, **options))

    def _given_prox(
        self, prox: Callable[..., Tensor], w: Tensor, step: Number, dim: tuple[int, ...], l1_ratio: Number
    ) -> None:
        networks = w if w.ndim > len(dim) + 1 else w[None]  # a group leaves one dimension, a stack has one more
        (unit_dim,) = set(range(-len(dim) - 1, 0)) - set(dim)
        count = len(networks)
        for network, t, r in zip(networks, _numbers(step, count), _numbers(l1_ratio, count), strict=True):
            columns = network.movedim(unit_dim, -1)
            matrix = columns.flatten(0, -2).clone()  # the function may overwrite it
            given = {"dim": 0, "l1_ratio": r}
            new = prox(matrix, step=t, **{name: given[name] for name in _KINDS[self.kind].options})
            if not isinstance(new, Tensor) or new.shape != matrix.shape:
                got = f"shape {tuple(new.shape)}" if isinstance(new, Tensor) else type(new).__name__
                raise ValueError(f"prox must return a tensor shaped like w, {tuple(matrix.shape)}, got {got}")
            columns.copy_(new.reshape(columns.shape))


def sparsity(model: nn.Module, *, threshold: float = 0.0) -> list[float]:
    """The fraction of each weight matrix with |w| <= threshold, in the order of the layers; NaN for an empty matrix.

    Linear and convolution weights count, biases do not. The lecture's L2 column needs a threshold of about 1e-3.
    ValueError: a negative threshold. Scardapane et al. 2017, arXiv:1607.00485; lecture, the table of section 04.

    >>> model = nn.Linear(2, 1)
    >>> model.weight.data = torch.tensor([[0.0, 1.0]])
    >>> sparsity(model)
    [0.5]
    """
    in_range("threshold", threshold, 0.0, math.inf)
    counts = [(int((w.abs() <= threshold).sum()), w.numel()) for _, _, w in _layers(model)]
    return [zeros / total if total else math.nan for zeros, total in counts]


def active_neurons(model: nn.Module, *, threshold: float = 0.0) -> list[int]:
    """The number of inputs of each layer with any outgoing |w| > threshold (channels, for a convolution).

    A NaN counts as a weight above the threshold. ValueError: a negative threshold. Source: as `sparsity`.

    >>> model = nn.Linear(3, 2)
    >>> model.weight.data = torch.tensor([[0.0, 1.0, 0.0], [0.0, 2.0, 3.0]])
    >>> active_neurons(model)
    [2]
    """
    in_range("threshold", threshold, 0.0, math.inf)
    active = []
    for _, layer, weight in _layers(model):
        nonzero = ~(weight.abs() <= threshold)
        if not getattr(layer, "transposed", False):
            # (out, in / groups, ...): each group of filters reads different input channels
            nonzero = nonzero.unflatten(0, (getattr(layer, "groups", 1), -1)).transpose(1, 2).flatten(0, 1)
        active.append(int(nonzero.flatten(1).any(1).sum()))  # one row per input, from (in, out, ...)
    return active
