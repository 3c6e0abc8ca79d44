"""Random labels, shuffled and random pixels: what a network fits, how long it takes, and what it has learnt by it."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_utils._support.unwritten import unwritten
from course_utils.data import Dataset
from course_utils.data.corruption import CORRUPTIONS
from course_utils.experiments.classroom import classroom
from course_utils.models import count_parameters, mlp
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider, waiting
from course_utils.plots import COLOURS, INK, move_limits
from course_utils.train.memorize import Curves, memorize

__all__ = ["SHARES", "CorruptedPath", "corrupted", "corrupted_path"]

SHARES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
HIDDEN = (8, 32, 256)
ROWS, TEST_ROWS, EPOCHS = 200, 400, 80
KINDS = {"random labels": "labels", "shuffled pixels": "shuffled", "random pixels": "random"}
ACROSS, DOWN = 3, 4  # pictures of training rows

Corrupt = Callable[[Dataset, float], Dataset]


class CorruptedPath:
    """Networks of some sizes trained at each of SHARES, for each kind of corruption.

    `data`: by (kind, share), as it was trained on. `curves`: by (kind, hidden neurons), a row for each share.
    """

    def __init__(self, kinds: dict[str, Corrupt], room: Dataset, hidden: tuple[int, ...], epochs: int) -> None:
        self.room, self.hidden, self.epochs = room, hidden, epochs
        self.data = {(kind, share): corrupt(room, share) for kind, corrupt in kinds.items() for share in SHARES}
        self.curves: dict[tuple[str, int], Curves] = {}
        self.parameters = {width: count_parameters(network(room, width)) for width in hidden}
        for width in hidden:
            for kind in kinds:
                datasets = [self.data[kind, share] for share in SHARES]
                make = partial(network, room, width)
                *_, self.curves[kind, width] = memorize(make, datasets, epochs=epochs, lr=0.01, batch_size=50)

    def __repr__(self) -> str:
        return (
            f"{len(self.curves) * len(SHARES)} networks with {', '.join(map(str, self.hidden))} hidden neurons, each "
            f"trained for {self.epochs} epochs on {len(self.room.y_train)} rows of {self.room.name}"
        )


def network(room: Dataset, width: int) -> torch.nn.Sequential:
    """A perceptron with one hidden layer."""
    return mlp([room.features, width, room.classes])


def corrupted_path(
    data: str | Dataset = "digits", *, corrupt: Corrupt | None = None, epochs: int = EPOCHS
) -> CorruptedPath:
    """Train all networks of the panel; those of a data set that is named only once.

    `corrupt`: your own ``corrupt(data, share)`` that returns a data set like `data`; then only its networks are
    trained, and only the largest ones.
    """
    return _of_name(data, corrupt, epochs) if isinstance(data, str) else _train(data, corrupt, epochs)


@lru_cache(maxsize=4)
def _of_name(name: str, corrupt: Corrupt | None, epochs: int) -> CorruptedPath:
    return _train(name, corrupt, epochs)


def _train(data: str | Dataset, corrupt: Corrupt | None, epochs: int) -> CorruptedPath:
    room = classroom(data)
    room = room.subset(min(ROWS, len(room.y_train)))
    room = replace(room, x_test=room.x_test[:TEST_ROWS], y_test=room.y_test[:TEST_ROWS])
    if corrupt is None:
        return CorruptedPath(dict(CORRUPTIONS), room, HIDDEN, epochs)
    return CorruptedPath({"own": checked(corrupt)}, room, HIDDEN[-1:], epochs)


def checked(corrupt: Corrupt) -> Corrupt:
    """A reader's corruption; ValueError where it returns no data set of the same kind."""

    def checked_corrupt(data: Dataset, share: float) -> Dataset:
        found = corrupt(data, share)
        if not isinstance(found, Dataset):
            raise ValueError(f"corrupt must return a data set, got {type(found).__name__}; use dataclasses.replace")
        if found.x_train.shape != data.x_train.shape or found.x_test.shape != data.x_test.shape:
            raise ValueError(
                f"corrupt must keep the shapes {tuple(data.x_train.shape)} and {tuple(data.x_test.shape)}, "
                f"got {tuple(found.x_train.shape)} and {tuple(found.x_test.shape)}"
            )
        if int(found.y_train.min()) < 0 or int(found.y_train.max()) >= data.classes:
            raise ValueError(f"labels must be whole numbers from 0 to {data.classes - 1}; take them modulo the classes")
        return found

    return checked_corrupt


class Fitted(NamedTuple):
    """Where the reader stands, and the curves of that kind and size."""

    kind: str
    number: int  # of the share
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
    own = ("own", SHARES[0]) in path.data
    kinds = {"your corruption": "own"} if own else KINDS
    widths = {f"{width}: {path.parameters[width]:,} parameters": width for width in path.hidden}
    controls = [
        Slider(name="share", label="Share corrupted", values=SHARES, value=0.4, texts=[f"{s:.0%}" for s in SHARES]),
        Choice(name="kind", label="Corrupted are", options=kinds),
        Choice(name="hidden", label="Hidden neurons", options=widths, value=path.hidden[-1]),
    ]

    def compute(share: float, kind: str, hidden: int) -> Fitted:
        return Fitted(kind, SHARES.index(share), hidden, path.curves[kind, hidden])

    title = "Fitting what means nothing" if not own else "Fitting your corruption"
    return Panel(title, controls, compute, drawing(path), size=(960, 430))


class Tiles:
    """The first training rows as pictures, with their labels below; a label that is wrong says what would be right."""

    def __init__(self, axes: Axes, side: tuple[int, ...]) -> None:
        self.height, self.width = side
        self.step = self.height + max(3, round(0.4 * self.height))  # a picture, and room for its label
        self.across = self.width + max(2, self.width // 3)
        shape = (DOWN * self.step, ACROSS * self.across)
        self.image = axes.imshow(
            np.zeros(shape), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", aspect="equal"
        )
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

    def show(self, data: Dataset, room: Dataset) -> None:
        """The rows of `data`, with those of `room` as the truth."""
        sheet = np.zeros(self.image.get_array().shape)  # type: ignore[union-attr]
        for i, text in enumerate(self.texts):
            top, left = i // ACROSS * self.step, i % ACROSS * self.across
            pixels = data.x_train[i].reshape(-1, self.height, self.width)[0].numpy()
            sheet[top : top + self.height, left : left + self.width] = pixels
            given, true = int(data.y_train[i]), int(room.y_train[i])
            text.set_text(f"{given}" if given == true else f"{given} (is {true})")
            text.set(color=COLOURS["ink"] if given == true else INK["orange"])
            text.set_fontweight("normal" if given == true else "bold")
        self.image.set_data(sheet)


def drawing(path: CorruptedPath) -> Draw:
    """The drawing for the networks of `path`."""
    shape = path.room.input_shape
    side = shape[-2:] if len(shape) > 1 else (1, path.room.features)

    def draw(figure: Figure) -> Show:
        grid = figure.add_gridspec(2, 3, width_ratios=[1, 1.15, 1])
        tiles = Tiles(figure.add_subplot(grid[:, 0]), side)
        above, below, times, ends = (figure.add_subplot(grid[i, j]) for j in (1, 2) for i in (0, 1))
        (loss,) = above.plot([], [], color=COLOURS["green"])
        above.set(xlim=(0, path.epochs), ylim=(-0.08, 2.6), xticks=[], title="Training loss")
        (train,) = below.plot([], [], color=COLOURS["blue"], label="training rows")
        (test,) = below.plot([], [], "--", color=COLOURS["orange"], label="test rows")
        below.set(
            xlim=(0, path.epochs), ylim=(-3, 135), yticks=[0, 25, 50, 75, 100], xlabel="epoch", title="Errors (%)"
        )
        below.legend(loc="upper right", fontsize=10, ncols=2, borderaxespad=0, handlelength=2.2, columnspacing=1.2)
        (fitted,) = times.plot([], [], "o-", ms=5, color=COLOURS["blue"])
        (never,) = times.plot([], [], "x", ms=8, mew=2, color=COLOURS["orange"])
        times.set(xlim=(-0.04, 1.04), ylim=(0, path.epochs * 1.15), xticks=[], title="Epochs to fit all, × never")
        (ends_train,) = ends.plot([], [], "o-", ms=5, color=COLOURS["blue"])
        (ends_test,) = ends.plot([], [], "s--", ms=5, color=COLOURS["orange"])
        ends.set(
            xlim=(-0.04, 1.04),
            ylim=(-3, 103),
            yticks=[0, 25, 50, 75, 100],
            xlabel="share corrupted",
            title="Errors at the end (%)",
        )
        ends.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        marks = [axes.axvline(0, color=COLOURS["ink"], lw=1) for axes in (times, ends)]

        def show(found: Fitted) -> str:
            share, curves = SHARES[found.number], found.curves
            data = path.data[found.kind, share]
            tiles.show(data, path.room)
            x = range(curves.train_loss.shape[1])
            values = curves.train_loss[found.number].numpy()
            loss.set_data(x, values)
            move_limits(above, y=(-0.08, max(2.6, 1.1 * float(values.max()))))
            for line, errors in ((train, curves.train_error), (test, curves.test_error)):
                line.set_data(x, 100 * errors[found.number].numpy())
            epochs = curves.fitted().numpy()
            done = epochs >= 0
            fitted.set_data(np.array(SHARES)[done], epochs[done])
            never.set_data(np.array(SHARES)[~done], np.full((~done).sum(), path.epochs * 1.05))
            ends_train.set_data(SHARES, 100 * curves.train_error[:, -1].numpy())
            ends_test.set_data(SHARES, 100 * curves.test_error[:, -1].numpy())
            for mark in marks:
                mark.set_xdata([share, share])
            return words(found, path)

        return show

    return draw


def words(found: Fitted, path: CorruptedPath) -> str:
    """The end of the training in numbers."""
    share, curves, i = SHARES[found.number], found.curves, found.number
    what = {"labels": "labels random", "shuffled": "rows with shuffled pixels", "random": "rows with random pixels"}
    epoch = int(curves.fitted()[i])
    fits = f"all training rows fit from epoch {epoch} on" if epoch >= 0 else "not all training rows fit"
    if epoch >= 0 and float(curves.train_error[i, epoch:].max()) > 0:
        fits = f"all training rows fit in epoch {epoch} for the first time"
    train, test = (100 * float(errors[i, -1]) for errors in (curves.train_error, curves.test_error))
    return (
        f"{share:.0%} of the {what.get(found.kind, 'rows corrupted by your function')}: with "
        f"{path.parameters[found.hidden]:,} parameters for {len(path.room.y_train)} rows {fits}. At the end the "
        f"training loss is {float(curves.train_loss[i, -1]):.3f}, {train:.1f} % of the training rows are wrong and "
        f"{test:.1f} % of the test rows."
    )
