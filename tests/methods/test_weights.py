"""Which arrays of a network are weights, and which of them a method may change."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from course_utils.methods.binarize import BinaryLinear, TernaryLinear
from course_utils.methods.codebook import cluster_weights_, share_weights
from course_utils.methods.penalties import active_neurons, sparsity
from course_utils.methods.prune import Pruner
from course_utils.methods.quantize import LowPrecision, quantize_model
from course_utils.methods.weights import biases_of, changeable_weights, deep_copy, weights_of


def tied() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    model[2].weight = model[0].weight
    return model


def test_names_are_those_of_the_state_dict() -> None:
    model = nn.Sequential(
        nn.Embedding(5, 8), nn.TransformerEncoderLayer(8, 2, 16), nn.LSTM(8, 4, 2), nn.Linear(4, 3), nn.LayerNorm(3)
    )
    found = weights_of(model)
    state = model.state_dict()
    assert [weight.key for weight in found.values()] == [
        name for name in state if "weight" in name and "norm" not in name and not name.startswith("4.")
    ]
    assert all(torch.equal(weight.tensor, state[weight.key]) for weight in found.values())
    # A weight has a bias beside it, or none: with the norms these are all of the one-dimensional parameters.
    one_dimensional = {id(p) for name, p in model.named_parameters() if p.ndim == 1}
    norms = {id(p) for module in model.modules() if isinstance(module, nn.LayerNorm) for p in module.parameters()}
    assert {id(bias) for bias in biases_of(model)} == one_dimensional - norms


def test_a_shared_weight_is_one() -> None:
    (weight,) = weights_of(tied()).values()
    assert [layer.name for layer in weight.also] == ["2"]
    with pytest.raises(ValueError, match="layer '2' shares its weight with '0'; name that one"):
        Pruner(tied(), layers=["2"])


def test_reading_a_network_does_not_change_it() -> None:
    """The weight of a spectral norm moves when it is read in training mode; stochastic signs draw random numbers."""
    model = nn.Sequential(parametrizations.spectral_norm(nn.Linear(6, 5)), BinaryLinear(5, 4, stochastic=True))
    state, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    sparsity(model)
    active_neurons(model)
    with pytest.raises(ValueError, match="_SpectralNorm"):
        changeable_weights(model, method="Pruner")
    deep_copy(model)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert model.training


def test_sparsity_is_that_of_what_is_computed() -> None:
    layer = TernaryLinear(40, 30)
    zeros = float((layer.rounded_weight() == 0).float().mean())
    assert sparsity(layer) == [pytest.approx(zeros)]
    assert zeros > 0.2
    pruner = Pruner(nn.Linear(10, 10)).prune(sparsity=0.5)
    pruner.model.weight.data.fill_(1)
    assert pruner.sparsity == 0  # until the masks are applied again


def test_the_sentence_names_the_weight_and_a_way_out() -> None:
    model = nn.Sequential(BinaryLinear(6, 5), *(nn.Linear(5, 5) for _ in range(9)))
    with pytest.raises(
        ValueError, match="'0', which is rounded by BinaryLinear.*'1', '2', '3', '4', '5', '6' and 3 oth"
    ):
        Pruner(model)
    assert Pruner(model, layers=["1", "9"]).prune(sparsity=1.0).sparsity == 1
    with pytest.raises(ValueError, match="no layer 'x' with a weight; there are '0'"):
        Pruner(model, layers=["x"])


def test_masks_are_saved_and_taken_from_zeros() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 4))
    pruner = Pruner(model).prune(sparsity=0.5)
    other = Pruner(copy.deepcopy(model)).keep_zeros()
    assert all(torch.equal(pruner.masks[name], other.masks[name]) for name in pruner.masks)
    third = Pruner(nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 4)))
    third.load_state_dict(pruner.state_dict())
    assert third.sparsity == 0.5
    assert repr(third) == "Pruner(scope='layer'): 50.0% of 72 weights are zero"
    with pytest.raises(ValueError, match="must have the names and shapes"):
        Pruner(nn.Linear(8, 6)).load_state_dict(pruner.state_dict())


def test_the_inputs_of_an_encoder_are_rounded_also_where_torch_takes_its_shortcut() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0).eval()
    x = torch.randn(2, 4, 8)
    names = {"linear1": 8, "linear2": 8}
    rounded = quantize_model(layer, bits=names, activation_bits=2, calibration=x)
    with torch.no_grad():
        without_gradients = rounded(x)
    assert torch.allclose(without_gradients, rounded(x), atol=1e-6)
    assert not torch.allclose(without_gradients, quantize_model(layer, bits=names)(x), atol=1e-3)
    with LowPrecision(layer, compute_bits=2, update_bits=None, layers=list(names)):
        with torch.no_grad():
            without_gradients = layer(x)
        assert torch.allclose(without_gradients, layer(x), atol=1e-6)
    with torch.no_grad():
        assert not torch.allclose(layer(x), without_gradients, atol=1e-3)


def test_a_copy_made_in_low_precision_is_an_ordinary_network_afterwards() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), torch.randn(4, 6)
    before = model(x)
    with LowPrecision(model, compute_bits=2, update_bits=None):
        averaged = torch.optim.swa_utils.AveragedModel(model)
        restored = pickle.loads(pickle.dumps(model))
        assert not torch.equal(averaged.module(x), before)
    assert torch.equal(averaged.module(x), before)
    assert torch.equal(restored(x), before)
    averaged.module[0].weight.data.add_(1)
    assert not torch.equal(averaged.module(x), before), "the copy has weights of its own"


@pytest.mark.filterwarnings("ignore")  # Dynamo's own
def test_rounded_inputs_are_compiled_saved_and_calibrated_from_a_loader() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), torch.randn(8, 6)
    rows = torch.utils.data.TensorDataset(x, torch.zeros(8))
    loader = torch.utils.data.DataLoader(rows, batch_size=3)
    torch.compile(model, backend="eager")(x)
    rounded = quantize_model(model, bits=8, activation_bits=2, calibration=loader)
    assert torch.equal(torch.compile(rounded, backend="eager")(x), rounded(x))
    assert torch.equal(quantize_model(model, bits=8, activation_bits=2, calibration=x)(x), rounded(x))
    assert {"0.input_scale", "0.input_zero_point"} <= rounded.state_dict().keys()
    with pytest.raises(TypeError, match="got a batch of dict"):
        quantize_model(model, bits=8, activation_bits=2, calibration=[{"x": x}])


def test_ties_and_recurrent_layers_are_clustered_without_training() -> None:
    torch.manual_seed(0)
    model = tied()
    cluster_weights_(model, size=3)
    assert model[0].weight is model[2].weight
    assert model[0].weight.unique().numel() == 3
    recurrent = nn.LSTM(4, 3)
    cluster_weights_(recurrent, size={"weight_ih_l0": 2})
    assert recurrent.weight_ih_l0.unique().numel() == 2
    assert recurrent.weight_hh_l0.unique().numel() > 2
    with pytest.raises(ValueError, match="two layers, '0' and '2'; cluster them"):
        share_weights(model, size=3)


def test_attention_computes_with_shared_weights() -> None:
    torch.manual_seed(0)
    attention, x = nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(2, 4, 8)
    share_weights(attention, size=2)
    with torch.no_grad():
        q, k, v = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
        heads = [t.reshape(2, 4, 2, 4).transpose(1, 2) for t in (q, k, v)]
        mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(2, 4, 8)
        expected = F.linear(mixed, attention.out_proj.weight, attention.out_proj.bias)
    assert torch.allclose(attention(x, x, x)[0], expected, atol=1e-5)
    attention.eval()
    with torch.no_grad():
        assert torch.allclose(attention(x, x, x)[0], expected, atol=1e-5)
    assert attention.in_proj_weight.unique().numel() == 2


class Doubled(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def test_low_precision_refuses_layers_that_compute_something_else() -> None:
    x = torch.randn(4, 6)
    rounded = quantize_model(nn.Sequential(nn.Linear(6, 5)), bits=8, activation_bits=2, calibration=x)
    for model in (nn.Sequential(Doubled(6, 5)), rounded):
        with pytest.raises(ValueError, match="a forward of its own"):
            LowPrecision(model, compute_bits=8, update_bits=None)


def test_an_input_that_is_given_by_name_is_calibrated() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(input=x)

    x = torch.linspace(-1, 2, 6)[None]
    watched = quantize_model(Named(), bits=8, activation_bits=2, calibration=x)
    assert float(watched.layer.input_scale) == pytest.approx(1.0)
    assert watched(x).shape == (1, 5)
    with LowPrecision(Named(), compute_bits=8, update_bits=None) as context:
        assert context.model(x).shape == (1, 5)
