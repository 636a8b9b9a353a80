"""Faults of every kind into converted models, and conversions without any: does ``verify`` notice, and is it quiet?

    python benchmarks/faults.py              convert and test what is not there yet, then write docs/faults.md and .json
    python benchmarks/faults.py --render     write the page from what is there
    python benchmarks/faults.py --int8       test the int8 files that are there, keep the rest of docs/faults.json

It may be stopped at any time and goes on where it stood. Models and results stay below build/faults/.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from faults_page import render  # noqa: E402
from faults_subjects import FAULTY, Subject, convert_all, subjects  # noqa: E402
from faults_types import Clean, Kept, Tested  # noqa: E402

from verify.artifact import sha256_of  # noqa: E402
from verify.atomic import write_text  # noqa: E402
from verify.chain.judging import floors_of  # noqa: E402
from verify.chain.run import run_chain  # noqa: E402
from verify.chain.verification import verification_of  # noqa: E402
from verify.errors import ToolError  # noqa: E402
from verify.faults.result import TIGHT_DB, Outcome, SelfTest  # noqa: E402
from verify.faults.self_test import self_test  # noqa: E402
from verify.jsonio import from_jsonable, to_jsonable  # noqa: E402
from verify.report.types import Verdict  # noqa: E402
from verify.report.verification import Verification  # noqa: E402
from verify.versions import versions  # noqa: E402

_BRIEF = 90
"""Characters that docs/faults.json keeps of what noticed a fault."""


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "faults")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "faults")
    parser.add_argument("--render", action="store_true", help="only write the page from what is there")
    parser.add_argument("--again", action="store_true", help="test what has a result too")
    parser.add_argument("--int8", action="store_true", help="only the int8 files that are there")
    options = parser.parse_args()
    if options.int8:
        _test_int8(options.output, options.docs)
        return
    if not options.render:
        convert_all(options.output)
    found = subjects(options.output)
    kept = {}
    for subject in found:
        path = options.output / "results" / f"{subject.name}.json"
        key = _key(subject)
        result = _read(path)
        if not options.render and (options.again or result is None or result.key != key):
            print(subject.name, file=sys.stderr, flush=True)
            result = Kept(key, tuple(_tested(subject)) if subject.name in FAULTY else (), _clean(subject))
            write_text(path, json.dumps(to_jsonable(result), indent=1, ensure_ascii=False) + "\n")
        if result is not None:
            kept[subject.name] = result
    _write(kept, options.docs)


def _tested(subject: Subject) -> Iterator[Tested]:
    yield Tested(subject.name, "onnx", self_test((subject.float32, subject.onnx), subject.settings, _quiet))
    yield Tested(subject.name, "float32", self_test((subject.onnx, subject.float32), subject.settings, _quiet))
    if subject.int8 is not None:
        yield _tested_int8(subject, subject.int8)


def _tested_int8(subject: Subject, int8: Path) -> Tested:
    pair = (subject.float32, int8)
    verification = _verified(subject, pair)
    (edge,) = verification.edges
    default = self_test(pair, subject.settings, _quiet) if edge.verdict is Verdict.PASS else None
    reached = min(output.sqnr_db or 0.0 for output in edge.outputs)
    tight = self_test(pair, replace(subject.settings, min_sqnr_db=reached - TIGHT_DB), _quiet)
    return Tested(subject.name, "int8", default, tight)


def _test_int8(output: Path, docs: Path) -> None:
    known = json.loads(docs.with_suffix(".json").read_text(encoding="utf-8"))
    tested = list(from_jsonable(tuple[Tested, ...], known["tested"]))
    for subject in subjects(output):
        if subject.name not in FAULTY or subject.int8 is None:
            continue
        print(subject.name, file=sys.stderr, flush=True)
        at = next(at for at, each in enumerate(tested) if (each.subject, each.file) == (subject.name, "int8"))
        tested[at] = _tested_int8(subject, subject.int8)
    _write_docs(tuple(tested), from_jsonable(tuple[Clean, ...], known["clean"]), docs)


def _clean(subject: Subject) -> Clean:
    try:
        verification = _verified(subject, (subject.checkpoint, subject.onnx, subject.float32))
    except ToolError as error:
        return Clean(subject.name, "error", error.what, 0, 0.0, 0.0)
    floors = [output.noise_floor_multiple or 0.0 for edge in verification.edges for output in edge.outputs]
    return Clean(
        subject.name,
        verification.verdict.value,
        verification.headline,
        len(verification.edges),
        max(floors, default=0.0),
        verification.total_seconds,
    )


def _verified(subject: Subject, paths: tuple[Path, ...]) -> Verification:
    with run_chain(paths, subject.settings, _quiet) as chain:
        return verification_of(chain, *floors_of(chain))


def _quiet(phrase: str) -> None:
    """Nobody watches."""


def _key(subject: Subject) -> str:
    """Changes with the files and with ``verify``."""
    files = [subject.checkpoint, subject.onnx, subject.float32, *([subject.int8] if subject.int8 is not None else [])]
    digest = hashlib.sha256("".join(map(sha256_of, files)).encode())
    for path in sorted((ROOT / "verify").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> Kept | None:
    if not path.is_file():
        return None
    kept: Kept = from_jsonable(Kept, json.loads(path.read_text(encoding="utf-8")))
    return kept


def _write(kept: dict[str, Kept], docs: Path) -> None:
    tested = tuple(test for name in FAULTY if name in kept for test in kept[name].tested)
    clean = tuple(result.clean for result in kept.values() if result.clean is not None)
    _write_docs(tested, clean, docs)


def _write_docs(tested: tuple[Tested, ...], clean: tuple[Clean, ...], docs: Path) -> None:
    libraries = [(name, version) for name, version in versions() if name != "platform"]
    docs.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "versions": libraries,
        "tested": to_jsonable(tuple(map(_brief, tested)), tuple[Tested, ...]),
        "clean": to_jsonable(clean, tuple[Clean, ...]),
    }
    write_text(docs.with_suffix(".json"), json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")
    write_text(docs.with_suffix(".md"), render(tested, clean, libraries))


def _brief(test: Tested) -> Tested:
    """Of what was noticed, its first sentence; of the rest everything."""
    return replace(test, default=_brief_test(test.default), tight=_brief_test(test.tight))


def _brief_test(test: SelfTest | None) -> SelfTest | None:
    if test is None:
        return None
    results = (
        replace(each, evidence=each.evidence.split(". ")[0][:_BRIEF]) if each.outcome is Outcome.DETECTED else each
        for each in test.results
    )
    return replace(test, results=tuple(results))


if __name__ == "__main__":
    main()
