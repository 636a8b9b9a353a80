"""The committed JSON Schema, the reference and the examples agree with what the code reads."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from convert.zoo.manifest import load_zoo
from convert.zoo.manifest.build_schema import SCHEMA_PATH, render_schema

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "zoo-manifest.md"
EXAMPLES = sorted((ROOT / "examples").glob("*/zoo.toml"))
TABLES = {
    "zoo": "ZooTable",
    "model": "ModelTable",
    "source": "SourceTable",
    "budgets": "BudgetTable",
    "expect": "ExpectTable",
}


def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def _as_json(text: str) -> Any:
    """TOML as an editor's schema check sees it: dates are strings."""
    return json.loads(json.dumps(tomllib.loads(text), default=str))


def _blocks() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)


def _tables() -> Iterator[tuple[str, dict[str, Any]]]:
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    for table, definition in TABLES.items():
        yield table, schema["$defs"][definition]["properties"]


def test_the_committed_schema_is_current() -> None:
    assert SCHEMA_PATH.read_text(encoding="utf-8") == render_schema(), "python -m convert.zoo.manifest.build_schema"


def test_the_schema_is_one_and_describes_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
    missing = [f"{table}.{key}" for table, keys in _tables() for key, said in keys.items() if "description" not in said]
    assert missing == []


@pytest.mark.parametrize("table", TABLES)
def test_the_reference_lists_exactly_the_keys_there_are(table: str) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    section = text.split(f"## `{'[[model]]' if table == 'model' else f'[{table}]' if table == 'zoo' else table}`", 1)[1]
    listed = set(re.findall(r"^\| `(\w+)` ", section.split("\n## ", 1)[0], re.MULTILINE))
    assert listed == set(dict(_tables())[table])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_examples_follow_the_schema_and_load(path: Path) -> None:
    _validator().validate(_as_json(path.read_text(encoding="utf-8")))
    assert load_zoo(path, date(2026, 11, 20)).models


def test_the_torchvision_example_is_a_zoo_of_thirty() -> None:
    assert len(load_zoo(ROOT / "examples/torchvision_zoo/zoo.toml", date(2026, 11, 20)).models) >= 30


@pytest.mark.parametrize("number", range(4))
def test_the_references_own_examples_follow_the_schema_and_load(number: int, tmp_path: Path) -> None:
    text = _blocks()[number]
    _validator().validate(_as_json(text))
    for name in ("nets/a.pth", "nets/b.pth"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "zoo.toml").write_text(text, encoding="utf-8")
    assert load_zoo(tmp_path / "zoo.toml", date(2026, 11, 20)).models


@pytest.mark.parametrize(
    "text",
    [
        '[[model]]\nsource = "a.pth"\nlowring = "exact"',
        '[[model]]\nsource = "a.pth"\nlowering = "exakt"',
        '[[model]]\nsource = "a.pth"\ntargets = ["int9"]',
        '[[model]]\nsource = "a.pth"\nexpect = { outcome = "ok", reason = "x", expires = 2027-01-01 }',
        "[[model]]\ntier = 1",
        '[zoo]\nname = "x"',
    ],
)
def test_what_the_loader_refuses_an_editor_underlines(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        _validator().validate(_as_json(text))
