"""Classification: small convolutional networks of several widths read digits, and are allowed one guess or more."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils.data import Dataset
from course_utils.models import count_parameters
from course_utils.panels.applications.lesson import by_doubt, new_network, one_thread, picture_room, size_in_words
from course_utils.panels.engine import Choice, Draw, Panel, Show, Slider
from course_utils.plots import COLOURS, FAINT
from course_utils.train import fit

__all__ = ["WIDTHS", "Classifiers", "classification", "classifiers", "small_cnn", "wrong_rows"]

WIDTHS = (1, 2, 4, 8, 16)
SHOWN = 20
GUESSES = (1, 2, 3, 4, 5)
ORDERS = {"all, the most doubtful first": "doubt", "only those that it gets wrong": "wrong"}


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
            f"width {w:2}: {size_in_words(model):22} wrong with one guess {once[w]:5.2f} %, "
            f"with three {thrice[w]:5.2f} %"
            for w, model in self.models.items()
        ]
        return "\n".join(lines)


def classifiers(data: str | Dataset = "digits", *, epochs: int = 12) -> Classifiers:
    """Train the networks of this panel; by the name of the data, once in a process."""
    return _of_name(data, epochs) if isinstance(data, str) else Classifiers(picture_room(data), epochs=epochs)


@lru_cache(maxsize=2)
def _of_name(name: str, epochs: int) -> Classifiers:
    return Classifiers(picture_room(name), epochs=epochs)


def small_cnn(side: int, width: int) -> nn.Sequential:
    """Two convolutions of `width` and 2 `width` filters, each with max-pooling, and one linear layer.

    Takes pictures (n, 1, side, side).

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


class Read(NamedTuple):
    """One test picture as a network reads it, and the error (%) of every width with so many guesses."""

    image: np.ndarray
    label: int
    p: np.ndarray
    guesses: list[int]
    errors: dict[int, float]
    width: int
    wrong: int  # pictures
    place: str


def classification(data: str | Dataset | Classifiers = "digits") -> Panel:
    """What small networks think of test pictures, and their top-k error against Q (lecture, section 02).

    `data`: a name of `load_dataset`, a data set, or what `classifiers` returned.
    """
    made = data if isinstance(data, Classifiers) else classifiers(data)
    controls = [
        Slider(name="picture", label="Test picture", values=list(range(1, SHOWN + 1)), value=1),
        Choice(name="order", label="Which pictures", options=ORDERS),
        Slider(name="width", label="Filters in the first layer", values=WIDTHS, value=8),
        Slider(name="guesses", label="Guesses allowed, k", values=GUESSES, value=1),
    ]

    def compute(picture: float, order: str, width: float, guesses: float) -> Read:
        width, k = int(width), int(guesses)
        p = made.probabilities[width]
        wrong = wrong_rows(p, made.data.y_test, k)
        rows = by_doubt(p)
        if order == "wrong" and len(wrong):
            rows = rows[torch.isin(rows, wrong)]
        at = min(int(picture), len(rows)) - 1
        row = int(rows[at])
        return Read(
            made.data.x_test[row, 0].numpy(),
            int(made.data.y_test[row]),
            p[row].numpy(),
            p[row].topk(k).indices.tolist(),
            made.errors(k),
            width,
            len(wrong),
            f"Picture {at + 1} of {len(rows):,}",
        )

    return Panel("What a small network reads", controls, compute, drawing(made), size=(960, 360))


def drawing(made: Classifiers) -> Draw:
    """The drawing for these networks."""
    sizes = {width: count_parameters(model) for width, model in made.models.items()}

    def draw(figure: Figure) -> Show:
        picture, bars, curve = figure.subplots(1, 3, width_ratios=[1, 1.35, 1.35])
        image = picture.imshow(np.zeros(made.data.input_shape[-2:]), cmap="gray_r", vmin=0, vmax=1)
        picture.set(xticks=[], yticks=[], title="A test picture")
        picture.spines[:].set_visible(True)
        caption = picture.text(0.5, -0.04, "", transform=picture.transAxes, ha="center", va="top", fontsize=12)
        places = np.arange(10)
        others = bars.bar(places, np.ones(10), 0.7, color="#DDE2E6", edgecolor=FAINT, label="not guessed")
        chosen = bars.bar(places, np.ones(10), 0.7, color=COLOURS["blue"], hatch="///", edgecolor="white",
                          linewidth=0, label="guessed")  # fmt: skip
        (truth,) = bars.plot([0], [0], "v", ms=10, color=COLOURS["orange"], clip_on=False, label="truth")
        bars.set(xticks=places, ylim=(0, 1.35), xlabel="class", title="How likely it finds each class")
        bars.set_yticks([0, 0.25, 0.5, 0.75, 1])
        bars.legend(loc="upper left", ncols=3, fontsize=9.5, columnspacing=0.9, handlelength=1.4, handletextpad=0.5)
        (line,) = curve.plot(list(sizes.values()), np.ones(len(sizes)), "o-", color=COLOURS["blue"])
        (here,) = curve.plot([1], [1], "o", ms=13, mfc="none", mew=2.2, color=COLOURS["ink"])
        top = 1.12 * max(made.errors(1).values())
        curve.set(xscale="log", ylim=(-0.03 * top, top), xlabel="parameters Q", title="Wrong on test pictures (%)")
        curve.set_xlim(0.7 * min(sizes.values()), 1.5 * max(sizes.values()))
        curve.xaxis.set_major_formatter("{x:,.0f}")

        def show(read: Read) -> str:
            image.set_data(read.image)
            image.set_clim(0, float(read.image.max()))
            caption.set_text(f"a {read.label}")
            for i, (grey, blue) in enumerate(zip(others, chosen, strict=True)):
                grey.set_height(0 if i in read.guesses else read.p[i])
                blue.set_height(read.p[i] if i in read.guesses else 0)
            truth.set_data([read.label], [read.p[read.label] + 0.06])
            line.set_ydata(list(read.errors.values()))
            here.set_data([sizes[read.width]], [read.errors[read.width]])
            return words(read, sizes[read.width], len(made.data.y_test))

        return show

    return draw


def words(read: Read, size: int, rows: int) -> str:
    """What is guessed, and how often that is wrong."""
    said = ", ".join(f"{g} ({read.p[g]:.0%})" for g in read.guesses)
    verdict = "right" if read.label in read.guesses else "wrong"
    many = "1 guess" if len(read.guesses) == 1 else f"{len(read.guesses)} guesses"
    return (
        f"{read.place}, a {read.label}. The network of Q = {size:,} says {said}: {verdict}. With {many} it is wrong "
        f"on {read.wrong} of {rows:,} test pictures, {read.errors[read.width]:.2f} %."
    )
