"""Exercise 08: distilling the knowledge (Hinton, Vinyals, Dean 2015, arXiv:1503.02531)."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils.exercises.task import Case, Exercise, Mistake, Task, Written, seeded
from course_utils.methods.distill import correct_bias_, distillation_loss, soft_targets

__all__ = ["EXERCISE"]

HIDDEN = (
    "methods.distill.distillation_loss",
    "methods.distill.Distillation",
    "methods.distill.soft_loss",
    "methods.distill._divergence",
)

# Task 1: softened probabilities


def logit_cases(seed: int) -> Sequence[Case]:
    """Rows of logits; as edge cases some that are too large for the exponential function."""
    generator = seeded(seed)
    cases = []
    for shape, temperature in [((1, 3), 4.0), ((2, 4), 0.5), ((5, 10), 20.0), ((3, 2), 2.0)]:
        cases.append(Case((4 * torch.randn(shape, generator=generator),), {"temperature": temperature}))
    large = torch.tensor([[1000.0, 0.0, -1000.0]])
    cases.append(Case((large,), {"temperature": 2.0}, "logits so large that their exponential overflows in float32"))
    return cases


def soften(logits: Tensor, *, temperature: float) -> Tensor:
    """The softmax of the logits over T."""
    return soft_targets(lambda z: z, logits, temperature=temperature)


SOFTENED = Task(
    "soften",
    "Softened probabilities",
    2,
    soften,
    logit_cases,
    (
        Mistake(
            "temperature forgotten",
            "the logits are divided by T first; yours is the ordinary softmax, that of T = 1.",
            lambda logits, temperature: soften(logits, temperature=1.0),
        ),
        Mistake(
            "multiplied",
            "a high T brings the probabilities closer to each other, so the logits are divided by T; yours are "
            "multiplied.",
            lambda logits, temperature: soften(logits, temperature=1 / temperature),
        ),
        Mistake(
            "divided too late",
            "divide the logits, before the exponential function; yours divides the probabilities, which then no longer "
            "add up to 1.",
            lambda logits, temperature: soften(logits, temperature=1.0) / temperature,
        ),
        Mistake(
            "other direction",
            "each row adds up to 1, over its classes; in yours each column does.",
            lambda logits, temperature: soften(logits.T, temperature=temperature).T,
        ),
        Mistake(
            "one sum for all rows",
            "each row is divided by its own sum; yours has one sum for the whole matrix.",
            lambda logits, temperature: soften(logits.reshape(1, -1), temperature=temperature).reshape(logits.shape),
        ),
        Mistake(
            "too large for exp",
            "e to the power of 500 overflows in float32, and infinity over infinity is not a number (nan). The result "
            "stays the same if the same number is subtracted from all logits of a row: subtract the largest.",
            lambda logits, temperature: soften(logits, temperature=temperature).masked_fill(
                (logits / temperature).exp().isinf(), math.nan
            ),
        ),
    ),
    ("methods.distill.soft_targets",),
)

# Task 2: the loss of a student


def lesson_cases(seed: int) -> Sequence[Case]:
    """Batches of a student and a teacher; as edge cases one of the two terms alone, and a student that agrees."""
    generator = seeded(seed)
    cases = []
    settings = [((1, 3), 4.0, 0.9), ((4, 5), 2.0, 0.5), ((6, 10), 8.0, 0.75), ((20, 10), 3.0, 0.25)]
    for shape, temperature, alpha in settings:
        student, teacher = (2 * torch.randn(shape, generator=generator) for _ in range(2))
        labels = torch.randint(shape[1], shape[:1], generator=generator)
        cases.append(Case((student, teacher, labels), {"temperature": temperature, "alpha": alpha}))
    student, teacher, labels = cases[1].args
    cases.append(Case((student, teacher, labels), {"temperature": 5.0, "alpha": 0.0}, "the labels only"))
    cases.append(Case((student, teacher, labels), {"temperature": 5.0, "alpha": 1.0}, "the teacher alone"))
    agreeing = Case((teacher, teacher.clone(), labels), {"temperature": 5.0, "alpha": 0.5}, "student and teacher agree")
    return [*cases, agreeing]


def taught_loss(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, temperature: float, alpha: float
) -> Tensor:
    """Hinton's loss."""
    return distillation_loss(student_logits, teacher_logits, labels, temperature=temperature, alpha=alpha)


def _soft(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The teacher's term alone, with its T^2."""
    return taught_loss(student, teacher, student.argmax(1), temperature=temperature, alpha=1.0)


def _mixed(alpha: float, soft: Tensor, student: Tensor, labels: Tensor) -> Tensor:
    """Another soft term with the correct hard one."""
    return alpha * soft + (1 - alpha) * taught_loss(student, student, labels, temperature=1.0, alpha=0.0)


def _entropy(teacher: Tensor, temperature: float) -> Tensor:
    """The mean entropy of the teacher's softened answers, which tells a cross-entropy from a divergence."""
    return torch.distributions.Categorical(soften(teacher, temperature=temperature)).entropy().mean()


LOSS = Task(
    "taught_loss",
    "The loss of a student, in the panel",
    4,
    taught_loss,
    lesson_cases,
    (
        Mistake(
            "no T squared",
            "the teacher's term is multiplied by T^2; without it the term vanishes as T grows, and alpha no longer "
            "sets the balance.",
            lambda s, t, y, temperature, alpha: _mixed(alpha, _soft(s, t, temperature) / temperature**2, s, y),
        ),
        Mistake(
            "T for T squared",
            "the teacher's term is multiplied by T^2; yours is multiplied by T.",
            lambda s, t, y, temperature, alpha: _mixed(alpha, _soft(s, t, temperature) / temperature, s, y),
        ),
        Mistake(
            "weights exchanged",
            "alpha is the weight of the teacher, and 1 - alpha that of the labels; in yours it is the other way "
            "around.",
            lambda s, t, y, temperature, alpha: taught_loss(s, t, y, temperature=temperature, alpha=1 - alpha),
        ),
        Mistake(
            "divergence turned round",
            "in KL(p || q) the logarithms are weighted with the teacher's probabilities p; yours with the student's.",
            lambda s, t, y, temperature, alpha: _mixed(alpha, _soft(t, s, temperature), s, y),
        ),
        Mistake(
            "cross-entropy for divergence",
            "the divergence is 0 where student and teacher agree; yours is a cross-entropy, which also contains the "
            "teacher's entropy: the logarithm is that of p / q, not of 1 / q.",
            lambda s, t, y, temperature, alpha: _mixed(
                alpha, _soft(s, t, temperature) + temperature**2 * _entropy(t, temperature), s, y
            ),
        ),
        Mistake(
            "mean over the classes",
            "the divergence of a row is the sum over its classes, and the mean is over the rows alone; yours is "
            'divided by the number of classes as well. (So is that of torch with reduction="mean".)',
            lambda s, t, y, temperature, alpha: _mixed(alpha, _soft(s, t, temperature) / s.shape[1], s, y),
        ),
        Mistake(
            "labels at T",
            "the labels are compared with the student's probabilities at T = 1; yours are softened there too.",
            lambda s, t, y, temperature, alpha: _mixed(alpha, _soft(s, t, temperature), s / temperature, y),
        ),
        Mistake(
            "teacher not softened",
            "both networks are softened by T; yours softens the student alone.",
            lambda s, t, y, temperature, alpha: _mixed(alpha, _soft(s, t * temperature, temperature), s, y),
        ),
        Mistake(
            "sum over the rows",
            "the loss is the mean over the rows; yours is their sum, which grows with the batch.",
            lambda s, t, y, temperature, alpha: len(s) * taught_loss(s, t, y, temperature=temperature, alpha=alpha),
        ),
    ),
    HIDDEN,
)

# Task 3: its gradient


def loss_gradient(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, temperature: float, alpha: float
) -> Tensor:
    """The gradient of the loss with respect to the student's logits."""
    logits = student_logits.clone().requires_grad_()
    taught_loss(logits, teacher_logits, labels, temperature=temperature, alpha=alpha).backward()
    assert logits.grad is not None
    return logits.grad


def _parts(s: Tensor, t: Tensor, y: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The gradients of the teacher's and of the labels' term, each with the weight 1."""
    soft, hard = (loss_gradient(s, t, y, temperature=temperature, alpha=alpha) for alpha in (1.0, 0.0))
    return soft, hard


def _weighted(alpha: float, parts: tuple[Tensor, Tensor], factor: float = 1.0) -> Tensor:
    return alpha * factor * parts[0] + (1 - alpha) * parts[1]


GRADIENT = Task(
    "loss_gradient",
    "Its gradient",
    3,
    loss_gradient,
    lesson_cases,
    (
        Mistake(
            "rows not averaged",
            "the loss is a mean over n rows, so each row's gradient is divided by n.",
            lambda s, t, y, temperature, alpha: len(s) * loss_gradient(s, t, y, temperature=temperature, alpha=alpha),
        ),
        Mistake(
            "T squared left",
            "the inner derivative of z / T cancels one T of the T^2, so the factor is T.",
            lambda s, t, y, temperature, alpha: _weighted(alpha, _parts(s, t, y, temperature), temperature),
        ),
        Mistake(
            "no T left",
            "T^2 times the inner derivative 1 / T leaves the factor T; in yours it is missing.",
            lambda s, t, y, temperature, alpha: _weighted(alpha, _parts(s, t, y, temperature), 1 / temperature),
        ),
        Mistake(
            "sign turned",
            "the gradient points to where the loss increases: the student's probability minus the target probability.",
            lambda s, t, y, temperature, alpha: -loss_gradient(s, t, y, temperature=temperature, alpha=alpha),
        ),
        Mistake(
            "weights exchanged",
            "alpha is the weight of the teacher, and 1 - alpha that of the labels; in yours it is the other way "
            "around.",
            lambda s, t, y, temperature, alpha: loss_gradient(s, t, y, temperature=temperature, alpha=1 - alpha),
        ),
        Mistake(
            "labels not taken off",
            "in the labels' term, 1 is subtracted from the probability of the correct class; in yours it is not.",
            lambda s, t, y, temperature, alpha: (
                loss_gradient(s, t, y, temperature=temperature, alpha=alpha)
                + (1 - alpha) * torch.eye(s.shape[1])[y] / len(s)
            ),
        ),
        Mistake(
            "labels at T",
            "the labels' term has the student's probabilities at T = 1; yours has the softened ones.",
            lambda s, t, y, temperature, alpha: _weighted(
                alpha, (_parts(s, t, y, temperature)[0], _parts(s / temperature, t, y, 1.0)[1])
            ),
        ),
    ),
    HIDDEN,
)

# Task 4: the bias of a class that was left out


def shift_cases(seed: int) -> Sequence[Case]:
    """Answers in which one class is too weak, or too strong; as edge cases several shifts that are equally good."""
    generator = seeded(seed)
    cases = [
        Case((SMALL, torch.tensor([2, 2, 0, 1, 1])), {"label": 2, "shifts": torch.tensor([0.0, 0.75, 1.75, 2.75])})
    ]
    for n, classes, label, bias in [(40, 3, 0, -3.0), (60, 5, 3, 2.0), (200, 10, 9, -3.0)]:
        labels = torch.randint(classes, (n,), generator=generator)
        logits = torch.randn((n, classes), generator=generator) + 2.5 * torch.eye(classes)[labels]
        logits[:, label] += bias
        cases.append(Case((logits, labels), {"label": label, "shifts": torch.arange(-4, 7, 0.5)}))
    clear = torch.tensor([[3.0, 0.0], [2.0, 0.0], [9.0, 0.0]]), torch.tensor([1, 1, 0])
    shifts = torch.tensor([-1.5, 0.5, 2.5, 4.5, 6.5, 8.5, 10.5])
    cases.append(Case(clear, {"label": 1, "shifts": shifts}, "several shifts are equally good"))
    return cases


SMALL = torch.tensor([[2.0, 0.5, 1.5], [0.2, 1.9, 0.3], [3.0, 0.0, 1.0], [0.4, 2.5, 0.6], [0.1, 3.0, 1.7]])


def _wrong_rows(logits: Tensor, labels: Tensor, label: int, shift: float) -> Tensor:
    """Which rows are wrong behind a last layer that adds nothing but the shift."""
    last = torch.nn.Linear(logits.shape[1], logits.shape[1])
    last.weight.data, last.bias.data = torch.eye(logits.shape[1]), torch.zeros(logits.shape[1])
    return correct_bias_(last, label=label, shift=shift)(logits).argmax(1) != labels


def _errors(logits: Tensor, labels: Tensor, label: int) -> Callable[[float], int]:
    return lambda shift: int(_wrong_rows(logits, labels, label, shift).sum())


def best_shift(logits: Tensor, labels: Tensor, *, label: int, shifts: Tensor) -> float:
    """The shift with the fewest errors; the first one of several."""
    return min(shifts.tolist(), key=_errors(logits, labels, label))


SHIFT = Task(
    "best_shift",
    "The bias of a class that was left out",
    3,
    best_shift,
    shift_cases,
    (
        Mistake(
            "all classes shifted",
            "the shift is added to one column, that of the class; added to all of them it changes no answer.",
            lambda logits, labels, label, shifts: float(shifts[0]),
        ),
        Mistake(
            "taken off",
            "the shift is added to the logits of the class; yours is subtracted, so that more of its rows are "
            "misclassified.",
            lambda logits, labels, label, shifts: -best_shift(logits, labels, label=label, shifts=-shifts),
        ),
        Mistake(
            "errors of one class",
            "count the errors on all rows; if you count only those of the class, you miss the rows that others lose "
            "to it.",
            lambda logits, labels, label, shifts: best_shift(
                logits[labels == label], labels[labels == label], label=label, shifts=shifts
            ),
        ),
        Mistake(
            "most errors",
            "the task asks for the shift with the fewest errors; yours has the most.",
            lambda logits, labels, label, shifts: max(shifts.tolist(), key=_errors(logits, labels, label)),
        ),
        Mistake(
            "last of several",
            "of several shifts with equally few errors the task asks for the first; yours is the last.",
            lambda logits, labels, label, shifts: best_shift(logits, labels, label=label, shifts=shifts.flip(0)),
        ),
        Mistake(
            "index for shift",
            "the task asks for the shift itself; yours is its index in `shifts`.",
            lambda logits, labels, label, shifts: shifts.tolist().index(
                best_shift(logits, labels, label=label, shifts=shifts)
            ),
        ),
        Mistake(
            "errors for shift",
            "the task asks for the shift; yours is the number of errors with it.",
            lambda logits, labels, label, shifts: min(map(_errors(logits, labels, label), shifts.tolist())),
        ),
    ),
    ("methods.distill.correct_bias_", "methods.distill.best_bias"),
)

EXERCISE = Exercise(
    "ex08",
    "Distilling the knowledge",
    60,
    (SOFTENED, LOSS, GRADIENT, SHIFT),
    Written("Why T squared?", 3),
)
