"""One forked and one ordinary kernel for all tests of a file; the file says of which `parent`."""

from collections.abc import Iterator

import pytest
from forked import Kernel, kernel


@pytest.fixture(scope="module")
def forked(parent: None) -> Iterator[Kernel]:
    with kernel() as running:
        assert running.forked
        yield running


@pytest.fixture(scope="module")
def ordinary() -> Iterator[Kernel]:
    with kernel(forked=False) as running:
        assert not running.forked
        yield running
