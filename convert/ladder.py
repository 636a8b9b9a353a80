"""The ladder: which exporter and which lowering make the float files. The first rung whose files pass parity wins.

Pure data: what has been tried, what is left, and why. :mod:`convert.climb` does the climbing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from convert.stages.base import Stage
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from verify.report.types import Rung, RungOutcome
from verify.report.words import way

AUTO = "auto"
NEWER = "newer"
OLDER = "older"
EXACT = "exact"
ONNX2TF = "onnx2tf"

ORDER = ((NEWER, EXACT), (OLDER, EXACT), (NEWER, ONNX2TF), (OLDER, ONNX2TF))
"""Exporter and lowering, first to last. Decided by the table in docs/coverage, not by taste.

The export stage looks after one step itself: with either exporter allowed it takes the older one where the newer
cannot write the model, and knows when that would be wrong.
"""


@dataclass(frozen=True)
class Way:
    """An exporter and a lowering; empty where the pipeline has no such stage."""

    exporter: str
    lowering: str

    @property
    def phrase(self) -> str:
        """``older exporter, exact lowering``."""
        return way(self.exporter, self.lowering)


def ways(stages: Sequence[Stage]) -> tuple[Way, ...]:
    """The ways that these stages leave open, in order: ``exporter`` and ``lowering`` options pin theirs."""
    exporter, lowering = _asked(stages)
    found = [
        Way(exporter and each_exporter, lowering and each_lowering)
        for each_exporter, each_lowering in ORDER
        if exporter in {"", AUTO, each_exporter} and lowering in {"", AUTO, each_lowering}
    ]
    return tuple(dict.fromkeys(found))


def on_the_way(stages: Sequence[Stage], way: Way, *, fell_back: bool = False) -> tuple[Stage, ...]:
    """The stages with the options of a way.

    The newer exporter keeps its fallback where either is allowed, and the older one is reached by it if it was before
    (``fell_back``): a stage with the same options is not run again.
    """
    return tuple(_pinned(stage, way, fell_back) for stage in stages)


def _asked(stages: Sequence[Stage]) -> tuple[str, str]:
    exporter = next((stage.exporter for stage in stages if isinstance(stage, ExportOnnx)), "")
    lowering = next((stage.lowering for stage in stages if isinstance(stage, OnnxToSavedModel)), "")
    return exporter, lowering


def _pinned(stage: Stage, way: Way, fell_back: bool) -> Stage:
    if isinstance(stage, ExportOnnx) and way.exporter == OLDER and not fell_back:
        return replace(stage, exporter=OLDER)
    if isinstance(stage, OnnxToSavedModel):
        return replace(stage, lowering=way.lowering)
    return stage


@dataclass
class Ladder:
    """What has been tried of ``open_ways``, and what comes next. ``rungs`` may start with what an earlier run tried."""

    open_ways: tuple[Way, ...]
    rungs: list[Rung] = field(default_factory=list)
    fell_back: bool = False
    """Whether the export stage itself took the older exporter."""
    _out: set[str] = field(default_factory=set)
    """Exporters whose file is no good, whatever lowering follows."""

    @classmethod
    def remembering(cls, open_ways: tuple[Way, ...], rungs: Sequence[Rung], *, fell_back: bool = False) -> Ladder:
        """Goes straight to the rung that was used, and remembers why not those before it."""
        left = [rung for rung in rungs if rung.outcome is not RungOutcome.USED]
        return cls(open_ways, left, fell_back, {NEWER} if fell_back else set())

    def next(self) -> Way | None:
        """The first way not tried yet."""
        return next(iter(self._left()), None)

    def is_last(self, way: Way) -> bool:
        """Whether there is no other way left to try."""
        return not set(self._left()) - {way}

    def leave(self, way: Way, outcome: RungOutcome, reason: str) -> None:
        """Remember why a way was left."""
        self.rungs.append(Rung(way.exporter, way.lowering, outcome, reason))

    def leave_exporter(self, exporter: str) -> None:
        """Whatever lowering follows, this exporter's file is no good."""
        self._out.add(exporter)

    def fall_back(self, way: Way, reason: str) -> Way:
        """The newer exporter could not write the model, and the export stage took the older one: on which way that is.

        Told again for a file that is reused, it changes nothing.
        """
        if not self.fell_back:
            self.fell_back = True
            self.leave(way, RungOutcome.FAILED, reason)
            self.leave_exporter(NEWER)
        return Way(OLDER, way.lowering)

    def used(self, way: Way, reason: str = "") -> tuple[Rung, ...]:
        """All rungs, with the one whose files are published; ``reason`` says how they do not agree, if so."""
        rungs = [rung for rung in self.rungs if Way(rung.exporter, rung.lowering) != way]
        return (*rungs, Rung(way.exporter, way.lowering, RungOutcome.USED, reason))

    def _left(self) -> list[Way]:
        tried = {Way(rung.exporter, rung.lowering) for rung in self.rungs}
        return [way for way in self.open_ways if way not in tried and way.exporter not in self._out]
