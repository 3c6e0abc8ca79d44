"""Deep Compression's steps as check boxes, and the bytes of the file that is written to disk each time."""

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from course_utils.data import Dataset
from course_utils.experiments.lesson import lesson_data, measure_accuracy, trained_network
from course_utils.experiments.storage.network_file import NetworkFile, before_and_after_retraining, dense_bytes
from course_utils.panels.engine import Choice, Panel, Slider, Toggle
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, HATCHES, legend, loss_limits, move_limits, round_up, smaller, write

__all__ = ["stack"]

KINDS = ("positions", "values", "codebook", "table", "dense", "header", "checksum")
CODERS = {"none: fixed length": "none", "Huffman": "huffman", "ANS": "ans", "mixed contexts": "mixed"}
WIDE = 8.0  # inches of the picture
DENSITIES = (0.5, 0.3, 0.2, 0.12, 0.08, 0.05, 0.03)


def stack(data: str | Dataset = "digits") -> Panel:
    """Pruning, sharing and a coder on one network, as one file on disk (lecture, section 07).

    `data`: a name of `load_dataset`, or a data set. Each state retrains briefly, writes a file, reads it back and
    measures the network in it.
    """
    dataset, model = lesson_data(data), trained_network(data)
    controls = [
        Toggle(name="prune", label="Prune", value=True),
        Slider(name="density", label="Share kept", values=DENSITIES, value=0.12, texts=[f"{d:.0%}" for d in DENSITIES]),
        Toggle(name="share", label="Share values", value=True),
        Slider(name="levels", label="Values per layer", values=(2, 4, 8, 16, 32, 64), value=8),
        Choice(name="coder", label="Coder", options=CODERS, value="huffman"),
    ]
    retrained: dict[tuple[Any, ...], NetworkFile] = {}

    def compute(prune: bool, density: float, share: bool, levels: float, coder: str) -> Iterator[NetworkFile | None]:
        if coder == "mixed" and not share:
            raise ValueError("mixed contexts need shared values: switch Share values on, or choose Huffman")
        recipe: dict[str, Any] = {
            "prune": 1 - density if prune else None,
            "levels": int(levels) if share else None,
            "entropy": None if coder == "none" else coder,
        }
        key = tuple(recipe.values())
        if key in retrained:
            yield retrained[key]
            return
        for file in before_and_after_retraining(model, dataset, **recipe):
            if file is not None:
                latest = file
            yield file
        retrained[key] = latest

    dense, accuracy = dense_bytes(model), measure_accuracy(model, dataset)
    title = "From a network to a file"
    return Panel(title, controls, compute, lambda figure: FilePicture(figure, dense, accuracy).show, size=(960, 330))


class FilePicture:
    """A bar of the file's bytes by kind, beside the accuracy that is lost; `dense` and `dense_accuracy`: to compare."""

    def __init__(self, figure: Figure, dense: int, dense_accuracy: float) -> None:
        self.dense, self.dense_accuracy = dense, dense_accuracy
        self.wide = figure.get_size_inches()[0] >= WIDE
        self.bytes, self.lost = figure.subplots(1, 2, width_ratios=[2.6, 1])
        self.parts = {}
        for kind, colour, hatch in zip(KINDS, COLOURS.values(), HATCHES, strict=False):
            bar: dict[str, Any] = {"height": 0.55, "color": colour, "hatch": hatch, "edgecolor": "white", "lw": 0}
            (self.parts[kind],) = self.bytes.barh([0], [1], label=kind, **bar)
        self.bytes.set(yticks=[], ylim=(-0.45, 0.45), xlabel="bytes of the file on the disk")
        # Numbers that need the same room in each state, so that the plots keep their places.
        self.bytes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], prune="upper"))
        self.bytes.xaxis.set_major_formatter("{x:,.0f}")
        self.lost.yaxis.set_major_formatter("{x:.1%}")
        self.bytes.spines["left"].set_visible(False)
        self.title = self.bytes.set_title("0 bytes")
        bars = list(self.parts.values())
        look: dict[str, Any] = {"loc": "outside lower left", "ncols": 7, "fontsize": 10, "columnspacing": 1}
        self.legend = legend(figure, handles=bars, labels=KINDS, **look)
        (self.accuracy,) = self.lost.bar([0], [1], width=0.5, color=COLOURS["blue"])
        self.lost.axhline(dense_accuracy, color=COLOURS["orange"], ls="--")
        bold: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 12, "fontweight": "bold"}
        below = ScaledTranslation(0, -5 / 72, figure.dpi_scale_trans)  # the bar's end, by so many points
        self.percent = self.lost.text(0, 0.5, "", transform=self.lost.transData + below, **bold)
        self.lost.set(xticks=[], xlim=(-0.5, 0.5), title="Test accuracy", xlabel="dashed: the dense network")

    def show(self, file: NetworkFile) -> str:
        """Cut the bar by kind, and show the accuracy that is lost."""
        left = 0.0
        for kind, bar in self.parts.items():
            width = file.by_kind.get(kind, 0.0)
            bar.set(x=left, width=width)
            left += width
        move_limits(self.bytes, x=(0.0, round_up(file.size)))
        ratio = f", {smaller(self.dense / file.size)} the dense weights"  # where it has room in one line
        write(self.title, text=f"{file.size:,} bytes{ratio if self.wide else ''}")
        self.accuracy.set(y=self.dense_accuracy, height=file.accuracy - self.dense_accuracy)
        write(self.percent, text=f"{file.accuracy:.1%}", position=(0, min(file.accuracy, self.dense_accuracy)))
        name_what_is_drawn(self.legend)
        move_limits(self.lost, y=loss_limits(self.dense_accuracy, [file.accuracy]))
        return describe(file, self.dense, self.dense_accuracy)


def describe(file: NetworkFile, dense: int, dense_accuracy: float) -> str:
    """The sentence under the panel: the bytes of the file by kind, and its accuracy, beside the dense network."""
    kinds = ", ".join(f"{kind} {n:,.0f}" for kind, n in file.by_kind.items())
    return (
        f"A file of {file.size:,} bytes, {smaller(dense / file.size)} {dense:,} dense bytes ({kinds}); read back, its "
        f"accuracy is {file.accuracy:.1%} (dense network {dense_accuracy:.1%})."
    )
