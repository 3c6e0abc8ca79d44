"""The data that the package carries are those of scikit-learn, bit for bit; loading draws no random numbers."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits

from course_utils.compress import CompressedModel
from course_utils.data import load_dataset
from course_utils.data.carried import diabetes, digits
from course_utils.data.dataset import stratified_split
from course_utils.data.imagenet import pretrained
from course_utils.experiments.building.descent import patients
from course_utils.models import architecture, lenet5, mlp, resnet20


def test_digits_are_scikit_learns() -> None:
    published = load_digits()
    images, labels = digits()
    assert np.array_equal(images, published.images)
    assert np.array_equal(labels, published.target)
    data = load_dataset("digits")
    x = torch.tensor(published.images[:, None] / 16, dtype=torch.float32)
    rows = stratified_split(published.target, 0.25, seed=0)
    for inputs, classes, part in zip((data.x_train, data.x_test), (data.y_train, data.y_test), rows, strict=True):
        assert torch.equal(inputs, x[part])
        assert torch.equal(classes, torch.tensor(published.target[part]))
        assert inputs.is_contiguous()


def test_diabetes_is_scikit_learns() -> None:
    table, published = load_diabetes(return_X_y=True, scaled=False)
    index, progress = diabetes()
    for ours, theirs in ((index, table[:, 2]), (progress, published)):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)
    inputs, hundreds = patients()
    assert np.array_equal(inputs, np.stack([(table[:, 2] - 22) / 5, np.ones(442)], 1))
    assert np.array_equal(hundreds, published / 100)


def test_they_need_nothing_but_numpy_and_torch() -> None:
    code = """
import sys
from course_utils.data import load_dataset
from course_utils.experiments.building.descent import patients
load_dataset("digits"), patients()
print({"sklearn", "scipy", "pooch", "requests", "platformdirs", "torchvision"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stdout + done.stderr


LOADS: dict[str, Callable[[Path], object]] = {
    "digits": lambda folder: load_dataset("digits"),
    "diabetes": lambda folder: diabetes(),
    "mnist": lambda folder: load_dataset("mnist", root=folder),
    "sensorless": lambda folder: load_dataset("sensorless", root=folder),
    "cifar10": lambda folder: load_dataset("cifar10", root=folder),
    "the weights of ResNet-20": lambda folder: resnet20(pretrained=True, root=folder),
}


def draws(load: Callable[[], object]) -> bool:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1:]  # noqa: NPY002
    load()
    numpy_after = np.random.get_state()[1:]  # noqa: NPY002
    same = all(np.array_equal(a, b) for a, b in zip(numpy_before, numpy_after, strict=True))
    return not (torch.equal(torch_before, torch.get_rng_state()) and same)


@pytest.mark.parametrize("name", LOADS)
def test_loading_draws_from_no_global_generator(name: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue("data_root" if name == "mnist" else "shared_data")
    assert not draws(lambda: LOADS[name](folder))


def test_naming_and_reading_a_network_draw_from_no_global_generator(tmp_path: Path) -> None:
    for model in (lenet5(), resnet20(), mlp([64, 10])):
        assert not draws(lambda model=model: architecture(model))
    model = mlp([4, 6, 2])
    CompressedModel({name: value.numpy() for name, value in model.state_dict().items()}, model=model).save(
        tmp_path / "a.cun"
    )
    assert not draws(lambda: CompressedModel.load(tmp_path / "a.cun").to_model())


def test_a_pretrained_network_draws_from_no_global_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from course_utils.data import imagenet
    from course_utils.data.vision import import_torchvision

    weights = import_torchvision().models.get_model_weights("squeezenet1_1").IMAGENET1K_V1
    state = import_torchvision().models.get_model("squeezenet1_1").state_dict()
    (tmp_path / "imagenet" / "weights").mkdir(parents=True)
    path = tmp_path / "imagenet" / "weights" / weights.url.rsplit("/", 1)[1]
    torch.save(state, path)
    monkeypatch.setattr(imagenet, "checksum", lambda file: path.stem.rsplit("-", 1)[1])
    loaded: list[torch.nn.Module] = []
    assert not draws(lambda: loaded.append(pretrained("squeezenet1_1", root=tmp_path)[0]))
    assert all(torch.equal(value, state[name]) for name, value in loaded[0].state_dict().items())
