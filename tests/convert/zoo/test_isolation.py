"""Whatever a job does, it costs that job only: it is classified, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from wrappers import LIMITS, Wrapper, control_groups, environment, gone_soon, make_job, wait_for

from convert.zoo.files import read_result, write_job
from convert.zoo.job import MIB
from convert.zoo.job_log import KEPT_BYTES
from convert.zoo.result import JobResult, Outcome
from convert.zoo.store import open_store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

SHORT = replace(LIMITS, timeout_s=2.0)


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    with Wrapper(tmp_path_factory.mktemp("warm")) as wrapper:
        yield wrapper
    assert gone_soon(wrapper.mark)
    assert control_groups(wrapper.process.pid) == []


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    with Wrapper(tmp_path_factory.mktemp("cold"), ("--cold",)) as wrapper:
        yield wrapper
    assert gone_soon(wrapper.mark)


@pytest.fixture(params=["warm", "cold"])
def wrapper(request):
    return request.getfixturevalue(request.param)


def _log(wrapper: Wrapper, result: JobResult) -> bytes:
    target = wrapper.folder / "fetched-log"
    target.unlink(missing_ok=True)
    open_store(str(wrapper.folder / "store")).get_file(result.log, target)
    return target.read_bytes()


def _nothing_is_left(wrapper: Wrapper, running_before: int) -> None:
    """As many processes as before: the wrapper and its fork servers, which may have been replaced."""
    assert len(wrapper.marked()) == running_before
    assert list((wrapper.folder / "scratch").iterdir()) == []


def test_a_job_that_behaves_is_kept_and_told(wrapper):
    result = wrapper.run("behave")
    assert result.outcome is Outcome.OK
    assert result.conversion.headline == str(wrapper.folder)
    assert [file.path for file in result.conversion.files] == ["made.txt"]
    assert 10 * MIB < result.peak_memory_bytes < 300 * MIB
    assert 0 < result.seconds < 60
    assert result.host
    assert open_store(str(wrapper.folder / "store")).result(result.key) == result


def test_a_result_that_is_not_ok_says_why(warm):
    result = warm.run("drift")
    assert (result.outcome, result.what) == (Outcome.PARITY, "the saved_model drifts")


@pytest.mark.parametrize(
    ("body", "outcome", "number", "what"),
    [
        ("refuse_input", Outcome.BAD_INPUT, None, "seven samples"),
        ("refuse_op", Outcome.CONVERSION, None, "no lowering for Bernoulli"),
        ("fail", Outcome.INFRASTRUCTURE, None, "ValueError: odd shape"),
        ("crash", Outcome.SIGNAL, 11, "SIGSEGV"),
        ("crash_in_a_worker", Outcome.SIGNAL, 11, "the runtime worker ended by signal SIGSEGV"),
        ("abort", Outcome.SIGNAL, 6, "SIGABRT"),
        ("loop", Outcome.TIMEOUT, None, "longer than its limit of 2 s"),
        ("loop_natively", Outcome.TIMEOUT, None, "longer than its limit of 2 s"),
        ("stop", Outcome.TIMEOUT, None, "longer than its limit of 2 s"),
        ("be_greedy", Outcome.OOM, None, "its limit of 0.59 GiB"),
        ("be_greedy_at_once", Outcome.OOM, None, "out of memory in"),
        ("be_greedy_in_a_grandchild", Outcome.OOM, None, "its limit of 0.59 GiB"),
        ("be_greedy_in_a_worker", Outcome.OOM, None, "its limit of 0.59 GiB"),
        ("fork_sleepers", Outcome.INFRASTRUCTURE, None, "over its limit of 48"),
        ("fork_spinners", Outcome.INFRASTRUCTURE, None, "over its limit of 48"),
        ("fork_daemons", Outcome.INFRASTRUCTURE, None, "over its limit of 48"),
        ("fork_for_ever", Outcome.INFRASTRUCTURE, None, "over its limit of 48"),
        ("chatter", Outcome.INFRASTRUCTURE, None, "over its limit of 4.0 MiB"),
        ("chatter_in_a_worker", Outcome.INFRASTRUCTURE, None, "over its limit of 4.0 MiB"),
        ("kill_itself", Outcome.OOM, None, "was killed"),
        ("leave", Outcome.INFRASTRUCTURE, None, "ended by exit status 0"),
        ("close_everything", Outcome.INFRASTRUCTURE, None, "stopped answering"),
        ("babble", Outcome.INFRASTRUCTURE, None, "an answer"),
        ("stop_the_fork_server", Outcome.TIMEOUT, None, "longer than its limit of 2 s"),
        ("kill_the_fork_server", Outcome.INFRASTRUCTURE, None, "lost the process that it was forked from"),
        ("leave_daemons", Outcome.OK, None, ""),
    ],
)
def test_every_saboteur_is_classified_and_the_next_job_is_well(warm, body, outcome, number, what):
    warm.run("behave")
    before = len(warm.marked())
    needs_limit = "loop" in body or "stop" in body
    result = warm.run(body, SHORT if needs_limit else LIMITS)
    _nothing_is_left(warm, before - (body == "kill_the_fork_server"))
    assert (result.outcome, result.signal) == (outcome, number), result
    assert what in result.what
    assert result.seconds < 30
    assert warm.run("behave").outcome is Outcome.OK
    _nothing_is_left(warm, before)


@pytest.mark.parametrize(
    ("body", "outcome", "number"),
    [
        ("crash_in_a_worker", Outcome.SIGNAL, 11),
        ("loop_natively", Outcome.TIMEOUT, None),
        ("be_greedy_in_a_grandchild", Outcome.OOM, None),
        ("fork_daemons", Outcome.INFRASTRUCTURE, None),
        ("leave_daemons", Outcome.OK, None),
    ],
)
def test_a_cold_start_isolates_as_well(cold, body, outcome, number):
    result = cold.run(body, SHORT if body == "loop_natively" else LIMITS)
    assert (result.outcome, result.signal) == (outcome, number), result
    _nothing_is_left(cold, running_before=1)


def test_what_a_job_does_to_its_process_is_not_in_the_next_one(wrapper):
    assert wrapper.run("make_a_mess").outcome is Outcome.OK
    assert wrapper.run("look_for_a_mess").conversion.headline == "found 0"


def test_the_last_words_of_a_job_and_of_its_workers_are_kept(warm):
    log = _log(warm, warm.run("crash"))
    assert b"last words" in log
    assert b"isolation_jobs.py" in log
    log = _log(warm, warm.run("crash_in_a_worker"))
    assert b"the worker's last words" in log


def test_a_log_without_end_is_kept_by_its_two_ends(warm):
    result = warm.run("chatter")
    log = _log(warm, result)
    assert log.startswith(b"the very first line")
    assert log.count(b"a progress bar without a terminal\n") > 2 * KEPT_BYTES // 40
    assert b"bytes left out" in log
    assert 2 * KEPT_BYTES < len(log) == result.log.size_bytes < 2 * KEPT_BYTES + 100


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=False).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("body", ["fill_the_disk", "fill_the_disk_in_a_worker", "fill_the_disk_with_words"])
def test_a_full_disk_is_nobodys_model(warm, small_disk, body):
    result = warm.run(body, scratch=small_disk)
    assert result.outcome is Outcome.INFRASTRUCTURE
    assert "no space left on a disk" in result.what
    assert f"scratch folder: {small_disk}" in result.context
    assert list(small_disk.iterdir()) == []
    assert warm.run("behave", scratch=small_disk).outcome is Outcome.OK


def test_a_disk_too_full_to_begin_on_is_told(warm, small_disk):
    (small_disk / "full").write_bytes(b"x" * 3 * MIB)
    for number in range(2000):
        try:
            (small_disk / str(number)).mkdir()
        except OSError:
            break
    result = warm.run("behave", scratch=small_disk)
    assert result.outcome is Outcome.INFRASTRUCTURE
    assert "no space left on" in result.what


def test_a_store_that_fails_leaves_a_result_that_says_so(tmp_path):
    (tmp_path / "store").write_text("a file")
    with Wrapper(tmp_path) as wrapper:
        result = wrapper.run("crash")
    assert result.outcome is Outcome.INFRASTRUCTURE
    assert "the job itself had ended: signal 11" in result.context


@pytest.mark.parametrize("how", ["end of stdin", signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("arguments", [(), ("--cold",)])
def test_nothing_outlives_a_wrapper_that_has_to_end_in_the_middle_of_a_job(tmp_path, how, arguments):
    with Wrapper(tmp_path, arguments) as wrapper:
        wrapper.start("daemons_and_wait")
        wait_for(tmp_path, "started-*")
        assert len(wrapper.marked()) > 2
        if how == "end of stdin":
            wrapper.process.stdin.close()
        else:
            wrapper.process.send_signal(how)
        if how == signal.SIGKILL and arguments:
            return _the_next_wrapper_clears_up(wrapper, tmp_path)
        assert gone_soon(wrapper.mark)
    if how != signal.SIGKILL:
        assert list((tmp_path / "scratch").iterdir()) == []
        assert control_groups(wrapper.process.pid) == []
    assert not list(tmp_path.glob("*/result.json"))
    return None


def _the_next_wrapper_clears_up(wrapper: Wrapper, tmp_path: Path) -> None:
    """Without fork servers nobody is left to end a daemon, unless there was a control group to find it in."""
    wrapper.process.wait()
    grouped = control_groups(wrapper.process.pid) != []
    with Wrapper(tmp_path) as following:
        assert following.run("behave").outcome is Outcome.OK
    assert list((tmp_path / "scratch").iterdir()) == []
    assert control_groups(wrapper.process.pid) == []
    if grouped:
        assert gone_soon(wrapper.mark)
    for process in wrapper.marked():
        os.kill(process, signal.SIGKILL)


def test_what_a_killed_wrapper_left_is_cleared_by_the_next(tmp_path):
    with Wrapper(tmp_path) as killed:
        killed.start("daemons_and_wait")
        wait_for(tmp_path, "started-*")
        killed.process.kill()
        killed.process.wait()
        slot = Path(tempfile.gettempdir()).glob(f"zoo-slot-{killed.process.pid}.*")
        assert list((tmp_path / "scratch").iterdir()) != []
    with Wrapper(tmp_path) as following:
        assert following.run("behave").outcome is Outcome.OK
        assert list((tmp_path / "scratch").iterdir()) == []
        assert control_groups(killed.process.pid) == []
    assert list(slot) == []


_SCHEDULER = """
import json, subprocess, sys, time
wrapper = subprocess.Popen([sys.executable, "-m", "convert.zoo.wrapper", "--serve"], stdin=subprocess.PIPE)
wrapper.stdin.write(json.dumps({"job": sys.argv[1], "result": sys.argv[2]}).encode() + b"\\n")
wrapper.stdin.flush()
time.sleep(600)
"""


def test_a_killed_scheduler_leaves_no_process(tmp_path):
    mark = "killed-scheduler"
    job = write_job(make_job(tmp_path, "job", "daemons_and_wait"), tmp_path / "jobs")
    command = [sys.executable, "-c", _SCHEDULER, str(job), str(tmp_path / "result.json")]
    scheduler = subprocess.Popen(command, env=environment(mark), start_new_session=True)
    wait_for(tmp_path, "started-*")
    scheduler.kill()
    scheduler.wait()
    assert gone_soon(mark)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_one_job_by_the_command_line(tmp_path):
    job = write_job(make_job(tmp_path, "job", "crash"), tmp_path / "jobs")
    command = [sys.executable, "-P", "-m", "convert.zoo.wrapper", str(job), str(tmp_path / "out" / "result.json")]
    assert subprocess.run(command, env=environment("one"), check=True, stdin=subprocess.DEVNULL).returncode == 0
    assert read_result(tmp_path / "out" / "result.json").label == "signal 11"
    assert gone_soon("one")


def test_a_job_file_that_is_none_has_a_result_all_the_same(tmp_path):
    job = tmp_path / "net" / "job.json"
    job.parent.mkdir()
    job.write_text("{")
    command = [sys.executable, "-P", "-m", "convert.zoo.wrapper", str(job), str(tmp_path / "result.json")]
    subprocess.run(command, env=environment("none"), check=True)
    result = read_result(tmp_path / "result.json")
    assert (result.id, result.outcome) == ("net", Outcome.INFRASTRUCTURE)
    assert "is no job" in result.what


@pytest.mark.slow
def test_a_trivial_job_costs_milliseconds(warm):
    warm.run("drift")
    started = time.monotonic()
    for _ in range(200):
        assert warm.run("drift").outcome is Outcome.PARITY
    assert (time.monotonic() - started) / 200 < 0.05
