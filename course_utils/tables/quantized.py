"""Figure 13: bits against accuracy of networks that are rounded after their training, and not trained again.

The lecture's numbers are those of the project pytorch-playground (A. Chen 2017). It does not take min-max codes but
fixed point, one power of two for each tensor: for weights, biases and the outputs of layers. Both are measured here,
beside codes with a range for each output row or filter.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import mean
from typing import Any

import torch
from torch import Tensor, nn

from course_utils._support.words import plural
from course_utils.data import DataError, Dataset, imagenet
from course_utils.methods.quantize import FixedPoint, quantize_model
from course_utils.models import resnet20
from course_utils.plots import number
from course_utils.tables.measured import Claim
from course_utils.tables.published import QUANTIZED
from course_utils.tables.workbench import Result, Row, Section, Workbench, spread
from course_utils.train import pick_device

__all__ = ["SECTION", "SEEDS", "TITLE", "fixed_point_model", "run"]

TITLE = "Fewer bits after training"
SECTION = "05"
SEEDS = 3  # of the network for MNIST; the others come with their weights

BITS = {"full": (12, 10, 8, 6, 5, 4, 3, 2), "quick": (8, 6, 4, 2)}
FLOAT = 32
METHODS: dict[str, dict[str, Any]] = {
    "fixed point: weights, biases, outputs of layers": {"scheme": "fixed point", "per_channel": False},
    "min-max: weights, per tensor": {"scheme": "weights", "per_channel": False},
    "min-max: weights, per channel": {"scheme": "weights", "per_channel": True},
    "min-max: weights per tensor, inputs of layers": {"scheme": "weights and inputs", "per_channel": False},
    "min-max: weights per channel, inputs of layers": {"scheme": "weights and inputs", "per_channel": True},
}
SOURCE = "fixed point: weights, biases, outputs of layers"  # the way of the figure's source
# What the few bits of the statistics alone cost, where a network has batch normalisation.
STATISTICS = {
    "fixed point, running means and variances as floats": {
        "scheme": "fixed point, float statistics",
        "per_channel": False,
    }
}
# pytorch-playground's training of its network for MNIST, 784-256-256-10 with dropout.
PLAYGROUND: dict[str, Any] = {
    "epochs": 40,
    "batch_size": 200,
    "optimizer": "sgd",
    "lr": 0.01,
    "weight_decay": 1e-4,
}
RANGES = 1000  # rows that give the ranges of activations
NORM_BITS = 10  # for the running means and variances of batch normalisation, as in the source
LOST = 0.5  # points of accuracy that count as little
UNREACHABLE = ("SVHN", "CIFAR100", "STL10")
IMAGENET = {
    "AlexNet": "alexnet",
    "VGG16": "vgg16",
    "VGG19": "vgg19",
    "ResNet18": "resnet18",
    "ResNet34": "resnet34",
    "ResNet50": "resnet50",
    "InceptionV3": "inception_v3",
}
IMAGENET_BITS = (12, 10, 8, 6)
IMAGENET_METHODS = (SOURCE, "min-max: weights per channel, inputs of layers")
IMAGENET_RANGES, IMAGENET_QUICK = 200, 500  # images that give the ranges; images tested at the quick level


@dataclass(frozen=True)
class Fold:
    """Inputs that give the ranges of activations, and the batches (x, y) that are tested with them."""

    ranges: list[Tensor]
    batches: Callable[[], Iterable[tuple[Tensor, Tensor]]]


def run(bench: Workbench) -> Iterator[Section]:
    """The whole figure; each part as soon as it is measured."""
    yield mnist(bench)
    yield cifar10(bench)
    yield on_imagenet(bench)
    yield unreachable()


def mnist(bench: Workbench) -> Section:
    """The source's perceptron, trained here."""
    title = "MNIST: 784-256-256-10"
    try:
        data = bench.dataset("mnist")
    except DataError as error:
        return not_measured("MNIST", title, error)
    training = PLAYGROUND | {"epochs": bench.epochs(PLAYGROUND["epochs"])}
    points = [
        point | {"seed": seed, "training": training}
        for seed in bench.seeds
        for point in settings(BITS[bench.level], METHODS)
    ]
    results = bench.sweep(rounded_mnist, points, batch_by=("seed",), batch=len(points))
    text = (
        f"{data}. The source's network, 784-256-256-10 with 20 % dropout, trained here by the source's settings: "
        f"{training['epochs']} epochs of stochastic gradient descent with momentum 0.9, learning rate "
        f"{training['lr']}, batches of {training['batch_size']}, weight decay {training['weight_decay']:g}; "
        f"{plural(len(bench.seeds), 'seed')}. {_ranges(data)} Accuracy in percent"
        f"{', on rows held out of the training part' if bench.validate else ''}."
    )
    return section("MNIST", title, results, text)


def not_measured(row: str, title: str, error: DataError) -> Section:
    """The published row, and why nothing stands below it."""
    rows = [Row(["published", _published(row)["32"]])]
    return Section(title, ["", "accuracy"], rows, f"Not measured: {error}.", name=row.lower(), missing=str(error))


def cifar10(bench: Workbench) -> Section:
    """ResNet-20 with published weights."""
    title = "CIFAR10: ResNet-20"
    try:
        resnet20(pretrained=True)
        data = cifar10_images(bench)
    except DataError as error:
        return not_measured("CIFAR10", title, error)
    points = [point | {"rows": len(data.y_test)} for point in settings(BITS[bench.level], METHODS | STATISTICS)]
    results = bench.sweep(rounded_cifar10, points, batch_by=("scheme", "per_channel"), batch=len(points))
    text = (
        f"{data}. ResNet-20 with Y. Idelbayev's weights; the source's network is another one, a larger one without "
        f"shortcuts. {_ranges(data)} Accuracy in percent on {len(data.y_test):,} test images."
    )
    note = f"another network, {len(data.y_test):,} of 10,000 test images"
    return section("CIFAR10", title, results, text, note)


def settings(bits: Sequence[int], methods: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The float network, and each method at each number of bits."""
    dense = {"scheme": "float", "per_channel": False, "bits": FLOAT}
    return [dense, *(method | {"bits": b} for method in methods.values() for b in bits)]


def rounded_mnist(bench: Workbench, points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The accuracy of one trained perceptron, rounded in several ways."""
    data = bench.dataset("mnist")
    # The source's inputs have mean 0 and deviation 1.
    data = replace(data, x_train=(data.x_train - 0.1307) / 0.3081, x_test=(data.x_test - 0.1307) / 0.3081)
    model = bench.trained(
        "playground", playground, data, seed=points[0]["seed"], schedule="constant", **points[0]["training"]
    )
    return [{"accuracy": accuracy(model, point, folds(data), bench.device)[0]} for point in points]


def rounded_cifar10(bench: Workbench, points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The accuracy of the pretrained ResNet-20, rounded in several ways."""
    model, data = resnet20(pretrained=True), cifar10_images(bench)
    return [{"accuracy": accuracy(model, point, folds(data), bench.device)[0]} for point in points]


def cifar10_images(bench: Workbench) -> Dataset:
    """CIFAR-10's test images, or at the quick level the first thousand of them.

    With `validate` too: the published weights were trained on all training rows, and nothing is chosen here.
    """
    data = replace(bench, validate=False).dataset("cifar10")
    return data if bench.full else replace(data, x_test=data.x_test[:1000], y_test=data.y_test[:1000])


def playground() -> nn.Sequential:
    """The network of pytorch-playground for MNIST."""
    hidden = [nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(256, 10))


def folds(data: Dataset) -> list[Fold]:
    """One fold whose ranges come from training rows; without any, two halves that give each other's ranges.

    So no image is tested with a range that it has made itself.
    """
    if len(data.y_train):
        ranges = data.subset(min(RANGES, len(data.y_train))).x_train
        return [Fold(list(ranges.split(100)), partial(_batches, data.x_test, data.y_test))]
    halves = [(data.x_test[i::2], data.y_test[i::2]) for i in (0, 1)]
    return [
        Fold(list(ranges[:RANGES].split(100)), partial(_batches, x, y))
        for (x, y), (ranges, _) in zip(halves, reversed(halves), strict=True)
    ]


def _batches(x: Tensor, y: Tensor) -> Iterable[tuple[Tensor, Tensor]]:
    return zip(x.split(500), y.split(500), strict=True)


def _ranges(data: Dataset) -> str:
    if len(data.y_train):
        return f"The ranges of activations come from {min(RANGES, len(data.y_train)):,} training rows."
    return "There are no training rows, so each half of the test images is measured with the other half's ranges."


@torch.no_grad()
def accuracy(model: nn.Module, point: Mapping[str, Any], parts: Sequence[Fold], device: str) -> tuple[float, float]:
    """Top-1 and top-5 accuracy in percent of a network that was rounded as `point` says, over all folds."""
    correct, total, target = torch.zeros(2), 0, pick_device(device)
    for part in parts:
        network = rounded(model, point, part.ranges).to(target).eval()
        for x, y in part.batches():
            best = network(x.to(target)).topk(5).indices.cpu() == y[:, None]
            correct += torch.stack([best[:, 0].sum(), best.sum()])
            total += len(y)
    top1, top5 = (100 * correct / total).tolist()
    return top1, top5


def rounded(model: nn.Module, point: Mapping[str, Any], ranges: list[Tensor]) -> nn.Module:
    """A copy of a network with `bits` for each number of the scheme's kinds."""
    bits, channels = point["bits"], point["per_channel"]
    match point["scheme"]:
        case "float":
            return copy.deepcopy(model)
        case "weights":
            return quantize_model(model, bits=bits, per_channel=channels)
        case "weights and inputs":
            return quantize_model(model, bits=bits, per_channel=channels, activation_bits=bits, calibration=ranges)
        case "fixed point":
            return fixed_point_model(model, bits=bits, calibration=ranges)
        case "fixed point, float statistics":
            return fixed_point_model(model, bits=bits, calibration=ranges, norm_bits=None)
    schemes = ["float", *dict.fromkeys(method["scheme"] for method in (METHODS | STATISTICS).values())]
    raise ValueError(f"scheme must be one of {', '.join(map(repr, schemes))}, got {point['scheme']!r}")


@torch.no_grad()
def fixed_point_model(
    model: nn.Module, *, bits: int, calibration: Iterable[Tensor], norm_bits: int | None = NORM_BITS
) -> nn.Module:
    """A copy of a network in fixed point: parameters and outputs of layers, a power of two for each tensor.

    The outputs are those of linear, convolutional and normalising layers; the range of each is taken from
    `calibration`, batches of inputs that run through the network with rounded parameters. Running means and variances
    have `norm_bits` bits, or stay floats for None. Source: A. Chen 2017, *pytorch-playground*.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> small = fixed_point_model(model, bits=4, calibration=[torch.rand(8, 4)])
    >>> bool((small[0].weight * 2**10 % 1 == 0).all())
    True
    """
    copied = copy.deepcopy(model).eval()
    for parameter in copied.parameters():
        parameter.copy_(FixedPoint.covering(parameter, bits=bits).round(parameter))
    for name, buffer in copied.named_buffers():
        if norm_bits is not None and name.endswith(("running_mean", "running_var")):
            buffer.copy_(FixedPoint.covering(buffer, bits=norm_bits).round(buffer))
    layers = [layer for layer in copied.modules() if isinstance(layer, (nn.Linear, nn.Conv2d, nn.BatchNorm2d))]
    for layer, greatest in _greatest(copied, layers, calibration).items():
        layer.register_forward_hook(_RoundOutput(FixedPoint.covering(greatest, bits=bits)))
    return copied


class _RoundOutput:
    """A hook that rounds what comes out of a layer."""

    def __init__(self, form: FixedPoint) -> None:
        self.form = form

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return self.form.round(output)


def _greatest(model: nn.Module, layers: Iterable[nn.Module], inputs: Iterable[Tensor]) -> dict[nn.Module, Tensor]:
    """The greatest magnitude that comes out of each layer."""
    greatest: dict[nn.Module, Tensor] = {}

    def observe(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        greatest[layer] = torch.maximum(output.abs().max(), greatest.get(layer, torch.zeros(())))

    handles = [layer.register_forward_hook(observe) for layer in layers]
    for x in inputs:
        model(x)
    for handle in handles:
        handle.remove()
    return greatest


def section(row: str, title: str, results: Sequence[Result], text: str, note: str = "") -> Section:
    """The published row above a measured row for each method."""
    bits = sorted({r.settings["bits"] for r in results}, reverse=True)
    head = ["accuracy (%)", *("float32" if b == FLOAT else f"{b} bits" for b in bits)]
    rows = [Row([f"published, {row}", *(_published(row).get(str(b), "") for b in bits)])]
    roundings = by_method(results)
    dense = roundings.pop("float")[FLOAT]
    for name, cells in roundings.items():
        by_bits = {FLOAT: dense, **cells}
        used = [result for same_bits in by_bits.values() for result in same_bits]
        rows.append(Row([name, *(spread([r["accuracy"] for r in by_bits[b]]) for b in bits)], used))
    return Section(
        title,
        head,
        rows,
        text,
        remark(dense, roundings),
        partial(draw, dense=dense, roundings=roundings),
        row.lower(),
        claims(row, note, dense, roundings),
    )


def claims(
    row: str, note: str, dense: Sequence[Result], roundings: Mapping[str, Mapping[int, list[Result]]]
) -> list[Claim]:
    """The published accuracies beside those of the source's own way of rounding."""
    by_bits = {FLOAT: dense, **roundings[SOURCE]}
    return [
        Claim(
            "float32" if bits == FLOAT else f"{bits} bits",
            "accuracy (%)",
            _published(row)[str(bits)],
            [r["accuracy"] for r in by_bits[bits]],
            100.0,
            by_bits[bits],
            note,
        )
        for bits in (FLOAT, *IMAGENET_BITS)
        if bits in by_bits
    ]


def by_method(results: Iterable[Result]) -> dict[str, dict[int, list[Result]]]:
    """The results of each method, by bits, over the seeds; the float networks stand under "float"."""
    names = {(m["scheme"], m["per_channel"]): name for name, m in (METHODS | STATISTICS).items()}
    roundings: dict[str, dict[int, list[Result]]] = {}
    for result in results:
        name = names.get((result.settings["scheme"], result.settings["per_channel"]), "float")
        roundings.setdefault(name, {}).setdefault(result.settings["bits"], []).append(result)
    return roundings


def loss(dense: Sequence[Result], small: Sequence[Result]) -> float:
    """Points of accuracy lost by rounding, in the mean over the seeds."""
    return mean(a["accuracy"] - b["accuracy"] for a, b in zip(dense, small, strict=True))


def remark(dense: Sequence[Result], roundings: Mapping[str, Mapping[int, list[Result]]]) -> str:
    """What 8 bits cost, and how few bits cost little."""
    lines = []
    for name, cells in roundings.items():
        lost = {b: loss(dense, results) for b, results in sorted(cells.items())}
        enough = next((b for b in lost if all(lost[c] <= LOST for c in lost if c >= b)), None)
        fewest = f"{enough} bits are the fewest that cost" if enough else "no number of bits measured costs"
        change = number(-lost[8], "+.2f")
        lines.append(f"- {name}: {change} points with 8 bits; {fewest} at most {LOST} points.")
    return "\n".join(lines)


def draw(figure: Any, *, dense: Sequence[Result], roundings: Mapping[str, Mapping[int, list[Result]]]) -> None:
    """Bits against accuracy, a line for each method."""
    from course_utils.plots import COLOURS, LINE_STYLES, MARKERS

    axes = figure.subplots()
    styles = zip([*MARKERS, "P"], [*LINE_STYLES, "-"], COLOURS.values(), strict=False)
    for (name, cells), (marker, line, colour) in zip(roundings.items(), styles, strict=False):
        means = [mean(r["accuracy"] for r in results) for results in cells.values()]
        axes.plot(list(cells), means, label=name, marker=marker, linestyle=line, color=colour)
    bits = sorted({b for cells in roundings.values() for b in cells})
    level = mean(r["accuracy"] for r in dense)
    axes.axhline(level, color=COLOURS["grey"], linewidth=1)
    axes.annotate("float32", (bits[0], level), (0, 3), textcoords="offset points")
    axes.set(xlabel="bits for each number", ylabel="test accuracy (%)", ylim=(0, 108), xticks=bits)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)


def on_imagenet(bench: Workbench) -> Section:
    """The seven networks for ImageNet where its images are installed; a sentence where they are not."""
    title, head = "ImageNet: top-1/top-5", ["accuracy (%)", "float32", *(f"{b} bits" for b in IMAGENET_BITS)]
    rows, notes, text = [], [], ""
    try:
        text = f"Each network on {_images(bench, None).note}, weights of torchvision (IMAGENET1K_V1)."
    except DataError as error:
        notes.append(f"Not measured: {error}.")
    for name, model in IMAGENET.items():
        rows.append(Row([f"published, {name}", *(_published(name)[str(b)] for b in (FLOAT, *IMAGENET_BITS))]))
        if text:
            try:
                rows += imagenet_rows(bench, model)
            except DataError as error:
                notes.append(f"- {name}: not measured, {error}.")
    return Section(title, head, rows, text, "\n".join(notes), name="imagenet", missing=" ".join(notes))


def unreachable() -> Section:
    """The rows of networks that nobody but the source has."""
    bits = (FLOAT, *IMAGENET_BITS)
    rows = [Row([f"published, {name}", *(_published(name)[str(b)] for b in bits)]) for name in UNREACHABLE]
    remark = (
        "Not measured: for these data the source trained networks of its own, and torchvision has no weights for them."
    )
    return Section(
        "SVHN, CIFAR100, STL10",
        ["accuracy (%)", "float32", *(f"{b} bits" for b in IMAGENET_BITS)],
        rows,
        "",
        remark,
        name="others",
    )


def imagenet_rows(bench: Workbench, name: str) -> list[Row]:
    """One network's rows."""
    imagenet.pretrained(name)  # before several processes want to download the same file
    count = len(_images(bench, None))
    methods = {title: METHODS[title] for title in IMAGENET_METHODS}
    points = [point | {"network": name, "images": count} for point in settings(IMAGENET_BITS, methods)]
    results = bench.sweep(rounded_imagenet, points)
    roundings = by_method(results)
    rows = []
    for title in methods:
        used = [roundings["float"][FLOAT][0], *(roundings[title][b][0] for b in IMAGENET_BITS)]
        rows.append(Row([f"{name}, {title}", *(f"{r['top1']:.2f}/{r['top5']:.2f}" for r in used)], used))
    return rows


def rounded_imagenet(bench: Workbench, *, network: str, images: int, **point: Any) -> dict[str, Any]:
    """Top-1 and top-5 accuracy of one of torchvision's networks, rounded in one way."""
    model, transform = imagenet.pretrained(network)
    images_used = _images(bench, transform)
    bench.used["imagenet"] = images_used.checksum
    halves = [images_used[i::2] for i in (0, 1)]
    parts = [
        Fold([x for x, _ in ranges[:IMAGENET_RANGES].batches()], half.batches)
        for half, ranges in zip(halves, reversed(halves), strict=True)
    ]
    top1, top5 = accuracy(model, point, parts, bench.device)
    return {"top1": top1, "top5": top5}


def _images(bench: Workbench, transform: Any) -> imagenet.Images:
    images = imagenet.imagenet(transform)
    return images if bench.full else images[:IMAGENET_QUICK]


def _published(row: str) -> dict[str, str]:
    """The lecture's row, by bits."""
    return dict(zip(("32", "12", "10", "8", "6"), QUANTIZED[row], strict=True))
