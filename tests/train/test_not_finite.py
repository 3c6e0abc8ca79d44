"""A training whose numbers are no longer finite: it stops, leaves a good network, and names what is to blame."""

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
from course_utils.train.loop import CHECK_EVERY
from course_utils.train.memorize import memorize
from course_utils.train.not_finite import all_finite, check_labels

DIGITS = load_dataset("digits").subset(300)
NAN = float("nan")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return mlp([64, 16, 10])


def perceptron(*middle: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), *middle, nn.Linear(16, 10))


def train(model: nn.Module | None = None, data: Dataset = DIGITS, **settings: Any) -> None:
    common = {"epochs": 20, "batch_size": 32, "optimizer": "sgd", "lr": 0.1, "device": "cpu", "progress": False}
    fit(model or network(), data, **(common | settings))


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


class Log(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.log()


def scaled(model: nn.Sequential, factor: float) -> nn.Sequential:
    for p in model.parameters():
        p.data.mul_(factor)
    return model


def never_finite(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs, labels) * NAN


def no_slope(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs, labels) + (outputs * 0).abs().sqrt().mean()


def squares(outputs: Tensor, labels: Tensor) -> Tensor:
    return (outputs - F.one_hot(labels, 10)).square().mean()


def l2(lam: float) -> Regularizer:
    return Regularizer("l2", lam=lam)


BLAME: dict[str, tuple[Callable[[], None], str]] = {
    "an input": (
        lambda: train(data=with_inputs({(17, 0, 2, 3): NAN, (20, 0, 2, 3): float("inf")})),
        r"x_train\[17, 0, 2, 3\] of digits is nan \(2 such numbers in 2 rows and 1 feature\); replace these numbers",
    ),
    "the scale of the inputs": (
        lambda: train(data=replace(DIGITS, x_train=DIGITS.x_train * 1e30)),
        r"the inputs of digits reach 1e\+30: divided by that the same steps go well; scale them",
    ),
    "lr": (lambda: train(lr=1e30), r"lr=1e\+30 is too large: the same steps go well with lr=0.1"),
    "lr of adam": (lambda: train(lr=1e30, optimizer="adam"), r"lr=1e\+30 is too large: .* with lr=0.1"),
    "lr, beside a harmless lam": (lambda: train(lr=1e30, regularizer=l2(1e-9), method="gradient"), r"lr=1e\+30 is too"),
    "lr, epochs after the loss began to grow": (
        lambda: train(lr=30.0, momentum=0.0, batch_size=300, epochs=999, model=perceptron(), loss=squares),
        "in epoch 4: lr=30 is too large: the same steps go well with lr=1;",
    ),
    "weight_decay": (
        lambda: train(lr=0.01, weight_decay=1e3),
        "weight_decay=1000 is too large: without it the same steps go well; try weight_decay=1",
    ),
    "lam": (
        lambda: train(regularizer=l2(1e4), method="gradient"),
        "the regularizer's lam=10000 is too large: without it the same steps go well; try lam=1 ",
    ),
    "lam, epochs after the loss began to grow": (
        lambda: train(regularizer=l2(30.0), method="gradient"),
        "in epoch 4: the regularizer's lam=30 is too large",
    ),
    "a proximal step": (
        lambda: train(regularizer=Regularizer("l1", lam=1.0, prox=lambda w, *, step, dim=0: w * NAN)),
        "the regularizer's lam=1 is too large: without it the same steps go well; take a much smaller lam",
    ),
    "a loss": (
        lambda: train(loss=never_finite),
        "in epoch 1: the loss function never_finite returned nan for outputs of the network between -0.* and 0.*; look",
    ),
    "the derivative of a loss": (
        lambda: train(loss=no_slope),
        "the loss function no_slope has a derivative of nan for outputs of the network between",
    ),
    "a layer": (
        lambda: train(perceptron(Log())),
        r"layer '2' \(Log\) gives numbers that are not finite for inputs between -0.* and 0.*; look for a logarithm",
    ),
    "the weights at the start": (
        lambda: train(scaled(network(), NAN)),
        "the weights '1.weight' held numbers that are not finite before this epoch",
    ),
    "the size of the weights": (
        lambda: train(scaled(network(), 1e25)),
        r"the weights '1.weight' reached 1.*e\+24 before this epoch; start with smaller ones",
    ),
    "after_step": (
        lambda: train(after_step=lambda model: model[1].weight.data.mul_(NAN)),
        "after_step spoils the weights: without it the same steps go well",
    ),
}


@pytest.mark.parametrize("case", BLAME)
def test_what_is_to_blame_is_named(case: str) -> None:
    run, message = BLAME[case]
    with pytest.raises(FloatingPointError, match=message):
        run()


def test_labels_are_looked_at_before_training() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 9, got y_train\[3\] = 12 \(2 such rows\); correct them"):
        train(data=with_labels({3: 12, 5: -100}))
    with pytest.raises(ValueError, match=r"got y_test\[7\] = -1 \(1 such row\)"):
        train(data=with_labels({7: -1}, part="y_test"))
    with pytest.raises(ValueError, match="the network has 5 outputs, but digits has labels up to 9; .* 10 outputs"):
        train(mlp([64, 5]))
    few = DIGITS.without(9).without(8)
    train(mlp([64, 8]), replace(few, x_test=few.x_test[:0], y_test=few.y_test[:0]))  # no output is missing
    check_labels(DIGITS)


def test_a_loss_of_ones_own_may_give_labels_another_meaning() -> None:
    def to_the_picture(outputs: Tensor, rows: Tensor) -> Tensor:
        return F.l1_loss(outputs, DIGITS.x_train[rows].flatten(1)[:, :10])

    train(data=replace(DIGITS, y_train=torch.arange(300)), epochs=1, evaluate_every=0, loss=to_the_picture)
    # But where such a loss fails, labels that are no classes are the first thing to look at.
    with pytest.raises(FloatingPointError, match=r"epoch 1: the labels of digits must lie .* got y_train\[0\] = -100"):
        train(data=with_labels(dict.fromkeys(range(300), -100)), loss=lambda out, y: F.cross_entropy(out, y))


def test_the_network_and_the_checkpoint_are_those_of_the_last_good_epoch(tmp_path: Path) -> None:
    """The weights are spoilt by the last step of epoch 3, when the loss of that epoch is known and finite already."""
    good, spoilt, steps = network(), network(), []

    def spoil(model: nn.Module) -> None:
        steps.append(0)
        if len(steps) == 30:
            model[1].weight.data[0, 0] = NAN

    train(good, epochs=2, lr=0.01)
    path = tmp_path / "c.pt"
    with pytest.raises(FloatingPointError, match="in epoch 3: .*as it was before that epoch"):
        train(spoilt, lr=0.01, checkpoint=path, after_step=spoil)
    for p, q in zip(good.parameters(), spoilt.parameters(), strict=True):
        assert torch.equal(p, q)
    saved = load_checkpoint(path, fingerprint={})
    assert len(saved["history"]) == 2
    assert all_finite(saved["model"].values())
    assert torch.equal(saved["model"]["1.weight"], good[1].weight)


def test_training_stops_within_a_long_epoch() -> None:
    row = int(batches(300, 1, torch.Generator().manual_seed(0))[CHECK_EVERY + 5])
    calls = []

    def counted(outputs: Tensor, labels: Tensor) -> Tensor:
        calls.append(len(outputs))
        return F.cross_entropy(outputs, labels)

    with pytest.raises(FloatingPointError, match=rf"in epoch 1: x_train\[{row}, 0, 0, 0\] of digits is nan"):
        train(data=with_inputs({(row, 0, 0, 0): NAN}), batch_size=1, loss=counted)
    assert len(calls) == 2 * CHECK_EVERY


def test_the_search_for_a_reason_changes_nothing() -> None:
    model = network()
    before = [p.detach().clone() for p in model.parameters()]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    with pytest.raises(FloatingPointError):
        train(model, lr=1e30, regularizer=l2(1e-9))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert not any(module._forward_hooks for module in model.modules())


# Many networks


def train_many(settings: list[dict[str, Any]], data: Dataset = DIGITS, **common: Any) -> None:
    given = {"epochs": 20, "batch_size": 32, "optimizer": "sgd", "lr": 0.1, "device": "cpu", "progress": False}
    fit_many(network, data, settings=settings, **(given | common))


def test_of_many_networks_each_is_told_what_is_to_blame() -> None:
    message = r"epoch 1 of the networks \[1, 3\]: network 1: lr=1e\+30 is too .*; network 3: lr=1e\+28 is too large"
    with pytest.raises(FloatingPointError, match=message):
        train_many([{"lr": 0.1}, {"lr": 1e30}, {"lr": 0.01}, {"lr": 1e28}])
    # Of different kinds of penalty, so that they lie in the stack in another order; they fail epochs after they begin.
    path = [{"regularizer": l2(30.0), "seed": 1}, {}, {"regularizer": Regularizer("l1", lam=1e-4), "seed": 2}]
    with pytest.raises(FloatingPointError, match=r"epoch 4 of the networks \[0\]: network 0: the regularizer's lam=30"):
        train_many(path, method="gradient")
    with pytest.raises(FloatingPointError, match=r"\[0, 1\]: x_train\[17, 0, 2, 3\] of digits is nan"):
        train_many([{"lr": 0.1}, {"lr": 0.2}], with_inputs({(17, 0, 2, 3): NAN}))
    with pytest.raises(FloatingPointError, match="network 0: the loss function never_finite returned nan"):
        train_many([{}], loss=never_finite)
    with pytest.raises(ValueError, match=r"got y_train\[3\] = 12"):
        train_many([{}], with_labels({3: 12}))
    with pytest.raises(ValueError, match="the network has 5 outputs"):
        fit_many(lambda: mlp([64, 5]), DIGITS, settings=[{}], epochs=1, progress=False)


def test_weights_that_only_the_last_step_spoils_are_seen() -> None:
    """One step in all: its loss is finite, and what it leaves is not."""
    large = replace(DIGITS, x_train=DIGITS.x_train * 100)
    with pytest.raises(FloatingPointError, match=r"in epoch 1 of the networks \[0\]: network 0: lr=1e\+38 is too"):
        train_many([{"lr": 1e38}], large, batch_size=300, epochs=1)


def test_networks_that_learn_by_heart() -> None:
    with pytest.raises(
        FloatingPointError, match=r"epoch 1 of the networks \[0, 1\]: lr=1e\+30 is too large; try lr=0.1"
    ):
        list(memorize(network, [DIGITS, DIGITS], epochs=2, lr=1e30, optimizer="sgd"))
    with pytest.raises(FloatingPointError, match=r"of the networks \[1\]: x_train\[1, 0, 2, 3\] of digits is nan"):
        list(memorize(network, [DIGITS, with_inputs({(1, 0, 2, 3): NAN})], epochs=2))
    with pytest.raises(ValueError, match=r"got y_train\[3\] = 12"):
        next(memorize(network, [DIGITS, with_labels({3: 12})], epochs=2))
