"""Checkpoints: the state of a training in one file, bound to the training that it belongs to."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from course_utils._support.files import written_atomically

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(path: Path, state: dict[str, Any], *, fingerprint: dict[str, str]) -> None:
    """Write `state` (tensors, numbers, lists, dicts) under the name `path`, whole or not at all."""
    with written_atomically(path) as file:
        torch.save({"fingerprint": fingerprint, "state": state}, file)


def load_checkpoint(path: Path, *, fingerprint: dict[str, str]) -> dict[str, Any]:
    """Read back what `save_checkpoint` wrote; nothing in the file is executed.

    Raises: ValueError for a damaged file, or one whose fingerprint differs: it names the first difference.
    """
    data = path.read_bytes()  # a file that cannot be read raises what it should; below, every error means damage
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        found, state = dict(content["fingerprint"]), dict(content["state"])
    except (
        *(OSError, RuntimeError, EOFError, LookupError, AttributeError, TypeError, ValueError),
        pickle.UnpicklingError,
    ) as error:
        raise ValueError(f"{path} is no checkpoint, or a damaged one; delete it to start anew") from error
    for name, wanted in fingerprint.items():
        if found.get(name) != wanted:
            raise ValueError(
                f"{path} is the checkpoint of another training: {name} was {found.get(name)!r} and is now {wanted!r}; "
                "use another file, or delete it to start anew"
            )
    return state
