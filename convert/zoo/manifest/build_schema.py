"""The JSON Schema of a manifest: ``python -m convert.zoo.manifest.build_schema [COPY]``.

Without an argument it rewrites the committed ``zoo.schema.json``; with one it writes a copy there, for an editor.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from convert.zoo.manifest.schema import ManifestFile
from verify.atomic import write_text

SCHEMA_PATH = Path(__file__).with_name("zoo.schema.json")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def render_schema() -> str:
    """The schema as committed."""
    schema = _for_editors(ManifestFile.model_json_schema(mode="validation"))
    described = {"$schema": _DIALECT, **schema, "title": "pth2tflite zoo"}
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _for_editors(value: Any) -> Any:
    """TOML has no null: what may be left out is left out, and an editor should not offer more. Nor should it show
    pydantic's titles, which repeat the keys.
    """
    if isinstance(value, list):
        return [_for_editors(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _for_editors(each) for key, each in value.items() if not _is_noise(key, each)}
    choices = [each for each in kept.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) == 1:
        del kept["anyOf"]
        return {**choices[0], **kept}
    return {**kept, "anyOf": choices} if choices else kept


def _is_noise(key: str, value: object) -> bool:
    return (key == "default" and value is None) or (key == "title" and isinstance(value, str))


def main() -> None:
    """Write the schema."""
    write_text(Path(sys.argv[1]) if len(sys.argv) > 1 else SCHEMA_PATH, render_schema())


if __name__ == "__main__":
    main()
