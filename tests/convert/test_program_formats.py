"""Checkpoints that carry their own program go through the whole command too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
MAKE = """
import sys, torch
sys.path.insert(0, sys.argv[1])
import nets
net = nets.ready(nets.LeNet)
torch.jit.save(torch.jit.trace(net.module, net.example()), "script.pt")
shapes = ({0: torch.export.Dim("N")},)
torch.export.save(torch.export.export(net.module, net.example(), dynamic_shapes=shapes), "program.pt2")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("programs")
    subprocess.run([sys.executable, "-c", MAKE, str(TESTS)], cwd=made, check=True)
    return made


@pytest.mark.parametrize(
    ("file", "options"),
    [("script.pt", ("--input", "image=N,1,28,28")), ("program.pt2", ())],
    ids=["torchscript", "pt2"],
)
def test_a_program_is_converted_without_its_class(folder: Path, file: str, options: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "convert", "pth2tflite", file, *options, "--quiet"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Ready to ship" in run.stdout
