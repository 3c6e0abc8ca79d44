"""Fewer bits per number: min-max codes, fixed point, and whole networks in low precision (lecture, section 05)."""

from course_utils.quantize.affine import (
    QParams,
    choose_qparams,
    dequantize,
    fake_quantize,
    quantize,
    quantized_relu,
)

__all__ = ["QParams", "choose_qparams", "dequantize", "fake_quantize", "quantize", "quantized_relu"]
