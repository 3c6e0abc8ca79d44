"""Binarization as noise: features of a network trained plainly, with binary weights of two kinds, and with dropout."""

from typing import NamedTuple

import numpy as np
import torch

from course_utils.data import Dataset
from course_utils.experiments.binary.regularizers import KINDS, Noises, first_layer, noises
from course_utils.methods.binarize import BinaryLinear
from course_utils.panels.engine import Choice, Panel, Sheet, Slider
from course_utils.plots import mosaic, weight_map

__all__ = ["features"]

ACROSS, DOWN = 6, 4  # features in a picture
WEIGHT_NAMES = {"real": "real weights", "signs": "signs"}


class FeatureImages(NamedTuple):
    """Features of the first layer by kind, (features, pixels), the number of the first, and a key of WEIGHT_NAMES."""

    images: dict[str, np.ndarray]
    first: int
    what: str


def features(data: str | Dataset | Noises = "digits") -> Panel:
    """Features of the first layer under four regularizers, side by side (lecture, section 06)."""
    networks = data if isinstance(data, Noises) else noises(data)
    hidden = first_layer(networks.models["none"]).weight.shape[0]
    starts = list(range(0, hidden - ACROSS * DOWN + 1, 8))
    controls = [
        Slider(name="first", label="First feature shown", values=starts, value=0),
        Choice(name="what", label="Binary networks show", options={text: what for what, text in WEIGHT_NAMES.items()}),
    ]

    def compute(first: float, what: str) -> FeatureImages:
        images = {}
        for kind, model in networks.models.items():
            w = first_layer(model).weight.detach()[int(first) : int(first) + ACROSS * DOWN]
            signs = what == "signs" and isinstance(first_layer(model), BinaryLinear)
            images[kind] = (torch.where(w >= 0, 1.0, -1.0) if signs else w).numpy()
        return FeatureImages(images, int(first), what)

    title = "Features of the first layer"
    return Panel(title, controls, compute, lambda figure: FeaturePicture(figure, networks).show, size=(960, 300))


class FeaturePicture:
    """The features of four networks, each as a sheet of small images."""

    def __init__(self, figure: Sheet, networks: Noises) -> None:
        self.networks, data = networks, networks.data
        self.side = data.input_shape[-2:] if len(data.input_shape) > 1 else (1, data.features)
        self.maps = {}
        for axes, (name, kind) in zip(figure.grid(4, 4, least=0.7), KINDS.items(), strict=True):
            self.maps[kind] = weight_map(axes, np.zeros((2, 2)), limit=1.0)
            axes.set(xticks=[], yticks=[], xlabel=f"test error {networks.errors[kind]:.1f} %")
            axes.set_title(name.replace("BinaryConnect, ", "BinaryConnect,\n"), fontsize=11)

    def show(self, features: FeatureImages) -> str:
        """Fill the sheets."""
        for kind, sheet in self.maps.items():
            rows = features.images[kind]
            spread = float(np.quantile(abs(rows), 0.99))
            # A hundred shades are enough for the eye, and travel to the browser as a palette.
            sheet.set_data(np.round(mosaic(rows, self.side, down=DOWN, across=ACROSS) / spread * 50) * spread / 50)
            sheet.set_clim(-spread, spread)
        return describe(features, self.networks)


def describe(features: FeatureImages, networks: Noises) -> str:
    """The sentences under the panel: which features are shown, the test errors, and how many weights are clipped."""
    last = features.first + ACROSS * DOWN - 1
    errors = ", ".join(f"{name} {networks.errors[kind]:.1f} %" for name, kind in KINDS.items())
    clipped = np.mean(abs(first_layer(networks.models["stoch"]).weight.detach().numpy()) > 0.99)
    return (
        f"Features {features.first} to {last} of the first layer (binary networks: "
        f"{WEIGHT_NAMES[features.what]}). Test errors: {errors}. Of the stochastic network's real weights "
        f"{clipped:.0%} lie at −1 or +1."
    )
