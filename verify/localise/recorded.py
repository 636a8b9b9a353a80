"""A recording on disk, from the process that ran the model to the one that compares: arrays and a table of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verify.atomic import write_text
from verify.jsonio import from_jsonable, to_jsonable
from verify.localise.graph import Graph
from verify.localise.recording import Recording, TensorStore

_TABLE = "recording.json"


@dataclass(frozen=True)
class _Table:
    graph: Graph
    dtypes: Mapping[str, str]
    missing: Mapping[str, str]
    files: Mapping[str, int]


def write_recording(recording: Recording, folder: Path) -> None:
    """Write the table beside the tensors, which are in ``folder`` already."""
    dtypes = {tensor: dtype.str for tensor, dtype in recording.dtypes.items()}
    table = _Table(recording.graph, dtypes, recording.missing, recording.tensors.numbers)
    write_text(folder / _TABLE, json.dumps(to_jsonable(table)))


def read_recording(folder: Path) -> Recording:
    """What :func:`write_recording` wrote."""
    table: _Table = from_jsonable(_Table, json.loads((folder / _TABLE).read_text(encoding="utf-8")))
    dtypes = {tensor: np.dtype(dtype) for tensor, dtype in table.dtypes.items()}
    return Recording(table.graph, TensorStore(folder, table.files), dtypes, dict(table.missing))
