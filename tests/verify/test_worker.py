"""A worker does jobs in a process of its own, and nothing that a job does can hurt or outlive its caller."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from pathlib import Path

import psutil
import pytest
import worker_jobs as jobs

from verify.artifact import Format
from verify.errors import InfrastructureError, OutOfMemory, SamplesInvalid, TimeLimitExceeded, WorkerDied
from verify.samples import ImagePreprocessing, InputSpec
from verify.worker import Limits, Worker

_HERE = Path(__file__).parent
_SOON_SECONDS = 10.0


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "run.log"


@pytest.fixture
def worker(log):
    with Worker("test", log_path=log) as running:
        yield running


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _gone_soon(*pids: int) -> bool:
    deadline = time.monotonic() + _SOON_SECONDS
    while any(map(_is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(_is_running, pids))


def _read_soon(path: Path, fields: int) -> list[int]:
    deadline = time.monotonic() + _SOON_SECONDS
    while time.monotonic() < deadline:
        found = path.read_text().split() if path.exists() else []
        if len(found) == fields:
            return list(map(int, found))
        time.sleep(0.02)
    raise AssertionError(f"{path.name} was not written")


def test_typed_values_cross_both_ways(worker):
    spec = InputSpec("image", ("N", 3, 8, 8), preprocessing=ImagePreprocessing(256, 224))
    outcome = worker.run(jobs.echo, spec=spec, kind=Format.ONNX, path=Path("a b/ü.onnx"))
    assert outcome.value == (spec, Format.ONNX, Path("a b/ü.onnx"))
    assert outcome.seconds > 0


def test_jobs_run_in_order_in_one_process_that_is_not_ours(worker):
    futures = [worker.submit(jobs.add, left=number, right=1) for number in range(20)]
    assert [future.result().value for future in futures] == list(range(1, 21))
    assert worker.run(jobs.shout).value == worker.pid != os.getpid()


def test_an_answer_longer_than_a_pipe_comes_whole(worker):
    assert worker.run(jobs.long_answer, length=300_000).value == "ä" * 300_000


def test_nothing_a_job_prints_reaches_our_terminal(worker, log, capfd):
    worker.run(jobs.shout)
    assert capfd.readouterr() == ("", "")
    said = log.read_text()
    assert all(f"{who} says" in said for who in ("python", "stdout", "stderr", "grandchild"))


def test_a_typed_error_comes_back_as_its_own_type_with_its_context(worker, log):
    with pytest.raises(SamplesInvalid, match="seven samples, expected eight") as caught:
        worker.run(jobs.refuse)
    assert caught.value.context == ("stage: int8",)
    assert caught.value.fix == "give one more"
    assert "Traceback" in log.read_text()
    assert worker.run(jobs.add, left=1, right=1).value == 2, "the worker goes on"


@pytest.mark.parametrize(
    ("job", "arguments", "what"),
    [
        (jobs.fail, {}, "worker_jobs:fail failed: ValueError: odd shape"),
        (jobs.leave, {"status": 0}, "worker_jobs:leave failed: SystemExit: 0"),
        (jobs.interrupt, {}, "worker_jobs:interrupt failed: KeyboardInterrupt"),
    ],
)
def test_whatever_a_library_raises_comes_back_typed(worker, job, arguments, what):
    with pytest.raises(InfrastructureError, match=what):
        worker.run(job, **arguments)
    assert worker.run(jobs.add, left=1, right=1).value == 2, "the worker goes on"


@pytest.mark.parametrize("job", [jobs.run_out, jobs.typed_out_of_memory])
def test_running_out_of_memory_is_its_own_error(worker, job):
    with pytest.raises(OutOfMemory, match="GiB"):
        worker.run(job)


@pytest.mark.parametrize(
    ("job", "arguments", "kind", "what"),
    [
        (jobs.abort, {}, WorkerDied, "ended by signal SIGABRT while it ran worker_jobs:abort"),
        (jobs.crash, {}, WorkerDied, "ended by signal SIGSEGV while it ran worker_jobs:crash"),
        (jobs.vanish, {"status": 3}, WorkerDied, "ended by exit status 3"),
        (jobs.vanish, {"status": 0}, WorkerDied, "ended by exit status 0"),
        (jobs.be_killed, {}, OutOfMemory, "the kernel does that when memory runs out"),
    ],
)
def test_a_death_is_a_typed_error_and_stays_one(log, job, arguments, kind, what):
    with Worker("test", log_path=log) as worker:
        for attempt in (job, job):
            with pytest.raises(kind, match=what):
                worker.run(attempt, **arguments)
        assert not _is_running(worker.pid)


def test_a_crash_leaves_a_python_traceback_in_the_log(log):
    with Worker("test", log_path=log) as worker, pytest.raises(WorkerDied, match="the log file has its last words"):
        worker.run(jobs.abort)
    assert "worker_jobs.py" in log.read_text()


def test_a_worker_that_stops_answering_is_killed(log):
    with Worker("test", log_path=log) as worker:
        with pytest.raises(WorkerDied, match="stopped answering"):
            worker.run(jobs.go_quiet)
        assert not _is_running(worker.pid)


def test_a_job_over_its_time_is_killed(log):
    started = time.monotonic()
    with Worker("test", log_path=log, limits=Limits(timeout_s=1)) as worker:
        with pytest.raises(TimeLimitExceeded, match=r"longer than its limit of 1 s"):
            worker.run(jobs.sleep, seconds=600)
        assert _gone_soon(worker.pid)
    assert time.monotonic() - started < _SOON_SECONDS


def test_the_time_limit_is_a_jobs_and_not_the_workers(log):
    with Worker("test", log_path=log, limits=Limits(timeout_s=2)) as worker:
        for _ in range(5):
            worker.run(jobs.sleep, seconds=0.5)


@pytest.mark.parametrize("job", [jobs.hold, jobs.hold_in_a_child])
def test_a_job_over_its_memory_is_killed_children_included(log, job):
    limits = Limits(memory_bytes=300 * 2**20)
    with Worker("test", log_path=log, limits=limits) as worker:
        with pytest.raises(OutOfMemory, match=r"over its limit of 0\.3 GiB"):
            worker.run(job, megabytes=400, seconds=600)
        assert _gone_soon(worker.pid)


def test_each_job_is_told_its_own_peak_memory(worker):
    small = worker.run(jobs.add, left=1, right=1).peak_memory_bytes
    large = worker.run(jobs.hold, megabytes=200, seconds=0).peak_memory_bytes
    again = worker.run(jobs.add, left=1, right=1).peak_memory_bytes
    in_child = worker.run(jobs.hold_in_a_child, megabytes=200, seconds=0.5).peak_memory_bytes
    assert large > small + 200 * 2**20
    assert again < small + 50 * 2**20
    assert in_child > small + 200 * 2**20
    assert worker.peak_memory_bytes == max(large, in_child)


def test_our_own_memory_is_not_counted_as_the_workers(log):
    held = bytearray(os.urandom(1 << 20) * 300)
    with Worker("test", log_path=log) as worker:
        assert worker.run(jobs.add, left=1, right=1).peak_memory_bytes < 200 * 2**20
    assert len(held) == 300 * 2**20


@pytest.mark.parametrize("job", [jobs.spawn_and_sleep, jobs.fork_and_abort])
def test_what_a_job_started_dies_with_its_worker(log, tmp_path, job):
    with Worker("test", log_path=log, limits=Limits(timeout_s=2)) as worker:
        with pytest.raises(InfrastructureError):
            worker.run(job, pids=tmp_path / "pids")
        assert _gone_soon(*_read_soon(tmp_path / "pids", 2))


def test_what_a_job_left_behind_dies_when_the_worker_is_closed(log):
    with Worker("test", log_path=log) as worker:
        left_behind = worker.run(jobs.spawn_and_return).value
        assert _is_running(left_behind)
    assert _gone_soon(left_behind, worker.pid)


def test_closing_waits_for_queued_jobs(log):
    with Worker("test", log_path=log) as worker:
        worker.submit(jobs.sleep, seconds=0.3)
        last = worker.submit(jobs.add, left=2, right=3)
    assert last.result(timeout=0).value == 5


def test_closing_does_not_wait_for_a_warm_start_that_nobody_wants(log):
    started = time.monotonic()
    with Worker("test", log_path=log, preload=("tensorflow",)) as worker:
        pass
    assert time.monotonic() - started < 1
    assert not _is_running(worker.pid)


def test_an_exception_of_ours_kills_the_worker_at_once_and_cancels_what_waits(log):
    worker = Worker("test", log_path=log)
    running, waiting = (worker.submit(jobs.sleep, seconds=600) for _ in range(2))
    time.sleep(0.5)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), worker:
        raise KeyboardInterrupt
    assert time.monotonic() - started < 1
    with pytest.raises(WorkerDied, match="was stopped"):
        running.result(timeout=0)
    with pytest.raises(CancelledError):
        waiting.result(timeout=0)
    assert not _is_running(worker.pid)


def test_a_preload_that_fails_leaves_the_job_to_say_so(log):
    with Worker("test", log_path=log, preload=("no_such_module",)) as worker:
        assert worker.run(jobs.add, left=1, right=1).value == 2
    assert "No module named 'no_such_module'" in log.read_text()


def test_positional_arguments_are_refused(worker):
    with pytest.raises(TypeError, match="keyword arguments only"):
        worker.run(jobs.add, 1, 2)


def test_a_module_in_the_current_folder_is_not_imported(log, tmp_path, monkeypatch):
    (tmp_path / "colorsys.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    with Worker("test", log_path=log) as worker:
        assert Path(worker.run(jobs.imported_from, module="colorsys").value).parent != tmp_path


def test_workers_leak_neither_descriptors_nor_processes_nor_threads(log, tmp_path):
    def ends() -> tuple[int, int, int]:
        us = psutil.Process()
        return us.num_fds(), len(us.children(recursive=True)), us.num_threads()

    def use() -> None:
        with Worker("test", log_path=log) as worker:
            worker.run(jobs.add, left=1, right=1)
        with Worker("test", log_path=log) as worker, pytest.raises(WorkerDied):
            worker.run(jobs.abort)
        with pytest.raises(FileNotFoundError):
            Worker("test", log_path=tmp_path / "missing" / "run.log")

    def soon(most: tuple[int, ...]) -> tuple[int, int, int]:
        """Threads of pools that were shut down may take a moment to end."""
        deadline = time.monotonic() + 10
        while any(now > limit for now, limit in zip(ends(), most, strict=True)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return ends()

    at_rest = ends()
    use()
    before = soon((sys.maxsize, at_rest[1], at_rest[2]))
    for _ in range(3):
        use()
    assert all(now <= limit for now, limit in zip(soon(before), before, strict=True))


def test_one_worker_does_not_hold_anothers_pipes(log):
    with Worker("one", log_path=log) as one, Worker("two", log_path=log) as two:
        assert one.run(jobs.open_files).value == two.run(jobs.open_files).value


_PARENT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
import worker_jobs as jobs
from verify.worker import Worker
folder = Path(sys.argv[1])
with Worker("test", log_path=folder / "run.log") as worker:
    {body}
"""


def _parent(tmp_path: Path, body: str) -> subprocess.Popen[bytes]:
    code = _PARENT.format(here=str(_HERE), body=body)
    return subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_worker_and_its_children_end_with_their_parent(tmp_path, how):
    parent = _parent(tmp_path, "worker.run(jobs.spawn_and_sleep, pids=folder / 'pids')")
    pids = _read_soon(tmp_path / "pids", 2)
    parent.send_signal(how)
    parent.communicate(timeout=_SOON_SECONDS)
    assert _gone_soon(*pids)


def test_a_worker_inside_a_native_call_ends_with_its_parent(tmp_path):
    parent = _parent(tmp_path, "worker.run(jobs.hold_the_gil, started=folder / 'pids')")
    pids = _read_soon(tmp_path / "pids", 1)
    parent.kill()
    parent.communicate()
    assert _gone_soon(*pids)


def test_a_worker_outlives_the_thread_that_started_it(log):
    import threading

    started: list[Worker] = []
    thread = threading.Thread(target=lambda: started.append(Worker("test", log_path=log)))
    thread.start()
    thread.join()
    with started[0] as worker:
        time.sleep(0.2)
        assert worker.run(jobs.add, left=1, right=1).value == 2
