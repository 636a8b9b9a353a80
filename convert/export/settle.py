"""Make an exported program ready for translation without retracing it.

torch's exporter calls ``run_decompositions`` on every program, which traces the whole net a second time (3.3 of
MobileNetV2's 6 s) only to make a few operators functional or spell them with others. Where those few can be rewritten
in place, exactly, the retrace is skipped; anything not proven here declines, and the program is retraced as ever.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, Node

from convert.export import attention, functional_ops, spelled_out
from convert.export.written_constants import fold_written_constants

logger = logging.getLogger(__name__)

Table = Mapping[Any, Any]
"""What the exporter cannot translate and so wants decomposed: operator → decomposition."""

_LSTM = torch.ops.aten.lstm.input
_SYMBOLIC_ARITHMETIC = frozenset({
    operator.getitem, operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod, operator.neg,
})  # fmt: skip


class RecordedProgram(ExportedProgram):
    """An exported program that remembers what the exporter translated, so that an error can name its PyTorch line."""

    decomposed: ExportedProgram | None = None

    def run_decompositions(
        self, decomp_table: dict[Any, Callable[..., Any]] | None = None, decompose_custom_triton_ops: bool = False
    ) -> ExportedProgram:
        """The program retraced, its operators decomposed by the table."""
        table = _with_projected_lstms(self.graph, decomp_table)
        self.decomposed = super().run_decompositions(table, decompose_custom_triton_ops)
        return self.decomposed


class SettledProgram(RecordedProgram):
    """An exported program that is rewritten in place when asked to decompose, and retraced only where it must."""

    declined: str | None = None
    """Why it had to be retraced; ``None`` when it was not."""

    def run_decompositions(
        self, decomp_table: dict[Any, Callable[..., Any]] | None = None, decompose_custom_triton_ops: bool = False
    ) -> ExportedProgram:
        """This program, settled; or the retraced one."""
        self.declined = "no table" if decomp_table is None else self._settle(decomp_table)
        if self.declined is None:
            self.decomposed = self
            return self
        logger.info("retracing the exported program: %s", self.declined)
        return super().run_decompositions(decomp_table, decompose_custom_triton_ops)

    def _settle(self, table: Table) -> str | None:
        """Settle the graph; the signature knows outputs by the name of the node that gives them, so it follows."""
        fold_written_constants(self)
        before = _output_names(self.graph)
        declined = settle(self.graph, table)
        for old, new in zip(before, _output_names(self.graph), strict=True):
            if old != new:
                self.graph_signature.replace_all_uses(old, new)
        return declined


def _with_projected_lstms(graph: Graph, table: dict[Any, Callable[..., Any]] | None) -> Any:
    """The table, with LSTMs taken apart where one has ``proj_size``: the exporter translates it as if it had none."""
    if table is None or all(spelled_out.recurrent(node) for node in graph.nodes if node.target is _LSTM):
        return table
    return {**table, _LSTM: torch._decomp.decomposition_table[_LSTM]}


def _output_names(graph: Graph) -> tuple[str, ...]:
    returned = graph.output_node().args[0]
    return tuple(str(leaf) for leaf in torch.utils._pytree.tree_leaves(returned))


Recorded = TypeVar("Recorded", bound=RecordedProgram)


def recorded(program: ExportedProgram, kind: type[Recorded]) -> Recorded:
    """The same program as ``kind``, sharing graph and weights."""
    return kind(
        root=program.graph_module,
        graph=program.graph,
        graph_signature=program.graph_signature,
        state_dict=program.state_dict,
        range_constraints=program.range_constraints,
        module_call_graph=program.module_call_graph,
        example_inputs=program.example_inputs,
        constants=program.constants,
        verifiers=program.verifiers,
    )


def settle(graph: Graph, table: Table) -> str | None:
    """Rewrite a graph in place until every operator in it is functional and not in ``table``.

    Returns why that cannot be done, naming the node; ``None`` when it is done. The rewrites made until then are
    exact, so a graph that is declined half-way still means the same.
    """
    composite = torch.export.default_decompositions()
    for node in graph.find_nodes(op="call_function", target=torch.ops.aten.scaled_dot_product_attention.default):
        attention.spell_out(node)  # all of them first: a graph that is retraced keeps them as they are
    for node in list(graph.nodes):
        reason = _settle_node(node, table, composite)
        if reason is not None:
            return f"{node.format_node()}: {reason}"
    graph.lint()
    return None


def _settle_node(node: Node, table: Table, composite: Table) -> str | None:
    if node.op in ("placeholder", "output") or node.target in _SYMBOLIC_ARITHMETIC:
        return None
    if not isinstance(node.target, torch._ops.OpOverload):
        return "no ATen operator"
    if _is_complex(node):
        return "complex numbers"
    if spelled_out.spell_out(node):
        return None
    reason = functional_ops.make_functional(node) if node.target._schema.is_mutable else None
    return reason or _untranslatable(node, table, composite)


def _untranslatable(node: Node, table: Table, composite: Table) -> str | None:
    """Why the exporter has no translation for a node's operator as it stands."""
    if node.target is _LSTM and not spelled_out.recurrent(node):
        return "the exporter knows no LSTM with a projection"
    if node.target in table:
        return "the exporter wants it decomposed"
    is_composite = node.target.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd)  # type: ignore[union-attr]
    if is_composite and node.target not in composite:
        return "decomposes into what depends on its arguments"
    return None


def _is_complex(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.is_complex()
