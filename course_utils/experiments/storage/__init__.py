"""Experiments of notebook 07: networks that are pruned, share their values, and are written as files."""
