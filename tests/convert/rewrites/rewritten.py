"""The oracle of every rewrite's test: onnxruntime gives the same before and after, at batch 1, 2 and 5."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime

from convert.rewrites import RewriteNote, apply_all

BATCHES = (1, 2, 5)


class Rewritten:
    """A model in ONNX's text form, after every rewrite."""

    def __init__(self, text: str, *, opset: int = 20, **weights: np.ndarray) -> None:
        header = f'<ir_version: 9, opset_import: ["" : {opset}]>\n'
        self.before = onnx.parser.parse_model(header + text)
        for name, array in weights.items():
            self.before.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        model = ir.from_proto(self.before)
        self.notes: tuple[RewriteNote, ...] = apply_all(model)
        self.after = ir.to_proto(model)
        onnx.checker.check_model(self.after, full_check=True)

    @property
    def ops(self) -> dict[str, int]:
        return dict(Counter(node.op_type for node in self.after.graph.node))

    def attribute(self, op: str, name: str) -> object:
        node = next(node for node in self.after.graph.node if node.op_type == op)
        found = [onnx.helper.get_attribute_value(entry) for entry in node.attribute if entry.name == name]
        return found[0] if found else None

    def difference(self, scale: float = 1.0) -> float:
        """The largest error over the largest magnitude of any output, over all batch sizes."""
        worst = 0.0
        for batch in BATCHES:
            expected, actual = (_run(model, batch, scale) for model in (self.before, self.after))
            assert list(expected) == list(actual)
            for name, value in expected.items():
                assert value.shape == actual[name].shape
                assert np.ptp(value) > 0, "a constant output proves nothing"
                worst = max(worst, float(np.abs(value - actual[name]).max() / np.abs(value).max()))
        return worst


def _run(model: onnx.ModelProto, batch: int, scale: float) -> dict[str, np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    random = np.random.default_rng(batch)
    feeds = {
        entry.name: (scale * random.standard_normal((batch, *entry.shape[1:]))).astype(np.float32)
        for entry in session.get_inputs()
    }
    names = [entry.name for entry in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))
