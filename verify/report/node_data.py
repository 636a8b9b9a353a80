"""Layers as node data for Model Explorer, which colours a model's graph by them.

Format: google-ai-edge/model-explorer, ``node_data_builder.py``, ``GraphNodeData``: results go by the name of a tensor
that a node gives, or by the node's id. A TFLite op's id is its number; an ONNX node's is its name, and its adapter
(model-explorer-onnx) gives no names of tensors.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable

from verify.artifact import Format
from verify.report.verification import NOT_FINITE_DB, Layer, Localisation, Verification

IDENTICAL_DB = 200.0
_THRESHOLDS = ((10, "#d73027"), (20, "#fc8d59"), (40, "#fee08b"), (80, "#d9ef8b"), (IDENTICAL_DB, "#91cf60"))


def node_data(verification: Verification, *, model: str | None = None) -> dict[str, str]:
    """File name → text, two files for each pair of models whose layers were compared.

    ``layers_0_sqnr_db.json`` is the cumulative SQNR in dB of every layer, ``layers_0_local_sqnr_db.json`` that of each
    by itself, where there is an error. Those of one judged ``model`` only, where it is named. None for a SavedModel,
    of which Model Explorer shows no graph.
    """
    formats = {each.name: each.format for each in verification.models}
    found = {}
    for at, where in enumerate(verification.localisations):
        kind = formats.get(where.actual)
        if where.layers and model in {None, where.actual} and kind != Format.SAVED_MODEL.value:
            key = _of_node if kind == Format.ONNX.value else _of_tensor(where)
            found[f"layers_{at}_local_sqnr_db.json"] = _text(
                (key(each), each.local_sqnr_db) for each in where.layers if each.local_sqnr_db is not None
            )
            found[f"layers_{at}_sqnr_db.json"] = _text((key(each), each.sqnr_db) for each in where.layers)
    return found


def _of_node(layer: Layer) -> str:
    """Its name, or the one that the adapter gives in a file whose nodes have none: node, node_1, node_2 …"""
    return layer.onnx_node or (f"node_{layer.op_index}" if layer.op_index else "node")


def _of_tensor(where: Localisation) -> Callable[[Layer], str]:
    names = Counter(layer.actual_tensor for layer in where.layers)
    return lambda layer: layer.actual_tensor if names[layer.actual_tensor] == 1 else str(layer.op_index)


def _text(values: Iterable[tuple[str, float | None]]) -> str:
    results: dict[str, float] = {}
    for key, sqnr_db in values:
        results[key] = min(_value(sqnr_db), results.get(key, IDENTICAL_DB))
    data = {
        "results": {key: {"value": value} for key, value in results.items()},
        "thresholds": [{"value": value, "bgColor": colour} for value, colour in _THRESHOLDS],
        # Decibels do not add up: no sum of them, and no share of a group's.
        "hideAggregatedStats": ["sum"],
        "hideInChildrenStatsTable": True,
    }
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def _value(sqnr_db: float | None) -> float:
    """200 stands for no difference at all."""
    if sqnr_db is None:
        return IDENTICAL_DB
    return round(sqnr_db, 2) if math.isfinite(sqnr_db) else NOT_FINITE_DB
