"""Distillation: a small network learns from the softened answers of a large one (lecture, section 08).

A teacher's probabilities at temperature T, softmax(z / T) of its logits z, show besides the most probable class how
probable it holds each of the others. (Hinton, Vinyals, Dean 2015, arXiv:1503.02531.)
"""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.check import floating, in_range
from course_utils.methods.evaluation_mode import evaluation_mode

__all__ = ["Distillation", "best_bias", "correct_bias_", "distillation_loss", "soft_loss", "soft_targets"]

NO_LABEL = -100  # of a row without a label, as in torch
MAX_TEMPERATURE = 1e30  # excludes infinity and NaN, and is above every temperature in use


def distillation_loss(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, temperature: float, alpha: float, dim: int = 1
) -> Tensor:
    """alpha T^2 KL(teacher at T || student at T) + (1 - alpha) cross-entropy(student, labels), a 0-d tensor.

    Logits: (n, classes), or with further dimensions, of which `dim` has the classes: 1 for segmentation (n, classes,
    height, width), -1 for sequences (n, tokens, classes). Labels: their shape without the classes. The soft term is a
    mean over all rows (places, tokens), the other over those that have a label, which is not -100; a term whose factor
    is 0 is not computed. The gradient of the soft term shrinks with 1 / T^2; the factor T^2 undoes that, so that alpha
    keeps its meaning when T changes. A teacher's logit of minus infinity is a probability of 0. No gradient goes to the
    teacher. An empty batch gives NaN, as cross_entropy does.

    Raises: ValueError for a temperature that is not positive, alpha outside 0 to 1, or shapes that do not fit.

    >>> z = torch.tensor([[2.0, 1.0, 0.0]])
    >>> float(distillation_loss(z, z, torch.tensor([0]), temperature=4, alpha=1.0))
    0.0
    """
    _check_temperature(temperature)
    in_range("alpha", alpha, 0, 1)
    floating("student_logits", student_logits)
    student, teacher = _rows(student_logits, dim), _rows(teacher_logits.detach(), dim)
    expected = student_logits.movedim(dim, -1).shape[:-1] if student is not None else None
    if student is None or teacher is None or teacher_logits.shape != student_logits.shape or labels.shape != expected:
        raise ValueError(
            f"logits must have the shape (n, classes), or more dimensions with the classes in dim={dim}, and labels "
            f"the same without the classes, got student {tuple(student_logits.shape)}, teacher "
            f"{tuple(teacher_logits.shape)}, labels {tuple(labels.shape)}"
        )
    loss = student.new_zeros(())
    if alpha > 0:
        loss = loss + alpha * _divergence(student, teacher, temperature)
    if alpha < 1:
        labels = labels.reshape(-1)
        labelled = (labels != NO_LABEL).sum() if len(labels) else 0  # of no rows the mean is NaN, of no labels it is 0
        hard = F.cross_entropy(student, labels, ignore_index=NO_LABEL, reduction="sum")
        loss = loss + (1 - alpha) * hard / (labelled.clamp(min=1) if isinstance(labelled, Tensor) else labelled)
    return loss


def _rows(logits: Tensor, dim: int) -> Tensor | None:
    """The logits as (rows, classes); None where they have no such dimension."""
    if logits.ndim < 2 or not -logits.ndim <= dim < logits.ndim:
        return None
    return logits.movedim(dim, -1).flatten(0, -2)


def _divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 KL(teacher || student) of logits (rows, classes), the mean over the rows; 0 log 0 is 0."""
    log_p, log_q = F.log_softmax(teacher / temperature, 1), F.log_softmax(student / temperature, 1)
    p = log_p.exp()
    return temperature**2 * torch.where(p > 0, p * (log_p - log_q), 0.0).sum(1).mean()


def soft_loss(student_logits: Tensor, teacher_logits: Tensor, *, temperature: float, dim: int = 1) -> Tensor:
    """T^2 KL(teacher at T || student at T), a 0-d tensor: the soft term of `distillation_loss` alone, without labels.

    Raises: ValueError for a temperature that is not positive, or shapes that differ.

    >>> float(soft_loss(torch.zeros(2, 3), torch.zeros(2, 3), temperature=4))
    0.0
    """
    _check_temperature(temperature)
    student, teacher = _rows(student_logits, dim), _rows(teacher_logits.detach(), dim)
    if student is None or teacher is None or student_logits.shape != teacher_logits.shape:
        raise ValueError(
            f"the logits must have one shape, with the classes in dim={dim}, got student "
            f"{tuple(student_logits.shape)} and teacher {tuple(teacher_logits.shape)}"
        )
    return _divergence(student, teacher, temperature)


@torch.no_grad()
def soft_targets(teacher: Callable[[Tensor], Tensor], x: Tensor, *, temperature: float, rows: int = 2048) -> Tensor:
    """The teacher's softened probabilities softmax(z / T) for inputs x (n, ...): (n, classes), without a gradient.

    A module computes them in evaluation mode, `rows` inputs at a time, and is left in the mode that it was in.

    Raises: ValueError for a temperature that is not positive.

    >>> soft_targets(lambda x: x, torch.tensor([[4.0, 0.0]]), temperature=4).round(decimals=2)
    tensor([[0.7300, 0.2700]])
    """
    _check_temperature(temperature)
    with evaluation_mode(teacher) if isinstance(teacher, nn.Module) else nullcontext():
        return torch.cat([F.softmax(teacher(batch) / temperature, 1) for batch in x.split(rows)])


class Distillation(nn.Module):
    """A student whose output in training includes its teacher's logits, so that any training loop can be used:

        fit(Distillation(student, teacher, ...), data, loss=distillation.loss)

    In training mode it returns (n, 2 * classes), the student's logits and then the teacher's; in evaluation mode it is
    the student. `dim`: the dimension of the classes, as in `distillation_loss`. Only the student's parameters are its
    own; the teacher answers in evaluation mode, on the device of the inputs, to which it is moved, and gets no
    gradient. A teacher that is not a module is a function from inputs to logits.

    Raises: ValueError for a temperature that is not positive, or alpha outside 0 to 1.

    >>> student, teacher = nn.Linear(4, 3), nn.Linear(4, 3)
    >>> distillation = Distillation(student, teacher, temperature=4, alpha=0.9)
    >>> distillation.loss(distillation(torch.ones(2, 4)), torch.tensor([0, 1])).backward()
    >>> student.weight.grad is not None, teacher.weight.grad is None
    (True, True)
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: Callable[[Tensor], Tensor],
        *,
        temperature: float,
        alpha: float,
        dim: int = 1,
    ) -> None:
        super().__init__()
        _check_temperature(temperature)
        self.student, self.temperature, self.alpha = student, temperature, in_range("alpha", alpha, 0, 1)
        self.dim = dim
        self._teacher = (teacher,)  # in a tuple, so that it is no part of this module and is not trained

    def forward(self, x: Tensor) -> Tensor:
        """The student's logits; in training mode followed by the teacher's."""
        logits = self.student(x)
        if not self.training:
            return logits
        (teacher,) = self._teacher
        with torch.no_grad():
            if isinstance(teacher, nn.Module):
                teacher.to(x.device)
            with evaluation_mode(teacher) if isinstance(teacher, nn.Module) else nullcontext():
                teacher_logits = teacher(x).to(logits.dtype)
        return torch.cat([logits, teacher_logits], self.dim)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """`distillation_loss` of what training mode returns; cross-entropy of what evaluation mode returns."""
        if not self.training:
            return F.cross_entropy(logits.movedim(self.dim, 1), labels)
        student, teacher = logits.chunk(2, self.dim)
        return distillation_loss(student, teacher, labels, temperature=self.temperature, alpha=self.alpha, dim=self.dim)


def best_bias(logits: Tensor, labels: Tensor, *, label: int) -> float:
    """The number to add to the logit of one class for the fewest errors on a validation set; of several the smallest.

    A student whose transfer set had no example of a class knows it only from the soft targets of the others, so its
    bias for that class is too low; raising it restores most of the class (section 3 of the paper, the missing 3s).
    Exact: the number of errors changes only where a row changes its prediction, and all these values are tried.

    `logits`: (n, classes), `labels`: (n,), of rows that the network was not trained on.

    Raises: ValueError for fewer than two classes, no rows, or a label that is not one of the classes.

    >>> logits = torch.tensor([[2.0, 0.0], [3.0, 0.0], [4.0, 1.0]])
    >>> best_bias(logits, torch.tensor([1, 1, 0]), label=1)  # predictions change at 2, 3 and 3
    2.5
    """
    if logits.ndim != 2 or logits.shape[1] < 2 or not len(logits) or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"logits must have the shape (n, at least 2 classes) and labels (n,) with n > 0, got "
            f"{tuple(logits.shape)} and {tuple(labels.shape)}"
        )
    in_range("label", label, 0, logits.shape[1] - 1)
    z = logits.detach().double()
    without_label = z.clone()
    without_label[:, label] = -torch.inf
    rival_logit, rival = without_label.max(1)
    # With a bias above its margin a row is predicted to have the label.
    margins, order = (rival_logit - z[:, label]).sort()
    change = torch.where(labels == label, -1, (rival == labels).long())[order]
    errors = torch.cat([change.new_zeros(1), change.cumsum(0)])  # more than with a bias of minus infinity
    low, high = margins.new_tensor([-torch.inf]), margins.new_tensor([torch.inf])
    low, high = torch.cat([low, margins]), torch.cat([margins, high])
    between = high > low  # equal margins leave nothing between them
    best = between & (errors == errors[between].min())
    if bool((best & (low < 0) & (high > 0)).any()):
        return 0.0
    low, high = low.clamp(min=float(margins[0]) - 2), high.clamp(max=float(margins[-1]) + 2)
    middles = ((low + high) / 2)[best]
    return float(middles[middles.abs().argmin()])


@torch.no_grad()
def correct_bias_(model: nn.Module, *, label: int, shift: float) -> nn.Module:
    """Add `shift` to the bias of one class in the last linear layer of a classifier, in place.

    Raises: ValueError where the model has no linear layer, the last has no bias, or `label` is none of its outputs.

    >>> model = nn.Linear(4, 3)
    >>> before = model.bias[1].item()
    >>> round(correct_bias_(model, label=1, shift=2.0).bias[1].item() - before, 4)
    2.0
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if not layers or layers[-1].bias is None:
        raise ValueError("the model must end in a linear layer with a bias, and has none")
    in_range("label", label, 0, layers[-1].out_features - 1)
    layers[-1].bias[label] += shift
    return model


def _check_temperature(temperature: float) -> None:
    if not 0 < temperature < MAX_TEMPERATURE:
        raise ValueError(
            f"temperature must be positive and finite, got {temperature!r}; 1 leaves the logits as they are"
        )
