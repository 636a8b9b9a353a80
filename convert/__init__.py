"""Drives the pipeline: checkpoint → ONNX → SavedModel → TFLite."""
