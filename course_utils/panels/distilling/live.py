"""A small student while it trains: on labels only, and on the teacher's softened answers as well."""

from collections.abc import Iterator

from matplotlib.figure import Figure

from course_utils.data import Dataset
from course_utils.experiments.distilling.student import Loss, StudentPair, error_percent, train_pair
from course_utils.experiments.distilling.teacher import teacher
from course_utils.experiments.lesson import lesson_data
from course_utils.models import count_parameters
from course_utils.panels.engine import Choice, Panel, Show, Slider, Train
from course_utils.plots import COLOURS, legend

__all__ = ["live_training"]

ROWS = (50, 100, 200, 400, 1000)
WIDTHS = (4, 8, 16, 32, 64)


def live_training(data: str | Dataset = "digits", *, loss: Loss | None = None) -> Panel:
    """Two students that start alike, one of them distilled, epoch by epoch (Hinton, Vinyals, Dean 2015).

    `loss`: a function ``loss(student_logits, teacher_logits, labels, *, temperature, alpha)`` in the place of
    `distillation_loss`.
    """
    dataset, large = lesson_data(data), teacher(data)
    teacher_error, teacher_parameters = error_percent(large, dataset), count_parameters(large)
    row_counts = [n for n in ROWS if n <= len(dataset.y_train)]
    controls = [
        Train(),
        Slider(name="temperature", label="Temperature T", values=(1, 2, 4, 8, 20), value=4),
        Slider(name="alpha", label="α, weight of the teacher", values=(0, 0.25, 0.5, 0.75, 0.9, 1), value=0.9),
        Slider(name="width", label="Hidden neurons of the student", values=WIDTHS, value=32),
        Slider(name="rows", label="Training rows", values=row_counts, value=100),
        Choice(name="seed", label="Initial weights", options={"seed 0": 0, "seed 1": 1, "seed 2": 2}),
    ]

    def compute(
        train: bool, temperature: float, alpha: float, width: float, rows: float, seed: int
    ) -> Iterator[StudentPair | None]:
        yield from train_pair(
            dataset,
            large,
            temperature=temperature,
            alpha=alpha,
            width=int(width),
            rows=int(rows),
            seed=seed,
            train=train,
            loss=loss,
        )

    title = "A student and its twin" if loss is None else "A student taught by your loss"

    def draw(figure: Figure) -> Show:
        return PairPicture(figure, teacher_error, teacher_parameters).show

    return Panel(title, controls, compute, draw, size=(960, 380))


class PairPicture:
    """The test errors of both students over the training, and the teacher's."""

    def __init__(self, figure: Figure, teacher_error: float, teacher_parameters: int) -> None:
        self.teacher_error, self.teacher_parameters = teacher_error, teacher_parameters
        axes = figure.subplots()
        (self.alone,) = axes.plot([], [], "s--", ms=7, color=COLOURS["orange"], label="labels only")
        (self.distilled,) = axes.plot([], [], "o-", ms=4, color=COLOURS["blue"], label="distilled")
        axes.axhline(teacher_error, color=COLOURS["grey"], ls=":", label="teacher")
        axes.set(xlim=(-0.01, 1.01), xlabel="progress of training", ylabel="test error (%)")
        axes.set(yscale="log", ylim=(0.7 * max(teacher_error, 0.5), 115))  # from the start, 90 %, to the teacher's
        axes.set_yticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
        axes.minorticks_off()
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["start", "¼", "½", "¾", "end"])
        legend(figure, loc="outside lower left", ncols=3)

    def show(self, pair: StudentPair) -> str:
        """Draw the epochs so far."""
        for line, errors in ((self.alone, pair.alone), (self.distilled, pair.distilled)):
            line.set_data([i / pair.epochs for i in range(len(errors))], errors)
            line.set_markevery(max(1, pair.epochs // 20))
        return describe(pair, self.teacher_error, self.teacher_parameters)


def describe(pair: StudentPair, teacher_error: float, teacher_parameters: int) -> str:
    """The sentences under the panel: the test errors of both students and of the teacher, and their sizes."""
    size = f"{pair.parameters:,} parameters, the teacher {teacher_parameters:,}"
    if len(pair.alone) == 1:
        return (
            f"Ready: the student has {size}; untrained, its test error is {pair.alone[-1]:.1f} %, the teacher's "
            f"{teacher_error:.1f} %."
        )
    return (
        f"Epoch {len(pair.alone) - 1}: test error {pair.alone[-1]:.1f} % with labels only, "
        f"{pair.distilled[-1]:.1f} % distilled; teacher {teacher_error:.1f} %. The student has {size}."
    )
