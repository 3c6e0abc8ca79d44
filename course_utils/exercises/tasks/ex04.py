"""Exercise 04: sparse and group-sparse penalties, (5) to (9)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.exercises.task import Case, Exercise, Mistake, Task, Written, seeded
from course_utils.methods import penalties

__all__ = ["EXERCISE"]

RATIO = 0.5  # of the l1 part in the mixed penalty of the last task


def matrices(seed: int) -> list[Tensor]:
    """A few weight matrices (out, in), the first of them small enough to calculate by hand."""
    generator = seeded(seed)
    return [torch.randn(shape, generator=generator) for shape in [(2, 3), (4, 2), (3, 7), (1, 5), (16, 9)]]


def with_zero_column(w: Tensor) -> Tensor:
    """A copy in which the weights of the first input are all zero."""
    w = w.clone()
    w[:, 0] = 0
    return w


def _swapped(dim: int) -> int:
    return 1 - dim


# Task 1: the soft threshold


def threshold_cases(seed: int) -> Sequence[Case]:
    """Matrices of both signs; as edge cases a step of zero, and a weight that is as large as the step."""
    cases = [Case((w,), {"step": step}) for w, step in zip(matrices(seed), (0.5, 0.1, 0.9, 0.3, 0.7), strict=True)]
    cases.append(Case((matrices(seed)[0],), {"step": 0.0}, "a step of zero changes nothing"))
    cases.append(Case((torch.tensor([[0.5, -0.5, 0.0]]),), {"step": 0.5}, "weights as large as the step"))
    return cases


def soft_threshold(w: Tensor, *, step: float) -> Tensor:
    """The proximal step of the l1 penalty."""
    return penalties.prox_l1(w, step=step)


THRESHOLD = Task(
    "soft_threshold",
    "The soft threshold",
    2,
    soft_threshold,
    threshold_cases,
    (
        Mistake(
            "sign lost",
            "negative weights must stay negative: shrink the magnitude, then restore the sign.",
            lambda w, step: penalties.prox_l1(w, step=step).abs(),
        ),
        Mistake(
            "only positive weights",
            "negative weights are shrunk too, towards zero from below.",
            lambda w, step: penalties.prox_l1(w, step=step).clamp(min=0),
        ),
        Mistake(
            "across zero",
            "a weight smaller than the step ends at zero; yours crosses zero and grows on the other side.",
            lambda w, step: w - step * w.sign(),
        ),
        Mistake(
            "hard threshold",
            "the large weights move as well, by the step; yours stay where they were.",
            lambda w, step: torch.where(w.abs() > step, w, 0),
        ),
        Mistake(
            "l2 step",
            "this is the step of the squared penalty (5), which shrinks all weights by one factor; (7) reduces "
            "the magnitude of each by the same amount.",
            lambda w, step: penalties.prox_l2(w, step=step),
        ),
        Mistake(
            "half of the step",
            "the amount subtracted is the full step: the penalty (7) has no factor 1/2.",
            lambda w, step: penalties.prox_l1(w, step=step / 2),
        ),
        Mistake(
            "same amount off everything",
            "the step is subtracted from the magnitude of a weight; in yours from the weight, so negative ones grow.",
            lambda w, step: w - step,
        ),
    ),
    (
        "methods.penalties.proximal.prox_l1",
        "methods.penalties.proximal.prox_elastic_net",
        "methods.penalties.proximal.prox_sparse_group",
        "methods.penalties.proximal._soft",
        "methods.penalties.regularizer.Regularizer",
    ),
)

# Task 2: the penalty of groups


def penalty_cases(seed: int) -> Sequence[Case]:
    """Both directions of a group; as edge cases groups of one weight, and a group of zeros."""
    cases = [Case((w,), {"dim": i % 2}) for i, w in enumerate(matrices(seed))]
    cases.append(Case((matrices(seed)[3],), {"dim": 0}, "groups of one weight: here (9) is the l1 penalty (7)"))
    cases.append(Case((with_zero_column(matrices(seed)[0]),), {"dim": 0}, "a group of zeros"))
    return cases


def group_penalty(w: Tensor, *, dim: int) -> Tensor:
    """The sum over all groups of sqrt(size) times norm."""
    return penalties.group(w, dim=dim)


PENALTY = Task(
    "group_penalty",
    "The penalty of groups",
    2,
    group_penalty,
    penalty_cases,
    (
        Mistake(
            "no root of the size",
            "each norm in (9) has a factor: the square root of the number of weights in the group.",
            lambda w, dim: penalties.group(w, dim=dim) / w.shape[dim] ** 0.5,
        ),
        Mistake(
            "size without its root",
            "the factor of a group is the square root of its size, not the size.",
            lambda w, dim: penalties.group(w, dim=dim) * w.shape[dim] ** 0.5,
        ),
        Mistake(
            "other direction",
            "a group runs along `dim`, so the norm is taken over `dim`; yours runs along the other direction.",
            lambda w, dim: penalties.group(w, dim=_swapped(dim)),
        ),
        Mistake(
            "mean for sum",
            "(9) has the sum over all groups; yours is their mean.",
            lambda w, dim: penalties.group(w, dim=dim) / w.shape[_swapped(dim)],
        ),
        Mistake(
            "squared norm",
            "(9) has the norm itself; a squared norm gives no zeros, as with (5).",
            lambda w, dim: penalties.l2(w) * w.shape[dim] ** 0.5,
        ),
        Mistake(
            "one norm for all",
            "each group has its own norm; yours is the norm of the complete matrix.",
            lambda w, dim: penalties.l2(w).sqrt() * w.shape[dim] ** 0.5,
        ),
        Mistake(
            "sum of sizes",
            "the norm of a group is the root of its sum of squares; the sum of the weights' magnitudes is (7).",
            lambda w, dim: penalties.l1(w) * w.shape[dim] ** 0.5,
        ),
    ),
    (
        "methods.penalties.norms.group",
        "methods.penalties.norms.sparse_group",
        "methods.penalties.regularizer.Regularizer",
    ),
)

# Task 3: the proximal step of groups


def block_cases(seed: int) -> Sequence[Case]:
    """Steps that leave some groups and end others; as edge cases a group of zeros, and a step that ends all."""
    steps = (0.5, 0.2, 0.8, 0.4, 0.25)
    cases = [Case((w,), {"step": s, "dim": i % 2}) for i, (w, s) in enumerate(zip(matrices(seed), steps, strict=True))]
    cases.append(Case((with_zero_column(matrices(seed)[0]),), {"step": 0.3, "dim": 0}, "a group of zeros"))
    cases.append(Case((with_zero_column(matrices(seed)[1]),), {"step": 0.0, "dim": 0}, "a step of zero"))
    return cases


def block_threshold(w: Tensor, *, step: float, dim: int) -> Tensor:
    """The proximal step of the group lasso."""
    return penalties.prox_group(w, step=step, dim=dim)


def _factors(w: Tensor, step: float, dim: int) -> Tensor:
    """How much of each group would be left, without a floor at zero."""
    return 1 - step * w.shape[dim] ** 0.5 / w.norm(dim=dim, keepdim=True)


BLOCK = Task(
    "block_threshold",
    "The proximal step of groups",
    3,
    block_threshold,
    block_cases,
    (
        Mistake(
            "no root of the size",
            "the step of a group is multiplied by the square root of the group's size, as in (9).",
            lambda w, step, dim: penalties.prox_group(w, step=step / w.shape[dim] ** 0.5, dim=dim),
        ),
        Mistake(
            "other direction",
            "a group runs along `dim`: its norm is taken over `dim`; yours runs along the other direction.",
            lambda w, step, dim: penalties.prox_group(w, step=step, dim=_swapped(dim)),
        ),
        Mistake(
            "across zero",
            "a group whose norm is below its step ends at zero; yours crosses zero and its signs change.",
            lambda w, step, dim: w * _factors(w, step, dim),
        ),
        Mistake(
            "each weight alone",
            "this is the soft threshold of each weight; a group keeps its direction: all its weights get one factor.",
            lambda w, step, dim: penalties.prox_l1(w, step=step),
        ),
        Mistake(
            "one norm for all",
            "each group has its own norm and factor; yours has one for the complete matrix.",
            lambda w, step, dim: penalties.prox_group(w, step=step * (w.shape[dim] / w.numel()) ** 0.5, dim=(0, 1)),
        ),
        Mistake(
            "nothing over nothing",
            "a group of zeros has the norm 0, and 0/0 is not a number (nan); such a group stays zero.",
            lambda w, step, dim: w * _factors(w, step, dim).clamp(min=0),
        ),
        Mistake(
            "all or nothing",
            "groups that survive are shrunk too; yours stay where they were.",
            lambda w, step, dim: w * (penalties.prox_group(w, step=step, dim=dim) != 0),
        ),
    ),
    (
        "methods.penalties.proximal.prox_group",
        "methods.penalties.proximal.prox_sparse_group",
        "methods.penalties.proximal._shrink",
        "methods.penalties.regularizer.Regularizer",
    ),
)

# Task 4: which inputs are left


def input_cases(seed: int) -> Sequence[Case]:
    """Sparse matrices; as edge cases all zeros, and a weight that is as large as the threshold."""
    cases = []
    for w in matrices(seed):
        sparse = penalties.prox_l1(with_zero_column(w), step=0.8)
        cases.append(Case((sparse,), {"threshold": 0.0}))
        cases.append(Case((w,), {"threshold": 1.0}))
    cases.append(Case((torch.zeros(3, 4),), {"threshold": 0.0}, "nothing is left"))
    cases.append(Case((torch.tensor([[0.25, 1.0, 0.0]]),), {"threshold": 0.25}, "a weight as large as the threshold"))
    return cases


def active_inputs(w: Tensor, *, threshold: float) -> int:
    """How many inputs have a weight left that is larger than the threshold."""
    layer = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
    layer.weight.data = w
    return penalties.active_neurons(layer, threshold=threshold)[0]


INPUTS = Task(
    "active_inputs",
    "Which inputs are left",
    2,
    active_inputs,
    input_cases,
    (
        Mistake(
            "rows for columns",
            "a weight matrix is (out, in): the weights of an input are a column; yours counts rows.",
            lambda w, threshold: active_inputs(w.T, threshold=threshold),
        ),
        Mistake(
            "the other inputs",
            "count the inputs that are left; yours counts those that are removed.",
            lambda w, threshold: w.shape[1] - active_inputs(w, threshold=threshold),
        ),
        Mistake(
            "all for any",
            "one weight above the threshold is enough for an input to be left; yours asks for all of them.",
            lambda w, threshold: int((w.abs() > threshold).all(0).sum()),
        ),
        Mistake(
            "negative weights forgotten",
            "a large negative weight counts as well: compare its magnitude with the threshold.",
            lambda w, threshold: active_inputs(w.clamp(min=0), threshold=threshold),
        ),
        Mistake(
            "weights for inputs",
            "the task asks for inputs; yours counts single weights.",
            lambda w, threshold: int((w.abs() > threshold).sum()),
        ),
        Mistake(
            "at least for more than",
            "a weight of exactly the threshold counts as removed: the comparison is `>`.",
            lambda w, threshold: int((w.abs() >= threshold).any(0).sum()),
        ),
    ),
    ("methods.penalties.zeros.active_neurons",),
)

# Task 5: both together, in the lecture's panel


def half_and_half(w: Tensor, *, step: float, dim: int) -> Tensor:
    """The proximal step of the sparse group lasso with equal parts."""
    return penalties.prox_sparse_group(w, step=step, dim=dim, l1_ratio=RATIO)


BOTH = Task(
    "half_and_half",
    "Both together, in the panel",
    3,
    half_and_half,
    block_cases,
    (
        Mistake(
            "other order",
            "the soft threshold comes first and the groups second; the other order is no proximal step.",
            lambda w, step, dim: penalties.prox_l1(
                penalties.prox_group(w, step=step * (1 - RATIO), dim=dim), step=step * RATIO
            ),
        ),
        Mistake(
            "two whole steps",
            "each of the two parts gets half of the step; yours takes the full step twice.",
            lambda w, step, dim: penalties.prox_group(penalties.prox_l1(w, step=step), step=step, dim=dim),
        ),
        Mistake(
            "groups alone",
            "the soft threshold of single weights is missing.",
            lambda w, step, dim: penalties.prox_group(w, step=step * (1 - RATIO), dim=dim),
        ),
        Mistake(
            "single weights alone",
            "the step of the groups is missing.",
            lambda w, step, dim: penalties.prox_l1(w, step=step * RATIO),
        ),
        Mistake(
            "mean of two steps",
            "the second step starts from the result of the first; yours applies both to w and averages the results.",
            lambda w, step, dim: (
                RATIO * penalties.prox_l1(w, step=step) + (1 - RATIO) * penalties.prox_group(w, step=step, dim=dim)
            ),
        ),
        Mistake(
            "other direction",
            "a group runs along `dim`; yours runs along the other direction.",
            lambda w, step, dim: half_and_half(w, step=step, dim=_swapped(dim)),
        ),
    ),
    (
        "methods.penalties.proximal.prox_sparse_group",
        "methods.penalties.proximal.prox_group",
        "methods.penalties.proximal.prox_l1",
        "methods.penalties.regularizer.Regularizer",
    ),
)

EXERCISE = Exercise(
    "ex04",
    "Sparse and group-sparse penalties",
    60,
    (THRESHOLD, PENALTY, BLOCK, INPUTS, BOTH),
    Written("Why no zeros?", 3),
)
