"""The metadata of a file: a JSON object that is written in one way alone, so that what is loaded can be saved again."""

import json
from typing import Any

__all__ = ["metadata_bytes", "parse_metadata"]


def parse_metadata(raw: bytes) -> dict[str, Any]:
    """The metadata of these bytes.

    Raises: ValueError for bytes that `metadata_bytes` does not write.

    >>> parse_metadata(b'{"a": 1}')
    Traceback (most recent call last):
        ...
    ValueError: the metadata are not written with each key once, in order, without spaces or escapes
    """
    try:
        metadata = json.loads(raw.decode()) if raw else {}
    except (ValueError, RecursionError) as error:
        raise ValueError("the metadata are not JSON in UTF-8") from error
    if not isinstance(metadata, dict):
        raise ValueError("the metadata must be a JSON object")
    if _dumped(metadata) != raw:
        raise ValueError("the metadata are not written with each key once, in order, without spaces or escapes")
    return metadata


def metadata_bytes(metadata: dict[str, Any] | None) -> bytes:
    """The bytes of a dictionary that JSON can hold; none for an empty one.

    Raises: ValueError for what could not be loaded again.

    >>> metadata_bytes({"b": 1, "a": "small"})
    b'{"a":"small","b":1}'
    """
    raw = _dumped(metadata)
    parse_metadata(raw)  # so that they can be loaded
    return raw


def _dumped(metadata: dict[str, Any] | None) -> bytes:
    if not metadata:
        return b""
    try:
        text = json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the metadata must be what JSON can hold, in UTF-8: {error}") from error
