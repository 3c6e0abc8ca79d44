"""The panel of all notebooks that have a table of the lecture: published numbers beside those measured here."""

from course_utils.panels.tables.reproduced import reproduced

__all__ = ["reproduced"]
