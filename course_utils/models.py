"""The networks of the course: multilayer perceptrons, the two LeNets of Deep Compression, ResNet-20 for CIFAR-10.

Each is an ordinary module that takes images in [0, 1] or standardised features as `load_dataset` gives them, (n, ...),
and returns logits (n, classes). The weights of a new network are drawn by torch's global generator: call
`torch.manual_seed` before.
"""

import inspect
import os
import reprlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.unfilled import unfilled
from course_utils.data.sources import DataError, checksum, data_root, fetch, place, plain_errors, staging

__all__ = ["ResNet", "architecture", "build", "count_parameters", "lenet5", "lenet_300_100", "mlp", "resnet20"]


def count_parameters(model: nn.Module) -> int:
    """The number of parameters Q of a network, each tied one counted once (lecture, (3)).

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in model.parameters())


def mlp(sizes: Sequence[int], *, activation: Callable[..., nn.Module] = nn.ReLU) -> nn.Sequential:
    """A multilayer perceptron h_{l+1} = g(W h_l + b), the last layer without g (lecture, (1) and (2)).

    `sizes`: inputs, hidden widths, classes; inputs of any shape are flattened. `activation` makes one g per hidden
    layer: it is called with the width of the layer if it has to be given something, such as `KAF` or
    `lambda width: nn.PReLU(width)`, and with nothing otherwise, such as `nn.ReLU`.

    Raises: ValueError for fewer than two sizes, or a size below 1.

    >>> count_parameters(mlp([48, 40, 40, 30, 11]))
    5171
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes must be two or more numbers of at least 1, got {list(sizes)}; try [64, 40, 30, 10]")
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, width in pairwise(sizes[:-1]):
        layers += [nn.Linear(fan_in, width), _activation(activation, width)]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def _activation(make: Callable[..., nn.Module], width: int) -> nn.Module:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    arguments = inspect.signature(make).parameters.values()
    needs_width = any(a.default is a.empty and a.kind in positional for a in arguments)
    return make(width) if needs_width else make()


def lenet_300_100() -> nn.Sequential:
    """The multilayer perceptron 784-300-100-10 of LeCun et al. 1998; the first network of Deep Compression.

    Takes MNIST, (n, 1, 28, 28).

    >>> count_parameters(lenet_300_100())
    266610
    """
    return mlp([784, 300, 100, 10])


def lenet5() -> nn.Sequential:
    """The convolutional network of LeCun et al. 1998 in Caffe's variant; the second network of Deep Compression.

    Two convolutions with max-pooling and no activation between, 800-500-10 with one ReLU. Takes MNIST, (n, 1, 28, 28).

    >>> count_parameters(lenet5())
    431080
    """
    return nn.Sequential(
        nn.Conv2d(1, 20, 5),  # (n, 20, 24, 24)
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),  # (n, 50, 8, 8)
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )


def architecture(model: nn.Module) -> Any:
    """The name of a network of the course, as `build` takes it: a word, or the sizes of an `mlp`; None for others.

    >>> architecture(lenet5()), architecture(mlp([64, 10])), architecture(nn.ReLU())
    ('lenet5', [64, 10], None)
    """
    linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    sizes = [linear[0].in_features, *(layer.out_features for layer in linear)] if linear else []
    with torch.device("meta"), unfilled():  # no memory, no random numbers
        # A module prints its layers with all their settings.
        for name, make in _NAMED.items():
            if repr(make()) == repr(model):
                return name
        return sizes if sizes and min(sizes) > 0 and repr(mlp(sizes)) == repr(model) else None


def build(name: Any, *, max_bytes: int = 2**30) -> nn.Module:
    """The network that `architecture` has named, with new weights.

    `max_bytes`: how many bytes its parameters may take.

    Raises: ValueError for a name that is none.

    >>> count_parameters(build("lenet5"))
    431080
    """
    if isinstance(name, str) and name in _NAMED:
        return _NAMED[name]()
    if isinstance(name, list) and len(name) > 1 and all(type(n) is int and n > 0 for n in name):
        if 4 * sum(a * b + b for a, b in pairwise(name)) > max_bytes:
            raise ValueError(f"an mlp of {reprlib.repr(name)} takes more than {max_bytes:,} bytes; allow more")
        return mlp(name)
    raise ValueError(f"no network is called {reprlib.repr(name)}; there are {', '.join(_NAMED)}, and lists of sizes")


class _Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut that has no parameters (option A)."""

    def __init__(self, planes_in: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(planes_in, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.stride, self.padding = stride, (planes - planes_in) // 2

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        if self.padding:  # every second pixel, and zeros for the planes that are new
            shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padding, self.padding))
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(h)) + shortcut)


class ResNet(nn.Module):
    """A residual network of 6 `blocks` + 2 layers for images (n, 3, 32, 32) in [0, 1].

    Source: He, Zhang, Ren, Sun 2015, arXiv:1512.03385.

    It normalises its input by itself, so that it works on the images of `load_dataset("cifar10")` as they are.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, blocks: int = 3, classes: int = 10) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, blocks, stride=1)
        self.layer2 = _stage(16, 32, blocks, stride=2)
        self.layer3 = _stage(32, 64, blocks, stride=2)
        self.linear = nn.Linear(64, classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, classes) of images (n, 3, 32, 32)."""
        h = F.relu(self.bn1(self.conv1((x - self.mean) / self.std)))
        h = self.layer3(self.layer2(self.layer1(h)))
        return self.linear(h.mean(dim=(2, 3)))


_NAMED: dict[str, Callable[[], nn.Module]] = {
    "lenet_300_100": lenet_300_100,
    "lenet5": lenet5,
    "resnet20": lambda: ResNet(blocks=3),
}


def _stage(planes_in: int, planes: int, blocks: int, *, stride: int) -> nn.Sequential:
    first = _Block(planes_in, planes, stride)
    return nn.Sequential(first, *(_Block(planes, planes, 1) for _ in range(blocks - 1)))


_RESNET20 = "resnet20-12fca82f.th"
_RESNET20_SHA256 = "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8"
_RESNET20_URL = f"https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/{_RESNET20}"


def resnet20(*, pretrained: bool = False, root: str | os.PathLike[str] | None = None) -> ResNet:
    """ResNet-20 for CIFAR-10, 269,722 parameters (He et al. 2015, arXiv:1512.03385).

    With `pretrained`, the weights published by Y. Idelbayev (*Proper ResNet implementation for CIFAR10/CIFAR100 in
    PyTorch*; top-1 91.78 %) are loaded from the data folder (`root`, as in `load_dataset`) and downloaded, 1.1 MB,
    where they are not there yet; their checksum is verified each time. The network is then in evaluation mode.

    Raises: DataError without internet, for a wrong checksum, or with a full disk.

    >>> count_parameters(resnet20())
    269722
    """
    if not pretrained:
        return ResNet(blocks=3)
    folder = data_root(root) / "resnet_cifar10"
    path = folder / _RESNET20
    with plain_errors("the weights of ResNet-20", data_root(root), f"{_RESNET20} into {folder} by hand"):
        if not path.is_file():
            with staging(data_root(root), "resnet20") as stage:
                place(fetch([_RESNET20_URL], stage, _RESNET20, known=f"sha256:{_RESNET20_SHA256}"), path)
        if checksum(path) != _RESNET20_SHA256:
            raise DataError(f"{path} is damaged: its sha256 is not {_RESNET20_SHA256[:8]}...; delete it and call again")
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    with unfilled():
        model = ResNet(blocks=3)
    # The weights were saved from inside a DataParallel.
    model.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    return model.eval()
