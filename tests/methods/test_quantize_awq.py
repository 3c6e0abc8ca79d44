"""AWQ: the network stays the same to float64, the search is an exhaustive one, and what cannot be scaled is refused."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.methods.quantize import awq, awq_scales, fake_quantize, quantize_model


def outliers(rows: int, columns: int, seed: int) -> Tensor:
    """Inputs of which few channels are large, as those of language models are."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.exp(2 * torch.randn(columns, generator=generator))
    return torch.randn(rows, columns, generator=generator) * sizes


def error_of_sums(w: Tensor, x: Tensor, scales: Tensor, **options: int | None) -> float:
    rounded = fake_quantize(w * scales, **options) / scales
    return float((x @ w.T - x @ rounded.T).square().sum())


@given(st.integers(0, 10**6), st.integers(2, 5), st.sampled_from([None, 3]), st.integers(1, 2))
def test_no_alpha_of_the_grid_is_better(seed: int, bits: int, group: int | None, kernel: int) -> None:
    x = outliers(20, 7, seed).double().repeat_interleave(kernel, 1)
    x[:, ::2] *= 0.7  # the columns of a channel need not be alike
    magnitude = x.abs().mean(0).view(7, kernel).mean(1)
    w = torch.randn(5, 7 * kernel, generator=torch.Generator().manual_seed(seed)).double()
    options = {"bits": bits, "group": group, "axis": -1 if group else 0}
    found = awq_scales(w, x.T @ x, magnitude, bits=bits, group=group, steps=10)
    error = error_of_sums(w, x, found.repeat_interleave(kernel), **options)
    for step in range(11):
        scales = magnitude ** (step / 10)
        scales = scales / (scales.max() * scales.min()).sqrt()
        assert error <= error_of_sums(w, x, scales.repeat_interleave(kernel), **options) * (1 + 1e-6)
    assert torch.isclose(found.max() * found.min(), torch.tensor(1.0).double())


def test_channels_that_are_always_zero_keep_their_scale() -> None:
    x = outliers(20, 4, 0)
    x[:, 2] = 0
    scales = awq_scales(torch.randn(3, 4), x.T @ x, x.abs().mean(0), bits=3)
    assert scales[2] == 1
    assert torch.equal(awq_scales(torch.randn(3, 4), torch.zeros(4, 4), torch.zeros(4), bits=3), torch.ones(4))


def test_wrong_shapes_are_refused() -> None:
    for w, h, m in ((torch.ones(2, 3), torch.ones(2, 2), torch.ones(3)), (torch.ones(2, 3),) * 2 + (torch.ones(2),)):
        with pytest.raises(ValueError, match="hessian.*multiple of channels"):
            awq_scales(w, h, m, bits=4)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        awq_scales(torch.ones(2, 3), torch.eye(3), torch.ones(3), bits=4, steps=0)


def randomized(model: nn.Module) -> nn.Module:
    """Normalization layers as they are after a training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm | nn.RMSNorm):
            nn.init.uniform_(module.weight, 0.1, 5)
            if getattr(module, "bias", None) is not None:
                nn.init.normal_(module.bias)
    return model


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.q, self.k = nn.LayerNorm(6), nn.Linear(6, 4), nn.Linear(6, 4)
        self.root = nn.RMSNorm(6)
        self.after = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.norm(x)
        return self.q(y) * self.k(y), self.after(self.root(x))


CASES = {
    "linear": (lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3)), (50, 5), None),
    "convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.PReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 2),
            nn.LeakyReLU(),
            nn.Flatten(),
            nn.Linear(24, 3),
        ),
        (9, 2, 8, 8),
        None,
    ),
    "attention": (Attention, (9, 5, 6), {"norm": ["q", "k"], "root": ["after"]}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("group", [None, 4])
def test_the_network_computes_the_same_and_rounds_better(name: str, group: int | None) -> None:
    make, shape, pairs = CASES[name]
    torch.manual_seed(0)
    model = randomized(make()).eval()
    x = torch.randn(shape)
    before = copy.deepcopy(model.state_dict())
    scaled = awq(model, bits=3, calibration=x.split(4), pairs=pairs, group=group)
    assert all(torch.equal(p, before[n]) for n, p in model.state_dict().items())
    assert any(not torch.equal(p, before[n]) for n, p in scaled.state_dict().items())
    torch.testing.assert_close(scaled(x), model(x), rtol=1e-4, atol=1e-4)
    if name == "attention":  # in which only the layers that read a scaled input are rounded
        options = {"bits": dict.fromkeys(("q", "k", "after"), 3), "per_channel": True, "group": group}

        def error(network: nn.Module) -> float:
            return sum(float((a - b).detach().square().sum()) for a, b in zip(network(x), model(x), strict=True))

        assert error(quantize_model(scaled, **options)) < error(quantize_model(model, **options))


def test_a_large_channel_is_saved() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 10))
    with torch.no_grad():
        model[0].weight[:2] *= 50
    x = torch.randn(200, 16)

    def error(network: nn.Module) -> float:
        rounded = quantize_model(network, bits={"2": 3}, per_channel=True)
        return float((rounded(x) - model(x)).detach().square().sum())

    assert error(awq(model, bits=3, calibration=x)) < 0.5 * error(model)


def test_what_cannot_take_a_scale_is_refused() -> None:
    x = torch.randn(20, 4)
    gelu = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="finds no layer.*name some in pairs"):
        awq(gelu, bits=3, calibration=x)
    with pytest.raises(ValueError, match="outputs must stay.*after 0 they change"):
        awq(gelu, bits=3, calibration=x, pairs={"0": ["2"]})
    with pytest.raises(ValueError, match="1 must be a linear.*got GELU"):
        awq(gelu, bits=3, calibration=x, pairs={"1": ["2"]})
    with pytest.raises(ValueError, match="nose; see model.named_modules"):
        awq(gelu, bits=3, calibration=x, pairs={"0": ["nose"]})
    with pytest.raises(ValueError, match="awq needs calibration"):
        awq(gelu, bits=3, calibration=None)
    wide = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="4 must be a linear.*reads the 3 channels of 0"):
        awq(wide, bits=3, calibration=x, pairs={"0": ["4"]})
    depthwise = nn.Sequential(nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1, groups=4))
    with pytest.raises(ValueError, match="1 must be .* without groups"):
        awq(depthwise, bits=3, calibration=torch.randn(2, 2, 3, 3), pairs={"0": ["1"]})


def test_an_input_that_another_layer_reads_too_is_refused() -> None:
    model = Attention()
    nn.init.uniform_(model.norm.weight, 0.1, 5)
    with pytest.raises(ValueError, match="outputs must stay.*all layers that read"):
        awq(model, bits=3, calibration=torch.randn(9, 6), pairs={"norm": ["q"]})
