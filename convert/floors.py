"""The noise floors of a run: from float64 PyTorch where there is one, else from the ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from convert.hosts import Hosts
from convert.stages.base import Host
from convert.start import Start
from verify.artifact import Artifact
from verify.errors import ToolError, WorkerDied
from verify.floors import floors_from_graph
from verify.report.types import Refusal
from verify.spread import Spread, widened_by
from verify.tolerance import OutputFloor, measure_floors, rounding_floors


@dataclass
class NoiseFloors:
    """Of the model a run starts from; ``batches`` and ``spread`` wait for what they give.

    A floor is found once for each folder of outputs.
    """

    hosts: Hosts
    start: Start
    batches: Callable[[], Path]
    outputs: Callable[[str], Path]
    """Of an artifact, by its name."""
    spread: Callable[[], tuple[Spread, ...]]
    """PyTorch's, over threads and batch sizes."""
    scratch: Path
    _found: dict[tuple[str, Path], tuple[OutputFloor, ...]] = field(default_factory=dict)
    _notes: dict[str, None] = field(default_factory=dict)

    def of(self, onnx: Artifact) -> tuple[OutputFloor, ...]:
        """With that ONNX file on the way: its graph is asked where there is no float64 PyTorch."""
        key = (onnx.sha256, self.outputs("onnx"))
        if key not in self._found:
            floors = self._from_float64() or self._from_graph(onnx)
            wider, notes = widened_by(floors, self.spread())
            self._noted(notes)
            self._found[key] = wider
        return self._found[key]

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What is worth a word, of the floors found so far."""
        return tuple(Refusal("parity", self.start.name, note) for note in self._notes)

    def _from_float64(self) -> tuple[OutputFloor, ...]:
        float64 = self.outputs(f"{self.start.name}_float64")
        return measure_floors(self.outputs(self.start.name), float64) if float64.is_dir() else ()

    def _from_graph(self, onnx: Artifact) -> tuple[OutputFloor, ...]:
        outputs = self.outputs("onnx")
        try:
            found = self.hosts.worker(Host.RUNTIME).run(
                floors_from_graph, artifact=onnx, batches=self.batches(), outputs=outputs, scratch=self.scratch
            )
        except WorkerDied:
            raise
        except ToolError:
            return rounding_floors(outputs)
        self._noted(found.value.notes)
        return found.value.floors

    def _noted(self, notes: tuple[str, ...]) -> None:
        self._notes |= dict.fromkeys(notes)
