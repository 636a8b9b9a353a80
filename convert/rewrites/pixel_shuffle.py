"""A pixel shuffle in torch's order of channels → in TFLite's; the convolution before it gives them in that order.

Matches DepthToSpace with mode CRD after a Conv that nothing else reads, with functions of single channels between, or
with one channel a pixel, for which both orders are one. DEPTH_TO_SPACE knows only DCR; where the order stays, channels
are brought into it by a GATHER, which XNNPACK does not take: a copy, and a delegate cut in two.

Exact: the Conv's output channels are the same numbers in other places. ESPCN asked for it
(https://arxiv.org/abs/1609.05158, section 3.2).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from convert.lowering.source import describe
from convert.rewrites.channel_order import gives_any_order, reorder_source
from convert.rewrites.graph import integer, nodes, sizes, sole_user, string
from convert.rewrites.note import RewriteNote

NAME = "pixel_shuffle"


def rewrite(model: ir.Model) -> tuple[RewriteNote, ...]:
    """Rewrite every such shuffle."""
    notes = []
    for node in nodes(model, "DepthToSpace"):
        value = node.inputs[0]
        shape = sizes(value)
        channels = None if shape is None else shape[1]
        if string(node, "mode", "DCR") != "CRD" or value is None or channels is None:
            continue
        order = _order(channels, integer(node, "blocksize", 1))
        conv = gives_any_order(value) if sole_user(value) is node else None
        if order != list(range(channels)):
            if conv is None:
                continue
            reorder_source(conv, order)
        node.attributes["mode"] = ir.AttrString("mode", "DCR")
        notes.append(RewriteNote(NAME, describe(node), True, "its channels come in TFLite's order"))
    return tuple(notes)


def _order(channels: int, block: int) -> list[int]:
    """By place in DCR order, (block, block, depth), the channel's place in CRD order, (depth, block, block)."""
    order: list[int] = np.arange(channels).reshape(-1, block, block).transpose(1, 2, 0).ravel().tolist()
    return order
