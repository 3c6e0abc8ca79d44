"""What a compression does: which steps, how far each goes, and how long the network trains in between."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from course_utils._support.check import in_range, one_of
from course_utils.coding.arrays import ENTROPY

__all__ = ["Recipe"]

Amount = float | Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The steps of a compression, in their order; a value that is left out leaves its step out.

    **Units.** `units`: so many units of each hidden layer that is named stay, the strongest; the others become zero,
    and all that follows trains the narrow network alone. For `nn.Sequential`.

    **Pruning.** `prune`: the share of the weights that becomes zero, of the whole network or by layer name. Either in
    `rounds` of magnitude pruning with `prune_epochs` of retraining after each, the sparsity rising evenly in the
    logarithm of what is left; or, with `gradual`, within one training of `prune_epochs`, by saliency for each bit (see
    `Pruning`), over the whole network; `lonely` says how much the bits count, from 0 to 4.

    **Sharing.** `levels`: different values in each layer, or by layer name; a layer that is not named keeps its own.
    Either k-means (started by `init`, see `fit_codebook`), then `share_epochs` of training the centroids; or, with
    `freezing`, within one training of `share_epochs` (see `Freezing`).

    **Training.** `lr` and `share_lr` of Adam, which fall like a cosine; `batch_size`. `copies`: augmented copies of the
    images to train on besides the images (an epoch goes through all of them); `augment`: the settings of
    `random_affine`, as a mapping. With a teacher: `alpha` and `temperature` of `distillation_loss`.

    **Writing.** `bias_step`: biases become integer multiples of it. `dense`: type of everything that is not coded, such
    as biases and batch normalisation, and of the codebooks, "float32" or "float16". `entropy` and `gap_bits`: as in
    `Coded`; for "mixed" the hidden units of a chain are sorted, too.

    Raises: ValueError for a value that is not allowed.

    >>> Recipe(prune=0.9, levels=16).steps
    ['prune', 'share']
    """

    units: Mapping[str, int] | None = None
    prune: Amount | None = None
    gradual: bool = False
    rounds: int = 1
    prune_epochs: int = 0
    lonely: float = 1.0
    levels: int | Mapping[str, int] | None = None
    init: str = "linear"
    freezing: bool = False
    share_epochs: int = 0
    lr: float = 1e-3
    share_lr: float = 1e-3
    batch_size: int = 128
    copies: int = 0
    augment: Mapping[str, float] | None = None
    alpha: float = 0.9
    temperature: float = 1.5
    bias_step: float | None = None
    dense: str = "float32"
    entropy: str | None = "huffman"
    gap_bits: int | None = None

    def __post_init__(self) -> None:
        for name, amount in _amounts("prune", self.prune):
            in_range(name, amount, 0, 1)
        for name, amount in _amounts("levels", self.levels):
            in_range(name, amount, 1, 2**16)
        in_range("rounds", self.rounds, 1, 1000)
        in_range("lonely", self.lonely, 0, 4)
        in_range("prune_epochs", self.prune_epochs, 0, float("inf"))
        in_range("share_epochs", self.share_epochs, 0, float("inf"))
        in_range("copies", self.copies, 0, 1000)
        in_range("alpha", self.alpha, 0, 1)
        one_of("dense", self.dense, ("float32", "float16"))
        one_of("entropy", self.entropy, [e for e in ENTROPY if e != "in order"])
        if self.bias_step is not None and not 0 < self.bias_step < float("inf"):
            raise ValueError(f"bias_step must be positive, got {self.bias_step!r}; leave it out to keep biases")
        if self.gradual and (isinstance(self.prune, Mapping) or not self.prune or not self.prune_epochs):
            raise ValueError("gradual=True needs one share for the whole network in `prune`, and prune_epochs")
        if self.freezing and (not isinstance(self.levels, int) or not self.share_epochs):
            raise ValueError("freezing=True needs one number for all layers in `levels`, and share_epochs")
        if self.entropy == "mixed" and self.levels is None:
            raise ValueError('entropy="mixed" needs `levels`; or use "huffman", which writes any number of values')

    @property
    def steps(self) -> list[str]:
        """The steps that change the network."""
        asked = {"units": self.units, "prune": self.prune, "share": self.levels}
        return [name for name, value in asked.items() if value is not None]

    @property
    def trains(self) -> bool:
        """Whether data are needed."""
        return bool(self.prune_epochs or self.share_epochs)

    def spelled(self) -> dict[str, Any]:
        """The values that differ from the defaults, as plain numbers and texts."""
        values, defaults = asdict(self), asdict(Recipe())
        return {name: value for name, value in values.items() if value != defaults[name]}


def _amounts(name: str, amount: Any) -> list[tuple[str, float]]:
    if amount is None:
        return []
    return [(f"{name}[{k!r}]", v) for k, v in amount.items()] if isinstance(amount, Mapping) else [(name, amount)]
