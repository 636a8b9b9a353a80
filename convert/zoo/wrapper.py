"""``python -m convert.zoo.wrapper JOB.json RESULT.json``: runs a job and writes its result, whatever the job does.

With ``--serve`` it takes one job after another: a line of JSON for each on stdin, ``{"job": path, "result": path}``,
and a line on stdout when it is done, ``{"result": path}``. At the end of stdin, when its parent is gone, or at a
``SIGTERM``, it ends with every process that it or a job started; a job that was running has no result then.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NoReturn

from convert.zoo.files import read_job, write_result
from convert.zoo.lifeline import end_without_parent
from convert.zoo.result import JobResult, Outcome
from convert.zoo.run_job import run_job
from convert.zoo.scratch import remove_own
from convert.zoo.slot import Slot
from verify.errors import ToolError


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 once every result is written, however the jobs ended; 2 for bad usage."""
    parser = argparse.ArgumentParser(prog="python -m convert.zoo.wrapper", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="JOB.json RESULT.json")
    parser.add_argument("--serve", action="store_true", help="take jobs from stdin until it ends")
    parser.add_argument("--cold", action="store_true", help="no fork servers: every process starts from nothing")
    given = parser.parse_args(arguments)
    if len(given.files) != (0 if given.serve else 2):
        parser.error("expected JOB.json and RESULT.json, or --serve and no files")
    with Slot(cold=given.cold) as slot:
        wrapper = _Wrapper(slot)
        end_without_parent(wrapper.end)
        if given.serve:
            wrapper.serve(sys.stdin.buffer)
        else:
            wrapper.perform(*given.files)
    return 0


class _Wrapper:
    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._scratch: Path | None = None
        """Where the running job works."""

    def perform(self, job_path: Path, result_path: Path) -> None:
        """Run one job and write its result."""
        try:
            job = read_job(job_path)
        except ToolError as error:
            name = job_path.absolute().parent.name
            unread = JobResult(name, "", Outcome.INFRASTRUCTURE, what=error.what, fix=error.fix)
            write_result(unread, result_path)
            return
        self._scratch = job.scratch
        result = run_job(job, self._slot)
        result_path.parent.mkdir(parents=True, exist_ok=True)
        write_result(result, result_path)

    def serve(self, requests: IO[bytes]) -> None:
        """Take jobs until the requests end; that may be in the middle of a job, which is then given up."""
        answers = _take_stdout()
        for request in self._received(requests):
            self.perform(Path(request["job"]), Path(request["result"]))
            answers.write(json.dumps({"result": request["result"]}).encode() + b"\n")
            answers.flush()

    def _received(self, requests: IO[bytes]) -> Iterator[dict[str, str]]:
        waiting: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()

        def read() -> None:
            for line in requests:
                waiting.put(json.loads(line))
            self.end()

        threading.Thread(target=read, daemon=True, name="requests").start()
        while True:
            yield waiting.get()

    def end(self) -> NoReturn:
        """From another thread: leave nothing behind, and no result of a job that was still running."""
        self._slot.recording.acquire()
        self._slot.end()
        if self._scratch is not None:
            remove_own(self._scratch)
        os._exit(0)


def _take_stdout() -> IO[bytes]:
    """Our stdout for the answers alone; what else is printed goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


if __name__ == "__main__":
    sys.exit(main())
