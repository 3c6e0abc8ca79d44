"""A training whose numbers are no longer finite: it stops, leaves a good network, and says what usually helps."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_utils.data import Dataset, load_dataset
from course_utils.methods.penalties import Regularizer
from course_utils.models import mlp
from course_utils.train import batches, fit
from course_utils.train.checkpoint import load_checkpoint
from course_utils.train.ensemble import fit_many
from course_utils.train.memorize import memorize
from course_utils.train.not_finite import all_finite
from course_utils.train.training import CHECK_EVERY

DIGITS = load_dataset("digits").subset(300)
NAN = float("nan")
COMMON = {"epochs": 20, "batch_size": 32, "optimizer": "sgd", "lr": 0.1, "device": "cpu", "progress": False}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return mlp([64, 16, 10])


def train(model: nn.Module | None = None, data: Dataset = DIGITS, **settings: Any) -> None:
    fit(model or network(), data, **(COMMON | settings))


def train_many(settings: list[dict[str, Any]], data: Dataset = DIGITS, **common: Any) -> None:
    fit_many(network, data, settings=settings, **(COMMON | common))


def with_inputs(places: dict[tuple[int, ...], float]) -> Dataset:
    x = DIGITS.x_train.clone()
    for place, value in places.items():
        x[place] = value
    return replace(DIGITS, x_train=x)


def with_labels(places: dict[int, int], *, part: str = "y_train") -> Dataset:
    y = getattr(DIGITS, part).clone()
    for place, value in places.items():
        y[place] = value
    return replace(DIGITS, **{part: y})


def scaled(model: nn.Sequential, factor: float) -> nn.Sequential:
    for p in model.parameters():
        p.data.mul_(factor)
    return model


def never_finite(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs, labels) * NAN


CASES: dict[str, tuple[Callable[[], None], str]] = {
    "an input": (
        lambda: train(data=with_inputs({(17, 0, 2, 3): NAN, (20, 0, 2, 3): float("inf")})),
        r"of epoch 1: the loss is nan; x_train\[17, 0, 2, 3\] of digits is nan "
        r"\(2 such numbers in 2 rows and 1 feature\); replace these numbers",
    ),
    "the scale of the inputs": (
        lambda: train(data=replace(DIGITS, x_train=DIGITS.x_train * 1e30)),
        r"what usually helps: a smaller lr than 0.1, or inputs scaled to about 1 \(those of digits reach 1e\+30\)",
    ),
    "lr": (
        lambda: train(lr=1e30),
        r"since step [2-9] of epoch 1: the loss is (nan|inf); what usually helps: a smaller lr than 1e\+30",
    ),
    "lam": (
        lambda: train(regularizer=Regularizer("l2", lam=1e6), method="gradient"),
        r"epoch 1: the loss is \w+; what usually helps: a smaller lr than 0.1, or a smaller lam than 1e\+06 \(",
    ),
    "weight_decay": (lambda: train(weight_decay=1e6), r"or a smaller weight_decay than 1e\+06 \("),
    "a loss function": (
        lambda: train(loss=never_finite),
        "since step 1 of epoch 1: the loss is nan; what usually helps: a loss function without a logarithm, a root",
    ),
    "after_step": (
        lambda: train(after_step=lambda model: model[1].weight.data.mul_(NAN)),
        "since step 2 of epoch 1: .* or a training without after_step",
    ),
    "weights that are not finite": (
        lambda: train(scaled(network(), NAN)),
        "the weights '1.weight' were not finite before this epoch; start from other weights",
    ),
    "large weights": (lambda: train(scaled(network(), 1e25)), r"weights '1.weight' was 1.*e\+24 before this epoch"),
    "labels, which another loss function may refuse": (
        lambda: train(data=with_labels(dict.fromkeys(range(300), -100)), loss=lambda out, y: F.cross_entropy(out, y)),
        r"if the loss takes the labels as classes, the labels of digits must lie .* got y_train\[0\] = -100",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_sentence_says_what_since_when_and_what_helps(case: str) -> None:
    run, message = CASES[case]
    with pytest.raises(FloatingPointError, match=message):
        run()


def test_labels_are_checked_before_training() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 9, got y_train\[3\] = 12 \(2 such rows\); correct them"):
        train(data=with_labels({3: 12, 5: -100}))
    with pytest.raises(ValueError, match=r"got y_test\[7\] = -1 \(1 such row\)"):
        train(data=with_labels({7: -1}, part="y_test"))
    with pytest.raises(ValueError, match=r"got y_train\[3\] = 12"):
        train_many([{}], with_labels({3: 12}))
    with pytest.raises(ValueError, match="the network has 5 outputs, but digits has labels up to 9; .* 10 outputs"):
        train(mlp([64, 5]))
    with pytest.raises(ValueError, match="the network has 5 outputs"):
        fit_many(lambda: mlp([64, 5]), DIGITS, settings=[{}], epochs=1, progress=False)
    few = DIGITS.without(9).without(8)
    train(mlp([64, 8]), replace(few, x_test=few.x_test[:0], y_test=few.y_test[:0]))  # no output is missing


def test_another_loss_may_give_labels_another_meaning() -> None:
    def to_the_picture(outputs: Tensor, rows: Tensor) -> Tensor:
        return F.l1_loss(outputs, DIGITS.x_train[rows].flatten(1)[:, :10])

    train(data=replace(DIGITS, y_train=torch.arange(300)), epochs=1, evaluate_every=0, loss=to_the_picture)


def test_the_network_and_the_checkpoint_are_those_of_the_last_good_epoch(tmp_path: Path) -> None:
    """The weights are spoilt by the last step of epoch 3, when the loss of that epoch is known and finite already."""
    good, spoilt, steps = network(), network(), []

    def spoil(model: nn.Module) -> None:
        steps.append(0)
        if len(steps) == 30:
            model[1].weight.data[0, 0] = NAN

    train(good, epochs=2, lr=0.01)
    path = tmp_path / "c.pt"
    message = "since step 10 of epoch 3: the weights '1.weight' are not finite; .*as it was before that epoch"
    with pytest.raises(FloatingPointError, match=message):
        train(spoilt, lr=0.01, checkpoint=path, after_step=spoil)
    for p, q in zip(good.parameters(), spoilt.parameters(), strict=True):
        assert torch.equal(p, q)
    saved = load_checkpoint(path).state
    assert len(saved["history"]) == 2
    assert all_finite(saved["model"].values())
    assert torch.equal(saved["model"]["1.weight"], good[1].weight)


def test_training_stops_within_a_long_epoch_and_knows_the_step() -> None:
    step = CHECK_EVERY + 6
    row = int(batches(300, 1, torch.Generator().manual_seed(0))[step - 1])
    calls = []

    def counted(outputs: Tensor, labels: Tensor) -> Tensor:
        calls.append(len(outputs))
        return F.cross_entropy(outputs, labels)

    model = mlp([64, 10])
    random_state = torch.get_rng_state()
    with pytest.raises(FloatingPointError, match=rf"since step {step} of epoch 1: .* x_train\[{row}, 0, 0, 0\] of"):
        train(model, with_inputs({(row, 0, 0, 0): NAN}), batch_size=1, loss=counted)
    assert len(calls) == 2 * CHECK_EVERY
    assert torch.equal(torch.get_rng_state(), random_state)


def test_of_many_networks_those_that_fail_are_named() -> None:
    message = r"\[1, 3\]: network 1: what usually helps: a smaller lr than 1e\+30; network 3: .* lr than 1e\+28$"
    with pytest.raises(FloatingPointError, match=message):
        train_many([{"lr": 0.1}, {"lr": 1e30}, {"lr": 0.01}, {"lr": 1e28}])
    # Of different kinds of penalty, so that they lie in the stack in another order; the first fails epochs later.
    path = [{"regularizer": Regularizer("l2", lam=30.0), "seed": 1}, {}, {"regularizer": Regularizer("l1", lam=1e-4)}]
    with pytest.raises(FloatingPointError, match=r"epoch 4 of the networks \[0\]: .* or a smaller lam than 30$"):
        train_many(path, method="gradient")
    # One step in all: its loss is finite, and the weights after it are not.
    large = replace(DIGITS, x_train=DIGITS.x_train * 100)
    with pytest.raises(FloatingPointError, match=r"in epoch 1 of the networks \[0\]: .* smaller lr than 1e\+38"):
        train_many([{"lr": 1e38}], large, batch_size=300, epochs=1)


def test_networks_that_memorize() -> None:
    with pytest.raises(FloatingPointError, match=r"epoch 1 of the networks \[0, 1\]: .* a smaller lr than 1e\+30"):
        list(memorize(network, [DIGITS, DIGITS], epochs=2, lr=1e30, optimizer="sgd"))
    with pytest.raises(FloatingPointError, match=r"of the networks \[1\]: x_train\[1, 0, 2, 3\] of digits is nan"):
        list(memorize(network, [DIGITS, with_inputs({(1, 0, 2, 3): NAN})], epochs=2))
    with pytest.raises(ValueError, match=r"got y_train\[3\] = 12"):
        next(memorize(network, [DIGITS, with_labels({3: 12})], epochs=2))
