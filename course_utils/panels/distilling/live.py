"""A small student while it trains: on the labels alone, and on the teacher's softened answers as well."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from torch import Tensor, nn

from course_utils._support.random_numbers import random_numbers
from course_utils.data import Dataset
from course_utils.experiments.classroom import classroom, measure_accuracy
from course_utils.methods.distill import Distillation
from course_utils.models import count_parameters, mlp
from course_utils.panels.distilling.teacher import teacher
from course_utils.panels.engine import Choice, Panel, Show, Slider, Toggle
from course_utils.plots import COLOURS
from course_utils.train import fit_epochs

__all__ = ["live_training"]

ROWS = (50, 100, 200, 400, 1000)
WIDTHS = (4, 8, 16, 32, 64)

Loss = Callable[..., Tensor]


class Pair(NamedTuple):
    """Errors in percent so far, before training and after each of `epochs`: on labels alone, and distilled."""

    alone: list[float]
    taught: list[float]
    teacher: float
    student: int  # parameters
    teacher_size: int
    epochs: int


def live_training(data: str | Dataset = "digits", *, loss: Loss | None = None) -> Panel:
    """Two students that start alike, one of them taught, epoch by epoch (Hinton, Vinyals, Dean 2015).

    `loss`: your own ``loss(student_logits, teacher_logits, labels, *, temperature, alpha)`` in the place of
    `distillation_loss`.
    """
    room, large = classroom(data), teacher(data)
    best = 100 - 100 * measure_accuracy(large, room)
    rows = [n for n in ROWS if n <= len(room.y_train)]
    controls = [
        Toggle(name="train", label="Train live"),
        Slider(name="temperature", label="Temperature T", values=(1, 2, 4, 8, 20), value=4),
        Slider(name="alpha", label="α, weight of the teacher", values=(0, 0.25, 0.5, 0.75, 0.9, 1), value=0.9),
        Slider(name="width", label="Hidden neurons of the student", values=WIDTHS, value=32),
        Slider(name="rows", label="Training rows", values=rows, value=100),
        Choice(name="seed", label="Start from", options={"new networks": 0, "others": 1, "a third pair": 2}),
    ]

    def compute(train: bool, temperature: float, alpha: float, width: float, rows: float, seed: int) -> Iterator[Pair]:
        students = [student_for(room, int(width), seed) for _ in range(2)]
        part = room.subset(int(rows), seed=seed)
        start = [100 - 100 * measure_accuracy(student, room) for student in students]
        sizes = count_parameters(students[0]), count_parameters(large)
        epochs = max(20, 6000 // int(rows))
        found = Pair([start[0]], [start[1]], best, *sizes, epochs)
        yield found
        if not train:
            return
        settings: dict[str, Any] = {
            "epochs": epochs, "lr": 0.01, "batch_size": 25, "schedule": "cosine", "seed": seed, "evaluate_every": 0,
            "device": "cpu",
        }  # fmt: skip
        taught = Taught(students[1], large, temperature=temperature, alpha=alpha, own=loss)
        runs = (
            fit_epochs(students[0], part, **settings),
            fit_epochs(taught, part, loss=taught.loss, **settings),
        )
        for histories in zip(*runs, strict=True):
            if histories[0]:
                for errors, student in zip((found.alone, found.taught), students, strict=True):
                    errors.append(100 - 100 * measure_accuracy(student.eval(), room))
                yield found

    title = "A student and its twin" if loss is None else "A student taught by your loss"
    return Panel(title, controls, compute, draw, size=(960, 380))


def student_for(data: Dataset, width: int, seed: int) -> nn.Sequential:
    """A student with one hidden layer; the same one for the same seed."""
    with random_numbers(seed):
        return mlp([data.features, width, data.classes]).eval()


class Taught(Distillation):
    """Distillation, with a reader's loss if there is one."""

    def __init__(self, *args: Any, own: Loss | None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._own = own

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of one batch."""
        if self._own is None or not self.training:
            return super().loss(logits, labels)
        ours, theirs = logits.chunk(2, 1)
        found = self._own(ours, theirs, labels, temperature=self.temperature, alpha=self.alpha)
        if not isinstance(found, Tensor) or found.ndim:
            got = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"loss must return one number as a 0-d tensor, got {got}; take the mean over the rows")
        return found


def draw(figure: Figure) -> Show:
    """Two courses of errors and the teacher's."""
    axes = figure.subplots()
    (alone,) = axes.plot([], [], "s--", ms=4, markevery=0.05, color=COLOURS["orange"], label="on the labels alone")
    (taught,) = axes.plot([], [], "o-", ms=4, markevery=0.05, color=COLOURS["blue"], label="distilled")
    best = axes.axhline(1, color=COLOURS["grey"], ls=":", label="the teacher")
    axes.set(xlim=(0, 1), ylim=(0, 60), xlabel="course of the training", ylabel="errors on test rows (%)")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["start", "¼", "½", "¾", "end"])
    axes.legend(loc="upper right")

    def show(pair: Pair) -> str:
        for line, errors in ((alone, pair.alone), (taught, pair.taught)):
            line.set_data([i / pair.epochs for i in range(len(errors))], errors)
        best.set_ydata([pair.teacher] * 2)
        size = f"{pair.student:,} parameters, the teacher {pair.teacher_size:,}"
        if len(pair.alone) == 1:
            return f"Ready: a student of {size}; the teacher errs in {pair.teacher:.1f} %."
        return (
            f"Epoch {len(pair.alone) - 1}: {pair.alone[-1]:.1f} % errors on the labels alone, {pair.taught[-1]:.1f} % "
            f"distilled, the teacher {pair.teacher:.1f} %. The student has {size}."
        )

    return show
