"""`resnet18` and `mobilenet_v2` with half of their channels, by zeros and `narrow`, and by Torch-Pruning."""

import copy

import pytest
import torch
from torch import nn

from course_utils.data.vision import import_torchvision
from course_utils.methods.narrow import narrow

IMAGE = (1, 3, 64, 64)


def architecture(name: str) -> nn.Module:
    """The network with random weights and statistics: those of a new one are all 0 and 1."""
    torch.manual_seed(0)
    try:
        model: nn.Module = getattr(import_torchvision().models, name)()
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchvision cannot be imported: {error}")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    return model.eval()


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_equal_shapes_and_outputs_beside_torch_pruning(name: str) -> None:
    tp = pytest.importorskip("torch_pruning")
    model, x = architecture(name), torch.randn(IMAGE)
    masked, pruned = copy.deepcopy(model), copy.deepcopy(model)
    graph = tp.DependencyGraph().build_dependency(pruned, example_inputs=x)
    names = {module: name for name, module in pruned.named_modules()}
    classifiers = [module for module in pruned.modules() if isinstance(module, nn.Linear)]
    groups = []
    for group in graph.get_all_groups(ignored_layers=classifiers, root_module_types=[nn.Conv2d]):
        channels = torch.randperm(len(group[0].idxs))[: len(group[0].idxs) // 2].tolist()
        root = group[0].dep
        groups.append(graph.get_pruning_group(root.target.module, root.handler, channels))
    with torch.no_grad():
        for group in groups:
            for dependency, channels in group:
                module = dependency.target.module
                if module in names and "in_channels" not in dependency.handler.__name__:
                    zero(masked.get_submodule(names[module]), channels)
    for group in groups:
        group.prune()

    result = narrow(masked, x, repeats=1)
    assert {k: v.shape for k, v in result.model.state_dict().items()} == {
        k: v.shape for k, v in pruned.state_dict().items()
    }
    assert result.after.multiply_adds < 0.4 * result.before.multiply_adds
    for batch in (x, torch.randn(2, *IMAGE[1:])):
        with torch.no_grad():
            expected = masked(batch)
            scale = float(expected.abs().max())
            torch.testing.assert_close(result.model(batch), expected, rtol=0, atol=1e-4 * scale)
            torch.testing.assert_close(result.model(batch), pruned(batch), rtol=0, atol=1e-4 * scale)


def zero(module: nn.Module, channels: list[int]) -> None:
    module.weight[channels] = 0
    if module.bias is not None:
        module.bias[channels] = 0


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_without_dead_channels_nothing_changes(name: str) -> None:
    result = narrow(architecture(name), torch.randn(IMAGE), repeats=1)
    assert result.layers == {}
    assert result.left == {}
    assert result.before.parameters == result.after.parameters
