"""A compressed network: its coded arrays, the file that holds them, and the networks that come out of it."""

import copy
import math
import os
import reprlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from course_utils._support.unfilled import unfilled
from course_utils.coding.container import Coded, FormatError, Header, Part, layout, load, read_header, save
from course_utils.compress.codes import run_from_codes_
from course_utils.compress.recipe import Recipe
from course_utils.methods.narrow import narrow as without_dead_units
from course_utils.methods.weights import biases_of, weights_of
from course_utils.models import architecture, build

if TYPE_CHECKING:
    from course_utils.compress.report import Report

__all__ = ["CompressedModel", "check_multiples", "coded_state"]

Arrays = dict[str, NDArray[Any] | Coded]

MOST_MULTIPLES = 2**16 - 2  # of a bias step, which an index of two bytes can name

_TYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16}


class CompressedModel:
    """The arrays of a compressed network by their names in its `state_dict`.

    Made by `compress` or `CompressedModel.load`. `arrays`: numbers as they are, or `Coded`. `metadata`: of the file. A
    network of `course_utils.models` is named in it, and comes back without help; any other has to be given to
    `to_model`.

    >>> from course_utils.compress import Recipe, compress
    >>> from course_utils.models import lenet_300_100
    >>> small = compress(lenet_300_100(), Recipe(prune=0.95, levels=16), progress=False)
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = small.save(f"{folder}/lenet.cun")
    ...     again = CompressedModel.load(f"{folder}/lenet.cun")
    >>> bool(torch.equal(again.to_model()[1].weight, small.to_model()[1].weight)), size < 20_000
    (True, True)
    """

    def __init__(self, arrays: Arrays, *, model: nn.Module | None = None, recipe: Recipe | None = None) -> None:
        self.arrays, self.recipe = arrays, recipe
        self.metrics: dict[str, float] = {}  # by the steps of the compression, where `compress` was given a metric
        self.architecture = None if model is None else architecture(model)
        self.metadata: dict[str, Any] = {} if self.architecture is None else {"model": self.architecture}
        self._model = None if model is None else copy.deepcopy(model)
        if model is not None:
            same, dtype = _same_arrays(model), _float_type(model)
            self.metadata |= ({"same": same} if same else {}) | ({"type": dtype} if dtype != "float32" else {})

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> int:
        """Write the file, atomically, or into a binary file object; returns its size in bytes."""
        return save(path, self._named(), metadata=self.metadata)

    def layout(self) -> list[Part]:
        """The bytes of the file, piece by piece."""
        names = dict(zip(self._named(), self.arrays, strict=True))
        return [
            part._replace(
                array=names.get(part.array, ""), bits={(names[name], what): n for (name, what), n in part.bits.items()}
            )
            for part in layout(self._named(), metadata=self.metadata)
        ]

    @classmethod
    def load(cls, path: str | os.PathLike[str] | BinaryIO, *, max_bytes: int = 2**30) -> "CompressedModel":
        """Read a file that `save` has written, or a binary file object; it may come from a stranger.

        `max_bytes`: of the arrays in memory, see `container.load`, and of the network's parameters.

        Raises: FormatError for a file that is damaged or of another format, or names a network that it does not hold;
        OSError where it cannot be read.
        """
        header = read_header(path)
        outline = _outline(header, max_bytes)
        arrays = load(path, max_bytes=max_bytes)
        if outline is not None:
            arrays = dict(zip(outline.state_dict(), arrays.values(), strict=True))
        network = cls(arrays)
        network.metadata, network.architecture = header.metadata, header.metadata.get("model")
        _check_same(network.metadata.get("same", {}), arrays)
        network._model = outline
        return network

    def state_dict(self) -> dict[str, Tensor]:
        """The decoded arrays as tensors; one that the network has under several names, under each."""
        decoded = {
            name: torch.from_numpy(value.decode() if isinstance(value, Coded) else value.copy())
            for name, value in self.arrays.items()
        }
        if self.metadata.get("type") == "bfloat16":  # written as float32
            short = {name: value.bfloat16() for name, value in decoded.items() if value.dtype == torch.float32}
            decoded |= {name: value for name, value in short.items() if torch.equal(value.float(), decoded[name])}
        return decoded | {name: decoded[first] for name, first in self.metadata.get("same", {}).items()}

    def to_model(
        self,
        model: nn.Module | None = None,
        *,
        run: str = "dense",
        narrow: bool = False,
        example_input: Tensor | tuple[Tensor, ...] | None = None,
    ) -> nn.Module:
        """The network with the compressed weights, in evaluation mode.

        `model`: the architecture; it is filled, and returned. It may be left out for the networks of
        `course_utils.models`, and where `compress` was called in this process. `run`: "dense" for ordinary layers;
        "gather" and "sparse" for layers that keep the codes and compute from them (see `codes`). `narrow`: a network
        of smaller dense layers, without the dead units (see `methods.narrow`); `example_input` is one batch for it.

        Raises: ValueError where the architecture is not known, or another than that of the arrays, or cannot hold their
        numbers; for `narrow` without an example or with another `run`, and as `methods.narrow`.
        """
        if narrow and (example_input is None or run != "dense"):
            raise ValueError(f'narrow=True needs an example_input and run="dense", got run={run!r}; leave narrow out')
        if model is None:
            model = self._new_model()
        try:
            self._fill(model)
        except FormatError as error:
            raise ValueError(str(error)) from error
        if run != "dense":
            coded = {name: value for name, value in self.arrays.items() if isinstance(value, Coded)}
            run_from_codes_(model, coded, run=run)
        model.eval()
        return without_dead_units(model, example_input).model if narrow and example_input is not None else model

    def report(self) -> "Report":
        """Where the bytes of the file go, as the lecture's table."""
        from course_utils.compress.report import Report

        return Report.of(self)

    @property
    def dense_bytes(self) -> int:
        """The parameters of the network as float32, in bytes: what all rates refer to."""
        sizes = {name: math.prod(_shape(value)) for name, value in self.arrays.items()}
        if self._model is not None:
            parameters = {name for name, _ in self._model.named_parameters()}
            sizes = {name: size for name, size in sizes.items() if name in parameters}
        return 4 * sum(sizes.values())

    def _new_model(self) -> nn.Module:
        """The network that was compressed or that the file names, with any weights."""
        if self._model is None:
            raise ValueError("the file does not name its architecture; give to_model() a network to fill")
        if not any(value.is_meta for value in self._model.state_dict().values()):
            return copy.deepcopy(self._model)
        with unfilled():
            return build(self.architecture, max_bytes=self.dense_bytes).to(_TYPES[self.metadata.get("type", "float32")])

    def _fill(self, model: nn.Module) -> None:
        decoded, target = self.state_dict(), model.state_dict()
        _check_shapes({name: tuple(value.shape) for name, value in decoded.items()}, model)
        for name, value in target.items():
            if not _holds(value.dtype, decoded[name]):
                raise FormatError(
                    f"{name} has numbers of type {decoded[name].dtype} in the file, which {value.dtype} of "
                    f"{type(model).__name__} cannot hold; give a network of that type, such as model.double()"
                )
        with torch.no_grad():  # one by one: `load_state_dict` looks for the names of each layer among all
            for name, value in target.items():
                value.copy_(decoded[name])

    def _named(self) -> Arrays:
        if self.architecture is None:
            return self.arrays
        return {str(i): value for i, value in enumerate(self.arrays.values())}  # a number is shorter than a name


def _outline(header: Header, max_bytes: int) -> nn.Module | None:
    """The network that a header names, without memory for its weights; None if it names none.

    Raises: FormatError where the arrays are not those of the network.
    """
    name, arrays = header.metadata.get("model"), header.entries
    if name is None:
        return None
    if header.metadata.get("type", "float32") not in _TYPES or "same" in header.metadata:
        raise FormatError("the header names a network of the course with arrays or numbers that it does not have")
    if isinstance(name, list) and len(arrays) != 2 * (len(name) - 1):  # before so many layers are made
        raise FormatError(f"the header names an mlp of {len(name):,} sizes, and there are {len(arrays):,} arrays")
    try:
        with torch.device("meta"), unfilled():
            model = build(name, max_bytes=max_bytes)
    except ValueError as error:
        raise FormatError(f"the header: {error}") from error
    names = list(model.state_dict())
    if len(names) != len(arrays) or [entry.name for entry in arrays] != [str(i) for i in range(len(arrays))]:
        raise FormatError(
            f"the header names the network {reprlib.repr(name)} with {len(names)} arrays, and there are others"
        )
    _check_shapes({name: entry.shape for name, entry in zip(names, arrays, strict=True)}, model)
    return model


def _check_shapes(shapes: Mapping[str, tuple[int, ...]], model: nn.Module) -> None:
    """Raise FormatError unless the `state_dict` of a network has these names and shapes."""
    target = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    for name in target.keys() | shapes.keys():
        in_file, in_model = (s.get(name, "none") for s in (shapes, target))
        if in_file != in_model:
            raise FormatError(f"{name} has the shape {in_file} in the file and {in_model} in {type(model).__name__}")


def _holds(dtype: torch.dtype, numbers: Tensor) -> bool:
    """Whether all numbers are the same in another type."""
    back = numbers.to(dtype).to(numbers.dtype)
    return bool(((back == numbers) | (back != back)).all())


def coded_state(model: nn.Module, recipe: Recipe, *, names: Iterable[str]) -> Arrays:
    """The `state_dict` of a network as arrays, in the order of `names`: weights are coded, the rest is as it is."""
    weights = {weight.key for weight in weights_of(model).values()}
    biases = {id(bias) for bias in biases_of(model)}
    arrays: Arrays = {}
    state = model.state_dict(keep_vars=True)
    same = _same_arrays(model)
    for name in names:
        if name in same:
            continue
        value = _as_array(state[name])
        if name in weights:
            arrays[name] = _coded(value, recipe)
        elif id(state[name]) in biases and recipe.bias_step is not None:
            check_multiples(state[name].detach(), recipe.bias_step)
            short = state[name].dtype == torch.bfloat16
            arrays[name] = _multiples(value, recipe.bias_step, entropy=recipe.entropy, short=short)
        else:
            arrays[name] = _dense(value, recipe.dense)
    return arrays


def _dense(value: NDArray[Any], kind: str) -> NDArray[Any]:
    """Numbers of float32 in the type for dense ones; as they are, where its range does not hold them."""
    largest = float(np.abs(np.where(np.isfinite(value), value, 0)).max(initial=0)) if value.dtype == np.float32 else 0.0
    return value if value.dtype != np.float32 or largest > float(np.finfo(kind).max) else value.astype(kind)


def _as_array(tensor: Tensor) -> NDArray[Any]:
    """The numbers of a tensor; those of bfloat16, which NumPy does not have, as float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _same_arrays(model: nn.Module) -> dict[str, str]:
    """The names under which a network has an array again, and the first of its names."""
    first: dict[int, str] = {}
    state = model.state_dict(keep_vars=True)
    return {name: first[id(value)] for name, value in state.items() if first.setdefault(id(value), name) != name}


def _check_same(same: Any, arrays: Mapping[str, Any]) -> None:
    if not (isinstance(same, dict) and all(isinstance(v, str) and v in arrays for v in same.values())):
        raise FormatError(f"the header says that arrays have further names, and not of which: {reprlib.repr(same)}")
    if known := sorted(same.keys() & arrays.keys()):
        raise FormatError(f"the header has {known[0]!r} as an array and as a further name of one")


def _float_type(model: nn.Module) -> str:
    """The type of all of a network's parameters; float32 where they differ."""
    types = {p.dtype for p in model.parameters()}
    return next((name for name, dtype in _TYPES.items() if types == {dtype}), "float32")


def _coded(value: NDArray[Any], recipe: Recipe) -> NDArray[Any] | Coded:
    if value.dtype == np.float32:
        value = _dense(value, recipe.dense).astype(np.float32)
    value = value + 0.0  # -0.0 becomes 0.0
    mask = value != 0
    if len(np.unique(value[mask])) > max(2**8 if recipe.levels else 0, mask.sum() // 4):
        if mask.all():
            return _dense(value, recipe.dense)
        return Coded(value[mask], np.zeros(0, np.uint8), mask, "in order", recipe.gap_bits)
    book, indices = np.unique(value[mask], return_inverse=True)
    kind = np.uint8 if len(book) <= 2**8 else np.uint16
    return Coded(book, indices.reshape(-1).astype(kind), mask, recipe.entropy, recipe.gap_bits)


def check_multiples(bias: Tensor, bias_step: float) -> None:
    """Raise ValueError for biases that cannot be written as multiples of a step."""
    values = bias.double()
    if not bool(torch.isfinite(values).all()):
        raise ValueError("bias_step needs finite biases, got NaN or infinity; leave it out to keep biases as they are")
    steps = float((values.clamp(min=0).max() - values.clamp(max=0).min()) / bias_step) if len(values) else 0.0
    if steps >= MOST_MULTIPLES:
        raise ValueError(
            f"bias_step={bias_step:g} would need {steps:,.0f} multiples for biases from {values.min():g} to "
            f"{values.max():g}, and there may be {MOST_MULTIPLES:,}; use a larger step, or leave it out"
        )


def _multiples(value: NDArray[Any], bias_step: float, *, entropy: str | None, short: bool = False) -> Coded:
    """Biases as integer multiples of a step; the codebook has all multiples but 0 from the smallest to the largest."""
    step = np.float64(np.float32(bias_step))
    integers = np.rint(value / step).astype(np.int64)
    negative, positive = max(0, -int(integers.min(initial=0))), max(0, int(integers.max(initial=0)))
    factors = np.concatenate([np.arange(-negative, 0), np.arange(1, positive + 1)])
    mask = integers != 0
    indices = integers[mask] + negative - (integers[mask] > 0)
    kind = np.uint8 if len(factors) <= 2**8 else np.uint16
    book = (factors * step).astype(value.dtype)
    if short:  # numbers of bfloat16
        book = torch.from_numpy(book).bfloat16().float().numpy()
    return Coded(book, indices.astype(kind), mask, entropy)


def _shape(value: NDArray[Any] | Coded) -> tuple[int, ...]:
    return value.mask.shape if isinstance(value, Coded) else value.shape
