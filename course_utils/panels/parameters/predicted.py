"""The first layer from a few of its weights: the features whole, as far as they are kept, and as predicted."""

import copy
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy, trained
from course_utils.methods.predict_parameters import (
    PredictedLinear,
    choose_observed,
    empirical_kernel,
    pixel_coordinates,
    prediction_matrix,
    squared_exponential,
)
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT, HeatMap, mosaic, weight_map
from course_utils.train import fit

__all__ = ["KINDS", "SHARES", "PredictedPath", "predicted", "predicted_path"]

SHARES = (0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75)
COLUMNS = (1, 10)
KINDS = {"that near pixels are alike": "near", "how pixels go together": "data", "nothing: the others are 0": "zero"}
ROWS, EPOCHS = 4_000, 8
ACROSS, DOWN = 4, 5  # features in a picture

Predict = Callable[[Tensor, Tensor, Tensor], Tensor]


class Kept(NamedTuple):
    """A first layer of which a share is kept: some features, and the network's share of right answers."""

    seen: np.ndarray  # (features, inputs), 0 where a weight is not kept
    before: np.ndarray  # as predicted from the trained layer
    after: np.ndarray  # the same once the kept weights have been trained
    right: tuple[float, float]  # before and after
    weights: int  # of the layer that are kept


class PredictedPath:
    """The lesson's network with its first layer predicted: `kept` by (kind, columns, share), and the `whole` one."""

    def __init__(self, data: str | Dataset, predict: Predict | None, epochs: int = EPOCHS) -> None:
        self.epochs = epochs
        self.room, model = classroom(data), trained(data)
        self.right = measure_accuracy(model, self.room)
        layer = model[1]
        assert isinstance(layer, nn.Linear)
        self.weights = layer.in_features * layer.out_features
        step = layer.out_features // (ACROSS * DOWN)
        self.shown = torch.arange(ACROSS * DOWN) * step
        self.whole = layer.weight.detach()[self.shown].numpy()
        self.own = predict is not None
        rows = self.room.subset(min(ROWS, len(self.room.y_train)))
        kinds = ["own"] if predict else list(KINDS.values())
        self.kept: dict[tuple[str, int, float], Kept] = {}
        for columns in COLUMNS:
            for share in SHARES:
                count = max(1, round(share * layer.in_features))
                observed = choose_observed(layer.in_features, count, columns=columns)
                for kind in kinds:
                    u = torch.stack([self._matrix(kind, places, predict) for places in observed])
                    self.kept[kind, columns, share] = self._train(model, rows, u, observed)

    def __repr__(self) -> str:
        return (
            f"{len(self.kept)} networks on {self.room.name} with {min(SHARES):.0%} to {max(SHARES):.0%} of the "
            f"{self.weights:,} weights of the first layer; with all {self.right:.1%} right"
        )

    def _matrix(self, kind: str, observed: Tensor, predict: Predict | None) -> Tensor:
        """U, (inputs, observed)."""
        if kind == "zero":
            return torch.eye(self.room.features)[:, observed]
        coordinates = pixel_coordinates(self.room.input_shape)
        if predict is not None:
            return matrix_of(predict, coordinates[observed], coordinates)
        return prediction_matrix(self.kernel(kind), observed)

    @lru_cache(maxsize=2)  # noqa: B019 - a path lives as long as its notebook
    def kernel(self, kind: str) -> Tensor:
        """How alike the weights of two pixels are expected to be, (inputs, inputs)."""
        if kind == "data":
            return empirical_kernel(self.room.x_train)
        return squared_exponential(
            pixel_coordinates(self.room.input_shape), width=1.0 if self.room.features < 100 else 1.5
        )

    def _train(self, model: nn.Sequential, rows: Dataset, u: Tensor, observed: Tensor) -> Kept:
        network = copy.deepcopy(model)
        dense = network[1]
        assert isinstance(dense, nn.Linear)
        network[1] = layer = PredictedLinear.from_linear(dense, u, observed)
        before, right = layer.weight.detach()[self.shown].numpy(), measure_accuracy(network.eval(), self.room)
        seen = np.zeros_like(self.whole)
        for i, feature in enumerate(self.shown.tolist()):
            places = observed[feature * len(observed) // dense.out_features]
            seen[i, places] = self.whole[i, places]
        epochs = self.epochs if self.room.features < 100 else (self.epochs + 1) // 2
        fit(
            network, rows, epochs=epochs, lr=3e-3, batch_size=64,
            schedule="cosine", evaluate_every=0, device="cpu", progress=False,
        )  # fmt: skip
        after = layer.weight.detach()[self.shown].numpy()
        return Kept(seen, before, after, (right, measure_accuracy(network.eval(), self.room)), layer.observed.numel())


def matrix_of(predict: Predict, known: Tensor, places: Tensor) -> Tensor:
    """U of a reader's ``predict(w, known, places)``, (inputs, observed); ValueError where it is no linear map of w."""
    generator = torch.Generator().manual_seed(0)
    probe = torch.cat([torch.eye(len(known)), torch.randn(2, len(known), generator=generator)])
    found = predict(probe, known, places)
    shape = (len(probe), len(places))
    if not isinstance(found, Tensor) or found.shape != shape:
        got = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(f"predict must return the weights of all pixels, here of shape {shape}, got {got}")
    u = found[: len(known)].T.float()
    if not bool(torch.isfinite(found).all()):
        raise ValueError("predict must return finite numbers; does it divide by a distance of 0?")
    if not torch.allclose(probe[-2:] @ u.T, found[-2:].float(), atol=1e-3, rtol=1e-3):
        raise ValueError("predict must be linear in w: twice the known weights, twice the predicted ones")
    return u.contiguous()


def predicted_path(
    data: str | Dataset = "digits", *, predict: Predict | None = None, epochs: int = EPOCHS
) -> PredictedPath:
    """Predict and train the first layer in every way of the panel; for a data set that is named only once.

    `predict`: your own ``predict(w, known, places)``, which gives the weights (features, n) at all `places` (n, d)
    from those `w` (features, m) at the `known` places (m, d).
    """
    return _of_name(data, predict, epochs) if isinstance(data, str) else PredictedPath(data, predict, epochs)


@lru_cache(maxsize=4)
def _of_name(name: str, predict: Predict | None, epochs: int) -> PredictedPath:
    return PredictedPath(name, predict, epochs)


class Standing(NamedTuple):
    """Where the reader stands on the path."""

    kind: str
    columns: int
    share: float
    trained: bool


def predicted(data: str | Dataset | PredictedPath = "digits", *, predict: Predict | None = None) -> Panel:
    """The first layer from a share of its weights (Denil et al. 2013; lecture, section 03).

    `data`: a name of `load_dataset`, a data set, or a path from `predicted_path`. `predict`: as there.
    """
    path = data if isinstance(data, PredictedPath) else predicted_path(data, predict=predict)
    kinds = {"your function": "own"} if path.own else KINDS
    texts = [f"{s:.0%}" for s in SHARES]
    controls = [
        Slider(name="share", label="Share of the weights kept", values=SHARES, value=0.2, texts=texts),
        Choice(name="kind", label="The others are predicted from", options=kinds),
        Choice(name="columns", label="Kept pixels", options={"the same for all": 1, "10 blocks, each its own": 10}),
        Choice(name="trained", label="Picture on the right", options={"as predicted": False, "and then trained": True}),
    ]

    def compute(kind: str, columns: int, share: float, trained: bool) -> Standing:
        return Standing(kind, columns, share, trained)

    title = "The first layer from a few of its weights"
    return Panel(title, controls, compute, drawing(path), size=(960, 390))


def drawing(path: PredictedPath) -> Draw:
    """The drawing for the networks of `path`."""
    shape = path.room.input_shape
    side = shape[-2:] if len(shape) > 1 else (1, path.room.features)
    limit = float(np.quantile(np.abs(path.whole), 0.99))

    def draw(figure: Figure) -> Show:
        *pictures, right = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.75])
        whole, seen, made = (features(axes, side, limit) for axes in pictures)
        whole.set_data(mosaic(path.whole, side, down=DOWN, across=ACROSS))
        titles = [
            axes.set_title(title)
            for axes, title in zip(pictures, ("All weights", "Kept ones", "Predicted"), strict=True)
        ]
        lines = {}
        compared = any(kind == "zero" for kind, *_ in path.kept)  # not beside a reader's own function
        for name, look, colour, label in (
            ("before", "o:", "sky", "predicted, not trained"),
            ("after", "o-", "blue", "predicted, kept ones trained"),
            ("zero", "s--", "orange", "the others 0, kept ones trained" if compared else "_"),
        ):
            (lines[name],) = right.plot([], [], look, ms=5, color=COLOURS[colour], label=label)
        right.axhline(100 * path.right, color=COLOURS["grey"], ls="-.", lw=1.5, label="all weights")
        here = right.axvline(0.1, ymax=0.65, color=COLOURS["ink"], lw=1)
        right.set(xscale="log", xlim=(0.026, 0.85), ylim=(0, 159), yticks=range(0, 101, 20))
        right.set_xticks(SHARES, [f"{100 * s:g}" for s in SHARES])
        right.minorticks_off()
        right.set(xlabel="share of the weights kept (%)", title="Right on the test rows (%)")
        right.legend(loc="upper left", fontsize=10, borderaxespad=0)

        def show(state: Standing) -> str:
            now = path.kept[state.kind, state.columns, state.share]
            predicted = "Others are 0" if state.kind == "zero" else "Predicted"
            titles[2].set_text("Then trained" if state.trained else predicted)
            seen.set_data(mosaic(now.seen, side, down=DOWN, across=ACROSS))
            made.set_data(mosaic(now.after if state.trained else now.before, side, down=DOWN, across=ACROSS))
            for name, kind, number in (("before", state.kind, 0), ("after", state.kind, 1), ("zero", "zero", 1)):
                lines[name].set_visible((kind, state.columns, state.share) in path.kept)
                if lines[name].get_visible():
                    found = [path.kept[kind, state.columns, share].right[number] for share in SHARES]
                    lines[name].set_data(SHARES, 100 * np.array(found))
            here.set_xdata([state.share, state.share])
            return words(path, state, now)

        return show

    return draw


def words(path: PredictedPath, state: Standing, now: Kept) -> str:
    """The numbers of a state."""
    if state.kind == "zero":
        how, base = "the others are 0", ""
    else:
        how = "the others are predicted"
        zero = path.kept.get(("zero", state.columns, state.share))
        base = "" if zero is None else f" (with the others at 0: {zero.right[1]:.1%})"
    return (
        f"{now.weights:,} of {path.weights:,} weights of the first layer are kept, {how}: {now.right[0]:.1%} right as "
        f"it is, {now.right[1]:.1%} once the kept ones are trained{base}; with all weights {path.right:.1%}. "
        f"The features on the right are shown {'after' if state.trained else 'before'} that training."
    )


def features(axes: Axes, side: tuple[int, ...], limit: float) -> HeatMap:
    """A wall of features with thin lines between them."""
    image = weight_map(
        axes, mosaic(np.zeros((ACROSS * DOWN, side[0] * side[1])), side, down=DOWN, across=ACROSS), limit=limit
    )
    axes.set(xticks=[], yticks=[])
    axes.vlines(np.arange(1, ACROSS) * (side[1] + 1) - 1, -0.5, DOWN * (side[0] + 1), color=FAINT, lw=1)
    axes.hlines(np.arange(1, DOWN) * (side[0] + 1) - 1, -0.5, ACROSS * (side[1] + 1), color=FAINT, lw=1)
    return image
