"""Augmentation: images turned, stretched and moved a little, as other people might have written them."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from course_utils._support.check import floating, in_range

__all__ = ["random_affine"]


def random_affine(
    images: Tensor,
    *,
    degrees: float = 10.0,
    shift: float = 2.0,
    stretch: float = 0.1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Each image under an affine map of its own; like `images`, (n, channels, height, width).

    The angle is uniform in +- `degrees`, the two displacements in +- `shift` pixels, the two scales in 1 +- `stretch`.
    Values in between are interpolated bilinearly; outside of the image it is 0. The same generator state gives the
    same images.

    Raises: TypeError if images is no floating tensor; ValueError for another shape, or a range that is negative.

    >>> image = torch.zeros(1, 1, 5, 5)
    >>> image[0, 0, 2, 2] = 1
    >>> random_affine(image, degrees=180.0, shift=0.0, stretch=0.0)[0, 0, 2, 2]  # the centre stays
    tensor(1.)
    """
    if floating("images", images).ndim != 4:
        raise ValueError(f"images must have the shape (n, channels, height, width), got {tuple(images.shape)}")
    in_range("degrees", degrees, 0, 180)
    in_range("shift", shift, 0, math.inf)
    in_range("stretch", stretch, 0, 0.99)
    n, _, height, width = images.shape
    draws = torch.rand(5, n, generator=generator, device=generator.device if generator else "cpu") * 2 - 1
    angle, right, down, wide, high = draws.to(images.device, images.dtype)
    cos, sin = (angle * math.radians(degrees)).cos(), (angle * math.radians(degrees)).sin()
    wide, high = 1 + wide * stretch, 1 + high * stretch
    across = [cos / wide, -sin * height / width / wide, right * (2 * shift / width)]
    along = [sin * width / height / high, cos / high, down * (2 * shift / height)]
    maps = torch.stack([*across, *along], dim=1).reshape(n, 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
