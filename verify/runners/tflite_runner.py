"""Running a ``.tflite`` file as a phone would: LiteRT, its default delegate (XNNPACK), no TensorFlow.

A broken file can abort the whole process (TRAPS: ``allocate_tensors`` on an int8 file with an infinite scale), so fresh
and foreign files are opened in a :class:`verify.worker.Worker` only.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from verify.batches import Array
from verify.errors import ModelUnreadable
from verify.runners.base import Batch
from verify.runners.check import check_stored_batch
from verify.runners.tflite_file import TensorMap, open_model, tensor_map
from verify.signature import Signature
from verify.threads import runtime_threads


class TfliteRunner:
    """A LiteRT interpreter, built once; inputs are resized when the batch size changes."""

    def __init__(
        self, path: Path, signature: Signature, *, threads: int | None = None, default_delegate: bool = True
    ) -> None:
        """Without its default delegate LiteRT computes every op in its own kernels."""
        self._default_delegate = default_delegate
        self._path = path
        self._signature = signature
        self._threads = threads or runtime_threads()
        self._interpreter: Any = None
        self._names: TensorMap | None = None

    @property
    def signature(self) -> Signature:
        """What the artifact declares."""
        return self._signature

    def __enter__(self) -> Self:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        resolver = OpResolverType.AUTO if self._default_delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        with open_model(self._path) as model:
            self._names = tensor_map(model)
        try:
            self._interpreter = Interpreter(
                model_path=str(self._path), num_threads=self._threads, experimental_op_resolver_type=resolver
            )
        except (RuntimeError, ValueError) as error:
            raise ModelUnreadable(f"LiteRT cannot open {self._path.name}: {error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._interpreter = None

    def infer(self, inputs: Batch) -> dict[str, Array]:
        """Run one batch; arrays as the file stores them. Raises ``ModelUnreadable`` with LiteRT's own words."""
        if self._names is None:
            raise RuntimeError("a runner is a context manager: enter it first")
        check_stored_batch(self._signature, inputs)
        try:
            if self._names.key is None:
                return self._infer_by_index(self._names, inputs)
            outputs: dict[str, Array] = self._interpreter.get_signature_runner(self._names.key)(**inputs)
        except (RuntimeError, ValueError) as error:
            shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in inputs.items())
            raise ModelUnreadable(f"LiteRT cannot run {self._path.name} on {shapes}: {error}") from error
        return outputs

    def _infer_by_index(self, names: TensorMap, inputs: Batch) -> dict[str, Array]:
        """For files without a signature (some converters write none)."""
        for name, at in names.inputs:
            self._interpreter.resize_tensor_input(at, inputs[name].shape)
        self._interpreter.allocate_tensors()
        for name, at in names.inputs:
            self._interpreter.set_tensor(at, inputs[name])
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(at) for name, at in names.outputs}
