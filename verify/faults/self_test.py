"""``verify --self-test A B``: every fault into copies of B, each judged against A as ``verify A B`` judges B."""

from __future__ import annotations

import time
from pathlib import Path

from verify.chain.judging import floors_of
from verify.chain.run import Progress, run_chain
from verify.chain.settings import ChainSettings
from verify.errors import InputError
from verify.faults.inject import fault_kinds
from verify.faults.result import TIGHT_DB, SelfTest
from verify.faults.trial import Ground, judge, try_fault
from verify.report.types import EdgeKind, EdgeReport, Verdict

FAULTY_SUFFIXES = (".onnx", ".tflite")


def self_test(
    models: tuple[Path, ...],
    settings: ChainSettings,
    progress: Progress,
    *,
    seed: int = 0,
    kinds: tuple[str, ...] = (),
) -> SelfTest:
    """Test the check itself: would it notice a faulty ``models[1]``, trusting ``models[0]``?

    ``kinds`` are those of :func:`fault_kinds`, all where empty. ``seed`` chooses where each fault goes. Neither file is
    changed. Raises an ``InputError`` for other than two models, and what a run of the two raises.
    """
    started = time.monotonic()
    if len(models) != 2 or models[1].suffix.lower() not in FAULTY_SUFFIXES or not models[1].is_file():
        raise InputError(
            f"a self-test takes two models, and puts faults into the second: expected a .onnx or .tflite file there, "
            f"got {', '.join(path.name for path in models)}",
            fix="verify --self-test model.onnx model.tflite",
        )
    with run_chain(models, settings, progress) as chain:
        floors, _ = floors_of(chain)
        clean = judge(chain, chain.models[-1], floors)
        ground = Ground(chain, floors, clean, seed)
        results = []
        for kind in kinds or fault_kinds():
            progress(f"trying {kind}")
            results.append(try_fault(ground, kind))
        return SelfTest(
            expected=chain.models[0].member.entry.name,
            actual=chain.models[-1].member.entry.name,
            samples=chain.samples.description,
            budget=clean.budget,
            clean="; ".join(f"{output.name}: {output.explanation}" for output in clean.outputs),
            results=tuple(results),
            clean_passes=clean.verdict is Verdict.PASS,
            tight_sqnr_db=_tight(clean),
            seconds=time.monotonic() - started,
        )


def _tight(clean: EdgeReport) -> float | None:
    reached = [output.sqnr_db for output in clean.outputs if output.sqnr_db is not None]
    return min(reached) - TIGHT_DB if clean.kind is EdgeKind.QUANTIZED and reached else None
