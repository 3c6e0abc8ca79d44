"""Networks trained together against the same networks trained one after the other."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.data import load_dataset
from course_utils.methods.penalties import Regularizer, prox_group, sparsity
from course_utils.models import mlp
from course_utils.train import fit
from course_utils.train.ensemble import fit_many

DIGITS = load_dataset("digits").subset(260)
LAMS = [0.0, 1e-4, 1e-3, 5e-3]
KINDS = ["l1", "l2", "elastic_net", "group", "sparse_group"]


def small() -> nn.Module:
    return mlp([64, 20, 12, 10])


def convolutional() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10))


def compare(settings: list[dict[str, Any]], make: Any = small, **common: Any) -> list[nn.Module]:
    common = {"epochs": 3, "batch_size": 64, "optimizer": "sgd", "lr": 0.1, "progress": False} | common
    together = fit_many(make, DIGITS, settings=settings, **common)
    for entry, (model, history) in zip(settings, together, strict=True):
        torch.manual_seed(entry.get("seed", common.get("seed", 0)))
        alone = make()
        expected = fit(alone, DIGITS, **(common | entry))
        for p, q in zip(model.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(p, q, atol=2e-4, rtol=1e-3)
        for a, b in zip(history, expected, strict=True):
            assert a.train_loss == pytest.approx(b.train_loss, rel=1e-3, abs=1e-4)
            assert a.test_loss == pytest.approx(b.test_loss, rel=1e-3, abs=1e-4)
            assert a.test_accuracy == pytest.approx(b.test_accuracy, abs=0.005)
    return [model for model, _ in together]


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_of_lambdas(kind: str) -> None:
    models = compare([{"regularizer": Regularizer(kind, lam=lam)} for lam in LAMS])
    zeros = [sum(sparsity(m)) for m in models]
    assert (zeros[-1] > 0) == (kind != "l2")


def test_every_kind_at_once_in_any_order() -> None:
    mixed: list[dict[str, Any]] = [{"regularizer": Regularizer(kind, lam=1e-3)} for kind in (*KINDS, *KINDS[::-1])]
    compare([{}, *mixed, {"regularizer": None}])


def test_seeds_rates_and_decays_of_their_own() -> None:
    compare([{"seed": s, "lr": lr} for s, lr in ((0, 0.1), (1, 0.03), (2, 0.01))])
    compare([{"weight_decay": d} for d in (0.0, 0.01, 0.1)])
    compare([{"lr": lr} for lr in (1e-3, 3e-3)], optimizer="adam", weight_decay=0.01)


@pytest.mark.parametrize(
    "common", [{"method": "gradient"}, {"schedule": "cosine"}, {"momentum": 0.0}, {"batch_size": 100}]
)
def test_common_settings(common: dict) -> None:
    compare([{"regularizer": Regularizer("sparse_group", lam=lam)} for lam in LAMS], **common)


def test_an_own_loss_and_an_own_step() -> None:
    compare([{"lr": 0.1}, {"lr": 0.05}], loss=lambda out, y: F.cross_entropy(out, y, label_smoothing=0.2))
    reader_prox = lambda w, *, step, dim: prox_group(w, step=step, dim=dim)  # noqa: E731
    theirs = compare([{"regularizer": Regularizer("group", lam=lam, prox=reader_prox)} for lam in LAMS])
    ours = compare([{"regularizer": Regularizer("group", lam=lam)} for lam in LAMS])
    for a, b in zip(theirs, ours, strict=True):
        torch.testing.assert_close(a[1].weight, b[1].weight)


def test_other_networks_take_the_general_way() -> None:
    settings = [{"seed": s, "regularizer": Regularizer("group", lam=1e-3)} for s in range(3)]
    compare(settings, make=convolutional)
    compare(settings[:2], make=lambda: nn.Sequential(mlp([64, 8, 10]), nn.ReLU()))


def test_dropout_runs_and_frozen_parameters_stay() -> None:
    def make() -> nn.Module:
        model = nn.Sequential(*mlp([64, 16, 10])[:3], nn.Dropout(0.5), nn.Linear(16, 10))
        model[1].weight.requires_grad_(False)
        return model

    trained = fit_many(make, DIGITS, settings=[{"seed": 0}, {"seed": 0}], epochs=2, progress=False)
    (a, _), (b, _) = trained
    torch.manual_seed(0)
    assert torch.equal(a[1].weight, make()[1].weight)
    assert torch.equal(a[1].weight, b[1].weight)
    assert a.training


def test_the_callers_stream_is_left_alone() -> None:
    torch.manual_seed(3)
    fit_many(small, DIGITS, settings=[{}], epochs=1, progress=False)
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(1))


def test_errors() -> None:
    with pytest.raises(ValueError, match="one or more settings"):
        fit_many(small, DIGITS, settings=[], epochs=1, progress=False)
    with pytest.raises(ValueError, match="may set seed, lr, weight_decay, regularizer, got epochs"):
        fit_many(small, DIGITS, settings=[{"epochs": 3}], epochs=1, progress=False)
    with pytest.raises(ValueError, match="no after_step"):
        fit_many(small, DIGITS, settings=[{}], epochs=1, after_step=print, progress=False)
    with pytest.raises(ValueError, match="running statistics, got BatchNorm1d in layer '1'"):
        fit_many(
            lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64)), DIGITS, settings=[{}], epochs=1, progress=False
        )
    with pytest.raises(FloatingPointError, match=r"of the networks \[1\]"):
        fit_many(small, DIGITS, settings=[{"lr": 0.1}, {"lr": 1e30}], optimizer="sgd", epochs=3, progress=False)


@pytest.mark.gpu
def test_gpu_agrees_with_cpu() -> None:
    settings = [{"regularizer": Regularizer("group", lam=lam)} for lam in LAMS]
    common = {"epochs": 3, "optimizer": "sgd", "lr": 0.1, "progress": False}
    for (a, _), (b, _) in zip(
        fit_many(small, DIGITS, settings=settings, device="cuda", **common),
        fit_many(small, DIGITS, settings=settings, device="cpu", **common),
        strict=True,
    ):
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            torch.testing.assert_close(p, q, atol=1e-3, rtol=1e-3)
