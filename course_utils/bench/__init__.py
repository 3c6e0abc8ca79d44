"""Benchmarks: one module per claim, each with `run()`; `course bench` prints them as one table."""
