"""Corrupted data: shares, nesting, what stays as it was; and the training on them against `fit`."""

import pytest
import torch
from torch.nn import functional as F

from course_utils.data import load_dataset
from course_utils.data.corruption import CORRUPTIONS, random_labels, random_pixels, shuffled_pixels
from course_utils.models import mlp
from course_utils.train import fit
from course_utils.train.memorize import Curves, memorize

DIGITS = load_dataset("digits")


def test_random_labels_are_uniform_and_the_test_part_is_true() -> None:
    noisy = random_labels(DIGITS, 1.0)
    counts = torch.bincount(noisy.y_train, minlength=10) / len(noisy.y_train)
    assert counts.min() > 0.07
    assert counts.max() < 0.13
    assert torch.equal(noisy.y_test, DIGITS.y_test)
    assert noisy.x_train is DIGITS.x_train  # one tensor for a complete path
    agree = (noisy.y_train == DIGITS.y_train).float().mean()
    assert float(agree) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_share_of_none_changes_nothing_and_shares_are_nested(kind: str) -> None:
    corrupt = CORRUPTIONS[kind]
    untouched = corrupt(DIGITS, 0.0)
    assert torch.equal(untouched.x_train, DIGITS.x_train)
    assert torch.equal(untouched.y_train, DIGITS.y_train)
    less, more = corrupt(DIGITS, 0.3), corrupt(DIGITS, 0.6)
    changed = (less.x_train != DIGITS.x_train).flatten(1).any(1) | (less.y_train != DIGITS.y_train)
    assert 0.25 < float(changed.float().mean()) <= 0.3 + 1 / len(changed)
    # a row that is corrupted at the smaller share is corrupted in the same way at the larger one
    assert torch.equal(less.x_train[changed], more.x_train[changed])
    assert torch.equal(less.y_train[changed], more.y_train[changed])
    assert torch.equal(corrupt(DIGITS, 0.6).x_train, more.x_train)
    assert not torch.equal(corrupt(DIGITS, 0.6, seed=1).x_train, more.x_train) or kind == "labels"
    with pytest.raises(ValueError, match="share must be between 0 and 1"):
        corrupt(DIGITS, 1.5)


def test_shuffled_pixels_have_one_order_and_random_pixels_one_each() -> None:
    x = torch.arange(64.0).expand(DIGITS.x_train.shape[0], 64).reshape(DIGITS.x_train.shape)
    from dataclasses import replace

    numbered = replace(DIGITS, x_train=x, x_test=x[: len(DIGITS.x_test)])
    shuffled, random = shuffled_pixels(numbered), random_pixels(numbered)
    assert len(shuffled.x_train.flatten(1).unique(dim=0)) == 1
    assert torch.equal(shuffled.x_train[0], shuffled.x_test[0])
    assert len(random.x_train.flatten(1).unique(dim=0)) > 1300
    assert not torch.equal(random.x_train[: len(random.x_test)], random.x_test)
    for data in (shuffled, random):
        assert torch.equal(data.x_train.flatten(1).sort(1).values, numbered.x_train.flatten(1))
        assert torch.equal(data.y_train, DIGITS.y_train)


@pytest.mark.parametrize("kind", ["labels", "random"])
def test_networks_trained_together_are_those_of_fit(kind: str) -> None:
    small = DIGITS.subset(120)
    datasets = [CORRUPTIONS[kind](small, share) for share in (0.0, 0.5, 1.0)]
    settings = {"epochs": 3, "lr": 0.01, "batch_size": 50, "schedule": "cosine", "seed": 1}

    def make() -> torch.nn.Module:
        return mlp([64, 20, 10])

    *_, curves = memorize(make, datasets, device="cpu", **settings)
    for i, data in enumerate(datasets):
        torch.manual_seed(1)
        alone = make()
        fit(alone, data, progress=False, device="cpu", **settings)
        with torch.no_grad():
            logits = alone(data.x_train)
            loss = F.cross_entropy(logits, data.y_train)
            wrong = (logits.argmax(1) != data.y_train).float().mean()
            test_wrong = (alone(data.x_test).argmax(1) != data.y_test).float().mean()
        assert float(curves.train_loss[i, -1]) == pytest.approx(float(loss), rel=1e-3)
        assert float(curves.train_error[i, -1]) == pytest.approx(float(wrong), abs=0.01)
        assert float(curves.test_error[i, -1]) == pytest.approx(float(test_wrong), abs=0.005)
    assert curves.train_loss.shape == (3, 4)


def test_a_wide_network_learns_noise_by_heart_and_a_narrow_one_does_not() -> None:
    noise = [random_labels(DIGITS.subset(100), 1.0)]
    *_, wide = memorize(lambda: mlp([64, 200, 10]), noise, epochs=60, lr=0.01, batch_size=50)
    *_, narrow = memorize(lambda: mlp([64, 4, 10]), noise, epochs=60, lr=0.01, batch_size=50)
    assert float(wide.train_error[0, -1]) == 0
    assert int(wide.fitted()[0]) > 0
    assert float(wide.test_error[0, -1]) > 0.8
    assert float(narrow.train_error[0, -1]) > 0.3
    assert int(narrow.fitted()[0]) == -1


def test_refuses_data_sets_of_different_sizes() -> None:
    with pytest.raises(ValueError, match="one shape"):
        next(memorize(lambda: mlp([64, 10]), [DIGITS.subset(10), DIGITS.subset(11)], epochs=1))
    with pytest.raises(ValueError, match="one shape"):
        next(memorize(lambda: mlp([64, 10]), [], epochs=1))
    assert Curves(torch.zeros(1, 1), torch.ones(1, 1), torch.ones(1, 1)).fitted().tolist() == [-1]


@pytest.mark.gpu
def test_the_same_on_a_gpu() -> None:
    datasets = [random_labels(DIGITS.subset(100), share) for share in (0.0, 1.0)]
    curves = [list(memorize(lambda: mlp([64, 50, 10]), datasets, epochs=2, device=d))[-1] for d in ("cpu", "cuda")]
    torch.testing.assert_close(curves[0].train_loss, curves[1].train_loss, rtol=1e-3, atol=1e-3)
