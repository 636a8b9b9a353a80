"""Tensors as a checkpoint describes them: dtype, shape, strides, and where in the file their bytes lie. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from verify.checkpoint.inert_pickle import Global, MalformedPickleError, Opaque, Rebuilder

ITEM_BYTES: Mapping[str, int] = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "complex64": 8,
    "complex128": 16,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
"""Bytes an element, by torch's name of the dtype."""

STORAGE_DTYPES: Mapping[str, str] = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}


@dataclass(frozen=True)
class Storage:
    """A run of elements in the file, found by ``key``; ``offset`` counts elements into it (legacy storage views)."""

    key: str
    dtype: str
    offset: int = 0


@dataclass(frozen=True)
class ArrayBytes:
    """Contents that the pickle itself carries (a numpy array)."""

    data: bytes


@dataclass(frozen=True)
class StoredTensor:
    """A strided view of a storage, as ``torch.as_strided`` takes it: offset and strides count elements."""

    dtype: str
    shape: tuple[int, ...]
    storage: Storage | ArrayBytes
    offset: int
    strides: tuple[int, ...]

    @property
    def first_byte(self) -> int:
        """Where the view starts in its storage."""
        return self.offset * ITEM_BYTES[self.dtype]

    @property
    def end_byte(self) -> int:
        """One past the last byte of the storage that the view touches."""
        if 0 in self.shape:
            return self.first_byte
        last = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        return (self.offset + last + 1) * ITEM_BYTES[self.dtype]

    @property
    def element_count(self) -> int:
        return math.prod(self.shape)


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Row-major strides in elements."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def storage_from_persistent_id(identifier: object) -> object:
    """A persistent id ``("storage", type, key, location, element count[, view])`` → :class:`Storage`."""
    if not isinstance(identifier, tuple) or len(identifier) < 5 or identifier[0] not in ("storage", b"storage"):
        return Opaque("persistent id", identifier)
    _, kind, key, _location, _count, *view = identifier
    if not isinstance(kind, Global) or kind.name not in STORAGE_DTYPES or not isinstance(key, str):
        return Opaque("persistent id", identifier)
    offset = 0
    if view and view[0] is not None:
        _view_key, offset, _view_size = view[0]
    return Storage(key, STORAGE_DTYPES[kind.name], _count_of(offset))


def _count_of(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MalformedPickleError(f"a tensor's size, stride or offset is {value!r:.40}")
    return value


def _counts_of(values: object) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or len(values) > 64:
        raise MalformedPickleError("a tensor's sizes or strides are no tuple")
    return tuple(_count_of(value) for value in values)


def _view(storage: object, offset: object, size: object, stride: object, dtype: str | None = None) -> object:
    if not isinstance(storage, Storage):
        return Opaque("torch._utils._rebuild_tensor_v2", (storage, offset, size, stride))
    shape, strides = _counts_of(size), _counts_of(stride)
    if len(shape) != len(strides):
        raise MalformedPickleError(f"a tensor has {len(shape)} sizes and {len(strides)} strides")
    start = storage.offset + _count_of(offset)
    return StoredTensor(dtype or storage.dtype, shape, storage, start, strides)


def _rebuild_tensor(storage: object, offset: object, size: object, stride: object, *_rest: object) -> object:
    return _view(storage, offset, size, stride)


def _rebuild_tensor_v3(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    _requires_grad: object,
    _hooks: object,
    dtype: object,
    *_rest: object,
) -> object:
    if not isinstance(dtype, Global) or dtype.name not in ITEM_BYTES:
        return Opaque("torch._utils._rebuild_tensor_v3", dtype)
    return _view(storage, offset, size, stride, dtype.name)


def _rebuild_parameter(data: object, *_rest: object) -> object:
    return data


def _rebuild_from_type(function: object, _kind: object, arguments: object, *_rest: object) -> object:
    rebuilder = TORCH_REBUILDERS.get(str(function)) if isinstance(function, Global) else None
    if rebuilder is None or not isinstance(arguments, tuple):
        return Opaque(str(function), arguments)
    return rebuilder(*arguments)


def _ordered_dict(items: object = (), *_rest: object) -> object:
    entries: dict[object, object] = {}
    if isinstance(items, (list, tuple)):
        entries.update({item[0]: item[1] for item in items if isinstance(item[0], str)})
    return entries


def _default_dict(*_rest: object) -> object:
    return {}


def _size(values: object = ()) -> object:
    return _counts_of(values)


def _plain_list(values: object = ()) -> object:
    return list(values) if isinstance(values, (list, tuple)) else values


def _device(*_rest: object) -> object:
    return None


TORCH_REBUILDERS: Mapping[str, Rebuilder] = {
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v3": _rebuild_tensor_v3,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": _rebuild_parameter,
    "torch._tensor._rebuild_from_type": _rebuild_from_type,
    "torch._tensor._rebuild_from_type_v2": _rebuild_from_type,
    "torch.nn.parameter.Parameter": _rebuild_parameter,
    "torch.Size": _size,
    "torch.device": _device,
    "collections.OrderedDict": _ordered_dict,
    "collections.Counter": _ordered_dict,
    "collections.defaultdict": _default_dict,
    "builtins.set": _plain_list,
    "builtins.frozenset": _plain_list,
    "__builtin__.set": _plain_list,
    "__builtin__.frozenset": _plain_list,
}
"""What torch's own callables would make, as inert data. Keyed by the name in the file."""
