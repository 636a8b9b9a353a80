"""An inspection as a person reads it in a terminal: the most important first, long lists cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Console

from verify.inspection.page import Page
from verify.inspection.summary import quantity
from verify.inspection.types import GraphNode, Inspection, Leaving, RuntimeFit, TensorQuantization
from verify.report import words
from verify.signature import TensorSpec


def render_inspection(found: Inspection, console: Console, *, everything: bool = False) -> None:
    """Print it; ``everything`` shows long lists whole."""
    page = Page(console, everything)
    page.line(f"{found.path}  {found.format}", "bold")
    for sentence in found.summary:
        page.line(f"  {sentence}")
    _signatures(page, found)
    _graph(page, found)
    _runtimes(page, found)
    _ops(page, found)
    _layers(page, found)
    _quantization(page, found)
    _structure(page, found)
    page.section("Notes", found.notes)
    page.hint()


def _signatures(page: Page, found: Inspection) -> None:
    for signature in found.signatures:
        title = f"Signature {signature.key}" if signature.key else "Signature"
        takes = [f"takes {_tensor(spec)}" for spec in signature.inputs]
        page.section(title, [*takes, *(f"gives {_tensor(spec)}" for spec in signature.outputs)])


def _tensor(spec: TensorSpec) -> str:
    said = f"{spec.name}: {spec.dtype} {words.dims(spec.shape)}"
    if spec.permutation is not None:
        said += f", {words.layout(spec)}"
    if spec.quantization is not None:
        said += f", scale {spec.quantization.scale:.6g}, zero point {spec.quantization.zero_point}"
    return said


def _runtimes(page: Page, found: Inspection) -> None:
    if not found.runtimes:
        return
    page.heading("Where it would run, by each runtime's published list (not run)")
    for fit in found.runtimes:
        page.line(f"  {fit.name}: {_verdict(fit)}  [{fit.version}; list of {fit.as_of}]")
        lines = [f"it has {blocker}" for blocker in fit.blockers]
        lines += _leaving(fit)
        page.lines([f"    {line}" for line in lines])
        for condition in fit.unchecked:
            page.line(f"    not checked: {condition}", "dim")
        if fit.note:
            page.line(f"    {fit.note}", "dim")
    page.line("  sources:", "dim")
    for fit in found.runtimes:
        page.line(f"    {fit.name}: {fit.source}", "dim")


def _leaving(fit: RuntimeFit) -> list[str]:
    """A line a reason, most ops first."""
    reasons: dict[str, list[Leaving]] = {}
    for leaving in fit.leaving:
        reasons.setdefault(leaving.reason, []).append(leaving)
    ordered = sorted(reasons.items(), key=lambda entry: -sum(one.count for one in entry[1]))
    listed = [(reason, tuple((one.op, one.count) for one in those), those[0]) for reason, those in ordered]
    return [f"leaves {words.op_counts(ops)}: {reason} (first: {one.examples[0]})" for reason, ops, one in listed]


def _verdict(fit: RuntimeFit) -> str:
    of_all = f"{'all' if fit.staying == fit.ops else fit.staying} of {words.count(fit.ops, 'op')}"
    if fit.blockers:
        return f"would take {of_all}, but not of this file:"
    return f"takes {of_all}, in {fit.pieces} parts" if fit.pieces > 1 else f"takes {of_all}"


def _ops(page: Page, found: Inspection) -> None:
    total = found.macs.total if found.macs is not None else 0
    columns = ("op", "count", "weights", "multiply-accumulates")[: 4 if total else 3]
    rows = [
        (kind.op, str(kind.count), words.size(kind.weight_bytes) if kind.weight_bytes else "", _macs(kind.macs, total))
        for kind in found.ops
    ]
    page.table("Ops", columns, [row[: len(columns)] for row in rows])
    if found.macs is not None and found.macs.uncounted:
        page.line(f"  multiply-accumulates are not known of {words.op_counts(found.macs.uncounted)}")


def _macs(macs: int | None, total: int) -> str:
    return f"{quantity(macs)} ({macs / total:.1%})" if macs else ""


def _layers(page: Page, found: Inspection) -> None:
    total = found.weight_bytes or 0
    rows = [
        (
            ", ".join(layer.modules) or layer.name,
            words.size(layer.weight_bytes),
            f"{layer.weight_bytes / total:.1%}" if total else "",
            quantity(layer.parameters),
            layer.op,
        )
        for layer in found.layers
    ]
    page.table("Largest layers", ("layer", "weights", "share", "parameters", "op"), rows)


def _quantization(page: Page, found: Inspection) -> None:
    quantization = found.quantization
    if quantization is None or not (quantization.tensors or quantization.float_islands):
        return
    ordered = sorted(quantization.tensors, key=lambda tensor: tensor.constant)
    rows = [(tensor.name, tensor.dtype, *_scales(tensor), _scheme(tensor)) for tensor in ordered]
    page.table("Quantized tensors", ("tensor", "dtype", "scales", "zero points", "scheme"), rows)
    islands = [
        f"{words.op_counts(island.ops)}, from {island.first}"
        for island in quantization.float_islands
        if quantization.kind == "int8"
    ]
    page.section("Float islands", islands)


def _scales(tensor: TensorQuantization) -> tuple[str, str]:
    def span(low: float, high: float, form: Callable[[float], str]) -> str:
        return form(low) if low == high else f"{form(low)} … {form(high)}"

    return (
        span(tensor.scale_min, tensor.scale_max, lambda scale: f"{scale:.4g}"),
        span(tensor.zero_point_min, tensor.zero_point_max, lambda zero: f"{zero:g}"),
    )


def _scheme(tensor: TensorQuantization) -> str:
    where = "constant" if tensor.constant else "computed"
    return (
        f"per axis {tensor.axis} ({tensor.scales}), {where}" if tensor.axis is not None else f"{tensor.scheme}, {where}"
    )


def _graph(page: Page, found: Inspection) -> None:
    if found.graph is not None:
        graph = found.graph
        page.section("Placeholders", _nodes(graph.placeholders))
        page.section("Candidate outputs (nodes that nobody reads)", _nodes(graph.candidate_outputs))
        page.section("Graph", [f"{graph.nodes} nodes, {graph.variables} variables, {graph.functions} functions"])


def _structure(page: Page, found: Inspection) -> None:
    inner = [tensor for tensor in found.dynamic_tensors if tensor.role != "input"]
    page.section("Other tensors with open sizes", [f"{one.name} {words.dims(one.shape)} ({one.role})" for one in inner])
    if len(found.subgraphs) > 1:
        page.section(
            "Subgraphs",
            [f"{one.name}: {words.count(one.operators, 'op')}, {one.tensors} tensors" for one in found.subgraphs],
        )
    page.section("Metadata", [f"{name}: {value}" for name, value in found.metadata])


def _nodes(nodes: Iterable[GraphNode]) -> list[str]:
    return [
        f"{node.name} ({node.op}{f', {node.dtype}' if node.dtype else ''}"
        f"{f' {words.dims(node.shape)}' if node.shape is not None else ''})"
        for node in nodes
    ]
