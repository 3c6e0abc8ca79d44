"""What crosses between the grader and a student's process: plain values, no pickle, no more bytes than are allowed.

A message is four bytes of length and so many bytes of JSON; tensors and arrays are written as dtype, shape and their
bytes in base64. Of what cannot be written so only the name of its type arrives: an empty object of a type of that name.
"""

import base64
import json
import math
import socket
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["ExchangeError", "packed", "receive", "send", "unpacked"]

MOST_BYTES = 4_000_000  # of one message; the largest result that a task asks for has some ten thousand
MOST_DEPTH = 20
MOST_TEXT = 2_000  # letters of an error message or of a text that is returned
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool, torch.uint8,
        torch.int8, torch.int16, torch.int32, torch.int64,
    )
}  # fmt: skip


class ExchangeError(Exception):
    """The other process has gone, keeps silent, or says what is no message."""


def packed(value: Any, depth: int = 0) -> Any:
    """A value in terms of JSON.

    >>> packed((1, [None, float("nan")]))
    {'tuple': [1, {'list': [None, {'float': 'nan'}]}]}
    """
    if depth > MOST_DEPTH:
        return {"unknown": "something nested too deeply"}
    if value is None or isinstance(value, bool):
        return value
    if type(value) is int and abs(value) < 2**63:
        return value
    if isinstance(value, float):
        value = float(value)
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, np.generic | np.ndarray):
        return _array(value)
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [packed(inner, depth + 1) for inner in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: packed(inner, depth + 1) for key, inner in value.items()}}
    return {"unknown": type(value).__name__[:MOST_TEXT]}


def clean(text: str) -> str:
    """At most `MOST_TEXT` letters of a text, without half letters (surrogates), which no file could be written with."""
    return str(text[:MOST_TEXT]).encode("utf-8", "replace").decode()


def _tensor(x: Tensor) -> Any:
    x = x.detach().cpu()
    name = str(x.dtype).removeprefix("torch.")
    if name not in DTYPES or x.layout != torch.strided or x.numel() * x.element_size() > MOST_BYTES:
        return {"unknown": f"tensor of shape {tuple(x.shape)} and dtype {name}"}
    data = x.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return {"tensor": [name, list(x.shape), base64.b64encode(data).decode()]}


def _array(x: "np.generic | np.ndarray[Any, Any]") -> Any:
    try:
        inner = _tensor(torch.from_numpy(np.array(x)))
    except TypeError:
        return {"unknown": f"array of dtype {x.dtype}"}
    return {"array": inner["tensor"]} if "tensor" in inner else inner


def unpacked(value: Any, depth: int = 0) -> Any:
    """The value of what `packed` has made; ExchangeError for what it cannot have made.

    >>> unpacked(packed((torch.tensor([1.0, 2.0]), {"a": [True, 3]})))
    (tensor([1., 2.]), {'a': [True, 3]})
    """
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, str):
        return clean(value)
    if not isinstance(value, dict) or len(value) != 1 or depth > MOST_DEPTH + 1:
        raise ExchangeError("what came back is no value")
    ((kind, inner),) = value.items()
    match kind, inner:
        case "float", "nan" | "inf" | "-inf":
            return float(inner)
        case "list", list():
            return [unpacked(entry, depth + 1) for entry in inner]
        case "tuple", list():
            return tuple(unpacked(entry, depth + 1) for entry in inner)
        case "dict", dict():
            return {clean(key): unpacked(entry, depth + 1) for key, entry in inner.items()}
        case "tensor", [str(name), list(shape), str(data)]:
            return _as_tensor(name, shape, data)
        case "array", [str(name), list(shape), str(data)] if name != "bfloat16":
            return _as_tensor(name, shape, data).numpy()
        case "unknown", str():
            return type("".join(filter(str.isprintable, inner))[:100], (), {})()
    raise ExchangeError("what came back is no value")


def _as_tensor(name: str, shape: list[Any], data: str) -> Tensor:
    if name not in DTYPES or len(shape) > MOST_DEPTH or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise ExchangeError("what came back is no tensor")
    try:
        raw = base64.b64decode(data, validate=True)
    except ValueError as problem:
        raise ExchangeError("what came back is no tensor") from problem
    if math.prod(shape) * DTYPES[name].itemsize != len(raw):  # Python's own integers: no product is too large
        raise ExchangeError("what came back is no tensor: its bytes do not fit its shape")
    if name == "bool" and set(raw) - {0, 1}:
        raise ExchangeError("what came back is no tensor: a truth value is neither 0 nor 1")
    if math.prod(n for n in shape if n) * DTYPES[name].itemsize >= 2**63:
        raise ExchangeError("what came back is no tensor: an empty one whose other dimensions are too large")
    if not raw:
        return torch.zeros(shape, dtype=DTYPES[name])
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8).view(DTYPES[name]).reshape(shape)


def send(line: socket.socket, message: dict[str, Any], *, within: float | None = None) -> None:
    """Write one message; TimeoutError if it is not taken in `within` seconds."""
    data = json.dumps(message).encode()
    if len(data) > MOST_BYTES:
        raise ExchangeError(f"a message of {len(data):,} bytes, and {MOST_BYTES:,} are allowed")
    line.settimeout(within)
    try:
        line.sendall(len(data).to_bytes(4, "big") + data)
    except TimeoutError:
        raise
    except OSError as problem:
        raise ExchangeError("the process has gone") from problem


def receive(line: socket.socket, *, within: float | None = None) -> dict[str, Any]:
    """Read one message; TimeoutError if it is not there, whole, in `within` seconds."""
    end = None if within is None else time.monotonic() + within
    size = int.from_bytes(_read(line, 4, end), "big")
    if size > MOST_BYTES:
        raise ExchangeError(f"a message of {size:,} bytes, and {MOST_BYTES:,} are allowed")
    try:
        message = json.loads(_read(line, size, end))
    except (ValueError, RecursionError) as problem:
        raise ExchangeError("what came back is no message") from problem
    if not isinstance(message, dict):
        raise ExchangeError("what came back is no message")
    return message


def _read(line: socket.socket, size: int, end: float | None) -> bytes:
    parts = []
    while size:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:  # also for a sender who gives a byte now and then
            raise TimeoutError
        line.settimeout(left)
        try:
            part = line.recv(min(size, 1 << 16))
        except TimeoutError:
            raise
        except OSError as problem:
            raise ExchangeError("the process has gone") from problem
        if not part:
            raise ExchangeError("the process has gone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
