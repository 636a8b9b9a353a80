"""Bodies of jobs for test_isolation.py: everything that a model's code can do to whoever runs it."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from convert.hosts import Hosts, WarmHosts
from convert.stages.base import Host
from convert.zoo.job import Job
from convert.zoo.result import Conversion, Outcome
from convert.zoo.store import open_store
from verify.errors import SamplesInvalid, UnsupportedOp
from verify.worker import Limits

CHILDREN = 64
MIB = 2**20
_GREEDY = "held = []\nwhile True: held.append(b'x' * (64 << 20))"


def behave(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    made = scratch / "made.txt"
    made.write_text("made")
    return Conversion(Outcome.OK, f"{Path.cwd()}", files=(open_store(job.store).put_file(made, "made.txt"),))


def drift(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    return Conversion(Outcome.PARITY, "the saved_model drifts")


def refuse_input(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    raise SamplesInvalid("seven samples", fix="give eight").within("stage: int8")


def refuse_op(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    raise UnsupportedOp("no lowering for Bernoulli")


def fail(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    raise ValueError("odd shape")


def crash(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    print("last words", flush=True)
    ctypes.string_at(0)
    raise AssertionError


def crash_in_a_worker(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    with Hosts(scratch / "run.log", Limits(), warm) as hosts:
        hosts.worker(Host.RUNTIME).run(_crash)
    raise AssertionError


def abort(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    os.abort()


def loop(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    while True:
        pass


def loop_natively(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    """Holds the interpreter's lock for ever."""
    sum(itertools.repeat(0))
    raise AssertionError


def stop(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    os.kill(os.getpid(), signal.SIGSTOP)
    raise AssertionError


def stop_the_fork_server(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(600)
    raise AssertionError


def kill_the_fork_server(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
    raise AssertionError


def be_greedy(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    import numpy as np

    held = [np.ones(2**30 // 8) for _ in range(100)]
    return Conversion(Outcome.OK, str(len(held)))


def be_greedy_at_once(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    import numpy as np

    return Conversion(Outcome.OK, str(np.ones(100 * 2**30).sum()))


def be_greedy_in_a_grandchild(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    subprocess.run([sys.executable, "-c", _GREEDY], check=True)
    raise AssertionError


def be_greedy_in_a_worker(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    with Hosts(scratch / "run.log", Limits(), warm) as hosts:
        hosts.worker(Host.RUNTIME).run(_hoard)
    raise AssertionError


def fork_sleepers(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    return _start(CHILDREN, _sleep)


def fork_spinners(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    return _start(CHILDREN, _spin)


def fork_daemons(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    return _start(CHILDREN, _daemonise)


def fork_for_ever(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
        except OSError:
            time.sleep(0.001)


def leave_daemons(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    """Ends well, and leaves behind what is hard to end."""
    for child in (_sleep, _daemonise, _stopped):
        if os.fork() == 0:
            child()
    return Conversion(Outcome.OK, "left three behind")


def daemons_and_wait(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    """For who kills the wrapper: ``started`` in the job's folder says that everything runs."""
    with Hosts(scratch / "run.log", Limits(), warm) as hosts:
        worker = hosts.worker(Host.RUNTIME)
        worker.submit(_sleep_in_a_worker)
        if os.fork() == 0:
            _daemonise()
        Path(f"started-{worker.pid}").touch()
        time.sleep(600)
    raise AssertionError


def fill_the_disk(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    _fill(scratch)
    raise AssertionError


def fill_the_disk_in_a_worker(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    with Hosts(scratch / "run.log", Limits(), warm) as hosts:
        hosts.worker(Host.RUNTIME).run(_fill, folder=scratch)
    raise AssertionError


def fill_the_disk_with_words(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    while True:
        print("x" * 10_000)


def chatter(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    os.write(1, b"the very first line\n")
    while True:
        os.write(1, b"a progress bar without a terminal\n" * 2048)


def chatter_in_a_worker(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    with Hosts(scratch / "run.log", Limits(), warm) as hosts:
        hosts.worker(Host.RUNTIME).run(_chatter)
    raise AssertionError


def kill_itself(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def leave(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    os._exit(0)


def close_everything(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    os.closerange(0, 256)
    time.sleep(600)
    raise AssertionError


def babble(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    """Write into every pipe there is, the one for the answer too."""
    for handle in range(3, 32):
        try:
            os.write(handle, b"this is no answer\n")
        except OSError:
            continue
    time.sleep(600)
    raise AssertionError


def make_a_mess(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    """Change all that a later job could see."""
    os.environ["LEFT_BEHIND"] = "yes"
    Path(tempfile.gettempdir(), "left-behind").touch()
    sys.path.insert(0, "/left/behind")
    sys.modules["left_behind"] = sys
    sys.setrecursionlimit(123)
    os.umask(0)
    locked = scratch / "locked"
    locked.mkdir()
    (locked / "file").touch()
    locked.chmod(0)
    return Conversion(Outcome.OK, "a mess")


def look_for_a_mess(job: Job, warm: WarmHosts, scratch: Path) -> Conversion:
    found = [
        "LEFT_BEHIND" in os.environ,
        Path(tempfile.gettempdir(), "left-behind").exists(),
        "/left/behind" in sys.path,
        "left_behind" in sys.modules,
        sys.getrecursionlimit() == 123,
        os.umask(0o22) == 0,
        list(scratch.iterdir()) != [],
        scratch not in Path(tempfile.gettempdir()).parent.iterdir(),
    ]
    return Conversion(Outcome.OK, f"found {sum(found)}")


def _crash() -> None:
    print("the worker's last words", flush=True)
    ctypes.string_at(0)


def _hoard() -> None:
    exec(_GREEDY)


def _chatter() -> None:
    while True:
        os.write(1, b"a progress bar without a terminal\n" * 2048)


def _sleep_in_a_worker() -> None:
    time.sleep(600)


def _fill(folder: Path) -> None:
    with (folder / "large.bin").open("wb") as file:
        while True:
            file.write(b"x" * MIB)


def _start(count: int, child: object) -> Conversion:
    for _ in range(count):
        if os.fork() == 0:
            child()  # type: ignore[operator]
    time.sleep(600)
    raise AssertionError


def _sleep() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(600)


def _spin() -> None:
    while True:
        pass


def _stopped() -> None:
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)


def _daemonise() -> None:
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    os.setsid()
    _sleep()
