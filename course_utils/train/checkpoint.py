"""Checkpoints: the state of a training in one file, bound by a fingerprint to the training that it belongs to."""

import io
import pickle
import re
import zlib
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._support.files import written_atomically
from course_utils.data import Dataset
from course_utils.methods.penalties import Regularizer
from course_utils.train.settings import Settings

__all__ = ["fingerprint", "load_checkpoint", "save_checkpoint"]

Fingerprint = dict[str, str]


def save_checkpoint(path: Path, state: dict[str, Any], *, fingerprint: Fingerprint) -> None:
    """Write `state` (tensors, numbers, lists, dicts) under the name `path`, completely or not at all."""
    with written_atomically(path) as file:
        torch.save({"fingerprint": fingerprint, "state": state}, file)


def load_checkpoint(path: Path, *, fingerprint: Fingerprint) -> dict[str, Any]:
    """Read back what `save_checkpoint` wrote; nothing in the file is executed.

    Raises: ValueError for a damaged file, or one whose fingerprint differs: it names the first difference.
    """
    data = path.read_bytes()  # a file that cannot be read raises what it should; below, every error means damage
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        saved, state = dict(content["fingerprint"]), dict(content["state"])
    except (
        *(OSError, RuntimeError, EOFError, LookupError, AttributeError, TypeError, ValueError),
        pickle.UnpicklingError,
    ) as error:
        raise ValueError(f"{path} is no checkpoint, or a damaged one; delete it to start anew") from error
    for name, expected in fingerprint.items():
        if saved.get(name) != expected:
            raise ValueError(
                f"{path} is the checkpoint of another training: {name} was {saved.get(name)!r} and is now "
                f"{expected!r}; use another file, or delete it to start anew"
            )
    return state


def fingerprint(model: nn.Module, data: Dataset, settings: Settings) -> Fingerprint:
    """What must be the same for a resumed training to be the same training."""
    parts = {field.name: _as_text(getattr(settings, field.name)) for field in fields(settings)}
    if settings.schedule == "constant":
        parts.pop("epochs")  # a longer training begins like a shorter one
    shapes = {name: list(p.shape) for name, p in model.named_parameters()}
    return parts | {
        "network": str(shapes),
        "layers": _as_text(model),
        "data": f"{data.name} {list(data.x_train.shape)} {_crc(data.x_train)}",
        "labels": _crc(data.y_train),
    }


def _crc(values: Tensor) -> str:
    numbers: Any = values.detach().cpu().contiguous().numpy()
    return f"{zlib.crc32(numbers):08x}"


def _as_text(value: object) -> str:
    """A setting as text that is the same in the next process; a function is known by its name and its code."""
    if isinstance(value, Regularizer):
        return ", ".join(f"{field.name}={_as_text(getattr(value, field.name))}" for field in fields(value))
    if isinstance(value, partial):
        keywords = (f"{name}={_as_text(argument)}" for name, argument in value.keywords.items())
        return f"{_as_text(value.func)}({', '.join([*map(_as_text, value.args), *keywords])})"
    text = getattr(value, "__qualname__", None) or re.sub(" at 0x[0-9a-fA-F]+|\\s+", " ", repr(value))
    code = getattr(value, "__code__", None)
    if code is None:
        return text
    constants = [constant for constant in code.co_consts if isinstance(constant, int | float | str)]
    return f"{text} {zlib.crc32(code.co_code + repr(constants).encode()):08x}"
