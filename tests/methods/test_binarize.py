"""binarize: the rules by their definitions, the layers by what they compute and learn, packed products exactly."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from course_utils.data import load_dataset
from course_utils.methods.binarize import (
    BinaryConv2d,
    BinaryLinear,
    BNNConv2d,
    BNNLinear,
    TernaryConv2d,
    TernaryLinear,
    binarize,
    clip_,
    hard_sigmoid,
    pack_bits,
    square_hinge_loss,
    ternarize,
    unpack_bits,
    xnor_linear,
)
from course_utils.methods.binarize.packed import _differences_numpy, _differences_torch
from course_utils.train import evaluate, fit

LINEAR = [BinaryLinear, TernaryLinear, BNNLinear]
CONV = [BinaryConv2d, TernaryConv2d, BNNConv2d]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_sign_of_zero_is_plus_one() -> None:
    inf = math.inf
    signs = binarize(torch.tensor([-0.0, 0.0, -1e-30, inf, -inf, math.nan]))
    assert signs[:5].tolist() == [1, 1, -1, 1, -1]
    assert signs[5].isnan()


def test_the_expectation_of_a_random_sign_is_the_weight() -> None:
    # With the rule as the lecture prints it, the expectation would be -w.
    w = torch.linspace(-1, 1, 21)
    mean = binarize(w.repeat(40_000, 1), stochastic=True, generator=seeded()).mean(0)
    assert (mean - w).abs().max() < 5 / math.sqrt(40_000)
    beyond = torch.tensor([-1.0, 1.0, -7.0, 7.0]).repeat(1000, 1)
    assert torch.equal(binarize(beyond, stochastic=True, generator=seeded()), beyond.sign())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("stochastic", [False, True])
def test_signs_of_any_dtype_and_number(dtype: torch.dtype, stochastic: bool) -> None:
    for n in (0, 1, 2, 3, 5, 4097):  # random numbers come four to a word
        w = torch.linspace(-1, 1, n, dtype=dtype)
        signs = binarize(w, stochastic=stochastic, generator=seeded())
        assert signs.dtype == dtype
        assert signs.shape == w.shape
        assert bool((signs.abs() == 1).all())
    assert binarize(torch.tensor(math.nan, dtype=dtype), stochastic=stochastic, generator=seeded()).isnan()
    ends = torch.tensor([-math.inf, -1, 1, math.inf], dtype=dtype).repeat(20_000, 1)  # never on the other side
    assert torch.equal(binarize(ends, stochastic=stochastic, generator=seeded()), ends.sign())


def test_random_signs_are_independent_of_each_other() -> None:
    signs = binarize(torch.full((50_000, 8), 0.3), stochastic=True, generator=seeded())
    expected = 0.09 + torch.eye(8) * 0.91
    assert (signs.T @ signs / 50_000 - expected).abs().max() < 5 / math.sqrt(50_000)


@given(st.lists(st.floats(-3, 3, width=32), min_size=1))
def test_hard_sigmoid_is_its_formula(values: list[float]) -> None:
    expected = [min(1.0, max(0.0, (v + 1) / 2)) for v in values]
    torch.testing.assert_close(hard_sigmoid(torch.tensor(values)), torch.tensor(expected))


@pytest.mark.parametrize("stochastic", [False, True])
def test_the_gradient_passes_inside_and_stops_outside(stochastic: bool) -> None:
    w = torch.tensor([-1.5, -1.0, -0.2, 0.0, 1.0, 1.01], requires_grad=True)
    (binarize(w, stochastic=stochastic) * torch.arange(1.0, 7.0)).sum().backward()
    assert w.grad.tolist() == [0, 2, 3, 4, 5, 0]


def slow_ternarize(w: list[float], factor: float) -> tuple[list[float], float]:
    threshold = factor * sum(abs(v) for v in w) / len(w)
    codes = [0.0 if abs(v) <= threshold else math.copysign(1, v) for v in w]
    magnitudes = [abs(v) for v, c in zip(w, codes, strict=True) if c]
    return codes, sum(magnitudes) / len(magnitudes) if magnitudes else 0.0


@given(st.lists(st.floats(-8, 8).map(lambda v: round(v, 3)), min_size=1, max_size=30), st.sampled_from([0.0, 0.7, 1.1]))
def test_ternary_is_its_definition(values: list[float], factor: float) -> None:
    codes, scale = ternarize(torch.tensor(values, dtype=torch.float64), factor=factor)
    expected, expected_scale = slow_ternarize(values, factor)
    threshold = factor * sum(map(abs, values)) / len(values)
    clear = [i for i, v in enumerate(values) if not math.isclose(abs(v), threshold, rel_tol=1e-12)]
    assert [codes[i].item() for i in clear] == [expected[i] for i in clear]
    if len(clear) == len(values):
        assert scale.item() == pytest.approx(expected_scale)


def test_ternary_codes_of_nothing_but_zeros() -> None:
    codes, scale = ternarize(torch.zeros(3, 2))
    assert codes.tolist() == [[0, 0]] * 3
    assert scale == 0
    assert ternarize(torch.zeros(0))[1] == 0
    assert ternarize(torch.ones(4), factor=1.0)[0].tolist() == [0, 0, 0, 0]  # strictly above


def test_ternary_scale_is_the_best_one_for_its_codes() -> None:
    w = torch.randn(500, generator=seeded())
    codes, scale = ternarize(w)
    best = (w * codes).sum() / codes.square().sum()
    torch.testing.assert_close(scale, best)


def test_square_hinge_against_a_loop() -> None:
    z, y = torch.randn(6, 4, generator=seeded()), torch.tensor([0, 1, 2, 3, 0, 2])
    total = 0.0
    for row, label in zip(z.tolist(), y.tolist(), strict=True):
        total += sum(max(0.0, 1 - (1 if c == label else -1) * v) ** 2 for c, v in enumerate(row))
    assert square_hinge_loss(z, y).item() == pytest.approx(total / 24, rel=1e-6)
    with pytest.raises(ValueError, match=r"logits must have the shape \(n, classes\)"):
        square_hinge_loss(z, y[:3])


# --- layers


@pytest.mark.parametrize("kind", LINEAR)
def test_a_linear_layer_is_the_product_with_its_rounded_weights(kind: type[nn.Linear]) -> None:
    layer, x = kind(7, 5), torch.randn(3, 7, generator=seeded())
    used = binarize(x) if kind is BNNLinear else x
    torch.testing.assert_close(layer(x), used @ layer.rounded_weight().T + layer.bias)
    assert layer.rounded_weight().unique().numel() <= 3
    assert list(layer.state_dict()) == list(nn.Linear(7, 5).state_dict())


@pytest.mark.parametrize("kind", CONV)
def test_a_conv_layer_is_the_convolution_with_its_rounded_weights(kind: type[nn.Conv2d]) -> None:
    layer = kind(2, 4, 3, padding=1, stride=2, groups=2)
    x = torch.randn(3, 2, 8, 8, generator=seeded())
    used = binarize(x) if kind is BNNConv2d else x
    expected = F.conv2d(used, layer.rounded_weight(), layer.bias, stride=2, padding=1, groups=2)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("kind", LINEAR)
def test_the_real_weights_get_the_gradient_of_the_rounded_ones(kind: type[nn.Linear]) -> None:
    layer, x = kind(7, 5), torch.randn(3, 7, generator=seeded())
    layer(x).sum().backward()
    used = binarize(x) if kind is BNNLinear else x
    torch.testing.assert_close(layer.weight.grad, used.sum(0).expand(5, 7))


def test_random_signs_in_training_real_weights_afterwards() -> None:
    layer = BinaryLinear(64, 32, stochastic=True, generator=seeded())
    assert not torch.equal(layer.rounded_weight(), layer.rounded_weight())
    assert torch.equal(layer.eval().rounded_weight(), layer.weight)
    assert torch.equal(BinaryLinear(4, 4).eval().rounded_weight().abs(), torch.ones(4, 4))
    bnn = BNNLinear(64, 32, stochastic=True)
    assert torch.equal(bnn.eval().rounded_weight(), binarize(bnn.weight))


def test_clip_reaches_binary_layers_and_no_other() -> None:
    model = nn.Sequential(nn.Linear(3, 3), BinaryLinear(3, 3), BNNConv2d(1, 1, 3), TernaryLinear(3, 3))
    for p in model.parameters():
        p.data.fill_(5.0)
    clip_(model)
    assert [layer.weight.max().item() for layer in model] == [5, 1, 1, 5]
    assert model[1].bias.max() == 5


@pytest.mark.parametrize(
    ("kind", "options"),
    [(BinaryLinear, {}), (BinaryLinear, {"stochastic": True}), (TernaryLinear, {}), (BNNLinear, {})],
    ids=["binary", "stochastic", "ternary", "binarized"],
)
def test_a_small_network_learns_the_digits(kind: type[nn.Linear], options: dict) -> None:
    digits = load_dataset("digits")
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(),
        BinaryLinear(64, 128) if kind is BNNLinear else kind(64, 128, **options),
        nn.BatchNorm1d(128),
        nn.Identity() if kind is BNNLinear else nn.ReLU(),
        kind(128, 10, **options),
        nn.BatchNorm1d(10),
    )
    fit(
        model,
        digits,
        epochs=12,
        batch_size=64,
        lr=0.03,
        loss=square_hinge_loss,
        after_step=clip_,
        progress=False,
        device="cpu",
    )
    assert evaluate(model, digits).accuracy > 0.88
    assert all(layer.weight.abs().max() <= 1 for layer in model if isinstance(layer, BinaryLinear))


def test_layers_can_be_copied_and_saved(tmp_path) -> None:
    layer = BinaryConv2d(1, 2, 3)
    torch.save(layer.state_dict(), tmp_path / "w.pt")
    other = copy.deepcopy(layer)
    other.load_state_dict(torch.load(tmp_path / "w.pt", weights_only=True))
    x = torch.randn(1, 1, 6, 6)
    assert torch.equal(layer(x), other(x))


# --- packed bits


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9), st.sampled_from([0, 1, 7, 8, 9, 63, 64, 65, 200]))
def test_xnor_equals_the_float_product_exactly(seed: int, rows: int, outputs: int, n: int) -> None:
    x, w = torch.randn(rows, n, generator=seeded(seed)), torch.randn(outputs, n, generator=seeded(seed + 1))
    product = xnor_linear(pack_bits(x), pack_bits(w), n=n)
    assert product.dtype == torch.int32
    assert torch.equal(product.float(), binarize(x) @ binarize(w).T)


def test_both_ways_of_counting_agree_over_several_blocks() -> None:
    x, w = (torch.randint(-(2**63), 2**63 - 1, s, generator=seeded()) for s in ((50, 3), (3, 700)))
    assert torch.equal(_differences_numpy(x, w), _differences_torch(x, w))


def test_a_binarized_layer_runs_on_packed_bits() -> None:
    layer, x = BNNLinear(100, 30, bias=False), torch.randn(20, 100, generator=seeded())
    packed = xnor_linear(pack_bits(x), pack_bits(layer.weight), n=100)
    assert torch.equal(layer(x), packed.float())


@given(st.integers(0, 2**31), st.sampled_from([1, 7, 8, 9, 20]))
def test_packing_goes_there_and_back_in_an_eighth_of_the_bytes(seed: int, n: int) -> None:
    w = torch.randn(3, 2, n, generator=seeded(seed))
    packed = pack_bits(w)
    assert packed.shape == (3, 2, -(-n // 8))
    assert torch.equal(unpack_bits(packed, n=n), binarize(w))


def test_wrong_packed_tensors_are_refused() -> None:
    good = pack_bits(torch.ones(2, 9))
    with pytest.raises(TypeError, match="make it with pack_bits"):
        xnor_linear(torch.ones(2, 9), good, n=9)
    with pytest.raises(ValueError, match="2 bytes to hold n=16|3 bytes to hold n=17"):
        xnor_linear(good, good, n=17)
    with pytest.raises(ValueError, match="two dimensions"):
        xnor_linear(good[0], good, n=9)
    with pytest.raises(ValueError, match="at least one dimension"):
        pack_bits(torch.tensor(1.0))
    with pytest.raises(ValueError, match="NaN"):
        pack_bits(torch.tensor([math.nan]))
