"""Files written weight by weight are the files that onnx itself would write."""

from __future__ import annotations

import nets
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.export import onnx_file
from convert.export.capture import capture
from convert.export.newer import translate
from convert.export.plan import ExportPlan
from convert.export.settle import SettledProgram, recorded


@pytest.mark.parametrize("kind", [nets.TinyMobileNet, nets.TokenNet], ids=lambda kind: kind.__name__)
def test_written_weight_by_weight_reads_as_the_same_model(kind, tmp_path):
    net = nets.ready(kind)
    plan = ExportPlan(net.inputs, (), tmp_path / "net.onnx", 20)
    translated = translate(recorded(capture(net.module, net.inputs), SettledProgram), plan)
    onnx_file.save(translated, plan.out)
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    translated.save(tmp_path / "whole.onnx", external_data=False)
    written, whole = onnx.load(plan.out), onnx.load(tmp_path / "whole.onnx")
    assert len(written.graph.initializer) > 3
    for model in (written, whole):
        model.graph.value_info.sort(key=lambda value: value.name)
    assert written == whole
    assert plan.out.stat().st_size == (tmp_path / "whole.onnx").stat().st_size
    onnx.checker.check_model(written, full_check=True)


@given(st.integers(0, 2**40))
def test_varints_read_back(number):
    from google.protobuf.internal.decoder import _DecodeVarint

    encoded = onnx_file._varint(number)
    assert _DecodeVarint(encoded, 0) == (number, len(encoded))
