"""Claim: a compressed network runs from its codes in a fraction of the memory; its time has no bar.

LeNet-300-100 with 8 % of its weights in 32 values, on batches of 1 and 256: the dense layers, the ones that look every
weight up in the codebook, and the ones that multiply the nonzeros alone. Then the context-mixing coder against ANS.
"""

from functools import partial
from typing import Any

import numpy as np
import torch

from course_utils.bench.timing import in_turn, row
from course_utils.coding.joint import Sparse, decode_joint, encode_joint
from course_utils.compress import CompressedModel, Recipe, compress
from course_utils.compress.codes import CodedWeight
from course_utils.methods.weights import weights_of
from course_utils.models import lenet_300_100
from course_utils.train import pick_device

__all__ = ["run"]


def run(device: str = "cpu", *, rounds: int = 9) -> list[dict[str, Any]]:
    """Measure the three networks, the bytes of their weights, and how many positions are coded per second."""
    target = pick_device(device)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        small = compress(lenet_300_100(), Recipe(prune=0.92, levels=32, init="exact"), progress=False)
    rows = []
    networks = {way: small.to_model(run=way).to(target) for way in ("dense", "gather", "sparse")}
    with torch.inference_mode():
        for batch in (1, 256):
            x = torch.rand(batch, 1, 28, 28, device=target)
            dense, *coded = in_turn([partial(network, x) for network in networks.values()], rounds=rounds)
            for way, time in zip(("gather", "sparse"), coded, strict=True):
                rows.append(row(f"batch {batch}, {way}, against dense, ms", time, dense, "(no bar)"))
    full = 4 * sum(weight.tensor.numel() for weight in weights_of(networks["dense"]).values()) / 1e6
    for way in ("gather", "sparse"):
        held = sum(layer.weight_bytes for layer in networks[way].modules() if isinstance(layer, CodedWeight)) / 1e6
        rows.append(row(f"memory of the weights, {way}, MB", held, full, "(no bar)"))
    return rows + mixed_rows(small)


def mixed_rows(small: CompressedModel) -> list[dict[str, Any]]:
    """Thousands of positions per second, and the bytes against those of ANS."""
    sizes = {}
    for entropy in ("ans", "mixed"):
        recipe = Recipe(prune=0.92, levels=32, init="exact", entropy=entropy)
        sizes[entropy] = compress(small.to_model(), recipe, progress=False).report().size / 1000
    rng = np.random.default_rng(0)
    ranks = rng.integers(-3, 4, (100, 300)) * (rng.random((100, 300)) < 0.08)
    data, _ = encode_joint([Sparse(ranks, 3, 3)])
    write, read = in_turn(
        [partial(encode_joint, [Sparse(ranks, 3, 3)]), partial(decode_joint, data, [ranks.shape], [(3, 3)])], rounds=3
    )
    return [
        row("file, mixed contexts against ANS, kB", sizes["mixed"], sizes["ans"], "(no bar)"),
        row("mixed contexts, thousand positions written per second", ranks.size / write, None, "(no bar)"),
        row("mixed contexts, thousand positions read per second", ranks.size / read, None, "(no bar)"),
    ]
