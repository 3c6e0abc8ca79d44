"""Small convolutional networks of several widths that read digits, and their top-k error."""

import copy
from functools import lru_cache

import torch
from torch import Tensor, nn

from course_utils.data import Dataset
from course_utils.experiments.applications.miniature import digit_pictures, new_network, one_thread, size_in_words
from course_utils.train import fit

__all__ = ["WIDTHS", "Classifiers", "classifiers", "small_cnn", "wrong_rows"]

WIDTHS = (1, 2, 4, 8, 16)


class Classifiers:
    """A trained network for each of WIDTHS, and `probabilities` (test rows, 10) of each."""

    @one_thread()
    def __init__(self, data: Dataset, *, epochs: int) -> None:
        self.data = data
        self.models = {width: _trained(data, width, epochs) for width in WIDTHS}
        with torch.no_grad():
            self.probabilities = {w: torch.softmax(model(data.x_test), 1) for w, model in self.models.items()}

    @property
    def best(self) -> nn.Sequential:
        """The widest network."""
        return self.models[WIDTHS[-1]]

    def errors(self, guesses: int) -> dict[int, float]:
        """For each width the share of test pictures whose class is not among so many guesses, in percent."""
        labels = self.data.y_test
        return {w: 100 * len(wrong_rows(p, labels, guesses)) / len(labels) for w, p in self.probabilities.items()}

    def __repr__(self) -> str:
        once, thrice = self.errors(1), self.errors(3)
        lines = [f"classification: {len(WIDTHS)} networks, {len(self.data.y_test):,} test pictures"]
        lines += [
            f"width {w:2}: {size_in_words(model):22} error with one guess {once[w]:5.2f} %, "
            f"with three {thrice[w]:5.2f} %"
            for w, model in self.models.items()
        ]
        return "\n".join(lines)


def classifiers(data: str | Dataset = "digits", *, epochs: int = 12) -> Classifiers:
    """Train the networks of this panel; by the name of the data, once in a process."""
    return (
        copy.deepcopy(_of_name(data, epochs))
        if isinstance(data, str)
        else Classifiers(digit_pictures(data), epochs=epochs)
    )


@lru_cache(maxsize=2)
def _of_name(name: str, epochs: int) -> Classifiers:
    return Classifiers(digit_pictures(name), epochs=epochs)


def small_cnn(side: int, width: int) -> nn.Sequential:
    """Two convolutions of `width` and 2 `width` filters, each with max-pooling, and one linear layer.

    Takes pictures (n, 1, side, side).

    >>> from course_utils.models import count_parameters
    >>> count_parameters(small_cnn(8, 16))
    6090
    """
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * width * (side // 4) ** 2, 10),
    )


def _trained(data: Dataset, width: int, epochs: int) -> nn.Sequential:
    model = new_network(lambda: small_cnn(data.input_shape[-1], width), seed=0)
    fit(model, data, epochs=epochs, lr=0.01, batch_size=64, schedule="cosine", evaluate_every=0, device="cpu",
        progress=False)  # fmt: skip
    return model.eval()


def wrong_rows(probabilities: Tensor, labels: Tensor, guesses: int) -> Tensor:
    """The rows whose label is not among the `guesses` most likely classes: those of the top-k error.

    >>> wrong_rows(torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), torch.tensor([1, 2]), 2)
    tensor([1])
    """
    among = (probabilities.topk(guesses, dim=1).indices == labels[:, None]).any(1)
    return (~among).nonzero()[:, 0]
