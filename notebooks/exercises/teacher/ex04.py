"""Exercise 04, the lecturer's part: never handed out."""

import math

import torch

from course_utils.exercises.task import Case
from course_utils.exercises.teacher import Teacher

TEACHER = Teacher(
    seed=7_204_417,
    more={
        "soft_threshold": [Case((torch.tensor([[-3.0, 2.0], [0.25, -0.125]]),), {"step": 10.0}, "nothing is left")],
        "block_threshold": [Case((torch.full((9, 1), -2.0),), {"step": 0.1, "dim": 0})],
        "active_inputs": [Case((torch.tensor([[-1.0, 0.0], [0.0, 0.0]]),), {"threshold": 0.5})],
    },
)
right, wrong = TEACHER.right, TEACHER.wrong


@right("soft_threshold")
def vectorised(w, *, step):
    return w.sign() * (w.abs() - step).clamp(min=0)


@right("soft_threshold")
def loops(w, *, step):
    new = torch.zeros_like(w)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            value = float(w[i, j])
            if value > step:
                new[i, j] = value - step
            elif value < -step:
                new[i, j] = value + step
    return new


@right("soft_threshold")
def two_sides(w, *, step):
    return torch.relu(w - step) - torch.relu(-w - step)


@wrong("soft_threshold", "sign lost")
def _(w, *, step):
    return (w.abs() - step).clamp(min=0)


@wrong("soft_threshold", "only positive weights")
def _(w, *, step):
    return torch.relu(w - step)


@wrong("soft_threshold", "across zero")
def _(w, *, step):
    return w.sign() * (w.abs() - step)


@wrong("soft_threshold", "hard threshold")
def _(w, *, step):
    return w * (w.abs() > step)


@wrong("soft_threshold", "l2 step")
def _(w, *, step):
    return w / (1 + 2 * step)


@wrong("soft_threshold", "half of the step")
def _(w, *, step):
    return w.sign() * torch.relu(w.abs() - 0.5 * step)


@wrong("soft_threshold", "same amount off everything")
def _(w, *, step):
    return w - step


@wrong("soft_threshold", "changes its argument")
def _(w, *, step):
    small = w.abs() <= step
    w -= step * w.sign()
    w[small] = 0
    return w


@right("group_penalty")
def norms(w, *, dim):
    return math.sqrt(w.shape[dim]) * w.norm(dim=dim).sum()


@right("group_penalty")
def by_group(w, *, dim):
    total = 0.0
    for group in w.unbind(1 - dim):
        total += (len(group) * (group**2).sum()).sqrt()
    return total


@wrong("group_penalty", "no root of the size")
def _(w, *, dim):
    return w.norm(dim=dim).sum()


@wrong("group_penalty", "size without its root")
def _(w, *, dim):
    return w.shape[dim] * w.norm(dim=dim).sum()


@wrong("group_penalty", "other direction")
def _(w, *, dim):
    return math.sqrt(w.shape[1 - dim]) * w.norm(dim=1 - dim).sum()


@wrong("group_penalty", "mean for sum")
def _(w, *, dim):
    return math.sqrt(w.shape[dim]) * w.norm(dim=dim).mean()


@wrong("group_penalty", "squared norm")
def _(w, *, dim):
    return math.sqrt(w.shape[dim]) * (w**2).sum()


@wrong("group_penalty", "one norm for all")
def _(w, *, dim):
    return math.sqrt(w.shape[dim]) * w.norm()


@wrong("group_penalty", "sum of sizes")
def _(w, *, dim):
    return math.sqrt(w.shape[dim]) * w.abs().sum()


@right("block_threshold")
def factors(w, *, step, dim):
    norm = w.norm(dim=dim, keepdim=True)
    factor = torch.relu(norm - step * math.sqrt(w.shape[dim])) / norm.clamp(min=1e-12)
    return w * factor


@right("block_threshold")
def group_by_group(w, *, step, dim):
    new = []
    for group in w.unbind(1 - dim):
        norm, cut = float(group.norm()), step * len(group) ** 0.5
        new.append(group * 0 if norm <= cut else group * (1 - cut / norm))
    return torch.stack(new, 1 - dim)


@wrong("block_threshold", "no root of the size")
def _(w, *, step, dim):
    norm = w.norm(dim=dim, keepdim=True).clamp(min=1e-12)
    return w * (1 - step / norm).clamp(min=0)


@wrong("block_threshold", "other direction")
def _(w, *, step, dim):
    norm = w.norm(dim=1 - dim, keepdim=True).clamp(min=1e-12)
    return w * (1 - step * math.sqrt(w.shape[1 - dim]) / norm).clamp(min=0)


@wrong("block_threshold", "across zero")
def _(w, *, step, dim):
    return w * (1 - step * math.sqrt(w.shape[dim]) / w.norm(dim=dim, keepdim=True))


@wrong("block_threshold", "each weight alone")
def _(w, *, step, dim):
    return w.sign() * (w.abs() - step).clamp(min=0)


@wrong("block_threshold", "one norm for all")
def _(w, *, step, dim):
    return w * max(0.0, 1 - step * math.sqrt(w.shape[dim]) / float(w.norm()))


@wrong("block_threshold", "nothing over nothing")
def _(w, *, step, dim):
    norm = w.norm(dim=dim, keepdim=True)
    return w * (1 - step * math.sqrt(w.shape[dim]) / norm).clamp(min=0)


@wrong("block_threshold", "all or nothing")
def _(w, *, step, dim):
    return w * (w.norm(dim=dim, keepdim=True) > step * math.sqrt(w.shape[dim]))


@right("active_inputs")
def columns(w, *, threshold):
    return int((w.abs() > threshold).any(dim=0).sum())


@right("active_inputs")
def one_by_one(w, *, threshold):
    count = 0
    for column in w.T:
        if any(abs(float(value)) > threshold for value in column):
            count += 1
    return count


@right("active_inputs")
def by_the_largest(w, *, threshold):
    return (w.abs().amax(0) > threshold).sum()


@wrong("active_inputs", "rows for columns")
def _(w, *, threshold):
    return int((w.abs() > threshold).any(dim=1).sum())


@wrong("active_inputs", "the other inputs")
def _(w, *, threshold):
    return int((w.abs() <= threshold).all(dim=0).sum())


@wrong("active_inputs", "all for any")
def _(w, *, threshold):
    return int((w.abs() > threshold).all(dim=0).sum())


@wrong("active_inputs", "negative weights forgotten")
def _(w, *, threshold):
    return int((w > threshold).any(dim=0).sum())


@wrong("active_inputs", "weights for inputs")
def _(w, *, threshold):
    return int((w.abs() > threshold).sum())


@wrong("active_inputs", "at least for more than")
def _(w, *, threshold):
    return int((w.abs() >= threshold).any(dim=0).sum())


@right("half_and_half")
def one_after_the_other(w, *, step, dim):
    return factors(vectorised(w, step=step / 2), step=step / 2, dim=dim)


@right("half_and_half")
def in_loops(w, *, step, dim):
    return group_by_group(loops(w, step=0.5 * step), step=0.5 * step, dim=dim)


@wrong("half_and_half", "other order")
def _(w, *, step, dim):
    return vectorised(factors(w, step=step / 2, dim=dim), step=step / 2)


@wrong("half_and_half", "two whole steps")
def _(w, *, step, dim):
    return factors(vectorised(w, step=step), step=step, dim=dim)


@wrong("half_and_half", "groups alone")
def _(w, *, step, dim):
    return factors(w, step=step / 2, dim=dim)


@wrong("half_and_half", "single weights alone")
def _(w, *, step, dim):
    return vectorised(w, step=step / 2)


@wrong("half_and_half", "mean of two steps")
def _(w, *, step, dim):
    return (vectorised(w, step=step) + factors(w, step=step, dim=dim)) / 2


@wrong("half_and_half", "other direction")
def _(w, *, step, dim):
    return factors(vectorised(w, step=step / 2), step=step / 2, dim=1 - dim)
