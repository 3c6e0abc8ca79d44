"""Two small data sets whose files lie in this folder, so that the course runs without a download.

**Digits**: 1,797 handwritten digits, the test part of E. Alpaydin and C. Kaynak 1998, *Optical Recognition of
Handwritten Digits*, UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licensed CC BY 4.0; unchanged,
stored as 8-bit integers.

**Diabetes**: two columns of the data of B. Efron, T. Hastie, I. Johnstone and R. Tibshirani 2004, *Least Angle
Regression*, Annals of Statistics 32, arXiv:math/0406456, which its authors published with the paper.

Both are value for value what scikit-learn delivers, with whose import a process takes 80 to 100 MB more.
"""

from pathlib import Path

import numpy as np

__all__ = ["diabetes", "digits"]

FOLDER = Path(__file__).parent


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Images (1797, 8, 8) with grey levels from 0 to 16, and labels (1797,) from 0 to 9, both uint8.

    >>> images, labels = digits()
    >>> images.shape, images.max(), labels[:4]
    ((1797, 8, 8), np.uint8(16), array([0, 1, 2, 3], dtype=uint8))
    """
    with np.load(FOLDER / "digits.npz") as arrays:
        return arrays["images"], arrays["labels"]


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """The body-mass index of 442 patients, and how far their disease got within a year, both float64 of shape (442,).

    >>> index, progress = diabetes()
    >>> index[:3], progress[:3]
    (array([32.1, 21.6, 30.5]), array([151.,  75., 141.]))
    """
    with np.load(FOLDER / "diabetes.npz") as arrays:
        return arrays["tenths_of_body_mass_index"] / 10, arrays["progress"].astype(np.float64)
