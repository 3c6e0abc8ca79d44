"""Federated averaging: against plain SGD, clients one by one, counted bytes, and the errors of rounding."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.data import Dataset, load_dataset
from course_utils.models import count_parameters, mlp
from course_utils.train.federated import (
    average_update,
    compress_update,
    federated_averaging,
    message_bytes,
    split_evenly,
    split_sorted,
)

DIGITS = load_dataset("digits").subset(300)


def make() -> nn.Sequential:
    torch.manual_seed(0)
    return mlp([64, 20, 10])


def gradient_step(model: nn.Module, data: Dataset, rows: torch.Tensor, lr: float) -> None:
    loss = F.cross_entropy(model(data.x_train[rows]), data.y_train[rows])
    for p, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True):
        p.data -= lr * g


def test_one_step_at_every_client_is_one_step_on_all_rows() -> None:
    """FedSGD: with one full batch each, the average of the updates is the gradient step of the complete data set."""
    clients = split_sorted(DIGITS.y_train, 7)  # clients of different sizes
    model, alone = make(), make()
    list(federated_averaging(model, DIGITS, clients, rounds=3, batch_size=1000, lr=0.2))
    for _ in range(3):
        gradient_step(alone, DIGITS, torch.arange(300), 0.2)
    for p, q in zip(model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-5, rtol=1e-4)


def test_clients_together_are_the_clients_one_by_one() -> None:
    """One epoch in batches, at clients of 5, 11 and 2 rows: the order is drawn anew, so each batch is the client."""
    clients = [torch.arange(5), torch.arange(20, 31), torch.arange(40, 42)]
    model = make()
    expected = [torch.zeros_like(p) for p in model.parameters()]
    for rows in clients:
        alone = copy.deepcopy(model)
        for _ in range(4):
            gradient_step(alone, DIGITS, rows, 0.3)
        for total, p, start in zip(expected, alone.parameters(), model.parameters(), strict=True):
            total += len(rows) / 18 * (p.detach() - start.detach())
    start = [p.detach().clone() for p in model.parameters()]
    list(federated_averaging(model, DIGITS, clients, rounds=1, local_epochs=4, batch_size=11, lr=0.3))
    for p, before, update in zip(model.parameters(), start, expected, strict=True):
        torch.testing.assert_close(p.detach() - before, update, atol=1e-5, rtol=1e-3)


def test_the_average_weighs_each_client_by_its_rows() -> None:
    updates = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    by_row = torch.cat([updates[:1].expand(5, 4, 2), updates[2:].expand(11, 4, 2)])
    torch.testing.assert_close(average_update(updates, [5, 0, 11]), by_row.mean(0))
    for rows in ([5, 11], [0, 0, 0], [5, -1, 11]):
        with pytest.raises(ValueError, match="3 numbers of at least 0"):
            average_update(updates, rows)


def test_splits_give_every_row_to_one_client() -> None:
    labels = DIGITS.y_train
    for clients in (split_evenly(labels, 7), split_sorted(labels, 7), split_sorted(labels, 30, shards=1)):
        assert torch.equal(torch.cat(clients).sort().values, torch.arange(300))
    even = [len(labels[rows].unique()) for rows in split_evenly(labels, 10)]
    few = [len(labels[rows].unique()) for rows in split_sorted(labels, 10)]
    assert max(few) <= 4 < min(even)
    with pytest.raises(ValueError, match="clients"):
        split_evenly(labels, 301)
    with pytest.raises(ValueError, match="shards"):
        split_sorted(labels, 151)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_an_update_is_right_on_average_and_has_so_many_levels(bits: int) -> None:
    update = torch.linspace(-0.3, 0.9, 50)
    generator = torch.Generator().manual_seed(0)
    arrived = torch.stack([compress_update(update, bits, generator=generator) for _ in range(4000)])
    # The range is stretched to hold 0, so at the ends the grid of min-max codes may lie half a step beside.
    inner = slice(5, -5)
    step = 1.2 / (2**bits - 1)
    torch.testing.assert_close(arrived.mean(0)[inner], update[inner], atol=4 * step / 4000**0.5 + 1e-6, rtol=0)
    assert len(arrived.unique()) <= 2**bits
    assert float((arrived - update).abs().max()) <= 1.01 * step


def test_full_precision_and_wrong_bits() -> None:
    update = torch.randn(3, 4)
    assert compress_update(update, 32) is update
    assert torch.equal(compress_update(torch.zeros(4), 1), torch.zeros(4))
    with pytest.raises(ValueError, match="bits"):
        compress_update(update, 17)


def test_every_byte_is_counted() -> None:
    size = count_parameters(make())
    complete = 4 * size
    assert message_bytes(list(make().parameters()), 32) == complete
    assert message_bytes([torch.zeros(3)], 3) == 2 + 8  # nine bits take two bytes, the range eight
    clients = split_evenly(DIGITS.y_train, 10)
    rounds = list(federated_averaging(make(), DIGITS, clients, rounds=4, bits_up=4, bits_down=8))
    up, down = message_bytes(list(make().parameters()), 4), message_bytes(list(make().parameters()), 8)
    assert [r.bytes_up for r in rounds] == [10 * up * n for n in range(5)]
    assert [r.bytes_down for r in rounds] == [0, *(10 * complete + 10 * down * n for n in range(4))]
    assert [r.number for r in rounds] == [0, 1, 2, 3, 4]


def test_a_client_that_missed_rounds_takes_what_it_missed() -> None:
    clients = split_evenly(DIGITS.y_train, 10)
    rounds = list(federated_averaging(make(), DIGITS, clients, rounds=12, fraction=0.2, bits_down=8))
    complete, step = (message_bytes(list(make().parameters()), bits) for bits in (32, 8))
    last: dict[int, int] = {}
    expected = 0
    for r in rounds[1:]:
        assert len(r.clients) == 2
        for k in r.clients:
            expected += min(complete, step * (r.number - last[k])) if k in last else complete
            last[k] = r.number
        assert r.bytes_down == expected
        assert r.bytes_up == r.number * 2 * complete


def test_few_bits_cost_little_and_the_way_down_leaves_no_error() -> None:
    clients = split_evenly(DIGITS.y_train, 10)
    settings = {"rounds": 20, "local_epochs": 3, "batch_size": 16, "lr": 0.3}
    full, up, both = (
        list(federated_averaging(make(), DIGITS, clients, **settings, **bits))[-1]
        for bits in ({}, {"bits_up": 2}, {"bits_up": 2, "bits_down": 4})
    )
    assert full.accuracy > 0.85
    assert up.accuracy > full.accuracy - 0.03
    assert both.accuracy > full.accuracy - 0.03
    assert both.bytes_up + both.bytes_down < (full.bytes_up + full.bytes_down) / 6


def test_a_readers_compression_and_its_mistakes() -> None:
    clients = split_evenly(DIGITS.y_train, 3)
    still = make()
    start = [p.detach().clone() for p in still.parameters()]
    list(federated_averaging(still, DIGITS, clients, rounds=2, compress=lambda update, bits: torch.zeros_like(update)))
    assert all(torch.equal(p, q) for p, q in zip(still.parameters(), start, strict=True))
    bits_given = []
    list(
        federated_averaging(
            make(), DIGITS, clients, rounds=1, bits_up=5, compress=lambda u, b: bits_given.append(b) or u
        )
    )
    assert set(bits_given) == {5}
    with pytest.raises(ValueError, match="shape of|update's shape"):
        list(federated_averaging(make(), DIGITS, clients, rounds=1, compress=lambda u, b: u.flatten()[:1]))
    with pytest.raises(FloatingPointError, match="smaller lr"):
        list(federated_averaging(make(), DIGITS, clients, rounds=1, compress=lambda u, b: u * float("nan")))
    with pytest.raises(ValueError, match="clients with rows"):
        list(federated_averaging(make(), DIGITS, [torch.arange(0)], rounds=1))
    with pytest.raises(ValueError, match="fraction"):
        list(federated_averaging(make(), DIGITS, clients, rounds=1, fraction=0.0))


def test_the_same_seed_gives_the_same_rounds() -> None:
    clients = split_evenly(DIGITS.y_train, 5)
    first, again, another_seed = (
        list(federated_averaging(make(), DIGITS, clients, rounds=3, bits_up=1, seed=seed, fraction=0.6))
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != another_seed


def test_a_convolution_is_trained_too() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    *_, last = federated_averaging(model, DIGITS, split_evenly(DIGITS.y_train, 4), rounds=8, local_epochs=3, lr=0.2)
    assert last.accuracy > 0.5


@pytest.mark.gpu
def test_the_same_on_a_gpu() -> None:
    clients = split_evenly(DIGITS.y_train, 5)
    on_cpu, on_gpu = (
        list(federated_averaging(make(), DIGITS, clients, rounds=3, device=d))[-1] for d in ("cpu", "cuda")
    )
    assert on_cpu.loss == pytest.approx(on_gpu.loss, rel=1e-3)
    assert on_cpu.bytes_up == on_gpu.bytes_up
