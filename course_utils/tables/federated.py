"""Federated averaging (McMahan et al. 2016, arXiv:1602.05629; lecture, section 03), measured on MNIST.

The paper's smaller network, 784-200-200-10, on 100 clients, of which a tenth takes part in each round, with batches of
10: rounds until 97 % test accuracy, where the clients' rows are split evenly and where they are sorted by
class. The lecture prints no numbers but the reason to count: agents exchange weights, so bytes per round matter. So the
same training is repeated with fewer bits for each weight that is sent.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from course_utils._support.random_numbers import random_numbers
from course_utils._support.words import plural
from course_utils.data import Dataset
from course_utils.models import mlp
from course_utils.plots import COLOURS, LINE_STYLES, MARKERS
from course_utils.tables.measured import Claim
from course_utils.tables.published import FEDERATED
from course_utils.tables.workbench import Result, Row, Section, Workbench, mean_of, spread
from course_utils.train.federated import federated_averaging, split_evenly, split_sorted

__all__ = ["SECTION", "SEEDS", "TITLE", "averaged", "run"]

TITLE = "Federated averaging"
SECTION = "03"
SEEDS = 3  # of the even splits; sorted ones, and the bits, have the first one

HIDDEN = [200, 200]
CLIENTS, FRACTION, BATCH = 100, 0.1, 10
LR = {"even": 0.2, "sorted": 0.1}  # chosen on held-out training rows, in up to 200 rounds
SPLITS = {"even": split_evenly, "sorted": split_sorted}
TARGET = {"quick": 0.93, "full": 0.97}
# Rounds at most, by split and local epochs.
ROUNDS = {
    "quick": {("even", 1): 40, ("even", 5): 20, ("sorted", 1): 80},
    "full": {("even", 1): 300, ("even", 5): 100, ("sorted", 1): 800, ("sorted", 5): 200},
}
# Bits of a weight on the way up to the server, and on the way down.
BITS = {
    "quick": ((32, 32), (4, 32), (1, 32), (4, 4)),
    "full": ((32, 32), (8, 32), (4, 32), (2, 32), (1, 32), (8, 8), (4, 4), (1, 4)),
}
BITS_ROUNDS = {"quick": 12, "full": 100}


def run(bench: Workbench) -> Iterator[Section]:
    """Rounds until the target; then bits against accuracy and megabytes."""
    yield rounds(bench)
    yield bits(bench)


def rounds(bench: Workbench) -> Section:
    """Rounds until the target accuracy, for each split and number of local epochs."""
    target, most = TARGET[bench.level], ROUNDS[bench.level]
    points = [
        point(split=split, local_epochs=epochs, rounds=most[split, epochs], target=target, seed=seed)
        # The longest first, so that no processor waits for it at the end.
        for split, epochs in sorted(most, key=lambda setting: -most[setting] * setting[1])
        for seed in (bench.seeds if split == "even" else bench.seeds[:1])
    ]
    trainings: dict[tuple[str, int], list[Result]] = {setting: [] for setting in most}
    for result in bench.sweep(averaged, points):
        trainings[result.settings["split"], result.settings["local_epochs"]].append(result)
    rows = []
    for (split, epochs), results in trainings.items():
        rows.append(rounds_row(split, epochs, most[split, epochs], results))
        if bench.full and (split, epochs) in FEDERATED:
            rows.append(Row(["published", split, f"{epochs}", f"{FEDERATED[split, epochs]}", "", "", ""]))
    return Section(
        f"Rounds until {target:.0%} accuracy on the {bench.tested}",
        ["", "clients' rows", "local epochs", "rounds", "MB up", "MB down", "core-seconds"],
        rows,
        text=about(bench),
        remark=rounds_remark(bench, trainings),
        draw=partial(draw_rounds, trainings=trainings, target=target),
        name="rounds",
        claims=list(claims(trainings)) if bench.full else [],
    )


def claims(trainings: dict[tuple[str, int], list[Result]]) -> Iterator[Claim]:
    """The published rounds; a training that was ended before the target counts its rounds so far."""
    for (split, epochs), published in FEDERATED.items():
        results = trainings[split, epochs]
        rounds = [float(r["reached"] or r.settings["rounds"]) for r in results]
        note = "" if all(r["reached"] for r in results) else "ended before the target was reached"
        yield Claim(f"{split} split", "rounds until 97 % accuracy", str(published), rounds, 0.0, results, note)


def bits(bench: Workbench) -> Section:
    """Accuracy and megabytes after a number of rounds, by the bits of what is sent."""
    number, pairs = BITS_ROUNDS[bench.level], BITS[bench.level]
    points = [
        point(split="even", local_epochs=1, rounds=number, bits_up=up, bits_down=down, seed=bench.seeds[0])
        for up, down in pairs
    ]
    results = bench.sweep(averaged, points)
    return Section(
        f"Bits of what is sent, and the accuracy after {number} rounds",
        ["bits up", "bits down", "accuracy %", "MB up", "MB down", "MB in all", "core-seconds"],
        [bits_row(result) for result in results],
        text=(
            "Even split, one local epoch, one seed. Each tensor is sent as so many bits a weight and two numbers for "
            "its range, by stochastic rounding on the way up; on the way down the rounding error is sent in the next "
            "round. A client that takes part for the first time gets all weights at 32 bits, one that missed "
            "rounds the changes of all of them, or all weights where that is less. MB are 10^6 bytes of all clients."
        ),
        remark=bits_remark(results),
        draw=partial(draw_bits, results=results),
        name="bits",
    )


def point(**settings: Any) -> dict[str, Any]:
    """All settings of a training."""
    common = {"hidden": HIDDEN, "clients": CLIENTS, "fraction": FRACTION, "batch_size": BATCH}
    return common | {"lr": LR[settings["split"]]} | {"bits_up": 32, "bits_down": 32, "target": None} | settings


def averaged(
    bench: Workbench, *, split: str, hidden: list[int], clients: int, target: float | None, seed: int, **settings: Any
) -> dict[str, Any]:
    """Train by federated averaging, up to the target accuracy where there is one.

    `reached` is the first round at or above it, 0 where there was none; `diverged`, where there is such a number, the
    round in which the weights grew beyond all bounds.
    """
    data = bench.dataset("mnist")
    with random_numbers(seed):
        model = mlp([data.features, *hidden, data.classes])
    shares = SPLITS[split](data.y_train, clients, seed=seed)
    path: list[float] = []
    failed = {}
    try:
        for state in federated_averaging(model, data, shares, device=bench.device, seed=seed, **settings):
            path.append(round(100 * state.accuracy, 2))
            if target is not None and state.accuracy >= target:
                break
    except FloatingPointError:
        failed = {"diverged": state.number + 1}
    reached = state.number if target is not None and state.accuracy >= target else 0
    return {
        "reached": reached,
        "accuracy": 100 * state.accuracy,
        "MB up": state.bytes_up / 1e6,
        "MB down": state.bytes_down / 1e6,
        "path": path,
        **failed,
    }


def rounds_row(split: str, epochs: int, most: int, results: list[Result]) -> Row:
    """Means over the seeds; where the target was not reached, after how many rounds the training ended."""
    if all(r["reached"] for r in results):
        number = spread([r["reached"] for r in results], ".0f")
    else:
        number = f"over {most} ({spread([max(r['path']) for r in results], '.2f')} % at best)"
    sent = [spread([r[way] for r in results], ".0f") for way in ("MB up", "MB down")]
    seconds = spread([r["seconds"] for r in results], ".0f")
    return Row(["measured", split, f"{epochs}", number, *sent, seconds], results)


def bits_row(result: Result) -> Row:
    """One training."""
    up, down = result["MB up"], result["MB down"]
    cells = [
        f"{result.settings['bits_up']}",
        f"{result.settings['bits_down']}",
        f"diverged in round {result['diverged']}" if "diverged" in result else f"{result['accuracy']:.2f}",
        f"{up:.1f}",
        f"{down:.1f}",
        f"{up + down:.1f}",
        f"{result['seconds']:.0f}",
    ]
    return Row(cells, [result])


def about(bench: Workbench) -> str:
    """What was trained, on what."""
    data: Dataset = bench.dataset("mnist")
    network = "-".join(str(n) for n in (data.features, *HIDDEN, data.classes))
    text = (
        f"{data}. A perceptron {network} on {CLIENTS} clients, {FRACTION:.0%} of them in each round, batches of "
        f"{BATCH}, plain gradient steps of {LR['even']:g} (even) and {LR['sorted']:g} (sorted); weights are sent at 32 "
        "bits. *Even*: each client has rows of all classes. *Sorted*: the rows are sorted by class, and each client "
        f"gets two pieces. The network is tested after each round. Even splits with "
        f"{plural(len(bench.seeds), 'seed')}, sorted ones with one."
    )
    published = "Published: table 1 of the paper, which has one local epoch, and a step chosen anew for each row."
    return f"{text} {published}" if bench.full else text


def rounds_remark(bench: Workbench, trainings: dict[tuple[str, int], list[Result]]) -> str:
    """How far from the published rounds, and what more local epochs buy."""
    mean = {
        setting: mean_of(results, "reached")
        for setting, results in trainings.items()
        if all(r["reached"] for r in results)
    }
    parts = []
    for (split, epochs), paper in FEDERATED.items():
        if bench.full and (split, epochs) in mean:
            average = mean[split, epochs]
            parts.append(
                f"**{split.capitalize()}: {average:.0f} rounds, where {paper} are published ({average / paper:.2f}x).**"
            )
    parts += [
        f"{split.capitalize()}: five local epochs take {mean[split, 5]:.0f} rounds in place of {mean[split, 1]:.0f}, "
        f"and so {mean[split, 5] / mean[split, 1]:.0%} of the bytes."
        for split in SPLITS
        if (split, 1) in mean and (split, 5) in mean
    ]
    missed = [f"{split}, {epochs} local" for split, epochs in trainings if (split, epochs) not in mean]
    if missed:
        parts.append(f"The target was not reached in the rounds allowed: {'; '.join(missed)}.")
    return " ".join(parts)


def bits_remark(results: list[Result]) -> str:
    """The fewest megabytes whose accuracy is within half a point of that at 32 bits."""
    full = next(r for r in results if r.settings["bits_up"] == r.settings["bits_down"] == 32)
    near = [r for r in results if "diverged" not in r and r["accuracy"] >= full["accuracy"] - 0.5]
    smallest = min(near, key=lambda r: r["MB up"] + r["MB down"])
    before, after = (r["MB up"] + r["MB down"] for r in (full, smallest))
    failed = [f"{r.settings['bits_up']} up and {r.settings['bits_down']} down" for r in results if "diverged" in r]
    lost = f" With {' and with '.join(failed)} the weights grew beyond all bounds." if failed else ""
    chosen = f"{smallest.settings['bits_up']} bits up and {smallest.settings['bits_down']} down"
    return (
        f"**With {chosen} {after:.0f} MB are sent in place of {before:.0f} ({before / after:.1f} times fewer), at "
        f"{smallest['accuracy']:.2f} % in place of {full['accuracy']:.2f} %**: the fewest whose accuracy is at most "
        f"half a point lower.{lost}"
    )


def draw_rounds(figure: Any, *, trainings: dict[tuple[str, int], list[Result]], target: float) -> None:
    """The accuracy of the first seed, round by round."""
    axes = figure.subplots()
    for number, ((split, epochs), results) in enumerate(trainings.items()):
        axes.plot(
            results[0]["path"],
            color=list(COLOURS.values())[number],
            linestyle=LINE_STYLES[number],
            linewidth=1.4,
            label=f"{split}, {plural(epochs, 'local epoch')}",
        )
    axes.axhline(100 * target, color=COLOURS["grey"], linewidth=1)
    axes.set(xlabel="round", ylabel="test accuracy (%)", ylim=(70, 100), xscale="symlog", title="Rounds")
    axes.set_xlim(0, None)
    axes.legend()


def draw_bits(figure: Any, *, results: list[Result]) -> None:
    """Accuracy against megabytes, with the bits up and down beside each dot."""
    axes = figure.subplots()
    for number, down in enumerate(sorted({r.settings["bits_down"] for r in results}, reverse=True)):
        stable = [r for r in results if r.settings["bits_down"] == down and "diverged" not in r]
        megabytes = [r["MB up"] + r["MB down"] for r in stable]
        axes.plot(
            megabytes,
            [r["accuracy"] for r in stable],
            color=list(COLOURS.values())[number],
            marker=MARKERS[number],
            linestyle="none",
            label=f"{down} bits down",
        )
        for result, x in zip(stable, megabytes, strict=True):
            place = (x, result["accuracy"])
            axes.annotate(f"{result.settings['bits_up']} up", place, (5, 5), textcoords="offset points", fontsize=10)
    axes.set(xlabel="megabytes sent", ylabel="test accuracy (%)", xlim=(0, None), title="Bits")
    axes.legend(loc="lower right")
