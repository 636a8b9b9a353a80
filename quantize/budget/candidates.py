"""Files on trial: the recipe with some ops lifted, made, run and deleted again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from quantize import selection, tflite
from quantize.budget.graph import OpGraph
from quantize.recipe import IoType, Precision, Recipe
from quantize.result import QuantizationResult


@dataclass(frozen=True)
class Candidates:
    """Files of one float model. ``recipe`` is the one with nothing lifted; ``scratch`` is a folder for them."""

    model: Path
    recipe: Recipe
    graph: OpGraph
    scratch: Path

    def recipe_with(self, lifted: Collection[int]) -> Recipe:
        """The recipe that computes these ops in float."""
        return selection.lifted(self.recipe, {self.graph.ops[op].name for op in lifted}, Precision.FLOAT)

    def make(self, path: Path, lifted: Collection[int], io: IoType | None = None) -> QuantizationResult:
        """The file with these ops lifted, its inputs and outputs as the recipe says or as asked."""
        recipe = self.recipe_with(lifted)
        return tflite.to_int8(self.model, path, recipe if io is None else replace(recipe, io=io))

    @contextmanager
    def made(self, lifted: Collection[int], io: IoType | None = None) -> Iterator[Path]:
        """As :meth:`make`, for as long as the context is open."""
        path = self.scratch / "candidate.tflite"
        try:
            self.make(path, lifted, io)
            yield path
        finally:
            path.unlink(missing_ok=True)
