"""The data and the networks that lessons share."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from course_utils.experiments.distilling.teacher import teacher
from course_utils.experiments.lesson import trained_network


@pytest.mark.parametrize("network", [trained_network, teacher])
def test_a_network_that_a_reader_has_pruned_is_whole_again_at_the_next_call(
    network: Callable[[str], nn.Module],
) -> None:
    pruned = network("digits")
    expected = {name: value.clone() for name, value in pruned.state_dict().items()}
    with torch.no_grad():
        for layer in pruned.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.zero_()
    for name, value in network("digits").state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)
