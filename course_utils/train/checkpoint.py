"""Checkpoints: the state of a training in one file, bound by a fingerprint to the training that it belongs to."""

import io
import pickle
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from course_utils._support.description import Description, first_difference
from course_utils._support.files import written_atomically
from course_utils.data import Dataset
from course_utils.train.settings import Settings

__all__ = ["Checkpoint", "Fingerprint", "check_fingerprint", "fingerprint", "load_checkpoint", "save_checkpoint"]

Lines = dict[str, str]

FORMAT = 2
WAY_OUT = "use another file, or delete it to start anew"


class Fingerprint(NamedTuple):
    """What must be the same for a resumed training to be the same training."""

    training: Lines  # settings, data, and the network without its weights
    weights: Lines  # that the training begins with


class Checkpoint(NamedTuple):
    """The content of a file."""

    fingerprint: Fingerprint
    state: dict[str, Any]


def save_checkpoint(path: Path, state: dict[str, Any], *, fingerprint: Fingerprint) -> None:
    """Write `state` (tensors, numbers, lists, dicts) under the name `path`, completely or not at all."""
    with written_atomically(path) as file:
        torch.save({"format": FORMAT, "fingerprint": fingerprint._asdict(), "state": state}, file)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read back what `save_checkpoint` wrote; nothing in the file is executed.

    Raises: ValueError for a damaged file, or one of an earlier version.
    """
    data = path.read_bytes()  # a file that cannot be read raises what it should; below, every error means damage
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        parts, state = dict(content["fingerprint"]), dict(content["state"])
        saved = Fingerprint(**parts) if content.get("format") == FORMAT else None
    except (
        *(OSError, RuntimeError, EOFError, LookupError, AttributeError, TypeError, ValueError),
        pickle.UnpicklingError,
    ) as error:
        raise ValueError(f"{path} is no checkpoint, or a damaged one; delete it to start anew") from error
    if saved is None:
        raise ValueError(f"{path} is a checkpoint of an earlier version, which cannot be compared; {WAY_OUT}")
    return Checkpoint(saved, state)


def check_fingerprint(path: Path, checkpoint: Checkpoint, now: Fingerprint) -> None:
    """Compare a checkpoint with a training that has not begun, or that is where the checkpoint is.

    Raises: ValueError that names the first difference.
    """
    saved, state = checkpoint
    difference = first_difference(saved.training, now.training)
    if difference is None and now.weights not in (saved.weights, _weights(state["model"])):
        difference = first_difference(saved.weights, now.weights)
        difference = f"{difference} (it begins with the same weights if it is made with the same seed)"
    if difference is not None:
        raise ValueError(f"{path} is the checkpoint of another training: {difference}; {WAY_OUT}")


def fingerprint(model: nn.Module, data: Dataset, settings: Settings) -> Fingerprint:
    """The fingerprint of a training that begins with `model` as it is.

    Raises: ValueError for a setting whose state cannot be read.
    """
    parts = [*model.named_modules(), *model.named_parameters(), *model.named_buffers()]
    description = Description({id(part): f"network.{name}".rstrip(".") for name, part in parts})
    for field in fields(data):
        if field.name != "note":
            description.add(f"data.{field.name}", getattr(data, field.name))
    try:
        for field in fields(settings):
            if field.name != "epochs":
                description.add(field.name, getattr(settings, field.name))
        if settings.schedule != "constant":  # otherwise a longer training begins like a shorter one
            description.add("epochs", settings.epochs)
        for name, module in model.named_modules():
            _add_part(description, f"network.{name}".rstrip("."), module)
    except ValueError as error:
        raise ValueError(f"{error}; train without a checkpoint, or without that") from error
    return Fingerprint(description.lines, _weights(model.state_dict()))


def _add_part(description: Description, name: str, module: nn.Module) -> None:
    """Describe a part of the network that trains: what decides the result, beside the numbers of its state."""
    description.add_module(name, module, without=["training"])  # `fit` and `evaluate` set the mode
    for key, parameter in module._parameters.items():
        description.add(f"{name}.{key}", parameter)  # its name tells tied weights
        if parameter is not None:
            description.add(f"{name}.{key}.requires_grad", parameter.requires_grad)
            description.add_tensor(f"{name}.{key}", parameter)
    for key in module._non_persistent_buffers_set:
        buffer = module._buffers[key]
        description.add(f"{name}.{key}", None if buffer is None else buffer.clone())


def _weights(state: Mapping[str, Any]) -> Lines:
    """The parameters and buffers of a network."""
    description = Description()
    for name, value in state.items():
        description.add(f"weights.{name}", value)
    return description.lines
