"""A notebook as slides for class: `outline` cuts it into slides, `deck` writes them as one HTML file.

Their panels are those of an exported page, so they work without a kernel too.
"""
