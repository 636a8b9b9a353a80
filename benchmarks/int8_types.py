"""The int8 table's rows as data, and as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from verify.atomic import write_text
from verify.jsonio import from_jsonable, to_jsonable

T = TypeVar("T")

ENGINES = ("tensorflow", "library", "ours", "budget")
"""Columns (a) to (d)."""
TITLES = {
    "tensorflow": "(a) TensorFlow's converter",
    "library": "(b) ai-edge-quantizer",
    "ours": "(c) quantize",
    "budget": "(d) `--max-drop 0.5%`",
}
CEILINGS = ("weights", "activations")
MOST_DROP = 0.005
"""The budget of column (d)."""
SEARCHED, MORE_DB = "torchvision:resnet18", 1.5
"""The net whose search for a budget is timed, and by how much SQNR plain int8 misses that."""


@dataclass(frozen=True)
class Quality:
    """How good a file is on the evaluation samples.

    ``sqnr_db`` is against the float file, of the output that is worst. ``metric`` is the task's; ``drop`` is how much
    lower than the float file's it is, and ``drop_low`` to ``drop_high`` its paired 95 % confidence interval.
    """

    sqnr_db: float | None
    metric: float | None = None
    drop: float | None = None
    drop_low: float | None = None
    drop_high: float | None = None


@dataclass(frozen=True)
class Column:
    """What one engine made. ``failed`` says why there is no file, or no outputs; ``batches`` are those it runs at.

    ``seconds`` are those of the whole making, in processes of its own; ``float_pass_s`` (ours only) is how long the
    float file ran on the same calibration samples, just before and after: the mean. ``int8_macs`` is the share of
    multiply-accumulates whose result is int8.
    """

    engine: str
    failed: str = ""
    seconds: float | None = None
    size_bytes: int | None = None
    quality: Quality | None = None
    batches: tuple[int, ...] = ()
    latency_ms: float | None = None
    latency_to_float: float | None = None
    float_ops: tuple[str, ...] = ()
    int8_macs: float | None = None
    float_pass_s: float | None = None


@dataclass(frozen=True)
class Ceiling:
    """Our file with one of its two losses taken away; ``covered`` of ``total`` tensors went through the int8 grid."""

    kind: str
    quality: Quality | None
    covered: int = 0
    total: int = 0
    failed: str = ""


@dataclass(frozen=True)
class Search:
    """A budget that plain int8 misses by ``MORE_DB``: how long looking for what to lift took, and what it came to."""

    asked_db: float
    seconds: float
    standing: str


@dataclass(frozen=True)
class Int8Row:
    """One net. ``measure`` is empty where random weights leave no task."""

    name: str
    measure: str
    samples: int
    float_metric: float | None
    float_bytes: int
    float_ms: float
    columns: tuple[Column, ...]
    ceilings: tuple[Ceiling, ...] = ()
    search: Search | None = None

    def column(self, engine: str) -> Column | None:
        """That engine's."""
        return next((each for each in self.columns if each.engine == engine), None)


def cached(path: Path, key: str, kind: type[T], compute: Callable[[], T], *, again: bool = False) -> T:
    """What ``compute`` gives, from ``path`` if it was written there under the same key."""
    if path.is_file() and not again:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return from_jsonable(kind, kept["value"])
    value = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"key": key, "value": to_jsonable(value, kind)}, indent=1) + "\n")
    return value


def key_of(*parts: str | Path | Iterable[Path]) -> str:
    """A hash of texts, of files, and of folders' Python files."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode() + b"\0")
            continue
        for path in sorted(part.rglob("*.py") if part.is_dir() else [part]) if isinstance(part, Path) else part:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
