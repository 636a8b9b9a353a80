"""What an artifact computes with: its ops, and in a quantized file those that stayed in float."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from verify.artifact import Artifact, Format

OpCounts = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class OpSummary:
    """Op types and how many of each, most frequent first; empty for formats whose ops say nothing to a user."""

    op_counts: OpCounts = ()
    float_op_counts: OpCounts = ()


def summarise_ops(artifact: Artifact) -> OpSummary:
    """Job: count the ops of an ONNX or TFLite file."""
    if artifact.format is Format.TFLITE:
        from verify.runners.tflite_inspect import float_op_counts, op_counts

        return OpSummary(op_counts(artifact.path), float_op_counts(artifact.path))
    if artifact.format is Format.ONNX:
        import onnx

        model = onnx.load(artifact.path, load_external_data=False)
        return OpSummary(tuple(Counter(node.op_type for node in model.graph.node).most_common()))
    return OpSummary()
