"""Exercise 06: binary neural networks, (10) to (12)."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.exercises.task import Case, Exercise, Mistake, Task, Written, seeded
from course_utils.methods.binarize import BinaryLinear, binarize, clip_, hard_sigmoid, ternarize, xnor_linear
from course_utils.methods.binarize.packed import popcount

__all__ = ["EXERCISE"]

SIGNS = (
    "methods.binarize.weights.hard_sigmoid",
    "methods.binarize.weights.binarize",
    "methods.binarize.weights._Binarize",
)
SHAPES = [(3,), (2, 3), (4, 5), (7, 9)]


def drawn(
    shape: tuple[int, ...], generator: torch.Generator, distance: Callable[..., Tensor], *given: Tensor
) -> Tensor:
    """Normal numbers x, none of them close to a threshold: distance(x, *given) is far enough from 0 everywhere."""
    while True:
        x = torch.randn(shape, generator=generator)
        if float(distance(x, *given).abs().min()) > 0.003:
            return x


# Task 1: the probability of +1, in the lecture's panel


def probability_cases(seed: int) -> Sequence[Case]:
    """Weights in [-1, 1] and beyond; as edge cases its two ends and 0."""
    generator = seeded(seed)
    cases = [Case((1.5 * torch.randn(shape, generator=generator),)) for shape in SHAPES]
    return [*cases, Case((torch.tensor([-1.0, 0.0, 1.0]),), edge="the ends and the middle of the line")]


def probability_of_plus(w: Tensor) -> Tensor:
    """The hard sigmoid."""
    return hard_sigmoid(w)


def _line(w: Tensor) -> Tensor:
    """The line of the hard sigmoid, from -100 to 100."""
    return 100 * hard_sigmoid(w / 100) - 49.5


PROBABILITY = Task(
    "probability_of_plus",
    "The hard sigmoid, in the panel",
    2,
    probability_of_plus,
    probability_cases,
    (
        Mistake(
            "not cut off",
            "a probability lies between 0 and 1; yours is not clipped for weights outside of −1 to 1.",
            _line,
        ),
        Mistake(
            "cut off at −1",
            "a probability is not below 0; yours is clipped to −1 and 1, which is the range of the weights.",
            lambda w: _line(w).clamp(-1, 1),
        ),
        Mistake(
            "cut off first",
            "yours clips the weight, so all negative weights get the same probability; what is clipped is (w + 1) / 2.",
            lambda w: hard_sigmoid(w.clamp(0, 1)),
        ),
        Mistake(
            "the slide's slip",
            "this is the probability of −1; the larger a weight, the more often it should become +1.",
            lambda w: hard_sigmoid(-w),
        ),
        Mistake(
            "ordinary sigmoid",
            "this is the ordinary sigmoid, which is curved; with it the mean of the signs is not w.",
            torch.sigmoid,
        ),
        Mistake(
            "half of 1",
            "first 1 is added, then all of it is divided by 2; are there brackets around the sum?",
            lambda w: hard_sigmoid(2 * w),
        ),
        Mistake(
            "certain",
            "yours is always 0 or 1, so nothing is random: this is the deterministic rule (10).",
            lambda w: (binarize(w) > 0).float(),
        ),
    ),
    SIGNS,
)

# Task 2: stochastic binarization


def toss_cases(seed: int) -> Sequence[Case]:
    """Weights with a draw for each; as edge cases draws as large as the probability, and weights that are certain."""
    generator, cases = seeded(seed), []
    for shape in SHAPES:
        draws = torch.rand(shape, generator=generator)
        w = 0.7 * drawn(shape, generator, lambda x, draws: hard_sigmoid(0.7 * x) - draws, draws)
        cases.append(Case((w,), {"draws": draws}))
    for edge, weights, given in [
        ("draws as large as the probability", [0.0, 0.5, -0.5], [0.5, 0.75, 0.25]),
        ("weights that are certain", [-1.0, -3.0, 1.0, 2.0], [0.0, 0.5, 0.5, 0.875]),
    ]:
        cases.append(Case((torch.tensor(weights),), {"draws": torch.tensor(given)}, edge))
    return cases


def toss_signs(w: Tensor, *, draws: Tensor) -> Tensor:
    """The sign of each weight by the stochastic rule."""
    return -binarize(draws - hard_sigmoid(w))


TOSS = Task(
    "toss_signs",
    "Stochastic binarization",
    2,
    toss_signs,
    toss_cases,
    (
        Mistake(
            "the slide's slip",
            "yours is −1 with the probability σ(w), as the slide prints it; by the paper's rule it is +1 with this "
            "probability.",
            lambda w, draws: -toss_signs(w, draws=draws),
        ),
        Mistake(
            "0 for −1",
            "yours returns 0 and 1; asked for are the signs −1 and +1.",
            lambda w, draws: (toss_signs(w, draws=draws) + 1) / 2,
        ),
        Mistake(
            "deterministic",
            "this is the deterministic rule (10): the draws do not matter to yours.",
            lambda w, draws: binarize(w),
        ),
        Mistake(
            "weight for probability",
            "the draw is compared with the probability σ(w), and not with the weight itself: a weight of 0 is +1 in "
            "half of the cases.",
            lambda w, draws: -binarize(draws - w),
        ),
        Mistake(
            "ordinary sigmoid",
            "σ is the hard sigmoid (12) of task 1 here, and not the ordinary one.",
            lambda w, draws: -binarize(draws - torch.sigmoid(w)),
        ),
        Mistake(
            "fair coin",
            "yours has the same probability for all weights; the larger a weight, the more often it should become +1.",
            lambda w, draws: -binarize(draws - 0.5),
        ),
        Mistake(
            "at most for below",
            "a draw that is as large as the probability gives −1; yours gives +1, so a weight of −1, whose probability "
            "of +1 is 0, can still become +1.",
            lambda w, draws: binarize(hard_sigmoid(w) - draws),
        ),
    ),
    SIGNS,
)

# Task 3: a step of BinaryConnect


def step_cases(seed: int) -> Sequence[Case]:
    """Neurons with a few inputs, some of whose weights reach an end; as edge cases a weight of 0."""
    generator, cases = seeded(seed), []
    for inputs, rows, lr in [(2, 3, 0.2), (3, 5, 0.1), (5, 8, 0.5), (8, 20, 1.0)]:
        w = 2 * torch.rand(inputs, generator=generator) - 1
        x, y = torch.randn(rows, inputs, generator=generator), torch.randn(rows, generator=generator)
        cases.append(Case((w,), {"x": x, "y": y, "lr": lr}))
    w = cases[1].args[0].clone()
    w[1] = 0
    cases.append(Case((w,), cases[1].kwargs, "a weight of 0, whose sign is +1"))
    return cases


def binary_step(w: Tensor, *, x: Tensor, y: Tensor, lr: float) -> Tensor:
    """The real weights after a step of BinaryConnect."""
    layer = _trained(BinaryLinear, w, x, y, lr)
    clip_(layer)
    return layer.weight.detach()[0]


def _trained(kind: type[nn.Linear], w: Tensor, x: Tensor, y: Tensor, lr: float) -> nn.Linear:
    """A layer of one neuron after a step of gradient descent."""
    layer = kind(len(w), 1, bias=False, device="meta")  # it takes no random numbers
    layer.weight = nn.Parameter(w[None].clone())
    F.mse_loss(layer(x)[:, 0], y).backward()
    torch.optim.SGD(layer.parameters(), lr=lr).step()
    return layer


def _real(w: Tensor, x: Tensor, y: Tensor, lr: float) -> Tensor:
    return _trained(nn.Linear, w, x, y, lr).weight.detach()[0]


def _unclipped(w: Tensor, x: Tensor, y: Tensor, lr: float) -> Tensor:
    return _trained(BinaryLinear, w, x, y, lr).weight.detach()[0]


STEP = Task(
    "binary_step",
    "A step of BinaryConnect",
    4,
    binary_step,
    step_cases,
    (
        Mistake(
            "gradient at the real weights",
            "forward and backward use the signs, so the gradient is that at the binary weights; yours is that at the "
            "real ones.",
            lambda w, x, y, lr: _real(w, x, y, lr).clamp(-1, 1),
        ),
        Mistake(
            "step from the signs",
            "the step is taken from the real weights, so that many small steps add up; yours starts from the signs.",
            lambda w, x, y, lr: binary_step(binarize(w), x=x, y=y, lr=lr),
        ),
        Mistake(
            "not clipped",
            "after the step the real weights are clipped to [−1, 1]; yours leave that range.",
            _unclipped,
        ),
        Mistake(
            "signs returned",
            "yours returns signs; asked for are the real weights, which are kept from step to step.",
            lambda w, x, y, lr: binarize(binary_step(w, x=x, y=y, lr=lr)),
        ),
        Mistake(
            "uphill",
            "a step goes against the gradient; yours goes with it, so that the loss grows.",
            lambda w, x, y, lr: (2 * w - _unclipped(w, x, y, lr)).clamp(-1, 1),
        ),
        Mistake(
            "sum for mean",
            "the loss is the mean over the rows: its gradient is divided by their number.",
            lambda w, x, y, lr: binary_step(w, x=x, y=y, lr=lr * len(y)),
        ),
        Mistake(
            "half of the gradient",
            "the derivative of a square has a factor 2; yours is half as long.",
            lambda w, x, y, lr: binary_step(w, x=x, y=y, lr=lr / 2),
        ),
        Mistake(
            "gradient clipped",
            "the weights are clipped after the step; yours clips the gradient.",
            lambda w, x, y, lr: w - (w - _unclipped(w, x, y, lr)).clamp(-lr, lr),
        ),
        Mistake(
            "sign of 0",
            "torch.sign gives 0 for a weight of 0; here its sign is +1, as in (10).",
            lambda w, x, y, lr: (w + _real(w.sign(), x, y, lr) - w.sign()).clamp(-1, 1),
        ),
    ),
    (*SIGNS, "methods.binarize.layers.clip_"),
)

# Task 4: ternary weights


def ternary_cases(seed: int) -> Sequence[Case]:
    """Weights of both signs; as edge cases equal magnitudes, and zeros."""
    generator = seeded(seed)
    cases = []
    for shape in SHAPES:
        w = drawn(shape, generator, lambda x: x.abs() - 0.7 * x.abs().mean())
        cases.append(Case((torch.where(w.abs() < w.abs().max(), w, w.abs()),)))  # at least one is not negative
    cases.append(Case((torch.tensor([[0.5, -0.5], [-0.5, 0.5]]),), edge="weights of one magnitude"))
    cases.append(Case((torch.zeros(2, 3),), edge="all weights are 0"))
    return cases


def ternary_codes(w: Tensor) -> tuple[Tensor, float]:
    """The ternary codes and their scale."""
    codes, scale = ternarize(w)
    return codes, float(scale)


def _by_factor(w: Tensor, factor: float) -> tuple[Tensor, float]:
    codes, scale = ternarize(w, factor=factor)
    return codes, float(scale)


TERNARY = Task(
    "ternary_codes",
    "Ternary weights",
    3,
    ternary_codes,
    ternary_cases,
    (
        Mistake(
            "largest for mean",
            "the threshold is 0.7 times the mean |w|; yours is 0.7 times the largest.",
            lambda w: _by_factor(w, 0.7 * float(w.abs().max() / w.abs().mean().clamp(min=1e-12))),
        ),
        Mistake(
            "mean with signs",
            "the mean of |w| is meant: in the mean of w the signs cancel, and the threshold is far too low.",
            lambda w: _by_factor(w, max(0.0, 0.7 * float(w.mean() / w.abs().mean().clamp(min=1e-12)))),
        ),
        Mistake(
            "no factor",
            "the factor 0.7 of the threshold is missing.",
            lambda w: _by_factor(w, 1.0),
        ),
        Mistake(
            "mean of all sizes",
            "the scale is the mean of those |w| that are above the threshold; yours is the mean of all.",
            lambda w: (ternary_codes(w)[0], w.abs().mean()),
        ),
        Mistake(
            "threshold for scale",
            "the scale is the mean of the |w| above the threshold, and not the threshold.",
            lambda w: (ternary_codes(w)[0], 0.7 * w.abs().mean()),
        ),
        Mistake(
            "sign lost",
            "negative weights beyond the threshold get the code −1; yours get +1.",
            lambda w: (ternary_codes(w)[0].abs(), ternary_codes(w)[1]),
        ),
        Mistake(
            "negative weights forgotten",
            "|w| is compared with the threshold; yours compares w itself, so that all negative weights become 0.",
            lambda w: (ternary_codes(w)[0].clamp(min=0), w[ternary_codes(w)[0] > 0].mean() if w.any() else 0.0),
        ),
        Mistake(
            "weights for codes",
            "the codes are −1, 0 and +1; yours are multiplied by the scale already.",
            lambda w: (ternary_codes(w)[0] * ternary_codes(w)[1], ternary_codes(w)[1]),
        ),
        Mistake(
            "nothing over nothing",
            "where no weight is above the threshold there is nothing to take the mean of, and 0/0 is not a number "
            "(nan); there the scale is 0.",
            lambda w: ternary_codes(w) if w.any() else (torch.zeros_like(w), math.nan),
        ),
    ),
    ("methods.binarize.weights.ternarize", "methods.binarize.bitnet.absmean_ternarize"),
)

# Task 5: an inner product by counting


def product_cases(seed: int) -> Sequence[Case]:
    """Rows of signs as bits; as edge cases rows that agree everywhere and nowhere."""
    cases = []
    for n in (4, 9, 16, 33, 60):
        bits = torch.randint(2, (2, n), generator=seeded(seed + n)).tolist()
        x, w = (sum(bit << place for place, bit in enumerate(row)) for row in bits)
        cases.append(Case((x, w), {"n": n}))
    cases.append(Case((5, 5), {"n": 4}, "all places agree"))
    cases.append(Case((5, 10), {"n": 4}, "no place agrees"))
    return cases


def sign_product(x: int, w: int, *, n: int) -> int:
    """The inner product of two rows of signs."""
    packed = [torch.tensor([list(bits.to_bytes(-(-n // 8), "little"))], dtype=torch.uint8) for bits in (x, w)]
    return int(xnor_linear(*packed, n=n))


PRODUCT = Task(
    "sign_product",
    "A product by counting",
    2,
    sign_product,
    product_cases,
    (
        Mistake(
            "differing for agreeing",
            "where two signs agree their product is +1, and −1 where they differ; yours is the other way round.",
            lambda x, w, n: -sign_product(x, w, n=n),
        ),
        Mistake(
            "agreeing alone",
            "this is the number of places that agree; those that differ count −1 each.",
            lambda x, w, n: (n + sign_product(x, w, n=n)) // 2,
        ),
        Mistake(
            "differing alone",
            "this is the number of places that differ; they count −1 each, and those that agree +1.",
            lambda x, w, n: (n - sign_product(x, w, n=n)) // 2,
        ),
        Mistake(
            "n forgotten",
            "twice the places that agree is too much by n.",
            lambda x, w, n: n + sign_product(x, w, n=n),
        ),
        Mistake(
            "AND for XNOR",
            "yours counts the places where both bits are 1; where both are 0 the signs agree as well, and −1 times −1 "
            "is +1.",
            lambda x, w, n: 2 * int(popcount(torch.tensor(x & w))) - n,
        ),
        Mistake(
            "bits without an end",
            "~ makes a positive number negative, as if there were infinitely many 1s in front of it; only the n lowest "
            "bits count.",
            lambda x, w, n: 2 * int(popcount(torch.tensor((x ^ w) + 1))) - n,
        ),
    ),
    (
        "methods.binarize.packed.xnor_linear",
        "methods.binarize.packed.unpack_bits",
        "methods.binarize.packed.popcount",
        "methods.binarize.packed._differences_numpy",
        "methods.binarize.packed._differences_torch",
    ),
)

EXERCISE = Exercise(
    "ex06",
    "Binary neural networks",
    60,
    (PROBABILITY, TOSS, STEP, TERNARY, PRODUCT),
    Written("Why real weights?", 3),
)
