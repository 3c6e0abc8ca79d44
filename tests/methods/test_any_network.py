"""Each method on networks of many kinds: it acts on what the network computes with, or refuses in a sentence."""

import pytest
from any_method import METHODS, outcome
from any_network import NETWORKS

# "=" acts, "r" refuses; in the order of METHODS.
EXPECTED = {
    "linear layers": "==========",
    "one linear layer": "==========",
    "no biases": "==========",
    "batch norm, dropout": "==========",
    "layer norm": "==========",
    "frozen layer": "==========",
    "convolution, 1-D": "==========",
    "convolution, 2-D": "==========",
    "convolution, 3-D": "==========",
    "convolution, groups": "==========",
    "convolution, depthwise": "==========",
    "convolution, padding": "==========",
    "transposed convolution": "===rr=====",
    "channels last": "==========",
    "residual": "==========",
    "LSTM": "===rrr====",
    "LSTM, projection": "===rrr====",
    "GRU": "===rrr====",
    "RNN": "===rrr====",
    "GRU cell": "===rrr====",
    "attention": "===rr=====",
    "attention, other keys": "===rr=====",
    "attention, more biases": "===rr=====",
    "encoder layer": "===rr=====",
    "encoder": "===rr=====",
    "decoder layer": "===rr=====",
    "vision transformer": "===rr=====",
    "embedding": "====r=====",
    "embedding, padding": "====r=====",
    "embedding, max_norm": "rrrrrr=rrr",
    "embedding bag": "====r=====",
    "tied embedding": "====rr====",
    "one weight twice": "=====r====",
    "one layer twice": "==========",
    "bilinear": "=r=rr=====",
    "weight norm": "rrrrrr=rrr",
    "weight norm, hook": "rrrrrr=rrr",
    "spectral norm": "rrrrrr=rrr",
    "orthogonal": "rrrrrr=rrr",
    "pruned by torch": "rrrrrr=rrr",
    "shared weights": "rrrrrr=rrr",
    "binary": "rrrrrr=rrr",
    "binary, stochastic": "rrrrrr=rrr",
    "binary convolution": "rrrrrr=rrr",
    "binary, inputs too": "rrrrrr=rrr",
    "binary conv., inputs too": "rrrrrr=rrr",
    "ternary": "rrrrrr=rrr",
    "ternary convolution": "rrrrrr=rrr",
    "only binary layers": "rrrrrr=rrr",
    "KAF": "==========",
    "APL, tanh": "==========",
    "maxout": "==========",
    "float64": "==========",
    "float16": "==========",
    "bfloat16": "==========",
    "complex": "rrrrrrrrrr",
    "meta device": "rrrrrrrrrr",
    "lazy": "rrrrrrrrrr",
    "no outputs": "==========",
    "no weights": "r=rrrrrrrr",
    "compiled": "==========",
    "data parallel": "==========",
}


@pytest.mark.filterwarnings("ignore")  # torch's own, about nested tensors and old parametrizations
@pytest.mark.parametrize("network", NETWORKS)
def test_each_method_acts_on_what_is_computed_or_refuses(network: str) -> None:
    outcomes = [outcome(network, method) for method in METHODS]
    assert "".join(sign for sign, _ in outcomes) == EXPECTED[network], "\n".join(
        words for _, words in outcomes if words
    )
