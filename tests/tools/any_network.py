"""Networks of many kinds: each a function that makes one, and the shape of its inputs."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from course_utils.methods.activations import APL, KAF, Maxout, ParametricTanh
from course_utils.methods.binarize import (
    BinaryConv2d,
    BinaryLinear,
    BNNConv2d,
    BNNLinear,
    TernaryConv2d,
    TernaryLinear,
)
from course_utils.methods.codebook import share_weights

__all__ = ["NETWORKS", "Inputs", "inputs_of"]

Inputs = tuple[Tensor, ...]


class Residual(nn.Module):
    """A convolution with a shortcut around it, then a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x + self.norm(self.conv(x)).relu()).mean((2, 3)))


class Recurrent(nn.Module):
    """A recurrent layer and a head on its last output."""

    def __init__(self, layer: nn.Module, size: int) -> None:
        super().__init__()
        self.recurrent, self.head = layer, nn.Linear(size, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


class Cell(nn.Module):
    """A recurrent cell, three steps."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        state = self.cell(x[:, 0])
        return self.cell(x[:, 2], self.cell(x[:, 1], state))


class Attention(nn.Module):
    """Attention of a sequence to itself, or of it to another."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **settings)
        self.other = settings.get("kdim")

    def forward(self, x: Tensor) -> Tensor:
        y = x[..., : self.other] if self.other else x
        return self.attention(x, y, y)[0]


class Decoder(nn.Module):
    """A decoder layer that reads its own input."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True, dropout=0.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x)


class Patches(nn.Module):
    """A small vision transformer: patches, a token of its own, places, one encoder layer."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.head = nn.Conv2d(1, 8, 2, stride=2), nn.Linear(8, 3)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        return self.head(self.encoder(x)[:, 0])


class Words(nn.Module):
    """An embedding and a linear layer; with `tied` the two have one weight."""

    def __init__(self, embedding: nn.Module, *, tied: bool = False) -> None:
        super().__init__()
        self.embedding, self.head = embedding, nn.Linear(8, 20, bias=False)
        if tied:
            self.head.weight = embedding.weight  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embedding(x))


def two_layers(first: nn.Module, *, size: int = 5) -> nn.Module:
    """A layer of some kind on six inputs, and a linear one."""
    return nn.Sequential(first, nn.ReLU(), nn.Linear(size, 3))


def images(first: nn.Module, channels: int) -> nn.Module:
    """A layer of some kind on images, and a linear layer on the means of its channels."""
    return nn.Sequential(first, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3))


def one_weight_twice() -> nn.Module:
    """Two linear layers with one weight."""
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    model[2].weight = model[0].weight
    return model


def one_layer_twice() -> nn.Module:
    """One linear layer in two places."""
    layer = nn.Linear(6, 6)
    return nn.Sequential(layer, nn.ReLU(), layer)


def shared() -> nn.Module:
    """A network whose weights are computed from centroids."""
    model = two_layers(nn.Linear(6, 5))
    share_weights(model, size=4)
    return model


def frozen() -> nn.Module:
    """A network with a layer that does not train."""
    model = two_layers(nn.Linear(6, 5))
    model[0].requires_grad_(False)
    return model


def old_weight_norm() -> nn.Module:
    """A weight that is computed by a hook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return two_layers(nn.utils.weight_norm(nn.Linear(6, 5)))


def compiled() -> nn.Module:
    """A compiled network."""
    return torch.compile(two_layers(nn.Linear(6, 5)), backend="eager")  # type: ignore[return-value]


ROWS, IMAGES, SEQUENCE, TOKENS = (4, 6), (2, 4, 5, 5), (2, 4, 8), "tokens"
Make = Callable[[], nn.Module]
NETWORKS: dict[str, tuple[Make, Any]] = {
    "linear layers": (lambda: two_layers(nn.Linear(6, 5)), ROWS),
    "one linear layer": (lambda: nn.Linear(6, 5), ROWS),
    "no biases": (lambda: nn.Sequential(nn.Linear(6, 5, bias=False), nn.Linear(5, 3, bias=False)), ROWS),
    "batch norm, dropout": (lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout()), ROWS),
    "layer norm": (lambda: nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 3)), ROWS),
    "frozen layer": (frozen, ROWS),
    "convolution, 1-D": (lambda: nn.Sequential(nn.Conv1d(4, 3, 3), nn.ReLU()), (2, 4, 8)),
    "convolution, 2-D": (lambda: images(nn.Conv2d(4, 6, 3), 6), IMAGES),
    "convolution, 3-D": (lambda: nn.Conv3d(2, 3, 2), (2, 2, 3, 3, 3)),
    "convolution, groups": (lambda: images(nn.Conv2d(4, 6, 3, groups=2), 6), IMAGES),
    "convolution, depthwise": (lambda: images(nn.Conv2d(4, 4, 3, groups=4), 4), IMAGES),
    "convolution, padding": (lambda: images(nn.Conv2d(4, 6, 3, padding="same", padding_mode="circular"), 6), IMAGES),
    "transposed convolution": (lambda: images(nn.ConvTranspose2d(4, 6, 3), 6), IMAGES),
    "channels last": (lambda: images(nn.Conv2d(4, 6, 3), 6).to(memory_format=torch.channels_last), IMAGES),
    "residual": (Residual, IMAGES),
    "LSTM": (lambda: Recurrent(nn.LSTM(8, 5, 2, batch_first=True), 5), SEQUENCE),
    "LSTM, projection": (
        lambda: Recurrent(nn.LSTM(8, 5, batch_first=True, bidirectional=True, proj_size=2), 4),
        SEQUENCE,
    ),
    "GRU": (lambda: Recurrent(nn.GRU(8, 5, batch_first=True), 5), SEQUENCE),
    "RNN": (lambda: Recurrent(nn.RNN(8, 5, batch_first=True), 5), SEQUENCE),
    "GRU cell": (Cell, (2, 3, 6)),
    "attention": (Attention, SEQUENCE),
    "attention, other keys": (lambda: Attention(kdim=6, vdim=6), SEQUENCE),
    "attention, more biases": (lambda: Attention(add_bias_kv=True), SEQUENCE),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0), SEQUENCE),
    "encoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0), 2),
        SEQUENCE,
    ),
    "decoder layer": (Decoder, SEQUENCE),
    "vision transformer": (Patches, (2, 1, 4, 4)),
    "embedding": (lambda: Words(nn.Embedding(20, 8)), TOKENS),
    "embedding, padding": (lambda: Words(nn.Embedding(20, 8, padding_idx=0)), TOKENS),
    "embedding, max_norm": (lambda: Words(nn.Embedding(20, 8, max_norm=1.0)), TOKENS),
    "embedding bag": (lambda: Words(nn.EmbeddingBag(20, 8)), TOKENS),
    "tied embedding": (lambda: Words(nn.Embedding(20, 8), tied=True), TOKENS),
    "one weight twice": (one_weight_twice, ROWS),
    "one layer twice": (one_layer_twice, ROWS),
    "bilinear": (lambda: nn.Bilinear(6, 4, 5), "pair"),
    "weight norm": (lambda: two_layers(parametrizations.weight_norm(nn.Linear(6, 5))), ROWS),
    "weight norm, hook": (old_weight_norm, ROWS),
    "spectral norm": (lambda: two_layers(parametrizations.spectral_norm(nn.Linear(6, 5))), ROWS),
    "orthogonal": (lambda: two_layers(parametrizations.orthogonal(nn.Linear(6, 5))), ROWS),
    "pruned by torch": (lambda: two_layers(prune.l1_unstructured(nn.Linear(6, 5), "weight", 0.5)), ROWS),
    "shared weights": (shared, ROWS),
    "binary": (lambda: two_layers(BinaryLinear(6, 5)), ROWS),
    "binary, stochastic": (lambda: two_layers(BinaryLinear(6, 5, stochastic=True)), ROWS),
    "binary convolution": (lambda: images(BinaryConv2d(4, 6, 3), 6), IMAGES),
    "binary, inputs too": (lambda: two_layers(BNNLinear(6, 5)), ROWS),
    "binary conv., inputs too": (lambda: images(BNNConv2d(4, 6, 3), 6), IMAGES),
    "ternary": (lambda: two_layers(TernaryLinear(6, 5)), ROWS),
    "ternary convolution": (lambda: images(TernaryConv2d(4, 6, 3), 6), IMAGES),
    "only binary layers": (lambda: nn.Sequential(BinaryLinear(6, 5), BinaryLinear(5, 3)), ROWS),
    "KAF": (lambda: nn.Sequential(nn.Linear(6, 5), KAF(5), nn.Linear(5, 3)), ROWS),
    "APL, tanh": (lambda: nn.Sequential(nn.Linear(6, 5), APL(5, 2), ParametricTanh(5), nn.Linear(5, 3)), ROWS),
    "maxout": (lambda: nn.Sequential(Maxout(6, 5, 3), nn.PReLU(), nn.Linear(5, 3)), ROWS),
    "float64": (lambda: two_layers(nn.Linear(6, 5)).double(), ROWS),
    "float16": (lambda: two_layers(nn.Linear(6, 5)).half(), ROWS),
    "bfloat16": (lambda: two_layers(nn.Linear(6, 5)).bfloat16(), ROWS),
    "complex": (lambda: nn.Linear(6, 5, dtype=torch.complex64), ROWS),
    "meta device": (lambda: nn.Sequential(nn.Linear(6, 5, device="meta")), ROWS),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(5)), ROWS),
    "no outputs": (lambda: nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 0)), ROWS),
    "no weights": (lambda: nn.Sequential(nn.ReLU(), nn.BatchNorm1d(6)), ROWS),
    "compiled": (compiled, ROWS),
    "data parallel": (lambda: nn.DataParallel(two_layers(nn.Linear(6, 5))), ROWS),
}


def inputs_of(shape: Any, model: nn.Module) -> Inputs:
    """Inputs for a network, of its own type."""
    if shape == TOKENS:
        return (torch.randint(1, 20, (3, 4)),)
    if shape == "pair":
        return torch.randn(2, 6), torch.randn(2, 4)
    kind = next((p.dtype for p in model.parameters()), torch.float32)
    return (torch.randn(*shape).to(kind),)
