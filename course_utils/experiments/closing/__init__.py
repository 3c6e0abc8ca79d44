"""Experiments of notebook 10: every method of the course on the same network."""
