"""Files of version 1, little-endian, written once and still readable: `tests/coding/golden/NAME.cun` is NAME.npz.

dense: every type, NaN payloads, -0.0, an empty array and a scalar. coded: every coder, gaps, rows and columns; all,
none, one value; several Huffman blocks. joint: arrays in one stream, a convolution, float16, biases as
multiples of a step. network: a small trained network, with its architecture. They are never written again.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from course_utils.coding.container import Coded, FormatError, load, read_header, save
from course_utils.compress import CompressedModel

GOLDEN = Path(__file__).with_name("golden")
NAMES = sorted(path.stem for path in GOLDEN.glob("*.cun"))


def arrays_of(name: str) -> dict[str, np.ndarray]:
    """The arrays that the file NAME.cun must hold."""
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


def test_there_are_golden_files() -> None:
    assert NAMES == ["coded", "dense", "joint", "network"]


@pytest.mark.parametrize("name", ["coded", "dense", "joint"])
def test_golden_files_hold_what_they_held(name: str) -> None:
    expected = arrays_of(name)
    loaded = load(GOLDEN / f"{name}.cun")
    assert list(loaded) == list(expected)
    for key, value in loaded.items():
        array = value.decode() if isinstance(value, Coded) else value
        assert (array.dtype, array.shape) == (expected[key].dtype, expected[key].shape)
        assert array.tobytes() == expected[key].tobytes(), key


@pytest.mark.parametrize("name", NAMES)
def test_the_same_arrays_still_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    golden = GOLDEN / f"{name}.cun"
    save(tmp_path / "again.cun", load(golden), metadata=read_header(golden).metadata)
    assert (tmp_path / "again.cun").read_bytes() == golden.read_bytes()


def test_a_golden_network_still_computes_the_same() -> None:
    model = CompressedModel.load(GOLDEN / "network.cun").to_model()
    expected = arrays_of("network")
    assert {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()} == {
        name: array.tobytes() for name, array in expected.items()
    }
    assert model(torch.zeros(2, 64)).shape == (2, 10)


@pytest.mark.parametrize("name", NAMES)
def test_every_prefix_and_every_flipped_byte_is_refused(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    content = (GOLDEN / f"{name}.cun").read_bytes()
    places = range(0, len(content), 1 if request.config.getoption("--slow") else 13)
    wrong = [content[:end] for end in places] + [content + b"\0"]
    wrong += [content[:i] + bytes([content[i] ^ 0x41]) + content[i + 1 :] for i in places]
    path = tmp_path / "wrong.cun"
    for damaged in wrong:
        path.write_bytes(damaged)
        with pytest.raises(FormatError):
            load(path)
