"""Training against a plain loop, to the bit; checkpoints that resume; clear errors."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.data import Dataset, load_dataset
from course_utils.methods.penalties import Regularizer, active_neurons, prox_group
from course_utils.models import mlp
from course_utils.train import History, batches, evaluate, fit, fit_epochs, pick_device

DIGITS = load_dataset("digits").subset(300)


def network(*, dropout: float = 0.0, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    model = mlp([64, 16, 10])
    return nn.Sequential(*model[:3], nn.Dropout(dropout), model[3])


def train(model: nn.Module, **settings: Any) -> History:
    return fit(model, DIGITS, **({"epochs": 3, "batch_size": 64, "progress": False} | settings))


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


# What training does


def test_fit_learns_the_digits() -> None:
    model = network()
    history = fit(model, load_dataset("digits"), epochs=8, lr=0.01, batch_size=32, progress=False)
    assert history.test_accuracy[-1] > 0.93
    assert history[0].train_loss > history[-1].train_loss
    assert evaluate(model, load_dataset("digits")).accuracy == history.test_accuracy[-1]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_fit_is_a_plain_loop_to_the_bit(optimizer: str) -> None:
    model, plain = network(), network()
    train(model, optimizer=optimizer, lr=0.01, weight_decay=0.1)
    if optimizer == "adam":
        step = torch.optim.Adam(plain.parameters(), lr=0.01, weight_decay=0.1, fused=True)
    else:
        step = torch.optim.SGD(plain.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1, fused=True)
    order = torch.Generator().manual_seed(0)
    for _ in range(3):
        for rows in torch.randperm(300, generator=order).split(64):
            step.zero_grad()
            F.cross_entropy(plain(DIGITS.x_train[rows]), DIGITS.y_train[rows]).backward()
            step.step()
    assert same(model, plain)


def test_the_same_seed_gives_the_same_network_and_leaves_the_callers_stream_alone() -> None:
    a, b, c = network(dropout=0.3), network(dropout=0.3), network(dropout=0.3)
    torch.manual_seed(5)
    train(a, seed=3)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    train(b, seed=3)
    train(c, seed=4)
    assert same(a, b)
    assert not same(a, c)


def test_weight_decay_is_twice_lambda_of_l2() -> None:
    a, b = network(), network()
    train(a, optimizer="sgd", lr=0.05, weight_decay=0.02)
    train(b, optimizer="sgd", lr=0.05, regularizer=Regularizer("l2", lam=0.01), method="gradient")
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-5, rtol=1e-4)


def test_proximal_steps_leave_exact_zeros_and_gradients_none() -> None:
    dead, alive = network(), network()
    regularizer = Regularizer("group", lam=3e-3)
    train(dead, epochs=15, optimizer="sgd", lr=0.1, regularizer=regularizer)
    train(alive, epochs=15, optimizer="sgd", lr=0.1, regularizer=regularizer, method="gradient")
    assert active_neurons(dead)[0] < 60
    assert active_neurons(alive)[0] == 64


def test_both_methods_seek_the_same_minimum_with_momentum() -> None:
    """A quadratic with a known minimum: that of (w - 1)^2 / 2 + lam |w| is at 1 - lam."""
    x = torch.ones(64, 1)
    data = Dataset("line", x, torch.zeros(64, dtype=torch.int64), x[:1], torch.zeros(1, dtype=torch.int64), classes=1)
    for momentum in (0.0, 0.9):
        for method in ("prox", "gradient"):
            model = nn.Linear(1, 1, bias=False)
            fit(
                model,
                data,
                epochs=300,
                batch_size=64,
                optimizer="sgd",
                momentum=momentum,
                lr=0.05,
                loss=lambda out, _: (out - 1).square().mean() / 2,
                regularizer=Regularizer("l1", lam=0.3),
                method=method,
                evaluate_every=0,
                progress=False,
            )
            assert float(model.weight.detach()) == pytest.approx(0.7, abs=1e-3)


def test_the_proximal_step_follows_the_schedule() -> None:
    steps = []

    def recording_prox(w: torch.Tensor, *, step: float, dim: int) -> torch.Tensor:
        steps.append(step)
        return prox_group(w, step=step, dim=dim)

    train(
        network(), schedule="cosine", lr=0.1, epochs=2, regularizer=Regularizer("group", lam=0.1, prox=recording_prox)
    )
    assert steps[0] == pytest.approx(0.01)
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] < 1e-3


def test_after_each_step_a_mask_can_be_applied() -> None:
    model = network()
    mask = torch.rand_like(model[1].weight) < 0.5

    def apply(m: nn.Sequential) -> None:
        m[1].weight.data.mul_(mask)

    train(model, after_step=apply)
    assert torch.equal(model[1].weight == 0, ~mask)


def test_frozen_parameters_stay() -> None:
    model = network()
    model[1].weight.requires_grad_(False)
    before = model[1].weight.clone()
    train(model, regularizer=Regularizer("l1", lam=0.1))
    assert torch.equal(model[1].weight, before)


def test_history_and_evaluation() -> None:
    model = network()
    model.eval()
    history = train(model, epochs=5, evaluate_every=2)
    assert [e.test_accuracy is not None for e in history] == [False, True, False, True, True]
    assert len(history.train_loss) == 5
    assert history.seconds > 0
    assert "History of 5 epochs" in repr(history)
    assert repr(History()) == "History of 0 epochs"
    model.train()
    metrics = evaluate(model, DIGITS)
    assert model.training
    logits = model.eval()(DIGITS.x_test).detach()
    assert metrics.errors == int((logits.argmax(1) != DIGITS.y_test).sum())
    assert metrics.loss == pytest.approx(float(F.cross_entropy(logits, DIGITS.y_test)), rel=1e-5)


def test_epochs_come_one_by_one_and_may_be_abandoned() -> None:
    model = network()
    lengths = []
    for history in fit_epochs(model, DIGITS, epochs=10):
        lengths.append(len(history))
        if len(history) == 2:
            break
    assert lengths == [0, 1, 2]
    assert len(train(network(), epochs=0)) == 0


def test_a_last_batch_of_one_row_joins_the_one_before() -> None:
    sizes = [len(b) for b in batches(129, 64, torch.Generator())]
    assert sizes == [64, 65]
    assert [len(b) for b in batches(1, 64, torch.Generator())] == [1]
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))
    fit(model, DIGITS.subset(129), epochs=1, batch_size=64, progress=False)


# Checkpoints


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "adam"},
        {"optimizer": "sgd", "lr": 0.1, "schedule": "cosine"},
        {"optimizer": "sgd", "lr": 0.1, "regularizer": Regularizer("sparse_group", lam=1e-3)},
    ],
)
def test_a_resumed_training_ends_with_the_same_bits(settings: dict, tmp_path: Path) -> None:
    uninterrupted, resumed, path = network(dropout=0.3), network(dropout=0.3), tmp_path / "c.pt"
    expected = train(uninterrupted, epochs=4, **settings)
    first = network(dropout=0.3)
    for history in fit_epochs(first, DIGITS, epochs=4, batch_size=64, checkpoint=path, **settings):
        if len(history) == 2:
            break
    history = train(resumed, epochs=4, checkpoint=path, **settings)
    assert same(uninterrupted, resumed)
    assert history.train_loss == expected.train_loss
    assert os.listdir(tmp_path) == ["c.pt"]
    again = network(dropout=0.3)
    train(again, epochs=4, checkpoint=path, **settings)  # nothing left to do: the network is loaded
    assert same(uninterrupted, again)


def test_a_checkpoint_may_be_trained_further(tmp_path: Path) -> None:
    uninterrupted, model = network(), network()
    train(uninterrupted, epochs=4)
    train(model, epochs=2, checkpoint=tmp_path / "c.pt")
    assert len(train(model, epochs=4, checkpoint=tmp_path / "c.pt")) == 4
    assert same(uninterrupted, model)


def test_fewer_epochs_than_a_checkpoint_has_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    train(network(), checkpoint=path)
    untouched = network()
    with pytest.raises(ValueError, match="checkpoint of 3 epochs, got epochs=2; ask for as many or more"):
        train(untouched, epochs=2, checkpoint=path)
    assert same(untouched, network())


class Telling(nn.Linear):
    """Prints what it has learned."""

    def extra_repr(self) -> str:
        return f"bias {float(self.bias.detach()[0])}"


def test_what_a_network_prints_of_itself_may_change_as_it_learns(tmp_path: Path) -> None:
    def telling() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), Telling(64, 10))

    uninterrupted, resumed = telling(), telling()
    train(uninterrupted, epochs=4)
    train(telling(), epochs=2, checkpoint=tmp_path / "c.pt")
    assert len(train(resumed, epochs=4, checkpoint=tmp_path / "c.pt")) == 4
    assert same(uninterrupted, resumed)


@pytest.mark.parametrize("content", [torch.zeros(3), {0: 1.0}, [1, 2], {"fingerprint": 1, "state": 2}], ids=str)
def test_a_file_of_something_else_is_no_checkpoint(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="is no checkpoint, or a damaged one; delete it to start anew"):
        train(network(), checkpoint=tmp_path / "c.pt")


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_a_damaged_checkpoint_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    train(network(), checkpoint=path)
    content = path.read_bytes()
    path.write_bytes({"truncated": content[: len(content) // 2], "garbage": b"garbage" * 99, "empty": b""}[damage])
    with pytest.raises(ValueError, match="no checkpoint, or a damaged one; delete it to start anew"):
        train(network(), checkpoint=path)


# Errors


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs must be at least 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"lr": -0.1}, "lr must be at least 0"),
        ({"optimizer": "lion"}, "optimizer must be one of 'adam', 'sgd'; got 'lion'"),
        ({"schedule": "steps"}, "schedule must be one of"),
        ({"method": "magic"}, "method must be one of 'prox', 'gradient'"),
        ({"momentum": 1.0}, "momentum must be between"),
    ],
)
def test_wrong_settings(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(network(), **settings)


def test_nothing_to_train_or_to_test() -> None:
    with pytest.raises(ValueError, match="0 parameters"):
        train(nn.Flatten())
    none = replace(DIGITS, x_train=DIGITS.x_train[:0], y_train=DIGITS.y_train[:0])
    with pytest.raises(ValueError, match="0 rows of digits"):
        fit(network(), none, epochs=1, progress=False)
    untested = replace(DIGITS, x_test=DIGITS.x_test[:0], y_test=DIGITS.y_test[:0])
    with pytest.raises(ValueError, match="evaluate needs test rows"):
        evaluate(network(), untested)
    assert fit(network(), untested, epochs=1, progress=False).test_accuracy == []


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto").type == "cpu"
    with pytest.raises(ValueError, match="got 'cuda' without CUDA; use device='auto'"):
        train(network(), device="cuda")
    for absent in ("meta", "xpu"):
        with pytest.raises(ValueError, match=f"device must be one that this machine computes on, got '{absent}'"):
            pick_device(absent)


def test_the_bar_shows_the_epochs(capsys: pytest.CaptureFixture) -> None:
    train(network(), progress=True)
    assert "/3" in capsys.readouterr().err


@pytest.mark.gpu
def test_gpu_trains_like_the_cpu_and_the_network_comes_home() -> None:
    a, b = network(), network()
    train(a, device="cuda", optimizer="sgd", lr=0.1)
    train(b, device="cpu", optimizer="sgd", lr=0.1)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert p.device.type == "cpu"
        torch.testing.assert_close(p, q, atol=1e-3, rtol=1e-3)
