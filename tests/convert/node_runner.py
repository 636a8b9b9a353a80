"""Runs node tests in workers that may die: a crash is the outcome of its case, and the next case gets a new worker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import node_jobs
from node_jobs import BINDINGS, Compiled, Outcome

from verify.errors import InfrastructureError
from verify.worker import Limits, Worker

_JOBS_PER_WORKER = 250
"""TensorFlow keeps what it has traced; a new process starts empty."""


@dataclass(frozen=True)
class Roads:
    """A case through the exact lowering."""

    name: str
    tensorflow: Outcome
    litert: Outcome


class RestartingWorker:
    """A worker that is started when it is needed and again after its death."""

    def __init__(self, name: str, folder: Path, preload: tuple[str, ...], timeout_s: float = 120.0) -> None:
        self._make = lambda: Worker(
            name, log_path=folder / f"{name}.log", preload=preload, limits=Limits(timeout_s=timeout_s)
        )
        self._worker: Worker | None = None
        self._jobs = 0

    def run(self, job: Callable[..., Any], **arguments: Any) -> Any:
        """The job's result; raises the worker's ``InfrastructureError`` if it died or took too long."""
        if self._worker is not None and self._jobs >= _JOBS_PER_WORKER:
            self.close()
        if self._worker is None:
            self._worker, self._jobs = self._make(), 0
        self._jobs += 1
        try:
            return self._worker.run(job, **arguments).value
        except InfrastructureError:
            self.close()
            raise

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.kill()
        self._worker = None


class ExactRoad(contextlib.AbstractContextManager["ExactRoad"]):
    """The exact lowering in TensorFlow, and the file that comes of it in LiteRT."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lowering = RestartingWorker("lowering", folder, ("tensorflow",))
        self._litert = RestartingWorker("litert", folder, ("ai_edge_litert.interpreter",))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lowering.close()
        self._litert.close()

    def run(self, name: str) -> Roads:
        """As the case has it; where that is refused, with more and more inputs as constants."""
        best: dict[str, Outcome] = {}
        for binding in BINDINGS:
            compiled = self._lowered(name, binding)
            litert = compiled.litert or self._in_litert(name, compiled)
            for road, outcome in (("tensorflow", compiled.tensorflow), ("litert", litert)):
                if road not in best or best[road].may_improve:
                    best[road] = outcome
            if not any(outcome.may_improve for outcome in best.values()):
                break
        return Roads(name, best["tensorflow"], best["litert"])

    @property
    def _file(self) -> Path:
        return self._folder / "case.tflite"

    def _lowered(self, name: str, binding: str) -> Compiled:
        try:
            result: Compiled = self._lowering.run(node_jobs.lower_case, name=name, binding=binding, tflite=self._file)
        except InfrastructureError as error:
            crashed = Outcome("failed", f"crash: {error.what}")
            return Compiled(crashed, crashed)
        return result

    def _in_litert(self, name: str, compiled: Compiled) -> Outcome:
        constants = compiled.tensorflow.constants
        try:
            result: Outcome = self._litert.run(
                node_jobs.run_litert, name=name, tflite=self._file, signature=compiled.signature, constants=constants
            )
        except InfrastructureError as error:
            return Outcome("failed", f"crash: {error.what}", constants)
        return result


def run_cases(names: tuple[str, ...], folder: Path) -> Iterator[Roads]:
    """Each case's outcomes, as they come."""
    with ExactRoad(folder) as road:
        for name in names:
            yield road.run(name)
