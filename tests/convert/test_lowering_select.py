"""Where, Slice and Gather over more axes than TFLite's SELECT_V2 and STRIDED_SLICE take."""

from __future__ import annotations

from pathlib import Path

import lowering_jobs
import numpy as np
from make_onnx_graphs import Graph

from convert.stages.lower import OnnxToSavedModel
from verify.worker import Worker


def masked_windows(path: Path) -> Path:
    """Torch's adaptive pooling to sizes that divide nothing: windows of a largest size, masked, over six axes."""
    g = Graph()
    x = g.input("windows", ["N", 2, 3, 4, 3, 5])
    down = g.constant("down", np.arange(12).reshape(3, 4, 1, 1) % 5 == 4, np.bool_)
    across = g.constant("across", np.arange(15).reshape(3, 5) % 4 == 3, np.bool_)
    zero = g.constant("zero", 0, np.float32)
    x = g.node("Where", across, zero, g.node("Where", down, zero, x))
    g.node("ReduceSum", x, g.constant("axes", [3, 5]), out="pooled", keepdims=0)
    g.output("pooled", ["N", 2, 3, 3])
    return g.save(path)


def test_a_mask_over_six_axes_is_a_builtin_and_exact(worker: Worker, tmp_path: Path) -> None:
    outcome = worker.run(
        lowering_jobs.convert_and_compare,
        onnx_path=masked_windows(tmp_path / "net.onnx"),
        folder=tmp_path,
        stage=OnnxToSavedModel(lowering="exact").to_json(),
    ).value

    assert outcome.saved_model_db >= 110
    assert outcome.tflite_db >= 110
    assert outcome.tflite_ops["SELECT_V2"] == 2


def blocks(path: Path) -> Path:
    """CSATv2's cosine transform: blocks of pixels, of which some are picked and some cut."""
    g = Graph()
    x = g.input("blocks", ["N", 2, 3, 4, 3, 5])
    g.node("Gather", x, g.constant("third", 2), axis=3, out="picked")
    g.node("Slice", x, g.constant("start", [1]), g.constant("end", [3]), g.constant("axis", [4]), out="cut")
    g.output("picked", ["N", 2, 3, 3, 5])
    g.output("cut", ["N", 2, 3, 4, 2, 5])
    return g.save(path)


def test_entries_of_six_axes_are_picked_and_cut_by_builtins(worker: Worker, tmp_path: Path) -> None:
    outcome = worker.run(
        lowering_jobs.convert_and_compare,
        onnx_path=blocks(tmp_path / "net.onnx"),
        folder=tmp_path,
        stage=OnnxToSavedModel(lowering="exact").to_json(),
    ).value

    assert outcome.saved_model_db == outcome.tflite_db == 300.0
