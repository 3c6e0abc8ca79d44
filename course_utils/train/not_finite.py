"""Why a loss is no longer finite: the training is looked at once more, until one setting or datum is to blame.

The order of the questions is that of certainty. First what can be seen: the labels, the inputs, the weights. Then the
steps are taken again, and the first thing that is not finite is found; a layer or a loss function that makes it out of
ordinary numbers is to blame. Else a setting is, and the one without which the same steps go well.
"""

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.train.settings import Loss, Settings

__all__ = ["all_finite", "blame", "check_labels", "check_outputs", "unusable_inputs"]

ORDINARY = 1e4  # the weights and outputs of a training that goes well stay far below
STEPS = 50  # a trial is at least so long, where the data are large enough

# The next steps of a training, from where it stands, with other settings or data; all is put back at its end.
Trial = Callable[..., Generator[Tensor]]  # after each step it yields the sum of all losses so far


def check_labels(data: Dataset) -> None:
    """Refuse labels that are none of the classes. On a GPU they would end the whole process's use of it.

    For the cross-entropy; a loss of one's own may give labels another meaning.

    Raises: ValueError with the first such label, and how many there are.
    """
    if found := _wrong_labels(data):
        raise ValueError(found)


def _wrong_labels(data: Dataset) -> str:
    for name, y in (("y_train", data.y_train), ("y_test", data.y_test)):
        if len(y) and not 0 <= int(y.min()) <= int(y.max()) < data.classes:
            wrong = ((y < 0) | (y >= data.classes)).nonzero()[:, 0]
            row = int(wrong[0])
            return (
                f"the labels of {data.name} must lie between 0 and {data.classes - 1}, got {name}[{row}] = "
                f"{int(y[row])} ({_counted(len(wrong), 'such row')}); correct them, or give the Dataset more classes"
            )
    return ""


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


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no tensor holds a NaN or an infinity; looked up on the device, with one wait for it.

    >>> all_finite([torch.ones(2), torch.tensor([1, 2])]), all_finite([torch.tensor([torch.nan, 1.0])])
    (True, False)
    """
    floats = [t.detach() for t in tensors if t.is_floating_point() and t.numel()]
    return not floats or math.isfinite(nn.utils.get_total_norm(floats, norm_type=math.inf))


def blame(model: nn.Module, data: Dataset, settings: Settings, *, epoch: Trial, longer: Trial, epoch_steps: int) -> str:
    """Say in one sentence what makes a training not finite within the `epoch_steps` of its next epoch, and the way out.

    `epoch` takes the steps of that epoch. `longer` is for trials of other settings: it may begin at an earlier time,
    when the weights were still ordinary. All of it takes as long as an epoch or two, and often only some steps.
    """
    if found := unusable_inputs(data) or _unusable_weights(model):
        return found
    steps, found = _broken_function(model, data, settings, epoch, epoch_steps)
    found = found or _setting_to_blame(data, settings, longer, max(steps, STEPS)) or _huge_weights(model)
    return found or f"no single setting was found to blame; try a smaller lr than {settings.lr:g}, from new weights"


def unusable_inputs(data: Dataset) -> str:
    """Say which training inputs are not finite; empty where all are.

    >>> x, y = torch.tensor([[1.0, 2.0], [3.0, torch.inf]]), torch.zeros(2, dtype=torch.int64)
    >>> unusable_inputs(Dataset("pairs", x, y, x, y, classes=1))[:60]
    'x_train[1, 1] of pairs is inf (1 such number in 1 row and 1 '
    """
    wrong = (~torch.isfinite(data.x_train)).nonzero()
    if not len(wrong):
        return ""
    place = tuple(wrong[0].tolist())
    rows, features = len(wrong[:, 0].unique()), len(wrong[:, 1:].unique(dim=0))
    return (
        f"x_train[{', '.join(map(str, place))}] of {data.name} is {float(data.x_train[place])} "
        f"({_counted(len(wrong), 'such number')} in {_counted(rows, 'row')} and {_counted(features, 'feature')}); "
        "replace these numbers, or leave out the rows or features that have them"
    )


def _unusable_weights(model: nn.Module) -> str:
    for name, p in model.named_parameters():
        if not all_finite([p]):
            return f"the weights {name!r} held numbers that are not finite before this epoch; start with other weights"
    return ""


def _huge_weights(model: nn.Module) -> str:
    for name, p in model.named_parameters():
        if (most := _largest([p])) > ORDINARY:
            return f"the weights {name!r} reached {most:g} before this epoch; start with smaller ones"
    return ""


# What is not finite first


class _Watch:
    """The loss function and the layers of a network, with an eye on what comes out of them."""

    def __init__(self, loss: Loss) -> None:
        self.own_loss = loss
        self.layer = ""  # one that made numbers that are not finite out of ordinary ones
        self.seen: list[tuple[Tensor, Tensor]] = []  # outputs and loss of each part of the last step

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        if outputs.requires_grad:
            outputs.retain_grad()
        value = self.own_loss(outputs, labels)
        self.seen.append((outputs, value))
        return value

    @contextmanager
    def layers_of(self, model: nn.Module) -> Iterator[None]:
        names = {module: name for name, module in model.named_modules() if not any(module.children())}

        def look(layer: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            given = [t for t in inputs if isinstance(t, Tensor)]
            bad = isinstance(output, Tensor) and not all_finite([output])
            if bad and not self.layer and _largest([*given, *layer.parameters()]) <= ORDINARY:
                ends = f" for inputs between {_between(given[0])}" if given else ""
                self.layer = f"layer {names[layer]!r} ({type(layer).__name__}) gives numbers that are not finite{ends}"

        handles = [module.register_forward_hook(look) for module in names]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def broken_loss(self) -> str:
        """What the loss function made of the outputs of the last step, if they were ordinary and it was not finite."""
        for outputs, value in self.seen:
            if self.own_loss is F.cross_entropy or _largest([outputs]) > ORDINARY:
                continue
            name = getattr(self.own_loss, "__name__", type(self.own_loss).__name__)
            for what, t in (("returned", value), ("has a derivative of", outputs.grad)):
                if t is not None and not all_finite([t]):
                    bad = float(t.detach()[~torch.isfinite(t)][0])
                    return (
                        f"the loss function {name} {what} {bad} for outputs of the network between "
                        f"{_between(outputs)}; look for a logarithm, a root or a division there"
                    )
        return ""

    def finite(self) -> bool:
        return all_finite(t for pair in self.seen for t in pair)


def _broken_function(
    model: nn.Module, data: Dataset, settings: Settings, trial: Trial, epoch_steps: int
) -> tuple[int, str]:
    """The number of steps until something is not finite, and the layer or loss function that is to blame, or ""."""
    watch, number = _Watch(settings.loss), 0
    with closing(trial(loss=watch.loss)) as steps, watch.layers_of(model):
        for _ in islice(steps, epoch_steps):
            number += 1
            if not watch.finite() or not all_finite(model.parameters()):
                break
            watch.seen.clear()
    if watch.layer:
        return number, f"{watch.layer}; look for a logarithm, a root or a division there"
    found = watch.broken_loss()
    return number, found and (_wrong_labels(data) or found)  # a loss may well fail on labels that are no classes


# Which setting it is


def _setting_to_blame(data: Dataset, settings: Settings, trial: Trial, most: int) -> str:
    """The setting without which `most` steps go well, or "" where there is none."""

    def mean(**changed: object) -> float:
        return _mean_loss(trial(**changed), most)

    if mean() < math.inf:
        return ""  # these steps say nothing: it takes more of them to fail
    regularizer, lr, largest = settings.regularizer, settings.lr, _largest([data.x_train])
    if regularizer is not None and mean(regularizer=None) < math.inf:
        lam = float(regularizer.lam)
        fits = next((v for v in _smaller(lam) if mean(regularizer=replace(regularizer, lam=v)) < math.inf), None)
        return f"the regularizer's lam={lam:g} is too large: without it the same steps go well; {_try('lam', fits)}"
    if settings.weight_decay and not callable(settings.optimizer) and mean(weight_decay=0.0) < math.inf:
        decay = settings.weight_decay
        fits = next((v for v in _smaller(decay) if mean(weight_decay=v) < math.inf), None)
        return f"weight_decay={decay:g} is too large: without it the same steps go well; {_try('weight_decay', fits)}"
    if settings.after_step is not None and mean(after_step=None) < math.inf:
        return "after_step spoils the weights: without it the same steps go well; see what it does to them"
    if largest > ORDINARY and mean(data=replace(data, x_train=data.x_train / largest)) < math.inf:
        return (
            f"the inputs of {data.name} reach {largest:g}: divided by that the same steps go well; "
            "scale them to about 1, each feature on its own where they differ"
        )
    least, best = min((mean(lr=value), value) for value in _smaller(lr))
    return f"lr={lr:g} is too large: the same steps go well with lr={best:g}; try that" if least < math.inf else ""


def _mean_loss(steps: Generator[Tensor], most: int) -> float:
    """The mean of the losses, each as a sum over its batch; infinite where they go wrong: beyond twice the first."""
    sums = [0.0]
    with closing(steps):
        for total in islice(steps, most):
            sums.append(float(total))
            if not math.isfinite(sums[-1]):
                return math.inf
    first, mean = sums[1], sums[-1] / (len(sums) - 1)
    return mean if mean <= first + abs(first) else math.inf


def _smaller(value: float) -> list[float]:
    """Six values to try in its place, the largest first: tenths, and none above 1, where nothing goes well."""
    return [float(f"{min(value / 10, 1.0) / 10**power:.3g}") for power in range(6)]


def _try(name: str, value: float | None) -> str:
    return f"try {name}={value:g}" if value is not None else f"take a much smaller {name}"


def _largest(tensors: Iterable[Tensor]) -> float:
    """The largest magnitude; NaN, which is not <= anything, where one is there."""
    floats = [t.detach() for t in tensors if t.is_floating_point() and t.numel()]
    return float(nn.utils.get_total_norm(floats, norm_type=math.inf)) if floats else 0.0


def _between(t: Tensor) -> str:
    low, high = t.detach().aminmax()
    return f"{float(low):.3g} and {float(high):.3g}"


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
