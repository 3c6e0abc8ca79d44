"""What a network computes, as a graph of ATen operations, and which layer each of its parameters belongs to."""

import copy
import warnings
from collections import Counter
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

__all__ = ["Trace", "frozen_copy", "trace"]


class Trace(NamedTuple):
    """The nodes in the order of computing; per input node of the graph, the parameter or buffer that it stands for."""

    nodes: list[fx.Node]
    stored: dict[fx.Node, str]
    model: nn.Module

    def owner(self, node: object, kinds: tuple[type, ...], attribute: str = "weight") -> tuple[str, Any] | None:
        """The name and the module of one of these kinds whose `attribute` the node is.

        None where there is no such module, or where its parameter is used in several places: then a smaller one would
        have to fit all of them.
        """
        if not isinstance(node, fx.Node) or node not in self.stored or len(node.users) > 1:
            return None
        name, _, own = self.stored[node].rpartition(".")
        module = self.model.get_submodule(name)
        parent = self.model.get_submodule(name.rpartition(".")[0])
        if own != attribute or not isinstance(module, kinds) or isinstance(parent, nn.MultiheadAttention):
            return None
        tensor = getattr(module, attribute)
        places = Counter(id(p) for m in self.model.modules() for p in m._parameters.values() if p is not None)
        return None if places[id(tensor)] > 1 else (name, module)

    def tensor(self, node: object) -> Tensor | None:
        """The parameter or buffer that a node stands for."""
        if not isinstance(node, fx.Node) or node not in self.stored:
            return None
        path, _, own = self.stored[node].rpartition(".")
        return getattr(self.model.get_submodule(path), own)


def frozen_copy(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode.

    Raises: ValueError for a network that cannot be copied.
    """
    try:
        return copy.deepcopy(model).eval()
    except Exception as error:
        raise ValueError(
            f"{type(model).__name__} cannot be copied ({_first_line(error)}); take old hooks off first, such as with "
            "torch.nn.utils.prune.remove()"
        ) from error


def trace(model: nn.Module, example: tuple[Tensor, ...]) -> Trace:
    """The graph of `model`, which is in evaluation mode, for inputs of the example's shapes.

    Raises: ValueError where torch.export cannot follow the network.
    """
    twin = copy.deepcopy(model)
    for parameter in twin.parameters():  # without a gradient attention would take torch's fused operation
        parameter.requires_grad_(parameter.is_floating_point())
    try:
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what an exported program could not be used for
            program = torch.export.export(twin, example, strict=False)
    except Exception as error:
        raise ValueError(
            f"torch.export cannot follow {type(model).__name__}: {_first_line(error)}; give narrow() the part of the "
            "network that can be exported, and an example input that the part accepts"
        ) from error
    signature = program.graph_signature
    stored = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    nodes = list(program.graph.nodes)
    return Trace(nodes, {n: stored[n.name] for n in nodes if n.name in stored}, model)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
