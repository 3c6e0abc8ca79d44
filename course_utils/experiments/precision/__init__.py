"""Experiments of notebook 05: networks that compute and train with few bits."""
