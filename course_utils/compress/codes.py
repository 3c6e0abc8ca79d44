"""Layers that compute from the codes: what lies in memory is the compressed network, not the dense one.

"gather" looks each weight up in the codebook, by an index of one or two bytes, and multiplies densely: the
memory of a quarter or half, the time of a dense layer and of the look-ups. "sparse" keeps the nonzeros alone, as rows
of columns and indices (CSR), and multiplies only them.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.check import one_of
from course_utils.coding.arrays import Coded
from course_utils.methods.weights import weights_of

__all__ = ["CodedWeight", "run_from_codes_"]


def run_from_codes_(model: nn.Module, arrays: Mapping[str, Coded], *, run: str) -> nn.Module:
    """Let the linear and 2-D convolutional layers of `model` compute from the codes of their weights, in place.

    `arrays`: by the names of the weights in the `state_dict`; `run`: "gather" or "sparse". The network can no longer
    be trained.

    Raises: ValueError for another way to run.
    """
    one_of("run", run, ("gather", "sparse"))
    for name, weight in weights_of(model).items():
        layer, coded = weight.module, arrays.get(weight.key)
        if coded is None or not isinstance(layer, (nn.Linear, nn.Conv2d)) or getattr(layer, "groups", 1) != 1:
            continue
        parent = model.get_submodule(name.rpartition(".")[0])
        setattr(parent, name.rpartition(".")[2], CodedWeight(layer, coded, run=run))
    return model


class CodedWeight(nn.Module):
    """A linear or convolutional layer whose weight is `codebook[indices]` at some places and 0 elsewhere.

    Equal to the dense layer within float32 rounding.
    """

    codebook: Tensor
    indices: Tensor
    rows: Tensor
    columns: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear | nn.Conv2d, coded: Coded, *, run: str) -> None:
        super().__init__()
        self.run, self.shape = run, coded.mask.shape
        self.window: dict[str, Any] | None = None
        if isinstance(layer, nn.Conv2d):
            if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
                raise ValueError(f"a layer that runs from codes needs a padding in numbers, got {layer.padding!r}")
            self.window = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
        self.register_buffer("codebook", torch.from_numpy(np.append(coded.codebook, 0).astype(np.float32)))
        indices = np.arange(len(coded.codebook)) if coded.entropy == "in order" else coded.indices
        zero = len(coded.codebook)  # the index of a place without a weight
        kind = np.uint8 if zero < 2**8 else np.uint16 if zero < 2**16 else np.int32
        if run == "gather":
            dense = np.full(self.shape, zero, kind)
            dense[coded.mask] = indices
            self.register_buffer("indices", torch.from_numpy(dense))
        else:
            matrix = coded.mask.reshape(self.shape[0], -1)
            self.register_buffer("indices", torch.from_numpy(indices.astype(kind)))
            self.register_buffer("rows", torch.from_numpy(np.append(0, matrix.sum(1).cumsum()).astype(np.int32)))
            self.register_buffer("columns", torch.from_numpy(matrix.nonzero()[1].astype(np.int32)))

    @property
    def weight_bytes(self) -> int:
        """The bytes in memory that stand for the weights."""
        parts = [self.codebook, self.indices, *([self.rows, self.columns] if self.run == "sparse" else [])]
        return sum(part.numel() * part.element_size() for part in parts)

    def forward(self, x: Tensor) -> Tensor:
        """The output of the dense layer."""
        if self.run == "gather":
            weight = self._values()
            if self.window is None:
                return F.linear(x, weight, self.bias)
            return F.conv2d(x, weight, self.bias, **self.window)
        return self._sparse_linear(x) if self.window is None else self._sparse_convolution(x, self.window)

    def _sparse_linear(self, x: Tensor) -> Tensor:
        flat = self._times(x.reshape(-1, x.shape[-1]).T).T
        out = flat.reshape(*x.shape[:-1], self.shape[0])
        return out if self.bias is None else out + self.bias

    def _sparse_convolution(self, x: Tensor, window: dict[str, Any]) -> Tensor:
        patches = F.unfold(x, self.shape[2:], **window)  # (n, in * kh * kw, places)
        n, _, places = patches.shape
        flat = self._times(patches.transpose(0, 1).reshape(patches.shape[1], -1))
        out = flat.reshape(self.shape[0], n, places).transpose(0, 1)
        stride, padding, dilation = (window[name][0] for name in ("stride", "padding", "dilation"))
        height = (x.shape[2] + 2 * padding - dilation * (self.shape[2] - 1) - 1) // stride + 1
        out = out.reshape(n, self.shape[0], height, -1)
        return out if self.bias is None else out + self.bias[:, None, None]

    def _values(self) -> Tensor:
        """The codebook at the indices; `index_select` is the fastest on a CPU."""
        return self.codebook.index_select(0, self.indices.reshape(-1).int()).reshape(self.indices.shape)

    def _times(self, columns: Tensor) -> Tensor:
        """The sparse matrix times a dense one, (in, n) to (out, n)."""
        values = self._values()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            size = (self.shape[0], len(columns))
            matrix = torch.sparse_csr_tensor(self.rows, self.columns, values, size, check_invariants=False)
        return matrix @ columns
