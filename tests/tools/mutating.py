"""Files that no encoder wrote, in large numbers: `python -m mutating 10000 0` checks so many from a seed.

Each is made from one or two right files, taken apart into metadata, entries and sections; a few of these are changed,
and the file is put together again with right lengths and checksums, so that the change gets through to what it is for.
"""

import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from cun_parts import Entry, Parts
from numpy.random import Generator

from course_utils.coding.container import Coded, FormatError, layout, load, read_header, save
from course_utils.coding.reader import Reader, varint
from course_utils.compress import CompressedModel

GOLDEN = Path(__file__).parents[1] / "coding" / "golden"
LIMIT, SPARE = 2**22, 2**24  # bytes that all arrays may take, and what reading may take besides: 16 MiB
SECONDS = 10  # of a processor, for one file
JOINT = 2**10  # places of a joint array, each of which takes up to a third of a millisecond
NUMBERS = (0, 1, 2, 3, 8, 127, 128, 255, 256, 1023, 1025, 2**14, 2**16 - 1, 2**16, 2**16 + 1, 2**18 + 1, 2**20 + 1)
NUMBERS += (2**22, 2**28, 2**31, 2**32 - 1, 2**40, 2**59, 2**62, 2**63)
VALUES: tuple[str, ...] = (
    "null",
    "NaN",
    "-0",
    "1.0",
    "1.00",
    "1e5",
    "1e400",
    "9" * 5000,
    '"\\ud800"',
    '"\\u0041"',
    '"\\u00e9"',
    '"e\u0301"',
)
VALUES += (
    '""',
    "{}",
    "[]",
    "[[]]",
    "[" * 2000 + "]" * 2000,
    '{"b":1,"a":2}',
    '{"a":1,"a":2}',
    "[3, 2]",
    "[3,2]",
    "[3,4,2]",
)
VALUES += (
    '"lenet5"',
    '"resnet20"',
    '"lenet_300_100"',
    "[784,300,100,10]",
    "[1000000000,1000000000]",
    "[64,10]",
    "true",
)


def right_files() -> list[bytes]:
    """Small files of every kind of array and coder, with and without metadata; the golden ones among them."""
    rng = np.random.default_rng(0)
    files = [path.read_bytes() for path in sorted(GOLDEN.glob("*.cun"))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.cun"
        for entropy in (None, "huffman", "ans", "in order", "mixed"):
            for gap_bits, shape in ((3, (6, 5)), (0, (12, 3)), (8, (60,)), (None, (2, 2, 3))):
                mask = rng.random(shape) < 0.4
                book = np.array([-1.5, -0.5, 0.25, 2.0, 7.1], "f4")
                indices = rng.integers(0, 5, int(mask.sum()))
                if entropy == "in order":
                    book, indices = rng.normal(size=len(indices)).astype("f2"), np.zeros(0, int)
                arrays = {
                    "w": Coded(book, indices, mask, entropy, gap_bits),
                    "b": rng.normal(size=shape[0]).astype("f4"),
                }
                save(path, arrays, metadata={"a": [1, 2.5, "\u00e9"], "b": {"c": None}} if gap_bits else None)
                files.append(path.read_bytes())
        for sizes in ([3, 2], [4, 3, 2]):
            names = [array for a, b in pairwise(sizes) for array in ((b, a), (b,))]
            dense: dict[str, np.ndarray | Coded] = {
                str(i): rng.normal(size=shape).astype("f4") for i, shape in enumerate(names)
            }
            save(path, dense, metadata={"model": sizes})
            files.append(path.read_bytes())
    return sorted(files, key=len)


def number(rng: Generator) -> int:
    return NUMBERS[int(rng.integers(len(NUMBERS)))]


def changed_bytes(rng: Generator, data: bytes) -> bytes:
    """A few bytes are others, are missing, are twice there, or are a number of any size."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at, end = sorted(int(n) for n in rng.integers(0, len(out) + 1, 2))
        choice = int(rng.integers(6))
        if choice == 0 and out:
            out[at % len(out)] ^= 1 << int(rng.integers(8))
        elif choice == 1 and out:
            out[at % len(out)] = int(rng.integers(256))
        elif choice == 2:
            del out[at : min(end, at + 9)]
        elif choice == 3:
            out[at:at] = out[at:end]
        elif choice == 4:
            out[at : at + int(rng.integers(3))] = varint(number(rng))
        else:
            out[at:] = bytes(int(rng.integers(2)) * int(rng.integers(40)))
    return bytes(out)


def changed_metadata(rng: Generator, parts: Parts, other: Parts) -> Parts:
    value = VALUES[int(rng.integers(len(VALUES)))]
    text = parts.metadata.decode("utf-8", "replace")
    choices: list[Callable[[], bytes]] = [
        lambda: changed_bytes(rng, parts.metadata),
        lambda: other.metadata,
        lambda: b"\xef\xbb\xbf" + parts.metadata,
        lambda: text.encode("utf-16"),
        lambda: ('{"model":' + value + "}").encode(),
        lambda: ('{"a":' + value + "}").encode(),
        lambda: text.replace(",", ", ", 1).encode(),
        lambda: text.replace("1", value, 1).encode(),
        lambda: (text[:-1] + ',"z":' + value + "}").encode(),
        lambda: ("[" + text + "]").encode(),
        lambda: json.dumps(json.loads(text or "{}"), indent=1).encode(),
    ]
    try:
        return replace(parts, metadata=choices[int(rng.integers(len(choices)))]())
    except (ValueError, RecursionError):  # what an earlier change left is no JSON
        return parts


def changed_shape(rng: Generator, entry: Entry) -> Entry:
    shape = list(entry.shape)
    choice = int(rng.integers(7))
    if choice == 0 and shape:
        shape[int(rng.integers(len(shape)))] = number(rng)
    elif choice == 1:
        shape.insert(int(rng.integers(len(shape) + 1)), number(rng))
    elif choice == 2 and shape:
        shape.pop(int(rng.integers(len(shape))))
    elif choice == 3:
        shape = [int(np.prod(shape, dtype=object))]
    elif choice == 4:
        shape.reverse()
    elif choice == 5:
        return replace(entry, like_the_rows=not entry.like_the_rows)
    else:
        shape = shape * 2
    slow = entry.kind >> 4 == 2 and JOINT < np.prod(shape, dtype=object) < 2**20
    return entry if slow else replace(entry, shape=tuple(shape), like_the_rows=False)


def changed_coding(rng: Generator, section: bytes, other: bytes) -> bytes:
    """A coded section with another flag, coder, number of values, codebook, or positions, each of a possible form."""
    reader = Reader(section, 0, len(section), "section")
    try:
        full, coder, size, form = reader.byte(), reader.byte(), reader.varint(2**62), reader.byte()
    except FormatError:
        return other
    rest = bytes(reader.rest())
    choice = int(rng.integers(7))
    if choice == 0:
        full = int(rng.integers(2))
    elif choice == 1:
        coder = int(rng.integers(5))
    elif choice == 2:
        size = number(rng)
    elif choice == 3:
        form = int(rng.integers(4))
    elif choice == 4:
        form, rest = 2, varint(number(rng)) + rng.bytes(int(rng.choice([2, 4, 8]))) + rest[-int(rng.integers(1, 30)) :]
    elif choice == 5:
        bits = int(rng.integers(9))
        head = bytes([bits]) + (int(number(rng)) % 2**32).to_bytes(4, "little") * (bits > 0)
        positions = head + b"\x11" * int(rng.integers(3)) + bytes(int(rng.integers(140)))
        rest = rest[: int(rng.integers(1, 30))] + varint(len(positions)) + positions + rest[-int(rng.integers(1, 30)) :]
    else:
        cut = int(rng.integers(len(rest) + 1))
        rest = rest[:cut] + other[-int(rng.integers(1, 60)) :]
    return bytes([full, coder]) + varint(size) + bytes([form]) + rest


def changed_entries(rng: Generator, parts: Parts, other: Parts) -> Parts:
    entries, strangers = list(parts.entries), other.entries
    choice = int(rng.integers(11))
    at = int(rng.integers(len(entries) or 1))
    stranger = strangers[int(rng.integers(len(strangers)))] if strangers else None
    if not entries or choice == 0:
        entries.insert(at, stranger or Entry(b"x", 0, (), False, b""))
    elif choice == 1:
        entries[at] = changed_shape(rng, entries[at])
    elif choice == 2:
        entries[at] = replace(entries[at], kind=int(rng.integers(3)) << 4 | int(rng.integers(11)))
    elif choice == 3:
        entries[at] = replace(entries[at], name=changed_bytes(rng, entries[at].name)[:1100])
    elif choice == 4:
        entries.pop(at)
    elif choice == 5:
        entries.insert(at, replace(entries[at], name=b""))
    elif choice == 6:
        rng.shuffle(entries)
    elif choice == 7:
        entries[at] = replace(entries[at], section=stranger.section if stranger else b"")
    elif choice == 8:
        entries[at] = replace(entries[at], name=str(int(rng.integers(at + 2))).encode())
    else:
        section = changed_coding(rng, entries[at].section, stranger.section if stranger else b"")
        entries[at] = replace(entries[at], section=section)
    return replace(parts, entries=tuple(entries))


def mutated(rng: Generator, pool: list[bytes]) -> bytes:
    """A file from one or two of the pool; now and then its own bytes are changed, or its end is missing."""
    content, other = (pool[int(len(pool) * rng.random() ** 2)] for _ in range(2))  # the small ones more often
    kind = int(rng.integers(20))
    if kind == 0:
        return changed_bytes(rng, content)
    parts, stranger = Parts.of(content), Parts.of(other)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        choice = int(rng.integers(10))
        if choice == 0:
            parts = changed_metadata(rng, parts, stranger)
        elif choice < 5:
            parts = changed_entries(rng, parts, stranger)
        elif choice < 6 and parts.joint:
            parts = replace(parts, joint=changed_bytes(rng, parts.joint))
        elif parts.entries:
            at = int(rng.integers(len(parts.entries)))
            entry = parts.entries[at]
            wrong = replace(entry, section=changed_bytes(rng, entry.section))
            parts = replace(parts, entries=(*parts.entries[:at], wrong, *parts.entries[at + 1 :]))
    content = parts.joined()
    return content[: int(rng.integers(len(content)))] if kind == 1 else content


def outcome(path: Path, content: bytes) -> str:
    """What comes of a file: "refused", or "loaded", and then its report, its own bytes and its arrays come back."""
    path.write_bytes(content)
    try:
        network = CompressedModel.load(path, max_bytes=LIMIT)
    except FormatError:
        try:
            arrays = load(path, max_bytes=LIMIT)
        except FormatError:
            return "refused"
        parts = layout(arrays, metadata=read_header(path).metadata)
        assert b"".join(part.data for part in parts) == content, "other bytes again"
        return "loaded, with another network than it names"
    assert b"".join(part.data for part in network.layout()) == content, "other bytes again"
    report = network.report()
    assert str(report), "an empty report"
    assert report._repr_html_(), "an empty report"
    assert report.size == len(content), "a report of another size"
    if network.architecture is None:
        return "loaded"
    try:
        network.to_model()
    except ValueError as refusal:
        if "cannot hold" not in str(refusal):
            raise
        return "loaded, with numbers that its network cannot hold"
    return "loaded, with a network"


def peak() -> int:
    """The most memory that the process has had since the last `forget`, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget() -> None:
    """Let `peak` begin anew: a function of Linux."""
    Path("/proc/self/clear_refs").write_text("5")


def checked(count: int, seed: int, kept: Path | None = None) -> dict[str, Any]:
    """So many files, one after the other; what has failed is kept in a folder, if there is one."""
    rng, pool = np.random.default_rng(seed), right_files()
    outcomes: Counter[str] = Counter()
    failures, slowest, largest = [], 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.cun"
        for content in pool:
            assert outcome(path, content) != "refused", content
        for name in ("lenet5", "resnet20"):  # so that all that PyTorch loads late is there
            save(path, {}, metadata={"model": name})
            outcome(path, path.read_bytes())
        for number_of_file in range(count):
            content = mutated(rng, pool)
            forget()
            before = peak()
            started = time.process_time()
            failure = ""
            try:
                outcomes[outcome(path, content)] += 1
            except Exception as error:  # of any kind: it is told, and the next file is tried
                failure = f"{type(error).__name__}: {error}"
            seconds, memory = time.process_time() - started, peak() - before
            if memory > LIMIT + SPARE:
                failure = failure or f"{memory / 2**20:.1f} MiB"
            if seconds > SECONDS:
                failure = failure or f"{seconds:.1f} seconds"
            slowest, largest = max(slowest, seconds), max(largest, memory)
            if failure:
                failures.append(f"{number_of_file}: {failure[:200]}")
                if kept is not None:
                    (kept / f"{seed}-{number_of_file}.cun").write_bytes(content)
    return {
        "files": count,
        "outcomes": dict(outcomes),
        "failures": failures,
        "slowest, s": round(slowest, 3),
        "most memory, MiB": round(largest / 2**20, 1),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    print(json.dumps(checked(int(sys.argv[1]), int(sys.argv[2]), folder), indent=1))
