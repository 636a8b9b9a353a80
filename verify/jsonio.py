"""Frozen dataclasses to JSON and back, checked: the only way a value crosses a process boundary or reaches a file."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


@functools.cache
def _cached_adapter(kind: Hashable) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(cast("Any", kind))


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return _cached_adapter(kind)


def to_jsonable(value: object, kind: Any = None) -> Any:
    """A dataclass (or container of them) as plain JSON values; paths become strings."""
    return _adapter(kind or type(value)).dump_python(value, mode="json")


def from_jsonable(kind: type[T] | Any, data: Any) -> T:
    """JSON values as ``kind``, with every field checked; raises ``pydantic.ValidationError``."""
    result: T = _adapter(kind).validate_python(data)
    return result


def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a dataclass."""
    return _adapter(kind).json_schema(mode="serialization")
