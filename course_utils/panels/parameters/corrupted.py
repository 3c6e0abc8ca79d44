"""Random labels, shuffled and random pixels: what a network fits, how long it takes, and what it has learnt by it."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils._support.unwritten import unwritten
from course_utils.data import Dataset
from course_utils.experiments.parameters.corrupted import SHARES, Corrupt, CorruptedPath, corrupted_path
from course_utils.panels.engine import Choice, Panel, Slider, waiting
from course_utils.plots import COLOURS, INK, legend, move_limits
from course_utils.train.memorize import Curves

__all__ = ["corrupted"]

KINDS = {"random labels": "labels", "shuffled pixels": "shuffled", "random pixels": "random"}
ROWS_OF_KIND = {
    "labels": "labels random",
    "shuffled": "rows with shuffled pixels",
    "random": "rows with random pixels",
    "reader": "rows corrupted by your function",
}
ACROSS, DOWN = 3, 4  # pictures of training rows


class Fitted(NamedTuple):
    """A kind of corruption, the number of its share, a size of network, and the curves of that kind and size."""

    kind: str
    number: int
    hidden: int
    curves: Curves


def corrupted(data: str | Dataset | CorruptedPath = "digits", *, corrupt: Corrupt | None = None) -> Panel:
    """Training on data that mean less and less (Zhang et al. 2016; lecture, section 03).

    `data`: a name of `load_dataset`, a data set, or a path from `corrupted_path`. `corrupt`: your own
    ``corrupt(data, share)``.
    """
    try:
        path = data if isinstance(data, CorruptedPath) else corrupted_path(data, corrupt=corrupt)
    except NotImplementedError as problem:
        if not unwritten(problem):
            raise
        return waiting("Fitting your corruption", problem)
    kinds = {"your corruption": "reader"} if path.by_reader else KINDS
    widths = {f"{width}: {path.parameters[width]:,} parameters": width for width in path.hidden}
    controls = [
        Slider(name="share", label="Share corrupted", values=SHARES, value=0.4, texts=[f"{s:.0%}" for s in SHARES]),
        Choice(name="kind", label="Kind of corruption", options=kinds),
        Choice(name="hidden", label="Hidden neurons", options=widths, value=path.hidden[-1]),
    ]

    def compute(share: float, kind: str, hidden: int) -> Fitted:
        return Fitted(kind, SHARES.index(share), hidden, path.curves[kind, hidden])

    title = "Fitting your corruption" if path.by_reader else "Fitting data without meaning"
    return Panel(title, controls, compute, lambda figure: CorruptedPicture(figure, path).show, size=(960, 430))


class CorruptedPicture:
    """Left some rows, in the middle the curves of one training, right the ends of all trainings by share."""

    def __init__(self, figure: Figure, path: CorruptedPath) -> None:
        self.path = path
        left, middle, right = figure.subfigures(1, 3, width_ratios=[1, 1.15, 1], squeeze=False)[0]
        self.tiles = Tiles(left.subplots(), path.clean)
        self._draw_training(*middle.subplots(2, 1))
        self._draw_shares(*right.subplots(2, 1))

    def _draw_training(self, above: Axes, below: Axes) -> None:
        self.above, epochs = above, self.path.epochs
        (self.loss,) = above.plot([], [], color=COLOURS["green"])
        above.set(xlim=(0, epochs), ylim=(-0.08, 2.6), xticks=[], title="Training loss")
        (self.train,) = below.plot([], [], color=COLOURS["blue"], label="training rows")
        (self.test,) = below.plot([], [], "--", color=COLOURS["orange"], label="test rows")
        below.set(xlim=(0, epochs), ylim=(-3, 135), yticks=[0, 25, 50, 75, 100], xlabel="epoch", title="Errors (%)")
        legend(below, loc="upper right", fontsize=10, ncols=2, borderaxespad=0, handlelength=2.2, columnspacing=1.2)

    def _draw_shares(self, times: Axes, ends: Axes) -> None:
        (self.fitted,) = times.plot([], [], "o-", ms=5, color=COLOURS["blue"])
        (self.never,) = times.plot([], [], "x", ms=8, mew=2, color=COLOURS["orange"])
        times.set(xlim=(-0.04, 1.04), ylim=(0, self.path.epochs * 1.15), xticks=[], title="Epochs to fit all, × never")
        (self.last_train,) = ends.plot([], [], "o-", ms=5, color=COLOURS["blue"])
        (self.last_test,) = ends.plot([], [], "s--", ms=5, color=COLOURS["orange"])
        ends.set(xlim=(-0.04, 1.04), ylim=(-3, 103), yticks=[0, 25, 50, 75, 100])
        ends.set(xlabel="share corrupted", title="Errors at the end (%)")
        ends.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        self.marks = [axes.axvline(0, color=COLOURS["ink"], lw=1) for axes in (times, ends)]

    def show(self, result: Fitted) -> str:
        share, curves = SHARES[result.number], result.curves
        self.tiles.show(self.path.data[result.kind, share])
        x = range(curves.train_loss.shape[1])
        losses = curves.train_loss[result.number].numpy()
        self.loss.set_data(x, losses)
        move_limits(self.above, y=(-0.08, max(2.6, 1.1 * float(losses.max()))))
        for line, errors in ((self.train, curves.train_error), (self.test, curves.test_error)):
            line.set_data(x, 100 * errors[result.number].numpy())
        shares, epochs = np.array(SHARES), curves.fitted().numpy()
        done = epochs >= 0
        self.fitted.set_data(shares[done], epochs[done])
        self.never.set_data(shares[~done], np.full((~done).sum(), self.path.epochs * 1.05))
        self.last_train.set_data(SHARES, 100 * curves.train_error[:, -1].numpy())
        self.last_test.set_data(SHARES, 100 * curves.test_error[:, -1].numpy())
        for mark in self.marks:
            mark.set_xdata([share, share])
        return describe(result, self.path)


class Tiles:
    """The first training rows as pictures, with their labels below; a label that is wrong says what would be right."""

    def __init__(self, axes: Axes, clean: Dataset) -> None:
        self.clean = clean
        shape = clean.input_shape
        self.height, self.width = shape[-2:] if len(shape) > 1 else (1, clean.features)
        self.step = self.height + max(3, round(0.4 * self.height))  # a picture, and room for its label
        self.across = self.width + max(2, self.width // 3)
        sheet = np.zeros((DOWN * self.step, ACROSS * self.across))
        self.image = axes.imshow(sheet, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", aspect="equal")
        self.texts = [
            axes.text(
                column * self.across + (self.width - 1) / 2,
                row * self.step + (self.height + self.step - 1) / 2,
                "",
                ha="center",
                va="center",
                fontsize=10,
            )
            for row in range(DOWN)
            for column in range(ACROSS)
        ]
        axes.set(xticks=[], yticks=[], title="Training rows and labels")
        axes.spines[:].set_visible(False)

    def show(self, data: Dataset) -> None:
        """The rows of `data`, with the clean ones as the truth."""
        sheet = np.zeros((DOWN * self.step, ACROSS * self.across))
        for i, text in enumerate(self.texts):
            top, left = i // ACROSS * self.step, i % ACROSS * self.across
            pixels = data.x_train[i].reshape(-1, self.height, self.width)[0].numpy()
            sheet[top : top + self.height, left : left + self.width] = pixels
            given, true = int(data.y_train[i]), int(self.clean.y_train[i])
            text.set_text(f"{given}" if given == true else f"{given} (is {true})")
            text.set(color=COLOURS["ink"] if given == true else INK["orange"])
            text.set_fontweight("normal" if given == true else "bold")
        self.image.set_data(sheet)


def describe(result: Fitted, path: CorruptedPath) -> str:
    """The sentences under the panel: whether all rows fit, and the end of the training in numbers."""
    share, curves, i = SHARES[result.number], result.curves, result.number
    epoch = int(curves.fitted()[i])
    fits = f"all training rows fit from epoch {epoch} on" if epoch >= 0 else "not all training rows fit"
    if epoch >= 0 and float(curves.train_error[i, epoch:].max()) > 0:
        fits = f"all training rows fit in epoch {epoch} for the first time"
    train, test = (100 * float(errors[i, -1]) for errors in (curves.train_error, curves.test_error))
    return (
        f"{share:.0%} of the {ROWS_OF_KIND[result.kind]}: with "
        f"{path.parameters[result.hidden]:,} parameters for {len(path.clean.y_train)} rows {fits}. At the end the "
        f"training loss is {float(curves.train_loss[i, -1]):.3f}, {train:.1f} % of the training rows are wrong and "
        f"{test:.1f} % of the test rows."
    )
