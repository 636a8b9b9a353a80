"""Where in a manifest a key stands, for errors: ``tomllib`` keeps no positions."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\"'-]+)\s*\]\]?")


class Lines:
    """The lines of a manifest by table and key. Inline tables and keys in multi-line values are not found: line 0."""

    def __init__(self, text: str) -> None:
        self._tables: dict[tuple[str, int], int] = {}
        self._keys: dict[tuple[str, int, str], int] = {}
        table, index, models = "", 0, -1
        for number, line in enumerate(text.splitlines(), start=1):
            header = _HEADER.match(line)
            if header is not None:
                parts = header[2].replace('"', "").split(".")
                table = parts[0]
                models += header[1] == "[[" and parts == ["model"]
                index = models if table == "model" else 0
                self._tables.setdefault((table, index), number)
                if len(parts) > 1:
                    self._keys.setdefault((table, index, parts[1]), number)
                continue
            key = re.match(r"\s*[\"']?([\w-]+)[\"']?\s*[.=]", line)
            if key is not None:
                self._keys.setdefault((table, index, key[1]), number)

    def of(self, table: str, index: int = 0, key: str = "") -> int:
        """The line of a key, else of its table, else 0."""
        return self._keys.get((table, index, key)) or self._tables.get((table, index), 0)
