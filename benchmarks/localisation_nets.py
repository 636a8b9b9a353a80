"""What ``make localisation`` works on: nets that the layer comparison was built on, and nets that it never saw."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from coverage_rows import read_zoo
from coverage_systems import write_checkpoints
from faults_subjects import Subject, subject_of

from verify.errors import ExitCode

ROOT = Path(__file__).parent.parent
BUILT_ON = ROOT / "benchmarks" / "localisation" / "built_on.toml"
HELD_OUT = ROOT / "benchmarks" / "localisation" / "held_out.toml"
_CODE = ("verify/localise", "verify/stepping", "verify/faults", "benchmarks")


def converted(manifest: Path, output: Path, *, anew: bool) -> tuple[Subject, ...]:
    """The nets of a manifest whose float files are there; with ``anew`` those that are not are converted first."""
    zoo = read_zoo(manifest)
    if anew:
        output.mkdir(parents=True, exist_ok=True)
        write_checkpoints(zoo, output / "checkpoints.log")
        command = [sys.executable, "-m", "convert", "zoo", "run", str(manifest), "-o", str(output / zoo.name)]
        done = subprocess.run([*command, "--jobs", "1"], check=False, stdout=subprocess.DEVNULL, cwd=ROOT)
        if done.returncode == ExitCode.BAD_INPUT:
            raise SystemExit(done.returncode)
    found = [subject_of(zoo, model.id, output / zoo.name / "models" / model.id) for model in zoo.models]
    return tuple(subject for subject in found if subject is not None)


def state_of(subject: Subject) -> str:
    """A hash of a net's files and of the code that its rows come from: rows of the same are not made again."""
    code = [path for folder in _CODE for path in sorted((ROOT / folder).glob("*.py"))]
    files = [subject.onnx, subject.float32, *([subject.int8] if subject.int8 is not None else []), *code]
    found = hashlib.sha256()
    for path in files:
        found.update(path.read_bytes())
    return found.hexdigest()
