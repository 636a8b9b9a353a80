"""What the search found, as data: written as JSON beside the file, and shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from quantize.budget.goal import Budget, Score, Standing
from verify.atomic import write_text

SUFFIX = ".budget.json"


@dataclass(frozen=True)
class LiftedOp:
    """An op that computes in float. ``module`` is the PyTorch module it comes from, where that is known;
    ``noise_share`` is its part of all ops' noise at the outputs when each alone is
    int8; ``for_accuracy``: so that the budget is met, and not because that is faster.
    """

    op: str
    output: str
    module: str
    noise_share: float
    for_accuracy: bool
    why: str


@dataclass(frozen=True)
class FrontierPoint:
    """A file that was tried. ``cost`` is computed, 1 with no op lifted; ``on_frontier``: no other that was tried
    is both cheaper and more exact. ``latency_to_float`` is measured for those only: it says nothing of another machine.
    """

    lifted: int
    cost: float
    int8_macs: float
    size_bytes: int
    predicted_db: float | None
    score: Score
    standing: Standing
    on_frontier: bool
    chosen: bool
    latency_ms: float | None = None
    latency_to_float: float | None = None


@dataclass(frozen=True)
class BudgetReport:
    """One search. ``metric`` is what a drop is of, ``float_metric`` the float file's; ``points`` go by cost."""

    budget: Budget
    standing: Standing
    metric: str
    float_metric: float | None
    samples: int
    samples_from: str
    lifted: tuple[LiftedOp, ...]
    points: tuple[FrontierPoint, ...]
    float_bytes: int
    float_ms: float | None = None
    edges_db: float | None = None
    """SQNR of the file with nothing in int8 but its inputs and outputs, on calibration samples."""
    samples_needed: int | None = None
    """For a verdict that is sure, where ``samples`` are too few even for the float file itself."""

    @property
    def chosen(self) -> FrontierPoint:
        """The file that was written, or that came closest."""
        return next(point for point in self.points if point.chosen)

    @property
    def untouched(self) -> FrontierPoint:
        """The one with nothing lifted."""
        return next(point for point in self.points if not point.lifted)


def report_path_beside(model: Path) -> Path:
    """``net_int8.tflite`` → ``net.budget.json`` in the same folder."""
    return model.with_name(model.name.removesuffix(".tflite").removesuffix("_int8") + SUFFIX)


def write_report(path: Path, report: BudgetReport) -> None:
    """Write it as JSON, whole or not at all."""
    from verify.jsonio import to_jsonable

    write_text(path, json.dumps(to_jsonable(report), indent=1, ensure_ascii=False) + "\n")
