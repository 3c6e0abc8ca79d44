"""The table of distillation, on small data of the same form."""

from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

from course_utils.data import Dataset
from course_utils.tables import distillation
from course_utils.tables.workbench import Result, Section, Workbench, mean_of
from course_utils.tables.workbench import bench as workbench


def stand_in() -> Dataset:
    g = torch.Generator().manual_seed(0)
    patterns = (torch.rand(10, 1, 8, 8, generator=g) > 0.6).float()
    labels = torch.randint(10, (900,), generator=g)
    x = (0.5 * patterns[labels] + 0.5 * torch.rand(900, 1, 8, 8, generator=g)).clamp(0, 1)
    return Dataset("mnist", x[:700], labels[:700], x[700:], labels[700:], classes=10, note="patterns for a test")


SHORT = {"optimizer": "adam", "lr": 0.01, "epochs": 2, "batch_size": 50}
SMALL = {
    "HIDDEN": {"teacher": [40, 40], "student": [20, 20]},
    "TEACHER": SHORT,
    "STUDENT": SHORT,
    "TAUGHT": {"plain images": SHORT, "moved images": SHORT},
}


def bench_in(folder: Path) -> Workbench:
    data = {"mnist": stand_in()}
    return Workbench(
        folder, table="distillation", level="quick", seeds=(0, 1), device="cpu", progress=False, data=data, jobs=1
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(distillation, name, value)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return bench_in(tmp_path_factory.mktemp("distillation"))


@pytest.fixture(scope="module")
def parts(bench: Workbench) -> list[Section]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setattr(distillation, name, value)
        return list(distillation.run(bench))


def test_the_published_numbers_are_the_lectures(parts: list[Section]) -> None:
    assert [row.cells[1] for row in parts[0].rows] == ["67", "146", "74", ""]
    assert list(parts[1].rows[0].cells[1:5]) == ["206", "133", "109", "14"]
    assert not parts[1].rows[0].results


def test_each_cell_is_the_value_of_its_record(parts: list[Section]) -> None:
    teacher, alone, taught, moved = parts[0].rows
    assert teacher.cells[2] == str(teacher.results[0]["errors"])
    for row in (alone, taught, moved):
        first, second = (r["errors"] for r in row.results)
        assert row.cells[2].startswith(f"{(first + second) / 2:.1f} ± ")
    assert [r.settings["jitter"] for r in (*taught.results, *moved.results)] == [False, False, True, True]
    for row in parts[1].rows[1:]:
        [result] = row.results
        assert list(row.cells[1:6]) == [*map(str, result["before"] + result["after"]), f"{result['shift']:.2f}"]
        assert result["before"][1] <= result["before"][0]
    assert "patterns for a test" in parts[0].text
    assert f"{mean_of(taught.results, 'errors'):.0f} errors where the student alone makes" in parts[0].remark


def test_a_teacher_that_knows_less_is_said(parts: list[Section]) -> None:
    def of(*numbers: int) -> dict[str, list[Result]]:
        record = {"seconds": 1.0, "settings": {}}
        names = [row.cells[0] for row in parts[0].rows]
        return {
            name: [Result("", record | {"values": {"result": {"errors": n}, "CPU seconds": 1.0}})]
            for name, n in zip(names, numbers, strict=True)
        }

    assert "90 errors where the student alone makes 140, 71% of the way" in distillation.gain(of(70, 140, 90, 80))
    worse = distillation.gain(of(150, 140, 155, 80))
    assert "no better than the student alone" in worse
    assert "of the way" not in worse


def test_a_second_run_trains_nothing(
    bench: Workbench, parts: list[Section], small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench, "fit", lambda *_, **__: pytest.fail("trained again"))
    assert list(distillation.run(bench)) == parts


def test_the_picture_has_the_errors_as_heights(parts: list[Section]) -> None:
    figure = Figure(figsize=(8, 4.5))
    assert parts[1].draw is not None
    parts[1].draw(figure)
    errors, others = figure.axes[0].containers
    heights = [(bar.get_height(), both.get_y() + both.get_height()) for bar, both in zip(errors, others, strict=True)]
    pairs = [(133, 206), (14, 109)]
    for row in parts[1].rows[1:]:
        pairs += [(n[1], n[0]) for n in (row.results[0]["before"], row.results[0]["after"])]
    assert heights == pairs


def test_jitter_is_one_of_the_shifted_images() -> None:
    torch.manual_seed(0)
    x = torch.rand(40, 2, 5, 6)
    moved = distillation.Jitter(1)(x)
    padded, shifts = F.pad(x, [1] * 4), set()
    for image, result in zip(padded, moved, strict=True):
        places = [(i, j) for i in range(3) for j in range(3) if torch.equal(image[:, i : i + 5, j : j + 6], result)]
        assert len(places) == 1
        shifts.update(places)
    assert len(shifts) == 9


def test_long_weights_are_shortened_and_short_ones_stay() -> None:
    layer = nn.Linear(4, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]))
    distillation.constrain_(nn.Sequential(layer))
    torch.testing.assert_close(layer.weight[0], torch.tensor([0.6, 0.8, 0.0, 0.0]) * distillation.NORM)
    assert layer.weight[1].tolist() == [1, 0, 0, 0]


def test_kept_logits_teach_as_the_teacher_would(small: None) -> None:
    data = stand_in()
    torch.manual_seed(0)
    teacher, student = distillation.teacher_network(data)[1].eval(), distillation.student_network(data)
    extended = distillation.with_logits(data, teacher)
    images, logits = distillation.Columns(0, 64)(extended.x_train), distillation.Columns(64, None)(extended.x_train)
    assert torch.equal(images, data.x_train.flatten(1))
    torch.testing.assert_close(logits, teacher(data.x_train), atol=0.02, rtol=0.02)
    torch.testing.assert_close(student(images), student(data.x_train))
    assert not teacher.training


def test_the_class_that_is_left_out_is_not_seen(
    bench: Workbench, parts: list[Section], small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfers = []

    def record(bench: Workbench, transfer: Dataset, **way: object) -> None:
        transfers.append(transfer)
        raise StopIteration

    monkeypatch.setattr(distillation, "taught_student", record)
    with pytest.raises(StopIteration):
        distillation.without_class(bench, label=3)
    assert not bool((transfers[0].y_train == 3).any())
    assert bool((transfers[0].y_test == 3).any())
    assert len(transfers[0].y_test) == pytest.approx(0.1 * 700, abs=5)


def test_errors_of_a_class_against_a_loop() -> None:
    data = stand_in()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    answers = [int(model(x[None]).argmax()) for x in data.x_test]
    wrong = [int(y) for y, answer in zip(data.y_test, answers, strict=True) if int(y) != answer]
    assert distillation.of_class(model, data, 3) == [len(wrong), wrong.count(3)]
