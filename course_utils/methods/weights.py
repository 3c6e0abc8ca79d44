"""The weights of a network: which arrays every method means, and which of them it may change.

A weight is an array with which a layer of PyTorch multiplies its inputs: that of a linear layer, a convolution (also a
transposed one), an embedding (whose inputs are one-hot), a recurrent layer, a bilinear one, or of attention, where
queries, keys and values may be packed into one. Biases, normalization and the parameters of other modules are none.
"""

import copy
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear
from torch.nn.modules.rnn import RNNCellBase
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from course_utils.methods.evaluation_mode import evaluation_mode

__all__ = ["COMPUTED", "KINDS", "Weight", "biases_of", "changeable_weights", "deep_copy", "weights_of"]

_KINDS: tuple[tuple[str, tuple[type[nn.Module], ...]], ...] = (
    # Attention reads the weight of this layer and never calls it; torch uses it nowhere else.
    ("attention", (nn.MultiheadAttention, NonDynamicallyQuantizableLinear)),
    ("linear", (nn.Linear,)),
    ("convolution", (nn.Conv1d, nn.Conv2d, nn.Conv3d)),
    ("transposed convolution", (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)),
    ("embedding", (nn.Embedding, nn.EmbeddingBag)),
    ("recurrent", (nn.RNNBase, RNNCellBase)),
    ("bilinear", (nn.Bilinear,)),
)
KINDS = tuple(kind for kind, _ in _KINDS)
COMPUTED = "computed from others"  # what is said of a weight that is no parameter itself


@dataclass(frozen=True, eq=False)
class Weight:
    """One weight: the array `attribute` of `module`, of one of `KINDS`.

    `name`: that of its layer, with the attribute where that is not "weight". `also`: the other layers that compute with
    the same parameter.
    """

    name: str
    module: nn.Module
    attribute: str
    kind: str
    also: tuple["Weight", ...] = ()

    @property
    def tensor(self) -> Tensor:
        """What may be read and changed in place: the parameter, or the result of what computes it."""
        tensor: Tensor = getattr(self.module, self.attribute)
        return tensor

    @property
    def computed(self) -> Tensor:
        """What the layer multiplies with in evaluation mode: of a binary or ternary layer the rounded weight."""
        with evaluation_mode(self.module):  # the mode in which reading a weight draws nothing and changes nothing
            rounded = getattr(self.module, "rounded_weight", None)
            return self.tensor if rounded is None else rounded()

    @property
    def bias_attribute(self) -> str | None:
        """The attribute of the bias that is added to the product; None where there is none."""
        if self.kind == "attention" and isinstance(self.module, nn.MultiheadAttention):
            name = "in_proj_bias"
        else:
            name = self.attribute.replace("weight", "bias")
        return name if getattr(self.module, name, None) is not None else None

    @property
    def input_dim(self) -> int | None:
        """The dimension of `tensor` that runs over the inputs; None for a bilinear layer, which has two."""
        if self.kind == "bilinear":
            return None
        return 0 if self.kind in ("embedding", "transposed convolution") else 1

    @property
    def key(self) -> str:
        """Its name in the `state_dict` of the network."""
        return self.name if self.attribute != "weight" else f"{self.name}.weight" if self.name else "weight"

    def why_fixed(self) -> str:
        """Why it may not be changed in place, with the way out; "" where it may."""
        if parametrize.is_parametrized(self.module, self.attribute):
            rules = self.module.parametrizations[self.attribute]  # type: ignore[index]
            names = ", ".join(type(rule).__name__ for rule in rules)
            way_out = (
                "unshare_weights(model)"
                if "SharedWeight" in names
                else f"torch.nn.utils.parametrize.remove_parametrizations(layer, {self.attribute!r})"
            )
            return f"is {COMPUTED} by {names}; make it a parameter first, with {way_out}"
        if self.attribute not in self.module._parameters:
            return (
                f"is {COMPUTED} by a hook; make it a parameter first, with torch.nn.utils.prune.remove, "
                "remove_weight_norm or remove_spectral_norm"
            )
        if is_lazy(self.tensor) or self.tensor.is_meta:
            return "has no numbers yet; give a lazy network an input, or move one on the meta device with to_empty()"
        if hasattr(self.module, "rounded_weight"):
            return (
                f"is rounded by {type(self.module).__name__}, so it is compressed already; compress(model, Recipe()) "
                "writes its values as they are"
            )
        if getattr(self.module, "max_norm", None) is not None:
            return "is scaled in each step to max_norm; set max_norm to None first"
        return ""


def weights_of(model: nn.Module) -> dict[str, Weight]:
    """The weights of a network by their names, in the order of `named_modules`; a shared one once.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.GRU(3, 2))
    >>> list(weights_of(model))
    ['0', '2.weight_ih_l0', '2.weight_hh_l0']
    """
    found: dict[str, Weight] = {}
    shared: dict[int, str] = {}
    for weight in _all_weights(model):
        parameter = weight.module._parameters.get(weight.attribute)
        first = shared.setdefault(id(parameter), weight.name) if parameter is not None else weight.name
        if first == weight.name:
            found[first] = weight
        else:
            found[first] = replace(found[first], also=(*found[first].also, weight))
    return found


def biases_of(model: nn.Module) -> list[Tensor]:
    """The biases that are added to the products with these weights, each once.

    >>> [len(bias) for bias in biases_of(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)))]
    [3, 2]
    """
    found: dict[int, Tensor] = {}
    for weight in _all_weights(model):
        if weight.bias_attribute is not None:
            bias = getattr(weight.module, weight.bias_attribute)
            found.setdefault(id(bias), bias)
    return list(found.values())


def _all_weights(model: nn.Module) -> Iterator[Weight]:
    for path, module in model.named_modules():
        kind = next((kind for kind, types in _KINDS if isinstance(module, types)), None)
        if kind is None:
            continue
        for attribute in _attributes(module):
            name = path if attribute == "weight" else f"{path}.{attribute}" if path else attribute
            yield Weight(name, module, attribute, kind)


def _attributes(module: nn.Module) -> list[str]:
    if isinstance(module, nn.MultiheadAttention):
        names = ["in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"]
        return [name for name in names if getattr(module, name, None) is not None]
    if isinstance(module, nn.RNNBase):
        return [name for name in module._flat_weights_names if name.startswith("weight")]
    return ["weight_ih", "weight_hh"] if isinstance(module, RNNCellBase) else ["weight"]


def changeable_weights(
    model: nn.Module, *, method: str, names: Iterable[str] | None = None, kinds: Collection[str] = KINDS
) -> dict[str, Weight]:
    """The weights that a method is to change: all, or those of `names`.

    `method`: its name for the sentences. `kinds`: those that it can change.

    Raises: ValueError where there is none, for a name that is unknown, and for a weight that it cannot change: of
    another kind, computed from other parameters, or rounded by its layer.

    >>> changeable_weights(nn.Sequential(nn.ReLU()), method="Pruner")
    Traceback (most recent call last):
        ...
    ValueError: Pruner needs a network with weights to change, such as a linear layer, got a Sequential with none
    """
    found = weights_of(model)
    if not found:
        raise ValueError(
            f"{method} needs a network with weights to change, such as a linear layer, got a {type(model).__name__} "
            "with none"
        )
    chosen = {name: _named(name, found) for name in dict.fromkeys(found if names is None else names)}
    for weight in chosen.values():
        for layer in (weight, *weight.also):
            if problem := _problem(layer, method, kinds):
                free = [w.name for w in found.values() if not any(_problem(x, method, kinds) for x in (w, *w.also))]
                raise ValueError(problem + (f"; or name the layers to change: {_some(free)}" if free else ""))
    return chosen


def _problem(weight: Weight, method: str, kinds: Collection[str]) -> str:
    """Why a method cannot change a weight; "" where it can."""
    if weight.kind not in kinds:
        return (
            f"{method} cannot change the weight {weight.name or weight.key!r} of {type(weight.module).__name__}, only "
            f"those of {' and '.join(kinds)} layers; use a network of such layers"
        )
    reason = weight.why_fixed()
    return f"{method} cannot change the weight {weight.name or weight.key!r}, which {reason}" if reason else ""


def deep_copy(model: nn.Module) -> nn.Module:
    """A copy of a network that shares nothing with it.

    Raises: ValueError for one with weights that hooks compute, which torch cannot copy.
    """
    for weight in _all_weights(model):
        parametrized = parametrize.is_parametrized(weight.module, weight.attribute)  # reading it may change it
        if not parametrized and not is_lazy(weight.tensor) and not weight.tensor.is_leaf:
            raise ValueError(f"a network cannot be copied whose weight {weight.name!r} {weight.why_fixed()}")
    return copy.deepcopy(model)


def _named(name: str, found: dict[str, Weight]) -> Weight:
    if name in found:
        return found[name]
    for first, weight in found.items():
        if name in {other.name for other in weight.also}:
            raise ValueError(f"layer {name!r} shares its weight with {first!r}; name that one")
    raise ValueError(f"no layer {name!r} with a weight; there are {_some(list(found))}")


def _some(names: list[str], *, most: int = 6) -> str:
    more = f" and {len(names) - most} others" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
