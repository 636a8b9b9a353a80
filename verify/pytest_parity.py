"""Parity as a test: ``assert_parity("net.onnx", "net.tflite", "photos/")`` in any pytest suite.

Models run in workers, so the test's own process imports no framework and a model that aborts its interpreter is an
error of the test, not the end of pytest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from verify.chain.settings import ChainSettings
    from verify.report.verification import Verification
    from verify.samples.source import SampleSource

    Data = str | Path | npt.NDArray[np.generic] | Mapping[str, npt.NDArray[np.generic]]


class ParityError(AssertionError):
    """Models do not agree, or it cannot be told whether they do; ``verification`` is all that was found."""

    def __init__(self, verification: Verification, told: str) -> None:
        super().__init__(told)
        self.verification = verification


def assert_parity(
    expected: str | Path,
    actual: str | Path,
    data: Data | None = None,
    *more: str | Path,
    layouts: Mapping[str, str] | None = None,
    min_sqnr_db: float | None = None,
    max_samples: int = 32,
    seed: int = 0,
    lock: str | Path | None = None,
    report: str | Path | None = None,
    timeout_s: float | None = None,
) -> Verification:
    """Feed models the same samples and assert that they agree; what cannot be told is no agreement either.

    Args:
        expected: the model to trust: ``.onnx``, ``.tflite``, SavedModel folder, checkpoint or ``reference.npz``.
        actual: the model to judge.
        data: a folder of images, ``.npz``/``.npy``, ``module:callable``, an array ``(samples, ...)`` for a sole input,
            or ``{input name: array}``; seeded random samples when left out. A ``reference.npz`` brings its own.
        *more: further models to judge, each also by its predecessor.
        layouts: how a TensorFlow model without ``signature.json`` stores a tensor: ``{"image": "NHWC"}``.
        min_sqnr_db: judge by this SQNR instead of the budget that follows from the files.
        max_samples: most samples to feed.
        seed: of random samples.
        lock: a ``parity.lock.json``, which must be there: drift beyond what it records fails.
        report: folder for ``report.html``, ``report.md``, ``junit.xml`` and ``verification.json``.
        timeout_s: most seconds that any one step may take.

    Raises:
        ParityError: an ``AssertionError``, with every output that does not agree, and why.
        ToolError: a model cannot be opened or run, or the models cannot be fed the same samples.
    """
    __tracebackhide__ = True
    from verify.baseline.apply import with_lock
    from verify.chain.settings import ChainSettings
    from verify.errors import LockInvalid
    from verify.opening import parse_layout
    from verify.report.types import Verdict
    from verify.report.verification_files import write_all
    from verify.worker import Limits

    if lock is not None and not Path(lock).is_file():
        raise LockInvalid(f"there is no {lock}", fix=f"record it: verify {expected} {actual} --lock {lock}")
    with tempfile.TemporaryDirectory(prefix="parity-") as scratch:
        settings = ChainSettings(
            samples=_source(data, seed, Path(scratch)),
            max_samples=max_samples,
            min_sqnr_db=min_sqnr_db,
            layouts=tuple(parse_layout(f"{name}={layout}") for name, layout in (layouts or {}).items()),
            limits=Limits(timeout_s=timeout_s),
            pictures=report is not None,
            command=f"assert_parity({str(expected)!r}, {str(actual)!r})",
        )
        found = _verified(tuple(map(Path, (expected, actual, *more))), settings)
    if lock is not None:
        found = with_lock(found, Path(lock), update=False)
    page = write_all(found, Path(report)).html if report is not None else None
    if found.verdict is not Verdict.PASS:
        raise ParityError(found, _told(found, page))
    return found


def _verified(paths: tuple[Path, ...], settings: ChainSettings) -> Verification:
    from verify.chain.judging import floors_of
    from verify.chain.run import run_chain
    from verify.chain.verification import verification_of

    with run_chain(paths, settings, lambda _phrase: None) as chain:
        return verification_of(chain, *floors_of(chain))


def _source(data: Data | None, seed: int, scratch: Path) -> SampleSource:
    """Arrays are written down, for only paths cross to a worker."""
    import numpy as np

    from verify.batches import write_batch
    from verify.samples.source import ArrayFile, parse_samples

    if isinstance(data, Mapping):
        write_batch(scratch / "given.npz", {name: np.asarray(array) for name, array in data.items()})
        return ArrayFile(scratch / "given.npz")
    if data is None or isinstance(data, str | Path):
        return parse_samples(None if data is None else str(data), seed=seed)
    np.save(scratch / "given.npy", np.asarray(data), allow_pickle=False)
    return ArrayFile(scratch / "given.npy")


def _told(verification: Verification, page: Path | None) -> str:
    from verify.report.types import Verdict
    from verify.report.verification_cards import DECISIONS, findings

    lines = [f"{DECISIONS[verification.verdict]}. {verification.headline}"]
    lines += [
        f"  {finding.where}, {finding.what}: {finding.failure}. {finding.explanation}"
        for finding in findings(verification)
        if finding.verdict is not Verdict.PASS
    ]
    lines += [f"  next: {step}" for step in verification.next_steps]
    return "\n".join([*lines, f"  report: {page}"] if page else lines)
