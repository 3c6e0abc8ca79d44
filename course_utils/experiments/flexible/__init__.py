"""Experiments of notebook 09: networks whose activation functions are trained."""
