"""The table of fewer bits after training, on small data and networks of the same form."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_imagenet import grey, put_images
from torch import nn

from course_utils.data import Dataset, imagenet
from course_utils.models import resnet20
from course_utils.tables import quantized
from course_utils.tables.published import QUANTIZED
from course_utils.tables.quantized import fixed_point_model, folds
from course_utils.tables.workbench import Row, Section, Workbench
from course_utils.train import evaluate


def stand_in(name: str, shape: tuple[int, ...], rows: int, tested: int) -> Dataset:
    g = torch.Generator().manual_seed(0)
    patterns = (torch.rand(10, *shape, generator=g) > 0.6).float()
    labels = torch.randint(10, (rows + tested,), generator=g)
    x = (0.8 * patterns[labels] + 0.2 * torch.rand(len(labels), *shape, generator=g)).clamp(0, 1)
    return Dataset(name, x[:rows], labels[:rows], x[rows:], labels[rows:], classes=10, note="patterns for a test")


def tiny() -> nn.Module:
    """A network for the images of the test with a thousand classes, with batch normalisation."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 1000)).eval()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("results")
    data = {"mnist": stand_in("mnist", (1, 28, 28), 400, 100), "cifar10": stand_in("cifar10", (3, 32, 32), 0, 12)}
    with pytest.MonkeyPatch.context() as patch:
        torch.manual_seed(0)
        network = resnet20().eval()
        patch.setattr(quantized, "resnet20", lambda *, pretrained: network)  # no download
        patch.setattr(quantized, "PLAYGROUND", quantized.PLAYGROUND | {"epochs": 8, "batch_size": 20})
        patch.setattr(quantized, "IMAGENET", {"AlexNet": "alexnet", "VGG16": "vgg16"})
        patch.setattr(imagenet, "pretrained", lambda name, root=None: (tiny(), grey))
        patch.setenv("COURSE_DATA", str(put_images(folder / "data", {"tench": 3, "goldfish": 4})))
        yield Workbench(
            folder, table="quantized", level="quick", seeds=(0, 1), device="cpu", progress=False, data=data, jobs=1
        )


@pytest.fixture(scope="module")
def parts(bench: Workbench) -> list[Section]:
    return list(quantized.run(bench))


def measured(part: Section) -> list[Row]:
    return [row for row in part.rows if row.results]


def test_the_published_rows_are_the_lectures(parts: list[Section]) -> None:
    rows = {row.cells[0]: row.cells[1:] for part in parts for row in part.rows if not row.results}
    assert rows["published, MNIST"] == ["98.42", "98.44", "98.32", "", ""]  # float32, 8 and 6 bits; then none
    assert rows["published, CIFAR10"] == ["93.78", "93.58", "90.86", "", ""]
    for name in ("AlexNet", "VGG16", "SVHN", "CIFAR100", "STL10"):
        assert rows[f"published, {name}"] == list(QUANTIZED[name])
    assert QUANTIZED["InceptionV3"][-1] == "1.50/4.82"


def test_each_cell_is_the_mean_of_its_records(parts: list[Section]) -> None:
    assert [len(measured(part)) for part in parts] == [5, 6, 4, 0]
    for part in parts[:2]:
        for row in measured(part):
            for head, cell in zip(part.head[1:], row.cells[1:], strict=True):
                bits = 32 if head == "float32" else int(head.split()[0])
                values = [r["accuracy"] for r in row.results if r.settings["bits"] == bits]
                assert len(values) == (2 if part is parts[0] else 1)
                assert cell.split(" ±")[0] == f"{sum(values) / len(values):.2f}"
    for row in measured(parts[2]):
        assert list(row.cells[1:]) == [f"{r['top1']:.2f}/{r['top5']:.2f}" for r in row.results]
        assert all(len(r.record["values"]["data"]["imagenet"]) == 64 for r in row.results)


def test_the_text_says_what_the_data_are(parts: list[Section]) -> None:
    assert all("patterns for a test" in part.text for part in parts[:2])
    assert "The ranges of activations come from 400 training rows." in parts[0].text
    assert "each half of the test images is measured with the other half's ranges" in parts[1].text
    assert "a sample of 7 of 50,000 images" in parts[2].text
    assert "torchvision has no weights" in parts[3].remark
    assert parts[0].remark.count("points with 8 bits") == 5


def test_a_second_run_measures_nothing_again(bench: Workbench, parts: list[Section]) -> None:
    before = (bench.folder / "journal.jsonl").read_bytes()
    assert [str(part) for part in quantized.run(bench)] == [str(part) for part in parts]
    assert (bench.folder / "journal.jsonl").read_bytes() == before


def test_without_imagenet_the_rows_stay_and_a_sentence_says_why(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("no weights without images")

    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(imagenet, "pretrained", never)
    part = quantized.on_imagenet(bench)
    assert [row.cells[0] for row in part.rows] == ["published, AlexNet", "published, VGG16"]
    assert part.remark.startswith("Not measured: the data folder has no imagenet/val")
    assert str(tmp_path) not in part.remark


def test_the_float_network_is_measured_as_evaluate_does(bench: Workbench) -> None:
    data = bench.data["cifar10"]
    model = vars(quantized)["resnet20"](pretrained=True)
    point = {"scheme": "float", "per_channel": False, "bits": 32}
    top1, top5 = quantized.accuracy(model, point, folds(data), "cpu")
    assert top1 == pytest.approx(100 * evaluate(model, data).accuracy)
    best = model(data.x_test).topk(5).indices
    assert top5 == pytest.approx(100 * float((best == data.y_test[:, None]).any(1).float().mean()))


def test_no_image_is_measured_with_a_range_of_its_own() -> None:
    data = stand_in("cifar10", (3, 2, 2), 0, 11)
    parts = folds(data)
    tested = torch.cat([x for part in parts for x, _ in part.batches()])
    assert sorted(map(tuple, tested.flatten(1).tolist())) == sorted(map(tuple, data.x_test.flatten(1).tolist()))
    for part in parts:
        ranges = set(map(tuple, torch.cat(part.ranges).flatten(1).tolist()))
        assert ranges.isdisjoint(tuple(row) for x, _ in part.batches() for row in x.flatten(1).tolist())
    with_rows = stand_in("mnist", (1, 2, 2), 30, 5)
    [fold] = folds(with_rows)
    assert torch.cat(fold.ranges).shape == (30, 1, 2, 2)
    assert sum(len(y) for _, y in fold.batches()) == 5


def test_fixed_point_is_a_power_of_two_for_each_tensor() -> None:
    model, x = tiny(), torch.rand(20, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    variances = torch.tensor([1e-5, 0.1, 1.0, 9.0])
    model.get_buffer("1.running_var").copy_(variances)
    small = fixed_point_model(model, bits=6, calibration=[x[:10], x[10:]])
    for before, after in zip(model.parameters(), small.parameters(), strict=True):
        greatest = float(before.detach().abs().max())
        # the smallest power of two at which 2^5 - 1 steps cover the greatest number
        step = next(2.0**e for e in range(-40, 40) if round(greatest / 2.0**e) <= 31)
        assert torch.equal(after, (before / step).round() * step)
    assert small.get_buffer("1.running_var")[0] == 0  # too small for ten bits that reach to 9
    assert len(small(x).unique()) <= 64
    unrounded = fixed_point_model(model, bits=6, calibration=[x], norm_bits=None)
    assert torch.equal(unrounded.get_buffer("1.running_var"), variances)
    fine = fixed_point_model(model, bits=16, calibration=[x], norm_bits=None)
    torch.testing.assert_close(fine(x), model(x), rtol=0.01, atol=0.01)


def test_a_scheme_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="scheme must be one of 'float', 'fixed point'.*got 'ternary'"):
        quantized.rounded(tiny(), {"scheme": "ternary", "bits": 2, "per_channel": False}, [])


def test_what_bits_cost_is_read_from_the_records(parts: list[Section]) -> None:
    methods = quantized.by_method(measured(parts[0])[0].results)
    dense = methods.pop("float")[32]
    [(name, cells)] = methods.items()
    assert name == "fixed point: weights, biases, outputs of layers"
    lost = {bits: quantized.loss(dense, results) for bits, results in cells.items()}
    line = quantized.remark(dense, methods)
    assert f"{lost[8]:.2f}".lstrip("-") in line
    enough = [b for b in sorted(cells) if all(lost[c] <= quantized.LOST for c in cells if c >= b)]
    assert (f"{enough[0]} bits are the fewest" if enough else "no number of bits measured costs") in line


def test_the_quick_level_looks_at_a_thousand_test_images(tmp_path: Path) -> None:
    data = {"cifar10": stand_in("cifar10", (1, 1, 1), 0, 1200)}
    quick = Workbench(tmp_path, level="quick", validate=True, data=data)
    assert len(quantized.cifar10_images(quick).y_test) == 1000
    assert len(quantized.cifar10_images(replace(quick, level="full")).y_test) == 1200
