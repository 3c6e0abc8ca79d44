"""The first layer from a few of its weights: all features, the kept weights, and what is predicted from them."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from course_utils.data import Dataset
from course_utils.experiments.parameters.predicted import (
    FEATURES,
    SHARES,
    Predict,
    PredictedPath,
    Prediction,
    predicted_path,
)
from course_utils.panels.engine import Choice, Panel, Sheet, Slider
from course_utils.panels.legends import name_what_is_drawn
from course_utils.plots import COLOURS, FAINT, mosaic, weight_map

__all__ = ["predicted"]

KINDS = {
    "the distance of the pixels": "near",
    "the covariance of the pixels": "data",
    "nothing: the others are 0": "zero",
}
COLUMNS = {"the same for all features": 1, "different in each of 10 blocks": 10}
PICTURES = {"before training": False, "after training": True}
ACROSS = 4  # features in a row of a picture
DOWN = FEATURES // ACROSS


class State(NamedTuple):
    """What the controls say."""

    kind: str
    columns: int
    share: float
    trained: bool


def predicted(data: str | Dataset | PredictedPath = "digits", *, predict: Predict | None = None) -> Panel:
    """The first layer from a share of its weights (Denil et al. 2013; lecture, section 03).

    `data`: a name of `load_dataset`, a data set, or a path from `predicted_path`. `predict`: as there.
    """
    path = data if isinstance(data, PredictedPath) else predicted_path(data, predict=predict)
    kinds = {"your function": "reader"} if path.by_reader else KINDS
    texts = [f"{s:.0%}" for s in SHARES]
    controls = [
        Slider(name="share", label="Share of the weights kept", values=SHARES, value=0.2, texts=texts),
        Choice(name="kind", label="The others are predicted from", options=kinds),
        Choice(name="columns", label="Kept pixels", options=COLUMNS),
        Choice(name="trained", label="Picture on the right", options=PICTURES),
    ]

    def compute(kind: str, columns: int, share: float, trained: bool) -> State:
        return State(kind, columns, share, trained)

    title = "The first layer from a few of its weights"
    return Panel(title, controls, compute, lambda figure: PredictedPicture(figure, path).show, size=(960, 390))


class PredictedPicture:
    """Features with all weights, with the kept ones and as predicted; the accuracy by the share that is kept."""

    def __init__(self, figure: Sheet, path: PredictedPath) -> None:
        self.path = path
        *pictures, curves = figure.rows([1, 1, 1, 1.75], least=[[0.55, 0.55, 0.55, 0.8]])[0]
        total, self.observed, self.predicted = (Features(axes, path) for axes in pictures)
        total.show(path.features)
        titles = ("All weights", "Kept weights", "Predicted")
        self.title = [axes.set_title(title) for axes, title in zip(pictures, titles, strict=True)][-1]
        self._draw_curves(curves)

    def _draw_curves(self, axes: Axes) -> None:
        compared = any(kind == "zero" for kind, *_ in self.path.predictions)  # not beside a reader's own function
        self.lines = {
            name: axes.plot([], [], style, ms=5, color=COLOURS[colour], label=label)[0]
            for name, style, colour, label in (
                ("before", "o:", "sky", "not trained"),
                ("after", "o-", "blue", "kept weights trained"),
                ("zero", "s--", "orange", "the others 0, kept weights trained" if compared else "_"),
            )
        }
        axes.axhline(100 * self.path.accuracy, color=COLOURS["grey"], ls="-.", lw=1.5, label="all weights")
        self.mark = axes.axvline(0.1, ymax=0.65, color=COLOURS["ink"], lw=1)
        axes.set(xlim=(0.026, 0.85), xscale="log", ylim=(0, 159), yticks=range(0, 101, 20))
        axes.set_xticks(SHARES, [f"{100 * s:g}" for s in SHARES])
        axes.minorticks_off()
        axes.set(xlabel="share of the weights kept (%)", title="Test accuracy (%)")
        self.legend = axes.legend(loc="upper left", fontsize=9.5, handlelength=2.4, borderaxespad=0)

    def show(self, state: State) -> str:
        prediction = self.path.predictions[state.kind, state.columns, state.share]
        untrained = "Others are 0" if state.kind == "zero" else "Predicted"
        self.title.set_text("Then trained" if state.trained else untrained)
        self.observed.show(prediction.observed)
        self.predicted.show(prediction.after if state.trained else prediction.before)
        for name, kind, i in (("before", state.kind, 0), ("after", state.kind, 1), ("zero", "zero", 1)):
            known = (kind, state.columns, state.share) in self.path.predictions
            self.lines[name].set_visible(known and (name, kind) != ("after", "zero"))  # that is the line of "zero"
            if known:
                accuracies = [self.path.predictions[kind, state.columns, share].accuracy[i] for share in SHARES]
                self.lines[name].set_data(SHARES, 100 * np.array(accuracies))
        self.mark.set_xdata([state.share, state.share])
        name_what_is_drawn(self.legend)
        return describe(state, prediction, self.path)


class Features:
    """A wall of features with thin lines between them; the same colour means the same weight in all walls of a path."""

    def __init__(self, axes: Axes, path: PredictedPath) -> None:
        shape = path.data.input_shape
        self.side = shape[-2:] if len(shape) > 1 else (1, path.data.features)
        rows, columns = self.side
        limit = float(np.quantile(np.abs(path.features), 0.99))
        self.image = weight_map(axes, self._wall(np.zeros((FEATURES, rows * columns))), limit=limit)
        axes.set(xticks=[], yticks=[])
        axes.vlines(np.arange(1, ACROSS) * (columns + 1) - 1, -0.5, DOWN * (rows + 1), color=FAINT, lw=1)
        axes.hlines(np.arange(1, DOWN) * (rows + 1) - 1, -0.5, ACROSS * (columns + 1), color=FAINT, lw=1)

    def _wall(self, features: np.ndarray) -> np.ndarray:
        return mosaic(features, self.side, down=DOWN, across=ACROSS)

    def show(self, features: np.ndarray) -> None:
        self.image.set_data(self._wall(features))


def describe(state: State, prediction: Prediction, path: PredictedPath) -> str:
    """The sentences under the panel: how many weights are kept, and the accuracy before and after training."""
    if state.kind == "zero":
        how, base = "the others are 0", ""
    else:
        how = "the others are predicted"
        zero = path.predictions.get(("zero", state.columns, state.share))
        base = "" if zero is None else f" (with the others at 0: {zero.accuracy[1]:.1%})"
    before, after = prediction.accuracy
    return (
        f"{prediction.weights:,} of {path.weights:,} weights of the first layer are kept, {how}: accuracy {before:.1%} "
        f"before training, {after:.1%} once the kept weights are trained{base}; with all weights {path.accuracy:.1%}. "
        f"The features on the right are shown {'after' if state.trained else 'before'} training."
    )
