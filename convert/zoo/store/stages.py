"""What stages made, shared between jobs: the store as a :class:`convert.workspace.StageCache`.

A stage's key knows nothing of the model's name, so an entry made under one name serves a run under another: files are
renamed on the way out. Where one file names another (an ONNX model and its weights beyond 2 GiB), it serves only runs
under the same name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from convert.workspace import Climbed, Made, read_ledger
from convert.zoo.result import StoredFile
from convert.zoo.store.base import StageEntry, Store
from convert.zoo.store.errors import StoreDamaged
from quantize.recipe import SUFFIX as RECIPE_SUFFIX
from verify.report.anatomy_files import SUFFIX as ANATOMY_SUFFIX


@dataclass(frozen=True)
class StoreStages:
    """Stages of finished conversions, for a run whose files are called ``stem``."""

    store: Store
    stem: str

    def fetch(self, key: str, folder: Path) -> Made | None:
        """Put what was made under the key into ``folder``; ``None`` where nothing was, or it is damaged."""
        entry = self.store.stage(key)
        if entry is None or (entry.stem != self.stem and not _can_be_renamed(entry)):
            return None
        placed: list[Path] = []
        try:
            for file in entry.files:
                target = folder / self._renamed(file.path, entry)
                target.parent.mkdir(parents=True, exist_ok=True)
                placed.append(target)
                self.store.get_file(file, target)
        except StoreDamaged:
            _take_back(placed, folder)
            return None
        artifact = replace(entry.made.artifact, path=Path(self._renamed(str(entry.made.artifact.path), entry)))
        companions = tuple(self._renamed(name, entry) for name in entry.made.companions)
        return replace(entry.made, artifact=artifact, companions=companions)

    def climbed(self, key: str) -> Climbed | None:
        """How far another run got on the ladder under the key."""
        return self.store.climbed(key)

    def _renamed(self, name: str, entry: StageEntry) -> str:
        return self.stem + name.removeprefix(entry.stem)


def keep_stages(store: Store, output: Path, stem: str, files: Sequence[StoredFile]) -> None:
    """Remember every stage of a conversion that was published to ``output``, whose files the store has already."""
    ledger = read_ledger(output)
    if ledger.climbed.key:
        store.put_climbed(ledger.climbed)
    for made in ledger.made.values():
        names = {str(made.artifact.path), *made.companions}
        of_stage = tuple(file for file in files if PurePosixPath(file.path).parts[0] in names)
        store.put_stage(made.key, StageEntry(stem, made, of_stage))


def _can_be_renamed(entry: StageEntry) -> bool:
    return all(name.endswith((RECIPE_SUFFIX, ANATOMY_SUFFIX)) for name in entry.made.companions)


def _take_back(placed: Sequence[Path], folder: Path) -> None:
    """Whoever makes the stage now finds the folder as if nobody had tried."""
    for path in placed:
        path.unlink(missing_ok=True)
        for parent in path.relative_to(folder).parents[:-1]:
            with contextlib.suppress(OSError):  # not empty
                (folder / parent).rmdir()
