"""Whether two runs came to the same: byte for byte, but for what clocks, machines and history put into it.

For tests and benchmarks: the same job gives the same results on any machine, after any interruption, reused or not.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TIMES_AND_PLACES = frozenset(
    {
        "seconds",
        "total_seconds",
        "wall_seconds",
        "latency_ms",
        "peak_memory_bytes",
        "created",
        "finished",
        "host",
        "reused",
        "reused_stages",
        "log",
    }
)
"""Fields of reports, ledgers and results that two runs may differ in."""

RETELLINGS = frozenset({"report.html", "run.log", "log.txt"})
"""Files that show those fields, or what libraries print, and nothing that ``report.json`` does not have."""

NORMALISED = frozenset({"report.json", ".reuse.json", "result.json", "zoo.json"})


def differences(first: Path, second: Path) -> list[str]:
    """What differs between two output folders of a model, one line a file; empty when they are the same."""
    names = {path.relative_to(folder).as_posix() for folder in (first, second) for path in _files(folder)}
    return [line for name in sorted(names) if (line := _difference(first / name, second / name, name))]


def zoo_differences(first: Path, second: Path) -> list[str]:
    """What differs between two output folders of a zoo: the models' folders, and the results of the jobs."""
    found = [f"models/{line}" for line in differences(first / "models", second / "models")]
    results = {path.relative_to(folder) for folder in (first, second) for path in folder.glob("jobs/*/result.json")}
    for name in sorted(results):
        line = _difference(first / name, second / name, name.as_posix())
        found += [line] if line else []
    return found


def normalised(value: Any) -> Any:
    """JSON without the fields that two runs may differ in, and without hashes of files that hold them."""
    if isinstance(value, dict):
        if Path(str(value.get("path", ""))).name in RETELLINGS | NORMALISED:
            return {"path": value["path"]}
        return {key: normalised(item) for key, item in value.items() if key not in TIMES_AND_PLACES}
    return [normalised(item) for item in value] if isinstance(value, list) else value


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _difference(first: Path, second: Path, name: str) -> str:
    if not first.is_file() or not second.is_file():
        return f"{name}: only in the {'first' if first.is_file() else 'second'}"
    if first.name in RETELLINGS:
        return ""
    if first.name not in NORMALISED:
        return "" if first.read_bytes() == second.read_bytes() else f"{name}: other bytes"
    mine, others = (normalised(json.loads(path.read_text(encoding="utf-8"))) for path in (first, second))
    return "" if mine == others else f"{name}: {_first_difference(mine, others)}"


def _first_difference(mine: Any, others: Any, where: str = "") -> str:
    if isinstance(mine, dict) and isinstance(others, dict) and mine.keys() == others.keys():
        pairs = [(f"{where}.{key}", mine[key], others[key]) for key in mine]
    elif isinstance(mine, list) and isinstance(others, list) and len(mine) == len(others):
        pairs = [(f"{where}[{index}]", *pair) for index, pair in enumerate(zip(mine, others, strict=True))]
    else:
        return f"{where} is {str(mine)[:80]!r} and {str(others)[:80]!r}"
    return next(_first_difference(a, b, place) for place, a, b in pairs if a != b)
