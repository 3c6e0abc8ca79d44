"""Signs as bits, eight to a byte, and their product by XNOR and popcount.

With +1 as bit 1 and -1 as bit 0, two signs multiply to +1 where their bits agree. So the dot product of n signs is
n - 2 popcount(x XOR w): one instruction for 64 multiplications and additions, and 1/32 of the bytes of float32
(Courbariaux, Hubara et al. 2016, arXiv:1602.02830, section 3).
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils._support.check import floating

__all__ = ["pack_bits", "unpack_bits", "xnor_linear"]

BLOCK = 2**14  # words per block on a CPU; three buffers of this size stay in the cache


def pack_bits(w: Tensor) -> Tensor:
    """The signs of `w` (..., n) as bytes (..., ceil(n / 8)), uint8; bit 1 for w >= 0, the first sign in the lowest bit.

    The bits that fill the last byte are 0.

    Raises: TypeError if w is not a floating tensor; ValueError for a 0-d tensor, or NaN, which has no sign.

    >>> pack_bits(torch.tensor([1.0, -1.0, 1.0, 1.0]))
    tensor([13], dtype=torch.uint8)
    """
    if not floating("w", w).ndim:
        raise ValueError("w must have at least one dimension, along which bits are packed, got a 0-d tensor")
    if bool(w.isnan().any()):
        raise ValueError("w must have signs, got NaN; remove it with torch.nan_to_num(w)")
    bits = F.pad((w.detach() >= 0).to(torch.uint8), (0, -w.shape[-1] % 8))
    places = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8, device=w.device)
    return (bits.unflatten(-1, (-1, 8)) * places).sum(-1, dtype=torch.uint8)


def unpack_bits(packed: Tensor, *, n: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """The first n signs of packed bytes (..., ceil(n / 8)) as +1 and -1, (..., n).

    Raises: TypeError for another dtype than uint8; ValueError where the bytes do not hold n signs.

    >>> unpack_bits(torch.tensor([13], dtype=torch.uint8), n=4)
    tensor([ 1., -1.,  1.,  1.])
    """
    _check_packed("packed", packed, n)
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    bits = (packed.unsqueeze(-1) >> shifts & 1).flatten(-2)[..., :n]
    return 2 * bits.to(dtype) - 1


def xnor_linear(x_packed: Tensor, w_packed: Tensor, *, n: int) -> Tensor:
    """The product of packed signs, x (rows, n) times w (outputs, n) transposed: int32 (rows, outputs).

    n - 2 popcount(x XOR w), equal to unpack_bits(x) @ unpack_bits(w).T, without rounding (arXiv:1602.02830, section 3).

    Raises: TypeError for other dtypes than uint8; ValueError where the bytes do not hold n signs.

    >>> x, w = torch.tensor([[1.0, -1.0, 1.0]]), torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
    >>> xnor_linear(pack_bits(x), pack_bits(w), n=3)
    tensor([[ 1, -1]], dtype=torch.int32)
    """
    for name, packed in (("x_packed", x_packed), ("w_packed", w_packed)):
        _check_packed(name, packed, n)
        if packed.ndim != 2:
            raise ValueError(f"{name} must have two dimensions, (rows, bytes), got shape {tuple(packed.shape)}")
    x, w = _words(x_packed), _words(w_packed).T.contiguous()
    count = _differences_numpy if x.device.type == "cpu" else _differences_torch
    return n - 2 * count(x, w)


def _check_packed(name: str, packed: Tensor, n: int) -> None:
    if packed.dtype != torch.uint8:
        raise TypeError(f"{name} must be torch.uint8, got {packed.dtype}; make it with pack_bits()")
    if not packed.ndim or packed.shape[-1] != -(-n // 8):
        raise ValueError(
            f"{name} must end in a dimension of {-(-n // 8)} bytes to hold n={n} signs, got shape {tuple(packed.shape)}"
        )


def _words(packed: Tensor) -> Tensor:
    """Bytes as 64-bit words; both factors are filled up with equal bits, which do not count as differences."""
    rows, size = packed.shape
    words = packed.new_zeros(rows, 8 * max(1, -(-size // 8)))
    words[:, :size] = packed
    return words.view(torch.int64)


def _differences_numpy(x: Tensor, w: Tensor) -> Tensor:
    """How many bits differ between each row of x (rows, words) and each column of w (words, outputs)."""
    rows, outputs = x.shape[0], w.shape[1]
    left, right = x.numpy().view(np.uint64), w.numpy().view(np.uint64)
    total = np.zeros((rows, outputs), np.int32)
    size = max(1, BLOCK // max(1, outputs))
    words, counts = np.empty((size, outputs), np.uint64), np.empty((size, outputs), np.uint8)
    for start in range(0, rows, size):
        block = total[start : start + size]
        differing, ones = words[: len(block)], counts[: len(block)]
        for k in range(len(right)):
            np.bitwise_xor(left[start : start + size, k, None], right[k], out=differing)
            np.bitwise_count(differing, out=ones)
            block += ones
    return torch.from_numpy(total)


def _differences_torch(x: Tensor, w: Tensor) -> Tensor:
    """The same with torch's operators, which run on a GPU: popcount by adding up neighbouring bits in parallel."""
    total = torch.zeros(x.shape[0], w.shape[1], dtype=torch.int32, device=x.device)
    for k in range(len(w)):
        total += popcount(x[:, k, None] ^ w[k]).to(torch.int32)
    return total


def popcount(words: Tensor) -> Tensor:
    """How many bits of each int64 are 1.

    >>> popcount(torch.tensor([0, 1, 255, -1]))
    tensor([ 0,  1,  8, 64])
    """
    # >> keeps the sign, so what it shifts in from the left is masked away.
    v = words - ((words >> 1) & 0x5555555555555555)
    v = (v & 0x3333333333333333) + ((v >> 2) & 0x3333333333333333)
    v = (v + (v >> 4)) & 0x0F0F0F0F0F0F0F0F
    return (v * 0x0101010101010101 >> 56) & 0x7F
