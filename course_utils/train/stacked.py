"""S networks of one shape as one: parameters stacked into (S, ...), and a forward pass through all of them."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from course_utils._support.random_numbers import random_numbers

__all__ = ["Forward", "seeded", "stacked_cross_entropy", "stacked_forward"]

ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Identity)

# Of stacked parameters, inputs, and whether each network has inputs of its own (S, n, ...) instead of common ones.
Forward = Callable[[Mapping[str, Tensor], Tensor, bool], Tensor]


def seeded(make_model: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The network that `make_model` gives after `torch.manual_seed(seed)`; refused if it cannot be stacked.

    Raises: ValueError for a network with running statistics.
    """
    with random_numbers(seed):
        model = make_model()
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats:
            raise ValueError(
                f"fit_many cannot train networks with running statistics, got {type(module).__name__} in layer "
                f"{name!r}; train them one by one with fit()"
            )
    return model


def stacked_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of each row of each network, (S, n), of logits (S, n, classes) and labels (S, n).

    >>> stacked_cross_entropy(torch.zeros(3, 5, 2), torch.zeros(3, 5, dtype=torch.int64)).shape
    torch.Size([3, 5])
    """
    # vmap would take it apart into a dozen operations.
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)


def stacked_forward(model: nn.Module) -> Forward:
    """A network as a function of stacked parameters, inputs, and whether each network has its own (S, n, ...).

    >>> layer = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    >>> params = {name: torch.stack([p, 2 * p]) for name, p in layer.named_parameters()}
    >>> stacked_forward(layer)(params, torch.ones(5, 3), False).shape
    torch.Size([2, 5, 2])
    """
    layers = _perceptron_layers(model)
    if layers is not None:
        return lambda params, x, own_inputs: _perceptron(layers, params, x, own_inputs)

    def network(params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(model, dict(params), (x,))

    def networks(params: Mapping[str, Tensor], x: Tensor, own_inputs: bool) -> Tensor:
        in_dims = (0, 0 if own_inputs else None)
        return torch.vmap(network, in_dims=in_dims, randomness="different")(dict(params), x)

    return networks


def _perceptron_layers(model: nn.Module) -> list[tuple[str, nn.Module]] | None:
    """The named layers of a plain perceptron, None for any other network.

    Its products cost half as much by `baddbmm` as through vmap, whose overhead is as long as such a layer's arithmetic.
    """
    layers = list(model.named_children())
    plain = (nn.Linear, *ELEMENTWISE)
    if type(model) is not nn.Sequential or not layers or type(layers[0][1]) is not nn.Flatten:
        return None
    linear = [layer for _, layer in layers if type(layer) is nn.Linear]
    tied = len({id(layer.weight) for layer in linear}) < len(linear)
    return None if tied or any(type(layer) not in plain for _, layer in layers[1:]) else layers[1:]


def _perceptron(
    layers: list[tuple[str, nn.Module]], params: Mapping[str, Tensor], x: Tensor, own_inputs: bool
) -> Tensor:
    networks = len(next(iter(params.values())))
    h = x.flatten(2) if own_inputs else x.flatten(1).expand(networks, -1, -1)  # (S, n, features)
    for name, layer in layers:
        if isinstance(layer, nn.Linear):
            w = params[f"{name}.weight"].transpose(1, 2)
            h = torch.bmm(h, w) if layer.bias is None else torch.baddbmm(params[f"{name}.bias"].unsqueeze(1), h, w)
        else:
            h = layer(h)
    return h
