"""Lottery tickets: what pruning leaves of a trained network, with the weights that it had before the training.

Train, prune the smallest weights, set those that are left back to their first values, and again, until the network is
as sparse as wanted (Frankle, Carbin 2018, arXiv:1803.03635, section 1 and appendix B, strategy 1). Larger networks are
set back to an early step of the training instead (Frankle et al. 2019, arXiv:1903.01611).
"""

import copy
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from course_utils.methods.prune import Amount, Pruner

__all__ = ["find_ticket", "rewind_"]


@torch.no_grad()
def rewind_(pruner: Pruner, state: Mapping[str, Tensor]) -> None:
    """Set the network of a pruner back to `state`, an earlier state_dict(), and its pruned weights to zero.

    Buffers go back too, such as the averages of batch normalization. An optimizer keeps its momentum: make a new one.

    Raises: RuntimeError of torch where the state is that of another network.

    >>> model = nn.Linear(10, 10)
    >>> state = copy.deepcopy(model.state_dict())
    >>> pruner = Pruner(model).prune(sparsity=0.9)
    >>> rewind_(pruner, state)
    >>> kept = pruner.masks[""]
    >>> torch.equal(model.weight, state["weight"] * kept), int(kept.sum())
    (True, 10)
    """
    pruner.model.load_state_dict(dict(state))
    pruner.step_()


def find_ticket(
    model: nn.Module,
    *,
    schedule: Iterable[Amount],
    train: Callable[[nn.Module], object],
    state: Mapping[str, Tensor] | None = None,
    scope: str = "layer",
) -> Pruner:
    """Train and prune in several rounds, each from the first weights; the network ends there too, pruned and untrained.

    `schedule`: the sparsity of each round, rising (the paper removes 20 % of what is left in each: 0.2, 0.36, 0.488).
    `train(model)` is any training with an optimizer of its own; the masks are applied again after each of its steps.
    `state`: what to go back to, a copy of a state_dict() of an early step; by default that of now. `scope` as in
    `Pruner`. To train the ticket use the pruner that is returned: `with pruner: train(model)`.

    Raises: as `Pruner.prune`, and `rewind_`.

    >>> model = nn.Linear(10, 10)
    >>> before = model.weight.detach().clone()
    >>> pruner = find_ticket(model, schedule=[0.5, 0.8], train=lambda model: nn.init.normal_(model.weight))
    >>> torch.equal(model.weight, before * pruner.masks[""]), round(pruner.sparsity, 2)
    (True, 0.8)
    """
    first = copy.deepcopy(model.state_dict() if state is None else dict(state))
    pruner = Pruner(model, scope=scope)
    for sparsity in schedule:
        with pruner:
            train(model)
        pruner.step_()  # where the training has not used an optimizer
        pruner.prune(sparsity=sparsity)
        rewind_(pruner, first)
    return pruner
