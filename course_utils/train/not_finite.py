"""Numbers that are no longer finite: what is checked before and during a training, and the sentence that ends it.

The sentence says which numbers they are and since which step. It names the input, the label or the weight that is at
fault where one can be seen, and otherwise what usually helps.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.words import plural
from course_utils.data import Dataset
from course_utils.train.settings import Settings

__all__ = ["NotFiniteError", "all_finite", "check_labels", "check_losses", "check_outputs", "check_weights", "remedy"]

ORDINARY_INPUT, ORDINARY_WEIGHT = 100.0, 1e4  # what a training that goes well stays below


class NotFiniteError(Exception):
    """Which numbers are no longer finite, and since which step of an epoch."""

    def __init__(self, numbers: str, step: int) -> None:
        super().__init__(numbers, step)
        self.numbers, self.step = numbers, step


def check_labels(data: Dataset) -> None:
    """Refuse labels that are none of the classes. On a GPU they would end the process's use of it.

    For the cross-entropy; another loss function may give labels another meaning.

    Raises: ValueError with the first such label, and how many there are.
    """
    if sentence := _wrong_labels(data):
        raise ValueError(sentence)


def check_outputs(outputs: int, data: Dataset) -> None:
    """Refuse a network whose last layer has no output for some label.

    Raises: ValueError with the largest label and the number of outputs.
    """
    largest = int(data.y_train.max())
    if largest >= outputs:
        raise ValueError(
            f"the network has {outputs} outputs, but {data.name} has labels up to {largest}; give its last layer "
            f"{data.classes} outputs"
        )


def check_losses(totals: Sequence[Tensor], *, last_step: int) -> None:
    """Check the running totals of the loss after some steps in a row, the last of them `last_step`.

    Raises: NotFiniteError with the first step whose total is not finite.
    """
    if not math.isfinite(totals[-1]):  # waits for the device once; a total that is not finite stays so
        values = torch.stack(list(totals)).tolist()
        first = next(i for i, value in enumerate(values) if not math.isfinite(value))
        raise NotFiniteError(f"the loss is {values[first]}", last_step - (len(values) - 1 - first))


def check_weights(parameters: Mapping[str, Tensor], *, step: int) -> None:
    """Check the weights after a step.

    Raises: NotFiniteError with the first weights that are not finite.
    """
    if not all_finite(parameters.values()):
        name = next(name for name, p in parameters.items() if not all_finite([p]))
        raise NotFiniteError(f"the weights {name!r} are not finite", step)


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no tensor holds a NaN or an infinity; computed on the device, with one wait for it.

    >>> all_finite([torch.ones(2), torch.tensor([1, 2])]), all_finite([torch.tensor([torch.nan, 1.0])])
    (True, False)
    """
    return math.isfinite(_largest(tensors))


def remedy(
    data: Dataset,
    settings: Settings,
    parameters: Mapping[str, Tensor] | None = None,
    *,
    steps_taken: bool = True,
) -> str:
    """What to change in a training that is no longer finite: what can be seen to be at fault, or what usually helps.

    `parameters`: as they were before the epoch. `steps_taken`: whether the weights had been changed by then.

    >>> x, y = torch.tensor([[1.0, 2.0], [3.0, torch.inf]]), torch.zeros(2, dtype=torch.int64)
    >>> remedy(Dataset("pairs", x, y, x, y, classes=1), Settings(epochs=1))[:60]
    'x_train[1, 1] of pairs is inf (1 such number in 1 row and 1 '
    """
    labels = _wrong_labels(data)
    # Another loss function may give labels another meaning.
    cause = _wrong_inputs(data) or (labels if settings.loss is F.cross_entropy else "")
    cause = cause or _large_weights(parameters or {})
    if cause:
        return cause
    hint = f"; if the loss takes the labels as classes, {labels}" if labels else ""
    return f"what usually helps: {_usual_remedies(data, settings, steps_taken)}{hint}"


def _wrong_inputs(data: Dataset) -> str:
    wrong = (~torch.isfinite(data.x_train)).nonzero()
    if not len(wrong):
        return ""
    place = tuple(wrong[0].tolist())
    rows, features = len(wrong[:, 0].unique()), len(wrong[:, 1:].unique(dim=0))
    return (
        f"x_train[{', '.join(map(str, place))}] of {data.name} is {float(data.x_train[place])} "
        f"({plural(len(wrong), 'such number')} in {plural(rows, 'row')} and {plural(features, 'feature')}); "
        "replace these numbers, or leave out the rows or features that have them"
    )


def _wrong_labels(data: Dataset) -> str:
    for name, y in (("y_train", data.y_train), ("y_test", data.y_test)):
        if len(y) and not 0 <= int(y.min()) <= int(y.max()) < data.classes:
            wrong = ((y < 0) | (y >= data.classes)).nonzero()[:, 0]
            row = int(wrong[0])
            return (
                f"the labels of {data.name} must lie between 0 and {data.classes - 1}, got {name}[{row}] = "
                f"{int(y[row])} ({plural(len(wrong), 'such row')}); correct them, or give the Dataset more classes"
            )
    return ""


def _large_weights(parameters: Mapping[str, Tensor]) -> str:
    for name, p in parameters.items():
        if not math.isfinite(largest := _largest([p])):
            return f"the weights {name!r} were not finite before this epoch; start from other weights"
        if largest > ORDINARY_WEIGHT:
            return (
                f"the largest of the weights {name!r} was {largest:g} before this epoch; start from smaller weights, "
                "or with a smaller lr"
            )
    return ""


def _usual_remedies(data: Dataset, settings: Settings, steps_taken: bool) -> str:
    remedies = [f"a smaller lr than {settings.lr:g}"] if steps_taken else []
    if (largest := _largest([data.x_train])) > ORDINARY_INPUT:
        remedies.append(f"inputs scaled to about 1 (those of {data.name} reach {largest:g})")
    if settings.regularizer is not None:
        remedies.append(f"a smaller lam than {float(settings.regularizer.lam):g}")
    if settings.weight_decay and steps_taken:
        remedies.append(f"a smaller weight_decay than {settings.weight_decay:g}")
    if settings.loss is not F.cross_entropy:
        remedies.append("a loss function without a logarithm, a root or a division by 0")
    elif not steps_taken:
        remedies.append("layers without a logarithm, a root or a division by 0")
    if settings.after_step is not None:
        remedies.append("a training without after_step")
    return ", or ".join(remedies)


def _largest(tensors: Iterable[Tensor]) -> float:
    """The largest magnitude; NaN or infinity where one is among the numbers."""
    floats = [t.detach() for t in tensors if t.is_floating_point() and t.numel()]
    return float(nn.utils.get_total_norm(floats, norm_type=math.inf)) if floats else 0.0
