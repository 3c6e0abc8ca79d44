"""Values as text that is the same in every process, to compare what a file was made with to what is here.

A function is its code, its defaults, and the values of the variables that it uses; an object is its class and its
state, a tensor its numbers. Of what an installed package defines, only the name counts. What a function reaches by
other means (files, `getattr`, settings of other packages) is not seen.
"""

import copyreg
import hashlib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property, partial
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils._support.code import code_checksum, is_installed, used_variables

__all__ = ["Description", "first_difference", "tensor_text"]

LONG = 100  # letters; a longer text is given by its checksum
PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, type(...), type(NotImplemented))
NAMED = (torch.dtype, torch.device, torch.layout, torch.memory_format, PurePath)  # what its own text says completely
UNSTATED = (types.MemberDescriptorType, types.GetSetDescriptorType)  # of a class: they only lead to an object's state


class Description:
    """Lines of text by name, such as {"loss.weight": "0.5"}.

    `known`: names of objects that are described elsewhere, by their `id`.

    Raises, from `add`: ValueError for a value whose state cannot be read, such as a generator or an open file.

    >>> description = Description()
    >>> description.add("loss", partial(torch.add, alpha=0.5))
    >>> description.lines["loss.alpha"]
    '0.5'
    """

    def __init__(self, known: Mapping[int, str] | None = None) -> None:
        self.lines: dict[str, str] = {}
        self._names = dict(known or {})
        self._alive: list[Any] = []  # the id of what has gone may become that of another object

    def add(self, name: str, value: Any) -> None:
        """Describe a value, and all that it consists of."""
        value = _uncompiled(value)
        text = _plain(value)
        if text is None and id(value) in self._names:
            text = f"the same as {self._names[id(value)]}"
        if text is not None:
            self._put(name, text)
            return
        if not isinstance(value, tuple | frozenset):  # which Python may share or not
            self._names[id(value)] = name
            self._alive.append(value)
        try:
            self._describe(value)(name, value)
        except RecursionError:
            raise ValueError(f"{name} is nested too deep to be compared") from None

    def _describe(self, value: Any) -> Callable[[str, Any], None]:
        by_type: dict[type, Callable[[str, Any], None]] = {
            list: self._add_sequence,
            tuple: self._add_sequence,
            set: self._add_set,
            frozenset: self._add_set,
            dict: self._add_dict,
            types.MappingProxyType: self._add_dict,
        }
        by_kind: dict[type, Callable[[str, Any], None]] = {
            Tensor: self._add_tensor,
            np.ndarray: self._add_array,
            torch.Generator: lambda name, value: self.add(name, value.get_state()),
            nn.Module: self._add_network,
            types.FunctionType: self._add_function,
            types.MethodType: self._add_method,
            partial: self._add_partial,
            type: self._add_class,
            types.ModuleType: self._add_python_module,
            staticmethod: lambda name, value: self.add(name, value.__func__),
            classmethod: lambda name, value: self.add(name, value.__func__),
            property: lambda name, value: self._add_all(name, fget=value.fget, fset=value.fset),
            cached_property: lambda name, value: self.add(name, value.func),
        }
        if describe := by_type.get(type(value)):
            return describe
        return next((describe for kind, describe in by_kind.items() if isinstance(value, kind)), self._add_object)

    def _put(self, name: str, text: str) -> None:
        self.lines[name] = f"{self.lines[name]}, {text}" if name in self.lines else text

    def _add_all(self, name: str, parts: Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:
        """Describe parts as attributes of `name`."""
        for key, part in (*parts, *more.items()):
            self.add(f"{name}.{key}", part)

    def _add_items(self, name: str, items: Iterable[tuple[object, Any]]) -> None:
        for key, part in items:
            self.add(f"{name}[{key}]", part)

    # Numbers and containers

    def _add_tensor(self, name: str, value: Tensor) -> None:
        try:
            self._put(name, tensor_text(value))
        except (RuntimeError, TypeError, NotImplementedError) as error:
            raise _unreadable(name, value) from error
        self.add_tensor(name, value)

    def add_tensor(self, name: str, value: Tensor) -> None:
        """Describe what a tensor has beside its numbers: another class, attributes, and functions of its gradient."""
        if type(value) not in (Tensor, nn.Parameter):
            self._add_all(name, __class__=type(value))
        self._add_all(name, vars(value).items())
        for hooks in (value._backward_hooks, value._post_accumulate_grad_hooks):
            if hooks:
                self.add(f"{name}.hooks", list(hooks.values()))

    def _add_array(self, name: str, value: "np.ndarray[Any, Any]") -> None:
        if value.dtype.hasobject:
            self.add(name, value.tolist())
        else:
            self._put(name, f"{value.dtype} {list(value.shape)} with checksum {_checksum(value.tobytes())}")

    def _add_sequence(self, name: str, value: Any) -> None:
        texts = [text for part in value if (text := _plain(part)) is not None]
        if len(texts) == len(value):
            self._put(name, _short(f"[{', '.join(texts)}]"))
        else:
            self._put(name, f"{len(value)} parts")
            self._add_items(name, enumerate(value))

    def _add_set(self, name: str, value: Any) -> None:
        self._put(name, _short(f"{{{', '.join(sorted(map(self._flat, value)))}}}"))

    def _add_dict(self, name: str, value: Mapping[Any, Any]) -> None:
        entries = [(self._flat(key), part) for key, part in value.items()]  # in their order, in which a loop takes them
        self._put(name, _short(f"entries [{', '.join(key for key, _ in entries)}]"))
        self._add_items(name, entries)

    def _flat(self, value: Any) -> str:
        """A value in one text."""
        if (text := _plain(value)) is not None:
            return text
        description = Description(self._names)
        description.add("", value)
        return _checksum(repr(description.lines).encode())

    # Functions, classes and objects

    def _add_function(self, name: str, value: types.FunctionType) -> None:
        code, module = value.__code__, str(value.__globals__.get("__name__"))
        variables: dict[str, Any] = {}
        if is_installed(module):
            self._put(name, f"{module}.{code.co_qualname}")
        else:
            self._put(name, f"{code.co_name} with code {code_checksum(code)}")
            variables = used_variables(value)
        arguments, defaults = code.co_varnames[: code.co_argcount], value.__defaults__ or ()
        variables |= dict(zip(arguments[::-1], defaults[::-1], strict=False)) | (value.__kwdefaults__ or {})
        for key, cell in zip(code.co_freevars, value.__closure__ or (), strict=True):
            with suppress(ValueError):  # it has no value yet
                variables[key] = cell.cell_contents
        self._add_all(name, variables.items())
        self._add_all(name, vars(value).items())

    def _add_method(self, name: str, value: types.MethodType) -> None:
        self.add(name, value.__func__)
        self._add_all(name, __self__=value.__self__)

    def _add_partial(self, name: str, value: "partial[Any]") -> None:
        self.add(name, value.func)
        self._add_items(name, enumerate(value.args))
        self._add_all(name, value.keywords.items())

    def _add_class(self, name: str, value: type) -> None:
        self._put(name, _qualified(value))
        if not is_installed(type(value).__module__):
            self._add_all(name, __class__=type(value))
        if not is_installed(value.__module__):
            self._add_all(name, ((base.__name__, base) for base in value.__bases__))
            self._add_all(name, _members(value))

    def _add_python_module(self, name: str, value: types.ModuleType) -> None:
        self._put(name, f"module {value.__name__}")
        if not is_installed(value.__name__):
            self._add_all(name, ((key, part) for key, part in vars(value).items() if not key.startswith("__")))

    def _add_object(self, name: str, value: Any) -> None:
        """Describe an object by what pickle would store of it."""
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:  # whatever such a method raises
            raise _unreadable(name, value) from error
        if isinstance(reduced, str):  # a global name
            self._put(name, f"{getattr(value, '__module__', '')}.{reduced}")
            if hasattr(value, "__wrapped__"):
                self._add_all(name, __wrapped__=value.__wrapped__)
            return
        make, arguments, state, items, entries = (*reduced, None, None, None)[:5]
        self._put(name, f"{_qualified(type(value))} object")
        if not is_installed(type(value).__module__):
            self._add_all(name, __class__=type(value))
        if make is not copyreg.__newobj__:  # type: ignore[attr-defined]
            self._add_all(name, __reduce__=make)
        self._add_items(f"{name}.args", ((i, part) for i, part in enumerate(arguments) if part is not type(value)))
        self._add_state(name, state, type(value))
        self._add_items(name, enumerate(items or ()))
        self._add_items(name, ((self._flat(key), part) for key, part in entries or ()))

    def _add_state(self, name: str, state: Any, kind: type) -> None:
        for part in (
            state if isinstance(state, tuple) and len(state) == 2 else (state,)
        ):  # attributes, and those in slots
            if isinstance(part, dict):
                computed = {key for key in part if isinstance(getattr(kind, str(key), None), cached_property)}
                self._add_all(name, ((key, value) for key, value in part.items() if key not in computed))
            elif part is not None:
                self._add_all(name, __state__=part)

    # Networks

    def _add_network(self, name: str, value: nn.Module) -> None:
        self.add_module(name, value)
        for parts in (value._parameters, value._buffers, value._modules):
            self._add_all(name, parts.items())

    def add_module(self, name: str, module: nn.Module, *, without: Iterable[str] = ()) -> None:
        """Describe a part of a network, without its parameters, buffers and children and some more attributes."""
        self._put(name, _qualified(type(module)))
        if not is_installed(type(module).__module__):
            self._add_all(name, __class__=type(module))
        self._add_all(name, ((key, value) for key, value in _attributes(module) if key not in without))


def first_difference(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """What differs between two descriptions, in the order of the second, or None.

    >>> first_difference({"lr": "0.1", "seed": "1"}, {"lr": "0.1", "seed": "2"})
    'seed was 1 and is now 2'
    """
    for name in (*now, *before):
        if before.get(name) != now.get(name):
            return f"{name} was {before.get(name, 'not there')} and is now {now.get(name, 'not there')}"
    return None


def tensor_text(value: Tensor) -> str:
    """The type, the shape and the numbers of a tensor, on whatever device."""
    numbers = value.detach().to("cpu").contiguous()
    checksum = _checksum(numbers.reshape(-1).view(torch.uint8).numpy())
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)} with checksum {checksum}"


def _plain(value: Any) -> str | None:
    """The text of a value that has no parts, None for others."""
    if isinstance(value, np.generic) and not isinstance(value, np.void | np.object_):
        value = value.item()
    if type(value) in PLAIN:
        return _short(repr(value))
    return f"{_qualified(type(value))} {value}" if isinstance(value, NAMED) else None


def _short(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:20]}... with checksum {_checksum(text.encode())}"


def _checksum(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _qualified(kind: type) -> str:
    has_prefix = kind.__module__ != "builtins" and is_installed(kind.__module__)
    return f"{kind.__module__}.{kind.__qualname__}" if has_prefix else kind.__name__


def _uncompiled(value: Any) -> Any:
    """What torch.compile was given, for what it has returned."""
    if isinstance(value, nn.Module):
        return getattr(value, "_orig_mod", value)
    return getattr(value, "_torchdynamo_orig_callable", value) if isinstance(value, types.FunctionType) else value


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """What a class defines, without what Python notes of it."""
    for key, member in vars(kind).items():
        is_note = key.startswith("__") and not isinstance(member, types.FunctionType | staticmethod | classmethod)
        if not (is_note or key == "_abc_impl" or isinstance(member, UNSTATED)):
            yield key, member


def _attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """The attributes of a network that are its own; its hooks have numbers that differ each time."""
    for key, value in sorted(vars(module).items()):
        is_computed = isinstance(value, Tensor) and value.grad_fn is not None  # from parameters
        if "hooks" in key and value:
            yield key, list(value.values()) if isinstance(value, dict) else value
        elif not ("hooks" in key or key in ("_parameters", "_buffers", "_modules") or is_computed):
            yield key, value


def _unreadable(name: str, value: Any) -> ValueError:
    return ValueError(
        f"{name} is of type {_qualified(type(value))}, whose state cannot be read, so it cannot be compared with what "
        "a file was made with"
    )
