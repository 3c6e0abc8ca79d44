"""Published networks: their parameters, operations, files and accuracy, from torchvision's own notes on them."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from course_utils.data.vision import import_torchvision

__all__ = ["EIGHT_BITS", "FAMILIES", "Network", "chosen", "frontier", "networks"]

MIB = 2**20 / 1e6  # torchvision notes file sizes in units of 2^20 bytes
# The first part of a name in torchvision, and the family that the reader sees.
FAMILIES = {
    "AlexNet": ("alexnet",),
    "VGG": ("vgg",),
    "ResNet, ResNeXt": ("resnet", "resnext", "wide"),
    "GoogLeNet, Inception": ("googlenet", "inception"),
    "DenseNet": ("densenet",),
    "SqueezeNet": ("squeezenet",),
    "MobileNet, MNASNet, ShuffleNet": ("mobilenet", "mnasnet", "shufflenet"),
    "EfficientNet": ("efficientnet",),
    "RegNet": ("regnet",),
    "ConvNeXt": ("convnext",),
    "transformers: ViT, Swin, MaxViT": ("vit", "swin", "maxvit"),
}
EIGHT_BITS = "stored in 8 bits"


class Network(NamedTuple):
    """A network with published weights: as torchvision describes it, `megabytes` in millions of bytes."""

    name: str
    family: str
    weights: str
    parameters: float  # in millions
    gflops: float
    megabytes: float
    top1: float
    top5: float

    @property
    def density(self) -> float:
        """Percent right for each million parameters."""
        return self.top1 / self.parameters


@lru_cache(maxsize=1)
def networks() -> list[Network]:
    """All sets of weights that torchvision knows for the thousand classes of ImageNet, by number of parameters.

    Nothing is downloaded: the counts, the accuracies and the sizes of the files are noted beside the weights' names.
    """
    models = import_torchvision().models
    published = []
    for module, suffix in ((models, ""), (models.quantization, " (8 bits)")):
        for name in models.list_models(module=module):
            for weights in models.get_model_weights(name):
                accuracy = weights.meta["_metrics"].get("ImageNet-1K", {})
                if not math.isfinite(accuracy.get("acc@1", math.nan)):
                    continue
                published.append(
                    Network(
                        name=name.replace("quantized_", "") + suffix,
                        family=_family(name),
                        weights=weights.name,
                        parameters=weights.meta["num_params"] / 1e6,
                        gflops=weights.meta["_ops"],
                        megabytes=weights.meta["_file_size"] * MIB,
                        top1=accuracy["acc@1"],
                        top5=accuracy["acc@5"],
                    )
                )
    return sorted(published, key=lambda network: (network.parameters, network.name))


def _family(name: str) -> str:
    if name.startswith("quantized"):
        return EIGHT_BITS
    return next(family for family, starts in FAMILIES.items() if name.startswith(starts))


def chosen(which: str) -> list[Network]:
    """One set of weights for each name: the "first" published, or the "best", with the fewest errors."""
    by_name: dict[str, list[Network]] = {}
    for network in networks():
        by_name.setdefault(network.name, []).append(network)
    if which == "best":
        return [max(group, key=lambda n: n.top1) for group in by_name.values()]
    # Plain first weights have the shortest name ("IMAGENET1K_V1"), and of equal ones the first is taken.
    return [min(group, key=lambda n: (len(n.weights), n.weights)) for group in by_name.values()]


def frontier(candidates: Sequence[Network], x: str, y: str) -> list[Network]:
    """The networks to which no other is at least as good on both axes (x small, y large), from left to right."""
    best: list[Network] = []
    for network in sorted(candidates, key=lambda n: (getattr(n, x), -getattr(n, y))):
        if not best or getattr(network, y) > getattr(best[-1], y):
            best.append(network)
    return best
