"""A penalty of all parameters of a network, or of many stacked networks, and its proximal step."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_utils._support.check import in_range, one_of
from course_utils.methods.penalties.arguments import Number
from course_utils.methods.penalties.groups import parameter_groups
from course_utils.methods.penalties.norms import elastic_net, group, l1, l2, sparse_group
from course_utils.methods.penalties.proximal import prox_elastic_net, prox_group, prox_l1, prox_l2, prox_sparse_group

__all__ = ["Regularizer"]


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
