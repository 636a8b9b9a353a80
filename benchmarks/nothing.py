"""The body of a job that does nothing: in a file of its own, for each job's process imports it."""

from __future__ import annotations

from pathlib import Path

from convert.hosts import WarmHosts
from convert.zoo.job import Job
from convert.zoo.result import Conversion, Outcome


def do_nothing(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    del job, warm, scratch
    return Conversion(Outcome.OK, "nothing done")
