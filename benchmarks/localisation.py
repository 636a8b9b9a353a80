"""Faults in single ops of converted models: does the layer comparison name the op?

    python benchmarks/localisation.py              convert what is not there yet, then write docs/localisation.md, .json
    python benchmarks/localisation.py --converted  take the models that are there

Models are those of ``make faults``, below build/faults/.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from faults_subjects import Subject, convert_all, subjects  # noqa: E402
from localisation_faults import Size, faulty_copy, readers_of, size_of  # noqa: E402

from verify.artifact import Artifact, Format  # noqa: E402
from verify.atomic import write_text  # noqa: E402
from verify.chain.run import Chain, run_chain  # noqa: E402
from verify.errors import ToolError  # noqa: E402
from verify.jsonio import to_jsonable  # noqa: E402
from verify.localise.compare import compare_layers  # noqa: E402
from verify.opening import open_model  # noqa: E402

NETS = ("le_net5", "alex_net_with_lrn", "tiny_res_net", "tiny_mobile_net", "u_net", "token_net", "yolo_head", "gpt")
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


@dataclass(frozen=True)
class Row:
    """One fault: which op has it, which op was named, and whether that is it (``op``) or reads it (``successor``)."""

    net: str
    pair: str
    fault: str
    op: int
    named: str
    verdict: str
    layers: int
    size_db: float | None = None
    """The op with the fault against the op without it, fed the same; ``None`` where it is nothing, or all."""


def main() -> int:
    """Exit status 1 when fewer than 19 of 20 are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "faults")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "localisation")
    parser.add_argument("--converted", action="store_true", help="take the models that are there")
    options = parser.parse_args()
    if not options.converted:
        convert_all(options.build)
    rows: list[Row] = []
    for subject in subjects(options.build):
        if subject.name in NETS:
            rows += _of_subject(subject)
            print(subject.name, len(rows), file=sys.stderr, flush=True)
    write_text(options.docs.with_suffix(".json"), json.dumps(to_jsonable(rows, list[Row]), indent=1) + "\n")
    write_text(options.docs.with_suffix(".md"), render(rows))
    counted = [row for row in rows if row.verdict != "unseen"]
    return 0 if sum(row.verdict in ("op", "successor") for row in counted) >= 0.95 * len(counted) else 1


def _of_subject(subject: Subject) -> list[Row]:
    rows = []
    pairs = [(subject.onnx, subject.onnx), (subject.float32, subject.float32), (subject.onnx, subject.float32)]
    pairs += [(subject.float32, subject.int8)] if subject.int8 is not None else []
    with run_chain((subject.onnx, subject.float32), subject.settings, lambda _: None) as chain:
        for trusted, judged in pairs:
            own_errors = _own_errors(chain, trusted, judged)
            for kind in KINDS if trusted != judged or trusted.suffix == ".tflite" else KINDS[::2]:
                with tempfile.TemporaryDirectory() as folder:
                    row = _tried(chain, subject.name, trusted, judged, kind, Path(folder), own_errors)
                rows += [row] if row is not None else []
    return rows


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


def _by_pair(rows: list[Row]) -> list[str]:
    lines = ["| trusted → judged | faults | named |", "|---|---|---|"]
    for pair in dict.fromkeys(row.pair for row in rows):
        own = [row for row in rows if row.pair == pair]
        lines.append(f"| {pair} | {len(own)} | {sum(row.verdict in ('op', 'successor') for row in own)} |")
    return lines


def _format(path: Path) -> str:
    return "ONNX" if path.suffix == ".onnx" else "int8" if path.stem.endswith("int8") else "float32"


def render(rows: list[Row]) -> str:
    """The page."""
    counted = [row for row in rows if row.verdict != "unseen"]
    named = [row for row in counted if row.verdict in ("op", "successor")]
    exact = sum(row.verdict == "op" for row in named)
    lines = [
        "# Which op is wrong",
        "",
        f"A fault in one op, {len(counted)} times, over {len({row.net for row in rows})} nets: the layer comparison "
        f"names that op {exact} times and an op that reads it {len(named) - exact} times, "
        f"**{len(named)} of {len(counted)}** together.",
        "",
        f"{len(rows) - len(counted)} more are not counted, whether named or not: fed the same, the op with the fault "
        f"and the op without it differ by less than {UNSEEN_DB:g} dB below the signal, in an int8 file by less than "
        "what quantization itself does to that op there; or no output of the model changes beyond rounding. "
        "Made by `make localisation`.",
        "",
        *_by_pair(counted),
        "",
        "| net | trusted → judged | fault | op | size (dB) | named | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.net} | {row.pair} | {row.fault} | {row.op} | {'–' if row.size_db is None else f'{row.size_db:.0f}'} "
        f"| {row.named} | {row.verdict} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
