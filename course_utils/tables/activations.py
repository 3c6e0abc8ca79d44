"""The table of activation functions (Scardapane et al. 2017, arXiv:1707.04035; lecture, section 09).

Networks with hidden layers of 300 tell signals from backgrounds in SUSY, a table of 18 inputs, with fixed and with
flexible activation functions: AUC on test rows, and trainable parameters, which are counted on networks that are built
here. Where SUSY cannot be had the AUC is measured on a substitute, and the text says so.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.random_numbers import random_numbers
from course_utils._support.words import plural
from course_utils.data import DataError, Dataset
from course_utils.methods.activations import APL, KAF, Maxout
from course_utils.models import count_parameters, mlp
from course_utils.plots import COLOURS, MARKERS
from course_utils.tables.measured import Claim
from course_utils.tables.published import ACTIVATIONS
from course_utils.tables.workbench import Result, Row, Section, Workbench, mean_of, spread
from course_utils.train.evaluation import ROWS_AT_ONCE

__all__ = ["SECTION", "SEEDS", "TITLE", "auc", "network", "run", "trained_network"]

TITLE = "Flexible activation functions"
SECTION = "09"
SEEDS = 3

DEEP = 5  # hidden layers of the networks with fixed functions
HIDDEN = 300
INPUTS = 18  # of SUSY
PIECES = SEGMENTS = 3  # K of maxout and S of APL; the D of a KAF is 20
ELEMENTWISE: dict[str, Callable[[int], nn.Module]] = {
    "ReLU": lambda width: nn.ReLU(),
    "ELU": lambda width: nn.ELU(),
    "SELU": lambda width: nn.SELU(),
    "PReLU": lambda width: nn.PReLU(width),
    "APL": lambda width: APL(width, SEGMENTS),
    "KAF": lambda width: KAF(width, size=20),
}
TRAINING: dict[str, Any] = {"lr": 1e-3, "batch_size": 128}
EPOCHS = {"covertype": 20, "susy": 4}
ROWS = {"covertype": None, "susy": 500_000}  # training rows
QUICK_ROWS, QUICK_EPOCHS = 12_000, 3
PINE = 1  # lodgepole pine, the most frequent of Covertype's seven classes


def run(bench: Workbench) -> Iterator[Section]:
    """Parameters, then AUC on SUSY or on what stands in for it."""
    yield parameters(bench)
    name, why = source(bench)
    rows, epochs = (ROWS[name], EPOCHS[name]) if bench.full else (QUICK_ROWS, QUICK_EPOCHS)
    point = {"data": name, "rows": rows, "epochs": epochs, "hidden": HIDDEN, "training": TRAINING}
    # The deep ones, which take longest, first.
    order = sorted(ACTIVATIONS, key=lambda key: -key[1])
    points = [point | {"activation": a, "layers": n, "seed": seed} for a, n in order for seed in bench.seeds]
    trainings: dict[tuple[str, int], list[Result]] = {key: [] for key in ACTIVATIONS}
    for result in bench.sweep(trained_network, points):
        trainings[result.settings["activation"], result.settings["layers"]].append(result)
    yield comparison(bench, name, why, trainings)


def parameters(bench: Workbench) -> Section:
    """The trainable parameters of all ten networks with SUSY's 18 inputs."""
    results = bench.sweep(counted, [{"activation": a, "layers": n, "inputs": INPUTS} for a, n in ACTIVATIONS])
    rows, claims = [], []
    for result, ((activation, layers), (_, published)) in zip(results, ACTIVATIONS.items(), strict=True):
        rows.append(Row([activation, f"{layers}", f"{result['parameters']:,}", f"{published:,}"], [result]))
        counted_here = [result["parameters"]]
        claims.append(Claim(title((activation, layers)), "parameters", f"{published:,}", counted_here, None, [result]))
    same = sum(claim.value == claim.target for claim in claims)
    return Section(
        "Trainable parameters",
        ["activation", "hidden layers", "counted here", "published"],
        rows,
        text=(
            f"Networks with {INPUTS} inputs, hidden layers of {HIDDEN} and one output, as they are built here; K = "
            f"{PIECES}, S = {SEGMENTS}, D = 20. Nothing is trained. The lecture prints the number of ReLU on the row "
            "of ELU."
        ),
        remark=f"**{same} of {len(rows)} numbers agree exactly.**",
        name="parameters",
        claims=claims,
    )


def counted(bench: Workbench, *, activation: str, layers: int, inputs: int) -> dict[str, Any]:
    """The trainable parameters of a network."""
    return {"parameters": count_parameters(network(activation, layers, inputs=inputs))}


def network(activation: str, layers: int, *, inputs: int) -> nn.Sequential:
    """A network with one output, the logit of the signal.

    >>> count_parameters(network("KAF", 1, inputs=18)), count_parameters(network("Maxout", 2, inputs=18))
    (12001, 288301)
    """
    sizes = [inputs, *[HIDDEN] * layers]
    if activation == "Maxout":
        hidden = [Maxout(n, m, PIECES) for n, m in pairwise(sizes)]
        return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(HIDDEN, 1))
    return mlp([*sizes, 1], activation=ELEMENTWISE[activation])


def source(bench: Workbench) -> tuple[str, str]:
    """The data set to train on, and why it is not SUSY where it is not."""
    if not bench.full:
        return "covertype", "the quick level leaves SUSY, a download of 880 MB, to the full one"
    try:
        bench.dataset("susy")
    except DataError as error:
        return "covertype", f"SUSY could not be had ({str(error).split('; ')[0].split(' (')[0]})"
    return "susy", ""


def rows_of(bench: Workbench, name: str, rows: int | None, seed: int) -> Dataset:
    """SUSY, or Covertype as a task of two classes; with so many training rows."""
    data = bench.dataset(name)
    if name == "covertype":
        is_pine = ((labels == PINE).long() for labels in (data.y_train, data.y_test))
        y_train, y_test = is_pine
        data = replace(data, y_train=y_train, y_test=y_test, classes=2)
    return data.subset(min(rows, len(data.y_train)), seed=seed) if rows else data


def trained_network(
    bench: Workbench,
    *,
    data: str,
    activation: str,
    layers: int,
    rows: int | None,
    hidden: int,
    epochs: int,
    training: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Train one network, and measure its AUC on all test rows."""
    used = rows_of(bench, data, rows, seed)
    with random_numbers(seed):
        model = network(activation, layers, inputs=used.features)
    name = f"{activation}-{layers}"
    bench.train(name, model, used, seed=seed, origin=hidden, loss=logistic_loss, epochs=epochs, **training)
    with torch.no_grad():
        logits = torch.cat([model(x).squeeze(1) for x in used.x_test.split(ROWS_AT_ONCE)])
    return {"auc": auc(logits, used.y_test), "parameters": count_parameters(model)}


def logistic_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of one logit, (n, 1), against labels 0 and 1."""
    return F.binary_cross_entropy_with_logits(logits.squeeze(1), labels.float())


def auc(scores: Tensor, labels: Tensor) -> float:
    """The probability that a signal is ranked above a background, ties counting half.

    From the ranks r of the n+ signals among all n = n+ + n- scores: (sum r - n+ (n+ + 1) / 2) / (n+ n-).

    >>> auc(torch.tensor([0.1, 0.4, 0.35, 0.8]), torch.tensor([0, 0, 1, 1]))
    0.75
    """
    _, place, counts = scores.unique(return_inverse=True, return_counts=True)  # equal scores share their mean rank
    ranks = (counts.cumsum(0).double() - (counts.double() - 1) / 2)[place]
    signal = labels.bool()
    positive, negative = int(signal.sum()), int((~signal).sum())
    return (float(ranks[signal].sum()) - positive * (positive + 1) / 2) / (positive * negative)


def comparison(bench: Workbench, name: str, why: str, trainings: dict[tuple[str, int], list[Result]]) -> Section:
    """AUC and parameters beside the published AUC."""
    data = rows_of(bench, name, None, 0)
    rows = [
        Row(
            [
                activation,
                f"{layers}",
                spread([r["auc"] for r in results], ".4f"),
                f"{results[0]['parameters']:,}",
                ACTIVATIONS[activation, layers][0],
                spread([r["seconds"] for r in results], ".0f"),
            ],
            results,
        )
        for (activation, layers), results in trainings.items()
    ]
    settings = next(iter(trainings.values()))[0].settings
    used = min(settings["rows"] or len(data.y_train), len(data.y_train))
    task = (
        "" if name == "susy" else f" **A substitute, since {why}**: lodgepole pine is told from the other six classes."
    )
    return Section(
        "AUC on SUSY" if name == "susy" else "AUC on a substitute: lodgepole pine in Covertype",
        ["activation", "hidden layers", "AUC", "parameters", "published on SUSY", "core-seconds"],
        rows,
        text=(
            f"{data}.{task} {data.features} inputs, hidden layers of {HIDDEN}; {used:,} training rows, "
            f"{settings['epochs']} epochs of Adam (lr {TRAINING['lr']:g}, batches of {TRAINING['batch_size']}, falling "
            "to 0), the same for all networks."
            + ("" if name == "susy" else " The published column belongs to another task: compare orders, not numbers.")
        ),
        remark=reached(trainings),
        draw=partial(draw, trainings=trainings),
        name="auc",
        claims=claims(trainings) if name == "susy" else [],  # of another task there is nothing to compare
    )


def claims(trainings: dict[tuple[str, int], list[Result]]) -> list[Claim]:
    """The published AUC on SUSY."""
    return [
        Claim(title(key), "AUC", ACTIVATIONS[key][0].split()[0], [r["auc"] for r in results], 1.0, results)
        for key, results in trainings.items()
    ]


def reached(trainings: dict[tuple[str, int], list[Result]]) -> str:
    """Whether few layers of flexible functions do what five of ReLU do, and with how many parameters."""
    measured = {key: mean_of(results, "auc") for key, results in trainings.items()}
    published = {key: float(text.split()[0]) for key, (text, _) in ACTIVATIONS.items()}
    size = {key: results[0]["parameters"] for key, results in trainings.items()}
    deep, shallow = best(measured, deep=True), best(measured, deep=False)
    order = " > ".join(f"{a} {n}" for a, n in sorted(measured, key=lambda key: -measured[key]))
    return (
        f"Order (with the number of hidden layers): {order}. **{compared(measured)}** {title(shallow)} has "
        f"{size[shallow]:,} parameters, {title(deep)} {size[deep]:,}. Published on SUSY: {compared(published)}"
    )


def best(mean: dict[tuple[str, int], float], *, deep: bool) -> tuple[str, int]:
    """The best of the networks with five hidden layers, or of those with fewer."""
    return max((key for key in mean if (key[1] == DEEP) == deep), key=lambda key: mean[key])


def compared(mean: dict[tuple[str, int], float]) -> str:
    """In a sentence: the best few layers against the best five, and one of KAFs against five of ReLUs."""
    pairs = [(best(mean, deep=False), best(mean, deep=True)), (("KAF", 1), ("ReLU", 5))]
    comparisons = [
        f"{title(a)} is {abs(mean[a] - mean[b]):.4f} {'above' if mean[a] >= mean[b] else 'below'} {title(b)}"
        for a, b in pairs
    ]
    return f"{comparisons[0]} (the best with one or two layers, and the best with five); {comparisons[1]}."


def title(key: tuple[str, int]) -> str:
    """A network in words.

    >>> title(("KAF", 1)), title(("PReLU", 5))
    ('KAF with 1 layer', 'PReLU with 5 layers')
    """
    return f"{key[0]} with {plural(key[1], 'layer')}"


def draw(figure: Any, *, trainings: dict[tuple[str, int], list[Result]]) -> None:
    """AUC against parameters, with the name beside each dot."""
    axes = figure.subplots()
    for number, layers in enumerate((1, 2, DEEP)):
        as_deep = {a: results for (a, n), results in trainings.items() if n == layers}
        size = [results[0]["parameters"] for results in as_deep.values()]
        means = [mean_of(results, "auc") for results in as_deep.values()]
        label = plural(layers, "hidden layer")
        colour = list(COLOURS.values())[number]
        axes.plot(size, means, color=colour, marker=MARKERS[number], linestyle="none", label=label)
        if layers == DEEP:  # they lie too close to each other for names beside the dots
            names = sorted(as_deep, key=lambda a: -means[list(as_deep).index(a)])
            place, text = (max(size), min(means)), f"from above: {', '.join(names)}"
            axes.annotate(text, place, (5, -20), textcoords="offset points", ha="right", fontsize=10)
            continue
        for a, x, y in zip(as_deep, size, means, strict=True):
            axes.annotate(a, (x, y), (5, 4), textcoords="offset points", fontsize=10)
    axes.set(xscale="log", xlabel="trainable parameters", ylabel="AUC on the test rows", title="AUC")
    axes.set_xticks([10_000, 20_000, 50_000, 100_000, 200_000, 500_000])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.minorticks_off()
    axes.margins(x=0.08, y=0.1)
    axes.legend(loc="lower right")
