"""Training in low precision (Courbariaux, Bengio, David 2015, arXiv:1412.7024; lecture, section 05), measured on MNIST.

Algorithm 1: forward and backward at b bits, updates at more. The lecture prints the algorithm and no table for it; here
one perceptron is trained in float32, float16, fixed point and dynamic fixed point, and in dynamic fixed point with
fewer and fewer bits for the computation and for the updates.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor

from course_utils._support.random_numbers import random_numbers
from course_utils.methods.quantize import DynamicFixedPoint, FixedPoint, LowPrecision
from course_utils.models import count_parameters, mlp
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS
from course_utils.tables.workbench import Result, Row, Section, Workbench, mean_of, spread
from course_utils.train import evaluate, fit, pick_device

__all__ = ["SECTION", "SEEDS", "TITLE", "run", "trained_network"]

TITLE = "Training at few bits"
SECTION = "05"
SEEDS = 2

HIDDEN = {"quick": [100], "full": [256, 256]}
EPOCHS = {"quick": 2, "full": 12}
ROWS = {"quick": 12_000, "full": None}  # training rows
TRAINING: dict[str, Any] = {"optimizer": "sgd", "momentum": 0.9, "lr": 0.05, "batch_size": 128, "schedule": "cosine"}
UPDATE_EVERY = 78  # steps between two adaptations of the ranges: about 10,000 rows, as in the paper
FIXED_BITS = 6  # before the binary point in plain fixed point, with the sign: from -32 to 32

# Format, bits of the computation and of the updates, and whether updates are rounded stochastically.
Setting = tuple[str, int, int, bool]
FLOAT: Setting = ("float32", 32, 32, False)
FORMATS: list[Setting] = [
    FLOAT,
    ("float16", 16, 16, False),
    ("fixed point", 16, 16, False),
    ("dynamic fixed point", 16, 16, False),
    ("dynamic fixed point", 10, 12, False),
]
COMPUTE = {"quick": (10, 6, 4), "full": (12, 10, 8, 6, 5, 4, 3)}  # with updates in float32
UPDATE = {"quick": (12, 8), "full": (14, 12, 10, 8, 6)}  # with computation at 10 bits


def run(bench: Workbench) -> Iterator[Section]:
    """The formats, then the bits of the computation, then those of the updates."""
    compute: list[Setting] = [("dynamic fixed point", bits, 32, False) for bits in COMPUTE[bench.level]]
    nearest: list[Setting] = [("dynamic fixed point", 10, bits, False) for bits in UPDATE[bench.level]]
    stochastic: list[Setting] = [("dynamic fixed point", 10, bits, True) for bits in UPDATE[bench.level]]
    trainings = measured(bench, list(dict.fromkeys([*FORMATS, *compute, *nearest, *stochastic])))
    yield section(
        "Formats",
        {setting: trainings[setting] for setting in FORMATS},
        trainings[FLOAT],
        text=about(bench),
        remark=formats_remark(trainings),
        name="formats",
    )
    yield section(
        "Bits of the computation",
        {setting: trainings[setting] for setting in compute},
        trainings[FLOAT],
        text="Dynamic fixed point, with updates in float32.",
        remark=fewest_bits(compute, trainings, "computation", 1),
        draw=partial(
            draw,
            lines={"updates in float32": {s[1]: trainings[s] for s in compute}},
            dense=trainings[FLOAT],
            title="Bits of the computation",
        ),
        name="compute-bits",
    )
    lines = {"rounding to nearest": nearest, "stochastic rounding": stochastic}
    yield section(
        "Bits of the updates",
        {setting: trainings[setting] for setting in (*nearest, *stochastic)},
        trainings[FLOAT],
        text=(
            "Dynamic fixed point with 10 bits of computation. *Stochastic*: rounded up with the "
            "probability of the fraction."
        ),
        remark=" ".join(
            fewest_bits(settings, trainings, f"updates by {rounding}", 2) for rounding, settings in lines.items()
        ),
        draw=partial(
            draw,
            lines={rounding: {s[2]: trainings[s] for s in settings} for rounding, settings in lines.items()},
            dense=trainings[FLOAT],
            title="Bits of the updates",
        ),
        name="update-bits",
    )


def measured(bench: Workbench, settings: Sequence[Setting]) -> dict[Setting, list[Result]]:
    """Every setting under each seed."""
    common: dict[str, Any] = {"rows": ROWS[bench.level], "hidden": HIDDEN[bench.level], "training": TRAINING}
    common |= {"epochs": EPOCHS[bench.level], "update_every": UPDATE_EVERY}
    points = [
        common | {"form": form, "compute": compute, "update": update, "stochastic": stochastic, "seed": seed}
        for form, compute, update, stochastic in settings
        for seed in bench.seeds
    ]
    trainings: dict[Setting, list[Result]] = {setting: [] for setting in settings}
    for result in bench.sweep(trained_network, points):
        s = result.settings
        trainings[s["form"], s["compute"], s["update"], s["stochastic"]].append(result)
    return trainings


def trained_network(
    bench: Workbench,
    *,
    form: str,
    compute: int,
    update: int,
    stochastic: bool,
    rows: int | None,
    hidden: list[int],
    epochs: int,
    update_every: int,
    training: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Train a network in a format, and test it in the same format."""
    data = bench.dataset("mnist")
    data = data.subset(rows, seed=seed) if rows else data
    with random_numbers(seed):
        model = mlp([data.features, *hidden, data.classes])
    low = (
        nullcontext()
        if form == "float32"
        else LowPrecision(
            model,
            compute_bits=compute,
            update_bits=None if update == 32 else update,
            stochastic=stochastic,
            generator=torch.Generator(pick_device(bench.device)).manual_seed(seed),
            update_every=update_every,
            number_format=NUMBERS[form],
        )
    )
    common = training | {"seed": seed, "evaluate_every": 0, "device": bench.device, "progress": False}
    with low:
        try:
            history = fit(model, data, epochs=epochs, **common)
        except FloatingPointError:  # the loss is not finite any more: as bad as guessing
            return {"error": 100 * (1 - 1 / data.classes), "loss": None}
        return {"error": 100 - 100 * evaluate(model, data).accuracy, "loss": history[-1].train_loss}


class Half:
    """float16 as the format of a group: each number has an exponent of its own, so that no range is adapted."""

    def round(self, x: Tensor, *, stochastic: bool = False, generator: torch.Generator | None = None) -> Tensor:
        """The float16 number next to each x, as float32.

        >>> Half().round(torch.tensor([1.0001, 70000.0]))
        tensor([1., inf])
        """
        return x.detach().half().float()

    def update(self) -> None:
        """Nothing to adapt."""


class Static:
    """Fixed point whose binary point never moves: numbers from -32 to 32 at any bits.

    >>> Static(8).round(torch.tensor([1.1, 100.0]))
    tensor([ 1.0000, 31.7500])
    """

    def __init__(self, bits: int) -> None:
        self.format = FixedPoint(bits=bits, frac_bits=bits - FIXED_BITS)

    def round(self, x: Tensor, *, stochastic: bool = False, generator: torch.Generator | None = None) -> Tensor:
        """As `FixedPoint.round`."""
        return self.format.round(x, stochastic=stochastic, generator=generator)

    def update(self) -> None:
        """Nothing to adapt."""


NUMBERS: dict[str, Callable[[int], Any]] = {
    "float16": lambda bits: Half(),
    "fixed point": Static,
    "dynamic fixed point": lambda bits: DynamicFixedPoint(bits=bits),
}


def section(title: str, trainings: dict[Setting, list[Result]], dense: list[Result], **rest: Any) -> Section:
    """Rows of settings and errors, and how far they are from float32."""
    rows = []
    for (form, compute, update, stochastic), results in trainings.items():
        gaps = [r["error"] - d["error"] for r, d in zip(results, dense, strict=True)]
        cells = [
            form,
            f"{compute}",
            f"{update}" + (", stochastic" if stochastic else ""),
            spread([r["error"] for r in results]) + (" (diverged)" if any(r["loss"] is None for r in results) else ""),
            "–" if form == "float32" else spread(gaps, "+.2f"),
            spread([r["seconds"] for r in results], ".0f"),
        ]
        rows.append(Row(cells, results if form == "float32" else [*results, *dense]))
    head = ["format", "bits of computation", "of updates", "test error %", "vs. float32", "core-seconds"]
    return Section(title, head, rows, **rest)


def about(bench: Workbench) -> str:
    """What was trained, on what."""
    data, hidden, rows = bench.dataset("mnist"), HIDDEN[bench.level], ROWS[bench.level]
    sizes = [data.features, *hidden, data.classes]
    used = f"{rows:,} of the training rows, drawn anew for each seed" if rows else "all training rows"
    return (
        f"{data}; trained on {used}. A perceptron {'-'.join(map(str, sizes))} ({count_parameters(mlp(sizes)):,} "
        f"parameters, ReLU, no dropout; the paper has maxout and dropout), {EPOCHS[bench.level]} epochs of gradient "
        f"steps with momentum {TRAINING['momentum']}, tested at the bits that it was trained at. Sums within a product "
        "and the optimizer's momentum are kept in float32. *Fixed point*: from −32 to 32. *Dynamic fixed point*: a "
        f"range for each group of numbers, adapted after each of the first 100 steps and then every {UPDATE_EVERY} "
        "(the paper adapts every 10,000 rows, from the ranges of an earlier training in high precision). The "
        "lecture prints the algorithm, but no table."
    )


def formats_remark(trainings: dict[Setting, list[Result]]) -> str:
    """The formats compared with float32."""
    dense = mean_of(trainings[FLOAT], "error")
    differences = [
        f"{s[0]} with {s[1]} and {s[2]} bits {mean_of(trainings[s], 'error') - dense:+.2f}" for s in FORMATS[1:]
    ]
    text = f"**Test error compared with float32 ({dense:.2f} %), in percentage points: {'; '.join(differences)}.**"
    return text.replace(" -", " −")


def fewest_bits(settings: Sequence[Setting], trainings: dict[Setting, list[Result]], what: str, place: int) -> str:
    """The fewest bits whose error is at most half a point above that of float32."""
    dense = mean_of(trainings[FLOAT], "error")
    near = [s for s in settings if mean_of(trainings[s], "error") <= dense + 0.5]
    if not near:
        return f"No number of bits that was tried for the {what} comes within half a point of float32."
    fewest = min(near, key=lambda s: int(s[place]))
    return (
        f"**The fewest bits for the {what} with an error at most half a point above float32's: {fewest[place]} "
        f"({mean_of(trainings[fewest], 'error'):.2f} % beside {dense:.2f} %).**"
    )


def draw(figure: Any, *, lines: dict[str, dict[int, list[Result]]], dense: list[Result], title: str) -> None:
    """The test error against bits, with that of float32 as a level."""
    axes = figure.subplots()
    for number, (label, points) in enumerate(lines.items()):
        axes.plot(
            list(points),
            [mean_of(results, "error") for results in points.values()],
            color=list(COLOURS.values())[number],
            marker=MARKERS[number],
            linestyle=LINE_STYLES[number],
            label=label,
        )
    axes.axhline(mean_of(dense, "error"), color=COLOURS["grey"], linewidth=1, label="float32")
    axes.set(xlabel="bits", ylabel="test error in %", yscale="log", title=title)
    axes.minorticks_off()
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100) if axes.get_ylim()[0] <= tick <= axes.get_ylim()[1]]
    axes.set_yticks(ticks, [f"{tick}" for tick in ticks])
    axes.legend()
