"""Fitting random labels (Zhang et al. 2016, arXiv:1611.03530; lecture, section 03), measured on MNIST and CIFAR-10.

The lecture prints no numbers but three claims: an over-parameterised network drives the training loss to zero on random
labels or random pixels; the time that this takes grows with the share of corrupted labels; so does the test error. Here
one perceptron with more parameters than training rows learns the same rows under each share and each corruption.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from course_utils.data import DataError
from course_utils.data.corruption import CORRUPTIONS
from course_utils.models import count_parameters, mlp
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS
from course_utils.tables.workbench import Result, Row, Section, Workbench, mean_of, spread
from course_utils.train.memorize import memorize

__all__ = ["SECTION", "SEEDS", "TITLE", "memorized", "run"]

TITLE = "Fitting random labels"
SECTION = "03"
SEEDS = 3

HIDDEN = [512, 512]
ROWS = {"quick": 1000, "full": 5000}
EPOCHS = 200  # at most
LEARNT = 0.01  # training stops where every row is classified correctly and the training loss is below this
TRAINING: dict[str, Any] = {"optimizer": "adam", "lr": 1e-3, "batch_size": 64}
SHARES = {"quick": (0.0, 0.5, 1.0), "full": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)}
DATA = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
# What is destroyed: the title of the row, the corruption and its share.
KINDS = {
    "true labels": ("labels", 0.0),
    "shuffled pixels": ("shuffled", 1.0),
    "random pixels": ("random", 1.0),
    "random labels": ("labels", 1.0),
}
Trainings = dict[tuple[str, float], list[Result]]  # by corruption and share
HEAD = ["epochs until fitted", "training loss", "training error %", "test error %", "core-seconds"]


def run(bench: Workbench) -> Iterator[Section]:
    """The shares of random labels and the kinds of noise, on each data set that is installed."""
    for name, title in DATA.items():
        if reason := why_not_measured(bench, name):
            yield Section(f"{title}: not measured", ["data set"], [], text=reason, name=name, missing=reason)
            continue
        trainings = measured(bench, name)
        yield shares(bench, name, trainings)
        yield kinds(name, trainings)


def why_not_measured(bench: Workbench, name: str) -> str:
    """Why a data set cannot be used; empty where it can."""
    try:
        data = bench.dataset(name)
    except DataError as error:
        return f"Not measured: {error}"
    needed = ROWS[bench.level]
    return "" if len(data.y_train) >= needed else f"Not measured, since it takes {needed:,} training rows: {data}."


def measured(bench: Workbench, name: str) -> Trainings:
    """Every corruption under every seed."""
    kinds = dict.fromkeys([*(("labels", share) for share in SHARES[bench.level]), *KINDS.values()])
    point = {"data": name, "rows": ROWS[bench.level], "hidden": HIDDEN, "training": TRAINING | {"epochs": EPOCHS}}
    points = [point | {"what": what, "share": share, "seed": seed} for what, share in kinds for seed in bench.seeds]
    trainings: Trainings = {kind: [] for kind in kinds}
    for result in bench.sweep(memorized, points):
        trainings[result.settings["what"], result.settings["share"]].append(result)
    return trainings


def shares(bench: Workbench, name: str, trainings: Trainings) -> Section:
    """From true labels to random ones."""
    path = {share: trainings["labels", share] for share in SHARES[bench.level]}
    return Section(
        f"{DATA[name]}: a share of the labels is random",
        ["share of random labels", *HEAD],
        [row(f"{share:.0%}", results) for share, results in path.items()],
        text=about(bench, name),
        remark=reached(list(path.values())),
        draw=partial(draw, trainings=path),
        name=f"{name}-shares",
    )


def kinds(name: str, trainings: Trainings) -> Section:
    """True labels, shuffled pixels, random pixels and random labels beside each other."""
    rows = {title: trainings[kind] for title, kind in KINDS.items()}
    epochs = {title: spread([r["epochs"] for r in results], ".0f") for title, results in rows.items()}
    return Section(
        f"{DATA[name]}: what is destroyed",
        ["", *HEAD],
        [row(title, results) for title, results in rows.items()],
        text=(
            "*Shuffled pixels*: one other order of the pixels, the same for all images. *Random pixels*: another "
            "order for each image. The first and the last row are those of the part above."
        ),
        remark=(
            f"{fitted(list(rows.values()))} Random pixels took {epochs['random pixels']} epochs, random labels "
            f"{epochs['random labels']}."
        ),
        name=f"{name}-kinds",
    )


def memorized(
    bench: Workbench,
    *,
    data: str,
    what: str,
    share: float,
    rows: int,
    hidden: Sequence[int],
    training: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Memorize corrupted rows; `epochs` is the first epoch without an error on them, or 0 where there was none."""
    corrupted = CORRUPTIONS[what](bench.dataset(data).subset(rows, seed=seed), share, seed=seed)

    def network() -> Any:
        return mlp([corrupted.features, *hidden, corrupted.classes])

    for curves in memorize(network, [corrupted], seed=seed, device=bench.device, **training):
        if curves.train_error[0, -1] == 0 and curves.train_loss[0, -1] < LEARNT:
            break
    return {
        "epochs": max(0, int(curves.fitted()[0])),
        "epochs in all": curves.train_loss.shape[1] - 1,
        "loss": float(curves.train_loss[0, -1]),
        "training error": 100 * float(curves.train_error[0, -1]),
        "error": 100 * float(curves.test_error[0, -1]),
        "least error": 100 * float(curves.test_error[0].min()),
        "parameters": count_parameters(network()),
    }


def row(title: str, results: list[Result]) -> Row:
    """Means over the seeds; a dash where no epoch was without an error."""
    epochs = spread([r["epochs"] for r in results], ".0f") if all(r["epochs"] for r in results) else "–"
    cells = [
        epochs,
        spread([r["loss"] for r in results], ".4f"),
        spread([r["training error"] for r in results]),
        spread([r["error"] for r in results], ".1f"),
        spread([r["seconds"] for r in results], ".0f"),
    ]
    return Row([title, *cells], results)


def about(bench: Workbench, name: str) -> str:
    """What was trained, on what."""
    data = bench.dataset(name)
    network = "-".join(str(n) for n in (data.features, *HIDDEN, data.classes))
    parameters = count_parameters(mlp([data.features, *HIDDEN, data.classes]))
    return (
        f"{data}. A perceptron {network} ({parameters:,} parameters) learns {ROWS[bench.level]:,} of the training "
        f"rows, drawn anew for each seed, by Adam (lr {TRAINING['lr']:g}, batches of {TRAINING['batch_size']}), until "
        f"it classifies every one of them correctly, with a training loss below {LEARNT:g}, and for at most {EPOCHS} "
        f"epochs. The test error is that on all {len(data.y_test):,} {bench.tested}, whose labels stay true; "
        f"guessing is wrong on {1 - 1 / data.classes:.0%} of them. The lecture prints no numbers."
    )


def reached(trainings: list[list[Result]]) -> str:
    """Whether the three claims hold in what was measured."""
    epochs, errors = ([mean_of(results, key) for results in trainings] for key in ("epochs", "error"))
    all_fitted = all(r["epochs"] for results in trainings for r in results)
    time = (
        f"The time goes from {epochs[0]:.0f} to {epochs[-1]:.0f} epochs, {epochs[-1] / epochs[0]:.1f} times as long"
        f"{', and grows with every step of the share' if rising(epochs) else ', though not with every step'}."
        if all_fitted
        else "So the times cannot all be compared."
    )
    lowest = [mean_of(results, "least error") for results in trainings]
    return (
        f"{fitted(trainings)} {time} The test error goes from {errors[0]:.1f} to {errors[-1]:.1f} %"
        f"{', and rises with every step' if rising(errors) else ', though it does not rise with every step'}. "
        f"The lowest test error of any epoch goes from {lowest[0]:.1f} to {lowest[-1]:.1f} %."
    )


def fitted(trainings: list[list[Result]]) -> str:
    """How many trainings ended without an error on their rows."""
    runs = [r for results in trainings for r in results]
    done = [r for r in runs if r["epochs"]]
    return (
        f"**{len(done)} of {len(runs)} trainings fitted every row; the training losses at the end are at most "
        f"{max(r['loss'] for r in runs):.4f}.**"
    )


def rising(values: Sequence[float]) -> bool:
    """Whether each value is above the one before.

    >>> rising([1, 2, 5]), rising([1, 1])
    (True, False)
    """
    return all(a < b for a, b in pairwise(values))


def draw(figure: Any, *, trainings: dict[float, list[Result]]) -> None:
    """Epochs until fitted, and the test error, against the share of random labels."""
    left, right = figure.subplots(1, 2)
    shares = [100 * share for share in trainings]
    series = {
        left: {"epochs": "epochs until fitted"},
        right: {"error": "at the end", "least error": "at its lowest"},
    }
    for axes, lines in series.items():
        for number, (key, label) in enumerate(lines.items()):
            means = [mean_of(results, key) for results in trainings.values()]
            colour = list(COLOURS.values())[number]
            axes.plot(shares, means, color=colour, marker=MARKERS[number], linestyle=LINE_STYLES[number], label=label)
        axes.set(xlabel="share of random labels in %", ylim=(0, None))
    left.set(ylabel="epochs until every row is fitted", title="Time")
    right.set(ylabel="test error in %", title="Error")
    right.legend()
