"""Numpy arrays and scalars in a pickle, as inert data: dtype, shape, bytes. Numpy's own reconstructors never run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from verify.checkpoint.inert_pickle import MalformedPickleError, Opaque, Rebuilder
from verify.checkpoint.tensors import ITEM_BYTES, ArrayBytes, StoredTensor, contiguous_strides

_DTYPES: Mapping[str, str] = {
    "f8": "float64",
    "f4": "float32",
    "f2": "float16",
    "i8": "int64",
    "i4": "int32",
    "i2": "int16",
    "i1": "int8",
    "u1": "uint8",
    "b1": "bool",
}


@dataclass(eq=False)
class NumpyDtype:
    """A dtype by its letter and size; its byte order arrives with BUILD."""

    code: str
    big_endian: bool = False

    def build(self, state: object) -> None:
        self.big_endian = isinstance(state, tuple) and len(state) > 1 and state[1] == ">"

    @property
    def torch_name(self) -> str | None:
        """The torch dtype of the same elements; ``None`` where there is none (objects, strings, foreign byte order)."""
        return None if self.big_endian else _DTYPES.get(self.code)


@dataclass(eq=False)
class NumpyArray:
    """An array whose shape, dtype and bytes arrive with BUILD."""

    tensor: StoredTensor | None = None

    def build(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise MalformedPickleError("a numpy array's state is not (version, shape, dtype, order, bytes)")
        _version, shape, dtype, fortran, data = state
        self.tensor = _stored(shape, dtype, bool(fortran), data)


def _stored(shape: object, dtype: object, fortran: bool, data: object) -> StoredTensor | None:
    name = dtype.torch_name if isinstance(dtype, NumpyDtype) else None
    if name is None or not isinstance(data, bytes) or not isinstance(shape, tuple):
        return None
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        return None
    if len(data) != math.prod(shape) * ITEM_BYTES[name]:
        raise MalformedPickleError(f"a numpy array of shape {shape} carries {len(data)} bytes")
    strides = contiguous_strides(shape[::-1])[::-1] if fortran else contiguous_strides(shape)
    return StoredTensor(name, shape, ArrayBytes(data), 0, strides)


def _dtype(code: object = "", *_rest: object) -> object:
    return NumpyDtype(str(code)[:8].lstrip("<|="))


def _reconstruct(*_rest: object) -> object:
    return NumpyArray()


def _from_buffer(data: object, dtype: object, shape: object, order: object = "C", *_rest: object) -> object:
    return NumpyArray(_stored(shape, dtype, order == "F", data))


def _scalar(*_rest: object) -> object:
    return None


def _encode(text: object, encoding: object = "latin1", *_rest: object) -> object:
    if isinstance(text, str) and encoding == "latin1":
        return text.encode("latin1")
    return Opaque("_codecs.encode", (text, encoding))


NUMPY_REBUILDERS: Mapping[str, Rebuilder] = {
    "_codecs.encode": _encode,
    "numpy.dtype": _dtype,
    **{f"numpy.{core}.multiarray._reconstruct": _reconstruct for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": _scalar for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _from_buffer for core in ("core", "_core")},
}
"""What numpy's own callables would make, as inert data. Keyed by the name in the file."""
