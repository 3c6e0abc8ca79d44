"""How colours look to an eye: contrast and difference, with and without a colour blindness.

Contrast as in the Web Content Accessibility Guidelines 2.2; colour blindness after Machado, Oliveira and Fernandes 2009
(severity 1: the cones are missing); difference by CIEDE2000, where about 2.3 is just noticeable side by side.
"""

import numpy as np
from matplotlib.colors import to_rgb

__all__ = ["EYES", "contrast", "difference", "in_the_dark", "luminance"]

EYES = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)

LUMA = np.array([0.213, 0.715, 0.072])
HALF_TURN = 2 * np.tile(LUMA, (3, 1)) - np.eye(3)  # of the hue, at cos = -1 and sin = 0


def linear(colour: object) -> np.ndarray:
    """Linear red, green and blue of a matplotlib colour."""
    rgb = np.array(to_rgb(colour))  # type: ignore[arg-type]
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(colour: object) -> float:
    """From 0, black, to 1, white: the lightness in greyscale."""
    return float(linear(colour) @ TO_XYZ[1])


def contrast(colour: object, ground: object = "white") -> float:
    """From 1, the same luminance, to 21, black on white."""
    dark, light = sorted((luminance(colour), luminance(ground)))
    return (light + 0.05) / (dark + 0.05)


def in_the_dark(colour: object) -> tuple[float, float, float]:
    """A colour as the dark theme shows it: ``invert(0.93) hue-rotate(180deg)`` of panel.css, after Filter Effects 1."""
    inverted = 0.93 + (1 - 2 * 0.93) * np.array(to_rgb(colour))  # type: ignore[arg-type]
    red, green, blue = np.clip(HALF_TURN @ inverted, 0, 1)
    return float(red), float(green), float(blue)


def lab(colour: object, eye: str = "full") -> np.ndarray:
    """L*, a*, b* of a colour as an eye sees it."""
    xyz = TO_XYZ @ np.clip(EYES[eye] @ linear(colour), 0, 1) / TO_XYZ.sum(1)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(first: object, second: object, eye: str = "full") -> float:
    """CIEDE2000 (Sharma, Wu, Dalal 2005) of two colours as an eye sees them."""
    return ciede2000(lab(first, eye), lab(second, eye))


def ciede2000(first: np.ndarray, second: np.ndarray) -> float:
    """The difference of two colours by their L*, a*, b*."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    mean7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(mean7 / (mean7 + 25**7))
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * stretch)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    hue = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    t = sum(
        factor * np.cos(np.radians(times * hue + shift))
        for factor, times, shift in ((1, 0, 0), (-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    )
    s_l = 1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    s_c, s_h = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    bend = np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))
    r = -2 * np.sqrt(chroma**7 / (chroma**7 + 25**7)) * np.sin(bend)
    d_l, d_c = (l2 - l1) / s_l, (c2 - c1) / s_c
    d_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / s_h
    return float(np.sqrt(d_l**2 + d_c**2 + d_h**2 + r * d_c * d_h))
