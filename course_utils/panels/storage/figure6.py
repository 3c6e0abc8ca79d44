"""Figure 6: accuracy against bytes on the disk for pruning, sharing, both, and low rank."""

from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.storage.frontier import DENSITIES, SERIES, Frontier, Point, frontier
from course_utils.panels.engine import Choice, Panel, Slider
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS, legend

__all__ = ["figure6"]


def figure6(data: str | Dataset | Frontier = "digits") -> Panel:
    """Accuracy against bytes on the disk for each method alone and together (lecture, figure 6)."""
    networks = data if isinstance(data, Frontier) else frontier(data)
    controls = [
        Choice(name="series", label="Method", options={name: name for name in SERIES}, value="pruning and sharing"),
        Slider(name="number", label="Strength of the compression", values=list(range(1, len(DENSITIES) + 1)), value=4),
    ]

    def compute(series: str, number: float) -> tuple[str, Point]:
        return series, networks.series[series][int(number) - 1]

    title = "Accuracy against bytes on the disk"
    return Panel(title, controls, compute, lambda figure: FrontierPicture(figure, networks).show, size=(960, 420))


class FrontierPicture:
    """A line for each method, and a ring round the network that is chosen."""

    def __init__(self, figure: Figure, networks: Frontier) -> None:
        self.networks = networks
        axes = figure.subplots()
        styles = zip(networks.series.items(), LINE_STYLES, MARKERS, COLOURS.values(), strict=False)
        for (name, points), dashes, marker, colour in styles:
            sizes = [100 * point.size / networks.dense for point in points]
            accuracies = [100 * point.accuracy for point in points]
            axes.plot(sizes, accuracies, linestyle=dashes, marker=marker, ms=6, color=colour, label=name)
        axes.axhline(100 * networks.dense_accuracy, color=COLOURS["grey"], ls="--", lw=1.3, label="dense network")
        (self.marker,) = axes.plot([], [], "o", ms=15, mfc="none", mew=2.4, color=COLOURS["ink"])
        axes.set(xscale="log", xlabel="bytes of the file, % of the dense float32 bytes", ylabel="test accuracy (%)")
        axes.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
        axes.minorticks_off()
        legend(figure, loc="outside lower left", ncols=5, fontsize=10, columnspacing=1)

    def show(self, chosen: tuple[str, Point]) -> str:
        """Mark the network of a series."""
        series, point = chosen
        self.marker.set_data([100 * point.size / self.networks.dense], [100 * point.accuracy])
        return describe(series, point, self.networks)


def describe(series: str, point: Point, networks: Frontier) -> str:
    """The sentence under the panel: the file and the accuracy of the network that is chosen."""
    return (
        f"{series}, {point.setting}: a file of {point.size:,} bytes, {networks.dense / point.size:.1f} times "
        f"smaller than the dense network, accuracy {point.accuracy:.1%} (dense {networks.dense_accuracy:.1%})."
    )
