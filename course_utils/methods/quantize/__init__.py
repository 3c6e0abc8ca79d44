"""Fewer bits per number: min-max codes, fixed point, and networks in low precision (lecture, section 05)."""

from course_utils.methods.quantize.activation_aware import awq, awq_scales
from course_utils.methods.quantize.affine import (
    QParams,
    choose_qparams,
    dequantize,
    fake_quantize,
    quantize,
    quantized_relu,
)
from course_utils.methods.quantize.compensated import gptq
from course_utils.methods.quantize.fixed import DynamicFixedPoint, FixedPoint
from course_utils.methods.quantize.formats import (
    E2M1,
    E4M3,
    E5M2,
    NF4,
    FloatFormat,
    dequantize_nf4,
    mx_round,
    mx_scales,
    quantize_nf4,
)
from course_utils.methods.quantize.integers import IntegerNetwork, Multiplier, integer_linear, requantize
from course_utils.methods.quantize.learned import LSQ, MinMaxQuantizer
from course_utils.methods.quantize.low_precision import LowPrecision
from course_utils.methods.quantize.model import quantize_model

__all__ = [
    "E2M1",
    "E4M3",
    "E5M2",
    "LSQ",
    "NF4",
    "DynamicFixedPoint",
    "FixedPoint",
    "FloatFormat",
    "IntegerNetwork",
    "LowPrecision",
    "MinMaxQuantizer",
    "Multiplier",
    "QParams",
    "awq",
    "awq_scales",
    "choose_qparams",
    "dequantize",
    "dequantize_nf4",
    "fake_quantize",
    "gptq",
    "integer_linear",
    "mx_round",
    "mx_scales",
    "quantize",
    "quantize_model",
    "quantize_nf4",
    "quantized_relu",
    "requantize",
]
