"""Deep Compression's tables 2 and 3 and figure 6 (Han, Mao, Dally 2015), measured on files that lie on the disk.

Both LeNets by the published recipe and by the best one known here, several seeds; what each step of the best one buys;
pruning, sharing, both and SVD beside each other; and ResNet-20 without any training.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from course_utils.augment import random_affine
from course_utils.compress import CompressedModel, Recipe, compress
from course_utils.container import save
from course_utils.data import DataError, Dataset
from course_utils.lowrank import low_rank_layer
from course_utils.models import lenet5, lenet_300_100, resnet20
from course_utils.tables.published import DEEP_COMPRESSION
from course_utils.tables.workbench import Workbench, columns, spread
from course_utils.train import evaluate

__all__ = ["best", "published", "run"]

NETWORKS: dict[str, Callable[[], nn.Module]] = {"lenet_300_100": lenet_300_100, "lenet5": lenet5}
TITLES = {"lenet_300_100": "LeNet-300-100", "lenet5": "LeNet-5"}
# How the networks that are compressed were trained.
DENSE: dict[str, dict[str, Any]] = {
    "lenet_300_100": {"epochs": 20, "optimizer": "sgd", "lr": 0.1, "batch_size": 64, "weight_decay": 5e-4},
    "lenet5": {"epochs": 8, "weight_decay": 1e-4},
}
# Shares pruned beyond those of the best recipes, for the frontier.
FEWER = {"lenet_300_100": (0.991, 0.9925), "lenet5": (0.9915, 0.9935, 0.9955)}
TEACHER = 24  # epochs of the teacher, on augmented images
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
    ours: dict[str, Any] = {
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
            **ours,
            prune=0.9895,
            lonely=2.0,
            levels=7,
            prune_epochs=bench.epochs(24),
            share_epochs=bench.epochs(12),
            lr=3e-3,
            share_lr=5e-4,
        ),
        "lenet5": Recipe(
            **ours,
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


def run(bench: Workbench) -> Iterator[str]:
    """The whole table, line by line; each part as soon as it is measured."""
    data = bench.dataset("mnist")
    yield f"# Deep Compression, {data}, level {bench.level}"
    yield "Errors on rows held out of the training part." if bench.validate else "Errors on the test part."
    for name in NETWORKS:
        han, ours = published(bench)[name], best(bench)[name]
        # Of the same network, nothing is trained again; biases go into the stream, as multiples of 1/64.
        mixed = replace(han, entropy="mixed", bias_step=1 / 64)
        for title, recipe in (
            ("published recipe", han),
            ("published recipe, mixed contexts", mixed),
            ("best recipe", ours),
        ):
            yield f"\n## {TITLES[name]}, {title}"
            results = [compressed(bench, name, title, recipe, seed=seed) for seed in bench.seeds]
            yield from summary(name, results)
    yield "\n## How far the best recipe goes: bytes against error, one seed"
    yield from frontier(bench)
    yield "\n## What each step buys: LeNet-300-100, best recipe, one seed"
    yield from ablation(bench)
    yield "\n## Figure 6: LeNet-300-100, each method alone and together, one seed"
    yield from figure6(bench)
    yield "\n## ResNet-20 on CIFAR-10 images, without any training"
    yield from after_training(bench)


def compressed(
    bench: Workbench, name: str, title: str, recipe: Recipe, *, seed: int, teacher: bool | None = None
) -> dict[str, Any]:
    """Compress one network by one recipe, write the file, and read it back to test it."""
    taught = recipe.gradual if teacher is None else teacher

    def make(path: Path) -> dict[str, Any]:
        data = bench.dataset("mnist")
        dense = dense_network(bench, name, seed)
        small = compress(
            dense,
            recipe,
            data=data,
            teacher=teacher_network(bench) if taught else None,
            seed=seed,
            device=bench.device,
            checkpoint=bench.folder / f"{name}-state{'-validate' if bench.validate else ''}",
            progress=bench.progress,
        )
        file = path.with_name(path.name + ".cun")
        size = small.save(file)
        again = CompressedModel.load(file)
        report = again.report()
        return {
            "bytes": size,
            "ratio": report.ratio,
            "error": percent(again.to_model(), data),
            "dense error": percent(dense, data),
            "report": str(report),
            "rows": [layer.cells for layer in report.layers],
            "total": report.total,
            "by kind": report.by_kind,
        }

    # A result belongs to the networks that it came from, too: with another training it is measured again.
    origin = {"seed": seed, "network": DENSE[name], "teacher": TEACHER if taught else None}
    return bench.measure(f"{name}-{re.sub('[^a-z0-9]+', '-', title)}-{seed}", [recipe.spelled(), origin], make)


def dense_network(bench: Workbench, name: str, seed: int) -> nn.Module:
    """The network that is compressed, trained as usual."""
    settings = DENSE[name] | {"epochs": bench.epochs(DENSE[name]["epochs"])}
    data = bench.dataset("mnist")
    return bench.trained(f"dense-{name}", NETWORKS[name], data, seed=seed, schedule="cosine", **settings)


def teacher_network(bench: Workbench) -> nn.Module:
    """A dense LeNet-5 that was trained on images which are drawn anew in each epoch."""

    def turned() -> nn.Module:
        return nn.Sequential(Augmented(), lenet5())

    data = bench.dataset("mnist")
    epochs = bench.epochs(TEACHER)
    return bench.trained("teacher", turned, data, seed=0, epochs=epochs, schedule="cosine")[1]  # type: ignore[index]


class Augmented(nn.Module):
    """Turns and moves its inputs in training mode."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The images, or others like them."""
        return random_affine(x, degrees=12, shift=2.5, stretch=0.12) if self.training else x


def percent(model: nn.Module, data: Dataset) -> float:
    """The test error in percent."""
    return 100 - 100 * evaluate(model, data).accuracy


def summary(name: str, results: list[dict[str, Any]]) -> Iterator[str]:
    """The table of the first seed above the paper's, and the figures over all seeds."""
    paper: Mapping[str, Any] = DEEP_COMPRESSION[name]
    head = ["layer", "weights", "kept", "bits P+Q", "P+Q+H", "index P+Q", "P+Q+H", "rate P+Q", "P+Q+H"]
    yield "measured, first seed:"
    yield from columns([head, *results[0]["rows"], results[0]["total"]])
    yield "published (Han et al. 2015):"
    yield from columns([head, *paper["rows"]])
    before, after = paper["errors"]
    dense, errors, sizes, ratios = (
        [result[key] for result in results] for key in ("dense error", "error", "bytes", "ratio")
    )
    kinds = ", ".join(f"{kind} {n:,.0f}" for kind, n in results[0]["by kind"].items())
    yield f"bytes of the first file: {kinds}"
    yield from columns(
        [
            ["", "dense error %", "error %", "bytes", "ratio", "seconds"],
            [
                f"measured, {len(results)} seeds",
                spread(dense),
                spread(errors),
                spread(sizes, ",.0f"),
                spread(ratios, ".1f"),
                spread([result["seconds"] for result in results], ".0f"),
            ],
            ["published", f"{before:.2f}", f"{after:.2f}", "", f"{paper['ratio']}", ""],
        ]
    )


def frontier(bench: Workbench) -> Iterator[str]:
    """The best recipes with fewer weights left, from file to file."""
    rows = [["", "weights left", "error %", "bytes", "ratio"]]
    for name, shares in FEWER.items():
        recipe = best(bench)[name]
        for share in (recipe.prune, *shares):
            result = compressed(bench, name, "best recipe", replace(recipe, prune=share), seed=bench.seeds[0])
            cells = [f"{result['error']:.2f}", f"{result['bytes']:,}", f"{result['ratio']:.1f}"]
            rows.append([TITLES[name], f"{1 - share:.2%}", *cells])  # type: ignore[operator]
    yield from columns(rows)


def ablation(bench: Workbench) -> Iterator[str]:
    """The best recipe without one of its steps at a time."""
    recipe = best(bench)["lenet_300_100"]
    rounds = replace(recipe, gradual=False, rounds=recipe.prune_epochs, prune_epochs=1)
    variants: dict[str, tuple[Recipe, bool]] = {
        "best recipe": (recipe, True),
        "without augmentation": (
            replace(
                recipe,
                copies=0,
                prune_epochs=recipe.prune_epochs * (recipe.copies + 1),
                share_epochs=recipe.share_epochs * (recipe.copies + 1),
            ),
            True,
        ),
        "without a teacher": (recipe, False),
        "pruned in rounds by magnitude": (rounds, True),
        "bits of a weight not counted": (replace(recipe, lonely=0.0), True),
        "k-means and centroids, no freezing": (replace(recipe, freezing=False, init="exact"), True),
        "biases as float32": (replace(recipe, bias_step=None), True),
        "Huffman and gaps": (replace(recipe, entropy="huffman"), True),
        "ANS, rows and columns": (replace(recipe, entropy="ans"), True),
    }
    rows = [["", "error %", "bytes", "ratio"]]
    for title, (variant, teacher) in variants.items():
        result = compressed(bench, "lenet_300_100", "best recipe", variant, seed=bench.seeds[0], teacher=teacher)
        rows.append([title, f"{result['error']:.2f}", f"{result['bytes']:,}", f"{result['ratio']:.1f}"])
    yield from columns(rows)


def figure6(bench: Workbench) -> Iterator[str]:
    """Accuracy against bytes for pruning alone, sharing alone, both, and SVD."""
    base = Recipe(lr=1e-3, share_lr=1e-4, init="linear", prune_epochs=bench.epochs(12), share_epochs=bench.epochs(6))
    kept = (0.3, 0.15, 0.08, 0.05, 0.03, 0.02)
    series: dict[str, list[Recipe]] = {
        "pruning": [replace(base, prune=1 - k) for k in kept],
        "sharing": [replace(base, levels=2**b) for b in (6, 5, 4, 3, 2, 1)],
        "pruning and sharing": [replace(base, prune=1 - k, levels=32) for k in kept],
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for title, recipes in series.items():
        found[title] = [
            compressed(bench, "lenet_300_100", f"figure 6 {title}", recipe, seed=bench.seeds[0]) for recipe in recipes
        ]
    found["SVD"] = [factored(bench, rank) for rank in (60, 40, 25, 15, 10, 6)]
    rows = [["", "bytes", "share of the dense bytes", "error %"]]
    for title, results in found.items():
        rows += [[title, f"{r['bytes']:,}", f"{1 / r['ratio']:.2%}", f"{r['error']:.2f}"] for r in results]
    yield from columns(rows)
    path = draw(
        bench.folder / f"figure6-{bench.level}.png", found, "test error (%)", "Figure 6 on files: LeNet-300-100"
    )
    yield f"drawn: {path}"


def factored(bench: Workbench, rank: int) -> dict[str, Any]:
    """Both large layers as products of two matrices of this rank, trained again, written as float32."""

    def make(path: Path) -> dict[str, Any]:
        data, seed = bench.dataset("mnist"), bench.seeds[0]
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

        model = bench.trained(f"svd-{rank}", thin, data, seed=seed, epochs=bench.epochs(12), schedule="cosine")
        file = path.with_name(path.name + ".cun")
        size = save(file, {name: value.numpy() for name, value in model.state_dict().items()})
        whole = 4 * sum(p.numel() for p in dense.parameters())
        return {"bytes": size, "ratio": whole / size, "error": percent(model, data)}

    return bench.measure(f"svd-{rank}", [rank, bench.seeds[0], DENSE["lenet_300_100"]], make)


def after_training(bench: Workbench) -> Iterator[str]:
    """Bits against accuracy and bytes for the pretrained ResNet-20: k-means of each layer, and nothing else."""
    try:
        model = resnet20(pretrained=True)
        data = bench.data.get("cifar10") or bench.dataset("cifar10")
    except DataError as error:
        yield f"not measured: {error}"
        return
    yield f"{data}; dense error {percent(model, data):.2f} %"
    rows = [["levels", "bits", "error %", "bytes, Huffman", "bytes, ANS", "ratio, ANS"]]
    for bits in (8, 7, 6, 5, 4, 3, 2):
        measured = partial(shared, model, data, bits)
        result = bench.measure(f"resnet20-{bits}", [bits, len(data.y_test)], measured)
        sizes = [f"{result[entropy]:,}" for entropy in ("huffman", "ans")]
        rows.append([str(2**bits), str(bits), f"{result['error']:.2f}", *sizes, f"{result['ratio']:.1f}"])
    yield from columns(rows)


def shared(model: nn.Module, data: Dataset, bits: int, _: Path) -> dict[str, Any]:
    """The network with 2^bits values in each layer, and its bytes under both coders."""
    result: dict[str, Any] = {}
    for entropy in ("huffman", "ans"):
        recipe = Recipe(levels=2**bits, init="exact", entropy=entropy, dense="float16")
        small = compress(model, recipe, progress=False)
        report = small.report()
        result |= {entropy: report.size, "ratio": report.ratio}
    return result | {"error": percent(small.to_model(), data)}


def draw(path: Path, found: Mapping[str, list[dict[str, Any]]], ylabel: str, title: str) -> Path:
    """Error against bytes, a line for each method."""
    import matplotlib
    from matplotlib.figure import Figure

    from course_utils.plots import LINE_STYLES, MARKERS, style

    with matplotlib.rc_context(style()):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for number, (name, results) in enumerate(found.items()):
            size = np.array([100 / r["ratio"] for r in results])
            axes.plot(
                size, [r["error"] for r in results], marker=MARKERS[number], linestyle=LINE_STYLES[number], label=name
            )
        axes.set(xscale="log", xlabel="bytes of the file, % of the dense float32 bytes", ylabel=ylabel, title=title)
        axes.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        axes.minorticks_off()
        # What is five times as bad as the best lies outside, so that the rest can be told apart.
        least = min(r["error"] for results in found.values() for r in results)
        axes.set_ylim(0, 5 * max(least, 1.0))
        axes.legend()
        figure.savefig(path, dpi=120)
    return path
