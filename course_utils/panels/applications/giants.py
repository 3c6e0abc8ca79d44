"""The four miniatures beside famous networks: their parameters, their bytes at so many bits, and where they fit."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.data.vision import import_torchvision
from course_utils.models import count_parameters
from course_utils.panels.applications.captions import STATES, Spellers, spellers
from course_utils.panels.applications.classifier import WIDTHS, Classifiers, classifiers
from course_utils.panels.applications.dqn import q_network
from course_utils.panels.applications.gridworld import CELLS
from course_utils.panels.applications.lesson import bytes_in_words
from course_utils.panels.applications.translator import Translators, translators
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT

__all__ = ["Network", "giants", "networks", "sizes"]

BITS = (1, 2, 4, 8, 16, 32)
PLACES = {
    "a small microcontroller, 256 kB": 256e3,
    "a message on a phone, 10 MB": 10e6,
    "a small computer, 1 GB": 1e9,
    "a large graphics card, 80 GB": 80e9,
}


class Network(NamedTuple):
    """A network's name, its number of parameters Q, and whether it is one of ours."""

    name: str
    q: int
    ours: bool


def convolutions(shapes: Iterable[tuple[int, int, int]]) -> int:
    """The weights and biases of convolutions of (inputs, outputs, side of the filter).

    >>> convolutions([(1, 16, 3), (16, 32, 3)])
    4800
    """
    return sum(n * m * side**2 + m for n, m, side in shapes)


def atari_network() -> int:
    """Q of the network of Mnih et al. 2015, counted from its layers as the paper lists them, for 18 actions.

    >>> atari_network()
    1693362
    """
    return convolutions([(4, 32, 8), (32, 64, 4), (64, 64, 3)]) + (64 * 7 * 7 * 512 + 512) + (512 * 18 + 18)


def unet_generator() -> int:
    """Q of the U-net of Isola et al. 2016 for 3 colours, from the paper's list of layers; batch normalisation left out.

    >>> unet_generator()
    54409603
    """
    down = [3, 64, 128, 256, 512, 512, 512, 512, 512]
    up = [512, 512, 512, 512, 256, 128, 64]
    # From the second layer on the decoder also sees the encoder's picture of the same size, hence twice the inputs.
    inputs = [512, *(2 * n for n in up)]
    return convolutions([(n, m, 4) for n, m in [*pairwise(down), *zip(inputs, [*up, 3], strict=True)]])


def networks(read: Classifiers, captioned: Spellers, translated: Translators) -> list[Network]:
    """Ours, counted; then the published ones, by the metadata that torchvision carries or counted from their layers."""
    models = import_torchvision().models
    ours = [
        Network("agent in a grid", count_parameters(q_network(len(CELLS))), True),
        Network("classifier", count_parameters(read.models[WIDTHS[-1]]), True),
        Network("captioner", count_parameters(captioned.models[STATES[-1]]), True),
        Network("edges to digits", count_parameters(translated.models["8, shortcuts"]), True),
    ]
    known = {
        "ResNet-152 (2015)": models.ResNet152_Weights.IMAGENET1K_V1,
        "AlexNet (2012)": models.AlexNet_Weights.IMAGENET1K_V1,
        "VGG16 (2014)": models.VGG16_Weights.IMAGENET1K_V1,
        "ViT-H/14 (2020)": models.ViT_H_14_Weights.IMAGENET1K_SWAG_E2E_V1,
    }
    published = [Network(name, int(weights.meta["num_params"]), False) for name, weights in known.items()]
    published += [
        Network("Atari player (2015)", atari_network(), False),
        Network("edges to photos (2016)", unet_generator(), False),
        Network("GPT-3 (2020)", 175_000_000_000, False),  # Brown et al. 2020, arXiv:2005.14165
    ]
    return sorted([*ours, *published], key=lambda network: network.q)


def sizes(found: list[Network]) -> str:
    """A table of Q and bytes at 32 bits.

    >>> print(sizes([Network("AlexNet", 61_100_840, False)]))
    AlexNet                           61,100,840 parameters      244 MB
    """
    return "\n".join(f"{n.name:25} {n.q:18,} parameters {bytes_in_words(4 * n.q):>11}" for n in found)


class Sized(NamedTuple):
    """The bytes of all networks at `bits` each, and the bytes that there is room for."""

    found: list[Network]
    bytes: np.ndarray
    bits: int
    room: float


def giants(
    data: str | Dataset = "digits",
    *,
    read: Classifiers | None = None,
    captioned: Spellers | None = None,
    translated: Translators | None = None,
) -> Panel:
    """The bytes of small and large networks at 1 to 32 bits for each parameter (lecture, sections 02 and 03).

    `read`, `captioned`, `translated`: what the cells before have trained; by default they are trained on `data`.
    """
    found = networks(read or classifiers(data), captioned or spellers(data), translated or translators(data))
    controls = [
        Slider(name="bits", label="Bits for each parameter", values=BITS, value=32),
        Choice(name="room", label="Is to fit into", options=PLACES, value=10e6),
    ]

    def compute(bits: float, room: float) -> Sized:
        return Sized(found, np.array([n.q for n in found]) * bits / 8, int(bits), room)

    return Panel("Miniatures beside giants", controls, compute, drawing(found), size=(960, 410))


def drawing(found: list[Network]) -> Draw:
    """The drawing for these networks."""

    def draw(figure: Figure) -> Show:
        axes = figure.subplots()
        rows = np.arange(len(found))
        lines = axes.hlines(rows, 1, np.ones(len(found)), lw=2, colors=FAINT)
        ours = np.array([n.ours for n in found])
        (small,) = axes.plot([1], [1], "o", ms=9, color=COLOURS["blue"], label="ours, trained in this notebook")
        (large,) = axes.plot([1], [1], "D", ms=8, color=COLOURS["green"], label="published")
        texts = [
            axes.annotate(
                "",
                (1, row),
                (10, 0),
                textcoords="offset points",
                va="center",
                fontsize=10,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},  # the edge of the room may go through
            )
            for row in rows
        ]
        edge = axes.axvline(1, color=COLOURS["orange"], ls="--", label="room")
        axes.set(xscale="log", xlim=(100, 2e13), ylim=(len(found) - 0.4, -0.8), xlabel="bytes")
        axes.set_yticks(rows, [n.name for n in found])
        axes.set_xticks([1e3, 1e6, 1e9, 1e12], ["1 kB", "1 MB", "1 GB", "1 TB"])
        axes.minorticks_off()
        axes.legend(loc="upper right", fontsize=10)
        heading = axes.set_title("Bytes at 32 bits for each parameter")

        def show(sized: Sized) -> str:
            lines.set_segments([[(1, row), (size, row)] for row, size in zip(rows, sized.bytes, strict=True)])
            small.set_data(sized.bytes[ours], rows[ours])
            large.set_data(sized.bytes[~ours], rows[~ours])
            edge.set_xdata([sized.room] * 2)
            heading.set_text(f"Bytes at {sized.bits} bit{'s' if sized.bits > 1 else ''} for each parameter")
            for text, size in zip(texts, sized.bytes, strict=True):
                text.xy = (size, text.xy[1])
                text.set_text(f"{bytes_in_words(size)} {'✓' if size <= sized.room else '✗'}")
            return words(sized)

        return show

    return draw


def words(sized: Sized) -> str:
    """How many fit, and how few bits the largest may have."""
    fit = [n.name for n, size in zip(sized.found, sized.bytes, strict=True) if size <= sized.room]
    largest = sized.found[-1]
    ratio = math.ceil(4 * largest.q / sized.room)
    return (
        f"At {sized.bits} bit{'s' if sized.bits > 1 else ''} each, {len(fit)} of {len(sized.found)} networks fit into "
        f"{bytes_in_words(sized.room)}, the largest of them {fit[-1]}. {largest.name} with {largest.q:,} parameters of "
        f"32 bits would have to shrink {ratio:,} times."
    )
