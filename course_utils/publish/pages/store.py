"""A recorded panel as the text that a page carries: its controls, an index of its settings, and the files."""

import base64
import html
import json
import zlib
from typing import Any

from course_utils.panels.engine import Control, Slider
from course_utils.publish.pages.capture import PanelOutput
from course_utils.publish.pages.pack import Packed
from course_utils.publish.pages.record import Recording, Still
from course_utils.publish.pages.wording import coverage, resting

__all__ = ["Live", "live"]


class Live:
    """A panel in a page: `box` is its place, `stored` its data, `coverage` a sentence on what the page holds of it."""

    def __init__(self, number: int, output: PanelOutput, recording: Recording, packed: Packed, still: bytes) -> None:
        self.id = f"panel-{number}"
        self.title = output.panel._title
        self.size = output.panel.figure.pixels
        self.editable = output.editable
        self.coverage = coverage(recording.grid, list(output.panel.controls.values()))
        self._head = head(output, recording)
        self._index = index(recording, packed)
        self._files = b"".join([packed.plate, *packed.files])
        self._still = still
        self._words = recording.films[recording.grid.start][-1].words

    @property
    def box(self) -> str:
        """The place of the panel; where scripts are off, its picture as it starts."""
        picture = base64.b64encode(self._still).decode()
        alt = html.escape(self._words, quote=True)
        width, height = self.size
        return (
            f'<div class="replay" id="{self.id}"><noscript><img src="data:image/png;base64,{picture}" alt="{alt}" '
            f'width="{width}" height="{height}"><p>{alt}</p></noscript></div>'
        )

    @property
    def stored(self) -> str:
        """Scripts that run nothing: the data of the panel."""
        return (
            script("application/json", f"{self.id}-head", to_json(self._head).replace("</", "<\\/"))
            + script("text/plain", f"{self.id}-index", base64.b64encode(self._index).decode())
            + script("text/plain", f"{self.id}-files", base64.b64encode(self._files).decode())
        )


def live(number: int, output: PanelOutput, recording: Recording, packed: Packed) -> Live:
    """A panel with everything that a page needs of it."""
    for _ in output.panel.pictures(output.values, scale=1):
        pass
    return Live(number, output, recording, packed, output.panel.png())


def head(output: PanelOutput, recording: Recording) -> dict[str, Any]:
    """What `panel.js` asks its model for, and the values on offer."""
    grid, controls = recording.grid, list(output.panel.controls.values())
    start = grid.values(grid.start)  # Reset leads back to them: a page may not hold what lies around other values
    return {
        "title": output.panel._title,
        "size": list(output.panel.figure.pixels),
        "controls": [
            spec(control, list(grid.levels[control.name])) | {"value": control.to_json(start[control.name])}
            for control in controls
        ],
        "levels": [
            {"name": name, "values": [output.panel.controls[name].to_json(level) for level in levels], "at": at}
            for (name, levels), at in zip(grid.levels.items(), grid.start, strict=True)
        ],
        "resting": resting(controls),
    }


def spec(control: Control, levels: list[Any]) -> dict[str, Any]:
    """A control that offers exactly these values, each in its own words."""
    complete = control.spec()
    if isinstance(control, Slider):
        texts = dict(zip(complete["values"], complete["texts"], strict=True))
        return complete | {"values": levels, "texts": [texts[value] for value in levels]}
    return complete


def index(recording: Recording, packed: Packed) -> bytes:
    """What each setting shows, deflated: films of (picture, words, error), each by its number."""
    words: dict[str, int] = {}
    errors: dict[str, int] = {}
    pictures: dict[int, int] = {}

    def numbers(still: Still) -> list[int]:
        error = -1 if still.error is None else errors.setdefault(to_json(still.error), len(errors))
        return [
            pictures.setdefault(still.picture, len(pictures)),
            words.setdefault(still.words, len(words)),
            error,
        ]

    films = [[numbers(still) for still in film] for film in recording.films.values()]
    content = {
        "size": packed.size,
        "lengths": [len(packed.plate), *map(len, packed.files)],
        "places": [box[:2] for box in packed.boxes],
        "pictures": [packed.patches[number] for number in pictures],
        "words": list(words),
        "errors": [json.loads(error) for error in errors],
        "settings": list(recording.films),
        "films": films,
    }
    return zlib.compress(to_json(content).encode(), 9)


def to_json(content: Any) -> str:
    """Compact JSON; a browser cannot read NaN, so it is an error here."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def script(kind: str, name: str, content: str) -> str:
    """A script element that holds data."""
    return f'<script type="{kind}" id="{name}">{content}</script>\n'
