"""Deep Compression's tables 2 and 3 and figure 6 (Han, Mao, Dally 2015), measured on files on disk.

Both LeNets by the published recipe and by the best one known here, several seeds; what each step of the best one buys;
pruning, sharing, both and SVD beside each other; and ResNet-20 without any training.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from course_utils._support.words import plural
from course_utils.coding.container import save
from course_utils.compress import CompressedModel, Recipe, compress
from course_utils.data import DataError, Dataset
from course_utils.data.augment import random_affine
from course_utils.methods.lowrank import low_rank_layer
from course_utils.models import lenet5, lenet_300_100, resnet20
from course_utils.plots import LINE_STYLES, MARKERS
from course_utils.tables.measured import Claim
from course_utils.tables.published import DEEP_COMPRESSION
from course_utils.tables.workbench import Result, Row, Section, Workbench, percent, spread

__all__ = ["SECTION", "SEEDS", "TITLE", "best", "published", "run"]

TITLE = "Deep Compression"
SECTION = "07"
SEEDS = 3  # of the files; the frontier, what each step buys and figure 6 have the first one

NETWORKS: dict[str, Callable[[], nn.Module]] = {"lenet_300_100": lenet_300_100, "lenet5": lenet5}
TITLES = {"lenet_300_100": "LeNet-300-100", "lenet5": "LeNet-5"}
# How the networks that are compressed were trained.
DENSE: dict[str, dict[str, Any]] = {
    "lenet_300_100": {"epochs": 20, "optimizer": "sgd", "lr": 0.1, "batch_size": 64, "weight_decay": 5e-4},
    "lenet5": {"epochs": 8, "weight_decay": 1e-4},
}
# Shares pruned beyond those of the best recipes, for the frontier.
FEWER = {"lenet_300_100": (0.991, 0.9925), "lenet5": (0.9915, 0.9935, 0.9955)}
# Figure 6: shares of weights kept, bits of a shared value, ranks of the SVD.
DENSITIES = {"full": (0.3, 0.15, 0.08, 0.05, 0.03, 0.02), "quick": (0.15, 0.05, 0.02)}
BITS = {"full": (6, 5, 4, 3, 2, 1), "quick": (5, 3, 1)}
RANKS = {"full": (60, 40, 25, 15, 10, 6), "quick": (40, 15, 6)}
RESNET_BITS = {"full": (8, 7, 6, 5, 4, 3, 2), "quick": (6, 4, 2)}
TEACHER = 24  # epochs of the teacher, on augmented images
FEW = 10_000  # training rows of the quick level
MILD = {"degrees": 6.0, "shift": 1.0, "stretch": 0.06}


def published(bench: Workbench) -> dict[str, Recipe]:
    """The paper's recipe: magnitude pruning layer by layer to the paper's shares, retrained; k-means; Huffman.

    Biases, which the paper does not count, and codebooks are float16.
    """
    han = Recipe(rounds=3, init="linear", entropy="huffman", dense="float16", lr=1e-3, share_lr=1e-4)
    return {
        "lenet_300_100": replace(
            han,
            prune={"1": 0.92, "3": 0.91, "5": 0.74},
            prune_epochs=bench.epochs(12),
            levels={"1": 64, "3": 64, "5": 64},
            share_epochs=bench.epochs(6),
        ),
        "lenet5": replace(
            han,
            prune={"0": 0.34, "2": 0.88, "5": 0.92, "7": 0.81},
            prune_epochs=bench.epochs(4),
            levels={"0": 256, "2": 256, "5": 32, "7": 32},
            share_epochs=bench.epochs(2),
        ),
    }


def best(bench: Workbench) -> dict[str, Recipe]:
    """The smallest files known here at the paper's errors; every number was chosen on held-out training rows."""
    common: dict[str, Any] = {
        "gradual": True,
        "freezing": True,
        "copies": 7 if bench.level == "full" else 1,
        "augment": MILD,
        "alpha": 0.9,
        "temperature": 1.5,
        "bias_step": 0.125,
        "entropy": "mixed",
    }
    return {
        "lenet_300_100": Recipe(
            **common,
            prune=0.9895,
            lonely=2.0,
            levels=7,
            prune_epochs=bench.epochs(24),
            share_epochs=bench.epochs(12),
            lr=3e-3,
            share_lr=5e-4,
        ),
        "lenet5": Recipe(
            **common,
            units={"0": 8, "2": 20, "5": 64},
            prune=0.989,
            lonely=2.0,
            levels=8,
            prune_epochs=bench.epochs(8),
            share_epochs=bench.epochs(4),
            lr=2e-3,
            share_lr=1e-3,
        ),
    }


def run(bench: Workbench) -> Iterator[Section]:
    """The whole table; each part as soon as it is measured."""
    data = digits(bench)
    errors = "Errors on rows held out of the training part." if bench.validate else "Errors on the test part."
    # The networks that all recipes begin with, before two processes want the same one at the same time.
    names = (*NETWORKS, "teacher")
    dense = bench.sweep(trained, [training(bench, name, seed) for name in names for seed in seeds_of(bench, name)])
    titled = {
        title: {name: point(bench, name, title, recipes[name]) for name in NETWORKS}
        for title, recipes in recipes_of(bench).items()
    }
    compressions: list[Result] = []
    for points in titled.values():  # one recipe after the other: the second takes the networks of the first
        compressions += bench.sweep(compressed, [p | {"seed": seed} for seed in bench.seeds for p in points.values()])
    yield files(compressions, dense, f"{data}. {errors}")
    for name in NETWORKS:
        for title in titled:
            results = [r for r in compressions if r.settings["network"] == name and r.settings["title"] == title]
            yield summary(name, title, results, f"{data}. {errors}")
    yield frontier(bench)
    yield ablation(bench)
    yield figure6(bench)
    yield after_training(bench)


def recipes_of(bench: Workbench) -> dict[str, dict[str, Recipe]]:
    """The recipes by their titles, for both networks."""
    han = published(bench)
    # Of the same network, nothing is trained again; biases go into the stream, as multiples of 1/64.
    mixed = {name: replace(recipe, entropy="mixed", bias_step=1 / 64) for name, recipe in han.items()}
    return {"published recipe": han, "published recipe, mixed contexts": mixed, "best recipe": best(bench)}


def seeds_of(bench: Workbench, name: str) -> Sequence[int]:
    """One teacher is enough."""
    return [0] if name == "teacher" else bench.seeds


def digits(bench: Workbench) -> Dataset:
    """MNIST; for the quick level a part of its training rows."""
    data = bench.dataset("mnist")
    if bench.full or len(data.y_train) <= FEW:
        return data
    return replace(data.subset(FEW), note=f"{FEW:,} of {len(data.y_train):,} training rows")


def training(bench: Workbench, name: str, seed: int) -> dict[str, Any]:
    """The settings of a dense network."""
    return {"network": name, "seed": seed, "training": training_of(bench, name)}


def training_of(bench: Workbench, name: str) -> dict[str, Any]:
    """How a dense network is trained, and on how many rows where they are not all."""
    settings = DENSE.get(name, {"epochs": TEACHER})
    rows = {} if bench.full else {"rows": FEW}
    return settings | {"epochs": bench.epochs(settings["epochs"])} | rows


def trained(bench: Workbench, *, network: str, seed: int, training: dict[str, Any]) -> dict[str, Any]:
    """The test error of a dense network."""
    model = teacher_network(bench) if network == "teacher" else dense_network(bench, network, seed)
    return {"error": percent(model, digits(bench))}


def point(bench: Workbench, name: str, title: str, recipe: Recipe, *, teacher: bool | None = None) -> dict[str, Any]:
    """The settings of one file; they hold the training of the networks that it comes from, too."""
    taught = recipe.gradual if teacher is None else teacher
    teacher_epochs = training_of(bench, "teacher")["epochs"] if taught else None
    origin = {"dense": training_of(bench, name), "teacher": teacher_epochs}
    return {"network": name, "title": title, "recipe": recipe.spelled(), "origin": origin, "seed": bench.seeds[0]}


def compressed(
    bench: Workbench, *, network: str, title: str, recipe: dict[str, Any], origin: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Compress one network by one recipe, write the file, and read it back to test it."""
    data = digits(bench)
    dense = dense_network(bench, network, seed)
    small = compress(
        dense,
        Recipe(**recipe),
        data=data,
        teacher=teacher_network(bench) if origin["teacher"] else None,
        seed=seed,
        device=bench.device,
        checkpoint=bench.folder / f"{network}-state{'-validate' if bench.validate else ''}",
        progress=bench.progress,
    )
    stem = f"{network}-{re.sub('[^a-z0-9]+', '-', title)}-{seed}"
    file = bench.place(stem, [recipe, origin]).with_suffix(".cun")
    size = small.save(file)
    again = CompressedModel.load(file)
    report = again.report()
    return {
        "bytes": size,
        "ratio": report.ratio,
        "error": percent(again.to_model(), data),
        "dense error": percent(dense, data),
        "rows": [list(layer.cells) for layer in report.layers],
        "total": list(report.total),
        "by kind": report.by_kind,
        "file": file.name,
    }


def dense_network(bench: Workbench, name: str, seed: int) -> nn.Module:
    """The network that is compressed, trained as usual."""
    settings = DENSE[name] | {"epochs": bench.epochs(DENSE[name]["epochs"])}
    data = digits(bench)
    return bench.trained(f"dense-{name}", NETWORKS[name], data, seed=seed, **settings)


def teacher_network(bench: Workbench) -> nn.Module:
    """A dense LeNet-5 that was trained on images that are augmented anew in each epoch."""

    def augmented() -> nn.Module:
        return nn.Sequential(Augmented(), lenet5())

    data = digits(bench)
    epochs = bench.epochs(TEACHER)
    return bench.trained("teacher", augmented, data, seed=0, epochs=epochs)[1]  # type: ignore[index]


class Augmented(nn.Module):
    """Rotates and shifts its inputs in training mode."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The images, or others like them."""
        return random_affine(x, degrees=12, shift=2.5, stretch=0.12) if self.training else x


def files(compressions: Sequence[Result], trainings: Sequence[Result], text: str) -> Section:
    """Bytes and errors of both networks under each recipe, over the seeds; they come from `trainings`, too."""
    rows: list[Row] = []
    for name, paper in DEEP_COMPRESSION.items():
        error, ratio = paper["errors"][1], paper["ratio"]  # type: ignore[index]
        rows.append(Row([f"{TITLES[name]}, published", "", f"{ratio}", f"{error:.2f}", f"{paper['errors'][0]:.2f}"]))  # type: ignore[index]
        of_network = [r for r in compressions if r.settings["network"] == name]
        for title in dict.fromkeys(r.settings["title"] for r in of_network):
            results = [r for r in of_network if r.settings["title"] == title]
            sizes, ratios, errors, dense = (
                [r[key] for r in results] for key in ("bytes", "ratio", "error", "dense error")
            )
            cells = [spread(sizes, ",.0f"), spread(ratios, ".1f"), spread(errors), spread(dense)]
            taught = ["teacher"] if results[0].settings["origin"]["teacher"] else []
            before = [r for r in trainings if r.settings["network"] in (name, *taught)]
            rows.append(Row([f"{TITLES[name]}, {title}", *cells], [*results, *before]))
    seeds = plural(len({r.settings["seed"] for r in compressions}), "seed")
    return Section(
        "Bytes of files and errors",
        ["network, recipe", "bytes", "times smaller", "error %", "dense error %"],
        rows,
        text=f"{text} {seeds}. Every byte of a file counts; the paper does not count biases.",
        name="files",
        claims=list(claims(compressions)),
    )


def claims(compressions: Sequence[Result]) -> Iterator[Claim]:
    """The published bytes and errors beside those of the paper's recipe and of the best one."""
    for title, short in {"published recipe": "paper's recipe", "best recipe": "best recipe"}.items():
        for name, paper in DEEP_COMPRESSION.items():
            results = [r for r in compressions if (r.settings["network"], r.settings["title"]) == (name, title)]
            share = [100 / r["ratio"] for r in results]
            rate, error = paper["rows"][-1][-1].removesuffix(" %"), f"{paper['errors'][1]:.2f}"  # type: ignore[index]
            what = f"{TITLES[name]}, {short}"
            yield Claim(f"{what}: bytes", "% of the dense bytes", rate, share, 0.0, results)
            yield Claim(f"{what}: error", "test error (%)", error, [r["error"] for r in results], 0.0, results)


def summary(name: str, title: str, results: Sequence[Result], text: str) -> Section:
    """The paper's table with the first seed's file above it, and the figures over all seeds."""
    paper: Mapping[str, Any] = DEEP_COMPRESSION[name]
    before, after = paper["errors"]
    first = results[0]
    rows = [Row(cells, [first]) for cells in (*first["rows"], first["total"])]
    if len(results) > 1:
        rate = spread([100 / r["ratio"] for r in results], ".3f")
        rows.append(Row([f"all {len(results)} files", *[""] * (len(rows[0].cells) - 2), f"{rate}%"], results))
    kinds = ", ".join(f"{kind} {n:,.0f}" for kind, n in first["by kind"].items())
    sizes, ratios, errors, dense = ([r[key] for r in results] for key in ("bytes", "ratio", "error", "dense error"))
    over = f"Over {len(results)} seeds" if len(results) > 1 else "One seed"
    return Section(
        f"{TITLES[name]}, {title}",
        ["layer", "weights", "kept", "bits P+Q", "P+Q+H", "index P+Q", "P+Q+H", "rate P+Q", "P+Q+H"],
        [*rows, *(Row((f"published: {cells[0]}", *cells[1:])) for cells in paper["rows"])],
        text=f"{text} Layers and whole file are those of the first seed.",
        remark=(
            f"Bytes of the first file: {kinds}. {over}: "
            f"**{spread(sizes, ',.0f')} bytes, {spread(ratios, '.1f')} times smaller, test error {spread(errors)} %**, "
            f"dense {spread(dense)} %. Published (Han et al. 2015): {paper['ratio']} times smaller, {after:.2f} %, "
            f"dense {before:.2f} %."
        ),
        name=f"{name}-{re.sub('[^a-z0-9]+', '-', title)}",
    )


def frontier(bench: Workbench) -> Section:
    """The best recipes with fewer weights left, from file to file."""
    points = []
    for name, shares in FEWER.items():
        recipe = best(bench)[name]
        points += [point(bench, name, "best recipe", replace(recipe, prune=share)) for share in (recipe.prune, *shares)]
    rows = [
        Row(
            [
                TITLES[r.settings["network"]],
                f"{1 - r.settings['recipe']['prune']:.2%}",
                f"{r['error']:.2f}",
                f"{r['bytes']:,}",
                f"{r['ratio']:.1f}",
            ],
            [r],
        )
        for r in bench.sweep(compressed, points)
    ]
    head = ["", "weights left", "error %", "bytes", "ratio"]
    return Section("How far the best recipe goes: bytes against error", head, rows, text="One seed.", name="frontier")


def ablation(bench: Workbench) -> Section:
    """The best recipe without one of its steps at a time."""
    recipe = best(bench)["lenet_300_100"]
    as_long = recipe.copies + 1  # without copies an epoch has fewer steps
    rounds = replace(recipe, gradual=False, rounds=recipe.prune_epochs, prune_epochs=1)
    unmoved = replace(
        recipe, copies=0, prune_epochs=recipe.prune_epochs * as_long, share_epochs=recipe.share_epochs * as_long
    )
    variants: dict[str, tuple[Recipe, bool]] = {
        "best recipe": (recipe, True),
        "without augmentation": (unmoved, True),
        "without a teacher": (recipe, False),
        "pruned in rounds by magnitude": (rounds, True),
        "bits of a weight not counted": (replace(recipe, lonely=0.0), True),
        "k-means and centroids, no freezing": (replace(recipe, freezing=False, init="exact"), True),
        "biases as float32": (replace(recipe, bias_step=None), True),
        "Huffman and gaps": (replace(recipe, entropy="huffman"), True),
        "ANS, rows and columns": (replace(recipe, entropy="ans"), True),
    }
    points = [
        point(bench, "lenet_300_100", "best recipe", variant, teacher=teacher) for variant, teacher in variants.values()
    ]
    rows = [
        Row([title, f"{r['error']:.2f}", f"{r['bytes']:,}", f"{r['ratio']:.1f}"], [r])
        for title, r in zip(variants, bench.sweep(compressed, points), strict=True)
    ]
    return Section(
        "What each step buys: LeNet-300-100, best recipe",
        ["", "error %", "bytes", "ratio"],
        rows,
        text="One seed: differences of the error below 0.2 % mean little.",
        name="ablation",
    )


def figure6(bench: Workbench) -> Section:
    """Accuracy against bytes for pruning alone, sharing alone, both, and SVD."""
    base = Recipe(lr=1e-3, share_lr=1e-4, init="linear", prune_epochs=bench.epochs(12), share_epochs=bench.epochs(6))
    densities = DENSITIES[bench.level]
    series: dict[str, list[Recipe]] = {
        "pruning": [replace(base, prune=1 - k) for k in densities],
        "sharing": [replace(base, levels=2**b) for b in BITS[bench.level]],
        "pruning and sharing": [replace(base, prune=1 - k, levels=32) for k in densities],
    }
    points = [
        point(bench, "lenet_300_100", f"figure 6 {title}", recipe)
        for title, recipes in series.items()
        for recipe in recipes
    ]
    compressions: dict[str, list[Result]] = {title: [] for title in series}
    for result in bench.sweep(compressed, points):
        compressions[result.settings["title"].removeprefix("figure 6 ")].append(result)
    epochs = bench.epochs(12)
    compressions["SVD"] = bench.sweep(
        factored, [{"rank": rank, "epochs": epochs, "seed": bench.seeds[0]} for rank in RANKS[bench.level]]
    )
    rows = [
        Row([title, f"{r['bytes']:,}", f"{1 / r['ratio']:.2%}", f"{r['error']:.2f}"], [r])
        for title, results in compressions.items()
        for r in results
    ]
    return Section(
        "Figure 6: LeNet-300-100, each method alone and together",
        ["", "bytes", "share of the dense bytes", "error %"],
        rows,
        text="One seed. The lecture's figure 6 prints no numbers to compare with.",
        draw=partial(draw, compressions=compressions),
        name="figure-6",
    )


def factored(bench: Workbench, *, rank: int, epochs: int, seed: int) -> dict[str, Any]:
    """Both large layers as products of two matrices of this rank, trained again, written as float32."""
    data = digits(bench)
    dense = dense_network(bench, "lenet_300_100", seed)

    def thin() -> nn.Module:
        return nn.Sequential(
            *(
                low_rank_layer(layer, rank=rank)
                if isinstance(layer, nn.Linear) and min(layer.weight.shape) > rank
                else layer
                for layer in dense.children()
            )
        )

    model = bench.trained(f"svd-{rank}", thin, data, seed=seed, epochs=epochs)
    file = bench.place(f"svd-{rank}", [seed, epochs, DENSE["lenet_300_100"]]).with_suffix(".cun")
    size = save(file, {name: value.numpy() for name, value in model.state_dict().items()})
    dense_bytes = 4 * sum(p.numel() for p in dense.parameters())
    return {"bytes": size, "ratio": dense_bytes / size, "error": percent(model, data), "file": file.name}


def after_training(bench: Workbench) -> Section:
    """Bits against accuracy and bytes for the pretrained ResNet-20: k-means of each layer, and nothing else."""
    title = "ResNet-20 on CIFAR-10 images, without any training"
    head = ["levels", "bits", "error %", "bytes, Huffman", "bytes, ANS", "ratio, ANS"]
    try:
        resnet20(pretrained=True)
        data = bench.dataset("cifar10")
    except DataError as error:
        return Section(title, head, [], text=f"Not measured: {error}", name="resnet20", missing=str(error))
    results = bench.sweep(shared, [{"bits": bits} for bits in RESNET_BITS[bench.level]])
    rows = [
        Row(
            [
                str(2 ** r.settings["bits"]),
                str(r.settings["bits"]),
                f"{r['error']:.2f}",
                *(f"{r[entropy]:,}" for entropy in ("huffman", "ans")),
                f"{r['ratio']:.1f}",
            ],
            [r],
        )
        for r in results
    ]
    dense = results[0]["dense error"]
    return Section(title, head, rows, text=f"{data}; dense error {dense:.2f} %.", name="resnet20")


def shared(bench: Workbench, *, bits: int) -> dict[str, Any]:
    """The network with 2^bits values in each layer, and its bytes under both coders."""
    model, data = resnet20(pretrained=True), images(bench)
    result: dict[str, Any] = {"dense error": percent(model, data)}
    for entropy in ("huffman", "ans"):
        recipe = Recipe(levels=2**bits, init="exact", entropy=entropy, dense="float16")
        small = compress(model, recipe, progress=False)
        report = small.report()
        result |= {entropy: report.size, "ratio": report.ratio}
    return result | {"error": percent(small.to_model(), data)}


def images(bench: Workbench) -> Dataset:
    """Test images of CIFAR-10; a sample has no others, so nothing is held out."""
    return replace(bench, validate=False).dataset("cifar10")


def draw(figure: Any, compressions: Mapping[str, Sequence[Result]]) -> None:
    """Error against bytes, a line for each method."""
    axes = figure.subplots()
    for number, (name, results) in enumerate(compressions.items()):
        size = [100 / r["ratio"] for r in results]
        errors = [r["error"] for r in results]
        axes.plot(size, errors, marker=MARKERS[number], linestyle=LINE_STYLES[number], label=name)
    axes.set(xscale="log", xlabel="bytes of the file, % of the dense float32 bytes", ylabel="test error (%)")
    axes.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    axes.minorticks_off()
    # Errors above five times the lowest lie outside, so that the others can be distinguished.
    lowest = min(r["error"] for results in compressions.values() for r in results)
    axes.set_ylim(0, 5 * max(lowest, 1.0))
    axes.legend()
