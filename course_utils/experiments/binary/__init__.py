"""Experiments of notebook 06: networks with binary weights, and weights on a grid."""
