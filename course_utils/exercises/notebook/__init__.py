"""Notebooks of exercises: their cells (`cell`), the lecturer's version (`skeleton`), the students' (`release`), files
that strangers wrote (`reader`), cells as plain Python (`jupyter`), and what a cell answers (`answers`)."""

from course_utils.exercises.notebook.cell import Cell
from course_utils.exercises.notebook.skeleton import skeleton

__all__ = ["Cell", "skeleton"]
