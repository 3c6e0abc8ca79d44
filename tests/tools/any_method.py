"""What each method must do with any network: act on what it computes with, or refuse in a sentence with a way out.

`python tests/tools/any_method.py` prints the table of all networks and methods. A cell is "=" where the method acts on
what the network computes with, which is checked, "r" where it refuses, and "!" for all else.
"""

import copy
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from any_network import NETWORKS, Inputs, inputs_of
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from course_utils.compress import CompressedModel, Recipe, compress
from course_utils.methods.codebook import share_weights
from course_utils.methods.penalties import Regularizer, active_neurons, sparsity
from course_utils.methods.prune import Pruner
from course_utils.methods.quantize import LowPrecision, quantize_model
from course_utils.methods.weights import weights_of

__all__ = ["METHODS", "outcome"]


def computed(model: nn.Module) -> list[Tensor]:
    """What the layers of a network multiply with."""
    return [weight.computed.detach() for weight in weights_of(model).values()]


def outputs(model: nn.Module, x: Inputs) -> Tensor:
    """The outputs in evaluation mode without gradients, where torch takes its shortcuts."""
    if any(p.is_meta or is_lazy(p) for p in model.parameters()):
        return torch.zeros(0)
    mode = model.training
    with torch.no_grad():
        result = model.eval()(*x)
    model.train(mode)
    return result


def prune_layers(model: nn.Module, x: Inputs) -> None:
    """Half of each weight is zero where the network computes, and stays so in training."""
    pruner = Pruner(model).prune(sparsity=0.5)
    zeros = sum(int((w == 0).sum()) for w in computed(model)) / sum(w.numel() for w in computed(model))
    assert abs(zeros - 0.5) < 0.1, zeros
    assert abs(zeros - pruner.sparsity) < 1e-6, (zeros, pruner.sparsity)
    if any(p.is_floating_point() for p in model.parameters()):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1, momentum=0.9)
        with pruner:
            model(*x).sum().backward()
            optimizer.step()
        assert abs(pruner.sparsity - zeros) < 1e-6
    assert not torch.equal(outputs(model, x), outputs(fresh(model), x)) or not outputs(model, x).numel()


def fresh(model: nn.Module) -> nn.Module:
    """A copy with other numbers in all its weights."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in weights_of(other).values():
            weight.tensor.add_(0.7)
    return other


def penalize(model: nn.Module, x: Inputs) -> None:
    """A strong proximal step makes all weights zero where the network computes; the counts agree."""
    regularizer = Regularizer("group", lam=0.1, conv_groups="filters" if _grouped(model) else "inputs")
    assert (float(regularizer(model)) > 0) == bool(weights_of(model))
    regularizer.prox_(model, lr=1e4)
    trained = [weight for weight in weights_of(model).values() if weight.tensor.requires_grad]
    assert all(bool((weight.computed == 0).all()) for weight in trained)
    assert all(
        share == 1 or share != share for share, w in zip(sparsity(model), computed(model), strict=True) if not w.any()
    )
    assert sum(active_neurons(model)) == 0 or len(trained) < len(weights_of(model))


def _grouped(model: nn.Module) -> bool:
    return any(getattr(module, "groups", 1) > 1 for module in model.modules())


def quantize_weights(model: nn.Module, x: Inputs) -> None:
    """At two bits each weight has at most four values where the network computes, and the outputs change."""
    before = outputs(model, x)
    rounded = quantize_model(model, bits=2)
    assert all(w.unique().numel() <= 4 for w in computed(rounded))
    assert not torch.equal(outputs(rounded, x), before) or not before.numel()
    assert torch.equal(outputs(model, x), before)
    assert [w.dtype for w in computed(rounded)] == [w.dtype for w in computed(model)]


def quantize_inputs(model: nn.Module, x: Inputs) -> None:
    """The inputs of all layers are rounded, also without gradients; saved and loaded too."""
    plain = quantize_model(model, bits=8)
    rounded = quantize_model(model, bits=8, activation_bits=2, calibration=x[0])
    assert not torch.equal(outputs(plain, x), outputs(rounded, x)) or not outputs(plain, x).numel()
    again = copy.deepcopy(rounded)
    again.load_state_dict(rounded.state_dict())
    assert torch.equal(outputs(again, x), outputs(rounded, x))


def train_centroids(model: nn.Module, x: Inputs) -> None:
    """Each weight has at most three values and zero where the network computes, and keeps them in training."""
    share_weights(model, size=3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    before = outputs(model, x)
    model(*x).sum().backward()
    optimizer.step()
    assert all(w.unique().numel() <= 4 for w in computed(model))
    assert not torch.equal(outputs(model, x), before) or not before.numel()


def low_precision(model: nn.Module, x: Inputs) -> None:
    """At two bits the outputs change, in training and in evaluation, and of a copy; afterwards all is as before."""
    before = outputs(model, x)
    with LowPrecision(model, compute_bits=2, update_bits=None):
        inside = outputs(model, x)
        copied = copy.deepcopy(model)
        assert torch.equal(outputs(copied, x), inside)
    assert not torch.equal(before, inside) or not before.numel()
    assert torch.equal(outputs(model, x), before)
    assert torch.equal(outputs(copied, x), before)


def write(recipe: Recipe) -> Callable[[nn.Module, Inputs], None]:
    """A file of a network that was compressed by `recipe` gives what was compressed, to the bit."""

    def check(model: nn.Module, x: Inputs) -> None:
        before, state = outputs(model, x), copy.deepcopy(model).state_dict()
        small = compress(model, recipe, progress=False)
        with tempfile.TemporaryDirectory() as folder:
            small.save(Path(folder, "network.cun"))
            loaded = CompressedModel.load(Path(folder, "network.cun"))
        in_process, from_file = outputs(small.to_model(), x), outputs(loaded.to_model(emptied(model)), x)
        assert torch.equal(in_process, from_file)
        assert in_process.dtype == before.dtype
        assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
        if not recipe.steps:
            assert torch.equal(in_process, before)
        if recipe.levels:
            assert all(w.unique().numel() <= recipe.levels + 1 for w in computed(small.to_model()))
        if recipe.prune:
            zeros = sum(int((w == 0).sum()) for w in computed(small.to_model()))
            assert zeros >= round(0.5 * sum(w.numel() for w in computed(small.to_model())))

    return check


def emptied(model: nn.Module) -> nn.Module:
    """A copy with other numbers."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for tensor in (*other.parameters(), *(b for b in other.buffers() if b.is_floating_point())):
            tensor.add_(1)
    return other


METHODS: dict[str, Callable[[nn.Module, Inputs], None]] = {
    "prune": prune_layers,
    "penalty": penalize,
    "weights at 2 bits": quantize_weights,
    "inputs at 2 bits": quantize_inputs,
    "low precision": low_precision,
    "shared, trained": train_centroids,
    "write": write(Recipe()),
    "prune, write": write(Recipe(prune=0.5)),
    "3 values, write": write(Recipe(levels=3)),
    "all, write": write(Recipe(prune=0.5, levels=3, bias_step=0.01, entropy="ans")),
}


def outcome(network: str, method: str) -> tuple[str, str]:
    """What a method does with a network, as a sign, and the sentence with which it refuses."""
    torch.manual_seed(0)
    make, shape = NETWORKS[network]
    model = make()
    try:
        METHODS[method](model, inputs_of(shape, model))
    except (ValueError, TypeError) as problem:
        sentence = str(problem)
        return ("r" if ";" in sentence or "needs" in sentence else "!"), sentence
    except Exception as problem:
        return "!", f"{type(problem).__name__}: {problem}"
    return "=", ""


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print("| network | " + " | ".join(METHODS) + " |\n|---|" + "---|" * len(METHODS))
    sentences: dict[str, list[str]] = {}
    for network in NETWORKS:
        cells = []
        for method in METHODS:
            sign, sentence = outcome(network, method)
            cells.append(sign)
            if sentence:
                sentences.setdefault(sentence, []).append(f"{network} / {method}")
        print(f"| {network} | " + " | ".join(cells) + " |")
    for sentence, places in sentences.items():
        print(f"- {places[0]}: {sentence}")


if __name__ == "__main__":
    main()
