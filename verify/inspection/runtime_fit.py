"""Which ops of a ``.tflite`` file would leave a runtime, by the runtime's published list. Nothing is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verify.inspection.partition import partition
from verify.inspection.rules import broken
from verify.inspection.run_time_sizes import run_time_sizes
from verify.inspection.runtime_lists import Runtime, runtimes
from verify.inspection.tflite_graph import Operator, unpacks_a_constant, with_unpacked_constants
from verify.inspection.types import DynamicTensor, Layer, Leaving, RuntimeFit
from verify.report import words

_MOST_EXAMPLES = 3
_NOT_HANDED = {
    "first": "after an op that is not taken: the graph is split once",
    "largest": "in a part that is left out: only the largest are taken by default",
}


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
    parts = partition([seen[at] for at in main], [not reasons[at] for at in main])
    handed = _handed(runtime, parts)
    kept = {main[at] for part in handed for at in part}
    if len(handed) < len(parts):
        lost = {main[at] for part in parts for at in part} - kept
        reasons = [_NOT_HANDED[runtime.file.which] if at in lost else reason for at, reason in enumerate(reasons)]
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
        pieces=len(handed),
        blockers=tuple(_blockers(runtime, facts)),
        leaving=_leaving(facts.operators, reasons),
        unchecked=_unchecked(runtime, facts, reasons),
        note=runtime.note,
    )


def _handed(runtime: Runtime, parts: list[list[int]]) -> list[list[int]]:
    """The parts that the runtime takes of those it could."""
    if runtime.file.which == "largest":
        parts = sorted(parts, key=len, reverse=True)
    return parts[: runtime.file.parts]


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
