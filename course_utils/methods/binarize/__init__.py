"""One bit per weight: BinaryConnect, ternary weights, binarized networks, XNOR products (lecture, section 06)."""

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
    "TernaryConv2d",
    "TernaryLinear",
    "binarize",
    "clip_",
    "hard_sigmoid",
    "pack_bits",
    "square_hinge_loss",
    "ternarize",
    "unpack_bits",
    "xnor_linear",
]
