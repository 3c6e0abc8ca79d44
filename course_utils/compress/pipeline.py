"""`compress`: from a trained network to its compressed form, training in between."""

import copy
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.compress.lessons import Learner, lessons
from course_utils.compress.network import CompressedModel, coded_state
from course_utils.compress.recipe import Recipe
from course_utils.compress.stages import Freezing, Pruning, Stage
from course_utils.compress.units import embed_, narrow, sort_units_, strongest_units
from course_utils.data import Dataset
from course_utils.methods.codebook import share_weights, unshare_weights
from course_utils.methods.layers import weight_layers
from course_utils.methods.prune import Pruner
from course_utils.train import batches, fit, pick_device

__all__ = ["compress"]

WRITING = ("entropy", "gap_bits", "dense")  # of a recipe: what does not change any training


def compress(
    model: nn.Module,
    recipe: Recipe,
    *,
    data: Dataset | None = None,
    teacher: Callable[[Tensor], Tensor] | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> CompressedModel:
    """Compress a trained network by the steps of `recipe`; the network that is given is not changed.

    Each step works on what the one before left, and is followed by as much training as the recipe says, on the training
    part of `data` (Deep Compression: Han, Mao, Dally 2015, arXiv:1510.00149; lecture, section 07). Linear and
    convolutional weights are compressed; biases, batch normalisation and all else are kept at the recipe's precision.

    `teacher`: a network, or a function from inputs to logits, whose answers the compressed network learns besides the
    labels. `seed`: of all random choices; the same seed gives the same file on one machine. `checkpoint`: a folder
    where each training keeps its state; a compression that was killed goes on from there. `progress`: shows a bar for
    each training.

    Raises: ValueError for a recipe that trains without `data`, a layer that the network does not have, or a network
    without weights to compress; FloatingPointError if a training diverges.

    >>> from course_utils.data import load_dataset
    >>> from course_utils.models import mlp
    >>> model = mlp([64, 100, 10])
    >>> small = compress(model, Recipe(prune=0.9, levels=8), progress=False)
    >>> small.to_model()[1].weight.unique().numel()  # eight values and zero
    9
    """
    if recipe.trains and data is None:
        raise ValueError("the recipe trains, so compress needs data=...; without it leave the epochs at 0")
    if not weight_layers(model):
        raise ValueError("compress needs linear or convolutional layers, got a model with none")
    network = copy.deepcopy(model)
    work = _Work(network, recipe, data, teacher, seed, device, checkpoint, progress)
    for step in recipe.steps:
        getattr(work, step)()
    # Shared weights come back behind their biases, so the order is taken from the network that was given.
    arrays = coded_state(work.finished(), recipe, names=model.state_dict())
    return CompressedModel(arrays, model=model, recipe=recipe)


class _Work:
    """A network on its way through the steps."""

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        data: Dataset | None,
        teacher: Callable[[Tensor], Tensor] | None,
        seed: int,
        device: str | torch.device,
        checkpoint: str | os.PathLike[str] | None,
        progress: bool,
    ) -> None:
        self.whole = self.network = network
        self.recipe, self.data, self.seed, self.progress = recipe, data, seed, progress
        self.origin = _checksum(network)
        self.device = pick_device(device)
        self.teacher = teacher if recipe.alpha else None
        self.kept_units: Mapping[str, Tensor] = {}
        self.folder = None if checkpoint is None else Path(checkpoint)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        self._rows: Dataset | None = None

    def units(self) -> None:
        """Keep the strongest units, and go on with a network of them alone."""
        assert self.recipe.units is not None
        self.kept_units = strongest_units(self.network, self.recipe.units)
        assert isinstance(self.network, nn.Sequential)
        self.network = narrow(self.network, self.kept_units)

    def prune(self) -> None:
        """Remove weights, in rounds or gradually."""
        recipe = self.recipe
        assert recipe.prune is not None
        if recipe.gradual:
            assert not isinstance(recipe.prune, Mapping)
            kept = (1 - recipe.prune) * _weights(self.whole)  # of the network that was given, not of a narrow one
            density = min(1.0, kept / _weights(self.network))
            stage = Pruning(
                self.network,
                self.shape,
                steps=self.steps(recipe.prune_epochs),
                density=density,
                lonely=recipe.lonely,
                **self.learner,
            )
            self.train(stage, recipe.prune_epochs, recipe.lr, "prune", after_step=stage.after_step)
            return
        pruner = Pruner(self.network, scope="layer" if isinstance(recipe.prune, Mapping) else "global")
        for number in range(1, recipe.rounds + 1):
            pruner.prune(sparsity=_part(recipe.prune, number / recipe.rounds))
            if recipe.prune_epochs:
                learner = Learner(self.network, self.shape, **self.learner)
                name = f"prune-{number}"
                self.train(learner, recipe.prune_epochs, recipe.lr, name, after_step=lambda _: pruner.step_())

    def share(self) -> None:
        """Few values for each layer."""
        recipe = self.recipe
        assert recipe.levels is not None
        if recipe.freezing:
            assert isinstance(recipe.levels, int)
            stage = Freezing(
                self.network,
                self.shape,
                steps=self.steps(recipe.share_epochs),
                levels=recipe.levels,
                bias_step=recipe.bias_step,
                **self.learner,
            )
            self.train(stage, recipe.share_epochs, recipe.share_lr, "share", after_step=stage.after_step)
            return
        share_weights(self.network, size=recipe.levels, init=recipe.init, generator=_generator(self.seed))
        if recipe.share_epochs:
            learner = Learner(self.network, self.shape, **self.learner)
            self.train(learner, recipe.share_epochs, recipe.share_lr, "share")
        unshare_weights(self.network)

    def train(self, learner: Learner, epochs: int, lr: float, name: str, after_step: Any = None) -> None:
        """Train on the lessons, from its checkpoint if there is one."""
        fit(
            learner,
            self.rows,
            epochs=epochs,
            batch_size=self.recipe.batch_size,
            lr=lr,
            schedule="cosine",
            optimizer=learner.make_optimizer if isinstance(learner, Stage) else "adam",
            loss=learner.loss,
            after_step=after_step,
            evaluate_every=0,
            checkpoint=None if self.folder is None else self.folder / f"{self.digest}-{name}.pt",
            progress=self.progress,
            device=self.device,
            seed=self.seed,
        )

    def finished(self) -> nn.Module:
        """The network in its full shape, with its biases rounded, and its units sorted where that saves bytes."""
        if self.network is not self.whole:
            assert isinstance(self.whole, nn.Sequential)
            assert isinstance(self.network, nn.Sequential)
            embed_(self.whole, self.network, self.kept_units)
        if (step := self.recipe.bias_step) is not None:
            with torch.no_grad():
                for layer in weight_layers(self.whole).values():
                    if layer.bias is not None:
                        layer.bias.copy_((layer.bias / step).round() * step)
        if self.recipe.entropy == "mixed":
            with suppress(ValueError):  # no chain: its units stay as they are
                sort_units_(self.whole)
        return self.whole

    @property
    def rows(self) -> Dataset:
        """What the trainings train on; made at the first call."""
        assert self.data is not None
        if self._rows is None:
            self._rows = lessons(
                self.data,
                teacher=self.teacher,
                copies=self.recipe.copies,
                augment=self.recipe.augment,
                seed=self.seed,
                device=self.device,
                progress=self.progress,
            )
        return self._rows

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an input."""
        assert self.data is not None
        return self.data.input_shape

    @property
    def learner(self) -> dict[str, float]:
        """What a `Learner` has to know of the teacher."""
        return {"temperature": self.recipe.temperature, "alpha": self.recipe.alpha if self.teacher else 0.0}

    def steps(self, epochs: int) -> int:
        """The optimizer steps of so many epochs."""
        return epochs * len(batches(len(self.rows.y_train), self.recipe.batch_size, _generator(0)))

    @property
    def digest(self) -> str:
        """A short name for what is trained, from where and how: no other training takes its checkpoints."""
        # Biases are rounded while others train only where they freeze, otherwise in the end.
        writing = WRITING if self.recipe.freezing else (*WRITING, "bias_step")
        trained = {name: value for name, value in self.recipe.spelled().items() if name not in writing}
        spelled = json.dumps([trained, self.seed, self.teacher is not None, self.origin], sort_keys=True)
        return hashlib.sha256(spelled.encode()).hexdigest()[:12]


def _checksum(network: nn.Module) -> int:
    """One number for all parameters and buffers."""
    found = 0
    for tensor in network.state_dict().values():
        found = zlib.crc32(tensor.detach().cpu().contiguous().numpy().tobytes(), found)
    return found


def _weights(network: nn.Module) -> int:
    return sum(layer.weight.numel() for layer in weight_layers(network).values())


def _part(sparsity: Any, part: float) -> Any:
    """The sparsity after this part of the way: what is left falls by the same factor in each round."""
    if isinstance(sparsity, Mapping):
        return {name: _part(value, part) for name, value in sparsity.items()}
    return 1 - (1 - sparsity) ** part if sparsity < 1 or part == 1 else 1 - 0.01**part


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
