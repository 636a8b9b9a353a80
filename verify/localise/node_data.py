"""Layers as node data for Model Explorer, which colours a model's graph by them.

Format: google-ai-edge/model-explorer, ``node_data_builder.py``: the data of one graph, keyed by output tensor.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from verify.atomic import write_text
from verify.report.verification import NOT_FINITE_DB, Layer, Localisation

IDENTICAL_DB = 200.0
_THRESHOLDS = ((10, "#d73027"), (20, "#fc8d59"), (40, "#fee08b"), (80, "#d9ef8b"), (IDENTICAL_DB, "#91cf60"))


def write_node_data(localisation: Localisation, path: Path) -> None:
    """Write the cumulative SQNR in dB of every layer of the judged model; 200 stands for no difference at all."""
    data = {
        "results": {layer.actual_tensor: {"value": _value(layer)} for layer in localisation.layers},
        "thresholds": [{"value": value, "bgColor": colour} for value, colour in _THRESHOLDS],
    }
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def _value(layer: Layer) -> float:
    if layer.sqnr_db is None:
        return IDENTICAL_DB
    return round(layer.sqnr_db, 2) if math.isfinite(layer.sqnr_db) else NOT_FINITE_DB
