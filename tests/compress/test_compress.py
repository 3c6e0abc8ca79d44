"""compress: from a network to one file and back, bit for bit, and a killed run goes on."""

import copy
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from layers import weight_layers
from torch import nn
from torch.nn.utils import prune

from course_utils.coding.container import Coded, FormatError, save
from course_utils.compress import CompressedModel, Recipe, compress
from course_utils.compress.pipeline import compress_with_pauses
from course_utils.compress.transfer_set import transfer_set
from course_utils.compress.units import embed_, hidden_layers, keep_units, strongest_units
from course_utils.data import Dataset, load_dataset
from course_utils.methods.binarize import BinaryLinear, TernaryLinear
from course_utils.models import architecture, build, lenet5, lenet_300_100, mlp, resnet20
from course_utils.train import evaluate, fit

BEST = Recipe(
    prune=0.8,
    gradual=True,
    prune_epochs=4,
    levels=5,
    freezing=True,
    share_epochs=4,
    copies=1,
    augment={"shift": 0.5, "degrees": 5.0, "stretch": 0.05},
    bias_step=0.06,
    lr=3e-3,
    batch_size=64,
    entropy="mixed",
)
HAN = Recipe(
    prune={"1": 0.85, "3": 0.8, "5": 0.5}, rounds=2, prune_epochs=6, levels=16, share_epochs=3, batch_size=64, lr=3e-3
)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> nn.Module:
    torch.manual_seed(0)
    model = mlp([64, 60, 30, 10])
    fit(model, digits, epochs=25, batch_size=64, lr=3e-3, progress=False)
    return model


def run(model: nn.Module, recipe: Recipe, data: Dataset | None = None, **more: object) -> CompressedModel:
    return compress(model, recipe, data=data, progress=False, **more)  # type: ignore[arg-type]


def small_net() -> nn.Sequential:
    """A chain with everything that a compression has to carry: convolutions, batch norm, pooling."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 10)
    )
    model.train()
    model(torch.rand(32, 1, 8, 8))
    return model.eval()


@pytest.mark.parametrize("recipe", [HAN, BEST], ids=["published", "best"])
def test_a_recipe_keeps_the_accuracy_and_the_file_is_the_network(
    tmp_path: Path, digits: Dataset, trained: nn.Module, recipe: Recipe
) -> None:
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    small = run(trained, recipe, digits, teacher=trained)
    assert all(torch.equal(before[name], value) for name, value in trained.state_dict().items())
    # as many weights as were asked for, of as few values, and nearly as good as the dense network
    layers = weight_layers(small.to_model())
    left = sum(int((layer.weight != 0).sum()) for layer in layers.values())
    asked = 0.2 * 5940 if recipe is BEST else 0.15 * 3840 + 0.2 * 1800 + 0.5 * 300
    assert abs(left - asked) <= 3
    levels = 5 if recipe is BEST else 16
    assert all(layer.weight[layer.weight != 0].unique().numel() <= levels for layer in layers.values())
    assert evaluate(small.to_model(), digits).accuracy > evaluate(trained, digits).accuracy - 0.03
    # the file holds it bit for bit, and says what it is
    path = tmp_path / "small.cun"
    size = small.save(path)
    assert size == path.stat().st_size == small.report().size
    again = CompressedModel.load(path)
    theirs = again.to_model().state_dict()
    for name, value in small.to_model().state_dict().items():
        assert value.numpy().tobytes() == theirs[name].numpy().tobytes()
    assert again.save(tmp_path / "again.cun") == size
    assert (tmp_path / "again.cun").read_bytes() == path.read_bytes()


def test_the_same_seed_gives_the_same_file(tmp_path: Path, digits: Dataset, trained: nn.Module) -> None:
    quick = Recipe(prune=0.9, gradual=True, prune_epochs=1, levels=4, freezing=True, share_epochs=1, copies=1)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(trained, quick, digits, seed=seed).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_compression_with_pauses_gives_the_same_file(tmp_path: Path, digits: Dataset, trained: nn.Module) -> None:
    recipe = Recipe(prune=0.9, rounds=2, prune_epochs=1, levels=8, share_epochs=1)
    settings: dict[str, Any] = {"data": digits, "progress": False, "device": "cpu"}
    made = []

    def with_pauses() -> Iterator[None]:
        made.append((yield from compress_with_pauses(trained, recipe, pause_every=0.0, **settings)))

    pauses = 0
    for _ in with_pauses():
        torch.rand(1)  # others draw random numbers meanwhile
        pauses += 1
    assert pauses > 3 * len(digits.y_train) // recipe.batch_size  # one after each step
    made.append(compress(trained, recipe, **settings))
    files = [tmp_path / "with pauses.cun", tmp_path / "without.cun"]
    for small, file in zip(made, files, strict=True):
        small.save(file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_nothing_is_done_that_was_not_asked(trained: nn.Module) -> None:
    plain = run(trained, Recipe())
    assert all(torch.equal(v, plain.state_dict()[k]) for k, v in trained.state_dict().items())
    half = run(trained, Recipe(dense="float16")).to_model().state_dict()
    assert all(torch.equal(v.half().float(), half[k]) for k, v in trained.state_dict().items())


@pytest.mark.parametrize("entropy", [None, "huffman", "ans", "mixed"])
def test_without_data_a_network_is_compressed_as_it_is(entropy: str | None, trained: nn.Module) -> None:
    small = run(trained, Recipe(prune=0.9, levels=8, entropy=entropy, init="exact"))
    plain = run(trained, Recipe(prune=0.9, levels=8, entropy=None, init="exact")).to_model()
    for name, layer in weight_layers(plain).items():
        dense = trained.get_submodule(name).weight
        mask = layer.weight != 0
        assert layer.weight[mask].unique().numel() <= 8
        assert float((layer.weight - dense).detach()[mask].abs().max()) < 0.5 * float(dense.detach().abs().max())
    x = torch.rand(5, 1, 8, 8)  # the coder changes nothing, but for the order of the units
    torch.testing.assert_close(small.to_model()(x), plain(x), rtol=1e-4, atol=1e-4)
    report = small.report()
    assert sum(report.parts.values()) == pytest.approx(report.size)


def test_pruning_alone_lists_the_weights_that_are_left(trained: nn.Module) -> None:
    small = run(trained, Recipe(prune=0.9, gap_bits=5))
    coded = small.arrays["1.weight"]
    assert isinstance(coded, Coded)
    assert coded.entropy == "in order"
    weight = small.to_model()[1].weight
    assert bool(((weight == 0) | (weight == trained[1].weight)).all())
    layer = small.report().layers[0]
    assert (layer.index_bits, layer.weight_bits, layer.weight_coded > 31) == (5, 32, True)


def test_batch_norm_and_running_numbers_come_back(tmp_path: Path) -> None:
    model = small_net()
    small = run(model, Recipe(prune=0.5, levels=4))
    small.save(tmp_path / "a.cun")
    back = CompressedModel.load(tmp_path / "a.cun").to_model(small_net())
    for name, value in model.state_dict().items():
        if not name.endswith("weight") or name == "1.weight":
            assert torch.equal(back.state_dict()[name], value), name
    with pytest.raises(ValueError, match="does not name its architecture; give to_model"):
        CompressedModel.load(tmp_path / "a.cun").to_model()
    with pytest.raises(ValueError, match="has the shape"):
        CompressedModel.load(tmp_path / "a.cun").to_model(lenet5())


@pytest.mark.parametrize("way", ["gather", "sparse"])
def test_a_network_runs_from_its_codes(way: str, digits: Dataset) -> None:
    for model, x in (
        (small_net(), digits.x_test),
        (mlp([64, 30, 10]), digits.x_test),
        (
            nn.Sequential(nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))),
            torch.rand(2, 3, 9, 7),
        ),
        (nn.Sequential(nn.Linear(7, 5, bias=False)), torch.rand(2, 3, 7)),
    ):
        small = run(model, Recipe(prune=0.7, levels=300))
        with torch.no_grad():
            dense, coded = small.to_model()(x), small.to_model(run=way)(x)
        torch.testing.assert_close(coded, dense, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="run must be one of"):
        small.to_model(run="magic")


def test_layers_that_run_from_codes_hold_fewer_bytes(trained: nn.Module) -> None:
    small = run(trained, Recipe(prune=0.9, levels=16))
    assert small.to_model(run="gather")[1].weight_bytes < 3840 * 1.1
    assert small.to_model(run="sparse")[1].weight_bytes < 0.1 * 3840 * 6.5 + 400


def test_the_report_is_the_arithmetic_of_the_file(trained: nn.Module) -> None:
    small = run(trained, Recipe(prune=0.9, levels=16, gap_bits=4))
    report = small.report()
    assert report.dense == 4 * sum(p.numel() for p in trained.parameters())
    assert report.ratio == pytest.approx(report.dense / report.size)
    assert sum(report.by_kind.values()) == pytest.approx(report.size)
    for layer in report.layers:
        coded = small.arrays[layer.name]
        assert isinstance(coded, Coded)
        assert layer.nonzeros == int(coded.mask.sum())
        counts = np.bincount(coded.indices)
        counts = counts[counts > 0]
        entropy = -(counts / counts.sum() * np.log2(counts / counts.sum())).sum()
        assert entropy <= layer.weight_coded <= entropy + 1
        # fixed bits: each gap of 4 bits and each filler carries 4 bits of value
        at = np.flatnonzero(coded.mask)
        spans = np.diff(np.concatenate([[-1], at]))
        fillers = int(((spans - 1) // 16).sum())
        assert layer.bytes_fixed == pytest.approx((layer.nonzeros + fillers) + 4 * len(coded.codebook), abs=2)
    assert "whole file" in str(report)
    assert report._repr_html_().count("<tr>") == len(report.layers) + 2
    figure = report.plot()
    drawn = sum(patch.get_width() for patch in figure.axes[0].patches)
    assert drawn == pytest.approx(report.size)


def test_units_are_taken_out_and_put_back() -> None:
    for model, shape in ((lenet5(), (3, 1, 28, 28)), (mlp([6, 8, 5, 3]), (3, 6))):
        hidden = hidden_layers(model)
        counts = {h.name: max(1, h.units // 3) for h in hidden}
        units = strongest_units(model, counts)
        small = keep_units(model, units)
        x = torch.rand(shape)
        # the same as the network in which the remaining units are cut off
        cut = build(architecture(model))
        cut.load_state_dict(model.state_dict())
        with torch.no_grad():
            for h in hidden_layers(cut):
                gone = torch.ones(h.units, dtype=torch.bool)
                gone[units[h.name]] = False
                h.columns()[:, gone] = 0
        torch.testing.assert_close(small(x), cut(x), rtol=1e-5, atol=1e-6)
        embed_(model, small, units)
        torch.testing.assert_close(model(x), cut(x), rtol=1e-5, atol=1e-6)
        assert [int((layer.weight.flatten(1) != 0).any(1).sum()) for layer in weight_layers(model).values()] == [
            *counts.values(),
            len(list(weight_layers(model).values())[-1].weight),
        ]
    with pytest.raises(ValueError, match="units are known for nn.Sequential alone, got ResNet"):
        hidden_layers(resnet20())
    with pytest.raises(ValueError, match="behind BatchNorm2d"):
        hidden_layers(small_net())
    with pytest.raises(ValueError, match="at most as many units"):
        strongest_units(mlp([6, 8, 3]), {"1": 9})


def test_a_narrow_start_is_counted_against_the_whole_network(digits: Dataset, trained: nn.Module) -> None:
    recipe = Recipe(units={"1": 20, "3": 12}, prune=0.9, gradual=True, prune_epochs=2, levels=4, entropy="mixed")
    small = run(trained, recipe, digits)
    weights = [layer.weight for layer in weight_layers(small.to_model()).values()]
    assert [tuple(w.shape) for w in weights] == [(60, 64), (30, 60), (10, 30)]
    assert sum(int((w != 0).sum()) for w in weights) == pytest.approx(594, abs=2)
    assert int((weights[0] != 0).any(1).sum()) <= 20


def test_the_transfer_set_is_the_images_with_the_teachers_logits(digits: Dataset, trained: nn.Module) -> None:
    cpu = torch.device("cpu")
    rows = transfer_set(digits, teacher=trained, copies=0, seed=0, device=cpu)
    assert torch.equal(rows.x_train[:, :64], digits.x_train.flatten(1))
    with torch.no_grad():
        assert torch.equal(rows.x_train[:, 64:], trained(digits.x_train))
    twice = transfer_set(digits, teacher=None, copies=2, seed=1, device=cpu)
    assert twice.x_train.shape == (3 * 1347, 64)
    assert torch.equal(twice.y_train[:1347], twice.y_train[1347:2694])
    first, second, third = twice.x_train.split(1347)
    assert torch.equal(first, rows.x_train[:, :64])
    assert not torch.equal(second, first)
    assert not torch.equal(second, third)
    assert torch.equal(twice.x_train, transfer_set(digits, teacher=None, copies=2, seed=1, device=cpu).x_train)


def test_a_network_of_the_course_is_named_in_its_file(tmp_path: Path) -> None:
    for model in (lenet_300_100(), resnet20(), mlp([6, 5, 4])):
        assert repr(build(architecture(model))) == repr(model)
        run(model, Recipe(levels=4)).save(tmp_path / "a.cun")
        CompressedModel.load(tmp_path / "a.cun").to_model()
    for name, message in (
        ("alexnet", "no network is called 'alexnet'"),
        ([2**20, 2**20], "takes more than"),
        ([3, "4"], "no network"),
        ("lenet5", "names the network 'lenet5' with 8 arrays"),
        ([3, 2], "has the shape"),
    ):
        arrays = {"0": np.zeros((2, 4), "f4"), "1": np.zeros(2, "f4")}
        save(tmp_path / "b.cun", arrays, metadata={"model": name})
        with pytest.raises(FormatError, match=message.replace("[", r"\[")):
            CompressedModel.load(tmp_path / "b.cun")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prune": 1.5}, "prune must be between 0 and 1"),
        ({"prune": {"1": -0.1}}, r"prune\['1'\] must be between"),
        ({"levels": 0}, "levels must be between 1 and 65536"),
        ({"entropy": "zip"}, "entropy must be one of"),
        ({"gradual": True, "prune": 0.9}, "gradual=True needs"),
        ({"freezing": True, "levels": {"1": 4}, "share_epochs": 1}, "freezing=True needs one number"),
        ({"entropy": "mixed"}, "needs `levels`"),
        ({"bias_step": 0.0}, "bias_step must be positive"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**values)


def test_what_compress_cannot_do(trained: nn.Module) -> None:
    with pytest.raises(ValueError, match="the recipe trains, so compress needs data"):
        run(trained, Recipe(prune=0.5, prune_epochs=1))
    with pytest.raises(ValueError, match="needs a network with weights"):
        run(nn.ReLU(), Recipe())
    with pytest.raises(ValueError, match="no layer '7' with a weight; there are '1', '3', '5'"):
        run(trained, Recipe(prune={"7": 0.5}))


SCRIPT = """
import sys, torch
from course_utils.compress import Recipe, compress
from course_utils.data import load_dataset
from course_utils.models import mlp
torch.manual_seed(0)
torch.set_num_threads(1)
recipe = Recipe(
    prune=0.9, gradual=True, prune_epochs=3, levels=4, freezing=True, share_epochs=3, copies=2, batch_size=16
)
small = compress(mlp([64, 30, 10]), recipe, data=load_dataset("digits"), checkpoint=sys.argv[1], progress=False)
small.save(sys.argv[2])
"""


class Stateful(nn.Linear):
    def get_extra_state(self) -> dict:
        return {"step": 1}

    def set_extra_state(self, state: dict) -> None:
        pass


def with_one_weight() -> nn.Module:
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    model[2].weight = model[0].weight
    return model


ODD: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "complex": (lambda: nn.Linear(4, 3, dtype=torch.complex64), "got complex64"),
    "without numbers": (lambda: nn.Linear(4, 3, device="meta"), "must be a dense tensor"),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(3)), "0.weight must be .* give a lazy network an input"),
    "another state": (lambda: Stateful(4, 3), "_extra_state must be a dense tensor .*, got dict"),
    "weight norm": (
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)),
        "_WeightNorm; make it a parameter first",
    ),
    "pruned by torch": (
        lambda: prune.l1_unstructured(nn.Linear(4, 3), "weight", 2),
        "with torch.nn.utils.prune.remove",
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_network_that_no_file_can_hold_is_refused_in_a_sentence(kind: str) -> None:
    make, message = ODD[kind]
    with pytest.raises(ValueError, match=message):
        compress(make(), Recipe(prune=0.5, levels=2), progress=False)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("recipe", [Recipe(), Recipe(prune=0.3), Recipe(levels=4, bias_step=0.05, entropy="mixed")])
def test_numbers_of_another_type_come_back_as_they_are(dtype: torch.dtype, recipe: Recipe, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 3).to(dtype)
    small = compress(model, recipe, progress=False)
    small.save(tmp_path / "a.cun")
    again = CompressedModel.load(tmp_path / "a.cun")
    assert all(tensor.dtype == dtype for tensor in again.state_dict().values())
    weight = again.to_model(nn.Linear(4, 3).to(dtype)).weight
    assert recipe.levels or torch.equal(weight, model.weight * (weight != 0))
    again.save(tmp_path / "b.cun")
    assert (tmp_path / "a.cun").read_bytes() == (tmp_path / "b.cun").read_bytes()


def test_a_network_that_cannot_hold_the_numbers_of_a_file_is_refused_and_left_as_it_was() -> None:
    weight, bias = np.eye(3, dtype="f4"), np.array([0.1, np.nan, np.inf])
    model = nn.Linear(3, 3)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(
        ValueError, match=r"bias has numbers of type torch\.float64 .* cannot hold; give a network of th"
    ):
        CompressedModel({"weight": weight, "bias": bias}).to_model(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    exact = CompressedModel({"weight": weight, "bias": bias.astype("f4").astype("f8")}).to_model(model)
    assert exact.bias.tolist()[::2] == [np.float32(0.1), np.inf]


def test_a_killed_compression_goes_on_and_ends_with_the_same_file(tmp_path: Path) -> None:
    def start(name: str) -> subprocess.Popen:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / name), str(tmp_path / f"{name}.cun")]
        return subprocess.Popen(command, env=os.environ)

    uninterrupted = start("uninterrupted")
    killed = 0
    for epochs in (1, 3):  # let so many epochs be written in this life, then kill
        process = start("killed")
        folder = tmp_path / "killed"
        epochs_written, last = 0, 0.0
        while process.poll() is None and epochs_written < epochs:
            now = max((f.stat().st_mtime for f in folder.glob("*.pt")), default=0.0)
            epochs_written, last = epochs_written + (now > last), max(now, last)
            time.sleep(0.005)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed
    assert start("killed").wait() == 0
    assert uninterrupted.wait() == 0
    assert (tmp_path / "killed.cun").read_bytes() == (tmp_path / "uninterrupted.cun").read_bytes()


def test_a_checkpoint_is_not_taken_by_another_network_or_recipe(tmp_path: Path, digits: Dataset) -> None:
    first, second = mlp([64, 12, 10]), mlp([64, 12, 10])
    recipe = Recipe(prune=0.5, prune_epochs=1, levels=4, share_epochs=1)

    def bytes_of(model: nn.Module, folder: Path | None, values: Recipe = recipe) -> bytes:
        run(model, values, digits, checkpoint=folder).save(tmp_path / "a.cun")
        return (tmp_path / "a.cun").read_bytes()

    alone = bytes_of(second, None)
    bytes_of(first, tmp_path / "state")
    assert bytes_of(second, tmp_path / "state") == alone
    # how it is written is no matter of training: the finished checkpoints serve again
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "state").iterdir()}
    bytes_of(second, tmp_path / "state", replace(recipe, entropy="mixed"))
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "state").iterdir()} == times


def test_gradual_pruning_removes_what_matters_least(digits: Dataset, trained: nn.Module) -> None:
    one_shot = run(trained, Recipe(prune=0.93))
    recipe = Recipe(prune=0.93, gradual=True, prune_epochs=25, lr=3e-3, batch_size=64)
    gradual = run(trained, recipe, digits)
    accuracy = [evaluate(network.to_model(), digits).accuracy for network in (one_shot, gradual)]
    assert accuracy[1] > accuracy[0] + 0.1
    assert math.isclose(*(sum(layer.nonzeros for layer in n.report().layers) for n in (one_shot, gradual)), abs_tol=2)


class Failing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("no answer")


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def test_the_model_and_the_teacher_are_left_as_they_were(digits: Dataset, trained: nn.Module) -> None:
    model = copy.deepcopy(trained).train()
    model[2].eval()
    teacher = nn.Sequential(copy.deepcopy(trained), nn.Dropout(0.5)).train()
    before, state = modes(model), {name: value.clone() for name, value in model.state_dict().items()}
    recipe = Recipe(prune=0.5, prune_epochs=1, batch_size=512)
    for used in (model, teacher):
        run(model, recipe, digits, teacher=used)
    assert modes(model) == before
    assert all(modes(teacher))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    failing = nn.Sequential(model, Failing()).train()
    model[2].eval()
    with pytest.raises(KeyError, match="no answer"):
        run(model, recipe, digits, teacher=failing)
    assert modes(model) == before


@pytest.mark.gpu
def test_the_teacher_stays_on_its_device(digits: Dataset, trained: nn.Module) -> None:
    teacher = copy.deepcopy(trained)
    run(trained, Recipe(prune=0.5, prune_epochs=1), digits, teacher=teacher, device="cuda")
    assert {p.device.type for p in [*teacher.parameters(), *trained.parameters()]} == {"cpu"}


@pytest.mark.gpu
def test_a_compression_on_a_gpu(digits: Dataset, trained: nn.Module) -> None:
    small = run(trained, BEST, digits, teacher=trained, device="cuda")
    assert evaluate(small.to_model(), digits).accuracy > evaluate(trained, digits).accuracy - 0.03
    x = digits.x_test.cuda()
    dense = small.to_model().cuda()(x)
    for way in ("gather", "sparse"):
        torch.testing.assert_close(small.to_model(run=way).cuda()(x), dense, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ([1] * 60_000, "an mlp of 60,000 sizes, and there are 2 arrays"),
        ([10**9, 10**9], "takes more than 1,073,741,824 bytes"),
        ([3, -2], "no network is called"),
        ([3, True], "no network is called"),
        ([[3], 2], "no network is called"),
        (["x" * 10_000, 2], "no network is called"),
        ({"a": 1}, "no network is called"),
        ("resnet20", "names the network 'resnet20' with 116 arrays"),
        ([3, 4], r"weight has the shape \(2, 3\) in the file and \(4, 3\) in|bias has the shape"),
    ],
)
def test_a_network_is_compared_with_its_arrays_before_it_is_built(
    tmp_path: Path, name: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.cun"
    save(path, {"0": np.zeros((2, 3), "f4"), "1": np.zeros(2, "f4")}, metadata={"model": name})
    made: list[nn.Module] = []
    monkeypatch.setattr(nn.Linear, "reset_parameters", lambda layer: made.append(layer))
    with pytest.raises(FormatError, match=message) as refusal:
        CompressedModel.load(path)
    assert len(str(refusal.value)) < 200
    assert all(layer.weight.is_meta for layer in made)
    assert len(made) < 60


def test_all_of_a_file_comes_back_from_a_network_and_no_random_number_is_drawn(tmp_path: Path) -> None:
    path, again = tmp_path / "a.cun", tmp_path / "again.cun"
    rng = np.random.default_rng(0)
    named = {"0": rng.normal(size=(2, 3)).astype("f4"), "1": np.zeros(2, "f4")}
    lenet = {str(i): value.numpy() for i, value in enumerate(lenet_300_100().state_dict().values())}
    for arrays, metadata in (
        (named, {"model": [3, 2], "note": "ä", "list": [1, 2.5, None]}),
        (lenet, {"model": [784, 300, 100, 10]}),  # which has a shorter name
        ({"x": np.zeros(2)}, {"model": None, "note": {"b": 1}}),
        ({}, {}),
    ):
        save(path, arrays, metadata=metadata)
        state = torch.get_rng_state()
        network = CompressedModel.load(path)
        if metadata.get("model"):
            network.to_model()
        assert torch.equal(torch.get_rng_state(), state)
        network.save(again)
        assert again.read_bytes() == path.read_bytes()


def test_a_network_of_very_many_layers_is_filled_layer_by_layer() -> None:
    model = mlp([1] * 1500)
    visits = 0

    class Name(str):
        def startswith(self, *prefix: object) -> bool:
            nonlocal visits
            visits += 1
            return super().startswith(*prefix)

    network = CompressedModel({Name(name): value.numpy() for name, value in model.state_dict().items()})
    assert network.to_model(model) is model
    assert visits < 10_000


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"a": np.zeros(0, "f4")},
        {"a": np.zeros((), "i8"), "b": np.array(np.nan)},
        {"a": np.full((2, 2), np.inf)},
        {"a": Coded(np.zeros(0, "f4"), np.zeros(0, int), np.zeros((3, 0), bool))},
        {"a": Coded(np.zeros(0, "f4"), np.zeros(0, int), np.zeros((3, 2), bool), "ans")},
        {"a": Coded(np.array([np.nan, np.inf], "f4"), np.array([0, 1]), np.ones((1, 2), bool), None)},
        {"a": Coded(np.ones(1, "f4"), np.zeros(0, int), np.zeros((0, 4), bool), "mixed")},
        {"a": Coded(np.ones(1, "f4"), np.zeros(1, int), np.array(True), "huffman")},
    ],
    ids=["nothing", "empty", "scalars", "inf", "no places", "no values", "nan", "joint", "coded scalar"],
)
def test_every_file_that_loads_has_a_report(tmp_path: Path, arrays: dict) -> None:
    path = tmp_path / "a.cun"
    size = save(path, arrays)
    network = CompressedModel.load(path)
    report = network.report()
    assert report.size == size
    assert "whole file" in str(report)
    assert report._repr_html_().count("<tr>") == len(report.layers) + 2
    assert report.ratio == network.dense_bytes / size
    report.plot()


# --- any network


def written(model: nn.Module, recipe: Recipe, folder: Path) -> tuple[int, CompressedModel]:
    """The bytes of the file, and what is read from it."""
    size = compress(model, recipe, progress=False).save(folder / "network.cun")
    return size, CompressedModel.load(folder / "network.cun")


@pytest.mark.parametrize(("layer", "bits"), [(BinaryLinear, 1.0), (TernaryLinear, 1.6)])
def test_signs_take_a_bit_and_ternary_weights_a_half_more(layer: Any, bits: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = layer(400, 300, bias=False).eval()
    size, again = written(model, Recipe(entropy="ans"), tmp_path)
    assert 8 * size / model.weight.numel() < bits + 0.15
    x = torch.randn(5, 400)
    assert torch.equal(again.to_model(layer(400, 300, bias=False))(x), model(x))


def test_a_network_trained_with_stochastic_signs_is_written_with_its_real_weights(tmp_path: Path) -> None:
    model = BinaryLinear(20, 10, stochastic=True).eval()  # which it computes with in evaluation mode
    _, again = written(model, Recipe(), tmp_path)
    assert torch.equal(again.state_dict()["weight"], model.weight)


def test_a_weight_with_two_names_is_written_once(tmp_path: Path) -> None:
    model = with_one_weight()
    size, again = written(model, Recipe(prune=0.5), tmp_path)
    assert list(again.arrays) == ["0.weight", "0.bias", "2.bias"]
    assert size < written(nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6)), Recipe(prune=0.5), tmp_path)[0]
    filled = again.to_model(with_one_weight())
    assert filled[0].weight is filled[2].weight
    apart = again.to_model(nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6)))
    assert torch.equal(apart(torch.ones(1, 6)), filled(torch.ones(1, 6)))


@pytest.mark.parametrize("same", [{"b": "c"}, {"a": "a"}, ["b"], {"b": 3}])
def test_a_file_with_further_names_of_nothing_is_refused(same: Any, tmp_path: Path) -> None:
    save(tmp_path / "odd.cun", {"a": np.zeros(3, "f4")}, metadata={"same": same})
    with pytest.raises(FormatError, match="further name"):
        CompressedModel.load(tmp_path / "odd.cun")


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_a_network_that_the_file_names_comes_back_in_its_type(kind: torch.dtype, tmp_path: Path) -> None:
    model = mlp([6, 5, 3]).to(kind)
    _, again = written(model, Recipe(), tmp_path)
    x = torch.randn(4, 6).to(kind)
    assert torch.equal(again.to_model()(x), model.eval()(x))


def test_numbers_beyond_float16_stay_float32(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
    model[1].running_var.fill_(1e6)
    model[0].weight.data[0, 0] = 1e6
    _, again = written(model, Recipe(dense="float16"), tmp_path)
    filled = again.to_model(copy.deepcopy(model))
    assert filled[1].running_var.tolist() == [1e6] * 5
    assert filled[0].weight[0, 0] == 1e6
    assert again.arrays["0.bias"].dtype == np.float16
    assert bool(torch.isfinite(filled(torch.ones(2, 6))).all())


@pytest.mark.parametrize(("value", "message"), [(5.0, "would need 100,000 multiples"), (math.nan, "finite biases")])
def test_a_bias_step_that_cannot_be_is_refused_before_any_training(value: float, message: str) -> None:
    model = nn.Linear(4, 2)
    model.bias.data = torch.tensor([value, -5.0])
    with pytest.raises(ValueError, match=message):
        compress(model, Recipe(prune=0.5, bias_step=1e-4), progress=False)


def test_training_sees_the_numbers_of_the_data() -> None:
    """30,000 and more are far apart in float16, and 70,000 is infinite."""
    x = torch.randn(64, 6) * 3 + 30_000
    x[0, 0] = 70_000
    data = Dataset("mine", x, torch.randint(3, (64,)), x, torch.randint(3, (64,)), classes=3)
    rows = transfer_set(data, teacher=None, copies=0, seed=0, device=torch.device("cpu"))
    assert torch.equal(rows.x_train, x)
    model = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 3)).double()
    small = compress(model, Recipe(prune=0.5, prune_epochs=1), data=data, progress=False)
    assert small.to_model()[1].weight.dtype == torch.float64


def test_more_weights_than_can_be_mixed_are_refused_before_any_training() -> None:
    recipe = Recipe(prune=0.9, prune_epochs=1, levels=4, entropy="mixed")
    with pytest.raises(ValueError, match='1,100,000 places, 1,048,576 are allowed; use "ans" or "huffman"'):
        compress(nn.Linear(1100, 1000), recipe, data=load_dataset("digits"), progress=False)


def test_a_smaller_network_comes_out_of_the_file(tmp_path: Path) -> None:
    model = mlp([6, 8, 3])
    with torch.no_grad():
        model[1].weight[[0, 3, 4]] = model[1].bias[[0, 3, 4]] = 0
    compress(model, Recipe(), progress=False).save(tmp_path / "a.cun")
    loaded, x = CompressedModel.load(tmp_path / "a.cun"), torch.rand(4, 6)
    small = loaded.to_model(narrow=True, example_input=x)
    assert small[1].weight.shape == (5, 6)
    torch.testing.assert_close(small(x), loaded.to_model()(x))
    with pytest.raises(ValueError, match="narrow=True needs an example_input"):
        loaded.to_model(narrow=True)
    with pytest.raises(ValueError, match="run=\"dense\", got run='gather'"):
        loaded.to_model(narrow=True, example_input=x, run="gather")
