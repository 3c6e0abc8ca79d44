"""The course's networks: their parameter counts, and ResNet-20 at its published accuracy."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from course_utils import models
from course_utils.data import DataError, load_dataset
from course_utils.models import count_parameters, lenet5, lenet_300_100, mlp, resnet20
from course_utils.train import evaluate


@pytest.mark.parametrize(
    ("model", "parameters", "shape"),
    [
        (lenet_300_100(), 266_610, (1, 28, 28)),
        (lenet5(), 431_080, (1, 28, 28)),
        (resnet20(), 269_722, (3, 32, 32)),
        (mlp([48, 40, 40, 30, 11]), 5_171, (48,)),
        (mlp([784, 400, 300, 100, 10]), 465_410, (1, 28, 28)),
    ],
)
def test_parameters_and_shapes(model: nn.Module, parameters: int, shape: tuple) -> None:
    assert count_parameters(model) == parameters
    with torch.no_grad():
        logits = model(torch.rand(5, *shape))
    assert logits.shape[0] == 5
    assert logits.isfinite().all()


def test_an_activation_is_given_the_width_if_it_asks_for_it() -> None:
    widths = []

    def make(width: int) -> nn.Module:
        widths.append(width)
        return nn.PReLU(width)

    mlp([4, 7, 5, 2], activation=make)
    assert widths == [7, 5]
    assert isinstance(mlp([4, 7, 2], activation=nn.Tanh)[2], nn.Tanh)


@pytest.mark.parametrize("sizes", [[], [4], [4, 0, 2]])
def test_wrong_sizes(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="two or more numbers of at least 1"):
        mlp(sizes)


def test_the_shortcut_of_option_a_has_no_parameters() -> None:
    block = resnet20().layer2[0]
    assert {name.split(".")[0] for name, _ in block.named_parameters()} == {"conv1", "bn1", "conv2", "bn2"}


def test_pretrained_resnet20_reaches_its_published_accuracy(shared_data: Path) -> None:
    model = resnet20(pretrained=True, root=shared_data)
    assert not model.training
    data = load_dataset("cifar10", root=shared_data)
    assert evaluate(model, data).accuracy == pytest.approx(0.915, abs=0.001)  # 91.78 % on all 10,000 images


def test_damaged_weights_are_refused(shared_data: Path, tmp_path: Path) -> None:
    name = "resnet20-12fca82f.th"
    folder = tmp_path / "resnet_cifar10"
    folder.mkdir()
    content = (shared_data / "resnet_cifar10" / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"is damaged.*delete it"):
        resnet20(pretrained=True, root=tmp_path)


def test_weights_are_downloaded_and_verified(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(urls: list[str], folder: Path, filename: str, *, known: str) -> Path:
        asked.append((urls, known))
        return Path(shutil.copyfile(shared_data / "resnet_cifar10" / filename, folder / filename))

    monkeypatch.setattr(models, "fetch", fetch)
    resnet20(pretrained=True, root=tmp_path)
    resnet20(pretrained=True, root=tmp_path)
    ((urls, known),) = asked
    assert urls[0].endswith("resnet20-12fca82f.th")
    assert known.startswith("sha256:12fca82f")
