"""Jobs that run where TensorFlow is."""

from __future__ import annotations

from pathlib import Path


def lower_by_both_roads(onnx_path: Path, folder: Path) -> None:
    """``exact`` and ``onnx2tf``, a SavedModel each, below ``folder``."""
    from convert.lowering import onnx2tf_road
    from convert.lowering.road import lower_file, read_model

    lower_file(read_model(onnx_path), folder / "exact", ())
    onnx2tf_road.lower(onnx_path, folder / "onnx2tf", ())


def loaded(folder: Path) -> tuple[str, tuple[str, ...]]:
    """The fingerprint that TensorFlow reads, and all that it warns of while it loads the model."""
    import logging

    import tensorflow as tf

    records: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    for logger in (tf.get_logger(), logging.getLogger("absl")):
        logger.addHandler(handler)
    tf.saved_model.load(str(folder))
    fingerprint = tf.saved_model.experimental.read_fingerprint(str(folder))
    return str(fingerprint), tuple(records)
