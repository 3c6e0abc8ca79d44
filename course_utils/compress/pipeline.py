"""`compress`: from a trained network to its compressed form, training in between."""

import copy
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from course_utils._support.pauses import without_pauses
from course_utils.coding.header import TYPES
from course_utils.compress.network import CompressedModel, coded_state
from course_utils.compress.recipe import Recipe
from course_utils.compress.stages import Freezing, Pruning
from course_utils.compress.trainer import NEEDS_DATA, Trainer
from course_utils.compress.transfer_set import Teacher
from course_utils.compress.units import embed_, keep_units, sort_units_, strongest_units
from course_utils.data import Dataset
from course_utils.methods.codebook import share_weights, unshare_weights
from course_utils.methods.layers import weight_layers
from course_utils.methods.prune import Pruner
from course_utils.train import pick_device

__all__ = ["compress", "compress_with_pauses"]


def compress(
    model: nn.Module,
    recipe: Recipe,
    *,
    data: Dataset | None = None,
    teacher: Teacher | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> CompressedModel:
    """Compress a trained network by the steps of `recipe`; the given network and the teacher are not changed.

    Each step works on what the one before left, and is followed by as much training as the recipe says, on the training
    part of `data` (Deep Compression: Han, Mao, Dally 2015, arXiv:1510.00149; lecture, section 07). Linear and
    convolutional weights are compressed; biases, batch normalisation and all else are kept at the recipe's precision.

    `teacher`: a network, or a function from inputs to logits, whose answers the compressed network learns besides the
    labels. `seed`: of all random choices; the same seed gives the same file on one machine. `checkpoint`: a folder
    where each training keeps its state; a compression that was killed goes on from there. `progress`: shows a bar for
    each training.

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
        model, recipe, data=data, teacher=teacher, seed=seed, device=device, checkpoint=checkpoint, progress=progress
    )
    return without_pauses(steps)


def compress_with_pauses(
    model: nn.Module,
    recipe: Recipe,
    *,
    data: Dataset | None = None,
    teacher: Teacher | None = None,
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
        seed=seed,
        device=pick_device(device),
        folder=folder,
        progress=progress,
        pause_every=pause_every,
    )
    network = copy.deepcopy(model)
    if recipe.units is None:
        yield from _prune_and_share(network, recipe, trainer, total=_count_weights(network))
    else:
        units = strongest_units(network, recipe.units)
        small = keep_units(network, units)
        yield from _prune_and_share(small, recipe, trainer, total=_count_weights(network))
        embed_(network, small, units)
    if recipe.bias_step is not None:
        _round_biases(network, recipe.bias_step)
    if recipe.entropy == "mixed":
        with suppress(ValueError):  # no chain: its units stay as they are
            sort_units_(network)
    # Shared weights come back behind their biases, so the order is taken from the network that was given.
    return CompressedModel(coded_state(network, recipe, names=model.state_dict()), model=model, recipe=recipe)


def _check_network(model: nn.Module, recipe: Recipe) -> None:
    """Raise ValueError unless all of a network can be written, and its weights be changed."""
    layers = weight_layers(model)
    if not layers:
        raise ValueError("compress needs linear or convolutional layers, got a model with none")
    for name, value in model.state_dict().items():
        kind = str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")
        if kind not in TYPES or is_lazy(value) or value.is_meta or value.layout != torch.strided:
            raise ValueError(
                f"{name} must be a dense tensor with numbers of a type among {', '.join(TYPES)}, got {kind}; convert "
                "it first, such as with model.float(), or give a lazy network an input"
            )
    for name, layer in layers.items():
        if "weight" not in layer._parameters:
            raise ValueError(
                f"the weight of layer {name!r} must be a parameter, got one computed from others; make it permanent "
                "first, with prune.remove() or remove_parametrizations()"
            )
    if recipe.levels is not None and len({id(layer.weight) for layer in layers.values()}) < len(layers):
        raise ValueError("`levels` needs layers with a weight of their own, got two that share one; leave it out")


def _prune_and_share(network: nn.Module, recipe: Recipe, trainer: Trainer, *, total: int) -> Iterator[None]:
    if recipe.prune is not None:
        if recipe.gradual and not isinstance(recipe.prune, Mapping):
            # Of the network that was given, not of a narrow one.
            density = min(1.0, (1 - recipe.prune) * total / _count_weights(network))
            yield from _prune_gradually(network, recipe, trainer, density)
        else:
            yield from _prune_in_rounds(network, recipe, trainer, recipe.prune)
        yield
    if recipe.levels is not None:
        if recipe.freezing and isinstance(recipe.levels, int):
            yield from _share_by_freezing(network, recipe, trainer, recipe.levels)
        else:
            yield from _share_by_clustering(network, recipe, trainer, recipe.levels)
        yield


def _prune_gradually(network: nn.Module, recipe: Recipe, trainer: Trainer, density: float) -> Iterator[None]:
    """Remove weights within one training, until a share `density` is left."""
    stage = Pruning(
        network,
        trainer.data.input_shape,
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
        trainer.data.input_shape,
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
    share_weights(network, size=levels, init=recipe.init, generator=generator)
    yield
    if recipe.share_epochs:
        yield from trainer.train(trainer.student(network), epochs=recipe.share_epochs, lr=recipe.share_lr, name="share")
    unshare_weights(network)


@torch.no_grad()
def _round_biases(network: nn.Module, step: float) -> None:
    for layer in weight_layers(network).values():
        if layer.bias is not None:
            layer.bias.copy_((layer.bias / step).round() * step)


def _count_weights(network: nn.Module) -> int:
    return sum(layer.weight.numel() for layer in weight_layers(network).values())
