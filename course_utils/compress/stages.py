"""The two trainings of a compression: weights leave one by one, then the rest take few values one by one.

Each is a `Learner`, trained by `fit` with `after_step`, which acts at fixed steps. What it has decided lies in buffers,
so a checkpoint of the training holds it.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.codebook import fit_codebook
from course_utils.compress.lessons import Learner
from course_utils.layers import weight_layers
from course_utils.prune import magnitude_mask

__all__ = ["Freezing", "Pruning"]


class Stage(Learner):
    """A training in which something happens to the weights every `every` of `steps` steps."""

    step: Tensor
    every = 50

    def __init__(self, model: nn.Module, shape: tuple[int, ...], *, steps: int, **learner: Any) -> None:
        super().__init__(model, shape, **learner)
        self.layers = list(weight_layers(model).values())
        self.steps = steps
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        for i, layer in enumerate(self.layers):
            self.register_buffer(f"kept{i}", layer.weight.detach() != 0)

    def make_optimizer(self, parameters: Iterable[Tensor], *, lr: float) -> torch.optim.Optimizer:
        """Adam, whose second moment says how much the loss depends on each weight."""
        self.optimizer = torch.optim.Adam(parameters, lr=lr, fused=True)
        return self.optimizer

    def kept(self) -> list[Tensor]:
        """The masks of the layers."""
        return [getattr(self, f"kept{i}") for i in range(len(self.layers))]

    def curvature(self, weight: Tensor) -> Tensor:
        """sqrt(v) of Adam: the size of the gradients that a weight has met, which stands for the loss's curvature."""
        state = self.optimizer.state.get(weight, {})
        return state["exp_avg_sq"].sqrt() if state else torch.ones_like(weight)

    @torch.no_grad()
    def after_step(self, _: nn.Module) -> None:
        """To be called after each optimizer step."""
        self.step += 1
        step = int(self.step)
        if step % self.every == 0 or step == self.steps:
            self.act(step / self.steps)
        self.hold()

    def act(self, progress: float) -> None:
        """What happens at this share of the training."""

    def hold(self) -> None:
        """Put back what the optimizer has moved."""
        for layer, kept in zip(self.layers, self.kept(), strict=True):
            layer.weight.mul_(kept)


class Pruning(Stage):
    """The weights that matter least leave, over the whole network at once, fast at first and ever slower.

    A weight matters by saliency / bits: w^2 sqrt(v), about the loss that its removal costs, for each bit of a file that
    its removal saves. A weight in a row and a column that are much in use is cheaper to write than a lonely one.
    """

    start, end = 0.08, 0.5  # of the training

    def __init__(self, *args: Any, density: float, lonely: float, **stage: Any) -> None:
        super().__init__(*args, **stage)
        self.density, self.lonely = density, lonely

    def act(self, progress: float) -> None:
        """Remove down to the density of this moment."""
        part = min(max((progress - self.start) / (self.end - self.start), 0.0), 1.0)
        if part == 0 or (part == 1 and self.present() <= self.density * self.total()):
            return
        density = math.exp(math.log(self.density) * (1 - (1 - part) ** 2))
        scores = [self.score(layer.weight, kept) for layer, kept in zip(self.layers, self.kept(), strict=True)]
        flat = torch.cat([score.reshape(-1) for score in scores])
        mask = magnitude_mask(flat, sparsity=1 - density)
        for kept, part_ in zip(self.kept(), mask.split([k.numel() for k in self.kept()]), strict=True):
            kept &= part_.reshape(kept.shape)

    def total(self) -> int:
        """The number of weights."""
        return sum(kept.numel() for kept in self.kept())

    def present(self) -> int:
        """The number of weights that are left."""
        return sum(int(kept.sum()) for kept in self.kept())

    def score(self, weight: Tensor, kept: Tensor) -> Tensor:
        """Saliency for each bit, in the shape of the weight."""
        saliency = weight * weight * self.curvature(weight)
        used = kept.reshape(len(kept), -1).to(weight.dtype)
        rows, columns = used.sum(1, keepdim=True), used.sum(0, keepdim=True)
        bits = (used.sum() / (rows * columns).clamp(min=1)).clamp(min=1).log2() + 4
        return saliency / bits.reshape(kept.shape) ** self.lonely


class Freezing(Stage):
    """Weights take the nearest of a few values and stay there, those that are nearest first, while the rest train on.

    (Zhou, Yao, Guo, Xu, Chen 2017, *Incremental network quantization*, arXiv:1702.03044, with a codebook in the place
    of powers of two.) The values of a layer are k-means centroids of its weights, weighted by their curvature, and
    are float16 numbers. Biases become whole multiples of `bias_step` at half time.
    """

    shares = (
        *((0.08, 0.3), (0.2, 0.5), (0.32, 0.65), (0.42, 0.75), (0.5, 0.83)),
        *((0.58, 0.89), (0.66, 0.93), (0.74, 0.96), (0.82, 0.98), (0.9, 1.0)),
    )

    def __init__(self, *args: Any, levels: int, bias_step: float | None, **stage: Any) -> None:
        super().__init__(*args, **stage)
        self.levels, self.bias_step = levels, bias_step
        for i, layer in enumerate(self.layers):
            self.register_buffer(f"frozen{i}", torch.zeros_like(layer.weight, dtype=torch.bool))
            self.register_buffer(f"value{i}", torch.zeros_like(layer.weight))
            self.register_buffer(f"book{i}", torch.zeros(levels))

    def act(self, progress: float) -> None:
        """Freeze up to the share of this moment."""
        share = max((s for at, s in self.shares if progress >= at), default=0.0)
        for i, layer in enumerate(self.layers):
            kept, frozen, value = (getattr(self, f"{name}{i}") for name in ("kept", "frozen", "value"))
            if not share or not bool(kept.any()):
                continue
            if not bool(frozen.any()):
                book = fit_codebook(layer.weight[kept], size=self.levels, weights=self.curvature(layer.weight)[kept])
                setattr(self, f"book{i}", book.centroids.half().float())
            book_ = getattr(self, f"book{i}")
            middle = (book_[1:] + book_[:-1]) / 2
            nearest = book_[torch.bucketize(layer.weight.detach(), middle)]
            far = (layer.weight - nearest).abs()
            far[~kept | frozen] = torch.inf
            more = round(share * int(kept.sum())) - int(frozen.sum())
            if more > 0:
                chosen = far.reshape(-1).topk(more, largest=False).indices
                frozen.view(-1)[chosen] = True
                value.view(-1)[chosen] = nearest.reshape(-1)[chosen]
        if self.bias_step and progress >= 0.5:
            for layer in self.layers:
                if layer.bias is not None:
                    layer.bias.copy_((layer.bias / self.bias_step).round() * self.bias_step)
                    layer.bias.grad = None
                    layer.bias.requires_grad_(False)

    def hold(self) -> None:
        """Put back the zeros and the frozen values."""
        super().hold()
        for i, layer in enumerate(self.layers):
            layer.weight.copy_(torch.where(getattr(self, f"frozen{i}"), getattr(self, f"value{i}"), layer.weight))
