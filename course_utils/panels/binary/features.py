"""Binarization as noise: one network trained plainly, with binary weights, with random ones, and with dropout."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom
from course_utils.methods.binarize import BinaryLinear, clip_
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.train import evaluate, fit

__all__ = ["KINDS", "Noises", "features", "first_layer", "make_network", "noises"]

KINDS = {"no regularizer": "none", "BinaryConnect, deterministic": "det", "BinaryConnect, stochastic": "stoch"}
KINDS |= {"50 % dropout": "dropout"}
ACROSS, DOWN = 6, 4  # features in a picture


class Noises:
    """Four trained networks: `models` and `errors`, in percent of the test rows, by kind."""

    def __init__(self, data: Dataset, models: dict[str, nn.Sequential]) -> None:
        self.data, self.models = data, models
        self.errors = {kind: 100 - 100 * evaluate(model, data).accuracy for kind, model in models.items()}

    def __repr__(self) -> str:
        lines = [f"{name:30} test error {self.errors[kind]:5.2f} %" for name, kind in KINDS.items()]
        return "\n".join([f"on {self.data.name}, {len(self.data.y_test):,} test rows", *lines])


def make_network(kind: str, data: Dataset, *, hidden: int, seed: int = 0) -> nn.Sequential:
    """Two hidden layers with batch normalisation, as in BinaryConnect, and one of the four kinds of noise."""
    plain = kind in ("none", "dropout")
    binary = partial(BinaryLinear, stochastic=kind == "stoch")
    linear: Callable[..., nn.Module] = nn.Linear if plain else binary
    layers: list[nn.Module] = [nn.Flatten()]
    with random_numbers(seed):
        for n, m in ((data.features, hidden), (hidden, hidden)):
            layers += [linear(n, m), nn.BatchNorm1d(m), nn.ReLU()]
            layers += [nn.Dropout(0.5)] if kind == "dropout" else []
        layers += [linear(hidden, data.classes), nn.BatchNorm1d(data.classes)]
        for layer in layers:
            if isinstance(layer, BinaryLinear):  # spread over the whole range, so that the signs say something
                nn.init.uniform_(layer.weight, -1, 1)
    return nn.Sequential(*layers)


def first_layer(model: nn.Sequential) -> nn.Linear:
    """The layer whose rows are the features."""
    layer = model[1]
    assert isinstance(layer, nn.Linear)
    return layer


def settings_for(kind: str) -> dict[str, Any]:
    """How the network of a kind is trained: binary weights need larger steps to change their signs."""
    lr = {"none": 3e-3, "dropout": 3e-3, "det": 0.03, "stoch": 0.1}[kind]
    return {"lr": lr, "batch_size": 64, "schedule": "cosine", "after_step": clip_}


def noises(data: str | Dataset = "digits", *, epochs: int = 20, hidden: int = 128) -> Noises:
    """Train the four networks; those of a data set that is named only once."""
    return _of_name(data, epochs, hidden) if isinstance(data, str) else _train(classroom(data), epochs, hidden)


@lru_cache(maxsize=2)
def _of_name(name: str, epochs: int, hidden: int) -> Noises:
    return _train(classroom(name), epochs, hidden)


def _train(data: Dataset, epochs: int, hidden: int) -> Noises:
    if data.features > 100:
        epochs = max(1, epochs // 3)
    models = {}
    for kind in KINDS.values():
        model = make_network(kind, data, hidden=hidden)
        fit(model, data, epochs=epochs, evaluate_every=0, device="cpu", progress=False, **settings_for(kind))
        models[kind] = model.eval()
    return Noises(data, models)


SHOWN = {"real": "real weights", "signs": "signs"}


class Wall(NamedTuple):
    """Features of the first layer by kind, (features, pixels), and the number of the first one."""

    images: dict[str, np.ndarray]
    first: int
    what: str


def features(data: str | Dataset | Noises = "digits") -> Panel:
    """Features of the first layer under four regularizers, side by side (lecture, section 06)."""
    trained = data if isinstance(data, Noises) else noises(data)
    hidden = first_layer(trained.models["none"]).weight.shape[0]
    starts = list(range(0, hidden - ACROSS * DOWN + 1, 8))
    controls = [
        Slider(name="first", label="First feature shown", values=starts, value=0),
        Choice(name="what", label="Binary networks show", options={text: what for what, text in SHOWN.items()}),
    ]

    def compute(first: float, what: str) -> Wall:
        found = {}
        for kind, model in trained.models.items():
            w = first_layer(model).weight.detach()[int(first) : int(first) + ACROSS * DOWN]
            signs = what == "signs" and isinstance(first_layer(model), BinaryLinear)
            found[kind] = (torch.where(w >= 0, 1.0, -1.0) if signs else w).numpy()
        return Wall(found, int(first), what)

    return Panel("Features of the first layer", controls, compute, drawing(trained), size=(960, 300))


def drawing(trained: Noises) -> Draw:
    """The drawing for the features of these networks."""
    side = trained.data.input_shape[-2:] if len(trained.data.input_shape) > 1 else (1, trained.data.features)

    def draw(figure: Figure) -> Show:
        from course_utils.plots import mosaic, weight_map

        panels = figure.subplots(1, 4)
        maps = {}
        for axes, (name, kind) in zip(panels, KINDS.items(), strict=True):
            maps[kind] = weight_map(axes, np.zeros((2, 2)), limit=1.0)
            axes.set(xticks=[], yticks=[], xlabel=f"test error {trained.errors[kind]:.1f} %")
            axes.set_title(name.replace("BinaryConnect, ", "BinaryConnect,\n"), fontsize=11)

        def show(wall: Wall) -> str:
            for kind, image in maps.items():
                spread = float(np.quantile(abs(wall.images[kind]), 0.99))
                # A hundred shades are enough for the eye, and travel to the browser as a palette.
                image.set_data(
                    np.round(mosaic(wall.images[kind], side, down=DOWN, across=ACROSS) / spread * 50) * spread / 50
                )
                image.set_clim(-spread, spread)
            clipped = np.mean(abs(first_layer(trained.models["stoch"]).weight.detach().numpy()) > 0.99)
            errors = ", ".join(f"{name} {trained.errors[kind]:.1f} %" for name, kind in KINDS.items())
            last = wall.first + ACROSS * DOWN - 1
            return (
                f"Features {wall.first} to {last} of the first layer, of binary networks {SHOWN[wall.what]}. Test "
                f"errors: {errors}. Of the stochastic network's real weights {clipped:.0%} lie at −1 or +1."
            )

        return show

    return draw
