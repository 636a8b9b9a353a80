"""The demo does what `make demo` promises: trained digits, converted, and no worse for it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_demo_keeps_its_accuracy_down_to_int8(tmp_path: Path) -> None:
    command = [sys.executable, "examples/digits/demo.py", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    top1 = {name: float(share) for name, share in re.findall(r"(PyTorch|float32|int8) +(\d+\.\d+)%", run.stdout)}
    assert top1.keys() == {"PyTorch", "float32", "int8"}
    assert top1["PyTorch"] > 93
    assert top1["float32"] == top1["PyTorch"]
    assert abs(top1["int8"] - top1["PyTorch"]) <= 1
    assert (tmp_path / "lenet" / "report.html").exists()
