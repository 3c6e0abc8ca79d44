"""Claim: 16 networks 64-40-30-10 trained on the digits by `fit_many` take at most a quarter of the time of 16 `fit`s.

Beside it the time of an epoch of LeNet-300-100 on data of MNIST's shape, which should be about a second on two cores.
"""

from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch

from course_utils.data import Dataset, load_dataset
from course_utils.methods.penalties import Regularizer
from course_utils.models import lenet_300_100, mlp
from course_utils.train import fit, pick_device
from course_utils.train.ensemble import fit_many

__all__ = ["run"]

COMMON: dict[str, Any] = {
    "epochs": 10,
    "batch_size": 64,
    "optimizer": "sgd",
    "lr": 0.1,
    "evaluate_every": 10,
    "progress": False,
}


def run(device: str = "cpu", *, runs: int = 5) -> list[dict[str, Any]]:
    """Measure each pair `runs` times, one after the other, and report medians in seconds."""
    pick_device(device)
    data = load_dataset("digits")
    lams = np.geomspace(1e-4, 3e-3, 16).tolist()
    path = [{"regularizer": Regularizer("sparse_group", lam=lam)} for lam in lams]
    rows = []
    for name, settings in (
        ("sparse group lasso, 16 lambdas", path),
        ("no penalty, 16 seeds", [{"seed": s} for s in range(16)]),
    ):
        many, single = zip(*(pair(data, settings, device) for _ in range(runs + 1)), strict=True)
        a, b = median(many[1:]), median(single[1:])  # the first pair warms up
        rows.append(
            {"claim": f"{name}, s", "measured": a, "baseline": b, "ratio": b / a, "bar": "at least 4 times faster"}
        )
    rows.append(epoch(device, runs))
    return rows


def pair(data: Dataset, settings: list[dict[str, Any]], device: str) -> tuple[float, float]:
    """Seconds of one batched run, and of the same networks one after the other."""
    started = perf_counter()
    fit_many(lambda: mlp([64, 40, 30, 10]), data, settings=settings, device=device, **COMMON)
    middle = perf_counter()
    for network_settings in settings:
        torch.manual_seed(network_settings.get("seed", 0))
        fit(mlp([64, 40, 30, 10]), data, device=device, **COMMON, **network_settings)
    return middle - started, perf_counter() - middle


def epoch(device: str, runs: int) -> dict[str, Any]:
    """Seconds of an epoch of LeNet-300-100 on 60,000 images, against those of its matrix products alone."""
    x, y = torch.rand(60_000, 1, 28, 28), torch.randint(0, 10, (60_000,))
    data = Dataset("noise", x, y, x[:1], y[:1], classes=10)
    history = fit(lenet_300_100(), data, epochs=runs + 1, device=device, evaluate_every=0, progress=False)
    measured = median([e.seconds for e in history][1:])
    limit = products(device)
    return {
        "claim": "epoch of LeNet-300-100, against its products alone, s",
        "measured": measured,
        "baseline": limit,
        "ratio": measured / limit,
        "bar": "about 1 s on two cores",
    }


def products(device: str) -> float:
    """Seconds of the matrix products of such an epoch: forward, and backward for weights and hidden layers."""
    sizes = [(784, 300), (300, 100), (100, 10)]
    h, w = zip(*((torch.rand(128, a, device=device), torch.rand(a, b, device=device)) for a, b in sizes), strict=True)
    g = [torch.rand(128, b, device=device) for _, b in sizes]
    for steps in (20, 469):  # the first round warms up
        started = perf_counter()
        for _ in range(steps):
            for i in range(3):
                torch.mm(h[i], w[i])
                torch.mm(h[i].T, g[i])
                if i:
                    torch.mm(g[i], w[i].T)
        if device != "cpu":
            torch.cuda.synchronize()
        seconds = perf_counter() - started
    return seconds
