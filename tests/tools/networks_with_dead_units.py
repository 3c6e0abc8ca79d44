"""Random networks of many forms, some of whose units are dead: zero rows, zero columns, or both."""

from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

ACTIVATIONS = [nn.ReLU, nn.GELU, nn.Sigmoid, nn.ReLU6, nn.Hardswish, nn.Identity, nn.Dropout, nn.ELU]
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Beside(nn.Module):
    """x and f(x), one behind the other."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.inner(x)], 1)


class Gated(nn.Module):
    """x times a factor per channel, as in squeeze and excitation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True)))))


@st.composite
def networks(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    """A network in evaluation mode with dead units, and an input."""
    generator = draw(st.integers(0, 2**31))
    bits = draw(st.lists(st.integers(0, 6), min_size=1, max_size=5))
    spatial = draw(st.booleans())
    size = lambda: draw(st.integers(1, 6))  # noqa: E731
    channels, parts = 3, list[nn.Module]()
    for kind in bits:
        made, out = _block(draw, kind, channels, size(), spatial)
        parts += [made, draw(st.sampled_from(ACTIVATIONS))()]
        channels = out
    if spatial:
        if draw(st.booleans()):
            parts += [draw(st.sampled_from([nn.MaxPool2d(2), nn.AvgPool2d(3, 2, padding=1), nn.AdaptiveAvgPool2d(2)]))]
        parts += [nn.Flatten()]
    model = nn.Sequential(*parts)
    x = torch.randn((2, 3, 6, 6) if spatial else (2, 3), generator=torch.Generator().manual_seed(generator)).double()
    model = model.double().eval()
    model.append(nn.Linear(model(x).shape[1], 2).double())
    fill_(model, generator, dead=draw(st.sampled_from([0.0, 0.3, 0.6])))
    return model, x


def _block(draw: st.DrawFn, kind: int, channels: int, size: int, spatial: bool) -> tuple[nn.Module, int]:
    bias = draw(st.booleans())

    def layer(inputs: int, outputs: int) -> nn.Module:
        if not spatial:
            return nn.Linear(inputs, outputs, bias=bias)
        kernel, mode = draw(st.sampled_from([(1, "zeros"), (3, "zeros"), (3, "circular"), (3, "replicate")]))
        return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias, padding_mode=mode)

    norm = nn.BatchNorm2d if spatial else nn.BatchNorm1d
    if kind == 1:
        return Residual(nn.Sequential(layer(channels, size), nn.ReLU(), layer(size, channels))), channels
    if kind == 2:
        return Beside(layer(channels, size)), channels + size
    if kind == 3:
        return nn.Sequential(layer(channels, size), norm(size, affine=draw(st.booleans()))), size
    if kind == 4 and spatial:
        return nn.Conv2d(channels, 2 * channels, 3, padding=draw(st.integers(0, 1)) or 1, groups=channels), 2 * channels
    if kind == 5 and spatial:
        return nn.Sequential(nn.Conv2d(channels, 4, 1), nn.Conv2d(4, 6, 1, groups=2, bias=bias), Gated(6)), 6
    if kind == 6 and spatial:
        return nn.ConvTranspose2d(channels, size, 3, padding=1, bias=bias), size
    return layer(channels, size), size


@torch.no_grad()
def fill_(model: nn.Module, seed: int, *, dead: float) -> None:
    """Random weights, statistics and biases; a share of all rows and of all columns becomes zero."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        m: Any = module
        for name, value in [*m._parameters.items(), *m._buffers.items()]:
            if value is not None and value.is_floating_point():
                value.copy_(torch.randn(value.shape, generator=generator) * 0.7)
                if name == "running_var":
                    value.copy_(value.abs() + 0.1)
        if isinstance(m, (nn.Linear, *CONVOLUTIONS)):
            m.weight[torch.rand(m.weight.shape[0], generator=generator) < dead] = 0
            m.weight[:, torch.rand(m.weight.shape[1], generator=generator) < dead] = 0
            if m.bias is not None:
                m.bias[torch.rand(len(m.bias), generator=generator) < 0.5] = 0
