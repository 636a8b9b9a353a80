"""An ONNX file read without its weights is the model that onnx_ir reads."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from convert.lowering import onnx_file


def _file(path: Path, initializers: list[TensorProto], **options: object) -> Path:
    nodes = [helper.make_node("Identity", [tensor.name], [f"{tensor.name}.out"]) for tensor in initializers]
    outputs = [helper.make_value_info(f"{tensor.name}.out", onnx.TypeProto()) for tensor in initializers]
    graph = helper.make_graph(nodes, "net", [], outputs, initializers, doc_string="graph")
    onnx.save(helper.make_model(graph, producer_name="test", doc_string="x" * 5000), path, **options)
    return path


def _tensor(name: str, dtype: str = "float32", size: int = 3001) -> TensorProto:
    numbers = np.random.default_rng(0).integers(0, 100, size)
    return onnx.numpy_helper.from_array(numbers.astype(dtype), name)


def _numbers(model: ir.Model) -> dict[str, np.ndarray]:
    return {name: value.const_value.numpy() for name, value in model.graph.initializers.items()}


def _mapped(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return (isinstance(array, memoryview) and isinstance(array.obj, mmap.mmap)) or isinstance(array, mmap.mmap)


def _assert_the_same(path: Path) -> dict[str, np.ndarray]:
    read, expected = onnx_file.load(path), ir.load(path)
    numbers, wanted = _numbers(read), _numbers(expected)
    assert list(numbers) == list(wanted)
    for name, array in numbers.items():
        np.testing.assert_array_equal(array, wanted[name], strict=True)
    assert ir.to_proto(read) == ir.to_proto(expected)
    return numbers


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int32", "int64"])
def test_large_weights_stay_in_the_file(tmp_path: Path, dtype: str) -> None:
    path = _file(tmp_path / "net.onnx", [_tensor("a", dtype), _tensor("small", dtype, 3), _tensor("b", dtype, 70_000)])

    numbers = _assert_the_same(path)

    assert {name: _mapped(array) for name, array in numbers.items()} == {"a": True, "small": False, "b": True}


BYTES_OF_20_000 = {
    TensorProto.BFLOAT16: 40_000,
    TensorProto.BOOL: 20_000,
    TensorProto.INT4: 10_000,
    TensorProto.FLOAT8E4M3FN: 20_000,
}


@pytest.mark.parametrize("kind", BYTES_OF_20_000)
def test_other_element_types_are_read_as_onnx_ir_reads_them(tmp_path: Path, kind: int) -> None:
    tensor = helper.make_tensor("w", kind, [9000], np.ones(9000))
    raw = helper.make_tensor("raw", kind, [20_000], bytes(BYTES_OF_20_000[kind]), raw=True)

    _assert_the_same(_file(tmp_path / "net.onnx", [tensor, raw]))


def test_numbers_that_are_not_raw_bytes_are_read_too(tmp_path: Path) -> None:
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [50, 40], np.arange(2000.0))
    assert not tensor.HasField("raw_data")

    _assert_the_same(_file(tmp_path / "net.onnx", [tensor]))


def test_weights_beside_the_file_are_found(tmp_path: Path) -> None:
    path = _file(tmp_path / "net.onnx", [_tensor("a")], save_as_external_data=True, location="net.data")

    assert (tmp_path / "net.data").is_file()
    _assert_the_same(path)


def test_two_initializers_of_one_name_are_read_as_onnx_ir_reads_them(tmp_path: Path) -> None:
    first, second = _tensor("a"), _tensor("a")
    second.raw_data = second.raw_data[::-1]
    path = tmp_path / "net.onnx"
    output = helper.make_value_info("out", onnx.TypeProto())
    graph = helper.make_graph([helper.make_node("Identity", ["a"], ["out"])], "net", [], [output], [first, second])
    onnx.save(helper.make_model(graph), path)

    _assert_the_same(path)


@pytest.mark.parametrize("length", [0, 1, 9, 2000, -1])
def test_a_file_cut_short_is_refused_as_onnx_ir_refuses_it(tmp_path: Path, length: int) -> None:
    whole = _file(tmp_path / "net.onnx", [_tensor("a")]).read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole[:length])
    outcomes = []
    for load in (onnx_file.load, ir.load):
        try:
            outcomes.append(ir.to_proto(load(path)))
        except Exception as error:
            outcomes.append((type(error), str(error)))

    assert outcomes[0] == outcomes[1]


def test_a_weight_of_too_few_bytes_is_no_view(tmp_path: Path) -> None:
    tensor = _tensor("a")
    tensor.dims[0] += 1

    model = onnx_file.load(_file(tmp_path / "net.onnx", [tensor]))

    with pytest.raises(ValueError, match="cannot reshape"):
        model.graph.initializers["a"].const_value.numpy()
