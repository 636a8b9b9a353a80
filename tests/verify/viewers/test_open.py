"""``--open`` with a stand-in for each viewer: a program of that name, which prints an address and serves nothing."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from make_onnx_model import write_onnx_net

from verify.errors import ExitCode, InputError, MissingDependency
from verify.viewers import show
from verify.viewers.command import viewers_asked_for
from verify.viewers.installed import VIEWERS, installed, viewer_of, viewers_named

ADDRESS = "http://localhost:8080/?data=model"
STAND_IN = """
import json, os, sys, time
from pathlib import Path
given = [argument for argument in sys.argv if argument.startswith("--node_data_paths=")]
paths = given[0].partition("=")[2].split(",") if given else []
seen = {"arguments": sys.argv[1:], "pid": os.getpid(), "data": [Path(path).read_text() for path in paths]}
Path(os.environ["SEEN"]).write_text(json.dumps(seen))
print("Loading extensions ...")
print(f"Serving at ADDRESS")
time.sleep(60)
""".replace("ADDRESS", ADDRESS)
DYING = "import sys; print('port 8080 already in use.'); sys.exit(3)"
BROWSER = "import os, sys; from pathlib import Path; Path(os.environ['BROWSED']).write_text(sys.argv[1])"


@pytest.fixture(scope="module")
def nets(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("nets")
    for name, gain in (("net", 1), ("net_spoiled", 1.001)):
        write_onnx_net(folder / f"{name}.onnx", gain=gain)
    return folder


def programs(folder: Path, **scripts: str) -> Path:
    """A folder with these Python scripts as commands; ``_`` stands for ``-`` in their names."""
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(script)} "$@"\n')
        path.chmod(0o755)
    return folder


def environment(tmp_path: Path, **added: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "DISPLAY", "WAYLAND_DISPLAY"}}
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "SEEN": str(tmp_path / "seen.json")} | added


@contextmanager
def on_a_terminal(env: dict[str, str], *arguments: object):
    """``verify`` with a terminal to be stopped from."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "verify", *map(str, arguments)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        # Of a background job of a shell, which ignores Ctrl-C, this would be inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def until_it_is_shown(process: subprocess.Popen[str]) -> str:
    told = []
    for line in process.stderr:
        told.append(line)
        if " is at " in line:
            return line.strip()
    pytest.fail("nothing was shown: " + "".join(told))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_inspect_shows_the_model_until_ctrl_c_and_takes_the_viewer_along(nets, tmp_path):
    programs(tmp_path / "bin", netron=STAND_IN, model_explorer=DYING, browser=BROWSER)
    browser = {"DISPLAY": ":9", "BROWSER": str(tmp_path / "bin" / "browser"), "BROWSED": str(tmp_path / "browsed")}
    with on_a_terminal(environment(tmp_path, **browser), "inspect", nets / "net.onnx", "--open") as process:
        assert until_it_is_shown(process) == f"net.onnx is at {ADDRESS}"
        seen = json.loads((tmp_path / "seen.json").read_text())
        assert seen["arguments"] == [str(nets / "net.onnx")]
        assert is_running(seen["pid"])
        deadline = time.monotonic() + 20
        while not (tmp_path / "browsed").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=20)
    assert process.returncode == ExitCode.PASS
    assert printed.startswith("net.onnx")
    assert not is_running(seen["pid"])
    assert (tmp_path / "browsed").read_text() == ADDRESS


def test_verify_shows_the_model_that_parts_with_its_errors_and_the_verdict_stands(nets, tmp_path):
    programs(tmp_path / "bin", model_explorer=STAND_IN, onnxvis="")
    models = (nets / "net.onnx", nets / "net_spoiled.onnx")
    with on_a_terminal(environment(tmp_path), *models, "--open", "--max-samples", 4) as process:
        assert until_it_is_shown(process) == f"net_spoiled.onnx is at {ADDRESS}"
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=20)
    assert process.returncode == ExitCode.PARITY_FAILED
    assert printed.startswith("✕ FAIL")
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert not is_running(seen["pid"])
    model, silent, data, extensions = seen["arguments"]
    assert (model, silent) == (str(nets / "net_spoiled.onnx"), "--no_open_in_browser")
    assert extensions == "--extensions=model_explorer_onnx"
    files = [Path(path) for path in data.removeprefix("--node_data_paths=").split(",")]
    assert [path.name for path in files] == ["layers_0_local_sqnr_db.json", "layers_0_sqnr_db.json"]
    assert not any(path.exists() for path in files)
    by_itself, in_all = (json.loads(text)["results"] for text in seen["data"])
    assert by_itself.keys() == {"node_6"}, "the product, of nodes without names"
    assert in_all["node_5"]["value"] > 100 > in_all["node_6"]["value"]


def test_without_a_terminal_nothing_is_opened(nets, tmp_path):
    programs(tmp_path / "bin", netron=STAND_IN)
    command = [sys.executable, "-m", "verify", "inspect", str(nets / "net.onnx"), "--open"]
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        timeout=60,
    )
    assert done.returncode == ExitCode.PASS
    assert "nothing is opened: a viewer runs until Ctrl-C" in done.stderr
    assert not (tmp_path / "seen.json").exists()


def test_a_viewer_that_ends_before_it_shows_anything_is_told_of(nets, tmp_path):
    programs(tmp_path / "bin", netron=DYING)
    with on_a_terminal(environment(tmp_path), "inspect", nets / "net.onnx", "--viewer", "netron") as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INFRASTRUCTURE
    assert "Netron ended with 3 and showed nothing" in told
    assert "port 8080 already in use." in told


@pytest.fixture
def bin_(tmp_path, monkeypatch):
    """The only folder where commands are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    return tmp_path / "bin"


def test_where_no_viewer_is_installed_the_error_says_what_to_install(bin_, monkeypatch):
    monkeypatch.setattr("verify.viewers.command.can_be_stopped", lambda: True)
    with pytest.raises(MissingDependency, match="no command model-explorer or netron is installed") as caught:
        viewers_asked_for(True, None)
    assert caught.value.fix == "pip install ai-edge-model-explorer, or pip install netron"
    with pytest.raises(MissingDependency, match="no command netron is installed"):
        viewers_asked_for(True, "netron")
    assert viewers_asked_for(False, None) == ()


def test_a_viewer_of_another_name_is_bad_usage():
    with pytest.raises(InputError, match="--viewer gimp: expected one of model-explorer, netron"):
        viewers_asked_for(False, "gimp")


def test_a_job_of_a_ci_server_is_no_terminal_even_where_it_has_one(monkeypatch):
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.delenv("CI", raising=False)
    assert show.can_be_stopped()
    monkeypatch.setenv("CI", "true")
    assert not show.can_be_stopped()


@pytest.mark.parametrize(
    ("file", "without_adapter", "with_adapter"),
    [("a.tflite", "model-explorer", "model-explorer"), ("a.onnx", "netron", "model-explorer")]
    + [(name, "netron", "netron") for name in ("saved_model.pb", "a.pth", "a.pt2")],
)
def test_a_file_is_shown_by_a_viewer_that_reads_it(file, without_adapter, with_adapter, bin_):
    programs(bin_, model_explorer="", netron="")
    assert viewer_of(Path(file), installed(VIEWERS)).viewer.command == without_adapter
    programs(bin_, onnxvis="")
    assert viewer_of(Path(file), installed(VIEWERS)).viewer.command == with_adapter


def test_a_file_that_no_installed_viewer_reads_is_said(bin_):
    programs(bin_, model_explorer="")
    with pytest.raises(MissingDependency, match="Model Explorer cannot show a") as caught:
        viewer_of(Path("a.onnx"), installed(VIEWERS))
    assert caught.value.fix == "pip install netron, or pip install model-explorer-onnx"


def test_a_comma_that_would_part_a_path_is_refused(bin_):
    programs(bin_, model_explorer="")
    (explorer,) = installed(viewers_named("model-explorer"))
    with pytest.raises(InputError, match="a comma separates them"):
        explorer.command_line(Path("a,b.tflite"), ())
