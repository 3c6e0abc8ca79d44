"""`compress`: from a trained network to its compressed form, training in between."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from course_utils._support.pauses import without_pauses
from course_utils.coding.container import joint_excess
from course_utils.coding.header import TYPES
from course_utils.compress.network import CompressedModel, check_multiples, coded_state
from course_utils.compress.recipe import Recipe
from course_utils.compress.stages import Freezing, Pruning
from course_utils.compress.trainer import NEEDS_DATA, Loss, Trainer
from course_utils.compress.transfer_set import Teacher
from course_utils.compress.units import embed_, keep_units, sort_units_, strongest_units
from course_utils.methods.codebook import check_shareable, cluster_weights_, share_weights, unshare_weights
from course_utils.methods.evaluation_mode import evaluation_mode
from course_utils.methods.prune import Pruner
from course_utils.methods.weights import biases_of, changeable_weights, deep_copy, weights_of
from course_utils.train import pick_device

__all__ = ["compress", "compress_with_pauses"]


def compress(
    model: nn.Module,
    recipe: Recipe,
    *,
    data: Any = None,
    loss: Loss | None = None,
    teacher: Teacher | None = None,
    teacher_loss: Loss | None = None,
    metric: Callable[[nn.Module], float] | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> CompressedModel:
    """Compress a trained network by the steps of `recipe`; the given network and the teacher are not changed.

    Each step works on what the one before left, and is followed by as much training as the recipe says, on the training
    part of `data` (Deep Compression: Han, Mao, Dally 2015, arXiv:1510.00149; lecture, section 07). All weights are
    compressed (see `methods.weights`); biases, batch normalisation and all else are kept at the recipe's precision. Of
    binary and ternary layers the signs are written, in one bit each and a half more, and not the real weights.

    `data`: a `Dataset`, whose training part is used; or tensors (x, ..., y), a dataset of torch, or a DataLoader of
    batches (x, ..., y), or of mappings with "labels". `loss`: a function of (outputs, y), a mean over the rows; the
    cross-entropy without it. `teacher`: a network, or a function from inputs to outputs, whose answers the compressed
    network learns besides the targets, by `teacher_loss` of (outputs, teacher's outputs), without one by the soft term
    of `distillation_loss`. `metric`: a function of a network in evaluation mode, such as its error on validation rows;
    its values before the first step and after each are in `metrics` of what is returned. `seed`: of all random choices;
    the same seed gives the same file on one machine. `checkpoint`: a folder where each training keeps its state; a
    compression that was killed goes on from there. `progress`: shows a bar for each training on a `Dataset`.

    Raises: ValueError for a recipe that trains without `data`, a layer that the network does not have, or a network
    without weights to compress, or with what a file cannot hold; FloatingPointError if a training diverges.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> model = mlp([64, 100, 10])
    >>> small = compress(model, Recipe(prune=0.9, levels=8), progress=False)
    >>> small.to_model()[1].weight.unique().numel()  # eight values and zero
    9
    """
    steps = compress_with_pauses(
        model,
        recipe,
        data=data,
        loss=loss,
        teacher=teacher,
        teacher_loss=teacher_loss,
        metric=metric,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        progress=progress,
    )
    return without_pauses(steps)


def compress_with_pauses(
    model: nn.Module,
    recipe: Recipe,
    *,
    data: Any = None,
    loss: Loss | None = None,
    teacher: Teacher | None = None,
    teacher_loss: Loss | None = None,
    metric: Callable[[nn.Module], float] | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
    pause_every: float | None = None,
) -> Generator[None, None, CompressedModel]:
    """Compress as `compress` does, to the same numbers, and yield None where others may have their turn.

    That is after each step and each epoch, and within an epoch after `pause_every` seconds. The compressed network is
    what the generator returns.

    >>> def with_turns():
    ...     small = yield from compress_with_pauses(nn.Sequential(nn.Linear(4, 2)), Recipe(prune=0.5), progress=False)
    ...     print(len(small.arrays), "arrays")
    >>> pauses = list(with_turns())
    2 arrays
    """
    if recipe.trains and data is None:
        raise ValueError(NEEDS_DATA)
    _check_network(model, recipe)
    folder = None if checkpoint is None else Path(checkpoint)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(
        recipe,
        model,
        data,
        teacher=teacher,
        loss=loss,
        teacher_loss=teacher_loss,
        seed=seed,
        device=pick_device(device),
        folder=folder,
        progress=progress,
        pause_every=pause_every,
    )
    network = deep_copy(model)
    measured = Measured(metric)
    measured.add("given", network)
    if recipe.units is None:
        yield from _prune_and_share(network, recipe, trainer, measured, total=_count_weights(network))
    else:
        units = strongest_units(network, recipe.units)
        small = keep_units(network, units)
        measured.add("units", small)
        yield from _prune_and_share(small, recipe, trainer, measured, total=_count_weights(network))
        embed_(network, small, units)
    if recipe.bias_step is not None:
        _round_biases(network, recipe.bias_step)
    _write_rounded_(network)
    if recipe.entropy == "mixed":
        with suppress(ValueError):  # no chain: its units stay as they are
            sort_units_(network)
    # Shared weights come back behind their biases, so the order is taken from the network that was given.
    compressed = CompressedModel(coded_state(network, recipe, names=model.state_dict()), model=model, recipe=recipe)
    compressed.metrics = measured.values
    return compressed


class Measured:
    """The values of a metric after each step of a compression."""

    def __init__(self, metric: Callable[[nn.Module], float] | None) -> None:
        self.metric, self.values = metric, dict[str, float]()

    def add(self, step: str, network: nn.Module) -> None:
        """Measure a network after this step."""
        if self.metric is not None:
            with evaluation_mode(network), torch.no_grad():
                self.values[step] = float(self.metric(network))


def _check_network(model: nn.Module, recipe: Recipe) -> None:
    """Raise ValueError unless all of a network can be written, and its weights be changed."""
    if not weights_of(model):
        raise ValueError(f"compress needs a network with weights, such as a linear layer, got {type(model).__name__}")
    for name, value in model.state_dict().items():
        kind = str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")
        if kind not in {*TYPES, "bfloat16"} or is_lazy(value) or value.is_meta or value.layout != torch.strided:
            raise ValueError(
                f"{name} must be a dense tensor with numbers of a type among {', '.join([*TYPES, 'bfloat16'])}, got "
                f"{kind}; convert it first, such as with model.float(), or give a lazy network an input"
            )
    for amount in (recipe.prune, recipe.levels):
        if amount is not None:
            chosen = changeable_weights(model, method="compress", names=_names(amount))
    if recipe.bias_step is not None:
        for bias in biases_of(model):
            check_multiples(bias.detach(), recipe.bias_step)
    if recipe.entropy == "mixed" and (excess := joint_excess(w.tensor.shape for w in weights_of(model).values())):
        raise ValueError(f'entropy="mixed" codes all weights together, which have {excess}; use "ans" or "huffman"')
    if recipe.levels is not None and recipe.share_epochs and not recipe.freezing:
        check_shareable(chosen, method="compress")


def _names(amount: float | Mapping[str, float]) -> Iterable[str] | None:
    """The layers that a recipe names; None where it means all."""
    return amount if isinstance(amount, Mapping) else None


def _prune_and_share(
    network: nn.Module, recipe: Recipe, trainer: Trainer, measured: Measured, *, total: int
) -> Iterator[None]:
    if recipe.prune is not None:
        if recipe.gradual and not isinstance(recipe.prune, Mapping):
            # Of the network that was given, not of a narrow one.
            density = min(1.0, (1 - recipe.prune) * total / _count_weights(network))
            yield from _prune_gradually(network, recipe, trainer, density)
        else:
            yield from _prune_in_rounds(network, recipe, trainer, recipe.prune)
        measured.add("prune", network)
        yield
    if recipe.levels is not None:
        if recipe.freezing and isinstance(recipe.levels, int):
            yield from _share_by_freezing(network, recipe, trainer, recipe.levels)
        else:
            yield from _share_by_clustering(network, recipe, trainer, recipe.levels)
        measured.add("share", network)
        yield


def _prune_gradually(network: nn.Module, recipe: Recipe, trainer: Trainer, density: float) -> Iterator[None]:
    """Remove weights within one training, until a share `density` is left."""
    stage = Pruning(
        network,
        trainer.input_shape,
        steps=trainer.steps(recipe.prune_epochs),
        density=density,
        lonely=recipe.lonely,
        **trainer.distillation,
    )
    return trainer.train_stage(stage, epochs=recipe.prune_epochs, lr=recipe.lr, name="prune")


def _prune_in_rounds(
    network: nn.Module, recipe: Recipe, trainer: Trainer, sparsity: float | Mapping[str, float]
) -> Iterator[None]:
    """Remove the smallest weights in rounds, and retrain after each."""
    pruner = Pruner(network, scope="layer" if isinstance(sparsity, Mapping) else "global")
    for number in range(1, recipe.rounds + 1):
        progress = number / recipe.rounds
        if isinstance(sparsity, Mapping):
            pruner.prune(sparsity={name: _sparsity_at(progress, final) for name, final in sparsity.items()})
        else:
            pruner.prune(sparsity=_sparsity_at(progress, sparsity))
        if recipe.prune_epochs:
            student = trainer.student(network)
            name = f"prune-{number}"
            yield from trainer.train(
                student, epochs=recipe.prune_epochs, lr=recipe.lr, name=name, after_step=lambda _: pruner.step_()
            )


def _sparsity_at(progress: float, final: float) -> float:
    """The sparsity after this part of the rounds: what is left falls by the same factor in each."""
    return 1 - (1 - final) ** progress if final < 1 or progress == 1 else 1 - 0.01**progress


def _share_by_freezing(network: nn.Module, recipe: Recipe, trainer: Trainer, levels: int) -> Iterator[None]:
    """Give each layer few values within one training."""
    stage = Freezing(
        network,
        trainer.input_shape,
        steps=trainer.steps(recipe.share_epochs),
        levels=levels,
        bias_step=recipe.bias_step,
        **trainer.distillation,
    )
    return trainer.train_stage(stage, epochs=recipe.share_epochs, lr=recipe.share_lr, name="share")


def _share_by_clustering(
    network: nn.Module, recipe: Recipe, trainer: Trainer, levels: int | Mapping[str, int]
) -> Iterator[None]:
    """Give each layer few values by k-means, and train the centroids."""
    generator = torch.Generator().manual_seed(trainer.seed)
    if recipe.share_epochs:
        share_weights(network, size=levels, init=recipe.init, generator=generator)
        yield
        yield from trainer.train(trainer.student(network), epochs=recipe.share_epochs, lr=recipe.share_lr, name="share")
        unshare_weights(network)
    else:
        cluster_weights_(network, size=levels, init=recipe.init, generator=generator)


@torch.no_grad()
def _round_biases(network: nn.Module, step: float) -> None:
    for bias in biases_of(network):
        bias.copy_((bias / step).round() * step)


@torch.no_grad()
def _write_rounded_(network: nn.Module) -> None:
    """Let binary and ternary layers hold the values that they compute with, where those compute as themselves."""
    with evaluation_mode(network):
        for weight in weights_of(network).values():
            if hasattr(weight.module, "rounded_weight"):
                before, rounded = weight.tensor.clone(), weight.computed.clone()
                weight.tensor.copy_(rounded)
                if not torch.equal(weight.computed, rounded):  # the mean of equal numbers may differ by its last bit
                    weight.tensor.copy_(before)


def _count_weights(network: nn.Module) -> int:
    return sum(weight.tensor.numel() for weight in weights_of(network).values())
