"""Compression of deep neural networks: the primitives, and the course that teaches them.

Each primitive is a module of its own and is imported by its name, for instance
``from course_utils import penalties``; importing this package loads nothing else.
"""

__version__ = "0.1.0"
