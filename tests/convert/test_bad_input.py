"""Whatever is wrong with a model ends in a typed error, the right exit code, and no folder that looks finished."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
MAKE = """
import pathlib, sys, torch
sys.path.insert(0, sys.argv[1])
import nets
from nets import ready
lenet = ready(nets.LeNet).module
state = lenet.state_dict()
torch.save(state, "good.pth")
whole = pathlib.Path("good.pth").read_bytes()
pathlib.Path("truncated.pth").write_bytes(whole[: len(whole) // 2])
pathlib.Path("empty.pth").write_bytes(b"")
pathlib.Path("picture.pth").write_bytes(b"\\xff\\xd8\\xff\\xe0" + bytes(2000))
torch.save({name: value * float("nan") for name, value in state.items()}, "nan.pth")
first = next(iter(state))
torch.save({**state, first: state[first][:, :, :2]}, "shape.pth")
torch.save({"a.weight": torch.zeros(3, 3)}, "unknown.pth")
torch.save(lenet, "module.pth")
torch.save(ready(nets.UnsupportedOpNet).module.state_dict(), "unsupported.pth")
torch.save(ready(nets.BranchNet).module.state_dict(), "branch.pth")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bad")
    subprocess.run([sys.executable, "-c", MAKE, str(TESTS)], cwd=made, check=True)
    return made


LENET = ("--arch", f"{TESTS / 'nets.py'}:LeNet", "--input", "image=N,1,28,28")


@pytest.mark.parametrize(
    ("file", "options", "exit_code", "says"),
    [
        ("truncated.pth", LENET, 2, "truncated.pth"),
        ("empty.pth", LENET, 2, "empty"),
        ("picture.pth", LENET, 2, "picture.pth"),
        ("nan.pth", LENET, 2, "NaN"),
        ("shape.pth", LENET, 2, "conv1.weight"),
        ("unknown.pth", (), 2, "--arch"),
        ("module.pth", LENET, 2, "--trust-pickle"),
        ("good.pth", LENET[:2], 2, "--input"),
        ("good.pth", (*LENET, "--calib", "nowhere"), 2, "nowhere"),
        ("good.pth", (*LENET[:2], "--input", "image=N,3,28,28"), 2, "image"),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(
    folder: Path, file: str, options: tuple[str, ...], exit_code: int, says: str
) -> None:
    _refused(folder, file, options, exit_code, says)
    assert not (folder / "out.failed.log").exists()


@pytest.mark.parametrize(
    ("file", "net", "shape"),
    [("unsupported.pth", "UnsupportedOpNet", "features=N,8"), ("branch.pth", "BranchNet", "features=N,8")],
)
def test_what_cannot_be_converted_exits_3_with_the_line_that_stopped_it(
    folder: Path, file: str, net: str, shape: str
) -> None:
    error = _refused(folder, file, ("--arch", f"{TESTS / 'nets.py'}:{net}", "--input", shape), 3, "nets.py")
    assert "stage:" in error
    log = folder / "out.failed.log"
    assert f"log: {log}" in error
    assert "Traceback" in log.read_text()
    log.unlink()


def _refused(folder: Path, file: str, options: tuple[str, ...], exit_code: int, says: str) -> str:
    command = [sys.executable, "-m", "convert", "pth2tflite", file, *options, "-o", "out"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == exit_code, run.stderr
    assert says in run.stderr
    assert "fix:" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (folder / "out").exists()
    assert not list(folder.glob(".out*"))
    return run.stderr
