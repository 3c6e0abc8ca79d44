"""2:4 sparsity: by its definition, and beside torch's pruning and torch's format."""

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.methods.prune import magnitude_mask
from course_utils.methods.semi_structured import n_of_m_mask


@given(st.integers(0, 3), st.integers(0, 4), st.integers(1, 6), st.data(), st.integers(0, 10**6))
def test_each_group_keeps_its_largest(rows: int, count: int, m: int, data: st.DataObject, seed: int) -> None:
    n, axis = data.draw(st.integers(0, m)), data.draw(st.sampled_from([0, -1]))
    w = torch.randn(rows, count * m, generator=torch.Generator().manual_seed(seed)).round(decimals=0)  # with equals
    mask = n_of_m_mask(w if axis else w.T, n=n, m=m, axis=axis)
    mask = mask if axis else mask.T
    for weights, kept in zip(w.view(-1, m) if w.numel() else [], mask.reshape(-1, m), strict=False):
        assert torch.equal(kept, magnitude_mask(weights, sparsity=(m - n) / m))


def test_nan_stays() -> None:
    assert n_of_m_mask(torch.tensor([1.0, float("nan"), 3.0, 2.0])).tolist() == [False, True, True, False]


def test_the_mask_of_torchs_sparsifier() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.ao.pruning import WeightNormSparsifier

        layer = torch.nn.Sequential(torch.nn.Linear(64, 16))
        sparsifier = WeightNormSparsifier(sparsity_level=1.0, sparse_block_shape=(1, 4), zeros_per_block=2)
        sparsifier.prepare(layer, [{"tensor_fqn": "0.weight"}])
        sparsifier.step()
    theirs = layer[0].parametrizations.weight[0].mask.bool()
    assert torch.equal(n_of_m_mask(layer[0].parametrizations.weight.original), theirs)


def test_torchs_format_takes_the_pattern() -> None:
    from torch.sparse import _semi_structured_conversions as conversions

    w = torch.randn(32, 64, generator=torch.Generator().manual_seed(0)).half()
    w = w * n_of_m_mask(w)
    packed, positions = conversions.sparse_semi_structured_from_dense_cutlass(w)
    assert packed.shape == (32, 32)
    assert torch.equal(conversions.sparse_semi_structured_to_dense_cutlass(packed, positions), w)


def test_what_has_no_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 4 weights along dimension -1.*pad"):
        n_of_m_mask(torch.ones(4, 6))
    with pytest.raises(ValueError, match="n must be between 0 and 4"):
        n_of_m_mask(torch.ones(4), n=5)
    with pytest.raises(TypeError, match="floating"):
        n_of_m_mask(torch.ones(4, dtype=torch.int32))
