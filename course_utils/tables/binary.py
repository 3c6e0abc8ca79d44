"""Table 2 of BinaryConnect (Courbariaux, Bengio, David 2015, arXiv:1511.00363; lecture, section 06), its MNIST column.

One perceptron is trained plainly, with binary weights by the sign and stochastically, and with dropout; beside it
with ternary weights (Li, Zhang, Liu 2016) and with signs for the inputs of its layers as well (Courbariaux, Hubara et
al. 2016).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.methods.binarize import BinaryLinear, BNNLinear, TernaryLinear, clip_, square_hinge_loss
from course_utils.tables.measured import Claim
from course_utils.tables.published import BINARY
from course_utils.tables.workbench import Result, Row, Section, Workbench, mean_of, percent, spread
from course_utils.tables.workbench.fast_layers import FastDropout, InBfloat16

__all__ = ["SECTION", "SEEDS", "TITLE", "run"]

TITLE = "Binary networks"
SECTION = "06"
SEEDS = 3  # of the two networks that are compared: whether one is better than the other is the paper's claim

HIDDEN = {"full": 1024, "quick": 256}
QUICK = 6  # epochs of each training at the quick level
PAPER = 1000  # epochs
BATCH = 128
DOWN, ACROSS = 5, 4  # features in a picture
PART = 6000  # rows at once where statistics are taken


@dataclass(frozen=True)
class Kind:
    """A network of the table: its weights, how long and how fast it learns, and the bits of a weight in the test."""

    epochs: int
    lr: float
    bits: float = 32
    layer: Callable[..., nn.Linear] = nn.Linear
    dropout: float = 0.0
    binary_inputs: bool = False


# lr of the first three was chosen on some 8,000 held-out training rows, from two or three values a factor of 3 apart,
# with 10 epochs and 512 units in a layer; of the others only this one was tried. The epochs are what the time allows.
KINDS = {
    "no regularizer": Kind(80, 1e-3),
    "BinaryConnect (det.)": Kind(100, 1e-3, 1, BinaryLinear),
    "BinaryConnect (stoch.)": Kind(150, 3e-3, 32, partial(BinaryLinear, stochastic=True)),
    "50 % dropout": Kind(100, 3e-3, dropout=0.5),
    "ternary weights": Kind(50, 3e-3, math.log2(3), TernaryLinear),
    "binary weights and inputs": Kind(50, 1e-3, 1, BNNLinear, binary_inputs=True),
}
PLAIN, STOCHASTIC = "no regularizer", "BinaryConnect (stoch.)"
LONGEST_FIRST = sorted(KINDS, key=lambda name: -KINDS[name].epochs)


def run(bench: Workbench) -> Iterator[Section]:
    """The table's column, and the features of the first layer under the four regularizers."""
    points = [settings(bench, name) | {"seed": seed} for name in LONGEST_FIRST for seed in seeds_of(bench, name)]
    trainings: dict[str, list[Result]] = {name: [] for name in KINDS}
    for result in bench.sweep(trained_network, points):
        trainings[result.settings["kind"]].append(result)
    yield errors(bench, trainings)
    yield features(trainings)


def seeds_of(bench: Workbench, name: str) -> Sequence[int]:
    """All seeds for the two networks that are compared, the first one for the others."""
    return bench.seeds if name in (PLAIN, STOCHASTIC) else bench.seeds[:1]


def settings(bench: Workbench, name: str) -> dict[str, Any]:
    """What decides the result of a training, besides the seed."""
    kind = KINDS[name]
    epochs = kind.epochs if bench.full else QUICK
    return {"kind": name, "hidden": HIDDEN[bench.level], "epochs": epochs, "lr": kind.lr, "batch_size": BATCH}


def trained_network(bench: Workbench, *, kind: str, hidden: int, seed: int, **training: Any) -> dict[str, Any]:
    """Train one network, and test it."""
    data = bench.dataset("mnist")
    with random_numbers(seed):
        model = network(KINDS[kind], features=data.features, hidden=hidden, classes=data.classes)
    history = bench.train(
        kind.split(" ")[0],
        model,
        data,
        seed=seed,
        origin=[kind, hidden],
        optimizer=partial(GlorotAdam, factors=glorot_factors(model)),
        loss=square_hinge_loss,
        after_step=clip_,
        **training,
    )
    as_trained = percent(model, data)
    renormalise_(model, data.x_train)
    result = {
        "error": percent(model, data),
        "error as trained": as_trained,
        "loss": history[-1].train_loss,
        "megabytes": weight_bytes(model, KINDS[kind].bits) / 1e6,
        "at the ends": at_the_ends(model),
        "features": first_features(model),
    }
    if kind == STOCHASTIC:
        for layer in linear_layers(model):
            layer.stochastic = False  # type: ignore[assignment]
        result["error of the signs"] = percent(renormalise_(model, data.x_train), data)
    return result


def network(kind: Kind, *, features: int, hidden: int, classes: int) -> nn.Sequential:
    """Three hidden layers with batch normalisation after each, and after the output, as in the paper.

    >>> model = network(Kind(1, 0.1, layer=BinaryLinear), features=784, hidden=16, classes=10)
    >>> model(torch.rand(4, 1, 28, 28)).shape
    torch.Size([4, 10])
    """
    sizes = [features, hidden, hidden, hidden, classes]
    layers: list[nn.Module] = [nn.Flatten()]
    for number, (n, m) in enumerate(pairwise(sizes)):
        if number:
            # Signs of the inputs are their own nonlinearity.
            layers += [] if kind.binary_inputs else [nn.ReLU()]
            layers += [FastDropout(kind.dropout)] if kind.dropout else []
        layer = BinaryLinear if kind.binary_inputs and not number else kind.layer  # pixels keep their grey levels
        layers += [layer(n, m, bias=False), nn.BatchNorm1d(m)]
    return InBfloat16(*layers)


class GlorotAdam(torch.optim.Adam):
    """Adam with a factor on the step of each parameter; `fit` sets one lr for all."""

    def __init__(self, parameters: Iterable[Tensor], *, lr: float, factors: Sequence[float]) -> None:
        groups = [{"params": [p], "factor": factor} for p, factor in zip(parameters, factors, strict=True)]
        super().__init__(groups, lr=lr, fused=True)

    def step(self, closure: Any = None) -> Any:
        """One step; lr, which `fit` sets anew before each, is multiplied by the factor of the parameter."""
        for group in self.param_groups:
            group["lr"] = group["lr"] * group["factor"]
        return super().step(closure)


def glorot_factors(model: nn.Module) -> list[float]:
    """sqrt((inputs + outputs) / 1.5) for binary weights, 1 for all other parameters, in their order.

    The paper's factor (section 2.5), one over Glorot's coefficient: a binary weight moves in [-1, 1], a real one in an
    interval that is so much shorter.

    >>> glorot_factors(nn.Sequential(BinaryLinear(4, 2, bias=False), nn.Linear(2, 1, bias=False)))
    [2.0, 1.0]
    """
    binary = {id(layer.weight) for layer in model.modules() if isinstance(layer, (BinaryLinear, BNNLinear))}
    return [math.sqrt(sum(p.shape) / 1.5) if id(p) in binary else 1.0 for p in model.parameters()]


@torch.no_grad()
def renormalise_(model: nn.Module, x: Tensor) -> nn.Module:
    """Take the means and variances of batch normalisation anew over the rows `x`, with the weights of eval mode.

    While a stochastic network trains they are those of random signs, and the test is with the real weights.

    >>> model = nn.Sequential(nn.BatchNorm1d(1))
    >>> renormalise_(model, torch.tensor([[2.0], [4.0]]))[0].running_mean
    tensor([3.])
    """
    norms = [layer for layer in model.eval().modules() if isinstance(layer, nn.BatchNorm1d)]
    device = next(model.parameters()).device
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all parts
        norm.train()
    for part in x.chunk(max(1, len(x) // PART)):
        model(part.to(device))
    return model.eval()


def linear_layers(model: nn.Module) -> list[nn.Linear]:
    """The layers with weights, from the input to the output."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Linear)]


def weight_bytes(model: nn.Module, bits: float) -> float:
    """What the weights take with so many bits for each."""
    return sum(layer.weight.numel() for layer in linear_layers(model)) * bits / 8


def at_the_ends(model: nn.Module) -> float:
    """The share of weights within 0.01 of -1 or +1, or beyond."""
    weights = torch.cat([layer.weight.detach().flatten() for layer in linear_layers(model)])
    return float((weights.abs() > 0.99).double().mean())


def first_features(model: nn.Module) -> list[list[int]]:
    """Real weights of the first units, a list of pixels for each, scaled to whole numbers from -100 to 100."""
    rows = linear_layers(model)[0].weight.detach()[: DOWN * ACROSS]
    limit = rows.abs().flatten().quantile(0.99)  # few extreme weights must not make all others grey
    return (rows / limit * 100).clamp(-100, 100).round().int().tolist()


def errors(bench: Workbench, trainings: Mapping[str, list[Result]]) -> Section:
    """The column of the table, published and measured."""
    data = bench.dataset("mnist")
    rows = [
        Row([name, BINARY.get(name, ("",))[0], *cells(results), f"{results[0].settings['epochs']}"], results)
        for name, results in trainings.items()
    ]
    rows += [
        Row([name, mnist, "", "", "", ""]) for name, (mnist, *_) in BINARY.items() if mnist and name not in trainings
    ]
    first = trainings[STOCHASTIC][0].settings
    text = (
        f"{data}. A perceptron with three hidden layers of {first['hidden']} units, batch normalisation, the squared "
        "hinge loss (an L2-SVM as output) and no other regularizer than the row's; permutation-invariant (the order "
        f"of the pixels is not used). Adam, batches of {first['batch_size']}, a learning rate that falls along a "
        "cosine, longer steps for binary weights by the paper's factor; products in bfloat16. After the training the "
        "means and variances of batch normalisation are estimated again over the training rows, with the weights of "
        "the test: the signs for the "
        "deterministic network, the real weights for the stochastic one, as in the paper. "
        f"{_seeds(bench)}; each network is trained by one processor core. The learning rates of the first "
        f"three networks were chosen on some 8,000 rows held out of the training part. "
        f"Error in percent of the {len(data.y_test):,} "
        f"{bench.tested}."
    )
    head = ["", "published error (%)", "measured error (%)", "weights in the test (MB)", "core-minutes", "epochs"]
    return Section("MNIST", head, rows, text, remark(bench, trainings, len(data.y_test)), claims=claims(trainings))


def claims(trainings: Mapping[str, list[Result]]) -> list[Claim]:
    """The published errors of those networks that were trained."""
    return [
        Claim(name, "test error (%)", BINARY[name][0].split()[0], [r["error"] for r in results], 0.0, results)
        for name, results in trainings.items()
        if name in BINARY
    ]


def cells(results: Sequence[Result]) -> list[str]:
    """Error, size and time."""
    return [
        spread([r["error"] for r in results]),
        f"{results[0]['megabytes']:.2f}",
        spread([r["seconds"] / 60 for r in results], ".1f"),
    ]


def remark(bench: Workbench, trainings: Mapping[str, list[Result]], rows: int) -> str:
    """How far the measured errors are from the published ones, and from each other."""
    lines = []
    for name, results in trainings.items():
        if name in BINARY:
            gap = mean_of(results, "error") - float(BINARY[name][0].split()[0])
            side = "above" if gap > 0 else "below"
            lines.append(f"- {name}: {abs(gap):.2f} points {side} the published error.")
    plain, stochastic = mean_of(trainings[PLAIN], "error"), mean_of(trainings[STOCHASTIC], "error")
    chance = 100 * math.sqrt(plain / 100 * (1 - plain / 100) / rows)
    verdict = "no worse than" if stochastic <= plain else "worse than"
    lines.append(
        f"- The stochastic network is {verdict} the one without a regularizer, {stochastic:.2f} % beside "
        f"{plain:.2f} %. By the choice of {rows:,} test rows alone an error of this size varies by ± {chance:.2f} "
        "points (one standard deviation), so smaller differences say little."
    )
    signs, before = (
        mean_of(trainings[STOCHASTIC], "error of the signs"),
        mean_of(trainings[STOCHASTIC], "error as trained"),
    )
    ends = mean_of(trainings[STOCHASTIC], "at the ends")
    lines.append(
        f"- Tested with signs in the place of its real weights it makes {signs:.2f} % errors; with the statistics of "
        f"batch normalisation from training, {before:.2f} %. {ends:.0%} of its weights lie at −1 or +1."
    )
    longest = max(r.settings["epochs"] for results in trainings.values() for r in results)
    lines.append(f"- The paper trained for {PAPER:,} epochs, here it was {longest} at most. {_scope(bench)}")
    return "\n".join(lines)


def _seeds(bench: Workbench) -> str:
    seeds = len(bench.seeds)
    return f"One seed, but {seeds} of {PLAIN} and of {STOCHASTIC}" if seeds > 1 else "One seed"


def _scope(bench: Workbench) -> str:
    hidden = "" if bench.full else f" The quick level has {HIDDEN['quick']} units in a layer in the place of 1024."
    return f"The columns CIFAR-10 and SVHN are not measured.{hidden}"


def features(trainings: Mapping[str, list[Result]]) -> Section:
    """The picture of the features under the four regularizers of the lecture."""
    shown = {name: trainings[name][0] for name in trainings if name in BINARY}
    text = (
        f"The real weights that lead to {DOWN * ACROSS} units of the first layer, as images: blue is positive, orange "
        "negative, white zero. Each network has its own scale."
    )
    rows = [Row([name, f"{result['at the ends']:.1%}"], [result]) for name, result in shown.items()]
    head = ["", "weights at −1 or +1"]
    return Section("Features of the first layer", head, rows, text, draw=partial(draw, shown=shown), name="features")


def draw(figure: Any, *, shown: Mapping[str, Result]) -> None:
    """A wall of features for each network."""
    from course_utils.plots import mosaic, weight_map

    for axes, (name, result) in zip(figure.subplots(1, len(shown)), shown.items(), strict=True):
        images = np.array(result["features"], np.float32)
        side = math.isqrt(images.shape[1])
        weight_map(axes, mosaic(images, (side, side), down=DOWN, across=ACROSS), limit=100.0)
        axes.set(xticks=[], yticks=[], aspect="equal", xlabel=f"error {result['error']:.2f} %")
        axes.set_title(name.replace("BinaryConnect ", "BinaryConnect\n"), fontsize=11)
