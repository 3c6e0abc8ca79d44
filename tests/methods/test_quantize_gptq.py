"""GPTQ: against its ancestor OBQ, and against least squares that know nothing of either."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from course_utils.data import load_dataset
from course_utils.methods.quantize import (
    QParams,
    choose_qparams,
    dequantize,
    fake_quantize,
    gptq,
    quantize,
    quantize_model,
)
from course_utils.methods.quantize.inputs import input_rows, weight_matrices
from course_utils.models import mlp
from course_utils.train import evaluate, fit


def problem(rows: int, columns: int, seed: int) -> tuple[Tensor, Tensor]:
    """A weight matrix, and X^T X of inputs that depend on each other."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4 * columns, columns, generator=generator, dtype=torch.float64)
    x = x @ torch.randn(columns, columns, generator=generator, dtype=torch.float64)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64), x.T @ x


def damped(h: Tensor, damping: float) -> Tensor:
    return h + damping * h.diagonal().mean() * torch.eye(len(h), dtype=h.dtype)


def obq(w: Tensor, h: Tensor, qparams: QParams, order: list[int]) -> Tensor:
    """Optimal brain quantization (arXiv:2208.11580, (3) and (4)): the inverse loses a row and a column at each step."""
    w, inverse = w.clone(), torch.linalg.inv(h)
    codes = torch.empty_like(w)
    for i in order:
        codes[:, i] = quantize(w, qparams)[:, i].double()
        error = w[:, i] - fake_quantize(w, qparams=qparams)[:, i]
        w -= torch.outer(error / inverse[i, i], inverse[i])
        inverse = inverse - torch.outer(inverse[:, i], inverse[i]) / inverse[i, i]
    return codes


def least_squares(w: Tensor, h: Tensor, qparams: QParams, order: list[int]) -> Tensor:
    """At each step the free columns are the best for those that are fixed: H_ff d_f = -H_fc d_c, solved anew."""
    result, codes = w.clone(), torch.empty_like(w)
    for step, i in enumerate(order):
        codes[:, i] = quantize(result, qparams)[:, i].double()
        result[:, i] = fake_quantize(result, qparams=qparams)[:, i]
        fixed, free = order[: step + 1], order[step + 1 :]
        if free:
            change = (result - w)[:, fixed]
            result[:, free] = w[:, free] - torch.linalg.solve(h[free][:, free], h[free][:, fixed] @ change.T).T
    return codes


@pytest.mark.parametrize("oracle", [obq, least_squares])
@pytest.mark.parametrize("order", ["given", "curvature"])
@given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 10**6), st.integers(2, 4), st.sampled_from([None, 3]))
def test_the_codes_are_those_of_the_ancestor(
    oracle, order: str, rows: int, columns: int, seed: int, bits: int, group: int | None
) -> None:
    w, h = problem(rows, columns, seed)
    codes, qparams = gptq(w, h, bits=bits, group=group, damping=0.01, order=order)
    expected = choose_qparams(w, bits=bits, axis=-1 if group else 0, group=group)
    assert torch.equal(qparams.scale, expected.scale)
    by_curvature = h.diagonal().argsort(descending=True).tolist()
    ordered = list(range(columns)) if order == "given" else by_curvature
    assert torch.equal(codes.double(), oracle(w, damped(h, 0.01), qparams, ordered))


def test_blocks_of_columns_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    w, h = problem(5, 300, 0)
    in_blocks, _ = gptq(w, h, bits=3, group=32)
    monkeypatch.setattr("course_utils.methods.quantize.compensated.BLOCK", 10_000)
    assert torch.equal(in_blocks, gptq(w, h, bits=3, group=32)[0])


@given(st.integers(0, 1000), st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]))
def test_independent_inputs_give_plain_rounding(seed: int, dtype: torch.dtype) -> None:
    w = problem(3, 7, seed)[0].to(dtype)
    codes, qparams = gptq(w, torch.diag(torch.arange(7.0)), bits=4)
    assert torch.equal(codes, quantize(w, qparams))


def test_the_error_of_the_sums_is_much_smaller() -> None:
    for seed in range(5):
        w, h = problem(16, 32, seed)

        def error(rounded: Tensor, w: Tensor = w, h: Tensor = h) -> float:
            return float(torch.trace((w - rounded) @ h @ (w - rounded).T))

        plain = error(fake_quantize(w, bits=3, axis=0))
        for order in ("given", "curvature"):
            assert error(dequantize(*gptq(w, h, bits=3, order=order))) < 0.7 * plain


def test_a_factor_of_the_hessian_changes_nothing_and_the_weights_stay() -> None:
    w, h = problem(4, 8, 1)
    before = w.clone(), h.clone()
    assert torch.equal(gptq(w, h, bits=3)[0], gptq(w, 4 * h, bits=3)[0])
    assert torch.equal(w, before[0])
    assert torch.equal(h, before[1])


def test_inputs_that_are_always_zero_need_no_damping() -> None:
    w, h = problem(4, 8, 2)
    h[3], h[:, 3] = 0, 0
    codes, qparams = gptq(w, h, bits=3, damping=0)
    assert torch.equal(codes[:, 3], quantize(w, qparams)[:, 3])
    assert torch.equal(gptq(w, torch.zeros(8, 8), bits=3)[0], quantize(w, qparams))


def test_wrong_arguments_are_refused() -> None:
    w, h = problem(2, 3, 0)
    for call, message in (
        (lambda: gptq(w, h), "exactly one of bits and qparams"),
        (lambda: gptq(w, h[:2], bits=4), r"of shape \(3, 3\).*x.T @ x"),
        (lambda: gptq(w, h * torch.nan, bits=4), "finite"),
        (lambda: gptq(w, -h, bits=4), "positive definite.*more damping"),
        (lambda: gptq(w, torch.ones(3, 3), bits=4, damping=0), "positive definite.*more damping"),
        (lambda: gptq(w, h, bits=4, damping=-1), "damping must be at least 0"),
        (lambda: gptq(w, h, bits=4, order="random"), "order must be one of"),
        (lambda: gptq(w[0], h, bits=4), r"flatten\(1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# --- layers and networks


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(4, 3), (2, 5, 4)),
        (nn.Conv1d(4, 6, 3, padding=1, groups=2), (2, 4, 9)),
        (nn.Conv2d(4, 6, (3, 2), stride=2, dilation=(1, 2), groups=2), (2, 4, 9, 8)),
        (nn.Conv2d(3, 6, 3, padding="same", padding_mode="reflect"), (2, 3, 6, 7)),
        (nn.Conv3d(2, 3, 2), (1, 2, 4, 3, 5)),
        (nn.Conv2d(2, 3, 2), (2, 5, 5)),
    ],
    ids=str,
)
def test_rows_times_the_matrix_are_the_sums_of_the_layer(layer: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        sums = input_rows(layer, x) @ weight_matrices(layer).mT  # (groups, rows, out per group)
        out = layer(x) - layer.bias.view(-1, *[1] * (0 if isinstance(layer, nn.Linear) else len(layer.kernel_size)))
    if not isinstance(layer, nn.Linear):
        out = (out if out.ndim == x.ndim == len(layer.kernel_size) + 2 else out.unsqueeze(0)).movedim(1, -1)
    torch.testing.assert_close(sums.movedim(0, 1).reshape(out.shape), out, rtol=1e-4, atol=1e-5)


def test_each_layer_sees_the_inputs_of_the_network_that_is_rounded_so_far() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    x = torch.randn(50, 1, 4, 4)
    before = copy.deepcopy(model.state_dict())
    rounded = quantize_model(model, bits=3, per_channel=True, rounding="gptq", calibration=x.split(20))
    for layer, inputs in ((0, x), (3, rounded[:3](x).detach())):
        rows = input_rows(model[layer], inputs)[0].double()
        codes, qparams = gptq(model[layer].weight.detach().flatten(1), rows.T @ rows, bits=3, order="curvature")
        torch.testing.assert_close(rounded[layer].weight.flatten(1), dequantize(codes, qparams), rtol=0, atol=0)
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())


def test_weights_in_another_layout_are_rounded_too() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3)).to(memory_format=torch.channels_last)
    x = torch.randn(9, 3, 5, 5)
    rounded = quantize_model(model, bits=2, rounding="gptq", calibration=x)
    assert rounded[0].weight.unique().numel() <= 4


def test_layers_that_the_calibration_does_not_reach_are_refused() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(input=x)

    with pytest.raises(ValueError, match="none for idle; leave these in float"):
        quantize_model(Half(), bits=4, rounding="gptq", calibration=torch.ones(2, 3))
    rounded = quantize_model(Half(), bits={"used": 2}, rounding="gptq", calibration=torch.randn(9, 3))
    assert rounded.used.weight.unique().numel() <= 4
    with pytest.raises(ValueError, match='rounding="gptq" needs calibration'):
        quantize_model(Half(), bits=4, rounding="gptq")
    with pytest.raises(ValueError, match="rounding must be one of"):
        quantize_model(Half(), bits=4, rounding="up")


def test_two_bits_without_retraining() -> None:
    digits = load_dataset("digits")
    torch.manual_seed(0)
    model = mlp([64, 40, 30, 10])
    fit(model, digits, epochs=8, batch_size=32, lr=0.01, progress=False, device="cpu")
    exact = evaluate(model, digits).accuracy
    plain = evaluate(quantize_model(model, bits=2, per_channel=True), digits).accuracy
    careful = quantize_model(model, bits=2, per_channel=True, rounding="gptq", calibration=digits.x_train[:512])
    assert plain < exact - 0.03
    assert evaluate(careful, digits).accuracy > exact - 0.02
