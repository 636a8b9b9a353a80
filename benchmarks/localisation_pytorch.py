"""Faults in single nodes of ONNX files, judged against the PyTorch model: is the op named, and its module?

    python benchmarks/localisation_pytorch.py              train and convert what is not there yet, then write the page
    python benchmarks/localisation_pytorch.py --converted  take the models that are there
    python benchmarks/localisation_pytorch.py --render     only write docs/localisation_pytorch.md from its .json

Nets are the trained ones of ``make int8-table``. Their ONNX files lose what the exporter wrote of modules and lines,
and the names of all nodes and tensors, before anything is compared. A net that is in the .json is not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from int8_nets import EXAMPLE, TRAINED, Net, prepare
from localisation import KINDS, UNCHANGED_DB, UNSEEN_DB
from localisation_faults import faulty_copy, readers_of, size_of
from nameless import modules_of_nodes, without_names

from verify.artifact import Artifact, Format
from verify.atomic import write_text
from verify.chain.run import Chain, run_chain
from verify.chain.settings import ChainSettings
from verify.jsonio import from_jsonable, to_jsonable
from verify.localise.compare import compare_layers
from verify.localise.record_checkpoint import record_checkpoint
from verify.model import ModelSource
from verify.opening import open_model
from verify.report.verification import Localisation

ROOT = Path(__file__).parent.parent
SAMPLES = 4
SEEDS = (0, 1)


@dataclass(frozen=True)
class Row:
    """One fault. ``right_module`` is ``None`` where it is not known which module the named op comes from."""

    fault: str
    seed: int
    op: int
    size_db: float | None
    named: str
    verdict: str
    """``op``, ``successor`` (reads it), ``wrong``, ``missed``, or ``unseen``: smaller than rounding lets one see."""
    module: str = ""
    source: str = ""
    right_module: bool | None = None


@dataclass(frozen=True)
class Tried:
    """A net without a fault: the ops named as culprits, layers whose module is known, and found; and with faults."""

    net: str
    culprit: str
    layers: int
    known_modules: int
    right_modules: int
    rows: tuple[Row, ...]


def main() -> int:
    """Exit status 1 when fewer than 19 of 20 are named, or a net without a fault has a culprit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", help="names of nets; all by default")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "int8_table")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "localisation_pytorch")
    parser.add_argument("--converted", action="store_true", help="take the models that are there")
    parser.add_argument("--again", action="store_true", help="run nets that are in the .json too")
    parser.add_argument("--render", action="store_true", help="only write the page")
    options = parser.parse_args()
    kept = options.docs.with_suffix(".json")
    known = (
        {each.net: each for each in from_jsonable(list[Tried], json.loads(kept.read_text()))} if kept.exists() else {}
    )
    for net in () if options.render else TRAINED:
        if (options.nets and net.name not in options.nets) or (net.name in known and not options.again):
            continue
        if not options.converted:
            prepare(net, options.build / net.name)
        known[net.name] = tried(net, options.build)
        written = [known[each.name] for each in TRAINED if each.name in known]
        write_text(kept, json.dumps(to_jsonable(written, list[Tried]), indent=1) + "\n")
        print(net.name, file=sys.stderr, flush=True)
    found = [known[each.name] for each in TRAINED if each.name in known]
    write_text(options.docs.with_suffix(".md"), render(found))
    counted = [row for each in found for row in each.rows if row.verdict != "unseen"]
    named = sum(row.verdict in ("op", "successor") for row in counted)
    return 0 if named >= 0.95 * len(counted) and not any(each.culprit for each in found) else 1


def tried(net: Net, build: Path) -> Tried:
    """Every fault in turn; PyTorch runs once."""
    onnx = build / net.name / "convert" / f"{net.name}.onnx"
    source = ModelSource(
        build / "trained" / f"{net.name}.pth",
        arch=f"{EXAMPLE / net.file}:{net.kind}",
        inputs=(f"image=N,1,{net.side},{net.side}",),
        output_names=net.outputs,
    )
    settings = ChainSettings(checkpoint=source, max_samples=8)
    with tempfile.TemporaryDirectory() as scratch, run_chain((source.path, onnx), settings, lambda _: None) as chain:
        return Trial(chain, onnx, Path(scratch)).of(net.name)


class Trial:
    """A net whose PyTorch side is recorded and whose ONNX side has lost its names."""

    def __init__(self, chain: Chain, onnx: Path, scratch: Path) -> None:
        first = chain.models[0].member
        self.batches = chain.models[0].inputs
        self.trusted, self.recorded, self.scratch = first.artifact, scratch / "recorded", scratch
        self.worker = chain.workers.of(Format.TFLITE)
        assert first.source is not None
        chain.workers.of(Format.CHECKPOINT).run(
            record_checkpoint,
            source=first.source,
            artifact=first.artifact,
            batches=self.batches,
            folder=self.recorded,
            samples=SAMPLES,
        )
        self.modules = self.worker.run(modules_of_nodes, path=onnx).value
        bare = self.worker.run(without_names, path=onnx, out=scratch / "nameless.onnx").value
        self.clean = self.worker.run(open_model, path=bare, layouts=()).value.artifact

    def of(self, name: str) -> Tried:
        """The net as it is, then with each fault."""
        found = self._localised(self.clean)
        known = [layer for layer in found.layers if self.modules.get(str(layer.op_index))]
        right = sum(layer.module == self.modules[str(layer.op_index)] for layer in known)
        named = "" if found.culprit is None else f"{found.culprit.layer.op} {found.culprit.layer.op_index}"
        rows = [self._row(kind, seed) for kind in KINDS for seed in SEEDS]
        return Tried(
            name, named, len(found.layers), len(known), right, different(row for row in rows if row is not None)
        )

    def _row(self, kind: str, seed: int) -> Row | None:
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            made = self.worker.run(faulty_copy, kind=kind, path=self.clean.path, folder=Path(folder), seed=seed).value
            if made is None:
                return None
            path, op = made
            faulty = Artifact(path, self.clean.format, self.clean.signature, "")
            size = self.worker.run(
                size_of, clean=self.clean, faulty=faulty, batches=self.batches, op=op, samples=SAMPLES
            ).value
            found = self._localised(faulty).culprit
            after = self.worker.run(readers_of, path=path, op=op).value
        size_db = size.of_op if math.isfinite(size.of_op) else None
        unseen = size.of_op > UNSEEN_DB or size.of_outputs > UNCHANGED_DB
        if found is None:
            return Row(kind, seed, op, size_db, "–", "unseen" if unseen else "missed")
        layer = found.layer
        place = "op" if layer.op_index == op else "successor" if layer.op_index in after else "wrong"
        right = self.modules.get(str(layer.op_index))
        return Row(
            fault=kind,
            seed=seed,
            op=op,
            size_db=size_db,
            named=f"{layer.op} {layer.op_index}",
            verdict="unseen" if unseen else place,
            module=f"{layer.module} ({layer.module_type})" if layer.module else "",
            source=_file_and_line(layer.source),
            right_module=None if not right else layer.module == right,
        )

    def _localised(self, actual: Artifact) -> Localisation:
        return self.worker.run(
            compare_layers,
            expected=self.trusted,
            actual=actual,
            batches=self.batches,
            recorded=self.recorded,
            samples=SAMPLES,
        ).value


def different(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Without those that two seeds put into the same op alike."""
    return tuple({(row.fault, row.op, row.size_db): row for row in reversed(tuple(rows))}.values())[::-1]


def _file_and_line(source: str) -> str:
    return source.rpartition("/")[2]


def render(found: list[Tried]) -> str:
    """The page."""
    counted = [row for each in found for row in each.rows if row.verdict != "unseen"]
    named = [row for row in counted if row.verdict in ("op", "successor")]
    exact = sum(row.verdict == "op" for row in named)
    told = [row for row in named if row.right_module is not None]
    right = sum(row.right_module is True for row in told)
    unseen = sum(row.verdict == "unseen" for each in found for row in each.rows)
    layers, modules = sum(each.known_modules for each in found), sum(each.right_modules for each in found)
    lines = [
        "# Which op is wrong, and which PyTorch module it comes from",
        "",
        f"A fault in one node of an ONNX file, {len(counted)} times, over {len(found)} trained nets, judged against "
        f"the .pth: that op is named {exact} times and an op that reads it {len(named) - exact} times, "
        f"**{len(named)} of {len(counted)}** together; the PyTorch module of the op that is named is right in "
        f"**{right} of {len(told)}** cases in which it is known.",
        "",
        f"Without a fault {sum(not each.culprit for each in found)} of {len(found)} nets have no culprit, and "
        f"{modules} of {layers} layers the right module. {unseen} more faults are not counted, whether named or not: "
        "fed the same, the op with the fault and the op without it differ by less than "
        f"{UNSEEN_DB:g} dB below the signal, or no output of the model changes beyond rounding.",
        "",
        "The ONNX files have lost what the exporter wrote of modules and lines, and the names of nodes and tensors "
        "but inputs and outputs: what is told comes from running PyTorch. Which module is right is known from the "
        "names of the weights, else from the exporter, before they were lost. Made by `make localisation-pytorch`.",
        "",
        "| net | layers | modules | faults | named | module right |",
        "|---|---|---|---|---|---|",
    ]
    for each in found:
        own = [row for row in each.rows if row.verdict != "unseen"]
        hit = [row for row in own if row.verdict in ("op", "successor")]
        sure = [row for row in hit if row.right_module is not None]
        lines.append(
            f"| {each.net} | {each.layers} | {each.right_modules} of {each.known_modules} | {len(own)} | {len(hit)} "
            f"| {sum(row.right_module is True for row in sure)} of {len(sure)} |"
        )
    lines += ["", "| net | fault | op | size (dB) | named | in PyTorch | verdict |", "|---|---|---|---|---|---|---|"]
    for each in found:
        for row in each.rows:
            size = "–" if row.size_db is None else f"{row.size_db:.0f}"
            place = " ".join(filter(None, (row.module, row.source))) or "–"
            wrong = ", module wrong" if row.right_module is False else ""
            lines.append(
                f"| {each.net} | {row.fault} | {row.op} | {size} | {row.named} | {place} | {row.verdict}{wrong} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
