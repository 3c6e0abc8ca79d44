"""Activation functions that are trained with the network (lecture, section 09)."""

from course_utils.methods.activations.kaf import KAF, krr_coefficients
from course_utils.methods.activations.kernel_sum import kernel_sum
from course_utils.methods.activations.parametric import APL, Maxout, ParametricTanh, PReLU

__all__ = ["APL", "KAF", "Maxout", "PReLU", "ParametricTanh", "kernel_sum", "krr_coefficients"]
