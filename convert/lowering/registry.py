"""Which function lowers which ONNX op, keyed by domain, op and the operator-set version from which it holds."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from convert.layout.value import Value

if TYPE_CHECKING:
    from convert.lowering.call import Call

Lowered = Value | tuple[Value, ...]
Lowering = Callable[["Call"], Lowered]

_LOWERINGS: dict[tuple[str, str], dict[int, Lowering]] = {}


def lowers(op: str, *, since: int = 1, domain: str = "") -> Callable[[Lowering], Lowering]:
    """Register the decorated function for an op, from operator-set version ``since`` on; a duplicate raises."""

    def register(function: Lowering) -> Lowering:
        versions = _LOWERINGS.setdefault((domain, op), {})
        if since in versions:
            raise ValueError(
                f"{domain or 'ai.onnx'}.{op} since {since} is lowered by {versions[since].__name__} already"
            )
        versions[since] = function
        return function

    return register


def find_lowering(domain: str, op: str, version: int) -> Lowering | None:
    """The lowering with the highest since-version that is not above ``version``."""
    _load_families()
    versions = _LOWERINGS.get(("" if domain == "ai.onnx" else domain, op), {})
    usable = [since for since in versions if since <= version]
    return versions[max(usable)] if usable else None


def known_ops() -> tuple[str, ...]:
    """The ops of the ONNX domain that have a lowering, sorted."""
    _load_families()
    return tuple(sorted(op for domain, op in _LOWERINGS if not domain))


@cache
def _load_families() -> None:
    from convert.lowering import ops

    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
