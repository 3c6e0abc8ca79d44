"""The edges of pictures, and ways to tamper with them before a network makes pictures of them again."""

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["INK", "chimera", "dotted", "edges_of", "rubbed_out", "sharpened"]

INK = 0.35  # a pixel above this has ink


def sharpened(images: Tensor) -> Tensor:
    """Small pictures at twice their size, smoothly; those of 16 pixels and more as they are."""
    if images.shape[-1] >= 16:
        return images
    return F.interpolate(images, scale_factor=2, mode="bicubic", align_corners=False).clamp(0, 1)


def edges_of(images: Tensor) -> Tensor:
    """The edges of the ink, of shape (n, 1, side, side): 1 where a pixel has ink and one of its four neighbours none.

    >>> square = torch.zeros(1, 1, 5, 5)
    >>> square[..., 1:4, 1:4] = 1
    >>> edges_of(square)[0, 0, 2]
    tensor([0., 1., 0., 1., 0.])
    """
    ink = images > INK
    around = F.pad(ink, (1, 1, 1, 1))
    inside = around[..., 1:-1, 2:] & around[..., 1:-1, :-2] & around[..., 2:, 1:-1] & around[..., :-2, 1:-1]
    return (ink & ~inside).float()


def rubbed_out(edges: Tensor, amount: float) -> Tensor:
    """The edges without the upper part, an `amount` of the rows."""
    lower = edges.clone()
    lower[:, :, : round(amount * edges.shape[2])] = 0
    return lower


def dotted(edges: Tensor, amount: float) -> Tensor:
    """Stray dots: each pixel is turned over with probability `amount` / 4."""
    noise = torch.rand(edges.shape, generator=torch.Generator().manual_seed(0))
    return (edges - (noise < amount / 4).float()).abs()


def chimera(edges: Tensor, amount: float) -> Tensor:
    """The lower part, an `amount` of the rows, comes from the next picture."""
    start = edges.shape[2] - round(amount * edges.shape[2])
    return torch.cat([edges[:, :, :start], edges.roll(-1, 0)[:, :, start:]], 2)
