"""From a ``zoo.toml`` to a :class:`convert.zoo.plan.Zoo`: read, checked, defaults filled in, expanded."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from convert.zoo.manifest.checks import findings
from convert.zoo.manifest.entries import NOT_IN_MATRIX, Entry, cell_suffix, cells, clashes, with_ids
from convert.zoo.manifest.errors import ManifestInvalid, Mistake, invalid
from convert.zoo.manifest.lines import Lines
from convert.zoo.manifest.mistakes import REFERENCE, mistake_in_cell, mistakes_in, model_place
from convert.zoo.manifest.planning import planned
from convert.zoo.manifest.schema import ManifestFile, ModelTable, SourceTable
from convert.zoo.manifest.source_names import Located, locate
from convert.zoo.plan import Zoo
from verify.errors import InputError


def load_zoo(path: Path, today: date) -> Zoo:
    """The zoo that a manifest describes, one model for each job. Paths stay as written: relative to its folder.

    Raises ``ManifestInvalid``, which lists every mistake: the line, the model, the key, what was given, what was
    expected. A checkpoint that is not there is no mistake of the manifest's; the job that wants it says so.
    """
    manifest = _Manifest.read(path)
    folder = path.absolute().parent
    entries = with_ids(list(manifest.entries(folder)))
    manifest.check(entries, today)
    if manifest.mistakes:
        raise invalid(path, list(dict.fromkeys(manifest.mistakes)))
    zoo = manifest.checked.zoo
    command = f"convert zoo {path.name}"
    return Zoo(
        name=zoo.name or folder.name,
        folder=folder,
        models=tuple(planned(entry, folder, command) for entry in entries),
        output=folder / zoo.output if zoo.output else None,
    )


@dataclass
class _Manifest:
    """A manifest that follows the schema, and the mistakes that were found beyond it."""

    raw: Mapping[str, Any]
    checked: ManifestFile
    lines: Lines
    mistakes: list[Mistake] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> _Manifest:
        raw, text = _parsed(path)
        lines = Lines(text)
        try:
            return cls(raw, ManifestFile.model_validate(raw), lines)
        except ValidationError as error:
            raise invalid(path, mistakes_in(error, raw, lines)) from error

    def entries(self, folder: Path) -> Iterator[Entry]:
        for index, model in enumerate(self.checked.model):
            located = list(self._located(index, model, folder))
            several = len(model.source) > 1 or any(place.matched for _, place in located)
            for cell in self._cells(index, model):
                options = self._options(index, cell)
                if options is None:
                    continue
                own_keys = frozenset(self.raw["model"][index]) | frozenset(cell)
                for source, place in located:
                    yield Entry(index, own_keys, options, source, place, several, cell)

    def check(self, entries: list[Entry], today: date) -> None:
        for entry in entries:
            for finding in findings(entry, today):
                self._mistake(entry.index, finding.key, finding.what, finding.fix)
        for first, second in clashes(entries):
            what = f"{second.id!r} is also the id of {model_place(self.raw, first.index)}"
            self._mistake(second.index, "id", what, "give one of them another id; it names a folder")

    def _located(self, index: int, model: ModelTable, folder: Path) -> Iterator[tuple[SourceTable, Located]]:
        for source in model.source:
            try:
                for place in locate(source.location, folder):
                    yield source, place
            except InputError as error:
                self._mistake(index, "source", error.what, error.fix)

    def _cells(self, index: int, model: ModelTable) -> Iterator[Mapping[str, Any]]:
        barred = [key for key in model.matrix or {} if key in NOT_IN_MATRIX or key not in ModelTable.model_fields]
        if not barred:
            yield from cells(model.matrix)
            return
        keys = ", ".join(key for key in ModelTable.model_fields if key not in NOT_IN_MATRIX)
        self._mistake(index, "matrix", f"{barred[0]!r} is no key that a matrix can have", f"use some of {keys}")

    def _options(self, index: int, cell: Mapping[str, Any]) -> ModelTable | None:
        """The model with the defaults and one cell of its matrix put in; ``None`` where the cell's values are wrong."""
        own = {key: value for key, value in self.raw["model"][index].items() if key != "matrix"}
        try:
            return ModelTable.model_validate({**self.raw.get("defaults", {}), **own, **cell})
        except ValidationError as error:
            for key, what, fix in mistake_in_cell(error):
                self._mistake(index, "matrix" if key in cell else key, f"{cell_suffix(cell)}: {what}", fix)
            return None

    def _mistake(self, index: int, key: str, what: str, fix: str) -> None:
        line = self.lines.of("model", index, key)
        self.mistakes.append(Mistake(f"{model_place(self.raw, index)} {key}", what, fix, line))


def _parsed(path: Path) -> tuple[Mapping[str, Any], str]:
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text), text
    except OSError as error:
        raise ManifestInvalid(
            f"{path} cannot be read: {error.strerror}", fix="give a zoo.toml; `convert zoo init FOLDER` writes one"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestInvalid(
            f"{path.name} is not TOML: {error}", fix=f"mend that line; texts stand in quotes, and {REFERENCE}"
        ) from error
