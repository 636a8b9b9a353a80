"""What torch's exporter does at a cost and without effect on most nets, left out; and a name that it gives twice.

All is private to torch and onnxscript: a version that has moved it is simply left as it is. ``test_export_settle``
holds that what comes out is the same.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch.fx import Graph, GraphModule


@contextlib.contextmanager
def shortcuts() -> Iterator[None]:
    """While this holds, torch's exporter starts 0.3 s sooner, promotes no types and resamples no tables in vain."""
    with contextlib.ExitStack() as patches:
        _leave_signatures_unparsed(patches)
        _promote_only_where_types_differ(patches)
        _leave_resizes_of_constants(patches)
        _name_bounds_apart(patches)
        yield


def _leave_signatures_unparsed(patches: contextlib.ExitStack) -> None:
    """On listing its 500 operators onnxscript parses the source of each, only to read the domain it gave them."""
    functions = _attribute("onnxscript._internal.values", "TracedOnnxFunction")
    domain = _attribute("onnxscript.function_libs.torch_lib._constants", "DOMAIN")
    if isinstance(getattr(functions, "function_ir", None), property) and isinstance(domain, str):
        domain_only = property(lambda _function: SimpleNamespace(domain=domain))
        patches.enter_context(mock.patch.object(functions, "function_ir", domain_only))


def _promote_only_where_types_differ(patches: contextlib.ExitStack) -> None:
    """The type promotion pass runs the whole net on fake tensors to find operands of different types."""
    name = "insert_type_promotion_nodes"
    promote: Callable[[GraphModule], None] | None = _attribute("torch.onnx._internal.exporter._fx_passes", name)
    if promote is None:
        return

    def promote_where_needed(graph_module: GraphModule) -> None:
        graphs = [module.graph for module in graph_module.modules() if isinstance(module, GraphModule)]
        if not all(has_one_float_type(graph) for graph in graphs):
            promote(graph_module)

    passes = importlib.import_module("torch.onnx._internal.exporter._fx_passes")
    patches.enter_context(mock.patch.object(passes, name, promote_where_needed))


def _leave_resizes_of_constants(patches: contextlib.ExitStack) -> None:
    """Constants are folded with onnx's reference in Python: SAM 2's position table, 7x7 to 224x224, took 8 minutes.

    The node stays; onnxruntime resamples as it loads the file, and the lowering as it builds the graph.
    """
    never_folded = _attribute("onnxscript.optimizer._constant_folding", "DEFAULT_CONSTANT_FOLD_BLACKLIST")
    if isinstance(never_folded, list):
        patched = [*never_folded, "Resize"]
        folding = importlib.import_module("onnxscript.optimizer._constant_folding")
        patches.enter_context(mock.patch.object(folding, "DEFAULT_CONSTANT_FOLD_BLACKLIST", patched))


def _name_bounds_apart(patches: contextlib.ExitStack) -> None:
    """A fused clamp's bounds are named after what it clamps: two clamps of one tensor shared theirs (Gemma 4)."""
    name = "compute_constants"
    for kind in ("FuseSuccessiveMin", "FuseSuccessiveMax", "FuseMaxMinToClip", "FuseMinMaxToClip"):
        fusing = _attribute("onnxscript.rewriter.rules.common._min_max_to_clip", kind)
        if hasattr(fusing, name):
            patches.enter_context(mock.patch.object(fusing, name, _named_after_result(getattr(fusing, name))))


def _named_after_result(compute: Callable[..., Any]) -> Callable[..., Any]:
    def compute_constants(rule: Any, first: Any, second: Any, input_name: str = "") -> Any:
        return compute(rule, first, second, second.outputs[0].name or input_name)

    return compute_constants


def has_one_float_type(graph: Graph) -> bool:
    """Whether every tensor that an operator takes or gives is of one and the same float type, so none is promoted."""
    used = [node for node in graph.nodes if node.users and node.op != "output"]
    tensors = [leaf for node in used for leaf in torch.utils._pytree.tree_leaves(node.meta.get("val"))]
    types = {leaf.dtype for leaf in tensors if isinstance(leaf, torch.Tensor)}
    return len(types) == 1 and types.pop().is_floating_point


def _attribute(module: str, name: str) -> Any | None:
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
