"""One row of the int8 table: every engine's file made, run and timed, and the two ceilings of ours."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path

import numpy as np
from int8_ceilings import Covered, with_int8_activations, with_int8_weights
from int8_engines import make, search
from int8_nets import ROOT, Net, Prepared, prepare
from int8_scoring import Ran, float_pass_s, latencies, quality, run_file
from int8_types import ENGINES, MORE_DB, SEARCHED, Ceiling, Column, Int8Row, Quality, Search, cached, key_of

from quantize.correction.patches import prepared
from quantize.recipe import read_recipe, recipe_path_beside
from verify.errors import ToolError

BENCHMARKS = ROOT / "benchmarks"
CEILINGS: dict[str, Callable[[Path, Path, Path], Covered]] = {
    "weights": with_int8_weights,
    "activations": with_int8_activations,
}
JUDGES = [BENCHMARKS / "int8_scoring.py", *sorted((ROOT / "verify" / "task").glob("*.py"))]
VERSIONS = " ".join(
    f"{each} {metadata.version(each)}" for each in ("tensorflow", "ai-edge-quantizer", "ai-edge-litert")
)


def measure(net: Net, folder: Path, *, again: bool = False) -> Int8Row:
    """The row, whatever of it was made by today's code kept unless ``again``."""
    with tempfile.TemporaryDirectory() as scratch:
        return _Row(prepare(net, folder), folder, Path(scratch), again).row()


@dataclass(frozen=True)
class Judged:
    """A net ready to be quantized, and how any file of it compares with its float file."""

    net: Prepared
    folder: Path
    scratch: Path
    again: bool

    def quality(self, ran: Ran) -> Quality:
        """Of the outputs of one of its files."""
        return quality(self._reference, ran, self.net.net.measure, self._truth)

    @cached_property
    def _reference(self) -> Ran:
        return run_file(self.net.float32, self.net, self.scratch)

    @cached_property
    def _truth(self) -> np.ndarray | None:
        with np.load(self.net.evaluation) as samples:
            return samples["truth"] if "truth" in samples.files else None


class _Row(Judged):
    def row(self) -> Int8Row:
        columns = [self._column(engine) for engine in ENGINES]
        ceilings = tuple(self._ceiling(kind) for kind in CEILINGS)
        ran = [each.engine for each in columns if each.quality is not None]
        paths = [self.net.float32, *(self._file(engine) for engine in ran)]
        key = key_of(paths, BENCHMARKS / "latency.py")
        times = cached(
            self.folder / "latency.json", key, list[tuple[float, float]], lambda: latencies(paths), again=self.again
        )
        timed = dict(zip(ran, times[1:], strict=True))
        return Int8Row(
            self.net.net.name,
            self.net.net.measure.name if self.net.net.measure else "",
            self._sample_count,
            self._float_metric(),
            self.net.float32.stat().st_size,
            times[0][0],
            tuple(_with_latency(each, timed.get(each.engine)) for each in columns),
            ceilings,
            self._search(next(each for each in columns if each.engine == "ours")),
        )

    def _search(self, ours: Column) -> Search | None:
        if self.net.net.name != SEARCHED or ours.quality is None or ours.quality.sqnr_db is None:
            return None
        asked_db = round(ours.quality.sqnr_db + MORE_DB, 1)
        key = key_of(self.net.key, VERSIONS, str(asked_db), ROOT / "quantize", ROOT / "verify")
        return cached(
            self.folder / "search.json",
            key,
            Search,
            lambda: search(self.net, self.scratch / "searched.tflite", asked_db),
            again=self.again,
        )

    def _column(self, engine: str) -> Column:
        """What the engine makes: its file, how good it is, and where it runs."""
        own = [ROOT / "quantize", ROOT / "verify"] if engine in {"ours", "budget"} else []
        key = key_of(self.net.key, VERSIONS, [BENCHMARKS / "int8_engines.py", *JUDGES], *own)

        def compute() -> Column:
            path = self._file(engine)
            before = float_pass_s(self.net, self.scratch) if engine == "ours" else None
            column = make(engine, self.net, path, self.scratch / f"{engine}.log")
            if before is not None:
                took = (before + float_pass_s(self.net, self.scratch)) / 2
                column = dataclasses.replace(column, float_pass_s=took)
            if column.failed:
                return column
            try:
                ran = run_file(path, self.net, self.scratch, batches=True)
            except ToolError as error:
                return dataclasses.replace(column, failed=f"does not run: {str(error).splitlines()[0]}"[:300])
            return dataclasses.replace(column, quality=self.quality(ran), batches=ran.batches)

        return cached(self.folder / f"{engine}.json", key, Column, compute, again=self.again)

    def _ceiling(self, kind: str) -> Ceiling:
        int8 = self._file("ours")
        if not int8.is_file():
            return Ceiling(kind, None, failed="no int8 file")
        key = key_of(self.net.key, [int8, BENCHMARKS / "int8_ceilings.py", *JUDGES])

        def compute() -> Ceiling:
            path = self.scratch / f"{kind}.tflite"
            with prepared(self.net.float32, read_recipe(recipe_path_beside(int8)).corrections) as exact:
                covered = CEILINGS[kind](exact, int8, path)
            try:
                found = self.quality(run_file(path, self.net, self.scratch))
            except ToolError as error:
                return Ceiling(kind, None, covered.covered, covered.total, str(error).splitlines()[0][:300])
            return Ceiling(kind, found, covered.covered, covered.total)

        return cached(self.folder / f"{kind}_alone.json", key, Ceiling, compute, again=self.again)

    def _file(self, engine: str) -> Path:
        return self.folder / f"{engine}.tflite"

    @cached_property
    def _sample_count(self) -> int:
        with np.load(self.net.evaluation) as samples:
            return len(samples["image"])

    def _float_metric(self) -> float | None:
        key = key_of(self.net.key, JUDGES)
        return cached(
            self.folder / "float.json",
            key,
            Quality,
            lambda: self.quality(self._reference),
            again=self.again,
        ).metric


def _with_latency(column: Column, seen: tuple[float, float] | None) -> Column:
    return column if seen is None else dataclasses.replace(column, latency_ms=seen[0], latency_to_float=seen[1])
