"""The meta graphs of a ``saved_model.pb``, parsed without TensorFlow.

A SavedModel message is ``{1: schema version, 2: repeated MetaGraphDef}`` (``saved_model.proto``); its two fields are
read here from the wire format, and the meta graphs by their own message class.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from verify.errors import ModelUnreadable

_META_GRAPHS = 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def meta_graphs(path: Path) -> list[Any]:
    """Every ``MetaGraphDef`` in the file; raises ``ModelUnreadable``."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from tensorboard.compat.proto.meta_graph_pb2 import MetaGraphDef

    found = []
    try:
        for body in _fields(path.read_bytes(), _META_GRAPHS):
            found.append(MetaGraphDef())
            found[-1].ParseFromString(body)
    except (DecodeError, IndexError, ValueError, OSError) as error:
        raise ModelUnreadable(
            f"{path} is no whole SavedModel: {error}", fix="it was cut off or damaged: save or copy it again"
        ) from error
    if not found:
        raise ModelUnreadable(f"{path} is no SavedModel: it holds no graph", fix="save it again")
    return found


def _fields(data: bytes, wanted: int) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _BYTES:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field is longer than the file")
            if number == wanted:
                yield data[at : at + length]
            at += length
        elif kind == _VARINT:
            _, at = _varint(data, at)
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {at}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"a number at byte {at} is too long")
