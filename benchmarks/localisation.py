"""Faults in single ops of converted models: does the layer comparison name the op?

    python benchmarks/localisation.py              convert what is not there yet, then write docs/localisation.md, .json
    python benchmarks/localisation.py --converted  take the models that are there

Everything goes below build/localisation/. A net's rows are kept; they are made again when its files or the code change.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from faults_subjects import Subject  # noqa: E402
from localisation_faults import Size, faulty_copy, readers_of, size_of  # noqa: E402
from localisation_nets import BUILT_ON, HELD_OUT, converted, state_of  # noqa: E402
from localisation_page import Row, render, share  # noqa: E402

from verify.artifact import Artifact, Format  # noqa: E402
from verify.atomic import write_text  # noqa: E402
from verify.chain.run import Chain, run_chain  # noqa: E402
from verify.errors import ToolError, WorkerDied  # noqa: E402
from verify.jsonio import from_jsonable, to_jsonable  # noqa: E402
from verify.localise.compare import compare_layers  # noqa: E402
from verify.opening import open_model  # noqa: E402

KINDS = (
    "weight_sign",
    "weight_slightly_larger",
    "channel_zeroed",
    "channels_swapped",
    "kernel_height_width",
    "bias_dropped",
    "activation_dropped",
    "pool_kind",
    "padding_shifted",
    "padding_same_valid",
    "stride",
    "resize_corners",
    "leaky_slope",
    "softmax_temperature",
    "permutation",
    "axis",
    "scalar_slightly_larger",
)
UNSEEN_DB = 90.0
"""A fault that changes what its op gives by no more than this is not there as far as rounding lets one see."""

UNCHANGED_DB = 110.0
"""Nor is one that changes no output of the model by more, as the bias of an attention's keys."""

SAMPLES = 4


def main() -> int:
    """Exit status 1 when fewer than 19 of 20 are named, or an op of a right model is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "localisation")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "localisation")
    parser.add_argument("--converted", action="store_true", help="take the models that are there")
    options = parser.parse_args()
    rows: list[Row] = []
    for manifest in (BUILT_ON, HELD_OUT):
        for subject in converted(manifest, options.build, anew=not options.converted):
            kept = options.build / "rows" / f"{manifest.stem}_{subject.name}.json"
            rows += _kept(kept, subject) or _made(kept, subject, held_out=manifest == HELD_OUT)
            print(subject.name, len(rows), file=sys.stderr, flush=True)
    write_text(options.docs.with_suffix(".json"), json.dumps(to_jsonable(rows, list[Row]), indent=1) + "\n")
    write_text(options.docs.with_suffix(".md"), render(rows, UNSEEN_DB))
    groups = [[row for row in rows if row.held_out is held_out] for held_out in (False, True)]
    alarms = any(row.verdict == "false alarm" for row in rows)
    return 1 if alarms or any(share(group) < 0.95 for group in groups) else 0


def _kept(path: Path, subject: Subject) -> list[Row]:
    if not path.is_file():
        return []
    kept = json.loads(path.read_text(encoding="utf-8"))
    return from_jsonable(kept["rows"], list[Row]) if kept["state"] == state_of(subject) else []


def _made(path: Path, subject: Subject, *, held_out: bool) -> list[Row]:
    rows = [replace(row, held_out=held_out) for row in _of_subject(subject, held_out=held_out)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"state": state_of(subject), "rows": to_jsonable(rows, list[Row])}))
    return rows


def _of_subject(subject: Subject, *, held_out: bool) -> list[Row]:
    rows = []
    pairs = [(subject.onnx, subject.onnx), (subject.float32, subject.float32), (subject.onnx, subject.float32)]
    pairs += [(subject.float32, subject.int8)] if subject.int8 is not None else []
    with run_chain((subject.onnx, subject.float32), subject.settings, lambda _: None) as chain:
        for trusted, judged in pairs:
            own_errors = _own_errors(chain, trusted, judged)
            rows.append(_without_fault(chain, subject.name, trusted, judged))
            for kind in KINDS if held_out or judged.suffix == ".tflite" else KINDS[::2]:
                with tempfile.TemporaryDirectory() as folder:
                    row = _tried(chain, subject.name, trusted, judged, kind, Path(folder), own_errors)
                rows += [row] if row is not None else []
    return rows


def _without_fault(chain: Chain, net: str, trusted: Path, judged: Path) -> Row:
    """The pair as it is: nobody is to be named."""
    worker = chain.workers.of(Format.TFLITE)
    pair = f"{_format(trusted)} → {_format(judged)}"
    expected, actual = (worker.run(open_model, path=each, layouts=()).value.artifact for each in (trusted, judged))
    batches = chain.models[0].inputs
    found = worker.run(compare_layers, expected=expected, actual=actual, batches=batches, samples=SAMPLES).value
    if found.culprit is None:
        return Row(net, pair, "none", -1, "–", "clean", len(found.layers))
    layer = found.culprit.layer
    return Row(net, pair, "none", -1, f"{layer.op} {layer.op_index}", "false alarm", len(found.layers))


def _own_errors(chain: Chain, trusted: Path, judged: Path) -> dict[int, float]:
    """Of a quantized file without a fault: op → what it has of quantization by itself, in dB. Of others nothing."""
    if _format(judged) != "int8":
        return {}
    worker = chain.workers.of(Format.TFLITE)
    expected, clean = (worker.run(open_model, path=each, layouts=()).value.artifact for each in (trusted, judged))
    found = worker.run(
        compare_layers, expected=expected, actual=clean, batches=chain.models[0].inputs, samples=SAMPLES
    ).value
    return {layer.op_index: math.inf if layer.local_sqnr_db is None else layer.local_sqnr_db for layer in found.layers}


def _tried(  # noqa: PLR0917
    chain: Chain, net: str, trusted: Path, judged: Path, kind: str, folder: Path, own_errors: dict[int, float]
) -> Row | None:
    worker = chain.workers.of(Format.TFLITE)
    pair = f"{_format(trusted)} → {_format(judged)}"
    batches = chain.models[0].inputs
    try:
        made = worker.run(faulty_copy, kind=kind, path=judged, folder=folder, seed=0).value
        if made is None:
            return None
        path, op = made
        expected, clean = (worker.run(open_model, path=each, layouts=()).value.artifact for each in (trusted, judged))
        actual = Artifact(path, clean.format, clean.signature, "")
        size = worker.run(size_of, clean=clean, faulty=actual, batches=batches, op=op, samples=SAMPLES).value
        found = worker.run(compare_layers, expected=expected, actual=actual, batches=batches, samples=SAMPLES).value
        after = worker.run(readers_of, path=path, op=op).value
    except WorkerDied:
        return Row(net, pair, kind, -1, "–", "aborts", 0)
    except ToolError as error:
        print(net, pair, kind, error, file=sys.stderr)
        return Row(net, pair, kind, -1, error.what[:80], "error", 0)
    layer = found.culprit.layer if found.culprit is not None else None
    named = "–" if layer is None else f"{layer.op} {layer.op_index}"
    verdict = (
        "unseen"
        if _unseen(size, op, own_errors)
        else "missed"
        if layer is None
        else "op"
        if layer.op_index == op
        else "successor"
        if layer.op_index in after
        else "wrong"
    )
    size_db = size.of_op if math.isfinite(size.of_op) else None
    return Row(net, pair, kind, op, named, verdict, len(found.layers), size_db)


def _unseen(size: Size, op: int, own_errors: dict[int, float]) -> bool:
    """Whether a fault is smaller than rounding, or in a quantized file than the op's own quantization error.

    It says nothing of what was found. An op that is no layer of its own has the error of the layer that it is in.
    """
    if size.of_op > UNSEEN_DB or size.of_outputs > UNCHANGED_DB:
        return True
    layers = [each for each in sorted(own_errors) if each >= op]
    return bool(layers) and size.of_op >= own_errors[layers[0]]


def _format(path: Path) -> str:
    return "ONNX" if path.suffix == ".onnx" else "int8" if path.stem.endswith("int8") else "float32"


if __name__ == "__main__":
    sys.exit(main())
