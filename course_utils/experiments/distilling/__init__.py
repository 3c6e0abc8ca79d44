"""Experiments of notebook 08: a large teacher, and small students that learn from it."""
