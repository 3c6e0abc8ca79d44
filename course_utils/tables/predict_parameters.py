"""Predicting the parameters (Denil et al. 2013, arXiv:1306.0543; lecture, section 03), measured on MNIST.

The claim: of a few weights of each feature the others can be predicted, and need not be trained; in the best case over
95 % of a network's parameters, at an unchanged accuracy. Here both large layers of a perceptron 784-500-500-10, the
paper's shape for MNIST, are products W = U V with a fixed U and a trained V, at several shares.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.methods.predict_parameters import (
    PredictedLinear,
    choose_observed,
    empirical_kernel,
    pixel_coordinates,
    prediction_matrix,
    squared_exponential,
)
from course_utils.models import count_parameters, mlp
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS
from course_utils.tables.workbench import Result, Row, Section, Workbench, mean_of, spread
from course_utils.train import evaluate, fit

__all__ = ["SECTION", "SEEDS", "TITLE", "run", "trained_network"]

TITLE = "Predicting the parameters"
SECTION = "03"
SEEDS = 3

HIDDEN = 500
COLUMNS = 50  # blocks of features, each of which observes inputs of its own
# Chosen on held-out training rows, with a shorter training.
WIDTH = 2.0  # pixels: of the squared exponential kernel
RIDGE = {"near pixels": 1e-3, "what goes together": 1e-3, "zeros": 0.0}
TRAINING: dict[str, Any] = {"lr": 1e-3, "batch_size": 128}
EPOCHS = 8
ROWS = {"quick": 6000, "full": None}  # training rows
SHARES = {"quick": (0.2, 0.05), "full": (0.2, 0.1, 0.05, 0.03, 0.02)}
DENSE = "all trained"
CLAIM = 0.95  # of the parameters are predicted


def run(bench: Workbench) -> Iterator[Section]:
    """The test error at each share, with every way to predict."""
    point = {"rows": ROWS[bench.level], "epochs": bench.epochs(EPOCHS), "hidden": HIDDEN, "training": TRAINING}
    settings = [(DENSE, 1.0), *((kernel, share) for kernel in RIDGE for share in SHARES[bench.level])]
    points = [point | {"kernel": kernel, "share": share, "seed": s} for kernel, share in settings for s in bench.seeds]
    trainings: dict[tuple[str, float], list[Result]] = {setting: [] for setting in settings}
    for result in bench.sweep(trained_network, points):
        trainings[result.settings["kernel"], result.settings["share"]].append(result)
    yield Section(
        "Share of the parameters that is trained, against the test error",
        ["weights are predicted from", "share observed", "trained", "of all", "test error %", "core-seconds"],
        [row(kernel, share, results) for (kernel, share), results in trainings.items()],
        text=about(bench),
        remark=reached(bench, trainings),
        draw=partial(draw, trainings=trainings),
        name="shares",
    )


def trained_network(
    bench: Workbench,
    *,
    kernel: str,
    share: float,
    rows: int | None,
    hidden: int,
    epochs: int,
    training: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Train a network of which a share of the weights is observed and trained, and test it."""
    data = bench.dataset("mnist")
    data = data.subset(rows, seed=seed) if rows else data
    with random_numbers(seed):
        model = mlp([data.features, hidden, hidden, data.classes])
        dense_parameters = count_parameters(model)
        common = training | {"seed": seed, "evaluate_every": 0, "device": bench.device, "progress": False}
        if kernel != DENSE:
            model[1] = predicted(input_kernel(kernel, data), share, hidden, ridge=RIDGE[kernel], seed=seed)
            # The second layer's inputs exist only once there is a first layer that has learnt something.
            fit(model, data, epochs=1, **common)
            model[3] = predicted(hidden_kernel(kernel, model, data), share, hidden, ridge=RIDGE[kernel], seed=seed + 1)
    fit(model, data, epochs=epochs + (kernel == DENSE), schedule="cosine", **common)
    return {
        "trained": count_parameters(model),
        "of all": count_parameters(model) / dense_parameters,
        "error": 100 - 100 * evaluate(model.eval(), data).accuracy,
    }


def input_kernel(kernel: str, data: Dataset) -> Tensor:
    """Which pixels have similar weights, (pixels, pixels)."""
    if kernel == "zeros":
        return torch.eye(data.features)
    if kernel == "near pixels":
        return squared_exponential(pixel_coordinates(data.input_shape), width=WIDTH)
    return empirical_kernel(data.x_train)


@torch.no_grad()
def hidden_kernel(kernel: str, model: nn.Sequential, data: Dataset) -> Tensor:
    """Which hidden neurons have similar weights: they have no distance, but they are correlated or not."""
    h = model[:3](data.x_train)
    return torch.eye(h.shape[1]) if kernel == "zeros" else empirical_kernel(h)


def predicted(kernel: Tensor, share: float, outputs: int, *, ridge: float, seed: int) -> PredictedLinear:
    """A layer whose features come in blocks, each observed at other inputs."""
    count = max(1, round(share * len(kernel)))
    observed = choose_observed(len(kernel), count, columns=COLUMNS, seed=seed)
    return PredictedLinear(torch.stack([prediction_matrix(kernel, at, ridge=ridge) for at in observed]), outputs)


def row(kernel: str, share: float, results: list[Result]) -> Row:
    """Means over the seeds."""
    cells = [
        "–" if kernel == DENSE else kernel,
        f"{share:.0%}",
        f"{results[0]['trained']:,}",
        f"{results[0]['of all']:.1%}",
        spread([r["error"] for r in results]),
        spread([r["seconds"] for r in results], ".0f"),
    ]
    return Row(cells, results)


def about(bench: Workbench) -> str:
    """What was trained, on what."""
    data, rows = bench.dataset("mnist"), ROWS[bench.level]
    used = f"{rows:,} of the training rows, drawn anew for each seed" if rows else "all training rows"
    return (
        f"{data}; trained on {used}: {bench.epochs(EPOCHS)} epochs of Adam. In both hidden layers of a perceptron "
        f"{data.features}-{HIDDEN}-{HIDDEN}-{data.classes} only a share of each feature's weights is observed and "
        f"trained; each of {COLUMNS} blocks of features observes inputs of its own. The others are predicted. *Near "
        f"pixels*: squared exponential kernel of {WIDTH:g} pixels. *What goes together*: covariance of the inputs. "
        "*Zeros*: not predicted at all, but left out. The second layer takes the covariance of its inputs, after one "
        "more epoch with all of its weights, as near pixels have no meaning there (the network whose weights are all "
        "trained has that epoch, too). The output layer and the biases "
        "are always trained, and counted. The lecture prints one sentence: over 95 % predicted, accuracy unchanged."
    )


def reached(bench: Workbench, trainings: dict[tuple[str, float], list[Result]]) -> str:
    """How near the claim the measured networks come."""
    error = {setting: mean_of(results, "error") for setting, results in trainings.items()}
    dense = error[DENSE, 1.0]
    best = min((s for s in trainings if trainings[s][0]["of all"] < 0.1), key=error.__getitem__, default=None)
    parts = [f"With all parameters trained the error on the {bench.tested} is {dense:.2f} %."]
    if best is not None:
        of_all, gap = trainings[best][0]["of all"], error[best] - dense
        parts.append(
            f"**Nearest to the claim with less than a tenth trained: {1 - of_all:.1%} of the parameters predicted, "
            f"from {best[0]}, at {error[best]:.2f} %, {abs(gap):.2f} points {'more' if gap > 0 else 'less'}.**"
        )
    beyond = [s for s in trainings if trainings[s][0]["of all"] <= 1 - CLAIM]
    if beyond:
        lowest = min(beyond, key=error.__getitem__)
        parts.append(
            f"With over {CLAIM:.0%} predicted, the best has {error[lowest]:.2f} %, "
            f"{'so the accuracy is unchanged' if error[lowest] <= dense else 'so the accuracy is not unchanged'}."
        )
    return " ".join(parts)


def draw(figure: Any, *, trainings: dict[tuple[str, float], list[Result]]) -> None:
    """The test error against the share that is trained, a line for each way to predict."""
    axes = figure.subplots()
    for number, kernel in enumerate(RIDGE):
        path = [results for (name, _), results in trainings.items() if name == kernel]
        axes.plot(
            [100 * results[0]["of all"] for results in path],
            [mean_of(results, "error") for results in path],
            color=list(COLOURS.values())[number],
            marker=MARKERS[number],
            linestyle=LINE_STYLES[number],
            label=kernel,
        )
    dense = trainings[DENSE, 1.0]
    axes.axhline(mean_of(dense, "error"), color=COLOURS["grey"], linewidth=1, label=DENSE)
    axes.set(xlabel="parameters that are trained, in %", ylabel="test error in %", ylim=(0, None), title="Prediction")
    axes.legend()
