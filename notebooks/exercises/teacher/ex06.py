"""Exercise 06, the lecturer's part: never handed out."""

import numpy as np
import torch

from course_utils.exercises.task import Case
from course_utils.exercises.teacher import Teacher

TEACHER = Teacher(
    seed=6_730_945,
    more={
        "probability_of_plus": [Case((torch.tensor([[-0.9, 5.0], [0.3, -5.0]]),))],
        "toss_signs": [Case((torch.tensor([-0.8, 0.8]),), {"draws": torch.tensor([0.95, 0.05])})],
        "binary_step": [
            Case(
                (torch.tensor([0.9, -0.9]),),
                {"x": torch.tensor([[1.0, 2.0]]), "y": torch.tensor([3.0]), "lr": 0.125},
            )
        ],
        "ternary_codes": [Case((torch.tensor([-1.0, 0.1, 0.5, 2.0]),))],
        "sign_product": [Case((0b1011_0010_1110, 0b0011_1010_0110), {"n": 12})],
    },
)
right, wrong = TEACHER.right, TEACHER.wrong


@right("probability_of_plus")
def clamped(w):
    return ((w + 1) / 2).clamp(0, 1)


@right("probability_of_plus")
def piece_by_piece(w):
    p = 0.5 * w + 0.5
    p[w < -1] = 0
    p[w > 1] = 1
    return p


@right("probability_of_plus")
def by_relu(w):
    return (torch.relu(w + 1) - torch.relu(w - 1)) / 2


@wrong("probability_of_plus", "not cut off")
def _(w):
    return (w + 1) / 2


@wrong("probability_of_plus", "cut off at −1")
def _(w):
    return ((w + 1) / 2).clamp(-1, 1)


@wrong("probability_of_plus", "cut off first")
def _(w):
    return (w.clamp(0, 1) + 1) / 2


@wrong("probability_of_plus", "the slide's slip")
def _(w):
    return 1 - ((w + 1) / 2).clamp(0, 1)


@wrong("probability_of_plus", "ordinary sigmoid")
def _(w):
    return 1 / (1 + torch.exp(-w))


@wrong("probability_of_plus", "half of 1")
def _(w):
    return (w + 1 / 2).clamp(0, 1)


@wrong("probability_of_plus", "certain")
def _(w):
    return torch.where(w >= 0, 1.0, 0.0)


@right("toss_signs")
def compared(w, *, draws):
    return torch.where(draws < ((w + 1) / 2).clamp(0, 1), 1.0, -1.0)


@right("toss_signs")
def weight_by_weight(w, *, draws):
    signs = [
        1.0 if t < (v + 1) / 2 else -1.0 for v, t in zip(w.flatten().tolist(), draws.flatten().tolist(), strict=True)
    ]
    return np.array(signs).reshape(w.shape)


@right("toss_signs")
def from_bits(w, *, draws):
    return 2 * (draws < clamped(w)).int() - 1


@wrong("toss_signs", "the slide's slip")
def _(w, *, draws):
    return torch.where(draws < clamped(w), -1.0, 1.0)


@wrong("toss_signs", "0 for −1")
def _(w, *, draws):
    return (draws < clamped(w)).float()


@wrong("toss_signs", "deterministic")
def _(w, *, draws):
    return torch.where(w >= 0, 1.0, -1.0)


@wrong("toss_signs", "weight for probability")
def _(w, *, draws):
    return torch.where(draws < w, 1.0, -1.0)


@wrong("toss_signs", "ordinary sigmoid")
def _(w, *, draws):
    return torch.where(draws < torch.sigmoid(w), 1.0, -1.0)


@wrong("toss_signs", "fair coin")
def _(w, *, draws):
    return torch.where(draws < 0.5, 1.0, -1.0)


@wrong("toss_signs", "at most for below")
def _(w, *, draws):
    return torch.where(draws <= clamped(w), 1.0, -1.0)


def sign(w):
    return torch.where(w >= 0, 1.0, -1.0)


def slope(w, x, y):
    return 2 * x.T @ (x @ w - y) / len(y)


@right("binary_step")
def by_formula(w, *, x, y, lr):
    signs = torch.where(w >= 0, 1.0, -1.0)
    errors = x @ signs - y
    return (w - lr * 2 * x.T @ errors / len(y)).clamp(-1, 1)


@right("binary_step")
def by_autograd(w, *, x, y, lr):
    signs = torch.where(w >= 0, 1.0, -1.0).requires_grad_()
    ((x @ signs - y) ** 2).mean().backward()
    return torch.clip(w - lr * signs.grad, -1, 1)


@right("binary_step")
def row_by_row(w, *, x, y, lr):
    signs, gradient = sign(w), torch.zeros_like(w)
    for row, target in zip(x, y, strict=True):
        gradient += 2 * (row @ signs - target) * row / len(y)
    return torch.tensor([min(max(float(v), -1.0), 1.0) for v in w - lr * gradient])


@wrong("binary_step", "gradient at the real weights")
def _(w, *, x, y, lr):
    return (w - lr * slope(w, x, y)).clamp(-1, 1)


@wrong("binary_step", "step from the signs")
def _(w, *, x, y, lr):
    return (sign(w) - lr * slope(sign(w), x, y)).clamp(-1, 1)


@wrong("binary_step", "not clipped")
def _(w, *, x, y, lr):
    return w - lr * slope(sign(w), x, y)


@wrong("binary_step", "signs returned")
def _(w, *, x, y, lr):
    return sign((w - lr * slope(sign(w), x, y)).clamp(-1, 1))


@wrong("binary_step", "uphill")
def _(w, *, x, y, lr):
    return (w + lr * slope(sign(w), x, y)).clamp(-1, 1)


@wrong("binary_step", "sum for mean")
def _(w, *, x, y, lr):
    return (w - lr * 2 * x.T @ (x @ sign(w) - y)).clamp(-1, 1)


@wrong("binary_step", "half of the gradient")
def _(w, *, x, y, lr):
    return (w - lr * x.T @ (x @ sign(w) - y) / len(y)).clamp(-1, 1)


@wrong("binary_step", "gradient clipped")
def _(w, *, x, y, lr):
    return w - lr * slope(sign(w), x, y).clamp(-1, 1)


@wrong("binary_step", "sign of 0")
def _(w, *, x, y, lr):
    return (w - lr * slope(torch.sign(w), x, y)).clamp(-1, 1)


@wrong("binary_step", "changes its argument")
def _(w, *, x, y, lr):
    w -= lr * slope(sign(w), x, y)
    return w.clamp_(-1, 1)


@right("ternary_codes")
def masked(w):
    size = w.abs()
    mask = size > 0.7 * size.mean()
    return w.sign() * mask, size[mask].sum() / max(1, int(mask.sum()))


@right("ternary_codes")
def in_loops(w):
    values = w.flatten().tolist()
    threshold = 0.7 * sum(abs(v) for v in values) / len(values)
    codes = [0 if abs(v) <= threshold else 1 if v > 0 else -1 for v in values]
    large = [abs(v) for v in values if abs(v) > threshold]
    return torch.tensor(codes).reshape(w.shape), sum(large) / len(large) if large else 0.0


@wrong("ternary_codes", "largest for mean")
def _(w):
    mask = w.abs() > 0.7 * w.abs().max()
    return w.sign() * mask, (w.abs() * mask).sum() / mask.sum().clamp(min=1)


@wrong("ternary_codes", "mean with signs")
def _(w):
    mask = w.abs() > 0.7 * w.mean()
    return w.sign() * mask, (w.abs() * mask).sum() / mask.sum().clamp(min=1)


@wrong("ternary_codes", "no factor")
def _(w):
    mask = w.abs() > w.abs().mean()
    return w.sign() * mask, (w.abs() * mask).sum() / mask.sum().clamp(min=1)


@wrong("ternary_codes", "mean of all sizes")
def _(w):
    mask = w.abs() > 0.7 * w.abs().mean()
    return w.sign() * mask, (w.abs()).mean()


@wrong("ternary_codes", "threshold for scale")
def _(w):
    threshold = 0.7 * w.abs().mean()
    return w.sign() * (w.abs() > threshold), threshold


@wrong("ternary_codes", "sign lost")
def _(w):
    mask = w.abs() > 0.7 * w.abs().mean()
    return mask.float(), (w.abs() * mask).sum() / mask.sum().clamp(min=1)


@wrong("ternary_codes", "negative weights forgotten")
def _(w):
    mask = w > 0.7 * w.abs().mean()
    return w.sign() * mask, (w.abs() * mask).sum() / mask.sum().clamp(min=1)


@wrong("ternary_codes", "weights for codes")
def _(w):
    codes, scale = masked(w)
    return codes * scale, scale


@wrong("ternary_codes", "nothing over nothing")
def _(w):
    mask = w.abs() > 0.7 * w.abs().mean()
    return w.sign() * mask, w.abs()[mask].mean()


@right("sign_product")
def differing_bits(x, w, *, n):
    return n - 2 * bin(x ^ w).count("1")


@right("sign_product")
def agreeing_bits(x, w, *, n):
    agree = ~(x ^ w) & (2**n - 1)
    return 2 * agree.bit_count() - n


@right("sign_product")
def place_by_place(x, w, *, n):
    total = 0
    for place in range(n):
        total += 1 if (x >> place) & 1 == (w >> place) & 1 else -1
    return total


@wrong("sign_product", "differing for agreeing")
def _(x, w, *, n):
    return 2 * (x ^ w).bit_count() - n


@wrong("sign_product", "agreeing alone")
def _(x, w, *, n):
    return n - (x ^ w).bit_count()


@wrong("sign_product", "differing alone")
def _(x, w, *, n):
    return (x ^ w).bit_count()


@wrong("sign_product", "n forgotten")
def _(x, w, *, n):
    return 2 * (n - (x ^ w).bit_count())


@wrong("sign_product", "AND for XNOR")
def _(x, w, *, n):
    return 2 * (x & w).bit_count() - n


@wrong("sign_product", "bits without an end")
def _(x, w, *, n):
    return 2 * bin(~(x ^ w)).count("1") - n
