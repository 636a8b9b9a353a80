"""The content address of a job: what its result depends on, and nothing else.

Two jobs with one key give the same result, on any machine and in any folder. Paths are therefore not part of a key but
for the last part of a sample path, which the report shows; what lies there is. An unchanged zoo of a thousand models is
known as such in seconds: files are hashed through a memo.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from convert.stages.base import Stage
from convert.stages.export import ExportOnnx
from convert.workspace import code_sha256
from convert.zoo.job import ModelTask
from convert.zoo.stages import stages_for
from verify.jsonio import to_jsonable
from verify.versions import versions

_OF_ONE_MACHINE = frozenset({"platform"})


class Hashes(Protocol):
    """Content hashes of files and folders, as :func:`verify.artifact.sha256_of` has them, but remembered."""

    def sha256(self, path: Path) -> str: ...


@dataclass
class OneLook:
    """Hashes of one planning pass, which looks at a path once: a thousand models share one folder of photographs."""

    hashes: Hashes
    _known: dict[Path, str] = field(default_factory=dict)

    def sha256(self, path: Path) -> str:
        if path not in self._known:
            self._known[path] = self.hashes.sha256(path)
        return self._known[path]


def job_key(task: ModelTask, source_key: str, folder: Path, hashes: Hashes) -> str:
    """The SHA-256 of everything that shapes the result; relative paths in the task resolve against ``folder``.

    That is: the checkpoint, by its own key; the files' names; targets and the options of their stages, with the content
    of an architecture's source file; the content of samples; budgets; seeds; our code and the versions of libraries.

    Code is followed no further than the file it is named by: samples from ``data.py:photos`` change with ``data.py``,
    not with what that imports or reads, and ``package.module:name`` that is no file here changes with its name alone.
    """
    settings = task.settings
    parts: dict[str, Any] = {
        "source": source_key,
        "stem": task.stem,
        "targets": sorted(task.targets),
        "stages": [_stage(stage, folder, hashes) for stage in stages_for(task)],
        "calibration": _samples(settings.calibration, folder, hashes),
        "evaluation": _samples(settings.evaluation, folder, hashes),
        "seed": settings.seed,
        "max_judging": settings.max_judging,
        "int8_min_sqnr_db": settings.int8_min_sqnr_db,
        "budgets": to_jsonable(task.budgets),
        "versions": _shared_versions(),
        "code": code_sha256(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _stage(stage: Stage, folder: Path, hashes: Hashes) -> Mapping[str, Any]:
    if not isinstance(stage, ExportOnnx):
        return stage.key()
    source = stage.architecture_file(folder)
    return {**stage.key(), "architecture_sha256": hashes.sha256(source) if source is not None else ""}


def _samples(text: str | None, folder: Path, hashes: Hashes) -> Mapping[str, str]:
    """What is known of a sample source without opening it; a path to nothing is known by its text until it is there."""
    if text is None or text == "random":
        return {"kind": "random"}
    path = folder / text
    if path.exists():
        return {"name": path.name, "sha256": hashes.sha256(path)}
    place = text.rpartition(":")[0]
    for candidate in (folder / place, folder / (place.replace(".", "/") + ".py")):
        if place and candidate.is_file():
            return {"code": text, "sha256": hashes.sha256(candidate)}
    return {"text": text}


def prepare() -> None:
    """Find out, once in a fork server, what is the same for all jobs: then no job has to, and it is what runs."""
    code_sha256()
    _shared_versions()


@cache
def _shared_versions() -> tuple[tuple[str, str], ...]:
    """Of all libraries and of Python, not of the machine: a cluster's machines share results."""
    return tuple(each for each in versions() if each[0] not in _OF_ONE_MACHINE)
