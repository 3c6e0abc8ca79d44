"""What `narrow` keeps as it was, what it leaves alone and says so, and what it refuses."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from course_utils.methods.binarize import BinaryLinear
from course_utils.methods.narrow import narrow


def mlp() -> nn.Sequential:
    """The second of four hidden units is constant, and the third is read by nobody."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight[1] = 0
        model[2].weight[:, 2] = 0
    return model


def same(model: nn.Module, *inputs: Tensor, atol: float = 1e-5) -> Any:
    """The result, whose outputs are those of the network."""
    result = narrow(model, inputs, repeats=1)
    modes = [m.training for m in model.modules()]
    with torch.no_grad():
        expected, got = copy.deepcopy(model).eval()(*inputs), copy.deepcopy(result.model).eval()(*inputs)
    torch.testing.assert_close(got, expected, rtol=0, atol=atol)
    assert [m.training for m in model.modules()] == modes
    return result


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-12), (torch.float16, 2e-3), (torch.bfloat16, 2e-2)])
def test_dtypes_modes_and_gradients_are_kept(dtype: torch.dtype, atol: float) -> None:
    model = mlp().to(dtype).train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    small = same(model, torch.randn(5, 3, dtype=dtype), atol=atol).model
    assert [tuple(p.shape) for p in small.parameters()] == [(2, 3), (2,), (2, 2), (2,)]
    assert {p.dtype for p in small.parameters()} == {dtype}
    assert [p.requires_grad for p in small.parameters()] == [False, True, True, True]
    assert [m.training for m in small] == [True, False, True]
    assert (small[0].out_features, small[2].in_features) == (2, 2)


def test_the_random_state_stays() -> None:
    model, before = mlp(), torch.get_rng_state()
    narrow(model, torch.ones(1, 3), repeats=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_report() -> None:
    result = narrow(mlp(), torch.ones(1, 3))
    assert (result.before.parameters, result.after.parameters) == (26, 14)
    assert (result.before.bytes, result.after.bytes) == (104, 56)
    assert (result.before.multiply_adds, result.after.multiply_adds) == (20, 10)
    assert result.before.milliseconds > 0
    lines = [line.split() for line in str(result).splitlines()]
    assert lines[0] == ["parameters", "26", "->", "14"]
    assert lines[-1] == ["2", "2", "x", "4", "->", "2", "x", "2"]


def test_the_outputs_stay_and_are_named() -> None:
    model = mlp()
    with torch.no_grad():
        model[2].weight[0] = 0
    result = same(model, torch.randn(4, 3))
    assert result.left == {"2": "1 dead units stay, because it is an output of the network"}
    assert result.model[2].weight.shape == (2, 2)


class Twice(nn.Module):
    """One layer at two places."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.last = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        with torch.no_grad():
            self.first.weight[0] = self.again.weight[1] = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.again(torch.relu(self.again(torch.relu(self.first(x)))))))


def test_a_layer_that_is_called_twice_stays() -> None:
    result = same(Twice(), torch.randn(4, 3))
    assert result.layers == {}
    assert result.left["again"] == "linear with its parameters cannot be made smaller"


def test_tied_weights_stay() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    model[2].weight = model[0].weight
    with torch.no_grad():
        model[0].weight[0] = 0
    assert same(model, torch.randn(3, 4)).layers == {}


@pytest.mark.parametrize(
    "wrap", [parametrizations.weight_norm, parametrizations.orthogonal, parametrizations.spectral_norm]
)
def test_parametrized_layers_stay(wrap: Any) -> None:
    model = mlp()
    wrap(model[2])
    result = same(model, torch.randn(3, 3))
    assert result.layers == {}
    assert any(name.startswith("2") for name in result.left)


def test_binary_layers_stay() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Hardtanh(), BinaryLinear(4, 2))
    with torch.no_grad():
        model[0].weight[0] = 0
    assert same(model, torch.randn(3, 3)).layers == {}


def test_layer_normalization_keeps_its_channels() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 5), nn.GELU(), nn.Linear(5, 2))
    with torch.no_grad():
        model[0].weight[0] = model[2].weight[0] = 0
    result = same(model, torch.randn(3, 3))
    assert result.layers == {"2": ((5, 4), (4, 4)), "4": ((2, 5), (2, 4))}
    assert result.left["0"] == "1 dead units stay, because layer_norm reads it as a whole"


def test_in_a_transformer_the_hidden_units_go_and_the_heads_stay() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
    model = nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 3))
    with torch.no_grad():
        for part in model[0].layers:
            part.linear1.weight[:6] = 0
            part.self_attn.out_proj.weight[:, :4] = 0  # all that reads the first head
    result = same(model, torch.randn(2, 5, 8))
    assert result.layers["0.layers.1.linear1"] == ((16, 8), (10, 8))
    assert "0.layers.0.self_attn" in result.left
    assert result.model[0].layers[0].self_attn.out_proj.weight.shape == (8, 8)


def test_recurrent_layers_stay() -> None:
    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.hidden, self.out = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(torch.relu(self.hidden(self.gru(x)[0][:, -1])))

    model = Sequence()
    with torch.no_grad():
        model.hidden.weight[:3] = 0
    result = same(model, torch.randn(2, 6, 3))
    assert result.layers == {"hidden": ((5, 4), (2, 4)), "out": ((2, 5), (2, 2))}
    assert "gru" in result.left


class Split(nn.Module):
    """Halves of the channels meet, and a size stands in the code."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.a, self.b, self.size = nn.Linear(3, 8), nn.Linear(4, 2), size
        with torch.no_grad():
            self.a.weight[1] = 0

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.a(x).view(-1, self.size).chunk(2, -1)
        return self.b(left * right)


def test_sizes_in_the_code_keep_the_channels() -> None:
    assert same(Split(8), torch.randn(4, 3)).layers == {}


def test_a_pooled_skip_and_two_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(3, 6), nn.Embedding(5, 6), nn.Linear(12, 2)
            with torch.no_grad():
                self.a.weight[0] = 0

        def forward(self, x: Tensor, i: Tensor) -> Tensor:
            return self.c(torch.cat([torch.relu(self.a(x)), self.b(i)], -1))

    result = same(Two(), torch.randn(4, 3), torch.tensor([0, 1, 2, 4]))
    assert result.layers == {"a": ((6, 3), (5, 3)), "c": ((2, 12), (2, 11))}


def test_what_is_refused() -> None:
    class Depends(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = mlp()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x) * self.net[0].out_features

    x = torch.randn(2, 3)
    with pytest.raises(ValueError, match="torch.export cannot follow Depends"):
        narrow(Depends(), x)
    with pytest.raises(ValueError, match="without its dead units Counts gives other outputs"):
        narrow(Counts(), x)
    with pytest.raises(ValueError, match="gives other outputs"):
        narrow(nn.Sequential(mlp(), RandomDrop()), x)
    with pytest.raises(TypeError, match="example_input must be a tensor or a tuple of tensors, got list"):
        narrow(mlp(), [x])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="repeats must be at least 1"):
        narrow(mlp(), x, repeats=0)
    with pytest.raises(ValueError, match="torch.export cannot follow Sequential"):
        narrow(mlp(), torch.randn(2, 7))
    old = mlp()
    prune.l1_unstructured(old[0], "weight", amount=0.5)
    old(x).sum().backward()
    with pytest.raises(ValueError, match="cannot be copied"):
        narrow(old, x)


class RandomDrop(nn.Module):
    """Dropout that does not know of evaluation mode."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.5)
