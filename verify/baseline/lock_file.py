"""Reading and writing a lock file: JSON as ``verify`` writes it, or TOML for whoever keeps it by hand."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from verify.atomic import write_text
from verify.baseline.lock import LOCK_SCHEMA_VERSION, Accepted, Lock, LockedOutput
from verify.errors import LockInvalid
from verify.jsonio import from_jsonable, to_jsonable

_TABLES: dict[str, type] = {"outputs": LockedOutput, "accepted": Accepted}
_FIX = "mend it there, or record it again: delete the file and run verify with --lock"


def read_lock(path: Path) -> Lock:
    """The lock in a ``.json`` or ``.toml`` file; raises ``LockInvalid``, which says where it is broken."""
    data = _parsed(path)
    version = data.get("schema_version")
    if version != LOCK_SCHEMA_VERSION:
        raise LockInvalid(
            f"{path}: schema_version is {version!r}; this release reads {LOCK_SCHEMA_VERSION!r}",
            fix="record it again with this release, or use the release that wrote it",
        )
    _refuse_unknown(path, data, Lock, "")
    for table, kind in _TABLES.items():
        entries = data.get(table, [])
        if not isinstance(entries, list):
            raise LockInvalid(f"{path}: {table} is {_kind(entries)}, expected a list of tables", fix=_FIX)
        for index, entry in enumerate(entries):
            _refuse_unknown(path, entry, kind, f"{table}[{index}]")
    try:
        lock: Lock = from_jsonable(Lock, data)
    except ValidationError as error:
        first = error.errors()[0]
        raise LockInvalid(f"{path}: {_place(first['loc'])}: {_told(first)}", fix=_FIX) from error
    _refuse_meaningless(path, lock)
    _refuse_twice(path, lock)
    return lock


def write_lock(lock: Lock, path: Path) -> None:
    """Write it, whole or not at all; the same lock gives the same bytes. Comments of a TOML file are not kept."""
    data = {key: value for key, value in to_jsonable(lock).items() if key not in _TABLES}
    tables = {table: [_given(entry) for entry in to_jsonable(lock)[table]] for table in _TABLES}
    if path.suffix == ".toml":
        write_text(path, _toml(data, tables))
    else:
        write_text(path, json.dumps(data | tables, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise LockInvalid(f"{path}, line {error.lineno}, column {error.colno}: {error.msg}", fix=_FIX) from error
    except (OSError, ValueError, RecursionError) as error:
        raise LockInvalid(f"{path} is no lock file: {error}", fix=_FIX) from error
    if not isinstance(data, dict):
        raise LockInvalid(f"{path} is {_kind(data)}, expected a table with schema_version and outputs", fix=_FIX)
    return data


def _refuse_unknown(path: Path, entry: object, kind: type, place: str) -> None:
    if not isinstance(entry, Mapping):
        raise LockInvalid(f"{path}: {place} is {_kind(entry)}, expected a table", fix=_FIX)
    known = [field.name for field in dataclasses.fields(kind)]
    for key in entry:
        if key not in known:
            where = f"{place}.{key}" if place else str(key)
            raise LockInvalid(f"{path}: {where} is unknown; there are {', '.join(known)}", fix=_FIX)


def _refuse_meaningless(path: Path, lock: Lock) -> None:
    for index, it in enumerate(lock.outputs):
        if not 0 <= it.rms_error < math.inf:
            raise LockInvalid(f"{path}: outputs[{index}].rms_error: {it.rms_error} is no size of an error", fix=_FIX)
    for index, exception in enumerate(lock.accepted):
        for key in ("reason", "owner"):
            if not str(getattr(exception, key)).strip():
                raise LockInvalid(f"{path}: accepted[{index}].{key} is empty", fix=f"say it: {key} = ...")


def _refuse_twice(path: Path, lock: Lock) -> None:
    seen: dict[tuple[str, str, str], int] = {}
    for index, it in enumerate(lock.outputs):
        before = seen.setdefault((it.expected, it.actual, it.output), index)
        if before != index:
            raise LockInvalid(f"{path}: outputs[{index}] records the same output as outputs[{before}]", fix=_FIX)


def _place(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _told(error: Any) -> str:
    return "is missing" if error["type"] == "missing" else f"{error['input']!r}: {error['msg']}"


def _given(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


def _toml(data: Mapping[str, Any], tables: Mapping[str, list[dict[str, Any]]]) -> str:
    """A JSON string is a TOML basic string but for DEL, and a JSON number a TOML one."""
    lines = [_pair(key, value) for key, value in data.items()]
    for table, entries in tables.items():
        for entry in entries:
            lines += ["", f"[[{table}]]", *(_pair(key, value) for key, value in entry.items())]
    return "\n".join(lines) + "\n"


def _pair(key: str, value: str | float) -> str:
    return f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")


def _kind(value: object) -> str:
    names = {list: "a list", dict: "a table", str: "text", type(None): "null", bool: "a truth value"}
    return names.get(type(value), "a number")


def _refuse_constant(token: str) -> float:
    raise ValueError(f"{token} is not JSON")
