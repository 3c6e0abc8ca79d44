"""Where the package lies, and where a clone of the course has its notebooks and its measured numbers."""

from pathlib import Path

__all__ = ["EXERCISES", "MEASURED", "NOTEBOOKS", "PACKAGE", "PANEL_FILES", "ROOT"]

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parent  # of a clone; where the package is installed as a wheel, only PACKAGE lies there
NOTEBOOKS = ROOT / "notebooks"
EXERCISES = NOTEBOOKS / "exercises"
MEASURED = PACKAGE / "measured.json"
PANEL_FILES = PACKAGE / "panels" / "static"
