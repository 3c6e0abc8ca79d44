"""Exercise 05, the lecturer's part: never handed out."""

import math

import numpy as np
import torch

from course_utils.exercises.task import Case
from course_utils.exercises.teacher import Teacher

TEACHER = Teacher(
    seed=5_118_632,
    more={
        "scale_and_zero": [Case((torch.tensor([-1.0, 0.0, 3.0, 2.5]),), {"bits": 5})],
        "to_codes": [
            Case(
                (torch.tensor([[-9.0, 0.1], [0.3, 9.0]]),),
                {"scale": 0.125, "zero_point": 7, "bits": 4},
            )
        ],
        "fixed_point": [Case((torch.tensor([0.3, -0.3, 5.0, -5.0]),), {"bits": 5, "frac_bits": 3})],
        "stochastic_rounding": [
            Case((torch.tensor([-0.3, 0.3]),), {"step": 0.25, "draws": torch.tensor([0.9, 0.1])}),
        ],
        "quantize_rows": [Case((torch.tensor([[-1.0, 0.5, 2.1], [30.0, -10.0, 5.0]]),), {"bits": 4})],
    },
)
right, wrong = TEACHER.right, TEACHER.wrong


@right("scale_and_zero")
def plain_numbers(x, *, bits):
    values = [0.0, *x.flatten().tolist()]
    width = max(values) - min(values)
    if width == 0:
        return 1.0, 0
    scale = width / (2**bits - 1)
    return scale, round(-min(values) / scale)


@right("scale_and_zero")
def tensors(x, *, bits):
    low, high = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = (high - low) / (2**bits - 1)
    scale = torch.where(scale > 0, scale, torch.ones(()))
    return scale, torch.round(-low / scale)


@wrong("scale_and_zero", "steps for codes")
def _(x, *, bits):
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (high - low) / 2**bits or 1.0
    return scale, round(-low / scale)


@wrong("scale_and_zero", "range without 0")
def _(x, *, bits):
    low, high = float(x.min()), float(x.max())
    scale = (high - low) / (2**bits - 1) or 1.0
    return scale, round(-low / scale)


@wrong("scale_and_zero", "not an integer")
def _(x, *, bits):
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (high - low) / (2**bits - 1) or 1.0
    return scale, -low / scale


@wrong("scale_and_zero", "cut off")
def _(x, *, bits):
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (high - low) / (2**bits - 1) or 1.0
    return scale, int(-low / scale)


@wrong("scale_and_zero", "sign of the zero point")
def _(x, *, bits):
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (high - low) / (2**bits - 1) or 1.0
    return scale, round(low / scale)


@wrong("scale_and_zero", "symmetric")
def _(x, *, bits):
    scale = float(x.abs().max()) / (2 ** (bits - 1) - 1) or 1.0
    return scale, 0


@wrong("scale_and_zero", "scale of 0")
def _(x, *, bits):
    low, high = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = (high - low) / (2**bits - 1)
    return scale, torch.round(-low / scale)


@right("to_codes")
def clamped(x, *, scale, zero_point, bits):
    return (torch.round(x / scale) + zero_point).clamp(0, 2**bits - 1)


@right("to_codes")
def number_by_number(x, *, scale, zero_point, bits):
    codes = torch.zeros(x.shape, dtype=torch.int64)
    for i, value in enumerate(x.flatten().tolist()):
        codes.view(-1)[i] = min(max(round(value / scale) + zero_point, 0), 2**bits - 1)
    return codes


@right("to_codes")
def in_numpy(x, *, scale, zero_point, bits):
    return np.clip(np.rint(x.numpy() / scale).astype(int) + zero_point, 0, 2**bits - 1)


@wrong("to_codes", "cut off")
def _(x, *, scale, zero_point, bits):
    return (torch.floor(x / scale) + zero_point).clamp(0, 2**bits - 1)


@wrong("to_codes", "towards zero")
def _(x, *, scale, zero_point, bits):
    return ((x / scale).long() + zero_point).clamp(0, 2**bits - 1)


@wrong("to_codes", "no ends")
def _(x, *, scale, zero_point, bits):
    return torch.round(x / scale) + zero_point


@wrong("to_codes", "ends before the zero point")
def _(x, *, scale, zero_point, bits):
    return torch.round(x / scale).clamp(0, 2**bits - 1) + zero_point


@wrong("to_codes", "zero point taken off")
def _(x, *, scale, zero_point, bits):
    return (torch.round(x / scale) - zero_point).clamp(0, 2**bits - 1)


@wrong("to_codes", "one code too many")
def _(x, *, scale, zero_point, bits):
    return (torch.round(x / scale) + zero_point).clamp(0, 2**bits)


@wrong("to_codes", "halves up")
def _(x, *, scale, zero_point, bits):
    return (torch.floor(x / scale + 0.5) + zero_point).clamp(0, 2**bits - 1)


@wrong("to_codes", "rounded last")
def _(x, *, scale, zero_point, bits):
    return torch.round(x / scale + zero_point).clamp(0, 2**bits - 1)


@right("fixed_point")
def whole_numbers(x, *, bits, frac_bits):
    most = 2 ** (bits - 1)
    return torch.round(x * 2.0**frac_bits).clamp(-most, most - 1) / 2.0**frac_bits


@right("fixed_point")
def ends_first(x, *, bits, frac_bits):
    step = 2.0**-frac_bits
    smallest, largest = -(2 ** (bits - 1)) * step, (2 ** (bits - 1) - 1) * step
    rounded = [round(min(max(value, smallest), largest) / step) * step for value in x.flatten().tolist()]
    return torch.tensor(rounded).reshape(x.shape)


@wrong("fixed_point", "cut off")
def _(x, *, bits, frac_bits):
    most = 2 ** (bits - 1)
    return torch.floor(x * 2.0**frac_bits).clamp(-most, most - 1) / 2.0**frac_bits


@wrong("fixed_point", "no ends")
def _(x, *, bits, frac_bits):
    return torch.round(x * 2.0**frac_bits) / 2.0**frac_bits


@wrong("fixed_point", "same ends")
def _(x, *, bits, frac_bits):
    most = 2 ** (bits - 1) - 1
    return torch.round(x * 2.0**frac_bits).clamp(-most, most) / 2.0**frac_bits


@wrong("fixed_point", "one number too many")
def _(x, *, bits, frac_bits):
    most = 2 ** (bits - 1)
    return torch.round(x * 2.0**frac_bits).clamp(-most, most) / 2.0**frac_bits


@wrong("fixed_point", "sign without a bit")
def _(x, *, bits, frac_bits):
    return torch.round(x * 2.0**frac_bits).clamp(-(2**bits), 2**bits - 1) / 2.0**frac_bits


@wrong("fixed_point", "not scaled back")
def _(x, *, bits, frac_bits):
    most = 2 ** (bits - 1)
    return torch.round(x * 2.0**frac_bits).clamp(-most, most - 1)


@wrong("fixed_point", "halves up")
def _(x, *, bits, frac_bits):
    most = 2 ** (bits - 1)
    return torch.floor(x * 2.0**frac_bits + 0.5).clamp(-most, most - 1) / 2.0**frac_bits


@right("stochastic_rounding")
def down_and_perhaps_up(x, *, step, draws):
    steps = x / step
    down = steps.floor()
    return (down + (draws < steps - down)) * step


@right("stochastic_rounding")
def one_draw_for_each(x, *, step, draws):
    rounded = []
    for value, draw in zip(x.flatten().tolist(), draws.flatten().tolist(), strict=True):
        down = math.floor(value / step)
        rounded.append(step * (down + 1 if draw < value / step - down else down))
    return torch.tensor(rounded).reshape(x.shape)


@right("stochastic_rounding")
def up_from_the_draw(x, *, step, draws):
    return torch.ceil(x / step - draws) * step


@wrong("stochastic_rounding", "to the nearest")
def _(x, *, step, draws):
    return torch.round(x / step) * step


@wrong("stochastic_rounding", "up for large draws")
def _(x, *, step, draws):
    down = torch.floor(x / step)
    return torch.where(draws > x / step - down, down + 1, down) * step


@wrong("stochastic_rounding", "other draws")
def _(x, *, step, draws):
    return torch.floor(x / step + draws) * step


@wrong("stochastic_rounding", "fraction below zero")
def _(x, *, step, draws):
    down = torch.trunc(x / step)
    return (down + (draws < x / step - down)) * step


@wrong("stochastic_rounding", "sizes rounded")
def _(x, *, step, draws):
    size = x.abs() / step
    down = size.floor()
    return x.sign() * (down + (draws < size - down)) * step


@wrong("stochastic_rounding", "draw added and rounded")
def _(x, *, step, draws):
    return torch.round(x / step + draws) * step


@wrong("stochastic_rounding", "not scaled back")
def _(x, *, step, draws):
    down = torch.floor(x / step)
    return down + (draws < x / step - down)


@right("quantize_rows")
def row_by_row(w, *, bits):
    rows = []
    for row in w:
        scale, zero = plain_numbers(row, bits=bits)
        rows.append((clamped(row, scale=scale, zero_point=zero, bits=bits) - zero) * scale)
    return torch.stack(rows)


@right("quantize_rows")
def all_rows_at_once(w, *, bits):
    low, high = w.amin(1, keepdim=True).clamp(max=0), w.amax(1, keepdim=True).clamp(min=0)
    scale = ((high - low) / (2**bits - 1)).masked_fill(low == high, 1)
    zero = torch.round(-low / scale)
    return ((torch.round(w / scale) + zero).clamp(0, 2**bits - 1) - zero) * scale


@wrong("quantize_rows", "one range for all")
def _(w, *, bits):
    scale, zero = plain_numbers(w, bits=bits)
    return (clamped(w, scale=scale, zero_point=zero, bits=bits) - zero) * scale


@wrong("quantize_rows", "columns for rows")
def _(w, *, bits):
    return row_by_row(w.T, bits=bits).T


@wrong("quantize_rows", "codes")
def _(w, *, bits):
    rows = []
    for row in w:
        scale, zero = plain_numbers(row, bits=bits)
        rows.append(clamped(row, scale=scale, zero_point=zero, bits=bits))
    return torch.stack(rows)


@wrong("quantize_rows", "zero point left in")
def _(w, *, bits):
    rows = []
    for row in w:
        scale, zero = plain_numbers(row, bits=bits)
        rows.append(clamped(row, scale=scale, zero_point=zero, bits=bits) * scale)
    return torch.stack(rows)


@wrong("quantize_rows", "no code for 0")
def _(w, *, bits):
    low = w.amin(1, keepdim=True)
    step = ((w.amax(1, keepdim=True) - low) / (2**bits - 1)).clamp(min=1e-12)
    return low + torch.round((w - low) / step) * step


@wrong("quantize_rows", "symmetric")
def _(w, *, bits):
    scale = (w.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)).clamp(min=1e-12)
    return torch.round(w / scale) * scale


@wrong("quantize_rows", "nothing over nothing")
def _(w, *, bits):
    low, high = w.amin(1, keepdim=True).clamp(max=0), w.amax(1, keepdim=True).clamp(min=0)
    scale = (high - low) / (2**bits - 1)
    zero = torch.round(-low / scale)
    return ((torch.round(w / scale) + zero).clamp(0, 2**bits - 1) - zero) * scale
