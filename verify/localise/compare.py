"""Job: where two models part. Both run op by op in this process; their tensors stay on disk."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from verify.artifact import Artifact
from verify.localise.align import Alignment
from verify.localise.aligned import Aligned
from verify.localise.axes import AxisMap, likeness_db, sqnr_of
from verify.localise.blame import instead_of, uncleared
from verify.localise.candidates import Candidates
from verify.localise.channel_scales import rescaled_on_purpose
from verify.localise.culprit import FLOAT_BOUND_DB, QUANTIZED_BOUND_DB, beyond_rounding, culprit_of, explanation_of
from verify.localise.golden_run import GoldenRun
from verify.localise.graph import Op
from verify.localise.kinds import class_of, counterparts
from verify.localise.naming import between, code_behind, named, readers_of
from verify.localise.own_error import with_own_errors
from verify.localise.permuted import wrong_transposition
from verify.localise.recorded import read_recording
from verify.localise.recording import Recording, record, samples_of
from verify.localise.reproducer import write_reproducer
from verify.localise.sizes import first_resized, told_size, told_sizes
from verify.localise.steps import Steps, Values, open_steps
from verify.localise.why import difference
from verify.report.types import Refusal
from verify.report.verification import Culprit, Layer, Localisation
from verify.signature import TensorSpec

DEFAULT_SAMPLES = 4
RESCALED = Refusal(
    "layers",
    "rounding of single ops",
    "channels of several tensors are at other scales than the trusted model's, as equalisation makes them: "
    "no op is held to its own rounding alone",
)
_MOST_MODULES = 4
_CLEARLY_BETTER_DB = 6.0
"""By how much another order of axes must be better than the one that is there."""


@dataclass(frozen=True)
class Names:
    """Expected model's name → judged model's, of the inputs and outputs where they differ."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Models:
    """Both models, run; ``inputs`` and ``outputs`` as :meth:`Alignment.find` takes them, ``count`` samples."""

    theirs: Steps | None
    trusted: Recording
    steps: Steps
    own: Recording
    inputs: Mapping[str, str]
    outputs: Mapping[str, tuple[str, AxisMap]]
    count: int
    scratch: Path

    def aligned(self, *, rescaled: bool = False) -> tuple[Alignment, list[Aligned]]:
        """The judged model's tensors, in order; ``rescaled`` channels are not wrong if what reads them scales back."""
        quantized = self.trusted.graph.quantized or self.own.graph.quantized
        candidates = Candidates(self.trusted)
        folder = self.scratch / ("rescaled" if rescaled else "golden")
        run = GoldenRun(self.steps, self.own, candidates, self.count, folder)
        places = counterparts(self.trusted.graph, self.own.graph)
        alignment = Alignment(run, candidates, places, quantized=quantized, rescaled=rescaled)
        alignment.find(self.inputs, self.outputs)
        found = sorted((each for each in run.aligned.values() if each.ops), key=lambda each: each.ops[-1].index)
        if self.theirs is not None and self.own.graph.quantized and not self.trusted.graph.quantized:
            found = with_own_errors(run, self.theirs, self.trusted, alignment.places)
        return alignment, found


def compare_layers(
    *,
    expected: Artifact,
    actual: Artifact,
    batches: Path,
    names: Names | None = None,
    reproducer: Path | None = None,
    samples: int = DEFAULT_SAMPLES,
    recorded: Path | None = None,
) -> Localisation:
    """Job: align the tensors of two models and name the first layer that goes wrong by itself.

    ``batches`` is a folder of inputs under the expected model's names; the first ``samples`` are fed. The expected
    model is run here, or was in a process of its own, to the folder ``recorded``. The culprit is written to
    ``reproducer`` as a model of its own. Raises ``InputError`` for a model that does not run op by op.
    """
    names = names or Names()
    with tempfile.TemporaryDirectory(prefix="verify-layers-") as scratch:
        theirs: Steps | None = None
        if recorded is None:
            theirs, fed = open_steps(expected), samples_of(expected, batches, {}, samples)
            trusted = record(theirs, fed, Path(scratch, "trusted"))
        else:
            trusted = read_recording(recorded)
        steps, fed = open_steps(actual), samples_of(actual, batches, names.inputs, samples)
        own = record(steps, fed, Path(scratch, "judged"))
        quantized = trusted.graph.quantized or own.graph.quantized
        models = _Models(
            theirs,
            trusted,
            steps,
            own,
            _inputs(trusted, own, names),
            _outputs(expected, actual, trusted, own, names),
            max(map(len, fed.values())),
            Path(scratch),
        )
        alignment, everything = models.aligned()
        beyond, meant = beyond_rounding(everything), False
        if beyond is not None:
            at_scales, with_scales = models.aligned(rescaled=True)
            still = beyond_rounding(with_scales)
            if still is None or still.tensor != beyond.tensor:
                alignment, everything, beyond = at_scales, with_scales, still
            meant = rescaled_on_purpose(each.scales for each in with_scales if not each.rearranged)
            beyond = None if meant else beyond
        run = alignment.run
        layers = [each for each in everything if not each.rearranged and each.tensor in run.aligned]
        guilty = beyond or culprit_of(layers, quantized=quantized)
        if guilty is not None and reproducer is not None:
            bound_db = QUANTIZED_BOUND_DB if quantized else FLOAT_BOUND_DB
            write_reproducer(run, guilty, actual.format, bound_db, reproducer)
        culprit = (
            _lost(alignment, trusted, own, quantized=quantized)
            if guilty is None
            else _found(guilty, alignment, layers, trusted, own)
        )
        if culprit is not None and theirs is not None:
            culprit = replace(
                culprit, explanation=f"{culprit.explanation} {_why(culprit, alignment, trusted, theirs)}".strip()
            )
        return Localisation(
            expected=expected.path.name,
            actual=actual.path.name,
            layers=tuple(_layer(each, each.ops[-1], run, trusted, own) for each in layers),
            culprit=culprit
            if culprit is None or reproducer is None or guilty is None
            else replace(culprit, reproducer=str(reproducer)),
            unaligned=(*_unaligned(alignment, trusted, own), *([RESCALED] if meant else [])),
            beyond_rounding=beyond is not None,
        )


def _why(culprit: Culprit, alignment: Alignment, trusted: Recording, theirs: Steps) -> str:
    """What the culprit's options and constants are in which the trusted model's op at its place differs."""
    run = alignment.run
    op = next(each for each in run.graph.ops if each.index == culprit.layer.op_index)
    layer = next((each for each in run.aligned.values() if op in each.ops and not each.rearranged), None)
    near = () if layer is None else _stretch(layer, run, trusted)
    at_place = trusted.graph.producers().get(alignment.places.get(op.outputs[0], ""))
    found = [each for each in near if class_of(each.kind) == class_of(op.kind)]
    if len(found) != 1:
        found = [at_place] if at_place is not None and class_of(at_place.kind) == class_of(op.kind) else []
    return difference(theirs.details(found[0]), run.steps.details(op)) if found else ""


def _lost(alignment: Alignment, trusted: Recording, own: Recording, *, quantized: bool) -> Culprit | None:
    """Where outputs differ and the models never meet again: the op with which they part, without a layer to compare."""
    run = alignment.run
    found = [run.aligned[tensor] for tensor in own.graph.outputs.values() if tensor in run.aligned]
    bound_db = QUANTIZED_BOUND_DB if quantized else FLOAT_BOUND_DB
    worst = [sqnr_of(run.golden(each), own.tensors[each.tensor]) for each in found if each.tensor in own.dtypes]
    computed = all(tensor in own.dtypes for tensor in own.graph.outputs.values())
    if not alignment.unaligned or (computed and all(each is None or each > bound_db for each in worst)):
        return None
    stopped = next((op for op in own.graph.ops if f"{op.kind} {op.index}" in own.missing), None)
    heads = [each.ops for each in alignment.unaligned]
    if stopped is not None:  # what it cannot run on is the nearest before it
        heads = [ops for ops in heads if ops[0].index <= stopped.index][::-1] or [(stopped,)]
    behind = (stopped or heads[0][0]).outputs[0]
    turned = wrong_transposition(
        run, behind, lambda real: alignment.recognised(behind, real) is not None, _in_order(alignment)
    )
    resized = None if stopped is None else first_resized(run.graph, own, stopped)
    op = resized or turned or named(heads[0], alignment.places, ())
    at_place = trusted.graph.producers().get(alignment.places.get(op.outputs[0], ""))
    code = _code(op, () if at_place is None else (at_place,), run, trusted)
    layer = Layer(
        expected_tensor=trusted.graph.name(alignment.places.get(op.outputs[0], "")),
        actual_tensor=own.graph.name(op.outputs[0]),
        op=op.kind,
        op_index=op.index,
        sqnr_db=-math.inf,
        aligned_by="structure",
        onnx_node=op.name,
        module=code.module,
        source=code.source,
        module_type=code.module_type,
    )
    if resized is not None:
        return Culprit(layer, told_size(run.graph, own, resized, stopped))
    if turned is not None:
        return Culprit(layer, f"{op.kind} {op.index}: with another order of axes, what reads it would be right.")
    if stopped is not None:
        why = own.missing[f"{stopped.kind} {stopped.index}"]
        return Culprit(layer, f"After {op.kind} {op.index}, {stopped.kind} {stopped.index} cannot run: {why}")
    return Culprit(layer, f"{op.kind} {op.index} gives what the trusted model has nowhere, and so do the ops after it.")


def _found(guilty: Aligned, alignment: Alignment, layers: list[Aligned], trusted: Recording, own: Recording) -> Culprit:
    """The layer that is wrong, or a transposition before it that makes it wrong."""
    quantized = trusted.graph.quantized or own.graph.quantized
    golden = alignment.run.golden(guilty)
    given = alignment.run.computed(guilty.tensor)
    sizes = "" if given is None else told_sizes(given.shape[1:], golden.shape[1:])
    explanation = explanation_of(guilty, layers, quantized=quantized, sizes=sizes)
    local_db = -math.inf if guilty.local_sqnr_db is None else guilty.local_sqnr_db
    right_db = max(alignment.same_db, QUANTIZED_BOUND_DB, local_db + _CLEARLY_BETTER_DB)

    def right(real: Values) -> bool:
        return real.shape == golden.shape and likeness_db(golden, real) >= right_db

    turned = wrong_transposition(alignment.run, guilty.tensor, right, _in_order(alignment))
    stretch = _stretch(guilty, alignment.run, trusted)
    instead = None
    if turned is None and not quantized:
        instead = instead_of(alignment.run, alignment.candidates, guilty, stretch, places=alignment.places, right=right)
    suspects = uncleared(guilty, layers, QUANTIZED_BOUND_DB if quantized else FLOAT_BOUND_DB)
    op = turned or (instead.op if instead else named(suspects, alignment.places, stretch))
    explanation += _modules(stretch) if trusted.graph.first_hand else ""
    if turned is not None:
        explanation = f"{op.kind} {op.index}: with another order of axes, what reads it would be right. {explanation}"
    elif instead is not None:
        explanation = f"{instead} {explanation}"
    layer = _layer(guilty, op, alignment.run, trusted, own)
    missing = instead.trusted if instead is not None and instead.lacks else None
    if missing is not None and (missing.module or missing.source):
        layer = replace(layer, module=missing.module, source=missing.source, module_type=missing.module_type)
    return Culprit(layer, explanation)


def _stretch(aligned: Aligned, run: GoldenRun, trusted: Recording) -> tuple[Op, ...]:
    """The trusted model's ops that give a tensor from those that the judged model's ops give it from."""
    ancestors = {run.aligned[each].trusted for op in aligned.ops for each in op.inputs if each in run.aligned}
    return between(trusted.graph, ancestors, aligned.trusted)


def _modules(stretch: tuple[Op, ...]) -> str:
    """What the stretch is in PyTorch, where it is more than one module: a fault may be in what was folded of either."""
    calls = dict.fromkeys(f"{op.module} ({op.module_type})" for op in stretch if op.module)
    return f" In PyTorch it is {' → '.join(calls)}." if 1 < len(calls) <= _MOST_MODULES else ""


def _in_order(alignment: Alignment) -> Callable[[str], bool]:
    """Whether the trusted model has a tensor in the very order of axes of a judged one."""

    def known(tensor: str) -> bool:
        computed = alignment.run.computed(tensor)
        return computed is not None and alignment.candidates.has_as_it_is(alignment.run.steps.real(tensor, computed))

    return known


def _unaligned(alignment: Alignment, trusted: Recording, own: Recording) -> tuple[Refusal, ...]:
    found = [Refusal("layers", f"{each.ops[0].kind} {each.ops[0].index}", each.reason) for each in alignment.unaligned]
    for recording in (trusted, own):
        found += [Refusal("layers", subject, reason) for subject, reason in recording.missing.items()]
    return tuple(found)


def _inputs(trusted: Recording, own: Recording, names: Names) -> dict[str, str]:
    return {own.graph.inputs[names.inputs.get(name, name)]: tensor for name, tensor in trusted.graph.inputs.items()}


def _outputs(
    expected: Artifact, actual: Artifact, trusted: Recording, own: Recording, names: Names
) -> dict[str, tuple[str, AxisMap]]:
    """Judged output tensor → trusted one and the order of axes, as both signatures declare it."""
    found = {}
    specs = {spec.name: spec for spec in actual.signature.outputs}
    for spec in expected.signature.outputs:
        theirs = names.outputs.get(spec.name, spec.name)
        tensor, counterpart = own.graph.outputs.get(theirs), trusted.graph.outputs.get(spec.name)
        if theirs in specs and tensor in own.dtypes and counterpart in trusted.dtypes:
            shape = trusted.tensors[counterpart].shape[1:]
            found[tensor] = counterpart, declared_axes(spec, specs[theirs], shape)
    return found


def declared_axes(expected: TensorSpec, actual: TensorSpec, shape: tuple[int, ...]) -> AxisMap:
    """The order of axes that leads from one artifact's layout to the other's; ``shape`` is the trusted one's."""
    axes = tuple(range(len(shape)))
    back = np.argsort(expected.permutation) if expected.permutation is not None else axes
    order = tuple(int(back[axis]) for axis in (actual.permutation or axes))
    return AxisMap(order, shape, tuple(shape[axis] for axis in order))


def _layer(aligned: Aligned, op: Op, run: GoldenRun, trusted: Recording, own: Recording) -> Layer:
    theirs = trusted.graph.producers().get(aligned.trusted)
    code = _code(op, _stretch(aligned, run, trusted), run, trusted)
    expected = run.golden(aligned)
    known = aligned.tensor in own.dtypes
    return Layer(
        expected_tensor=trusted.graph.name(aligned.trusted),
        actual_tensor=own.graph.name(aligned.tensor),
        op=op.kind,
        op_index=op.index,
        sqnr_db=sqnr_of(expected, own.tensors[aligned.tensor]) if known else -math.inf,
        local_sqnr_db=aligned.local_sqnr_db,
        aligned_by=aligned.how,
        onnx_node=op.name or (theirs.name if theirs else ""),
        module=code.module,
        source=code.source,
        module_type=code.module_type,
        times_rounding=None if aligned.own_error is None else _finite(aligned.own_error.multiple),
    )


def _finite(multiple: float) -> float | None:
    """JSON has no infinity; the layer's SQNR says that there is nothing to measure."""
    return multiple if math.isfinite(multiple) else None


def _code(op: Op, stretch: tuple[Op, ...], run: GoldenRun, trusted: Recording) -> Op:
    """An op to ask for module and line: of PyTorch itself if that ran, else of the file that knows."""
    read = {run.aligned[each].trusted for each in op.inputs if each in run.aligned}
    theirs = code_behind(op, stretch, readers_of(trusted.graph, read))
    if theirs is None:
        return op
    if trusted.graph.first_hand and (theirs.module or not op.module):
        return theirs
    first, second = (op, theirs) if op.module else (theirs, op)
    return replace(first, source=first.source or second.source)
