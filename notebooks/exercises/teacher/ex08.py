"""Exercise 08, the lecturer's part: never handed out."""

import math

import torch
from torch.nn import functional as F

from course_utils.exercises.task import Case
from course_utils.exercises.teacher import Teacher

STUDENT = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])
ANSWERS = torch.tensor([[4.0, 0.0, 2.0], [-1.0, 1.0, 2.5]])

TEACHER = Teacher(
    seed=5_618_209,
    more={
        "soften": [Case((torch.tensor([[8.0, 4.0], [0.0, -4.0]]),), {"temperature": 8.0})],
        "taught_loss": [Case((STUDENT, ANSWERS, torch.tensor([0, 2])), {"temperature": 20.0, "alpha": 0.6})],
        "loss_gradient": [Case((STUDENT, ANSWERS, torch.tensor([0, 2])), {"temperature": 20.0, "alpha": 0.6})],
        "best_shift": [
            Case(
                (torch.tensor([[1.0, 0.2], [3.0, 1.4], [2.0, -2.0], [2.5, 0.5]]), torch.tensor([1, 1, 0, 0])),
                {"label": 1, "shifts": torch.tensor([-1.0, 0.0, 1.0, 1.75, 3.0])},
            )
        ],
    },
)
right, wrong = TEACHER.right, TEACHER.wrong


@right("soften")
def by_torch(logits, *, temperature):
    return torch.softmax(logits / temperature, dim=1)


@right("soften")
def by_hand(logits, *, temperature):
    z = logits / temperature
    e = torch.exp(z - z.amax(dim=1, keepdim=True))
    return e / e.sum(dim=1, keepdim=True)


@right("soften")
def row_by_row(logits, *, temperature):
    rows = []
    for row in logits.tolist():
        powers = [math.exp((z - max(row)) / temperature) for z in row]
        rows.append([power / sum(powers) for power in powers])
    return rows


@wrong("soften", "temperature forgotten")
def _(logits, *, temperature):
    return F.softmax(logits, 1)


@wrong("soften", "multiplied")
def _(logits, *, temperature):
    return F.softmax(logits * temperature, 1)


@wrong("soften", "divided too late")
def _(logits, *, temperature):
    return F.softmax(logits, 1) / temperature


@wrong("soften", "other direction")
def _(logits, *, temperature):
    return F.softmax(logits / temperature, 0)


@wrong("soften", "one sum for all rows")
def _(logits, *, temperature):
    z = logits / temperature
    e = torch.exp(z - z.max())
    return e / e.sum()


@wrong("soften", "too large for exp")
def _(logits, *, temperature):
    e = torch.exp(logits / temperature)
    return e / e.sum(1, keepdim=True)


@right("taught_loss")
def by_kl_div(student_logits, teacher_logits, labels, *, temperature, alpha):
    ours = F.log_softmax(student_logits / temperature, 1)
    theirs = F.softmax(teacher_logits / temperature, 1)
    soft = F.kl_div(ours, theirs, reduction="batchmean") * temperature**2
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


@right("taught_loss")
def by_sums(student_logits, teacher_logits, labels, *, temperature, alpha):
    p, q = by_torch(teacher_logits, temperature=temperature), by_torch(student_logits, temperature=temperature)
    soft = (p * (p.log() - q.log())).sum(1).mean()
    chosen = by_torch(student_logits, temperature=1)[torch.arange(len(labels)), labels]
    return alpha * temperature**2 * soft - (1 - alpha) * chosen.log().mean()


@right("taught_loss")
def with_loops(student_logits, teacher_logits, labels, *, temperature, alpha):
    total = 0.0
    for s, t, y in zip(student_logits, teacher_logits, labels, strict=True):
        p, q = row_by_row(t[None], temperature=temperature)[0], row_by_row(s[None], temperature=temperature)[0]
        divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        hard = -math.log(row_by_row(s[None], temperature=1)[0][int(y)])
        total += alpha * temperature**2 * divergence + (1 - alpha) * hard
    return total / len(labels)


def divergence(p, q):
    return (p * (p / q).log()).sum(1).mean()


def both(student_logits, teacher_logits, temperature):
    """The teacher's and the student's softened probabilities."""
    return by_torch(teacher_logits, temperature=temperature), by_torch(student_logits, temperature=temperature)


@wrong("taught_loss", "no T squared")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    soft = divergence(*both(student_logits, teacher_logits, temperature))
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


@wrong("taught_loss", "T for T squared")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    soft = temperature * divergence(*both(student_logits, teacher_logits, temperature))
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


@wrong("taught_loss", "weights exchanged")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    soft = temperature**2 * divergence(*both(student_logits, teacher_logits, temperature))
    return (1 - alpha) * soft + alpha * F.cross_entropy(student_logits, labels)


@wrong("taught_loss", "divergence turned round")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    p, q = both(student_logits, teacher_logits, temperature)
    soft = temperature**2 * divergence(q, p)
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


@wrong("taught_loss", "cross-entropy for divergence")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    p, q = both(student_logits, teacher_logits, temperature)
    soft = -(temperature**2) * (p * q.log()).sum(1).mean()
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


@wrong("taught_loss", "mean over the classes")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    p, q = both(student_logits, teacher_logits, temperature)
    soft = temperature**2 * (p * (p / q).log()).mean()
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels)


@wrong("taught_loss", "labels at T")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    soft = temperature**2 * divergence(*both(student_logits, teacher_logits, temperature))
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits / temperature, labels)


@wrong("taught_loss", "teacher not softened")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    p, q = torch.softmax(teacher_logits, 1), by_torch(student_logits, temperature=temperature)
    return alpha * temperature**2 * divergence(p, q) + (1 - alpha) * F.cross_entropy(student_logits, labels)


@wrong("taught_loss", "sum over the rows")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    p, q = both(student_logits, teacher_logits, temperature)
    soft = temperature**2 * (p * (p / q).log()).sum()
    return alpha * soft + (1 - alpha) * F.cross_entropy(student_logits, labels, reduction="sum")


@right("loss_gradient")
def by_formula(student_logits, teacher_logits, labels, *, temperature, alpha):
    p, q = both(student_logits, teacher_logits, temperature)
    hard = torch.softmax(student_logits, 1) - F.one_hot(labels, student_logits.shape[1])
    return (alpha * temperature * (q - p) + (1 - alpha) * hard) / len(labels)


@right("loss_gradient")
def by_backward(student_logits, teacher_logits, labels, *, temperature, alpha):
    z = student_logits.clone().requires_grad_()
    by_kl_div(z, teacher_logits, labels, temperature=temperature, alpha=alpha).backward()
    return z.grad


@right("loss_gradient")
def class_by_class(student_logits, teacher_logits, labels, *, temperature, alpha):
    p, q = both(student_logits, teacher_logits, temperature)
    plain, new = by_torch(student_logits, temperature=1), torch.zeros_like(student_logits)
    for i in range(len(labels)):
        for c in range(student_logits.shape[1]):
            hard = plain[i, c] - (1 if labels[i] == c else 0)
            new[i, c] = alpha * temperature * (q[i, c] - p[i, c]) + (1 - alpha) * hard
    return new / len(labels)


def slopes(student_logits, teacher_logits, labels, temperature):
    """q - p, and the labels' term; neither is divided by the number of rows."""
    p, q = both(student_logits, teacher_logits, temperature)
    hard = torch.softmax(student_logits, 1)
    hard[range(len(labels)), labels] -= 1
    return q - p, hard


@wrong("loss_gradient", "rows not averaged")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    soft, hard = slopes(student_logits, teacher_logits, labels, temperature)
    return alpha * temperature * soft + (1 - alpha) * hard


@wrong("loss_gradient", "T squared left")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    soft, hard = slopes(student_logits, teacher_logits, labels, temperature)
    return (alpha * temperature**2 * soft + (1 - alpha) * hard) / len(labels)


@wrong("loss_gradient", "no T left")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    soft, hard = slopes(student_logits, teacher_logits, labels, temperature)
    return (alpha * soft + (1 - alpha) * hard) / len(labels)


@wrong("loss_gradient", "sign turned")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    soft, hard = slopes(student_logits, teacher_logits, labels, temperature)
    return -(alpha * temperature * soft + (1 - alpha) * hard) / len(labels)


@wrong("loss_gradient", "weights exchanged")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    soft, hard = slopes(student_logits, teacher_logits, labels, temperature)
    return ((1 - alpha) * temperature * soft + alpha * hard) / len(labels)


@wrong("loss_gradient", "labels not taken off")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    soft, _ = slopes(student_logits, teacher_logits, labels, temperature)
    return (alpha * temperature * soft + (1 - alpha) * torch.softmax(student_logits, 1)) / len(labels)


@wrong("loss_gradient", "labels at T")
def _(student_logits, teacher_logits, labels, *, temperature, alpha):
    p, q = both(student_logits, teacher_logits, temperature)
    hard = q - F.one_hot(labels, student_logits.shape[1])
    return (alpha * temperature * (q - p) + (1 - alpha) * hard) / len(labels)


@right("best_shift")
def one_after_the_other(logits, labels, *, label, shifts):
    best, fewest = None, len(labels) + 1
    for shift in shifts:
        moved = logits.clone()
        moved[:, label] += shift
        errors = int((moved.argmax(1) != labels).sum())
        if errors < fewest:
            best, fewest = float(shift), errors
    return best


@right("best_shift")
def all_at_once(logits, labels, *, label, shifts):
    moved = logits.repeat(len(shifts), 1, 1)
    moved[:, :, label] += shifts[:, None]
    errors = (moved.argmax(2) != labels).sum(1)
    return shifts[errors == errors.min()][0]


def errors_of(logits, labels, label, shifts, rows=None):
    """The number of errors for each shift, on all rows or on some."""
    errors = []
    for shift in shifts.tolist():
        moved = logits.clone()
        moved[:, label] = moved[:, label] + shift
        wrong_rows = moved.argmax(1) != labels
        errors.append(int(wrong_rows.sum() if rows is None else wrong_rows[rows].sum()))
    return errors


@wrong("best_shift", "all classes shifted")
def _(logits, labels, *, label, shifts):
    errors = [int(((logits + shift).argmax(1) != labels).sum()) for shift in shifts]
    return shifts[errors.index(min(errors))]


@wrong("best_shift", "taken off")
def _(logits, labels, *, label, shifts):
    errors = errors_of(logits, labels, label, -shifts)
    return shifts[errors.index(min(errors))]


@wrong("best_shift", "errors of one class")
def _(logits, labels, *, label, shifts):
    errors = errors_of(logits, labels, label, shifts, labels == label)
    return shifts[errors.index(min(errors))]


@wrong("best_shift", "most errors")
def _(logits, labels, *, label, shifts):
    right_rows = [len(labels) - errors for errors in errors_of(logits, labels, label, shifts)]
    return shifts[right_rows.index(min(right_rows))]


@wrong("best_shift", "last of several")
def _(logits, labels, *, label, shifts):
    best, fewest = 0.0, len(labels)
    for shift, errors in zip(shifts.tolist(), errors_of(logits, labels, label, shifts), strict=True):
        if errors <= fewest:
            best, fewest = shift, errors
    return best


@wrong("best_shift", "index for shift")
def _(logits, labels, *, label, shifts):
    errors = errors_of(logits, labels, label, shifts)
    return errors.index(min(errors))


@wrong("best_shift", "errors for shift")
def _(logits, labels, *, label, shifts):
    return min(errors_of(logits, labels, label, shifts))


@wrong("best_shift", "changes its argument")
def _(logits, labels, *, label, shifts):
    before = logits[:, label].clone()
    errors = []
    for shift in shifts:
        logits[:, label] = before + shift
        errors.append(int((logits.argmax(1) != labels).sum()))
    return shifts[errors.index(min(errors))]
