"""The picture of a section as a small PNG file."""

from io import BytesIO
from pathlib import Path
from typing import Any

from course_utils._support.files import written_atomically
from course_utils.tables.workbench.section import Section

__all__ = ["draw_picture"]

COLOURS = 192  # of a picture: a third of the size of one with all, since notebooks hold them


def draw_picture(section: Section, path: Path) -> None:
    """Draw the picture of a section into a file; its folder is made. A section without `draw` has none."""
    from matplotlib.figure import Figure

    from course_utils.plots import style

    if section.draw is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with style():
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        section.draw(figure)
        _save_small(figure, path)


def _save_small(figure: Any, path: Path) -> None:
    from PIL import Image

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    picture = Image.open(buffer).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    with written_atomically(path) as file:
        picture.save(file, "PNG", optimize=True)
