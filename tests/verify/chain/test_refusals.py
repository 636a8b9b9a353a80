"""What the command says, and how it exits, where models cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest
from make_onnx_model import write_onnx_net, write_onnx_scale
from verify_command import verify

from verify.errors import ExitCode
from verify.flatbuffer import unpack, write


@pytest.fixture(scope="module")
def onnx_net(tmp_path_factory):
    return write_onnx_net(tmp_path_factory.mktemp("onnx") / "net.onnx")


def _refused(result, exit_code: ExitCode, *words: str) -> None:
    assert result.returncode == exit_code, result.stdout + result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for each in words:
        assert each in result.stderr


def test_a_missing_file_is_named(onnx_net, tmp_path):
    _refused(verify(onnx_net, tmp_path / "gone.tflite"), ExitCode.BAD_INPUT, "there is no", "gone.tflite")


def test_a_file_of_no_known_format_names_those_that_are(onnx_net, tmp_path):
    (tmp_path / "model.h5").write_bytes(b"x")
    _refused(verify(onnx_net, tmp_path / "model.h5"), ExitCode.BAD_INPUT, "model.h5 is of no format", ".onnx, .tflite")


def test_models_with_different_inputs_are_refused(onnx_net, tmp_path):
    other = write_onnx_scale(tmp_path / "scale.onnx", input_name="image", output_name="logits")
    _refused(
        verify(onnx_net, onnx_net, other),
        ExitCode.BAD_INPUT,
        "net.onnx takes image, token, scale.onnx takes image: expected the same names",
    )


def test_a_layout_that_fits_two_ways_is_asked_for(tmp_path):
    """Height, width and channels are alike: what the file stores could be either."""
    model = write_onnx_scale(tmp_path / "cube.onnx", input_name="image", output_name="tripled", shape=("N", 4, 4, 4))
    cube = _tflite_scale(tmp_path / "cube.tflite", (1, 4, 4, 4))
    _refused(
        verify(model, cube),
        ExitCode.BAD_INPUT,
        "cube.tflite does not say how it stores",
        "fits NHWC as well as NCHW",
        "--layout image=NHWC",
    )
    told = verify(model, cube, "--layout", "image=NHWC", "--layout", "tripled=NHWC")
    assert told.returncode == ExitCode.PASS, told.stdout + told.stderr
    half_told = verify(model, cube, "--layout", "image=NHWC")
    _refused(half_told, ExitCode.BAD_INPUT, "--layout tripled=NHWC")


def test_a_layout_of_no_tensor_is_a_mistake(onnx_net):
    _refused(
        verify(onnx_net, onnx_net, "--layout", "picture=NHWC"),
        ExitCode.BAD_INPUT,
        "--layout picture=NHWC: no model has a tensor of that name",
    )


@pytest.mark.parametrize("count", ["none", "empty folder"])
def test_zero_samples_decide_nothing(onnx_net, tmp_path, count):
    data = tmp_path / "data.npz"
    np.savez(data, image=np.zeros((0, 3, 8, 6), np.float32), token=np.zeros(0, np.int64))
    if count == "empty folder":
        data = tmp_path / "photos"
        data.mkdir()
    _refused(verify(onnx_net, onnx_net, "--data", data), ExitCode.BAD_INPUT, data.name)


def test_a_model_that_aborts_its_runtime_is_named(tf_models, tmp_path):
    """An infinite scale on the inside of an int8 file: LiteRT aborts its process when it prepares the op."""
    model = unpack((tf_models / "net_int8.tflite").read_bytes())
    (tensor,) = (tensor for tensor in model.subgraphs[0].tensors if tensor.name == b"add")
    tensor.quantization.scale = np.array([np.inf], np.float32)
    broken = tmp_path / "broken.tflite"
    write(model, broken)
    _refused(
        verify(tf_models / "net_float32.tflite", broken),
        ExitCode.INFRASTRUCTURE,
        "broken.tflite ended the process that ran it in LiteRT",
        "SIGABRT",
        "do not ship it",
        "log: ",
    )


def test_a_model_that_runs_no_batch_says_why(onnx_net, tmp_path):
    data = tmp_path / "data.npz"
    np.savez(data, image=np.zeros((3, 3, 8, 6), np.float32), token=np.full(3, 77))
    _refused(verify(onnx_net, onnx_net, "--data", data), ExitCode.BAD_INPUT, "token holds 0..9, but 77..77 was given")


def test_a_range_that_leads_out_of_a_table_is_refused(onnx_net):
    _refused(
        verify(onnx_net, onnx_net, "--input", "token=N:int64:0..10"),
        ExitCode.BAD_INPUT,
        "token may hold 0..10, and indexes a table of 10 rows",
        "0..9",
    )


def test_an_input_of_another_name_or_size_is_refused(onnx_net):
    _refused(
        verify(onnx_net, onnx_net, "--input", "ids=N:int64:0..9"), ExitCode.BAD_INPUT, "the models take image, token"
    )
    _refused(
        verify(onnx_net, onnx_net, "--input", "image=N,3,9,6"), ExitCode.BAD_INPUT, "the models take image as N,3,8,6"
    )


def test_models_of_different_fixed_batches_are_refused(tmp_path):
    models = (
        write_onnx_scale(tmp_path / f"of_{size}.onnx", input_name="x", output_name="y", shape=(size, 4))
        for size in ("N", 1, 4)
    )
    _refused(verify(*models), ExitCode.BAD_INPUT, "of_1.onnx of 1 and of_4.onnx of 4")


def _tflite_scale(path, shape):
    """Three times the input, as a TFLite file without a signature."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools.flatbuffer_utils import write_model

    def tensor(name: bytes, dims: tuple[int, ...], buffer: int):
        made = schema.TensorT()
        made.name, made.shape, made.buffer, made.type = name, list(dims), buffer, schema.TensorType.FLOAT32
        made.shapeSignature = [-1, *dims[1:]] if dims else None
        return made

    multiply, code = schema.OperatorT(), schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MUL
    multiply.inputs, multiply.outputs, multiply.opcodeIndex = [0, 1], [2], 0
    multiply.builtinOptionsType, multiply.builtinOptions = schema.BuiltinOptions.MulOptions, schema.MulOptionsT()
    three = schema.BufferT()
    three.data = np.frombuffer(np.array(3, "<f4").tobytes(), np.uint8)
    graph = schema.SubGraphT()
    graph.tensors = [tensor(b"image", shape, 0), tensor(b"three", (), 1), tensor(b"tripled", shape, 0)]
    graph.operators, graph.inputs, graph.outputs = [multiply], [0], [2]
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT(), three]
    write_model(model, str(path))
    return path
