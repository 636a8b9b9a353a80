"""Pydantic's findings as sentences: which table and key, what was given, what was expected, what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from convert.zoo.manifest.errors import Mistake
from convert.zoo.manifest.lines import Lines
from convert.zoo.manifest.schema import BudgetTable, ExpectTable, ModelOptions, ModelTable, SourceTable, ZooTable

REFERENCE = "docs/zoo-manifest.md lists every key"
_TABLES: Mapping[str, type[BaseModel]] = {
    "zoo": ZooTable,
    "defaults": ModelOptions,
    "model": ModelTable,
    "budgets": BudgetTable,
    "expect": ExpectTable,
    "source": SourceTable,
}
_EXPECTED = {
    "date_type": "expected a TOML date, without quotes: 2027-01-31",
    "date_parsing": "expected a TOML date, without quotes: 2027-01-31",
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected a text in quotes",
    "string_too_short": "expected some text",
    "list_type": "expected an array: [ … ]",
    "dict_type": "expected a table: { key = value }",
    "model_type": "expected a table: { key = value }",
    "model_attributes_type": "expected a table: { key = value }",
}
_PATTERNS = {
    "id": "expected letters, digits and . _ + @ = - (at most 120, none of the marks but _ first)",
    "sha256": "expected 64 hexadecimal digits in lower case",
}
_UNION_MEMBERS = frozenset({"bool", "int", "float", "str"})
_LONGEST_SHOWN = 80


def mistakes_in(error: ValidationError, raw: Mapping[str, Any], lines: Lines) -> list[Mistake]:
    """Every finding about a whole manifest, in the manifest's order; a union's several ones about one value are one."""
    found: dict[tuple[str, int, str], Mistake] = {}
    for detail in error.errors(include_url=False):
        table, index, path = _split(detail["loc"])
        key = next(iter(path), "")
        mistake = Mistake(_place(table, index, path, raw), _what(detail, table, path), _fix(detail, table, path), 0)
        found.setdefault((table, index, ".".join(path[:2])), _on_line(mistake, lines.of(table, index, key)))
    return sorted(found.values(), key=lambda mistake: mistake.line)


def mistake_in_cell(error: ValidationError) -> Iterator[tuple[str, str, str]]:
    """Findings about one model with values of its matrix put in: ``(key, what, fix)``."""
    for detail in error.errors(include_url=False):
        path = _named(detail["loc"])
        yield next(iter(path), ""), f"{'.'.join(path)} {_what(detail, 'model', path)}", _fix(detail, "model", path)


def model_place(raw: Mapping[str, Any], index: int) -> str:
    """How a ``[[model]]`` is referred to: by its id, else its source, and its number."""
    models = raw.get("model")
    model = models[index] if isinstance(models, list) and index < len(models) else {}
    name = (model.get("id") or model.get("source")) if isinstance(model, dict) else None
    return f"[[model]] {index + 1}" + (f" ({name})" if isinstance(name, str) else "")


def _on_line(mistake: Mistake, line: int) -> Mistake:
    return Mistake(mistake.place, mistake.what, mistake.fix, line)


def _split(loc: tuple[int | str, ...]) -> tuple[str, int, list[str]]:
    """Table, its number, and the names of keys below it."""
    table = str(loc[0]) if loc else ""
    if table == "model" and len(loc) > 1 and isinstance(loc[1], int):
        return table, loc[1], _named(loc[2:])
    return table, 0, _named(loc[1:])


def _named(loc: tuple[int | str, ...]) -> list[str]:
    """The keys of a location: without positions, and without what pydantic calls the members of a union."""
    return [part for part in loc if isinstance(part, str) and part.isidentifier() and part not in _UNION_MEMBERS]


def _place(table: str, index: int, path: list[str], raw: Mapping[str, Any]) -> str:
    name = model_place(raw, index) if table == "model" and path else f"[{table}]" if path else table or "the file"
    return f"{name} {'.'.join(path)}".rstrip()


def _what(detail: ErrorDetails, table: str, path: list[str]) -> str:
    kind, given = detail["type"], _shown(detail.get("input"))
    if kind == "extra_forbidden":
        return f"there is no such key{_close(path[-1] if path else table, _keys_beside(table, path))}"
    if kind == "missing":
        return "is missing"
    if kind == "string_pattern_mismatch":
        return f"{given} was given; {_PATTERNS.get(path[-1], detail['msg'])}"
    if kind in {"enum", "literal_error"}:
        expected = str(detail.get("ctx", {}).get("expected", "")).replace("'", "")
        choices = expected.replace(" or ", ", ").split(", ")
        return f"{given} was given; expected {expected}{_close(str(detail.get('input')), choices)}"
    if kind == "value_error":
        return str(detail.get("ctx", {}).get("error", detail["msg"]))
    expected = _EXPECTED.get(kind, detail["msg"].replace("Input should", "it should"))
    return f"{given} was given; {expected}"


def _fix(detail: ErrorDetails, table: str, path: list[str]) -> str:
    if detail["type"] == "extra_forbidden":
        keys = _keys_beside(table, path)
        return f"use one of {', '.join(keys)}" if len(keys) < 12 else REFERENCE
    if detail["type"] == "missing":
        return {"source": 'every [[model]] has a source: source = "net.pth"', "model": "add a [[model]] table"}.get(
            path[-1] if path else table, f"add it; {REFERENCE}"
        )
    return REFERENCE


def _keys_beside(table: str, path: list[str]) -> list[str]:
    """The keys that the table has in which the last of ``path`` stands."""
    parent = path[-2] if len(path) > 1 else table
    return list(_TABLES[parent].model_fields) if path and parent in _TABLES else ["zoo", "defaults", "model"]


def _close(word: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(word, choices, 2)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
