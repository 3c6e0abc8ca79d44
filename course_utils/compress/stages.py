"""The two trainings of a compression: weights leave one by one, then the rest take few values one by one.

Each is a `Student`, trained by `fit` with `after_step`, which acts at fixed steps. What it has decided lies in buffers,
so a checkpoint of the training holds it.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from course_utils.compress.transfer_set import Student
from course_utils.methods.codebook import fit_codebook
from course_utils.methods.prune import magnitude_mask
from course_utils.methods.weights import biases_of, weights_of

__all__ = ["Freezing", "Pruning"]


class Stage(Student):
    """A training in which something happens to the weights every `every` of `steps` steps."""

    step: Tensor
    every = 50

    def __init__(self, model: nn.Module, shape: tuple[int, ...] | None, *, steps: int, **distillation: float) -> None:
        super().__init__(model, shape, **distillation)
        self.weights = list(weights_of(model).values())
        self.steps = steps
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        for i, weight in enumerate(self.weights):
            self.register_buffer(f"kept{i}", weight.tensor.detach() != 0)

    def make_optimizer(self, parameters: Iterable[Tensor], *, lr: float) -> torch.optim.Optimizer:
        """Adam, whose second moment says how much the loss depends on each weight."""
        self.optimizer = torch.optim.Adam(parameters, lr=lr, fused=True)
        return self.optimizer

    def masks(self) -> list[Tensor]:
        """True at the weights of each layer that are left."""
        return [self.get_buffer(f"kept{i}") for i in range(len(self.weights))]

    def curvature(self, weight: Tensor) -> Tensor:
        """sqrt(v) of Adam: the root mean square of a weight's gradients, which stands for the loss's curvature."""
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
        """What happens at `progress`, from 0 to 1, of the training."""

    def hold(self) -> None:
        """Put back what the optimizer has moved."""
        for weight, mask in zip(self.weights, self.masks(), strict=True):
            weight.tensor.mul_(mask)


class Pruning(Stage):
    """The weights of the smallest saliency per bit are removed, over all layers at once, fast at first and ever slower.

    saliency / bits: w^2 sqrt(v), about the loss that the removal costs, for each bit of a file that it saves. A weight
    in a row and a column with many others is cheaper to write than a lonely one.
    """

    start, end = 0.08, 0.5  # of the training

    def __init__(
        self,
        model: nn.Module,
        shape: tuple[int, ...] | None,
        *,
        steps: int,
        density: float,
        lonely: float,
        **distillation: float,
    ) -> None:
        super().__init__(model, shape, steps=steps, **distillation)
        self.density, self.lonely = density, lonely

    def act(self, progress: float) -> None:
        """Prune to the density that belongs to `progress`."""
        masks = self.masks()
        part = min(max((progress - self.start) / (self.end - self.start), 0.0), 1.0)
        left, total = sum(int(mask.sum()) for mask in masks), sum(mask.numel() for mask in masks)
        if part == 0 or (part == 1 and left <= self.density * total):
            return
        density = math.exp(math.log(self.density) * (1 - (1 - part) ** 2))
        scores = [self.score(weight.tensor, mask) for weight, mask in zip(self.weights, masks, strict=True)]
        flat = torch.cat([score.reshape(-1) for score in scores])
        chosen = magnitude_mask(flat, sparsity=1 - density).split([mask.numel() for mask in masks])
        for mask, chosen_of_layer in zip(masks, chosen, strict=True):
            mask &= chosen_of_layer.reshape(mask.shape)

    def score(self, weight: Tensor, mask: Tensor) -> Tensor:
        """Saliency for each bit, in the shape of the weight."""
        saliency = weight * weight * self.curvature(weight)
        left = mask.reshape(len(mask), -1).to(weight.dtype)
        rows, columns = left.sum(1, keepdim=True), left.sum(0, keepdim=True)
        bits = (left.sum() / (rows * columns).clamp(min=1)).clamp(min=1).log2() + 4
        return saliency / bits.reshape(mask.shape) ** self.lonely


class Freezing(Stage):
    """Weights join the nearest of a few values for good, those that are nearest first, while the rest train on.

    (Zhou, Yao, Guo, Xu, Chen 2017, *Incremental network quantization*, arXiv:1702.03044, with a codebook in the place
    of powers of two.) The values of a layer start as k-means centroids of its weights, weighted by their curvature.
    The weights of a value move together with it; in the end it is a float16 number. Biases become integer multiples of
    `bias_step` in the same way.
    """

    start, end = 0.05, 0.7  # of the training

    def __init__(
        self,
        model: nn.Module,
        shape: tuple[int, ...] | None,
        *,
        steps: int,
        levels: int,
        bias_step: float | None,
        **distillation: float,
    ) -> None:
        super().__init__(model, shape, steps=steps, **distillation)
        self.levels, self.bias_step = levels, bias_step
        self.members: dict[
            int, tuple[Tensor, Tensor]
        ] = {}  # of each layer: the joined places, and the number of the value of each
        self.biases = biases_of(model) if bias_step else []
        for i, weight in enumerate(self.weights):
            # The number of its value for each weight; -1 as long as it is free.
            self.register_buffer(f"joined{i}", torch.full(weight.tensor.shape, -1, dtype=torch.int16))
            self.register_buffer(f"book{i}", torch.zeros(levels, dtype=weight.tensor.dtype))
        for i, bias in enumerate(self.biases):
            self.register_buffer(f"still{i}", torch.full_like(bias, torch.nan))

    def act(self, progress: float) -> None:
        """Freeze the share that belongs to `progress`: many at first, and the last ones, which are far, one by one."""
        part = (progress - self.start) / (self.end - self.start)
        if part < 0:
            return
        share = 1 - (1 - min(part, 1.0)) ** 3
        for i, weight in enumerate(self.weights):
            if bool(self.get_buffer(f"kept{i}").any()):
                self.join(i, weight.tensor, share)
        for i, bias in enumerate(self.biases):
            assert self.bias_step is not None
            frozen = self.get_buffer(f"still{i}")
            multiple = (bias / self.bias_step).round() * self.bias_step
            chosen = _nearest_first(bias - multiple, frozen.isnan(), share, len(bias))
            frozen.view(-1)[chosen] = multiple.view(-1)[chosen]
        self.members = {}

    def join(self, i: int, weight: Tensor, share: float) -> None:
        """Let the nearest weights of layer i join their values, up to this share of those that are left."""
        mask, joined, book = (self.get_buffer(f"{name}{i}") for name in ("kept", "joined", "book"))
        if not bool((joined >= 0).any()):
            fitted = fit_codebook(weight[mask], size=self.levels, weights=self.curvature(weight)[mask]).centroids
            book[: len(fitted)] = fitted
            book[len(fitted) :] = torch.inf  # fewer weights than values
        which = (weight.unsqueeze(-1) - book).abs().argmin(-1)
        chosen = _nearest_first(weight - book[which], mask & (joined < 0), share, int(mask.sum()))
        joined.view(-1)[chosen] = which.view(-1)[chosen].short()

    def hold(self) -> None:
        """Put back the zeros, and give all weights of a value that value."""
        super().hold()
        for i, weight in enumerate(self.weights):
            self.gather(i, weight.tensor)
        for i, bias in enumerate(self.biases):
            frozen = self.get_buffer(f"still{i}")
            bias.copy_(torch.where(frozen.isnan(), bias, frozen))

    def gather(self, i: int, weight: Tensor) -> None:
        """Each value of layer i becomes the mean of its weights, by their curvature, and they become the value.

        Adam moves a weight by the ratio of its gradient to sqrt(v); this mean moves a value by the ratio of the sum of
        the gradients to the sum of sqrt(v), so that weights on which nothing depends do not carry it away.
        """
        if i not in self.members:
            joined = self.get_buffer(f"joined{i}").view(-1)
            places = (joined >= 0).nonzero().squeeze(1)
            self.members[i] = places, joined[places].long()
        places, which = self.members[i]
        book, flat = self.get_buffer(f"book{i}"), weight.view(-1)
        mass = self.curvature(weight).view(-1)[places] + 1e-12
        total = book.new_zeros(self.levels).index_add_(0, which, mass)
        moved = book.new_zeros(self.levels).index_add_(0, which, mass * flat[places]) / total
        book.copy_(torch.where(total > 0, moved, book))
        if int(self.step) == self.steps:
            book.copy_(torch.where(book.half().isfinite(), book.half(), book))
        flat[places] = book[which]


def _nearest_first(distance: Tensor, free: Tensor, share: float, total: int) -> Tensor:
    """The flat numbers of the free places to settle now, the nearest first, so that `share` of `total` are settled."""
    waiting = int(free.sum())
    more = max(0, round(share * total) - (total - waiting))
    return distance.abs().masked_fill(~free, torch.inf).view(-1).topk(more, largest=False).indices
