"""Distillation on MNIST (Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 3; lecture, section 08).

A large regularised network teaches a smaller one that has no regularizer, by its softened answers on the training
images; then the same without a single image of a 3.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils._support.random_numbers import random_numbers
from course_utils._support.words import plural
from course_utils.data import Dataset
from course_utils.methods.distill import Distillation, best_bias, correct_bias_
from course_utils.models import mlp
from course_utils.tables.measured import Claim
from course_utils.tables.published import DISTILLATION, WITHOUT_3S
from course_utils.tables.workbench import Result, Row, Section, Workbench, mean_of, spread
from course_utils.tables.workbench.fast_layers import FastDropout, InBfloat16
from course_utils.train import History, evaluate

__all__ = ["SECTION", "SEEDS", "TITLE", "run"]

TITLE = "Distillation"
SECTION = "08"
SEEDS = 2  # of the students; there is one teacher

# On some 8,000 held-out training rows the teacher made 114 errors after 20 epochs of Adam, 137 after as many of SGD.
TEACHER: dict[str, Any] = {"optimizer": "adam", "lr": 1e-3, "batch_size": 256, "epochs": 150}
STUDENT: dict[str, Any] = {"optimizer": "adam", "lr": 1e-3, "batch_size": 128, "epochs": 40}
TAUGHT = {"plain images": STUDENT | {"epochs": 80}, "moved images": STUDENT | {"epochs": 60}}
QUICK = {"teacher": 5, "student": 4}  # epochs at the quick level
HIDDEN = {"teacher": [1200, 1200], "student": [800, 800]}
NORM = 3.0  # the longest vector of weights into a unit of the teacher
SHIFT = 2  # pixels
TEMPERATURE, ALPHA = 20.0, 1.0
HELD_OUT = 0.1  # of the training rows, for the bias of the class that was left out
LEFT_OUT = 3


class Jitter(nn.Module):
    """Moves each image by a random whole number of pixels, at most `pixels`, while the network trains.

    >>> Jitter(1).eval()(torch.ones(1, 1, 2, 2)).sum()
    tensor(4.)
    """

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, x: Tensor) -> Tensor:
        """The images (n, channels, height, width), moved."""
        if not self.training:
            return x
        n, _, height, width = x.shape
        down, right = torch.randint(2 * self.pixels + 1, (2, n, 1), device=x.device)
        rows = (torch.arange(height, device=x.device) + down)[:, :, None]
        columns = (torch.arange(width, device=x.device) + right)[:, None, :]
        padded = F.pad(x, [self.pixels] * 4)
        return padded.permute(0, 2, 3, 1)[torch.arange(n, device=x.device)[:, None, None], rows, columns].permute(
            0, 3, 1, 2
        )


def teacher_network(data: Dataset) -> nn.Sequential:
    """Two hidden layers with dropout, on images that are moved: its second part is the network itself."""
    layers = list(mlp([data.features, *HIDDEN["teacher"], data.classes]))
    flatten, first, relu, second, relu2, last = layers
    return nn.Sequential(
        Jitter(SHIFT),
        InBfloat16(flatten, FastDropout(0.2), first, relu, FastDropout(0.5), second, relu2, FastDropout(0.5), last),
    )


def student_network(data: Dataset) -> nn.Sequential:
    """Two smaller hidden layers, and nothing else."""
    return InBfloat16(*mlp([data.features, *HIDDEN["student"], data.classes]))


@torch.no_grad()
def constrain_(model: nn.Module) -> None:
    """Shorten the vectors of weights into a unit that are longer than NORM, in place."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.renorm_(2, 0, NORM)


def epochs(bench: Workbench, network: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a training at this level."""
    return settings if bench.full else settings | {"epochs": QUICK[network]}


def run(bench: Workbench) -> Iterator[Section]:
    """The large network, the small one alone and taught; then the transfer set without one class."""
    teaching = epochs(bench, "teacher", TEACHER)
    alone = [{"network": "teacher", "seed": 0, "training": teaching}]
    alone += [
        {"network": "student", "seed": seed, "training": epochs(bench, "student", STUDENT)} for seed in bench.seeds
    ]
    teacher, *students = bench.sweep(from_labels, alone)
    shared = {"teaching": teaching, "temperature": TEMPERATURE, "alpha": ALPHA}
    plain, moved = (
        {"jitter": way == "moved images", "training": epochs(bench, "student", training), **shared}
        for way, training in TAUGHT.items()
    )
    points = [plain | {"seed": seed} for seed in bench.seeds] + [moved | {"seed": seed} for seed in bench.seeds]
    taught = bench.sweep(distilled, points)
    trainings = {
        "teacher": [teacher],
        "student, labels only": students,
        "student, distilled": [r for r in taught if not r.settings["jitter"]],
        "student, distilled on moved images": [r for r in taught if r.settings["jitter"]],
    }
    yield main_part(bench, trainings)
    seed = bench.seeds[0]
    both = bench.sweep(without_class, [way | {"seed": seed, "label": LEFT_OUT} for way in (plain, moved)])
    yield left_out(bench, dict(zip(TAUGHT, both, strict=True)))


def from_labels(bench: Workbench, *, network: str, seed: int, training: dict[str, Any]) -> dict[str, Any]:
    """Train the teacher, or the student without one."""
    data = bench.dataset("mnist")
    model, history = from_labels_alone(bench, network, seed, training)
    return {"errors": evaluate(model, data).errors, "loss": history[-1].train_loss}


def from_labels_alone(
    bench: Workbench, network: str, seed: int, training: dict[str, Any]
) -> tuple[nn.Sequential, History]:
    """The network itself; one that was trained before is read from its checkpoint."""
    data = bench.dataset("mnist")
    make = teacher_network if network == "teacher" else student_network
    with random_numbers(seed):
        model = make(data)
    settings = training | ({"after_step": constrain_} if network == "teacher" else {})
    return model, bench.train(network, model, data, seed=seed, **settings)


def distilled(bench: Workbench, *, seed: int, **way: Any) -> dict[str, Any]:
    """Train a student by the teacher's answers on the training images."""
    data = bench.dataset("mnist")
    student, history = taught_student(bench, data, seed=seed, **way)
    return {
        "errors": evaluate(student, data).errors,
        "loss": history[-1].train_loss,
    }


def taught_student(
    bench: Workbench,
    transfer: Dataset,
    *,
    seed: int,
    jitter: bool,
    training: dict[str, Any],
    teaching: dict[str, Any],
    temperature: float,
    alpha: float,
) -> tuple[nn.Module, History]:
    """A student taught on the training part of `transfer`."""
    data = bench.dataset("mnist")
    (_, teacher), _ = from_labels_alone(bench, "teacher", 0, teaching)
    with random_numbers(seed):
        student = student_network(data)
    ways: dict[str, Any] = {"temperature": temperature, "alpha": alpha}
    if jitter:
        lesson = Distillation(student, teacher, **ways)
        model: nn.Module = nn.Sequential(Jitter(SHIFT), lesson)
    else:
        # The images stay the same, so the teacher is asked once: its logits are further columns of the images.
        transfer = with_logits(transfer, teacher)
        columns = Columns(0, data.features)
        model = lesson = Distillation(nn.Sequential(columns, student), Columns(data.features, None), **ways)
    name, origin = "distilled moved" if jitter else "distilled", [teaching, temperature, alpha]
    return student, bench.train(name, model, transfer, seed=seed, origin=origin, loss=lesson.loss, **training)


class Columns(nn.Module):
    """Some columns of flattened inputs.

    >>> Columns(1, 3)(torch.tensor([[5, 6, 7, 8]]))
    tensor([[6, 7]])
    """

    def __init__(self, start: int, stop: int | None) -> None:
        super().__init__()
        self.part = slice(start, stop)

    def forward(self, x: Tensor) -> Tensor:
        """Rows as before, fewer columns."""
        return x.flatten(1)[:, self.part]


@torch.no_grad()
def with_logits(data: Dataset, teacher: nn.Module) -> Dataset:
    """The data set with the teacher's logits behind the pixels of each training image."""
    teacher.eval()
    device = next(teacher.parameters()).device
    logits = torch.cat([teacher(x.to(device)).to(x.device) for x in data.x_train.split(2000)])
    return replace(data, x_train=torch.cat([data.x_train.flatten(1), logits], 1))


def without_class(bench: Workbench, *, label: int, **way: Any) -> dict[str, Any]:
    """Teach a student without a single image of a class, and then correct the bias of that class on held-out rows."""
    data = bench.dataset("mnist")
    parts = data.split(HELD_OUT)
    student, history = taught_student(bench, parts.without(label), **way)
    before = of_class(student, data, label)
    shift = best_bias(logits_of(student, parts), parts.y_test, label=label)
    correct_bias_(student, label=label, shift=shift)
    return {
        "before": before,
        "after": of_class(student, data, label),
        "shift": shift,
        "loss": history[-1].train_loss,
    }


@torch.no_grad()
def logits_of(model: nn.Module, data: Dataset) -> Tensor:
    """The logits of all test rows."""
    device = next(model.parameters()).device
    return torch.cat([model(x.to(device)).cpu() for x in data.x_test.split(2000)])


def of_class(model: nn.Module, data: Dataset, label: int) -> list[int]:
    """The errors on the test part, and those of them on rows of one class."""
    wrong = logits_of(model, data).argmax(1) != data.y_test.cpu()
    return [int(wrong.sum()), int((wrong & (data.y_test.cpu() == label)).sum())]


def main_part(bench: Workbench, trainings: dict[str, list[Result]]) -> Section:
    """Errors of the large network, of the small one, and of the small one that was taught."""
    data = bench.dataset("mnist")
    rows = []
    for name, results in trainings.items():
        measured = spread([float(r["errors"]) for r in results], ".1f" if len(results) > 1 else ".0f")
        minutes = spread([r["seconds"] / 60 for r in results], ".1f")
        length = str(results[0].settings["training"]["epochs"])
        rows.append(Row([name, str(DISTILLATION.get(name, "")), measured, minutes, length], results))
    head = ["", "published errors", "measured errors", "core-minutes", "epochs"]
    large, small = (" and ".join(map(str, HIDDEN[name])) for name in ("teacher", "student"))
    learned = max(r["loss"] for r in trainings["student, labels only"])
    text = (
        f"{data}. The teacher has hidden layers of {large} units with dropout (20 % of the pixels, 50 % of the units), "
        f"the weights into a unit have at most the norm {NORM:g}, and images are moved by up to {SHIFT} pixels each "
        f"time they are seen; the student has {small} units and no regularizer. Distilled at the temperature "
        f"{TEMPERATURE:g} from the teacher's answers alone, first as in the paper on the training images as they are, "
        "then, beyond the paper, on images that are moved as the teacher's were. Products in bfloat16; learning rates "
        f"fall along a cosine. {plural(len(bench.seeds), 'seed')} of the students, one "
        f"teacher. The student alone ends at a training loss of {learned:.0e}: longer training could teach it little. "
        f"Errors among {len(data.y_test):,} "
        f"{'rows held out of the training part' if bench.validate else 'test images'}."
    )
    claims = [
        Claim(name, "errors", str(DISTILLATION[name]), [r["errors"] for r in results], 0.0, results)
        for name, results in trainings.items()
        if name in DISTILLATION
    ]
    return Section(
        "A student with and without a teacher", head, rows, text, gain(trainings), name="errors", claims=claims
    )


def gain(trainings: dict[str, list[Result]]) -> str:
    """What the teacher was worth."""
    alone, teacher = (mean_of(trainings[name], "errors") for name in ("student, labels only", "teacher"))
    lines = []
    if teacher >= alone:
        lines.append("- The teacher is no better than the student alone, so there is nothing to gain from it.")
    for name in ("student, distilled", "student, distilled on moved images"):
        taught = mean_of(trainings[name], "errors")
        way = f", {(alone - taught) / (alone - teacher):.0%} of the way to the teacher" if teacher < alone else ""
        lines.append(f"- {name}: {count(taught)} errors where the student alone makes {count(alone)}{way}.")
    for name in ("teacher", "student, labels only", "student, distilled"):
        gap = mean_of(trainings[name], "errors") - DISTILLATION[name]
        lines.append(f"- {name}: {count(abs(gap))} errors {'more' if gap > 0 else 'fewer'} than published.")
    return "\n".join(lines)


def count(errors: float) -> str:
    """A mean of whole numbers, with a digit only where it is not whole.

    >>> count(98.5), count(137.0)
    ('98.5', '137')
    """
    return f"{errors:.1f}".removesuffix(".0")


def left_out(bench: Workbench, trainings: dict[str, Result]) -> Section:
    """The student that has never seen a 3."""
    data = bench.dataset("mnist")
    digit = f"{LEFT_OUT}s"
    rows = [Row(["published", *(str(n) for pair in WITHOUT_3S.values() for n in pair), "", ""])]
    for name, result in trainings.items():
        numbers = [str(n) for key in ("before", "after") for n in result[key]]
        rows.append(Row([name, *numbers, f"{result['shift']:.2f}", f"{result['seconds'] / 60:.1f}"], [result]))
    head = ["", "errors", f"of them on {digit}", "errors, bias corrected", f"of them on {digit}", "added to the bias"]
    head.append("core-minutes")
    n = int((data.y_test == LEFT_OUT).sum())
    text = (
        f"The same teacher and student, but no image of a {LEFT_OUT} among those that the student learns from; it "
        f"meets {digit} only in the teacher's doubts about other digits. What is added to the bias of the class "
        f"{LEFT_OUT} is chosen on {HELD_OUT:.0%} of the training images, {digit} among them, that the student has "
        f"not learnt from. Errors among {len(data.y_test):,} {'held-out rows' if bench.validate else 'test images'}, "
        f"{n:,} of them {digit}."
    )
    lines = [
        f"- {name}: {1 - result['before'][1] / n:.1%} of the {digit} are classified correctly without having seen any, "
        f"{1 - result['after'][1] / n:.1%} with the corrected bias (published "
        f"{1 - WITHOUT_3S['bias corrected'][1] / 1010:.1%})."
        for name, result in trainings.items()
        if n
    ]
    return Section(
        f"A student that never sees a {LEFT_OUT}",
        head,
        rows,
        text,
        "\n".join(lines),
        draw=partial(draw, trainings=trainings, n=n),
        name="left-out",
        claims=list(claims_left_out(trainings, digit)),
    )


def claims_left_out(trainings: dict[str, Result], digit: str) -> Iterator[Claim]:
    """The published errors of the student that has never seen one digit."""
    result = next(iter(trainings.values()))  # taught as in the paper
    for (when, printed), key in zip(WITHOUT_3S.items(), ("before", "after"), strict=True):
        for i, kind in enumerate(("errors", f"errors on {digit}")):
            yield Claim(f"{when}: {kind}", kind, str(printed[i]), [result[key][i]], 0.0, [result])


def draw(figure: Any, *, trainings: dict[str, Result], n: int) -> None:
    """Errors on the class that was left out and on all others, before and after its bias is corrected."""
    from course_utils.plots import COLOURS

    published = {"published": list(WITHOUT_3S.values())}
    bars = published | {name: [result["before"], result["after"]] for name, result in trainings.items()}
    labels = [f"{name}\n{when}" for name in bars for when in WITHOUT_3S]
    pairs: list[Any] = [pair for both in bars.values() for pair in both]
    on_digit, on_others = [pair[1] for pair in pairs], [pair[0] - pair[1] for pair in pairs]
    axes = figure.subplots()
    edge = {"edgecolor": COLOURS["ink"], "linewidth": 0.8}
    axes.bar(labels, on_digit, color=COLOURS["orange"], label=f"on {LEFT_OUT}s", **edge)
    axes.bar(labels, on_others, bottom=on_digit, color=COLOURS["sky"], hatch="//", label="on other digits", **edge)
    axes.set(ylabel="errors")
    axes.tick_params(axis="x", labelsize=9)
    axes.legend()
