"""Memory that is too small for a batch: training goes on in parts and comes to the same result."""

import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from course_utils.data import Dataset, load_dataset
from course_utils.methods.penalties import Regularizer
from course_utils.models import mlp
from course_utils.train import History, Training, evaluate, fit, fit_epochs
from course_utils.train.batches import parts_of_batch
from course_utils.train.checkpoint import load_checkpoint
from course_utils.train.out_of_memory import attempt
from course_utils.train.settings import Settings

DIGITS = load_dataset("digits").subset(300)
FULL = "CUDA out of memory. Tried to allocate 2.00 GiB."


class Memory(nn.Module):
    """Stands for a memory of so many rows: from its call number `since` on it fails for more, forward or backward."""

    def __init__(self, rows: float, *, backward: bool = False, since: int = 0) -> None:
        super().__init__()
        self.rows, self.backward, self.since, self.sizes = rows, backward, since, list[int]()

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        if self.backward and x.requires_grad:
            x.register_hook(self._check)
        elif not self.backward:
            self._check(x)
        return x.clone()

    def _check(self, x: Tensor) -> None:
        if len(x) > float(os.environ.get("ROWS", self.rows)) and len(self.sizes) > self.since:
            raise torch.OutOfMemoryError(FULL)


def network(memory: nn.Module, *, dropout: float = 0.0, norm: bool = False) -> nn.Sequential:
    torch.manual_seed(0)
    first, last = nn.Linear(64, 16), nn.Linear(16, 10)
    middle = nn.BatchNorm1d(16) if norm else nn.ReLU()
    return nn.Sequential(nn.Flatten(), first, middle, nn.Dropout(dropout), memory, last)


def train(model: nn.Module, **settings: Any) -> History:
    common = {"epochs": 3, "batch_size": 64, "optimizer": "sgd", "lr": 0.1, "device": "cpu", "progress": False}
    return fit(model, DIGITS, **({"evaluate_every": 0} | common | settings))


def close(a: nn.Module, b: nn.Module) -> None:
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-6, rtol=1e-6)


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


# The same training in parts


@pytest.mark.parametrize(
    ("settings", "since", "backward"),  # at the first step, or in the middle of the second epoch
    [
        ({}, 0, True),
        ({"optimizer": "adam", "lr": 1e-3, "schedule": "cosine"}, 8, False),
        ({"regularizer": Regularizer("sparse_group", lam=1e-3)}, 8, True),
        ({"regularizer": Regularizer("l2", lam=1e-2), "method": "gradient", "weight_decay": 0.01}, 0, False),
    ],
)
def test_in_parts_the_result_is_the_same(settings: dict[str, Any], since: int, backward: bool) -> None:
    complete, parts = network(Memory(999)), network(Memory(20, backward=backward, since=since))
    expected, history = train(complete, **settings), train(parts, **settings)
    close(complete, parts)
    assert history.train_loss == pytest.approx(expected.train_loss, abs=1e-6)
    sizes = parts[4].sizes[-20:]  # the last batch has 44 rows, and 16 rows are the half of a half of 64
    assert max(sizes) <= 16


def test_the_size_is_halved_once_and_remembered() -> None:
    model = network(Memory(20))
    train(model, epochs=2, batch_size=64)
    sizes = model[4].sizes
    assert sizes[:2] == [64, 32]
    assert sizes[2:] == 2 * (4 * [16] * 4 + [15, 15, 14])


def test_a_failed_step_leaves_no_trace_in_the_random_numbers_nor_in_the_statistics() -> None:
    """Failed attempts drew masks of dropout, and moved the running means of batch normalisation."""
    failing, small = network(Memory(20, since=7), dropout=0.3, norm=True), network(Memory(999), dropout=0.3, norm=True)
    train(failing, epochs=3)
    training = Training(small, DIGITS, Settings(epochs=3, batch_size=64, optimizer="sgd", lr=0.1))
    list(training.epoch(evaluated=False))
    training.rows_at_once = 16  # as in the failing one from its second epoch on
    list(training.epoch(evaluated=False))
    list(training.epoch(evaluated=False))
    assert same(failing, small)


def test_batch_normalisation_is_given_two_rows_at_least() -> None:
    model = network(Memory(3), norm=True)
    fit(model, DIGITS.subset(65), epochs=1, batch_size=32, evaluate_every=0, device="cpu", progress=False)
    assert set(model[4].sizes[-31:]) == {2, 3}  # batches of 32 and 33 rows
    with pytest.raises(torch.OutOfMemoryError, match="training on digits does not fit .* not even with 2 rows at once"):
        train(network(Memory(1), norm=True))


@pytest.mark.parametrize("backward", [False, True])
def test_if_no_row_fits_one_sentence_says_so_and_the_network_is_as_it_was(backward: bool) -> None:
    model, start = network(Memory(0, backward=backward)), network(Memory(0))
    message = r"^training on digits does not fit into the memory, not even with 1 row at once; take a smaller network"
    with pytest.raises(torch.OutOfMemoryError, match=message) as caught:
        train(model)
    assert same(model, start)
    assert caught.value.__context__ is None  # it would keep the frames of the failed step, and so its memory
    assert all(p.grad is None for p in model.parameters())
    sizes = [64, 32, 16, 8, 4, 2, 1]
    assert model[4].sizes == sizes


def test_a_step_of_the_optimizer_that_fails_is_taken_again_from_before() -> None:
    class Full(torch.optim.SGD):
        calls = 0

        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            Full.calls += 1
            if Full.calls == 3:
                with torch.no_grad():
                    self.param_groups[0]["params"][0].zero_()  # a part of the step is done already
                raise torch.OutOfMemoryError(FULL)
            super().step(closure)

    model, plain = network(Memory(999)), network(Memory(999))
    train(model, optimizer=lambda params, lr: Full(params, lr=lr), momentum=0.0)
    train(plain, optimizer=lambda params, lr: torch.optim.SGD(params, lr=lr), momentum=0.0)
    close(model, plain)


def test_a_resumed_training_stays_with_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resumed where there is memory enough, it is the same to the bit all the same."""
    complete, killed, resumed = (network(Memory(20), dropout=0.3) for _ in range(3))
    train(complete, epochs=4)
    path = tmp_path / "c.pt"
    settings: dict[str, Any] = {"epochs": 4, "batch_size": 64, "optimizer": "sgd", "lr": 0.1, "evaluate_every": 0}
    for history in fit_epochs(killed, DIGITS, device="cpu", checkpoint=path, **settings):
        if len(history) == 2:
            break
    assert load_checkpoint(path).state["at_once"] == 16
    monkeypatch.setenv("ROWS", "999")
    train(resumed, epochs=4, checkpoint=path)
    assert same(complete, resumed)


# An evaluation, and the way to a device


def test_an_evaluation_takes_fewer_rows_too() -> None:
    model = network(Memory(999))
    expected = evaluate(model, DIGITS)
    model[4] = Memory(100)
    metrics = evaluate(model, DIGITS)
    assert model[4].sizes == [450, 225, 112, 56, 56, 56, 56, 56, 56, 56, 56, 2]
    assert metrics.errors == expected.errors
    assert metrics.loss == pytest.approx(expected.loss, rel=1e-6)
    model[4] = Memory(0)
    with pytest.raises(torch.OutOfMemoryError, match="an evaluation on digits does not fit .* 1 row at once"):
        evaluate(model.train(), DIGITS)
    assert model.training


def test_data_that_do_not_fit_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError(FULL)

    monkeypatch.setattr(Dataset, "to", full)
    with pytest.raises(torch.OutOfMemoryError, match="digits and the network do not fit into the memory of cpu; use"):
        train(network(Memory(999)))


# The pieces


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(FULL),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: not enough memory"),
    ],
)
def test_what_counts_as_too_little_memory(error: Exception) -> None:
    def work() -> None:
        raise error

    assert attempt(work) is None


def test_other_errors_are_raised_as_they_are() -> None:
    def work() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        attempt(work)
    assert attempt(lambda: torch.empty(10**15)) is None  # the allocator of the CPU itself


def test_the_memory_of_a_failed_attempt_is_free_before_the_next() -> None:
    class Large:
        there = 0

        def __init__(self) -> None:
            Large.there += 1

        def __del__(self) -> None:
            Large.there -= 1

    def work() -> None:
        large = Large()  # noqa: F841
        raise torch.OutOfMemoryError(FULL)

    assert attempt(work) is None
    assert Large.there == 0


def test_parts_are_as_equal_as_can_be_and_never_too_small() -> None:
    for rows in range(1, 40):
        for minimum in (1, 2):
            for at_most in range(minimum, 40):
                parts = parts_of_batch(torch.arange(rows), at_most=at_most, minimum=minimum)
                sizes = [len(part) for part in parts]
                assert torch.equal(torch.cat(parts), torch.arange(rows))
                assert max(sizes) - min(sizes) <= 1
                assert min(sizes) >= min(minimum, rows)
                assert max(sizes) <= max(at_most, 2 * minimum - 1)


# The real thing


@pytest.fixture
def little_memory() -> Iterator[Callable[[int], None]]:
    """Leaves so many bytes of the GPU's memory to this process, beside what it has now."""

    def leave(spare: int) -> None:
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved(0) + spare) / total)

    torch.cuda.init()
    yield leave
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.mark.gpu
def test_gpu_with_too_little_memory_trains_in_parts(little_memory: Callable[[int], None]) -> None:
    torch.manual_seed(0)
    complete = mlp([64, 20_000, 10])  # a row takes 80 kB in the hidden layer, and more for its gradient
    parts, data = deepcopy(complete), load_dataset("digits")
    common: dict[str, Any] = {"epochs": 2, "batch_size": 1024, "optimizer": "sgd", "lr": 0.01}
    fit(complete, data, device="cuda", evaluate_every=0, progress=False, **common)
    little_memory(80 << 20)  # a batch of 1024 rows needs about 160 MB for the hidden layer alone
    training = Training(parts.to("cuda"), data.to("cuda"), Settings(**common))
    list(training.epoch(evaluated=False))
    list(training.epoch(evaluated=False))
    assert training.rows_at_once is not None
    assert training.rows_at_once < 1024
    for p, q in zip(complete.cuda().parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-4, rtol=1e-3)
