"""Exercise 09: flexible activation functions, (13) to (20)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.exercises.task import Case, Exercise, Mistake, Task, Written, seeded
from course_utils.methods.activations import APL, KAF, Maxout, ParametricTanh, kernel_sum, krr_coefficients

__all__ = ["EXERCISE"]

SHAPES = [(1, 2), (4, 3), (6, 5), (30, 8)]  # (inputs, neurons)

# Task 1: the scaled tanh


def tanh_cases(seed: int) -> Sequence[Case]:
    """Amplitudes of both signs; as edge cases inputs that are too large for the exponential function."""
    generator = seeded(seed)
    cases = []
    for shape in SHAPES:
        a = torch.randn(shape[1], generator=generator)
        b = 0.3 + 2 * torch.rand(shape[1], generator=generator)
        cases.append(Case((2 * torch.randn(shape, generator=generator),), {"a": a, "b": b}))
    large = torch.tensor([[-300.0, 300.0]])
    settings = {"a": torch.tensor([1.5, 0.5]), "b": torch.tensor([1.0, 2.0])}
    cases.append(Case((large,), settings, "inputs so large that their exponential overflows in float32"))
    return cases


@torch.no_grad()
def steep_tanh(s: Tensor, *, a: Tensor, b: Tensor) -> Tensor:
    """The library's scaled tanh."""
    unit = ParametricTanh(len(a))
    unit.a.copy_(a)
    unit.b.copy_(b)
    return unit(s)


TANH = Task(
    "steep_tanh",
    "The scaled tanh, in the panel",
    2,
    steep_tanh,
    tanh_cases,
    (
        Mistake(
            "twice as steep",
            "(13) is a tanh of half of b s; yours is twice as steep.",
            lambda s, a, b: steep_tanh(s, a=a, b=2 * b),
        ),
        Mistake(
            "sigmoid",
            "the numerator of (13) is 1 minus the power, so that g lies between -a and a; yours is a sigmoid, "
            "between 0 and a.",
            lambda s, a, b: (steep_tanh(s, a=a, b=b) + a) / 2,
        ),
        Mistake(
            "amplitude forgotten",
            "the fraction lies between -1 and 1; the amplitude a is missing.",
            lambda s, a, b: steep_tanh(s, a=torch.ones_like(a), b=b),
        ),
        Mistake(
            "exponent turned",
            "the exponent of (13) is negative, -b s; with the other sign g is reflected.",
            lambda s, a, b: steep_tanh(s, a=a, b=-b),
        ),
        Mistake(
            "amplitude and steepness exchanged",
            "a is the amplitude and b the steepness; yours has exchanged them.",
            lambda s, a, b: steep_tanh(s, a=b, b=a),
        ),
        Mistake(
            "too large for exp",
            "e to the power of 300 overflows in float32, and infinity over infinity is not a number (nan). There is a "
            "form of (13) without large powers: which well-known function lies between -1 and 1?",
            lambda s, a, b: steep_tanh(s, a=a, b=b).masked_fill((-b * s).exp().isinf(), math.nan),
        ),
    ),
    ("methods.activations.parametric.ParametricTanh",),
)

# Task 2: adaptive piecewise linear


def hinge_cases(seed: int) -> Sequence[Case]:
    """Up to three hinges for each neuron, of both signs."""
    generator = seeded(seed)
    cases = []
    for segments, shape in zip((1, 2, 3, 3), SHAPES, strict=True):
        a, b = (torch.randn((segments, shape[1]), generator=generator) for _ in range(2))
        cases.append(Case((2 * torch.randn(shape, generator=generator),), {"a": a, "b": b}))
    return cases


@torch.no_grad()
def hinged_relu(s: Tensor, *, a: Tensor, b: Tensor) -> Tensor:
    """The library's APL unit."""
    unit = APL(a.shape[1], segments=a.shape[0])
    unit.a.copy_(a)
    unit.b.copy_(b)
    return unit(s)


def _hinges(s: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The sum of the hinges alone."""
    return hinged_relu(s, a=a, b=b) - s.clamp(min=0)


HINGES = Task(
    "hinged_relu",
    "A ReLU with hinges",
    3,
    hinged_relu,
    hinge_cases,
    (
        Mistake(
            "ReLU forgotten",
            "(15) starts with max(0, s); yours has only the hinges.",
            lambda s, a, b: _hinges(s, a, b),
        ),
        Mistake(
            "hinges turned",
            "in (15) s has a minus sign: a hinge is zero to the right of its b, not to the left.",
            lambda s, a, b: s.clamp(min=0) + _hinges(-s, a, -b),
        ),
        Mistake(
            "positions turned",
            "the hinge is max(0, -s + b), zero from s = b on; yours is zero from s = -b on.",
            lambda s, a, b: hinged_relu(s, a=a, b=-b),
        ),
        Mistake(
            "slope inside",
            "a is in front of the maximum, so that a negative a bends the curve down; yours is inside.",
            lambda s, a, b: s.clamp(min=0) + _hinges(s, a.clamp(min=0), b) + _hinges(-s, (-a).clamp(min=0), -b),
        ),
        Mistake(
            "no maximum",
            "each hinge has its own maximum with 0; without it the hinges are straight lines.",
            lambda s, a, b: s.clamp(min=0) + (a * b).sum(0) - s * a.sum(0),
        ),
        Mistake(
            "mean for sum",
            "the hinges are added up; yours is their mean.",
            lambda s, a, b: s.clamp(min=0) + _hinges(s, a, b) / len(a),
        ),
        Mistake(
            "first hinge alone",
            "a neuron has S hinges, one for each row of a and b; yours has only the first one.",
            lambda s, a, b: hinged_relu(s, a=a[:1], b=b[:1]),
        ),
    ),
    ("methods.activations.parametric.APL",),
)

# Task 3: maxout


def maxout_cases(seed: int) -> Sequence[Case]:
    """Two to four pieces; as edge cases a single one."""
    generator = seeded(seed)
    cases = []
    for n, inputs, outputs, pieces in [(1, 2, 1, 2), (3, 2, 4, 3), (5, 6, 2, 4), (20, 10, 5, 3), (2, 3, 2, 1)]:
        h, weight = (torch.randn(z, generator=generator) for z in ((n, inputs), (outputs, pieces, inputs)))
        settings = {"weight": weight, "bias": torch.randn((outputs, pieces), generator=generator)}
        cases.append(Case((h,), settings, "a single piece: a layer without an activation" if pieces == 1 else ""))
    return cases


@torch.no_grad()
def largest_piece(h: Tensor, *, weight: Tensor, bias: Tensor) -> Tensor:
    """The library's maxout layer."""
    unit = Maxout(weight.shape[2], weight.shape[0], pieces=weight.shape[1])
    unit.linear.weight.copy_(weight.flatten(0, 1))
    unit.linear.bias.copy_(bias.flatten())
    return unit(h)


MAXOUT = Task(
    "largest_piece",
    "Maxout",
    3,
    largest_piece,
    maxout_cases,
    (
        Mistake(
            "sum of the pieces",
            "a neuron returns the maximum of its pieces; yours adds them up, which is a linear function again.",
            lambda h, weight, bias: h @ weight.sum(1).T + bias.sum(1),
        ),
        Mistake(
            "smallest piece",
            "the neuron returns the maximum; yours is the minimum.",
            lambda h, weight, bias: -largest_piece(h, weight=-weight, bias=-bias),
        ),
        Mistake(
            "bias forgotten",
            "each piece has its own bias, which is missing in yours.",
            lambda h, weight, bias: largest_piece(h, weight=weight, bias=torch.zeros_like(bias)),
        ),
        Mistake(
            "bias too late",
            "the bias of a piece is added before the maximum, as it affects which piece is the largest; yours adds the "
            "largest bias afterwards.",
            lambda h, weight, bias: largest_piece(h, weight=weight, bias=torch.zeros_like(bias)) + bias.amax(1),
        ),
        Mistake(
            "largest in size",
            "a piece of -3 is less than one of 1; yours compares absolute values.",
            lambda h, weight, bias: largest_piece(
                h, weight=torch.cat([weight, -weight], 1), bias=torch.cat([bias, -bias], 1)
            ),
        ),
        Mistake(
            "ReLU on top",
            "maxout needs no other activation; yours also sets negative values to zero.",
            lambda h, weight, bias: largest_piece(h, weight=weight, bias=bias).clamp(min=0),
        ),
        Mistake(
            "index for value",
            "the neuron returns the value of the largest piece; yours is its index.",
            lambda h, weight, bias: torch.stack(
                [
                    largest_piece(h, weight=w[:, None], bias=b[:, None])
                    for w, b in zip(weight.unbind(1), bias.T, strict=True)
                ]
            ).argmax(0),
        ),
    ),
    ("methods.activations.parametric.Maxout",),
)

# Task 4: the kernel activation function


def bump_cases(seed: int) -> Sequence[Case]:
    """Dictionaries of 4 to 20 values, inputs within and a little outside; as edge cases one of two values."""
    generator = seeded(seed)
    cases = []
    for shape, size, boundary in zip([*SHAPES, (3, 2)], (4, 5, 10, 20, 2), (1.2, 1.0, 4.0, 3.0, 0.4), strict=True):
        s = 1.2 * boundary * (2 * torch.rand(shape, generator=generator) - 1)
        settings = {"alpha": torch.randn((shape[1], size), generator=generator), "boundary": boundary}
        cases.append(Case((s,), settings, "" if size > 2 else "a dictionary of two values"))
    return cases


def bump_sum(s: Tensor, *, alpha: Tensor, boundary: float) -> Tensor:
    """The library's KAF with these coefficients."""
    return _kaf(s, alpha, boundary, None)


@torch.no_grad()
def _kaf(s: Tensor, alpha: Tensor, boundary: float, gamma: float | None) -> Tensor:
    unit = KAF(len(alpha), size=alpha.shape[1], boundary=boundary, gamma=gamma)
    unit.alpha.copy_(alpha)
    return unit(s)


def _spacing(alpha: Tensor, boundary: float) -> float:
    return KAF(1, size=alpha.shape[1], boundary=boundary).spacing


def _from_zero(s: Tensor, alpha: Tensor, boundary: float) -> Tensor:
    spacing = _spacing(alpha, boundary) / 2
    return kernel_sum(s, alpha, low=0.0, spacing=spacing, gamma=1 / (6 * spacing**2))


BUMPS = Task(
    "bump_sum",
    "A kernel activation function",
    4,
    bump_sum,
    bump_cases,
    (
        Mistake(
            "D for D - 1",
            "between D values there are D - 1 intervals, so the spacing is the total length over D - 1.",
            lambda s, alpha, boundary: _kaf(s, alpha, boundary, alpha.shape[1] ** 2 / (24 * boundary**2)),
        ),
        Mistake(
            "spacing not squared",
            "in the rule of thumb (19) the spacing is squared.",
            lambda s, alpha, boundary: _kaf(s, alpha, boundary, 1 / (6 * _spacing(alpha, boundary))),
        ),
        Mistake(
            "no factor 6",
            "the rule of thumb (19) has a 6 in the denominator; without it the kernels are too narrow.",
            lambda s, alpha, boundary: _kaf(s, alpha, boundary, 1 / _spacing(alpha, boundary) ** 2),
        ),
        Mistake(
            "gamma upside down",
            "(19) has the spacing in the denominator: the closer the values, the narrower the kernels, the larger "
            "gamma.",
            lambda s, alpha, boundary: _kaf(s, alpha, boundary, 6 * _spacing(alpha, boundary) ** 2),
        ),
        Mistake(
            "dictionary from 0",
            "the dictionary goes from -boundary to boundary; yours begins at 0.",
            _from_zero,
        ),
        Mistake(
            "one alpha for all",
            "each neuron has its own coefficients, a row of alpha; yours gives all of them the first row.",
            lambda s, alpha, boundary: bump_sum(s, alpha=alpha[:1].expand_as(alpha), boundary=boundary),
        ),
        Mistake(
            "mean for sum",
            "(17) is a sum over the dictionary; yours is a mean.",
            lambda s, alpha, boundary: bump_sum(s, alpha=alpha / alpha.shape[1], boundary=boundary),
        ),
    ),
    (
        "methods.activations.kaf.KAF",
        "methods.activations.kernel_sum.kernel_sum",
        "methods.activations.kernel_sum.forward_chunk",
    ),
)

# Task 5: the start by kernel ridge regression


def start_cases(seed: int) -> Sequence[Case]:
    """Functions at dictionaries in float64, gamma at the rule of thumb or above it; as edge cases many kernels."""
    generator = seeded(seed)
    cases = []
    elu = torch.nn.functional.elu
    for function, size, times, ridge in [
        (torch.tanh, 3, 1, 0.1),
        (None, 6, 1, 0.02),
        (None, 10, 3, 0.5),
        (elu, 20, 1, 1e-6),
    ]:
        d = torch.linspace(-3, 3, size, dtype=torch.float64)
        targets = function(d) if function else torch.randn(size, generator=generator, dtype=torch.float64)
        settings = {"dictionary": d, "gamma": times * (size - 1) ** 2 / 216, "ridge": ridge}
        cases.append(
            Case((targets,), settings, "many overlapping kernels: float32 is not precise enough" if size > 10 else "")
        )
    return cases


def start_from(targets: Tensor, *, dictionary: Tensor, gamma: float, ridge: float) -> Tensor:
    """The library's coefficients."""
    return krr_coefficients(lambda d: targets, dictionary, gamma=gamma, ridge=ridge)


def _kernels(dictionary: Tensor, gamma: float) -> Tensor:
    """The matrix K of (20)."""
    size, (low, next_one) = len(dictionary), dictionary[:2].tolist()
    eye = torch.eye(size, dtype=dictionary.dtype)
    return kernel_sum(dictionary[:, None].repeat(1, size), eye, low=low, spacing=next_one - low, gamma=gamma)


def _no_ridge(targets: Tensor, dictionary: Tensor, gamma: float) -> Tensor:
    return start_from(targets, dictionary=dictionary, gamma=gamma, ridge=1e-15)


START = Task(
    "start_from",
    "Starting from a function",
    3,
    start_from,
    start_cases,
    (
        Mistake(
            "no ridge",
            "epsilon times the identity matrix is added to K before the equations are solved; in yours it is missing.",
            lambda targets, dictionary, gamma, ridge: _no_ridge(targets, dictionary, gamma),
        ),
        Mistake(
            "ridge everywhere",
            "epsilon is added to the diagonal of K alone, as I is the identity matrix; yours is added to every entry.",
            lambda targets, dictionary, gamma, ridge: torch.linalg.solve(_kernels(dictionary, gamma) + ridge, targets),
        ),
        Mistake(
            "inverse before the ridge",
            "epsilon is added before the inverse is taken; yours is added to the inverse.",
            lambda targets, dictionary, gamma, ridge: _no_ridge(targets, dictionary, gamma) + ridge * targets,
        ),
        Mistake(
            "multiplied",
            "(20) has the inverse of the matrix: solve the equations for alpha. Yours multiplies by the matrix.",
            lambda targets, dictionary, gamma, ridge: _kernels(dictionary, gamma) @ targets + ridge * targets,
        ),
        Mistake(
            "values for coefficients",
            "the values of the function are not the coefficients: neighbouring kernels overlap and add up.",
            lambda targets, dictionary, gamma, ridge: targets,
        ),
        Mistake(
            "ridge regression on columns",
            "this is ridge regression with the columns of K as inputs; in kernel ridge regression (20) K "
            "occurs once, with epsilon on its diagonal.",
            lambda targets, dictionary, gamma, ridge: torch.linalg.solve(
                _kernels(dictionary, gamma) @ _kernels(dictionary, gamma)
                + ridge * torch.eye(len(targets), dtype=targets.dtype),
                _kernels(dictionary, gamma) @ targets,
            ),
        ),
    ),
    (
        "methods.activations.kaf.krr_coefficients",
        "methods.predict_parameters.squared_exponential",
        "methods.predict_parameters.prediction_matrix",
    ),
)

EXERCISE = Exercise(
    "ex09",
    "Flexible activation functions",
    75,
    (TANH, HINGES, MAXOUT, BUMPS, START),
    Written("Far out", 3),
)
