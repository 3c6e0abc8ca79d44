"""One bit per weight, or ternary: BinaryConnect, BitNet b1.58, binarized networks, XNOR products (section 06)."""

from course_utils.methods.binarize.bitnet import BitLinear, absmax_round, absmean_ternarize
from course_utils.methods.binarize.layers import (
    BinaryConv2d,
    BinaryLinear,
    BNNConv2d,
    BNNLinear,
    TernaryConv2d,
    TernaryLinear,
    clip_,
)
from course_utils.methods.binarize.packed import pack_bits, unpack_bits, xnor_linear
from course_utils.methods.binarize.weights import binarize, hard_sigmoid, square_hinge_loss, ternarize

__all__ = [
    "BNNConv2d",
    "BNNLinear",
    "BinaryConv2d",
    "BinaryLinear",
    "BitLinear",
    "TernaryConv2d",
    "TernaryLinear",
    "absmax_round",
    "absmean_ternarize",
    "binarize",
    "clip_",
    "hard_sigmoid",
    "pack_bits",
    "square_hinge_loss",
    "ternarize",
    "unpack_bits",
    "xnor_linear",
]
