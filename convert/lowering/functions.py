"""Ops that ONNX itself defines by simpler ones: those without a lowering become ONNX's own function body.

The bodies come with the ``onnx`` package (``onnx.defs``), some made for the node's attributes and input types. An op
that a TFLite builtin computes, or that wants a quicker form, has a lowering instead and is left alone here.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass, ShapeInferencePass

from convert.lowering.registry import find_lowering

_DOMAIN = "onnx.function.body"
_MOST_ROUNDS = 4
"""A body may use ops that are functions themselves; ONNX nests them twice."""


def expand_functions(model: ir.Model) -> None:
    """Inline ONNX's body of each op that has one and no lowering, in subgraphs too; in place."""
    version = model.opset_imports.get("", model.opset_imports.get("ai.onnx", 1))
    for _ in range(_MOST_ROUNDS):
        called = [node for node in model.graph.all_nodes() if _wants_body(node, version)]
        bodies = {index: body for index, node in enumerate(called) if (body := _body(node, version)) is not None}
        if not bodies:
            return
        for index, body in bodies.items():
            _call(model, called[index], body, f"{called[index].op_type}_{index}")
        InlinePass()(model)
        _remove_unused_import(model)
        ShapeInferencePass()(model)


def _wants_body(node: ir.Node, version: int) -> bool:
    return node.domain in ("", "ai.onnx") and find_lowering("", node.op_type, version) is None


def _body(node: ir.Node, version: int) -> onnx.FunctionProto | None:
    try:
        schema = onnx.defs.get_schema(node.op_type, version, "")
    except onnx.defs.SchemaError:
        return None
    if schema.has_function:
        return onnx.FunctionProto.FromString(schema.get_function_with_opset_version(version))
    if not schema.has_context_dependent_function:
        return None
    types = [b"" if value is None else _type(value) for value in node.inputs]
    serialized = ir.to_proto(node).SerializeToString()
    body = schema.get_context_dependent_function_with_opset_version(version, serialized, types)
    return onnx.FunctionProto.FromString(body) if body else None


def _type(value: ir.Value) -> bytes:
    kind: bytes = ir.to_proto(value).type.SerializeToString()
    return kind


def _call(model: ir.Model, node: ir.Node, body: onnx.FunctionProto, name: str) -> None:
    """Turn the node into a call of the body; attributes that it leaves out get their declared default."""
    schema = onnx.defs.get_schema(node.op_type, model.opset_imports.get("", 1), "")
    for attribute in schema.attributes.values():
        if attribute.name not in node.attributes and attribute.default_value.name:
            node.attributes.add(ir.from_proto(attribute.default_value))
    body.domain, body.name = _DOMAIN, name
    del body.output[len(node.outputs) :]
    _define_what_nobody_asked_for(body)
    del body.opset_import[:]
    body.opset_import.add(domain="", version=model.opset_imports.get("", 1))
    model.functions[_DOMAIN, name, ""] = ir.from_proto(body)
    model.opset_imports[_DOMAIN] = 1
    node.domain, node.op_type = _DOMAIN, name


def _define_what_nobody_asked_for(body: onnx.FunctionProto) -> None:
    """A body made for one node may leave outputs undefined that the node does not have."""
    made = {name for node in body.node for name in node.output} | set(body.input)
    for name in body.output:
        if name not in made:
            body.node.append(onnx.helper.make_node("Constant", [], [name], value_float=0.0))


def _remove_unused_import(model: ir.Model) -> None:
    model.opset_imports.pop(_DOMAIN, None)
