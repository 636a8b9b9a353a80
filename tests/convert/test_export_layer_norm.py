"""``nn.LayerNorm`` over one element, which onnxruntime does not run as LayerNormalization, is written out."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from test_export_module import export
from torch import Tensor, nn

from convert.export.capture import capture
from convert.export.newer import translate
from convert.export.plan import ExportPlan
from convert.export.settle import RecordedProgram, recorded
from verify.runners.onnx_runner import OnnxRunner, onnx_signature
from verify.samples import InputSpec

COLUMN = (InputSpec("column", ("N", 3, 1)),)


class OneChannelNorm(nn.Module):
    """The norm of a single channel beside that of all rows, whose file stays as it ever was."""

    def __init__(self, affine: bool) -> None:
        super().__init__()
        self.single = nn.LayerNorm(1, elementwise_affine=affine)
        self.rows = nn.LayerNorm([3, 1])
        if affine:
            nn.init.constant_(self.single.weight, 3.0)
            nn.init.constant_(self.single.bias, 0.375)

    def forward(self, column: Tensor) -> tuple[Tensor, Tensor]:
        return self.single(column), self.rows(column)


@pytest.mark.parametrize("affine", [True, False])
def test_the_norm_of_one_element_is_its_bias(affine, tmp_path):
    module = OneChannelNorm(affine).eval()
    export(module, tmp_path / "net.onnx", inputs=COLUMN, exporter="newer")
    column = torch.tensor([[[-1e10], [0.1], [7.0]], [[np.inf], [np.nan], [-0.0]]])
    with OnnxRunner(tmp_path / "net.onnx", onnx_signature(tmp_path / "net.onnx")) as runner:
        single, rows = runner.infer({"column": column.numpy()}).values()
    with torch.inference_mode():
        expected_single, expected_rows = module(column)
    np.testing.assert_array_equal(single, expected_single.numpy())
    np.testing.assert_allclose(rows, expected_rows.numpy(), rtol=1e-6)
    written = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
    assert written.count("LayerNormalization") == 1


def test_a_retraced_program_has_it_written_out_too(tmp_path):
    program = recorded(capture(OneChannelNorm(affine=True).eval(), COLUMN), RecordedProgram)
    translate(program, ExportPlan(COLUMN, (), tmp_path / "net.onnx", 20)).save(tmp_path / "net.onnx")
    with OnnxRunner(tmp_path / "net.onnx", onnx_signature(tmp_path / "net.onnx")) as runner:
        single = next(iter(runner.infer({"column": np.ones((2, 3, 1), np.float32)}).values()))
    assert (single == 0.375).all()
