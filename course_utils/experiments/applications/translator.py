"""Image to image: encoder-decoders that turn the edges of a digit into the digit, with and without shortcuts.

    encoder: edges (1, s, s) -> (c, s/2, s/2) -> (2c, s/4, s/4) -> k numbers, the bottleneck
    decoder: k numbers -> (2c, s/4, s/4) -> (c, s/2, s/2) -> picture (1, s, s)

With shortcuts the decoder also sees the encoder's pictures of the same size, as in a U-net. The loss is the mean
|output - truth|, the l1 part of Isola, Zhu, Zhou, Efros 2016, arXiv:1611.07004; their second network, which judges
whether an output looks real, is left out here.
"""

import copy
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.experiments.applications.classifier import Classifiers, classifiers
from course_utils.experiments.applications.edges import edges_of, sharpened
from course_utils.experiments.applications.miniature import digit_pictures, new_network, one_thread, size_in_words
from course_utils.train import fit

__all__ = ["BUILDS", "Quality", "Translator", "Translators", "translators"]

# Name: numbers in the bottleneck, shortcuts or not.
BUILDS = {"2 numbers": (2, False), "8 numbers": (8, False), "32 numbers": (32, False), "8, shortcuts": (8, True)}
TESTED = 450  # test pictures; all of them go through all networks while a slider moves


class Translator(nn.Module):
    """An encoder-decoder for pictures (n, 1, side, side) with `bottleneck` numbers in its middle."""

    def __init__(self, side: int, bottleneck: int, *, shortcuts: bool, channels: int = 8) -> None:
        super().__init__()
        self.shortcuts, self.small = shortcuts, (2 * channels, side // 4, side // 4)
        inner, double = 2 * channels * (side // 4) ** 2, 2 if shortcuts else 1
        self.down1 = nn.Conv2d(1, channels, 4, stride=2, padding=1)
        self.down2 = nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1)
        self.squeeze = nn.Linear(inner, bottleneck)
        self.widen = nn.Linear(bottleneck, inner)
        self.up2 = nn.ConvTranspose2d(2 * channels * double, channels, 4, stride=2, padding=1)
        self.up1 = nn.ConvTranspose2d(channels * double, 1, 4, stride=2, padding=1)
        assert self.up1.bias is not None
        nn.init.constant_(self.up1.bias, -2.0)  # begins with pale pictures, since most of a picture is paper

    def forward(self, edges: Tensor) -> Tensor:
        """Pictures (n, 1, side, side) with values in [0, 1]."""
        first = F.relu(self.down1(edges))
        second = F.relu(self.down2(first))
        code = self.squeeze(second.flatten(1))
        h = F.relu(self.widen(code)).unflatten(1, self.small)
        h = F.relu(self.up2(torch.cat([h, second], 1) if self.shortcuts else h))
        return torch.sigmoid(self.up1(torch.cat([h, first], 1) if self.shortcuts else h))


class Quality(NamedTuple):
    """The outputs of a network, their mean |output - truth|, and the accuracy of the classifier on them."""

    outputs: Tensor
    error: float
    accuracy: float


class Translators:
    """A trained network for each of BUILDS; `truth` and `edges` are the test pictures, `judge` says what it reads."""

    @one_thread()
    def __init__(self, data: Dataset, judge: Classifiers, *, epochs: int) -> None:
        self.judge = judge
        self.data = replace(data, x_test=data.x_test[:TESTED], y_test=data.y_test[:TESTED])
        self.truth = sharpened(self.data.x_test)
        self.edges = edges_of(self.truth)
        self.models = {name: _trained(data, *build, epochs=epochs) for name, build in BUILDS.items()}

    @one_thread()
    @torch.no_grad()
    def quality(self, name: str, edges: Tensor) -> Quality:
        """What a network makes of edges (n, 1, side, side)."""
        outputs = self.models[name](edges)
        return Quality(outputs, float((outputs - self.truth).abs().mean()), self.reading_accuracy(outputs))

    @one_thread()
    @torch.no_grad()
    def read(self, pictures: Tensor) -> Tensor:
        """The digits that the classifier sees in pictures of any size."""
        return self.judge.best(F.interpolate(pictures, size=self.data.input_shape[-2:], mode="area")).argmax(1)

    def reading_accuracy(self, pictures: Tensor) -> float:
        """The share of test pictures that it reads right."""
        return float((self.read(pictures) == self.data.y_test).float().mean())

    def __repr__(self) -> str:
        true, edges = self.reading_accuracy(self.truth), self.reading_accuracy(self.edges)
        lines = [
            f"image to image: {len(BUILDS)} networks, {len(self.truth):,} test pictures; "
            f"accuracy of the classifier {true:.1%} on the true pictures, {edges:.1%} on the edges"
        ]
        for name, model in self.models.items():
            quality = self.quality(name, self.edges)
            lines.append(
                f"{name:12}: {size_in_words(model):22} mean error {quality.error:.3f}, "
                f"accuracy of the classifier {quality.accuracy:6.1%}"
            )
        return "\n".join(lines)


def translators(data: str | Dataset = "digits", *, epochs: int = 14) -> Translators:
    """Train the networks of this panel; by the name of the data, once in a process."""
    if isinstance(data, str):
        return copy.deepcopy(_of_name(data, epochs))
    return Translators(digit_pictures(data), classifiers(data), epochs=epochs)


@lru_cache(maxsize=2)
def _of_name(name: str, epochs: int) -> Translators:
    return Translators(digit_pictures(name), classifiers(name), epochs=epochs)


def _trained(data: Dataset, bottleneck: int, shortcuts: bool, *, epochs: int) -> Translator:
    truth = sharpened(data.x_train)
    model = new_network(lambda: Translator(truth.shape[-1], bottleneck, shortcuts=shortcuts), seed=0)
    # `fit` hands rows and labels to a loss; the label of a picture is its own row, so that the loss finds the truth.
    pairs = replace(data, x_train=edges_of(truth), y_train=torch.arange(len(truth)))
    fit(model, pairs, epochs=epochs, lr=0.02, batch_size=64, schedule="cosine", evaluate_every=0, device="cpu",
        progress=False, loss=lambda output, rows: F.l1_loss(output, truth[rows]))  # fmt: skip
    return model.eval()
