"""Faults in what a model gives: outputs exchanged, missing, stale, constant, of another type or shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verify.faults.fault import Fault, NotApplicable, Subject, pick
from verify.faults.model import Step


@dataclass(frozen=True)
class OutputStep:
    """Something computed after an output that should not be."""

    kind: str
    title: str
    step: Step

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """One of the outputs."""
        name, _ = pick(random, subject.model.outputs, "it has no outputs")
        subject.model.append(name, self.step)
        return f"output {name}"


@dataclass(frozen=True)
class OutputsSwapped:
    """Two outputs under each other's name."""

    kind: str = "outputs_swapped"
    title: str = "two outputs exchanged"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """Two of one shape where there are such."""
        model = subject.model
        names = [name for name, _ in model.outputs]
        if len(names) < 2:
            raise NotApplicable("it has one output")
        shapes = {name: model.shape(tensor) for name, tensor in model.outputs}
        pairs = [(one, other) for at, one in enumerate(names) for other in names[at + 1 :]]
        alike = [pair for pair in pairs if shapes[pair[0]] == shapes[pair[1]]]
        one, other = pick(random, alike or pairs, "")
        model.swap_outputs(one, other)
        return f"outputs {one} and {other}"


@dataclass(frozen=True)
class OutputMissing:
    """An output that is no longer given."""

    kind: str = "output_missing"
    title: str = "an output missing"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """One of several: a model without any cannot be written."""
        names = [name for name, _ in subject.model.outputs]
        if len(names) < 2:
            raise NotApplicable("it has one output")
        name = pick(random, names, "")
        subject.model.drop_output(name)
        return f"output {name}"


@dataclass(frozen=True)
class OutputExtra:
    """An intermediate tensor that is given as well."""

    kind: str = "output_extra"
    title: str = "one output too many"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """What some layer gives."""
        model = subject.model
        given = {tensor for _, tensor in model.outputs}
        made = [node for node in model.nodes if node.outputs and node.outputs[0] not in given]
        floats = [node for node in made if model.is_float(node.outputs[0])]
        node = pick(random, floats or made, "it computes nothing but its outputs")
        model.publish(node.outputs[0], "fault_extra")
        return f"what {node.label} gives"


OUTPUT_FAULTS: tuple[Fault, ...] = (
    OutputsSwapped(),
    OutputMissing(),
    OutputExtra(),
    OutputStep("stale_batch", "every sample of a batch gets the result of the first", Step.FIRST_SAMPLE),
    OutputStep("batch_reversed", "the results of a batch in reverse order", Step.REVERSED_SAMPLES),
    OutputStep("output_constant", "an output that is constant", Step.CONSTANT),
    OutputStep("output_saturated", "an output that saturates at zero", Step.SATURATED),
    OutputStep("output_type", "an output of another type (float64; in TFLite int32)", Step.CAST),
    OutputStep("output_shape", "an output with one axis more", Step.EXTRA_AXIS),
)
