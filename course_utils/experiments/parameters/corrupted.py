"""Networks trained on random labels, shuffled pixels and random pixels, at several shares (Zhang et al. 2016)."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

from torch import nn

from course_utils.data import Dataset
from course_utils.data.corruption import CORRUPTIONS
from course_utils.experiments.lesson import lesson_data
from course_utils.models import count_parameters, mlp
from course_utils.train.memorize import Curves, memorize

__all__ = ["SHARES", "Corrupt", "CorruptedPath", "corrupted_path"]

SHARES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
HIDDEN = (8, 32, 256)
ROWS, TEST_ROWS, EPOCHS = 200, 400, 80

Corrupt = Callable[[Dataset, float], Dataset]


class CorruptedPath:
    """Networks of some sizes trained at each of SHARES, for each kind of corruption.

    `clean`: the data before any corruption. `data`: by (kind, share), as it was trained on. `curves`: by (kind, hidden
    neurons), a row for each share.
    """

    def __init__(self, kinds: dict[str, Corrupt], clean: Dataset, hidden: tuple[int, ...], epochs: int) -> None:
        self.clean, self.hidden, self.epochs = clean, hidden, epochs
        self.data = {(kind, share): corrupt(clean, share) for kind, corrupt in kinds.items() for share in SHARES}
        self.curves: dict[tuple[str, int], Curves] = {}
        self.parameters = {width: count_parameters(_network(clean, width)) for width in hidden}
        for width in hidden:
            for kind in kinds:
                datasets = [self.data[kind, share] for share in SHARES]
                make = partial(_network, clean, width)
                *_, self.curves[kind, width] = memorize(make, datasets, epochs=epochs, lr=0.01, batch_size=50)

    @property
    def by_reader(self) -> bool:
        """Whether the corruption is a function of the reader's."""
        return ("reader", SHARES[0]) in self.data

    def __repr__(self) -> str:
        return (
            f"{len(self.curves) * len(SHARES)} networks with {', '.join(map(str, self.hidden))} hidden neurons, each "
            f"trained for {self.epochs} epochs on {len(self.clean.y_train)} rows of {self.clean.name}"
        )


def _network(data: Dataset, width: int) -> nn.Sequential:
    """A perceptron with one hidden layer."""
    return mlp([data.features, width, data.classes])


def corrupted_path(
    data: str | Dataset = "digits", *, corrupt: Corrupt | None = None, epochs: int = EPOCHS
) -> CorruptedPath:
    """Train all networks of the panel; those of a data set that is named only once.

    `corrupt`: your own ``corrupt(data, share)`` that returns a data set like `data`; then only its networks are
    trained, and only the largest ones.
    """
    return _of_name(data, corrupt, epochs) if isinstance(data, str) else _train(data, corrupt, epochs)


@lru_cache(maxsize=4)
def _of_name(name: str, corrupt: Corrupt | None, epochs: int) -> CorruptedPath:
    return _train(name, corrupt, epochs)


def _train(data: str | Dataset, corrupt: Corrupt | None, epochs: int) -> CorruptedPath:
    clean = lesson_data(data)
    clean = clean.subset(min(ROWS, len(clean.y_train)))
    clean = replace(clean, x_test=clean.x_test[:TEST_ROWS], y_test=clean.y_test[:TEST_ROWS])
    if corrupt is None:
        return CorruptedPath(dict(CORRUPTIONS), clean, HIDDEN, epochs)
    return CorruptedPath({"reader": _checked(corrupt)}, clean, HIDDEN[-1:], epochs)


def _copy(data: Dataset) -> Dataset:
    """The data set in tensors of its own."""
    return replace(
        data,
        x_train=data.x_train.clone(),
        y_train=data.y_train.clone(),
        x_test=data.x_test.clone(),
        y_test=data.y_test.clone(),
    )


def _checked(corrupt: Corrupt) -> Corrupt:
    """A reader's corruption; ValueError where it returns no data set of the same kind."""

    def checked_corrupt(data: Dataset, share: float) -> Dataset:
        result = corrupt(_copy(data), share)  # it may change its tensors in place
        if not isinstance(result, Dataset):
            raise ValueError(f"corrupt must return a data set, got {type(result).__name__}; use dataclasses.replace")
        if result.x_train.shape != data.x_train.shape or result.x_test.shape != data.x_test.shape:
            raise ValueError(
                f"corrupt must keep the shapes {tuple(data.x_train.shape)} and {tuple(data.x_test.shape)}, "
                f"got {tuple(result.x_train.shape)} and {tuple(result.x_test.shape)}"
            )
        if int(result.y_train.min()) < 0 or int(result.y_train.max()) >= data.classes:
            raise ValueError(f"labels must be whole numbers from 0 to {data.classes - 1}; take them modulo the classes")
        return result

    return checked_corrupt
