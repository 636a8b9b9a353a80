"""Which ops of a ``.tflite`` file would leave a runtime, by the runtime's published list. Nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify.inspection.rules import broken
from verify.inspection.run_time_sizes import run_time_sizes
from verify.inspection.runtime_lists import Runtime, runtimes
from verify.inspection.tflite_graph import Operator, unpacks_a_constant, with_unpacked_constants
from verify.inspection.types import DynamicTensor, Layer, Leaving, RuntimeFit
from verify.report import words

_MOST_EXAMPLES = 3


@dataclass(frozen=True)
class Facts:
    """What the rules ask for. ``layers`` belong to ``operators`` one by one."""

    operators: Sequence[Operator]
    layers: Sequence[Layer]
    dynamic: Sequence[DynamicTensor]


def fits_of(facts: Facts) -> tuple[RuntimeFit, ...]:
    """One for each stored list."""
    return tuple(_fit(runtime, facts) for runtime in runtimes())


def _fit(runtime: Runtime, facts: Facts) -> RuntimeFit:
    seen = with_unpacked_constants(facts.operators) if runtime.file.unpacks_constants else facts.operators
    reasons = [_reason(runtime, operator) for operator in seen]
    main = [at for at, operator in enumerate(seen) if operator.subgraph == 0]
    parts = _parts([seen[at] for at in main], [not reasons[at] for at in main])
    kept = {main[at] for part in parts[: runtime.file.parts] for at in part}
    if runtime.file.parts is not None:
        reasons = [
            reason or ("" if at in kept else "after an op that is not taken: the graph is split once")
            for at, reason in enumerate(reasons)
        ]
    staying = [at for at, reason in enumerate(reasons) if not reason]
    known = all(layer.macs is not None for layer in facts.layers)
    return RuntimeFit(
        runtime=runtime.id,
        name=runtime.name,
        source=runtime.source,
        as_of=runtime.as_of,
        version=runtime.version,
        ops=len(reasons),
        staying=len(staying),
        macs_staying=sum(facts.layers[at].macs or 0 for at in staying) if known else None,
        pieces=len(parts[: runtime.file.parts]),
        blockers=tuple(_blockers(runtime, facts)),
        leaving=_leaving(facts.operators, reasons),
        unchecked=_unchecked(runtime, facts, reasons),
        note=runtime.note,
    )


def _reason(runtime: Runtime, operator: Operator) -> str:
    if runtime.file.unpacks_constants and unpacks_a_constant(operator):
        return ""
    rule = runtime.rule(operator.op)
    if rule is None:
        return "not in the list"
    return broken(operator, rule) or broken(operator, runtime.every)


def _blockers(runtime: Runtime, facts: Facts) -> list[str]:
    found = []
    if runtime.file.fixed_shapes and facts.dynamic:
        named = next((tensor for tensor in facts.dynamic if tensor.role == "input"), facts.dynamic[0])
        count = words.count(len(facts.dynamic), "tensor")
        found.append(
            f"{count} with an axis that the file leaves open ({named.name}: {words.dims(named.shape)}); every size has "
            "to be fixed"
        )
    sizes = run_time_sizes(facts.operators) if runtime.file.static_sizes else ()
    if sizes:
        found.append(
            f"{words.count(len(sizes), 'op')} whose results LiteRT can size only while it runs (first: {sizes[0].op} "
            f"{sizes[0].name}); it is handed nothing of such a file"
        )
    return found


def _leaving(operators: Sequence[Operator], reasons: Sequence[str]) -> tuple[Leaving, ...]:
    grouped: dict[tuple[str, str], list[str]] = {}
    for operator, reason in zip(operators, reasons, strict=True):
        if reason:
            grouped.setdefault((operator.op, reason), []).append(operator.name)
    found = [Leaving(op, len(names), why, tuple(names[:_MOST_EXAMPLES])) for (op, why), names in grouped.items()]
    return tuple(sorted(found, key=lambda leaving: (-leaving.count, leaving.op)))


def _unchecked(runtime: Runtime, facts: Facts, reasons: Sequence[str]) -> tuple[str, ...]:
    conditions: dict[str, None] = {}
    for operator, reason in zip(facts.operators, reasons, strict=True):
        rule = runtime.rule(operator.op)
        if rule is not None and rule.unchecked and not reason:
            conditions[f"{operator.op}: {rule.unchecked}"] = None
    return tuple(conditions)


def _parts(operators: Sequence[Operator], taken: Sequence[bool]) -> list[list[int]]:
    """The parts of a graph that a delegate gets: as LiteRT cuts it, as large as the order of computation lets them be.

    Source: ``PartitionGraphIntoIndependentNodeSubsets`` in LiteRT's ``graph_info.cc``.
    """
    needs = [_needs(operator) for operator in operators]
    gives = [{tensor.index for tensor in operator.outputs} for operator in operators]
    ready = set[int]().union(*needs) - set[int]().union(*gives)
    waiting, parts, wanted, idle = list(range(len(operators))), [], False, 0
    while waiting and idle < 2:
        part = []
        for at in waiting:
            if taken[at] == wanted and needs[at] <= ready:
                part.append(at)
                ready |= gives[at]
        idle = 0 if part else idle + 1
        if part and wanted:
            parts.append(part)
        waiting = sorted(set(waiting) - set(part))
        wanted = not wanted
    return parts


def _needs(operator: Operator) -> set[int]:
    return {tensor.index for tensor in operator.inputs if tensor is not None and not tensor.constant}
