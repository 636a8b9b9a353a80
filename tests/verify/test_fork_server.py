"""A forked worker starts warm and is in every other respect a cold one; no earlier worker shows in it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import fork_server_jobs
import psutil
import pytest
import worker_jobs as jobs

from verify.errors import OutOfMemory, SamplesInvalid, TimeLimitExceeded, WorkerDied
from verify.fork_server import ForkServer
from verify.process_tree import is_running
from verify.worker import Limits, Worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fork servers are for Linux")

_SOON_SECONDS = 10.0
_IDLE_SERVER_FILES = 8
"""stdin, stdout, stderr, socket, lifeline, the pipe that wakes it, its selector."""


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "run.log"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    preload = ("numpy", "no_such_module", "fork_server_jobs:remember")
    with ForkServer(folder / "socket", preload, log_path=folder / "server.log") as running:
        yield running
    assert not is_running(running.pid)


@pytest.fixture
def worker(server, log):
    with Worker("test", log_path=log, fork_server=server.socket) as running:
        yield running


def _gone_soon(*pids: int) -> bool:
    deadline = time.monotonic() + _SOON_SECONDS
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(is_running, pids))


def test_a_forked_worker_answers_and_is_a_child_of_the_server(server, worker):
    assert worker.run(jobs.add, left=1, right=2).value == 3
    assert psutil.Process(worker.pid).ppid() == server.pid


def test_it_has_what_the_server_prepared_though_one_import_failed(worker):
    assert worker.run(fork_server_jobs.remembered).value == "prepared before the fork"
    assert worker.run(fork_server_jobs.is_imported, module="numpy").value


def test_it_starts_in_a_moment(server, log):
    with Worker("first", log_path=log, fork_server=server.socket) as worker:
        worker.run(jobs.add, left=1, right=1)
    started = time.monotonic()
    for _ in range(5):
        with Worker("test", log_path=log, fork_server=server.socket) as worker:
            worker.run(fork_server_jobs.is_imported, module="numpy")
    assert (time.monotonic() - started) / 5 < 0.5


def test_what_one_worker_does_is_not_in_the_next(server, log):
    for _ in range(2):
        with Worker("test", log_path=log, fork_server=server.socket) as worker:
            assert worker.run(fork_server_jobs.count).value == 1


def test_it_stands_where_its_caller_stands_with_its_environment_and_path(server, log, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIVEN_LATER", "yes")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path / "late")
    warm = Worker("warm", log_path=log, fork_server=server.socket)
    cold = Worker("cold", log_path=log)
    with warm, cold:
        seen, expected = (each.run(fork_server_jobs.surroundings).value for each in (warm, cold))
    assert seen == expected
    assert seen["folder"] == seen["temporary"] == str(tmp_path)


def test_it_holds_no_file_of_the_servers(server, log):
    with Worker("one", log_path=log, fork_server=server.socket) as one, Worker("two", log_path=log) as two:
        assert one.run(jobs.open_files).value == two.run(jobs.open_files).value


def test_what_it_prints_goes_to_its_log_alone(worker, log, capfd):
    assert worker.run(jobs.shout).value == worker.pid
    assert capfd.readouterr() == ("", "")
    assert all(f"{who} says" in log.read_text() for who in ("python", "stdout", "stderr", "grandchild"))


def test_errors_come_back_typed(worker):
    with pytest.raises(SamplesInvalid, match="seven samples"):
        worker.run(jobs.refuse)


@pytest.mark.parametrize(
    ("job", "arguments", "kind", "what", "number"),
    [
        (jobs.crash, {}, WorkerDied, "ended by signal SIGSEGV", signal.SIGSEGV),
        (jobs.abort, {}, WorkerDied, "ended by signal SIGABRT", signal.SIGABRT),
        (jobs.vanish, {"status": 3}, WorkerDied, "ended by exit status 3", None),
        (jobs.be_killed, {}, OutOfMemory, "the kernel does that when memory runs out", None),
        (jobs.go_quiet, {}, WorkerDied, "stopped answering", None),
    ],
)
def test_deaths_are_told_as_those_of_cold_workers(server, log, job, arguments, kind, what, number):
    with Worker("test", log_path=log, fork_server=server.socket) as worker:
        with pytest.raises(kind, match=what) as caught:
            worker.run(job, **arguments)
        assert getattr(caught.value, "signal", None) == number
        assert not is_running(worker.pid)


def test_its_limits_are_kept(server, log):
    limits = Limits(timeout_s=1, memory_bytes=300 * 2**20)
    with Worker("test", log_path=log, limits=limits, fork_server=server.socket) as worker:
        with pytest.raises(TimeLimitExceeded):
            worker.run(jobs.sleep, seconds=600)
        assert _gone_soon(worker.pid)
    hungry = Worker("test", log_path=log, limits=limits, fork_server=server.socket)
    with hungry, pytest.raises(OutOfMemory, match="over its limit"):
        hungry.run(jobs.hold_in_a_child, megabytes=400, seconds=600)


def test_what_it_left_behind_dies_when_it_is_closed(server, log):
    with Worker("test", log_path=log, fork_server=server.socket) as worker:
        left_behind = worker.run(jobs.spawn_and_return).value
    assert _gone_soon(left_behind, worker.pid)


def test_workers_leave_no_descriptors_and_no_zombies(server, log):
    def use() -> None:
        for job in (jobs.open_files, jobs.abort):
            try:
                with Worker("test", log_path=log, fork_server=server.socket) as worker:
                    worker.run(job)
            except WorkerDied:
                continue

    us, them = psutil.Process(), psutil.Process(server.pid)
    threads = us.num_threads()
    use()
    files = us.num_fds()
    for _ in range(5):
        use()
    assert us.num_fds() <= files
    deadline = time.monotonic() + _SOON_SECONDS
    while us.num_threads() > threads and time.monotonic() < deadline:
        time.sleep(0.02)  # threads of pools that were shut down may take a moment to end
    assert us.num_threads() <= threads
    while (them.children() or them.num_fds() > _IDLE_SERVER_FILES) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not them.children()
    assert them.num_fds() == _IDLE_SERVER_FILES


def test_closing_does_not_wait_for_imports_that_nobody_wants(tmp_path, log):
    with ForkServer(tmp_path / "socket", ("fork_server_jobs:take_long",), log_path=log) as server:
        started = time.monotonic()
        worker = Worker("test", log_path=log, fork_server=server.socket)
        worker.kill()
        assert time.monotonic() - started < 1


def test_a_worker_does_not_outlive_its_server(tmp_path, log):
    with ForkServer(tmp_path / "socket", (), log_path=log) as server:
        worker = Worker("test", log_path=log, fork_server=server.socket)
        future = worker.submit(jobs.sleep, seconds=600)
        pid = worker.pid
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="lost the process that it was forked from"):
            future.result(timeout=_SOON_SECONDS)
        assert _gone_soon(pid)
        worker.kill()


def test_without_a_server_a_worker_starts_cold(tmp_path, log):
    with Worker("test", log_path=log, fork_server=tmp_path / "nobody") as worker:
        assert worker.run(jobs.add, left=1, right=2).value == 3
        assert psutil.Process(worker.pid).ppid() == os.getpid()


def test_a_log_over_its_limit_ends_the_worker(log):
    from verify.errors import LogTooLong

    log.write_bytes(b"from before" * 2**20)
    with Worker("test", log_path=log, limits=Limits(log_bytes=2**20)) as worker:
        assert worker.run(jobs.add, left=1, right=1).value == 2
        with pytest.raises(LogTooLong, match=r"more than its limit of 1\.0 MiB"):
            worker.run(fork_server_jobs.chatter)
        assert _gone_soon(worker.pid)


def test_a_disk_that_is_full_is_told_whatever_a_library_made_of_it(worker):
    from verify.errors import DiskFull

    for wrapped in (False, True):
        with pytest.raises(DiskFull, match="no space left on"):
            worker.run(fork_server_jobs.find_no_room, wrapped=wrapped)


def test_an_answer_that_is_none_is_the_jobs_fault(worker):
    with pytest.raises(WorkerDied, match="gave an answer to fork_server_jobs:babble that is none"):
        worker.run(fork_server_jobs.babble)
