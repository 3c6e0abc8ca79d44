"""Where the bytes of a compressed file go: the lecture's table of Deep Compression, from the real bytes."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from course_utils.coding.container import Coded
from course_utils.coding.gaps import encode_gaps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from course_utils.compress.network import CompressedModel

__all__ = ["Layer", "Report"]

KINDS = ("positions", "values", "codebook", "table", "dense", "header", "checksum")
COLUMNS = ("layer", "weights", "kept", "weight bits", "coded", "index bits", "coded", "rate P+Q", "rate P+Q+H")


@dataclass(frozen=True)
class Layer:
    """A row of the table; bits are for each weight that is left, rates are shares of the dense float32 bytes.

    weight_bits and index_bits: without entropy coding, ceil(log2 levels) and the gaps of a fixed number of bits that
    take the fewest bits, filler zeros included. weight_coded, index_coded: what they take in the file.
    """

    name: str
    weights: int
    nonzeros: int
    weight_bits: float
    weight_coded: float
    index_bits: float
    index_coded: float
    bytes_fixed: float
    bytes_coded: float

    @property
    def cells(self) -> list[str]:
        """The row as the lecture prints it."""
        return [
            self.name,
            f"{self.weights:,}",
            _percent(self.nonzeros, self.weights, 1),
            *(f"{n:.1f}" for n in (self.weight_bits, self.weight_coded, self.index_bits, self.index_coded)),
            _percent(self.bytes_fixed, 4 * self.weights, 2),
            _percent(self.bytes_coded, 4 * self.weights, 2),
        ]


@dataclass(frozen=True)
class Report:
    """The table of a compressed network, and the bytes of its file by what they are.

    `layers`: one row for each weight matrix. `parts`: (array, what) to bytes; they add up to `size`, the bytes of the
    file. A stream that arrays share is divided by the bits that each of them took. `dense`: bytes of all parameters in
    float32.
    """

    layers: tuple[Layer, ...]
    parts: dict[tuple[str, str], float]
    size: int
    dense: int

    @classmethod
    def of(cls, network: "CompressedModel") -> "Report":
        """The report of a compressed network."""
        parts: dict[tuple[str, str], float] = {}
        unshared = {n for n, v in network.arrays.items() if isinstance(v, Coded) and v.entropy == "in order"}
        for part in network.layout():
            total = sum(part.bits.values())
            shares = {key: bits / total for key, bits in part.bits.items()} if total else {(part.array, part.what): 1.0}
            for (array, what), share in shares.items():
                # Weights that do not share values are written in order, in the place of a codebook.
                key = (array, "values" if what == "stream" or (array in unshared and what == "codebook") else what)
                parts[key] = parts.get(key, 0.0) + share * len(part.data)
        by_array: dict[str, dict[str, float]] = {}
        for (array, what), count in parts.items():
            by_array.setdefault(array, {})[what] = count
        weights = {n: v for n, v in network.arrays.items() if isinstance(v, Coded) and v.mask.ndim > 1}
        layers = [_layer(name, value, by_array.get(name, {})) for name, value in weights.items()]
        return cls(tuple(layers), parts, round(sum(parts.values())), network.dense_bytes)

    @property
    def ratio(self) -> float:
        """Dense float32 bytes over the bytes of the file."""
        return self.dense / self.size

    @property
    def by_kind(self) -> dict[str, float]:
        """The bytes of the file by what they are: positions, values, codebooks, tables, dense numbers, header."""
        totals = {kind: sum(n for (_, what), n in self.parts.items() if what == kind) for kind in KINDS}
        return {kind: n for kind, n in totals.items() if n}

    def __str__(self) -> str:
        """The table as text."""
        rows = [list(COLUMNS), *(layer.cells for layer in self.layers), self.total]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        lines = ["  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) for row in rows]
        kinds = ", ".join(f"{kind} {n:,.0f}" for kind, n in self.by_kind.items())
        return "\n".join(
            [
                *lines,
                f"{self.dense:,} bytes dense, {self.size:,} in the file: {self.ratio:.1f}x",
                f"in the file: {kinds}",
            ]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def row(cells: Sequence[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(row(layer.cells, "td") for layer in self.layers) + row(self.total, "td")
        kinds = ", ".join(f"{kind} {n:,.0f}" for kind, n in self.by_kind.items())
        return (
            f"<table><thead>{row(COLUMNS, 'th')}</thead><tbody>{body}</tbody></table>"
            f"<p>{self.dense:,} bytes dense, {self.size:,} in the file ({kinds}): {self.ratio:.1f}x</p>"
        )

    def plot(self) -> "Figure":
        """A bar for each layer and one for the rest, in bytes, by what they are."""
        from course_utils.plots import byte_bars

        groups: dict[str, dict[str, float]] = {}
        named = {layer.name for layer in self.layers}
        for (array, what), n in self.parts.items():
            group = groups.setdefault(array if array in named else "all else", {})
            group[what] = group.get(what, 0.0) + n
        return byte_bars(groups, kinds=[kind for kind in KINDS if kind in self.by_kind], size=self.size)

    @property
    def total(self) -> list[str]:
        """The last row: the complete file, with everything in it; bits are means over the weights that are left."""
        layers = self.layers
        weights, nonzeros = sum(layer.weights for layer in layers), sum(layer.nonzeros for layer in layers)
        bits = [
            sum(layer.weight_bits * layer.nonzeros for layer in layers) / max(1, nonzeros),
            sum(layer.weight_coded * layer.nonzeros for layer in layers) / max(1, nonzeros),
            sum(layer.index_bits * layer.nonzeros for layer in layers) / max(1, nonzeros),
            sum(layer.index_coded * layer.nonzeros for layer in layers) / max(1, nonzeros),
        ]
        fixed = sum(layer.bytes_fixed - layer.bytes_coded for layer in self.layers) + self.size
        return [
            "whole file",
            f"{weights:,}",
            _percent(nonzeros, weights, 1),
            *(f"{mean:.1f}" for mean in bits),
            _percent(fixed, self.dense, 2),
            _percent(self.size, self.dense, 2),
        ]


def _percent(part: float, total: float, digits: int) -> str:
    """A share in percent; a dash where there is nothing to share."""
    return f"{part / total:.{digits}%}" if total else "-"


def _layer(name: str, value: Coded, coded: dict[str, float]) -> Layer:
    nonzeros, size = int(value.mask.sum()), value.mask.size
    levels = len(value.codebook)
    itemsize = value.codebook.dtype.itemsize
    in_order = value.entropy == "in order"  # the codebook has one value for each weight
    level_bits = 8 * itemsize if in_order else max(0, math.ceil(math.log2(max(1, levels))))
    entries, gap_bits = _gap_entries(value.mask, level_bits, value.gap_bits or None)
    return Layer(
        name=name,
        weights=size,
        nonzeros=nonzeros,
        weight_bits=level_bits,
        weight_coded=8 * coded.get("values", 0.0) / max(1, nonzeros),
        index_bits=gap_bits,
        index_coded=8 * coded.get("positions", 0.0) / max(1, nonzeros),
        bytes_fixed=entries * (level_bits + gap_bits) / 8 + (0 if in_order else levels * itemsize),
        bytes_coded=sum(coded.values()),
    )


def _gap_entries(mask: np.ndarray, level_bits: int, bits: int | None) -> tuple[int, int]:
    """How many gaps there are, fillers included, and their bits: those given, or the number with the smallest list."""
    if mask.all():
        return mask.size, 0
    counts = {b: len(encode_gaps(mask.reshape(-1), bits=b)[0]) for b in ([bits] if bits else range(1, 9))}
    best = min(counts, key=lambda b: counts[b] * (b + level_bits))
    return counts[best], best
