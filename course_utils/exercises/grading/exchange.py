"""What crosses between the grader and a student's process: plain values, no pickle, no more bytes than are allowed.

A message is four bytes of length and so many bytes of JSON; tensors and arrays are written as dtype, shape and their
bytes in base64. Of what cannot be written so only the name of its type arrives: an empty object of a type of that name.

A byte of JSON may become a hundred in memory. So the entries of an answer are counted in its bytes, before it is read.
"""

import base64
import json
import math
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

__all__ = ["ANSWER", "QUESTION", "Bound", "ExchangeError", "packed", "receive", "send", "tensors", "unpacked"]

MOST_DEPTH = 20
MOST_TEXT = 2_000  # letters of an error message or of a text that is returned
MOST_NAME = 100  # letters of the name of a type
GLANCE = 0.5  # most seconds between two looks at a clock, which need not be as fast as the one on the wall
Clock = Callable[[], float]
Given = TypeVar("Given")
Step = TypeVar("Step")
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool, torch.uint8,
        torch.int8, torch.int16, torch.int32, torch.int64,
    )
}  # fmt: skip


class Bound(NamedTuple):
    """How large a message may be: in bytes, and in entries of lists and the like, as many as brackets and commas."""

    bytes: int
    entries: int


QUESTION = Bound(4_000_000, 4_000_000)  # from the grader: a cell has up to 200,000 characters
# From a student, with the arguments as they are after the call. The largest that a task asks for has thirty thousand
# bytes, and some hundred entries where it comes as a list.
ANSWER = Bound(500_000, 20_000)


class ExchangeError(Exception):
    """The other process has gone, keeps silent, or says what is no message."""


def packed(value: Any) -> Any:
    """A value in terms of JSON; ExchangeError for one with more entries than an answer may have.

    >>> packed((1, [None, float("nan")]))
    {'tuple': [1, {'list': [None, {'float': 'nan'}]}]}
    """
    return _packed(value, 0, iter(range(ANSWER.entries)))


def tensors(values: Iterable[Any]) -> Any:
    """The tensors among some values as `packed` writes them, by which it is told whether a call has changed them."""
    return packed([value if isinstance(value, Tensor) else None for value in values])


def _packed(value: Any, depth: int, places: Iterator[int]) -> Any:
    """`places`: one for each entry that there may still be, as the same list may lie in itself a million times."""
    if next(places, None) is None:
        raise ExchangeError(f"more than {ANSWER.entries:,} entries")
    if depth > MOST_DEPTH:
        return {"unknown": "something nested too deeply"}
    if value is None or isinstance(value, bool):
        return value
    if type(value) is int and abs(value) < 2**63:
        return value
    if isinstance(value, int | float):
        value = _as_float(value)
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, np.generic | np.ndarray):
        return _array(value)
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_packed(inner, depth + 1, places) for inner in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {clean(key): _packed(inner, depth + 1, places) for key, inner in value.items()}}
    return {"unknown": clean(type(value).__name__)[:MOST_NAME]}


def _as_float(number: float) -> float:
    """A number as it is compared; one that is too large for that is infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def clean(text: str) -> str:
    """At most `MOST_TEXT` letters of a text, without half letters (surrogates), which no file could be written with."""
    return str(text[:MOST_TEXT]).encode("utf-8", "replace").decode()


def _tensor(x: Tensor) -> Any:
    """A tensor of real numbers, whatever its strides; of others it is said what they are."""
    if x.is_nested or x.is_meta or x.layout != torch.strided or x.is_complex() or x.is_quantized:
        kind = "nested" if x.is_nested else "meta" if x.is_meta else str(x.layout).removeprefix("torch.")
        return {"unknown": f"{kind} tensor of dtype {str(x.dtype).removeprefix('torch.')}"}
    if x.numel() * x.element_size() > ANSWER.bytes:
        return {"unknown": clean(f"tensor of shape {tuple(x.shape)}")[:MOST_NAME]}
    dtype = x.dtype if str(x.dtype).removeprefix("torch.") in DTYPES else torch.float64
    # Of one entry the stride may be anything, and then its bytes are not to be had: so they are copied.
    flat = torch.empty(x.numel(), dtype=dtype).copy_(x.detach().reshape(-1))
    data = base64.b64encode(flat.view(torch.uint8).numpy().tobytes()).decode()
    return {"tensor": [str(dtype).removeprefix("torch."), list(x.shape), data]}


def _array(x: "np.generic | np.ndarray[Any, Any]") -> Any:
    """An array or a number of numpy, in whichever order it has its bytes."""
    if x.dtype.kind not in "biuf" or x.nbytes > ANSWER.bytes:
        return {"unknown": f"array of shape {x.shape} and dtype {x.dtype}"[:MOST_NAME]}
    array = np.array(x, order="C")
    dtype = np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
    return {"array": _tensor(torch.from_numpy(array.astype(dtype)))["tensor"]}


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
            return _stranger("".join(filter(str.isprintable, inner[:MOST_NAME])))()
    raise ExchangeError("what came back is no value")


@lru_cache(maxsize=100)
def _stranger(name: str) -> type:
    """A type of this name; a type takes a thousand bytes, so one is made for all objects that come under the name."""
    return type(name, (), {})


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


def send(
    line: socket.socket,
    message: dict[str, Any],
    *,
    within: float | None = None,
    bound: Bound = QUESTION,
    clock: Clock = time.monotonic,
) -> None:
    """Write one message within a bound; TimeoutError if it is not taken in `within` seconds of a clock."""
    data = json.dumps(message).encode()
    if len(data) > bound.bytes:
        raise ExchangeError(f"a message of {len(data):,} bytes, and {bound.bytes:,} are allowed")
    rest = memoryview(len(data).to_bytes(4, "big") + data)
    end = None if within is None else clock() + within
    while rest:
        rest = rest[_in_time(line, line.send, rest, end, clock) :]


def receive(
    line: socket.socket, *, within: float | None = None, bound: Bound = QUESTION, clock: Clock = time.monotonic
) -> dict[str, Any]:
    """Read one message within a bound; TimeoutError if it is not there, whole, in `within` seconds of a clock."""
    end = None if within is None else clock() + within
    size = int.from_bytes(_read(line, 4, end, clock), "big")
    if size > bound.bytes:
        raise ExchangeError(f"a message of {size:,} bytes, and {bound.bytes:,} are allowed")
    data = _read(line, size, end, clock)
    if sum(map(data.count, (b",", b"[", b"{"))) > bound.entries:
        raise ExchangeError(f"a message of more than {bound.entries:,} entries")
    try:
        message = json.loads(data.decode())
    except (ValueError, RecursionError) as problem:
        raise ExchangeError("what came back is no message") from problem
    if not isinstance(message, dict):
        raise ExchangeError("what came back is no message")
    return message


def _read(line: socket.socket, size: int, end: float | None, clock: Clock) -> bytes:
    parts = []
    while size:
        part = _in_time(line, line.recv, min(size, 1 << 16), end, clock)
        if not part:
            raise ExchangeError("the process has gone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _in_time(line: socket.socket, step: Callable[[Given], Step], given: Given, end: float | None, clock: Clock) -> Step:
    """The first step of a transfer, which may be a byte; TimeoutError if the clock reaches the end before it."""
    while True:
        left = None if end is None else end - clock()
        if left is not None and left <= 0:  # also for a sender who gives a byte now and then
            raise TimeoutError
        line.settimeout(None if left is None else min(left, GLANCE))
        try:
            return step(given)
        except TimeoutError:
            continue
        except OSError as problem:
            raise ExchangeError("the process has gone") from problem
