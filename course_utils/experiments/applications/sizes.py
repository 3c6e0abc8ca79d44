"""The parameters of the four miniatures and of famous networks, counted or from published metadata."""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from course_utils.data.vision import import_torchvision
from course_utils.experiments.applications.captions import STATES, Spellers
from course_utils.experiments.applications.classifier import WIDTHS, Classifiers
from course_utils.experiments.applications.dqn import q_network
from course_utils.experiments.applications.gridworld import CELLS
from course_utils.experiments.applications.miniature import bytes_in_words
from course_utils.experiments.applications.translator import Translators
from course_utils.models import count_parameters

__all__ = ["Network", "atari_network", "networks", "sizes", "unet_generator"]


class Network(NamedTuple):
    """A network's name, its number of parameters Q, and whether it is a miniature of notebook 02."""

    name: str
    q: int
    miniature: bool


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


def networks(classified: Classifiers, captioned: Spellers, translated: Translators) -> list[Network]:
    """The miniatures, counted, and published networks, by torchvision's metadata or counted from their layers."""
    models = import_torchvision().models
    miniatures = [
        Network("agent in a grid", count_parameters(q_network(len(CELLS))), True),
        Network("classifier", count_parameters(classified.models[WIDTHS[-1]]), True),
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
    return sorted([*miniatures, *published], key=lambda network: network.q)


def sizes(networks: list[Network]) -> str:
    """A table of Q and bytes at 32 bits.

    >>> print(sizes([Network("AlexNet", 61_100_840, False)]))
    AlexNet                           61,100,840 parameters      244 MB
    """
    return "\n".join(f"{n.name:25} {n.q:18,} parameters {bytes_in_words(4 * n.q):>11}" for n in networks)
