"""What ``--lock`` and ``--update-lock`` do: judge by the lock that is there, or record one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from verify.baseline.judge import judged_against
from verify.baseline.lock import LOCK_SCHEMA_VERSION, Lock, LockedOutput
from verify.baseline.lock_file import read_lock, write_lock
from verify.report import words
from verify.report.types import OutputComparison, Verdict
from verify.report.verification import Verification


def with_lock(verification: Verification, path: Path, *, update: bool) -> Verification:
    """Judge a verification by the lock at ``path``; without one, or to ``update`` it, record what agrees now.

    Only what passes, or is accepted by an exception, is recorded; exceptions stay as they are. Raises ``LockInvalid``.
    """
    present = path.exists()
    lock = read_lock(path) if present else Lock(LOCK_SCHEMA_VERSION, verification.samples)
    if present and not update:
        return judged_against(verification, lock, path.name)
    bare = judged_against(verification, lock, path.name, recording=True)
    recorded = recorded_lock(bare, lock)
    write_lock(recorded, path)
    told = f"Recorded {words.count(len(recorded.outputs), 'output')} in {path.name}: commit it."
    return replace(bare, notes=(*bare.notes, told))


def recorded_lock(verification: Verification, before: Lock) -> Lock:
    """A lock of the verification's drift, with the exceptions of the one before."""
    outputs = tuple(
        _record(edge.expected, edge.actual, output)
        for edge in verification.edges
        for output in edge.outputs
        if output.verdict is Verdict.PASS and output.rms_error is not None
    )
    return Lock(LOCK_SCHEMA_VERSION, verification.samples, outputs, before.accepted)


def _record(expected: str, actual: str, output: OutputComparison) -> LockedOutput:
    rms, largest, sqnr = (
        None if value is None else float(f"{value:.6g}")
        for value in (output.rms_error, output.max_abs_error, output.sqnr_db)
    )
    return LockedOutput(expected, actual, output.name, rms or 0.0, largest, sqnr)
