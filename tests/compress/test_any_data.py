"""Compressing with data, losses and teachers of one's own."""

import copy
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from course_utils.compress import CompressedModel, Recipe, compress
from course_utils.compress.pipeline import compress_with_pauses
from course_utils.data import load_dataset

STEPS = Recipe(prune=0.5, prune_epochs=6, levels=8, share_epochs=6, batch_size=16, lr=0.01)
AT_ONCE = Recipe(
    prune=0.5, gradual=True, prune_epochs=12, levels=8, freezing=True, share_epochs=12, batch_size=16, lr=0.01
)


class Language(nn.Module):
    """Numbers of words to the logits of the next one, (n, words, tokens)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 16)
        self.recurrent, self.head = nn.GRU(16, 16, batch_first=True), nn.Linear(16, 30)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(self.embedding(x))[0]).transpose(1, 2)


class Sum(nn.Module):
    """Two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm = nn.Linear(3, 4), nn.Linear(2, 4), nn.BatchNorm1d(4)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.norm(self.a(a) + self.b(b))


@pytest.fixture(scope="module")
def regression() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(256, 5)
    y = torch.tanh(x @ torch.randn(5, 2))
    model = nn.Sequential(nn.Linear(5, 30), nn.Tanh(), nn.Linear(30, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
    return model, x, y


def same(a: CompressedModel, b: CompressedModel) -> bool:
    files = io.BytesIO(), io.BytesIO()
    for network, file in zip((a, b), files, strict=True):
        network.save(file)
    return files[0].getvalue() == files[1].getvalue()


@pytest.mark.parametrize("recipe", [STEPS, AT_ONCE], ids=["in steps", "at once"])
@pytest.mark.parametrize("kind", ["pair", "dataset", "loader"])
def test_a_regression_is_compressed_by_its_own_loss(regression: Any, recipe: Recipe, kind: str) -> None:
    model, x, y = regression
    rows = TensorDataset(x, y)
    data = {"pair": (x, y), "dataset": rows, "loader": DataLoader(rows, batch_size=16, shuffle=True)}[kind]
    random, before = torch.get_rng_state(), copy.deepcopy(model.state_dict())
    small = compress(
        model, recipe, data=data, loss=F.mse_loss, metric=lambda net: F.mse_loss(net(x), y), progress=False
    )
    untrained = compress(model, Recipe(prune=0.5, levels=8), metric=lambda net: F.mse_loss(net(x), y), progress=False)
    assert list(small.metrics) == ["given", "prune", "share"]
    assert small.metrics["share"] < untrained.metrics["share"] / 3
    assert small.metrics["share"] == pytest.approx(F.mse_loss(small.to_model()(x), y).item(), rel=1e-3)
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training


@pytest.mark.parametrize("kind", ["pair", "loader"])
@pytest.mark.parametrize("pauses", [1, 4, 9, 14])
def test_what_was_left_goes_on_from_its_checkpoints(regression: Any, pauses: int, kind: str, tmp_path: Path) -> None:
    model, x, y = regression
    model = nn.Sequential(*copy.deepcopy(list(model)), nn.Dropout(0.1))  # random numbers are part of the state
    data = (x, y) if kind == "pair" else DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
    settings: dict[str, Any] = {"data": data, "loss": F.mse_loss, "progress": False}
    whole = compress(model, STEPS, **settings)
    work = compress_with_pauses(model, STEPS, checkpoint=tmp_path, **settings)
    for _ in range(pauses):
        next(work)
    work.close()
    again = compress(model, STEPS, checkpoint=tmp_path, **settings)
    assert same(again, whole)
    for change in ({"data": DataLoader(TensorDataset(x, y + 1), batch_size=16)}, {"loss": F.l1_loss}):
        with pytest.raises(ValueError, match="checkpoint of another training: (data|loss)"):
            compress(model, STEPS, checkpoint=tmp_path, **(settings | change))


def test_a_teacher_of_a_regression_needs_a_loss_of_its_own(regression: Any) -> None:
    model, x, _ = regression
    noise = torch.full((len(x), 2), torch.nan)  # the targets are not looked at
    only_teacher = Recipe(prune=0.5, prune_epochs=30, lr=0.01, batch_size=16, alpha=1.0)
    small = compress(
        model,
        only_teacher,
        data=(x, noise),
        loss=F.mse_loss,
        teacher=model,
        teacher_loss=F.mse_loss,
        metric=lambda net: F.mse_loss(net(x), model(x)),
        progress=False,
    )
    assert small.metrics["prune"] < 0.05
    with pytest.raises(ValueError, match="need teacher_loss too"):
        compress(model, only_teacher, data=(x, noise), loss=F.mse_loss, teacher=model, progress=False)


def test_tokens_with_a_teacher() -> None:
    torch.manual_seed(0)
    words, model = torch.randint(30, (40, 9)), Language()
    small = compress(
        model, Recipe(prune=0.5, prune_epochs=2), data=(words[:, :-1], words[:, 1:]), teacher=model, progress=False
    )
    assert small.to_model()(words).shape == (40, 30, 9)


def test_several_inputs_as_tuples_and_by_name() -> None:
    torch.manual_seed(0)
    a, b, labels = torch.randn(33, 3), torch.randn(33, 2), torch.randint(4, (33,))  # 33: no batch of one row
    by_name = [{"a": a[i], "b": b[i], "labels": labels[i]} for i in range(32)]
    loader: Any = DataLoader(by_name, batch_size=16)  # type: ignore[arg-type]
    for data in ((a, b, labels), loader):
        given = Sum().eval()
        small = compress(given, Recipe(prune=0.5, prune_epochs=1, batch_size=16), data=data, progress=False).to_model()
        assert small(a, b).shape == (33, 4)
        assert not torch.equal(small.norm.running_mean, given.norm.running_mean), "it trains in training mode"
        assert not given.training


def test_a_loss_of_ones_own_on_a_data_set_of_the_course() -> None:
    digits = load_dataset("digits")
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    seen: list[Tensor] = []

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        seen.append(labels)
        return F.cross_entropy(logits, labels, label_smoothing=0.1)

    compress(model, Recipe(prune=0.5, prune_epochs=1), data=digits, loss=loss, progress=False)
    assert sum(len(labels) for labels in seen) == len(digits.y_train)


class Endless(IterableDataset):
    def __iter__(self) -> Any:
        while True:
            yield torch.ones(5), torch.ones(2)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"data": [1, 2]}, TypeError, "data must be a Dataset .* got list"),
        ({"data": (torch.ones(5, 5), torch.ones(4, 2))}, ValueError, r"tensors of one length, got \[5, 4\] rows"),
        ({"data": (torch.ones(0, 5), torch.ones(0, 2))}, ValueError, "no rows to train on"),
        ({"data": Endless()}, ValueError, "must have a length"),
        ({"data": DataLoader([torch.ones(5)])}, TypeError, "a batch must be .* got Tensor"),
        ({"data": (torch.ones(9, 5), torch.ones(9, 2)), "loss": lambda o, t: o - t}, ValueError, "a 0-d tensor"),
        ({"data": (torch.ones(9, 5) / 0, torch.ones(9, 2))}, FloatingPointError, "no longer finite in epoch 1"),
        ({"data": None}, ValueError, "the recipe trains, so compress needs data"),
    ],
)
def test_other_data_are_refused(regression: Any, settings: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        compress(regression[0], STEPS, progress=False, **({"loss": F.mse_loss} | settings))


def test_copies_are_for_images_of_the_course(regression: Any) -> None:
    model, x, y = regression
    with pytest.raises(ValueError, match="augmented copies need a Dataset"):
        compress(model, Recipe(prune=0.5, prune_epochs=1, copies=1), data=(x, y), loss=F.mse_loss, progress=False)
