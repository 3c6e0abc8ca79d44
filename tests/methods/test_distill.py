"""distill: the loss by its definition, teachers that stay as they are, and the class that was missing."""

import copy
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from course_utils.data import load_dataset
from course_utils.methods.distill import Distillation, best_bias, correct_bias_, distillation_loss, soft_targets
from course_utils.models import mlp
from course_utils.train import evaluate, fit


def softmax(z: list[float], t: float) -> list[float]:
    top = max(z)
    e = [math.exp((v - top) / t) for v in z]
    return [v / sum(e) for v in e]


def slow_loss(student, teacher, labels, t: float, alpha: float) -> float:
    total = 0.0
    for s, z, y in zip(student.tolist(), teacher.tolist(), labels.tolist(), strict=True):
        p, q = softmax(z, t), softmax(s, t)
        kl = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a)
        total += alpha * t * t * kl - (1 - alpha) * math.log(softmax(s, 1)[y])
    return total / len(labels)


@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(2, 6), st.sampled_from([0.5, 1, 4, 20]), st.floats(0, 1))
def test_the_loss_is_its_definition(seed: int, n: int, classes: int, t: float, alpha: float) -> None:
    g = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(n, classes, dtype=torch.float64, generator=g) * 3 for _ in range(2))
    labels = torch.randint(classes, (n,), generator=g)
    loss = distillation_loss(student, teacher, labels, temperature=t, alpha=alpha)
    assert float(loss) == pytest.approx(slow_loss(student, teacher, labels, t, alpha), rel=1e-9, abs=1e-12)


def test_the_gradient_is_the_papers_and_goes_to_the_student_alone() -> None:
    g = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(4, 5, dtype=torch.float64, generator=g).requires_grad_() for _ in range(2))
    labels = torch.tensor([0, 1, 2, 3])
    t = 3.0
    distillation_loss(student, teacher, labels, temperature=t, alpha=1.0).backward()
    # dC/dz = (q - p) / T (paper, equation 2), times T^2, over n rows
    expected = (F.softmax(student / t, 1) - F.softmax(teacher / t, 1)) * t / 4
    torch.testing.assert_close(student.grad, expected.detach())
    assert teacher.grad is None
    assert torch.autograd.gradcheck(
        lambda s: distillation_loss(s, teacher.detach(), labels, temperature=t, alpha=0.3), student
    )


def test_at_high_temperature_it_is_matching_logits() -> None:
    # Paper, equation 4: for centred logits the gradient of the soft term approaches (z - v) / (N T^2); ours has T^2.
    g = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(1, 6, dtype=torch.float64, generator=g) for _ in range(2))
    student, teacher = (z - z.mean() for z in (student, teacher))
    student.requires_grad_()
    distillation_loss(student, teacher, torch.tensor([0]), temperature=1e4, alpha=1.0).backward()
    torch.testing.assert_close(student.grad, (student.detach() - teacher) / 6, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0}, "temperature must be positive"),
        ({"temperature": -1}, "temperature must be positive"),
        ({"temperature": math.nan}, "temperature must be positive"),
        ({"alpha": 1.2}, "alpha must be between 0 and 1, got 1.2"),
        ({"teacher_logits": torch.zeros(2, 4)}, r"teacher \(2, 4\)"),
        ({"labels": torch.zeros(3)}, r"labels \(3,\)"),
    ],
)
def test_wrong_arguments(change: dict, message: str) -> None:
    z = torch.zeros(2, 3)
    right = {"student_logits": z, "teacher_logits": z, "labels": torch.tensor([0, 1]), "temperature": 2, "alpha": 0.5}
    with pytest.raises(ValueError, match=message):
        distillation_loss(**(right | change))


@pytest.mark.parametrize("training", [True, False])
def test_soft_targets_ask_in_eval_mode_and_leave_no_trace(training: bool) -> None:
    teacher = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).train(training)
    before = copy.deepcopy(teacher.state_dict())
    x = torch.randn(10, 4)
    targets = soft_targets(teacher, x, temperature=5, rows=3)
    assert not targets.requires_grad
    assert teacher.training == training
    assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())
    torch.testing.assert_close(targets, F.softmax(teacher.eval()(x) / 5, 1).detach())


def slow_best(logits: torch.Tensor, labels: torch.Tensor, label: int) -> int:
    """The least number of errors over a fine grid of shifts and the places between all margins."""
    others = logits.clone()
    others[:, label] = -math.inf
    margins = sorted(set((others.max(1).values - logits[:, label]).tolist()))
    shifts = [margins[0] - 1, margins[-1] + 1, *((a + b) / 2 for a, b in itertools.pairwise(margins))]
    return min(errors_with(logits, labels, label, shift) for shift in shifts)


def errors_with(logits: torch.Tensor, labels: torch.Tensor, label: int, shift: float) -> int:
    moved = logits.double().clone()
    moved[:, label] += shift
    return int((moved.argmax(1) != labels).sum())


@given(st.integers(0, 2**31), st.integers(1, 25), st.integers(2, 4))
def test_the_best_bias_is_the_best(seed: int, n: int, classes: int) -> None:
    g = torch.Generator().manual_seed(seed)
    logits = torch.randint(-4, 5, (n, classes), generator=g).double()  # many ties
    labels = torch.randint(classes, (n,), generator=g)
    shift = best_bias(logits, labels, label=0)
    assert errors_with(logits, labels, 0, shift) == slow_best(logits, labels, 0)
    if errors_with(logits, labels, 0, 0.0) == slow_best(logits, labels, 0) and 0 not in (
        (logits[:, 1:].max(1).values - logits[:, 0]).tolist()
    ):
        assert shift == 0  # nothing to mend


def test_best_bias_and_correct_bias_refuse_what_they_cannot_do() -> None:
    with pytest.raises(ValueError, match="at least 2 classes"):
        best_bias(torch.zeros(0, 3), torch.zeros(0), label=0)
    with pytest.raises(ValueError, match="label must be between 0 and 2, got 3"):
        best_bias(torch.zeros(1, 3), torch.zeros(1), label=3)
    with pytest.raises(ValueError, match="linear layer with a bias"):
        correct_bias_(nn.Linear(3, 2, bias=False), label=0, shift=1.0)


@pytest.fixture(scope="module")
def teacher() -> nn.Module:
    torch.manual_seed(0)
    model = mlp([64, 200, 100, 10])
    fit(model, load_dataset("digits"), epochs=20, batch_size=32, lr=0.003, progress=False, device="cpu")
    return model


def test_a_student_learns_from_its_teacher_with_fit(teacher: nn.Module) -> None:
    digits = load_dataset("digits").subset(300)
    before = copy.deepcopy(teacher.state_dict())
    torch.manual_seed(1)
    student = mlp([64, 20, 10])
    distillation = Distillation(student, teacher, temperature=5, alpha=0.9)
    assert {id(p) for p in distillation.parameters()} == {id(p) for p in student.parameters()}
    history = fit(
        distillation, digits, epochs=30, batch_size=32, lr=0.01, loss=distillation.loss, progress=False, device="cpu"
    )
    metrics = evaluate(student, digits)
    assert metrics.accuracy > 0.88
    assert metrics.accuracy == history.test_accuracy[-1]
    assert metrics.loss == pytest.approx(history[-1].test_loss)  # the plain loss on the test part
    assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())


def test_a_class_that_no_transfer_row_shows_comes_back_with_its_bias(teacher: nn.Module) -> None:
    digits = load_dataset("digits")
    lacking = digits.without(3)
    assert 3 not in lacking.y_train
    assert torch.equal(lacking.y_test, digits.y_test)
    held_out, threes = digits.split(0.25), digits.y_test == 3
    torch.manual_seed(1)
    student = mlp([64, 60, 10])
    distillation = Distillation(student, teacher, temperature=2, alpha=0.5)
    options = {"batch_size": 32, "lr": 0.01, "progress": False, "device": "cpu"}
    fit(distillation, lacking, epochs=40, loss=distillation.loss, **options)

    def wrong_threes(model: nn.Module) -> int:
        return int((model(digits.x_test)[threes].argmax(1) != 3).sum())

    before, errors = wrong_threes(student), evaluate(student, digits).errors
    shift = best_bias(student(held_out.x_test), held_out.y_test, label=3)
    correct_bias_(student, label=3, shift=shift)
    assert shift > 0
    assert wrong_threes(student) < before < threes.sum() / 3  # most 3s are known from soft targets alone
    assert evaluate(student, digits).errors < errors

    torch.manual_seed(1)
    alone = mlp([64, 60, 10])  # without a teacher nothing is known of a 3
    fit(alone, lacking, epochs=10, **options)
    assert wrong_threes(alone) == threes.sum()
