"""The lecture's table of section 04: accuracy, zeros and neurons that are left under L2 and the sparse group lasso.

Source: Scardapane, Comminiello, Hussain, Uncini 2017, arXiv:1607.00485; lecture, (9). The same networks are trained
here under each penalty of the section. The strength of each penalty is chosen on held-out training rows, by a rule;
the test part is used once, with the networks that were chosen.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import Any

from torch import nn

from course_utils.data import DataError, Dataset
from course_utils.methods.penalties import Regularizer, active_neurons, sparsity
from course_utils.models import mlp
from course_utils.tables.measured import Claim
from course_utils.tables.published import GROUP_SPARSE
from course_utils.tables.workbench import Result, Row, Section, Workbench, spread
from course_utils.train import evaluate
from course_utils.train.ensemble import fit_many

__all__ = ["SECTION", "SEEDS", "TITLE", "choose", "run"]

TITLE = "Sparse and group-sparse penalties"
SECTION = "04"
SEEDS = 3  # of the lecture's two penalties; the others, and the path of lambda, have the first one

THRESHOLD = 1e-3  # what is smaller counts as zero, as in the lecture
POINT = 0.01  # how much accuracy the sparse networks may lose
# L2 as in the author's code for the paper, by Adam with its default settings: decay that goes through the gradient gets
# Adam's large steps where the loss has hardly a slope, so many weights come near zero. The others by SGD and proximal
# steps, which leave exact zeros. Elastic net and the plain ones stand beside the lecture's, which has L2 and SG-L1.
ADAM = {"optimizer": "adam", "lr": 1e-3}
PENALTIES = {"l2": "L2", "l1": "L1", "elastic_net": "elastic net", "group": "group lasso", "sparse_group": "SG-L1"}
# The share of l1 in a mixed penalty. For the sparse group lasso 0.5 and 0.8 were tried on held-out rows of MNIST: with
# 0.8 a network as accurate has fewer weights.
L1_RATIO = {"elastic_net": 0.5, "sparse_group": 0.8}
MAIN = ("l2", "sparse_group")  # the lecture's; of the others one seed is measured, and none at the quick level
TRAINING = ("epochs", "batch_size", "lr", "optimizer")
BATCH = ("data", "penalty", "part")  # networks that are alike in these may be trained together
HEAD = ["", "lambda", "seeds", "accuracy", "sparsity of each weight matrix", "exact zeros", "neurons on its input side"]


@dataclass(frozen=True)
class Task:
    """A network of the table, how it is trained, and the lambdas that are tried for each penalty."""

    title: str
    sizes: list[int]
    training: dict[str, Any]
    lams: dict[str, tuple[float, ...]]
    held_out: float = 0.2
    together: int = 8  # networks that are trained as one


TASKS = {
    "sensorless": Task(
        "SSD",
        [48, 40, 40, 30, 11],
        {"epochs": 240, "batch_size": 32, "lr": 0.01},
        {
            "l2": (1e-5, 1e-4, 1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2),
            "l1": (4e-4, 8e-4, 1.6e-3, 2.4e-3),
            "elastic_net": (8e-4, 1.6e-3, 3.2e-3, 4.8e-3),
            "group": (4e-4, 8e-4, 1.2e-3, 1.6e-3),
            "sparse_group": (4e-4, 8e-4, 1.6e-3, 2.4e-3, 3.2e-3),
        },
    ),
    "mnist": Task(
        "MNIST",
        [784, 400, 300, 100, 10],
        {"epochs": 24, "batch_size": 128, "lr": 0.1},
        {
            "l2": (1e-5, 1e-4, 3e-4, 4e-4, 5e-4, 6e-4, 1e-3),
            "l1": (1e-4, 2e-4, 3e-4),
            "elastic_net": (2e-4, 4e-4, 6e-4),
            "group": (5e-5, 1e-4, 1.5e-4),
            "sparse_group": (1e-4, 1.75e-4, 2.5e-4, 3.5e-4),
        },
        held_out=8000 / 60000,
        together=1,
    ),
    "covertype": Task(
        "COVER",
        [54, 50, 50, 20, 7],
        {"epochs": 180, "batch_size": 256, "lr": 0.1},
        {
            "l2": (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 6e-4),
            "l1": (5e-5, 1e-4, 1.5e-4, 2e-4),
            "elastic_net": (1e-4, 2e-4, 3e-4, 4e-4),
            "group": (5e-5, 1e-4, 1.5e-4),
            "sparse_group": (1e-4, 1.5e-4, 1.75e-4, 2e-4, 2.5e-4, 3e-4),
        },
        held_out=0.1,
    ),
}


def run(bench: Workbench) -> Iterator[Section]:
    """For each data set the path of lambda on held-out rows, and then the table."""
    for name, task in TASKS.items():
        try:
            data = bench.dataset(name)
        except DataError as error:
            yield Section(task.title, HEAD, published(name), f"Not measured: {error}.", name=name, missing=str(error))
            continue
        path = bench.sweep(trained, path_points(bench, name), batch_by=BATCH, batch=task.together)
        lams = choose(path, **accuracies(name))
        yield path_section(bench, name, data, path, lams)
        results = bench.sweep(trained, table_points(bench, name, lams), batch_by=BATCH, batch=task.together)
        yield table_section(bench, name, data, results, lams)


def path_points(bench: Workbench, name: str) -> list[dict[str, Any]]:
    """Every penalty with every lambda, tested on held-out rows; at the quick level the lecture's two penalties.

    Where networks are trained one by one, the quick level has at most three lambdas, too.
    """
    most = None if bench.full or TASKS[name].together > 1 else 3
    return [
        point(bench, name, penalty, lam, bench.seeds[0], "held out")
        for penalty, lams in TASKS[name].lams.items()
        for lam in lams[:most]
        if bench.full or penalty in MAIN
    ]


def table_points(bench: Workbench, name: str, lams: Mapping[str, float]) -> list[dict[str, Any]]:
    """Every penalty with the lambda that was chosen, on the test part; all seeds for the lecture's two penalties."""
    return [
        point(bench, name, penalty, lam, seed, "test")
        for penalty, lam in lams.items()
        for seed in (bench.seeds if penalty in MAIN else bench.seeds[:1])
    ]


def point(bench: Workbench, name: str, penalty: str, lam: float, seed: int, part: str) -> dict[str, Any]:
    """The settings of one network."""
    task = TASKS[name]
    training = task.training | {"epochs": bench.epochs(task.training["epochs"])}
    training |= ADAM if penalty == "l2" else {}
    settings = {"data": name, "sizes": task.sizes, "held_out": task.held_out, **training}
    mix = {"l1_ratio": L1_RATIO[penalty]} if penalty in L1_RATIO else {}
    return {**settings, "penalty": penalty, "lam": lam, **mix, "seed": seed, "part": part}


def trained(bench: Workbench, points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Train networks that differ in lambda and seed alone, and count their zeros."""
    first = points[0]
    data = bench.dataset(first["data"])
    if first["part"] == "held out":
        data = data.split(first["held_out"])
    common = {"optimizer": "sgd"} | {key: first[key] for key in TRAINING if key in first}
    make, penalties = partial(mlp, first["sizes"]), [regularized(**p) for p in points]
    if len(points) == 1:
        name = f"{first['data']}-{first['part'].replace(' ', '-')}-{first['penalty']}-{first['lam']:g}"
        return [measured(bench.trained(name, make, data, seed=first["seed"], **penalties[0], **common), data)]
    settings = [penalty | {"seed": p["seed"]} for penalty, p in zip(penalties, points, strict=True)]
    models = fit_many(
        make,
        data,
        settings=settings,
        schedule="cosine",
        evaluate_every=0,
        device=bench.device,
        progress=bench.progress,
        **common,
    )
    return [measured(model, data) for model, _ in models]


def regularized(*, penalty: str, lam: float, l1_ratio: float = 0.5, **_: Any) -> dict[str, Any]:
    """The settings of a training under a penalty: lam sum w^2 is torch's weight decay 2 lam, the others take steps."""
    if penalty == "l2":
        return {"weight_decay": 2 * lam}
    return {"regularizer": Regularizer(penalty, lam=lam, l1_ratio=l1_ratio)}


def measured(model: nn.Module, data: Dataset) -> dict[str, Any]:
    """Accuracy; zeros of each weight matrix and neurons left on its input side; the share of zeros of all weights."""
    small = sparsity(model, threshold=THRESHOLD)
    sizes = [layer.weight.numel() for layer in model.modules() if isinstance(layer, nn.Linear)]
    return {
        "accuracy": evaluate(model, data).accuracy,
        "sparsity": small,
        "zeros": sparsity(model),
        "neurons": active_neurons(model, threshold=THRESHOLD),
        "share": sum(s * n for s, n in zip(small, sizes, strict=True)) / sum(sizes),
    }


def accuracies(name: str) -> dict[str, float]:
    """What the lecture prints for its two penalties."""
    return {"l2": float(GROUP_SPARSE[name]["L2"][0]), "sparse_group": float(GROUP_SPARSE[name]["SG-L1"][0])}


def choose(path: Iterable[Result], *, l2: float, sparse_group: float) -> dict[str, float]:
    """The lambda of each penalty: the sparsest that is accurate enough, or the most accurate where none is enough.

    Enough is for L2 what the lecture prints, or one point below its best where no lambda gets there. For each other
    penalty it is what the lecture prints for SG-L1, or one point below the best of L2 where that is less.
    """
    by_penalty: dict[str, list[Result]] = {}
    for result in path:
        by_penalty.setdefault(result.settings["penalty"], []).append(result)
    best = {penalty: max(results, key=lambda r: r["accuracy"]) for penalty, results in by_penalty.items()}
    chosen = {}
    for penalty, results in by_penalty.items():
        most = best["l2"]["accuracy"]
        enough = min(sparse_group, most - POINT) if penalty != "l2" else l2 if most >= l2 else most - POINT
        good = [r for r in results if r["accuracy"] >= enough]
        result = max(good, key=lambda r: r["share"]) if good else best[penalty]
        chosen[penalty] = result.settings["lam"]
    return chosen


def published(name: str) -> list[Row]:
    """The lecture's two rows."""
    rows = GROUP_SPARSE[name].items()
    return [Row([f"published, {title}", "", "", accuracy, zeros, "", left]) for title, (accuracy, zeros, left) in rows]


def table_section(
    bench: Workbench, name: str, data: Dataset, results: Sequence[Result], lams: Mapping[str, float]
) -> Section:
    """The lecture's rows, and below them a row for each penalty."""
    task, rows = TASKS[name], published(name)
    by_penalty = {penalty: [r for r in results if r.settings["penalty"] == penalty] for penalty in lams}
    for penalty, same in by_penalty.items():
        cells = [f"{lams[penalty]:.3g}", str(len(same)), spread([r["accuracy"] for r in same], ".4f")]
        cells += [layers(same, "sparsity", ".3f"), layers(same, "zeros", ".3f"), layers(same, "neurons", ".1f")]
        rows.append(Row([PENALTIES[penalty], *cells], same))
    epochs, batch, lr = (by_penalty["sparse_group"][0].settings[key] for key in ("epochs", "batch_size", "lr"))
    part = "rows held out of the training part" if bench.validate else "the test part"
    text = (
        f"{data}. Network {'-'.join(map(str, task.sizes))}, {epochs} epochs, batches of {batch}, learning rates that "
        f"fall to 0 along a cosine. L2 by weight decay and Adam from {ADAM['lr']:g}, as in the author's code for the "
        f"paper; the other penalties by proximal steps and stochastic gradient descent from {lr} with momentum 0.9, "
        f"since only proximal steps leave exact zeros; the share of l1 is {L1_RATIO['elastic_net']} in the elastic net "
        f"and {L1_RATIO['sparse_group']} in SG-L1. Trained on all training rows; accuracy (a fraction) on {part}. A "
        f"weight of at most {THRESHOLD:g} counts as zero. Numbers are means over the seeds."
    )
    printed = {title: by_penalty[penalty] for penalty, title in PENALTIES.items() if title in GROUP_SPARSE[name]}
    return Section(
        task.title,
        HEAD,
        rows,
        text,
        remark(name, by_penalty["sparse_group"], data),
        name=name,
        claims=[claim for title, results in printed.items() for claim in claims(name, title, results, data)],
    )


def claims(name: str, title: str, results: Sequence[Result], data: Dataset) -> Iterator[Claim]:
    """The published accuracy and zeros of one penalty."""
    accuracy, zeros, _ = GROUP_SPARSE[name][title]
    note = "a sample of the rows" if data.note else ""
    yield Claim(f"{title}: accuracy", "accuracy", accuracy, [r["accuracy"] for r in results], 1.0, results, note)
    for i, published in enumerate(zeros.split(", ")):
        share = [r["sparsity"][i] for r in results]
        yield Claim(f"{title}: zeros in W{i + 1}", "zeros", as_number(published), share, 1.0, results)


def layers(results: Sequence[Result], key: str, form: str) -> str:
    """A number for each weight matrix, in the mean over the seeds."""
    return ", ".join(format(mean(values), form) for values in zip(*(r[key] for r in results), strict=True))


def remark(name: str, results: Sequence[Result], data: Dataset) -> str:
    """How the sparse group lasso compares with the lecture's."""
    accuracy, zeros, _ = GROUP_SPARSE[name]["SG-L1"]
    targets = [float(as_number(printed)) for printed in zeros.split(", ")]
    reached = [mean(values) for values in zip(*(r["sparsity"] for r in results), strict=True)]
    measured_accuracy = mean(r["accuracy"] for r in results)
    enough = sum(a >= b for a, b in zip(reached, targets, strict=True))
    pairs = ", ".join(f"{a:.3f} for {b:g}" for a, b in zip(reached, targets, strict=True))
    text = (
        f"SG-L1 against the lecture's: accuracy {measured_accuracy:.3f} for {accuracy}; at least as sparse in {enough} "
        f"of {len(targets)} weight matrices ({pairs})."
    )
    return f"{text} The data are a sample, so the accuracies cannot be compared." if data.note else text


def as_number(printed: str) -> str:
    """A printed share; "about 1.0" is what rounds to 1.00.

    >>> as_number("about 1.0"), as_number("0.48")
    ('0.995', '0.48')
    """
    return "0.995" if "about" in printed else printed


def path_section(
    bench: Workbench, name: str, data: Dataset, path: Sequence[Result], lams: Mapping[str, float]
) -> Section:
    """The path of lambda: accuracy against sparsity, and which lambda was chosen."""
    task, rows, enough = TASKS[name], [], accuracies(name)
    for result in path:
        penalty, lam = result.settings["penalty"], result.settings["lam"]
        cells = [f"{lam:.3g}", f"{result['accuracy']:.4f}", f"{result['share']:.4f}"]
        rows.append(Row([PENALTIES[penalty], *cells, "chosen" if lams[penalty] == lam else ""], [result]))
    text = (
        f"One seed, {task.held_out:.0%} of the training rows held out and tested on; the test part is not used. Chosen "
        "is the lambda with the most zeros among those that reach the lecture's accuracy: for L2 that of L2, "
        f"{enough['l2']:g}, or its best less {POINT:g} where none gets there; for each other penalty that of SG-L1, "
        f"{enough['sparse_group']:g}, or the best of L2 less {POINT:g} where this is lower. Where none does, the most "
        f"accurate one is taken. A weight of at most {THRESHOLD:g} counts as zero."
    )
    head = ["", "lambda", "held-out accuracy", "share of weights that are zero", ""]
    plot = partial(draw, path=path, lams=lams)
    return Section(f"{task.title}: the path of lambda", head, rows, text, draw=plot, name=f"path-{name}")


def draw(figure: Any, *, path: Sequence[Result], lams: Mapping[str, float]) -> None:
    """Accuracy against the weights that are left, a line for each penalty, a ring around what was chosen."""
    from course_utils.plots import COLOURS, LINE_STYLES, MARKERS

    axes = figure.subplots()
    for number, penalty in enumerate(p for p in PENALTIES if p in lams):
        same = [r for r in path if r.settings["penalty"] == penalty]
        style = {"color": list(COLOURS.values())[number], "marker": MARKERS[number], "linestyle": LINE_STYLES[number]}
        axes.plot([left(r) for r in same], [r["accuracy"] for r in same], label=PENALTIES[penalty], **style)
        for r in same:
            if r.settings["lam"] == lams[penalty]:
                axes.plot(left(r), r["accuracy"], "o", ms=14, mfc="none", mec=COLOURS["ink"], mew=1.2)
    axes.set(xscale="log", xlabel="weights that are left (%)", ylabel="accuracy on held-out rows", xlim=(None, 115))
    fewest = min(left(r) for r in path)
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100) if tick >= fewest / 2]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend(loc="best")


def left(result: Result) -> float:
    """The percentage of weights that are not zero; one that shows on a logarithmic axis."""
    return max(100 * (1 - result["share"]), 0.1)
