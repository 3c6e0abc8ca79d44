"""Slides of a notebook, whose sliders work without a kernel."""
