"""Exercise 05: limited-precision arithmetic."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from course_utils.exercises.task import Case, Exercise, Mistake, Task, Written, seeded
from course_utils.methods.quantize import FixedPoint, QParams, choose_qparams, fake_quantize, quantize
from course_utils.methods.quantize.grid import Grid, round_steps, round_to_grid

__all__ = ["EXERCISE"]

ALMOST_HALF = 0.499  # of a step: subtracted before rounding to nearest, it turns that into rounding down
HIDDEN = (
    "methods.quantize.affine.choose_qparams",
    "methods.quantize.affine.quantize",
    "methods.quantize.affine.dequantize",
    "methods.quantize.affine.fake_quantize",
    "methods.quantize.affine._range",
    "methods.quantize.grid.round_to_grid",
    "methods.quantize.grid.round_steps",
    "methods.quantize.grid.fill",
    "methods.quantize.grid._Round",
    "methods.quantize.fixed.FixedPoint",
    "methods.quantize.fixed.DynamicFixedPoint",
    "methods.quantize.groups.group_range",
    "methods.quantize.integers.requantize",
    "methods.quantize.learned.LSQ",
)


def drawn(shape: tuple[int, ...], generator: torch.Generator, count: Callable[..., Tensor], **settings: Any) -> Tensor:
    """Normal numbers x, none of which, counted in steps by count(x, **settings), is close to a multiple of 1/2."""
    while True:
        x = torch.randn(shape, generator=generator)
        halves = 2 * count(x, **settings)
        if float((halves - halves.round()).abs().min()) > 0.01:
            return x


# Task 1: scale and zero point


def range_cases(seed: int) -> Sequence[Case]:
    """Numbers of both signs; as edge cases only positive ones, only negative ones, and zeros."""
    generator = seeded(seed)
    cases = [Case((torch.tensor([0.4, -0.7, 2.3]),), {"bits": 2})]  # steps of 1, to be calculated by hand
    for shape, bits in [((2, 3), 3), ((3, 7), 4), ((16, 9), 8)]:
        x = drawn(shape, generator, lambda x, bits: x.min() / choose_qparams(x, bits=bits).scale, bits=bits)
        cases.append(Case((x,), {"bits": bits}))
    size = torch.cat([torch.tensor([15.0]), torch.randint(2, 5, (3,), generator=generator)]) / 4  # 15 steps of 1/4
    cases.append(Case((size,), {"bits": 4}, "all numbers above 0"))
    cases.append(Case((-size,), {"bits": 4}, "all numbers below 0"))
    cases.append(Case((torch.zeros(3),), {"bits": 4}, "all numbers are 0"))
    return cases


def scale_and_zero(x: Tensor, *, bits: int) -> tuple[float, int]:
    """The scale and the zero point of min-max codes."""
    qparams = choose_qparams(x, bits=bits)
    return float(qparams.scale), int(qparams.zero_point)


def _with_scale(x: Tensor, scale: Tensor) -> tuple[float, float]:
    return float(scale), round(float(-x.min().clamp(max=0) / scale))


def _not_rounded(x: Tensor, bits: int) -> tuple[float, float]:
    scale = choose_qparams(x, bits=bits).scale
    return float(scale), float(-x.min().clamp(max=0) / scale)


RANGE = Task(
    "scale_and_zero",
    "Scale and zero point",
    3,
    scale_and_zero,
    range_cases,
    (
        Mistake(
            "steps for codes",
            "between 2^b codes there are 2^b − 1 steps; yours divides the range by 2^b.",
            lambda x, bits: _with_scale(x, choose_qparams(x, bits=bits).scale * (1 - 2**-bits)) if x.any() else (1, 0),
        ),
        Mistake(
            "range without 0",
            "the range is extended to contain 0, so that 0 has a code; yours begins at the minimum even "
            "where that is above 0, and ends at the maximum even where that is below.",
            lambda x, bits: (
                scale := choose_qparams(x - x.min(), bits=bits).scale,
                round(float(-x.min() / scale)),
            ),
        ),
        Mistake(
            "not an integer",
            "the zero point is a code, so it has to be an integer.",
            lambda x, bits: _not_rounded(x, bits),
        ),
        Mistake(
            "cut off",
            "the zero point is rounded to the nearest integer; yours is rounded down.",
            lambda x, bits: (scale_and_zero(x, bits=bits)[0], math.floor(_not_rounded(x, bits)[1])),
        ),
        Mistake(
            "sign of the zero point",
            "0 lies above the minimum, so its code is not negative: there is a minus in the formula.",
            lambda x, bits: (scale_and_zero(x, bits=bits)[0], -scale_and_zero(x, bits=bits)[1]),
        ),
        Mistake(
            "symmetric",
            "these are symmetric codes, which have the same range on both sides; asked for are codes from the "
            "minimum to the maximum.",
            lambda x, bits: (choose_qparams(x, bits=bits, symmetric=True).scale, 0),
        ),
        Mistake(
            "scale of 0",
            "where all numbers are 0 the range has no width, and nothing can be divided by it; there the scale is 1.",
            lambda x, bits: scale_and_zero(x, bits=bits) if x.any() else (0.0, math.nan),
        ),
    ),
    HIDDEN,
)

# Task 2: codes


def code_cases(seed: int) -> Sequence[Case]:
    """Numbers in and beyond the range; as edge cases some half-way between two codes."""
    generator, cases = seeded(seed), []
    for shape, scale, zero, bits in [
        ((4,), 0.5, 1, 2),
        ((2, 3), 0.3, 5, 3),
        ((5, 4), 0.07, 12, 4),
        ((8, 8), 0.015, 90, 8),
    ]:
        x = drawn(shape, generator, lambda x, scale: x / scale, scale=scale)
        cases.append(Case((x,), {"scale": scale, "zero_point": zero, "bits": bits}))
    halves = torch.tensor([0.125, 0.375, 0.625, -0.125, -0.375])
    cases.append(Case((halves,), {"scale": 0.25, "zero_point": 3, "bits": 4}, "half-way between two codes"))
    return cases


def to_codes(x: Tensor, *, scale: float, zero_point: int, bits: int) -> Tensor:
    """The min-max code of each number."""
    return quantize(x, QParams(torch.tensor(scale), torch.tensor(zero_point), bits)).double()


CODES = Task(
    "to_codes",
    "From numbers to codes",
    2,
    to_codes,
    code_cases,
    (
        Mistake(
            "cut off",
            "a number gets the nearest code; yours always takes the lower one.",
            lambda x, scale, zero_point, bits: to_codes(
                x - ALMOST_HALF * scale, scale=scale, zero_point=zero_point, bits=bits
            ),
        ),
        Mistake(
            "towards zero",
            "a number gets the nearest code; yours drops the fraction, so all numbers move towards 0.",
            lambda x, scale, zero_point, bits: to_codes(
                x - ALMOST_HALF * scale * x.sign(), scale=scale, zero_point=zero_point, bits=bits
            ),
        ),
        Mistake(
            "no ends",
            "there are no codes below 0 or above 2^b − 1: numbers beyond the range get the first or the last code.",
            lambda x, scale, zero_point, bits: round_steps(x / scale, False, None) + zero_point,
        ),
        Mistake(
            "ends before the zero point",
            "first the zero point is added, then the codes are clipped at both ends; yours clips first, so that all "
            "negative numbers become 0.",
            lambda x, scale, zero_point, bits: to_codes(x, scale=scale, zero_point=0, bits=bits) + zero_point,
        ),
        Mistake(
            "zero point taken off",
            "the zero point is added on the way to the codes; it is subtracted on the way back.",
            lambda x, scale, zero_point, bits: to_codes(x, scale=scale, zero_point=-zero_point, bits=bits),
        ),
        Mistake(
            "one code too many",
            "the largest of 2^b codes is 2^b − 1, because the smallest is 0.",
            lambda x, scale, zero_point, bits: to_codes(x, scale=scale, zero_point=zero_point, bits=bits + 1).clamp(
                max=2**bits
            ),
        ),
        Mistake(
            "halves up",
            "half-way between two integers the even one is taken, as torch.round does; yours takes the upper one.",
            lambda x, scale, zero_point, bits: to_codes(
                x + 1e-3 * scale, scale=scale, zero_point=zero_point, bits=bits
            ),
        ),
        Mistake(
            "rounded last",
            "first round, then add the zero point; in the other order an odd zero point rounds halves the other way.",
            lambda x, scale, zero_point, bits: to_codes(x + zero_point * scale, scale=scale, zero_point=0, bits=bits),
        ),
    ),
    HIDDEN,
)

# Task 3: fixed point


def fixed_cases(seed: int) -> Sequence[Case]:
    """Numbers in and beyond the range; as edge cases its ends, and some half-way between two numbers."""
    generator, cases = seeded(seed), []
    for shape, bits, frac_bits in [((4,), 3, 1), ((2, 4), 4, 2), ((6, 3), 6, 8), ((5, 5), 5, -2), ((9, 9), 8, 6)]:
        most = FixedPoint(bits=bits, frac_bits=frac_bits).range[1]
        x = most * drawn(shape, generator, lambda x, most: x * most, most=most * 2.0**frac_bits)
        x[..., 0] = -x[..., 0].abs() - 1.3 * most
        cases.append(Case((x,), {"bits": bits, "frac_bits": frac_bits}))
    for edge, values in [
        ("half-way between two numbers", [0.125, 0.375, 0.625, -0.125]),
        ("the ends of the range", [-2.0, 1.75, 2.0, -2.25]),
    ]:
        cases.append(Case((torch.tensor(values),), {"bits": 4, "frac_bits": 2}, edge))
    return cases


def fixed_point(x: Tensor, *, bits: int, frac_bits: int) -> Tensor:
    """The fixed-point number nearest to each x."""
    return FixedPoint(bits=bits, frac_bits=frac_bits).round(x)


FIXED = Task(
    "fixed_point",
    "Fixed point",
    2,
    fixed_point,
    fixed_cases,
    (
        Mistake(
            "cut off",
            "the nearest number is taken; yours always takes the lower one.",
            lambda x, bits, frac_bits: fixed_point(x - ALMOST_HALF * 2.0**-frac_bits, bits=bits, frac_bits=frac_bits),
        ),
        Mistake(
            "no ends",
            "with b bits there are only 2^b numbers: numbers beyond the range become the first or the last.",
            lambda x, bits, frac_bits: fixed_point(x, bits=16, frac_bits=frac_bits),
        ),
        Mistake(
            "same ends",
            "the smallest number is one step further from 0 than the largest; yours has the same ends on both sides.",
            lambda x, bits, frac_bits: fixed_point(x, bits=bits, frac_bits=frac_bits).clamp(
                min=-FixedPoint(bits=bits, frac_bits=frac_bits).range[1]
            ),
        ),
        Mistake(
            "one number too many",
            "0 takes one of the numbers, so the largest is one step lower than yours.",
            lambda x, bits, frac_bits: fixed_point(x, bits=bits + 1, frac_bits=frac_bits).clamp(
                *(end * (2.0 ** (bits - 1 - frac_bits)) for end in (-1, 1))
            ),
        ),
        Mistake(
            "sign without a bit",
            "one of the b bits is for the sign, so b − 1 bits are left for the size; yours has a range twice as large.",
            lambda x, bits, frac_bits: fixed_point(x, bits=bits + 1, frac_bits=frac_bits),
        ),
        Mistake(
            "not scaled back",
            "yours returns the integers; each of them still has to be multiplied by the step.",
            lambda x, bits, frac_bits: fixed_point(x, bits=bits, frac_bits=frac_bits) * 2.0**frac_bits,
        ),
        Mistake(
            "halves up",
            "half-way between two numbers the one with the even integer is taken; yours takes the upper one.",
            lambda x, bits, frac_bits: fixed_point(x + 1e-3 * 2.0**-frac_bits, bits=bits, frac_bits=frac_bits),
        ),
    ),
    HIDDEN,
)

# Task 4: stochastic rounding


def random_cases(seed: int) -> Sequence[Case]:
    """Numbers of both signs; as edge cases some that need no rounding."""
    generator, cases = seeded(seed), []
    for shape, step in [((4,), 1.0), ((2, 3), 0.5), ((5, 4), 0.3), ((8, 8), 0.02)]:
        draws = torch.rand(shape, generator=generator)
        x = drawn(
            shape, generator, lambda x, step, draws: torch.stack([x / step - draws, x / step]), step=step, draws=draws
        )
        cases.append(Case((x,), {"step": step, "draws": draws}))
    multiples = torch.tensor([-0.5, 0.0, 0.75])
    draws = torch.tensor([0.25, 0.5, 0.75])
    cases.append(Case((multiples,), {"step": 0.25, "draws": draws}, "numbers that need no rounding"))
    return cases


def stochastic_rounding(x: Tensor, *, step: float, draws: Tensor) -> Tensor:
    """Each number rounded up or down at random, by the given draws."""
    grid = Grid(torch.tensor(step), torch.tensor(0), -(2**15), 2**15)
    return round_to_grid(x + (0.5 - draws) * step, grid)


def _down(x: Tensor, step: float) -> Tensor:
    return stochastic_rounding(x, step=step, draws=torch.full_like(x, 0.5 + ALMOST_HALF))


RANDOM = Task(
    "stochastic_rounding",
    "Stochastic rounding",
    3,
    stochastic_rounding,
    random_cases,
    (
        Mistake(
            "to the nearest",
            "yours rounds to nearest, whatever was drawn.",
            lambda x, step, draws: stochastic_rounding(x, step=step, draws=torch.full_like(x, 0.5)),
        ),
        Mistake(
            "up for large draws",
            "the probability of a draw below the fraction is the fraction itself: then it goes up. Yours goes up in "
            "the other cases, so a number close to its upper neighbour is mostly rounded down.",
            lambda x, step, draws: 2 * _down(x, step) + step - stochastic_rounding(x, step=step, draws=draws),
        ),
        Mistake(
            "other draws",
            "yours goes up as often as it should, but for other draws: up is where the draw is below the fraction.",
            lambda x, step, draws: stochastic_rounding(x, step=step, draws=1 - draws),
        ),
        Mistake(
            "fraction below zero",
            "down is towards smaller numbers, also below 0. Yours rounds towards 0, so that the fraction of a "
            "negative number is negative, and no draw is below it.",
            lambda x, step, draws: torch.where(x < 0, -_down(-x, step), stochastic_rounding(x, step=step, draws=draws)),
        ),
        Mistake(
            "sizes rounded",
            "yours rounds the magnitude of a number and restores the sign, so that negative numbers are rounded the "
            "other way.",
            lambda x, step, draws: x.sign() * stochastic_rounding(x.abs(), step=step, draws=draws),
        ),
        Mistake(
            "draw added and rounded",
            "after the draw has been added, rounding to nearest moves the numbers up by half a step on average.",
            lambda x, step, draws: stochastic_rounding(x + step / 2, step=step, draws=1 - draws),
        ),
        Mistake(
            "not scaled back",
            "yours returns the numbers of steps; each of them still has to be multiplied by the step.",
            lambda x, step, draws: stochastic_rounding(x, step=step, draws=draws) / step,
        ),
    ),
    HIDDEN,
)

# Task 5: a range for each row, in the lecture's panel


def row_cases(seed: int) -> Sequence[Case]:
    """Weight matrices; as edge cases rows above zero, and a row of zeros."""
    generator, cases = seeded(seed), []
    for shape, bits in [((2, 3), 2), ((3, 4), 3), ((4, 7), 4), ((16, 9), 8)]:
        w = drawn(shape, generator, lambda w, bits: w / choose_qparams(w, bits=bits, axis=0).scale, bits=bits)
        cases.append(Case((w,), {"bits": bits}))
    small = cases[0].args[0]
    above = torch.tensor([[1.0, 3.0, 7.0], [-3.0, -2.0, 4.0]])  # with 3 bits the steps are 1
    cases.append(Case((above,), {"bits": 3}, "a row above 0"))
    cases.append(Case((torch.cat([small, torch.zeros(1, 3)]),), {"bits": 2}, "a row of zeros"))
    return cases


def quantize_rows(w: Tensor, *, bits: int) -> Tensor:
    """Each row as its min-max codes represent it."""
    return fake_quantize(w, bits=bits, axis=0)


def _codes(w: Tensor, bits: int) -> Tensor:
    return quantize(w, choose_qparams(w, bits=bits, axis=0)).float()


ROWS = Task(
    "quantize_rows",
    "A range for each row, in the panel",
    3,
    quantize_rows,
    row_cases,
    (
        Mistake(
            "one range for all",
            "each row has its own range; yours has one for the whole matrix.",
            lambda w, bits: fake_quantize(w, bits=bits),
        ),
        Mistake(
            "columns for rows",
            "a row is w[i], the weights of one neuron; yours gives each column a range.",
            lambda w, bits: fake_quantize(w, bits=bits, axis=1),
        ),
        Mistake(
            "codes",
            "yours returns the codes; asked for are the numbers that they represent.",
            _codes,
        ),
        Mistake(
            "zero point left in",
            "on the way back the zero point is subtracted before the code is multiplied by the scale.",
            lambda w, bits: _codes(w, bits) * choose_qparams(w, bits=bits, axis=0).scale,
        ),
        Mistake(
            "no code for 0",
            "yours counts the steps from the minimum of the row, so 0 lies somewhere between two numbers; with a "
            "zero point that is an integer, 0 has its own code.",
            lambda w, bits: quantize_rows(w - w.amin(1, keepdim=True), bits=bits) + w.amin(1, keepdim=True),
        ),
        Mistake(
            "symmetric",
            "these are symmetric codes; asked for are codes from the minimum to the maximum of a row.",
            lambda w, bits: fake_quantize(w, bits=bits, symmetric=True, axis=0),
        ),
        Mistake(
            "nothing over nothing",
            "the range of a row of zeros has no width, and division by it is not a number (nan); such a row stays 0.",
            lambda w, bits: quantize_rows(w, bits=bits).masked_fill(~w.any(1, keepdim=True), math.nan),
        ),
    ),
    (*HIDDEN, "methods.quantize.model.quantize_model"),
)

EXERCISE = Exercise(
    "ex05",
    "Limited-precision arithmetic",
    65,
    (RANGE, CODES, FIXED, RANDOM, ROWS),
    Written("A step that is rounded away", 3),
)
