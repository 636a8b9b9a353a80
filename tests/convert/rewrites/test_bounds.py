from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest

from convert.rewrites.bounds import lower_bound


@pytest.mark.parametrize(
    "op",
    [
        *("Relu(x)", "Sigmoid(x)", "HardSigmoid(x)", "Softplus(x)", "Exp(x)", "Abs(x)", "Tanh(x)", "Erf(x)", "Sin(x)"),
        *("Softsign(x)", "HardSwish(x)", "Gelu(x)", "Gelu <approximate = \"tanh\"> (x)", "Mish(x)", "Elu(x)"),
        *("Elu <alpha = 2.5> (x)", "Celu <alpha = 0.5> (x)", "ThresholdedRelu(x)"),
    ],
)  # fmt: skip
def test_no_value_of_an_activation_is_below_its_bound_nor_far_above(op):
    text = f'<ir_version: 9, opset_import: ["" : 20]>\nnet (float[N] x) => (float[N] y) {{ y = {op} }}'
    proto = onnx.parser.parse_model(text)
    bound = lower_bound(ir.from_proto(proto).graph.outputs[0])
    assert bound is not None
    x = np.concatenate([np.linspace(-8, 8, 200_001), np.linspace(-1000, 1000, 2001)]).astype(np.float32)
    lowest = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})[0].min()
    assert bound <= lowest < bound + 0.005


@pytest.mark.parametrize(
    "body",
    ["y = Identity(x)", "y = Neg(x)", "a = Relu(x) y = Sub(a, a)", "y = Add(x, x)", "a = Relu(x) y = Mul(a, x)"],
)
def test_nothing_is_claimed_of_what_may_be_negative(body):
    text = f'<ir_version: 9, opset_import: ["" : 20]>\nnet (float[N] x) => (float[N] y) {{ {body} }}'
    assert lower_bound(ir.from_proto(onnx.parser.parse_model(text)).graph.outputs[0]) is None
