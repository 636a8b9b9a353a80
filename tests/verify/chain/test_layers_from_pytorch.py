"""``verify net.pth net.onnx`` on a failure: the PyTorch module and the line that calls it, whichever is named first."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from verify_command import verification, verify

from verify.errors import ExitCode

LOCALISE = Path(__file__).parent.parent / "localise"
sys.path.append(str(LOCALISE))

from pytorch_layers import line_of, write_command_models  # noqa: E402


@pytest.mark.parametrize("turned", [False, True], ids=["pth first", "onnx first"])
def test_the_module_and_the_line_are_told(turned, tmp_path):
    models = write_command_models(tmp_path)
    arch = ("--arch", f"{LOCALISE / 'pytorch_layers.py'}:Net", "--input", "image=N,3,8,8")
    result = verify(*(models[::-1] if turned else models), *arch, "--output", tmp_path / "report")
    assert result.returncode == ExitCode.PARITY_FAILED, result.stdout + result.stderr
    where = f"shared (Conv2d, {line_of('once = functional')})"
    assert where in " ".join(result.stdout.split())
    (found,) = verification(tmp_path / "report")["localisations"]
    layer = found["culprit"]["layer"]
    assert (layer["op"], layer["module"], layer["module_type"]) == ("Conv", "shared", "Conv2d")
    assert (found["expected"], found["actual"]) == ("net.pth", "wrong.onnx")
    assert (tmp_path / "report" / "reproducer_0" / "reproduce.py").is_file()
