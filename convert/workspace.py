"""The output folder: built aside, published whole, reused by content.

A run works in a hidden staging folder beside the output. Publishing removes the old report first and writes the new one
last, so a folder with a ``report.json`` is always whole. Files that are not ours are never touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import psutil

from convert.stages.base import Stage
from verify.artifact import Artifact, sha256_of
from verify.errors import InputError, ToolError
from verify.jsonio import from_jsonable, to_jsonable
from verify.report.types import Refusal, Rung

LEDGER_NAME = ".reuse.json"
REPORT_NAMES = ("report.json", "report.html")


@dataclass(frozen=True)
class Made:
    """An artifact that an earlier run made: under which key, and what that run said about it."""

    key: str
    artifact: Artifact
    """Its path is relative to the output folder."""
    source_sha256: str
    companions: tuple[str, ...] = ()
    """Files that were written beside it (a recipe), relative to the output folder."""
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
    way: str = ""
    """As :attr:`convert.stages.base.StageResult.way`."""

    @property
    def names(self) -> tuple[str, ...]:
        """All that was written, relative to the output folder."""
        return (str(self.artifact.path), *self.companions)


@dataclass(frozen=True)
class Climbed:
    """How far an earlier run got on the ladder, so that the next one goes straight there."""

    key: str = ""
    """What of model, options, versions and code decides the rung."""
    rungs: tuple[Rung, ...] = ()
    fell_back: bool = False
    """Whether the export stage itself took the older exporter."""


@dataclass(frozen=True)
class Ledger:
    """What stands in an output folder and how it came about; kept beside it as JSON."""

    run_key: str = ""
    made: dict[str, Made] = field(default_factory=dict)
    climbed: Climbed = field(default_factory=Climbed)


class StageCache(Protocol):
    """What stages of other runs made, by content address."""

    def fetch(self, key: str, folder: Path) -> Made | None:
        """Put what was made under the key into ``folder``, with its companions; ``None`` when nothing was."""
        ...

    def climbed(self, key: str) -> Climbed | None:
        """How far another run got on the ladder under the key."""
        ...


class Workspace:
    """A context manager around one run's staging folder; leaves nothing behind unless :meth:`publish` was called."""

    def __init__(self, output: Path, stem: str, cache: StageCache | None = None) -> None:
        self.cache = cache
        self.output = output.absolute()
        self.stem = stem
        self.staging = self.output.parent / f".{self.output.name}.partial-{os.getpid()}"
        self.scratch = self.staging / ".scratch"
        self.log_path = self.staging / "run.log"
        self.earlier = read_ledger(self.output)
        self._aside: dict[str, Made] = {}

    def __enter__(self) -> Self:
        _remove_abandoned(self.output)
        self.scratch.mkdir(parents=True)
        self.log_path.touch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, InputError) and self.log_path.exists():
            shutil.copyfile(self.log_path, self.failed_log_path)
            if isinstance(error, ToolError):
                error.within(f"log: {self.failed_log_path}")
        shutil.rmtree(self.staging, ignore_errors=True)

    @property
    def failed_log_path(self) -> Path:
        """Where the log of a run that failed is kept, beside the output folder; bad input leaves none."""
        return self.output.parent / f"{self.output.name}.failed.log"

    def path_for(self, stage: Stage) -> Path:
        """Where a stage writes its artifact, in staging."""
        return self.staging / f"{self.stem}{stage.suffix}"

    def reusable(self, stage: Stage, key: str) -> Made | None:
        """What an earlier run made under the same key, if it is still there unchanged; put into staging."""
        kept = self._kept(stage, key)
        return kept if kept is not None or self.cache is None else self.cache.fetch(key, self.staging)

    def _kept(self, stage: Stage, key: str) -> Made | None:
        made = self.earlier.made.get(stage.artifact_name)
        if made is None or made.key != key:
            return None
        kept = self.output / made.artifact.path
        if not kept.exists() or sha256_of(kept) != made.artifact.sha256:
            return None
        for name in made.names:
            if not (self.output / name).exists():
                return None
            _link(self.output / name, self.staging / name)
        return made

    def climbed(self, key: str) -> Climbed | None:
        """How far an earlier run got on the ladder under the key, here or wherever the cache knows of."""
        if self.earlier.climbed.key == key:
            return self.earlier.climbed
        return self.cache.climbed(key) if self.cache is not None else None

    def set_aside(self, made: Iterable[Made]) -> None:
        """Empty staging for another try; what is already made waits for :meth:`made_aside` to ask for it again."""
        for each in made:
            folder = self._aside_folder(each.key)
            if each.key not in self._aside:
                folder.mkdir(parents=True)
                for name in each.names:
                    (self.staging / name).rename(folder / name)
                self._aside[each.key] = each
        for path in self.staging.iterdir():
            if path not in (self.scratch, self.log_path):
                _remove(path)

    def made_aside(self, key: str) -> Made | None:
        """What this run made under the key and set aside; put into staging again."""
        made = self._aside.get(key)
        for name in made.names if made is not None else ():
            _link(self._aside_folder(key) / name, self.staging / name)
        return made

    def _aside_folder(self, key: str) -> Path:
        return self.scratch / "aside" / key

    def intact(self) -> bool:
        """Whether all that the earlier run made, and its reports, are still there unchanged."""
        if not self.earlier.made or not all((self.output / name).is_file() for name in REPORT_NAMES):
            return False
        artifacts = [made.artifact for made in self.earlier.made.values()]
        return all(
            (self.output / artifact.path).exists() and sha256_of(self.output / artifact.path) == artifact.sha256
            for artifact in artifacts
        )

    def publish(self, ledger: Ledger, reports: Iterable[str]) -> None:
        """Move everything from staging to the output folder, the reports last.

        Files of the earlier run that came from another input are removed; everything else in the folder stays.
        """
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.output.mkdir(parents=True, exist_ok=True)
        for name in REPORT_NAMES:
            (self.output / name).unlink(missing_ok=True)
        self._remove_stale(ledger)
        (self.staging / LEDGER_NAME).write_text(json.dumps(to_jsonable(ledger), indent=1))
        last = set(reports)
        for path in sorted(self.staging.iterdir(), key=lambda p: (p.name in last, p.name == "report.json")):
            _replace(path, self.output / path.name)
        self.failed_log_path.unlink(missing_ok=True)

    def _remove_stale(self, ledger: Ledger) -> None:
        current = {made.artifact.sha256 for made in ledger.made.values()}
        current |= {made.source_sha256 for made in ledger.made.values()}
        for name, made in self.earlier.made.items():
            if name in ledger.made:
                continue
            if made.source_sha256 in current:
                ledger.made[name] = made
                continue
            for stale in made.names:
                _remove(self.output / stale)


def stage_key(stage: Stage, source_sha256: str, inputs: tuple[str, ...] = ()) -> str:
    """The content address of what a stage makes: its input, its options, the versions of all that shapes the result.

    ``inputs`` are hashes of further files the stage reads, such as calibration data.
    """
    parts: dict[str, Any] = {
        "source": source_sha256,
        "stage": stage.key(),
        "inputs": inputs,
        "packages": {name: _version(name) for name in stage.relevant_packages},
        "code": code_sha256(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


_SHAPES_NO_RESULT = ("convert/zoo/manifest/", "convert/zoo/engines/", "convert/zoo/summary/")
"""What reads a zoo's manifest, places its jobs and shows their results; all of it may change and the results stand."""


@cache
def code_sha256() -> str:
    """Hash of our own sources: a change of the tool is a change of what it makes."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for package in ("convert", "quantize", "verify"):
        for source in sorted((root / package).rglob("*.py")):
            name = source.relative_to(root).as_posix()
            if not name.startswith(_SHAPES_NO_RESULT):
                digest.update(name.encode())
                digest.update(source.read_bytes())
    return digest.hexdigest()


@cache
def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "absent"


def read_ledger(output: Path) -> Ledger:
    """The ledger that :meth:`Workspace.publish` left in an output folder; an empty one where none can be read."""
    path = output / LEDGER_NAME
    if not path.is_file():
        return Ledger()
    try:
        return from_jsonable(Ledger, json.loads(path.read_text()))
    except ValueError:  # an older version's ledger, or a damaged one: nothing is reused, nothing is lost
        return Ledger()


def _remove_abandoned(output: Path) -> None:
    for folder in output.parent.glob(f".{output.name}.partial-*"):
        pid = folder.name.rpartition("-")[2]
        if pid.isdigit() and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid))):
            shutil.rmtree(folder, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link_file)
    else:
        _link_file(source, target)


def _link_file(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _replace(source: Path, target: Path) -> None:
    for path in source.rglob("*") if source.is_dir() else (source,):
        if path.is_file():
            _sync(path)
    if target.is_dir() and not target.is_symlink():
        aside = target.with_name(f".{target.name}.old-{os.getpid()}")
        target.rename(aside)
        source.rename(target)
        shutil.rmtree(aside)
    else:
        source.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
