"""Where the package lies, and where a clone of the course has its notebooks and its measured numbers."""

from pathlib import Path

__all__ = ["EXERCISES", "FORKED_KERNELS", "LAB_SETTINGS", "MEASURED", "NOTEBOOKS", "PACKAGE", "PANEL_FILES", "ROOT"]

PACKAGE = Path(__file__).parent.parent
ROOT = PACKAGE.parent  # of a clone; a wheel has no more than PACKAGE, with the notebooks in it
NOTEBOOKS = PACKAGE / "notebooks" if (PACKAGE / "notebooks").is_dir() else ROOT / "notebooks"
EXERCISES = NOTEBOOKS / "exercises"
MEASURED = PACKAGE / "tables" / "measured"  # a JSON file for each table
LAB_SETTINGS = PACKAGE / "course" / "lab_settings"
FORKED_KERNELS = LAB_SETTINGS / "forked_kernels"  # not for a laptop, which has memory enough for kernels of its own
PANEL_FILES = PACKAGE / "panels" / "engine" / "static"
