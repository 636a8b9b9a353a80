"""The process that talks to Ray for an engine: takes jobs as lines on stdin, tells what came of them on stdout.

A process of its own, because Ray prints, sets signal handlers, and ends its process when a cluster's head goes away.
The end of stdin ends it, its tasks, and the cluster if it started one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import time
import traceback
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from convert.zoo.engines.base import Finished
from convert.zoo.engines.owned_folder import owned_folder
from convert.zoo.engines.ray_cluster import connect, machines
from convert.zoo.engines.ray_messages import (
    Demand,
    DriverOptions,
    Errand,
    Machine,
    Message,
    Refusal,
    as_line,
    demand_of,
    software,
)
from convert.zoo.job import Job
from convert.zoo.result import JobResult, Outcome
from verify.errors import InfrastructureError
from verify.jsonio import from_jsonable, to_jsonable
from verify.process_tree import adopt_orphans, descendants, end_all, is_running

if TYPE_CHECKING:
    from ray import ObjectRef

_LOOK_SECONDS = 2.0
_CANCEL_SECONDS = 5.0
_LEAVE_SECONDS = 15.0
_POLL_SECONDS = 0.02


def main() -> None:
    """Serve one engine: ``python -m convert.zoo.engines.ray_driver OPTIONS_JSON``."""
    options: DriverOptions = from_jsonable(DriverOptions, json.loads(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what Ray prints goes to the log
    folder = owned_folder(Path("/tmp"), "zoo-ray-")  # noqa: S108  (Ray's sockets need a short path)
    adopt_orphans()
    driver = Driver(answers, folder if options.address is None else None, options)
    try:
        connect(options, folder)
        driver.serve(sys.stdin.buffer)
    except InfrastructureError as error:
        driver.refuse(error)
    except Exception:
        traceback.print_exc()
    threading.Timer(_LEAVE_SECONDS, _end, [folder]).start()  # Ray waits without end for processes that were killed
    driver.leave()
    while any(map(is_running, descendants(os.getpid()))):  # wrappers end with their Ray workers, but need a moment
        time.sleep(_POLL_SECONDS)
    _end(folder)


@dataclass
class _InFlight:
    job: Job
    demand: Demand
    ref: ObjectRef[str]
    future: Future[str]
    stranded_since: float | None = None


@dataclass
class Driver:
    """Jobs as Ray tasks. Answers come from Ray's own threads as tasks end."""

    answers: IO[bytes]
    folder: Path | None
    """For the workers' own files, where they are all on this machine."""
    options: DriverOptions
    _in_flight: dict[str, _InFlight] = field(default_factory=dict)
    _machines: tuple[Machine, ...] = ()
    _telling: threading.Lock = field(default_factory=threading.Lock)
    _leaving: threading.Event = field(default_factory=threading.Event)

    def serve(self, requests: IO[bytes]) -> None:
        """Run the jobs on ``requests`` until it ends; raises ``InfrastructureError`` when no machine could run any."""
        import ray

        from convert.zoo.engines.ray_task import perform

        task = ray.remote(max_retries=0, enable_task_events=False)(perform)
        self._look()
        if not self._machines:
            raise InfrastructureError(
                "no machine of the Ray cluster has a CPU to give",
                fix="start a worker with ray start --address=HEAD, or give the head CPUs with --num-cpus",
            )
        looking = threading.Thread(target=self._keep_looking)
        looking.start()
        planned = software()
        try:
            for line in requests:
                self._start(task, from_jsonable(Job, json.loads(line)), planned)
        finally:
            self._leaving.set()
            looking.join()

    def tell(self, message: Message) -> None:
        """Say one thing to the engine, which may be gone."""
        with self._telling, contextlib.suppress(BrokenPipeError):
            self.answers.write(as_line(message))

    def refuse(self, error: InfrastructureError) -> None:
        """Say that it cannot go on; the engine then ends the requests."""
        self.tell(Message(refusal=Refusal(error.what, error.fix)))

    def leave(self) -> None:
        """Cancel what runs and leave the cluster; one that we started ends with that."""
        import ray

        running = list(self._in_flight.values())
        for each in running:
            ray.cancel(each.ref, force=True)
        wait([each.future for each in running], timeout=_CANCEL_SECONDS)
        ray.shutdown()

    def _start(self, task: Any, job: Job, planned: tuple[tuple[str, str], ...]) -> None:
        demand = demand_of(job, self._machines)
        errand = json.dumps(to_jsonable(Errand(job, planned, self.folder, self.options.cold)))
        ref = task.options(num_cpus=demand.cores, memory=demand.memory_bytes).remote(errand)
        running = self._in_flight[job.id] = _InFlight(job, demand, ref, ref.future())
        running.future.add_done_callback(lambda _: self._ended(running))

    def _ended(self, running: _InFlight) -> None:
        del self._in_flight[running.job.id]
        self.tell(Message(finished=finished(running.job, running.future)))

    def _keep_looking(self) -> None:
        from ray.exceptions import RayError

        while not self._leaving.wait(_LOOK_SECONDS):
            try:
                self._look()
            except InfrastructureError as error:
                self.refuse(error)
                return
            except RayError:  # the head is away: Ray gives it a minute, then ends this process
                continue

    def _look(self) -> None:
        """Tell the engine when machines come or go; give up jobs that none of them could hold for long."""
        import ray

        found = machines()
        if found != self._machines:
            self._machines = found
            self.tell(Message(machines=found))
        now = time.monotonic()
        for running in list(self._in_flight.values()):
            if any(machine.fits(running.demand) for machine in found):
                running.stranded_since = None
            elif running.stranded_since is None:
                running.stranded_since = now
            elif now - running.stranded_since > self.options.stranded_s:
                ray.cancel(running.ref, force=True)


def finished(job: Job, future: Future[str]) -> Finished:
    """What a task came to: its answer, the loss of its machine, or what our own side of it raised."""
    from ray.exceptions import RayError, RayTaskError, TaskCancelledError

    try:
        answer: Finished = from_jsonable(Finished, json.loads(future.result()))
    except RayTaskError as error:
        return Finished(job.id, _failed(job, error))
    except TaskCancelledError:
        return Finished(job.id, None, lost="no machine was up that has the memory and the cores it asks for")
    except RayError as error:
        # No code of a model runs in a Ray worker, so whatever else ends a task is the machine's or the cluster's:
        # WorkerCrashedError, NodeDiedError, LocalRayletDiedError, OutOfMemoryError (Ray's own memory monitor),
        # ObjectLostError and its kind, RaySystemError.
        reason = (str(error).strip().splitlines() or [""])[0]
        return Finished(job.id, None, lost=f"{type(error).__name__}: {reason}")
    return answer


def _failed(job: Job, error: Exception) -> JobResult:
    """The task raised around the wrapper: a full disk, our code missing on that machine."""
    reason = (str(error).strip().splitlines() or [""])[-1]
    return JobResult(
        id=job.id,
        key=job.key,
        outcome=Outcome.INFRASTRUCTURE,
        what=f"the Ray task failed: {reason}",
        fix="install pth2tflite alike on every machine, and look at the space in their temporary folders",
        limits=job.limits,
        attempts=job.attempt,
    )


def _end(folder: Path) -> NoReturn:
    """With everything below us, and without exit handlers: Ray's can hang."""
    end_all(lambda: descendants(os.getpid()))
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
