"""Running an ONNX file with onnxruntime on the CPU, and reading what it takes and gives."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from verify.batches import Array
from verify.errors import ModelUnreadable
from verify.runners.base import Batch
from verify.runners.check import check_stored_batch
from verify.signature import BATCH, Dim, Signature, TensorSpec
from verify.threads import runtime_threads

_ERRORS_ONLY = 3


class OnnxRunner:
    """An onnxruntime session, built once, on entering."""

    def __init__(self, path: Path, signature: Signature, *, threads: int | None = None) -> None:
        self._path = path
        self._signature = signature
        self._threads = threads or runtime_threads()
        self._session: Any = None

    @property
    def signature(self) -> Signature:
        """What the artifact declares."""
        return self._signature

    def __enter__(self) -> Self:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no base class but Exception
            raise ModelUnreadable(
                f"onnxruntime cannot open {self._path.name}: {error}",
                fix="check the file with onnx.checker, and that every operator in it is a standard one",
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session = None

    def infer(self, inputs: Batch) -> dict[str, Array]:
        """Run one batch; arrays as the file stores them. Raises ``ModelUnreadable`` with onnxruntime's own words."""
        if self._session is None:
            raise RuntimeError("a runner is a context manager: enter it first")
        check_stored_batch(self._signature, inputs)
        names = [output.name for output in self._session.get_outputs()]
        feed = {spec.name: inputs[spec.name] for spec in self._signature.inputs}
        try:
            arrays = self._session.run(names, feed)
        except Exception as error:  # as above
            shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in feed.items())
            raise ModelUnreadable(f"onnxruntime cannot run {self._path.name} on {shapes}: {error}") from error
        return dict(zip(names, arrays, strict=True))


def onnx_signature(path: Path) -> Signature:
    """What an ONNX file takes and gives, in its own words, in PyTorch layout; initializers are no inputs.

    Raises ``ModelUnreadable`` when the file is none, or an input has no shape.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        graph = onnx.load(str(path), load_external_data=False).graph
    except (OSError, DecodeError) as error:
        raise ModelUnreadable(f"{path} is no ONNX file: {type(error).__name__}: {error}") from error
    if not graph.node and not graph.output:
        raise ModelUnreadable(f"{path} is no ONNX file, or an empty one: it has no nodes and no outputs")
    return signature_of(graph)


def signature_of(graph: Any) -> Signature:
    """What an ``onnx.GraphProto`` takes and gives; raises ``ModelUnreadable`` when an input or output has no shape."""
    weights = {tensor.name for tensor in graph.initializer}
    return Signature(
        inputs=tuple(_spec(value) for value in graph.input if value.name not in weights),
        outputs=tuple(_spec(value) for value in graph.output),
    )


def _spec(value: Any) -> TensorSpec:
    import onnx

    if not value.type.HasField("tensor_type"):
        raise ModelUnreadable(
            f"{value.name} is no tensor but a {value.type.WhichOneof('value')}; only tensors are supported"
        )
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        raise ModelUnreadable(
            f"{value.name} has no shape in the ONNX file; expected its rank, with every dim a number or a name",
            fix="run onnx.shape_inference.infer_shapes on the file, or export it again",
        )
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    return TensorSpec(
        value.name, dtype, tuple(_dim(value.name, axis, dim) for axis, dim in enumerate(tensor.shape.dim))
    )


def _dim(name: str, axis: int, dim: Any) -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return dim.dim_param or (BATCH if axis == 0 else f"{name}_{axis}")
