"""What crosses between the engine, the process that talks to Ray, and Ray's workers: JSON, one line each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from convert.workspace import code_sha256
from convert.zoo.engines.base import Finished
from convert.zoo.job import GIB, Job
from verify.jsonio import to_jsonable
from verify.versions import versions

SLOT_RESERVE_BYTES = int(1.5 * GIB)
"""What a wrapper's fork servers hold, beyond its job's limit; asked of Ray with each job's memory."""


@dataclass(frozen=True)
class DriverOptions:
    """Which cluster to use: the running one at ``address``, or without one a local one of so many cores and bytes."""

    address: str | None
    cores: int
    memory_bytes: int
    cold: bool = False
    stranded_s: float = 300.0


@dataclass(frozen=True)
class Machine:
    """A machine of the cluster that is up: what Ray may give out of it, taken or not."""

    cores: float
    memory_bytes: float

    def fits(self, demand: Demand) -> bool:
        """Whether it could run the job, were it empty."""
        return demand.cores <= self.cores and demand.memory_bytes <= self.memory_bytes


@dataclass(frozen=True)
class Demand:
    """What a job asks of Ray."""

    cores: float
    memory_bytes: int


@dataclass(frozen=True)
class Refusal:
    """Why the driver cannot go on, and the fix: what an ``InfrastructureError`` is made of."""

    what: str
    fix: str


@dataclass(frozen=True)
class Message:
    """What the driver says, one of the three: a job ended, these machines are up now, it cannot go on."""

    finished: Finished | None = None
    machines: tuple[Machine, ...] | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Errand:
    """A job on its way to a Ray worker, and what it was planned with, as :func:`software` has it.

    The worker's own files go below ``folder``, each machine's temporary folder if ``None``.
    """

    job: Job
    software: tuple[tuple[str, str], ...]
    folder: Path | None
    cold: bool = False


def software() -> tuple[tuple[str, str], ...]:
    """What a result depends on and every machine must have alike: versions of libraries, and our own code.

    The kernel and the C library may differ.
    """
    libraries = tuple(entry for entry in versions() if entry[0] != "platform")
    return (*libraries, ("code of pth2tflite", code_sha256()[:12]))


def demand_of(job: Job, machines: tuple[Machine, ...]) -> Demand:
    """A job that wants more cores than the largest machine has gets all of them."""
    most = max((machine.cores for machine in machines), default=1.0)
    return Demand(cores=min(float(job.cores), most), memory_bytes=job.limits.memory_bytes + SLOT_RESERVE_BYTES)


def as_line(value: object) -> bytes:
    """A dataclass as one line of JSON."""
    return json.dumps(to_jsonable(value)).encode() + b"\n"
