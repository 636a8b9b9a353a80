"""Running a SavedModel's ``serving_default`` signature with TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from verify.batches import Array
from verify.errors import ModelUnreadable
from verify.runners.base import Batch
from verify.signature import BATCH, Dim, Signature, TensorSpec

SERVING_DEFAULT = "serving_default"


class SavedModelRunner:
    """A loaded SavedModel; loading happens once, on entering."""

    def __init__(self, path: Path, signature: Signature) -> None:
        self._path = path
        self._signature = signature
        self._loaded: Any = None
        self._function: Any = None

    @property
    def signature(self) -> Signature:
        """What the artifact declares."""
        return self._signature

    def __enter__(self) -> Self:
        self._loaded, self._function = load_signature(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loaded = self._function = None

    def infer(self, inputs: Batch) -> dict[str, Array]:
        """Run one batch; arrays as the model stores them. Raises ``ModelUnreadable`` with TensorFlow's own words."""
        import tensorflow as tf

        try:
            outputs = self._function(**{name: tf.constant(array) for name, array in inputs.items()})
        except (tf.errors.OpError, TypeError, ValueError) as error:
            shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in inputs.items())
            raise ModelUnreadable(f"TensorFlow cannot run {self._path.name} on {shapes}: {error}") from error
        return {name: tensor.numpy() for name, tensor in outputs.items()}


def saved_model_signature(path: Path, permutations: Mapping[str, tuple[int, ...] | None]) -> Signature:
    """What a SavedModel itself says of its inputs and outputs; needs TensorFlow, so call it in a worker.

    ``permutations`` gives each tensor's permutation from the PyTorch layout, which no SavedModel knows; a name that is
    not in it keeps its order.
    """
    _loaded, function = load_signature(path)
    inputs = function.structured_input_signature[1]
    outputs = function.structured_outputs
    return Signature(
        inputs=tuple(_spec(name, spec, permutations.get(name)) for name, spec in inputs.items()),
        outputs=tuple(_spec(name, spec, permutations.get(name)) for name, spec in outputs.items()),
    )


def load_signature(path: Path) -> tuple[Any, Any]:
    """The loaded object (which must outlive the function: it owns the variables) and its ``serving_default``."""
    import tensorflow as tf

    if not (path / "saved_model.pb").is_file():
        raise ModelUnreadable(f"{path} is no SavedModel: expected a folder that holds saved_model.pb")
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow raises anything, from OSError to its own and protobuf's errors
        raise ModelUnreadable(f"TensorFlow cannot open {path.name}: {type(error).__name__}: {error}") from error
    if SERVING_DEFAULT not in loaded.signatures:
        found = ", ".join(loaded.signatures) or "none"
        raise ModelUnreadable(f"{path.name} has no {SERVING_DEFAULT!r} signature; it has: {found}")
    return loaded, loaded.signatures[SERVING_DEFAULT]


def _spec(name: str, spec: Any, permutation: tuple[int, ...] | None) -> TensorSpec:
    if spec.shape.rank is None:
        raise ModelUnreadable(f"{name} has no rank in the SavedModel; expected one with every dim named or dynamic")
    shape = tuple(_dim(size, axis, name) for axis, size in enumerate(spec.shape.as_list()))
    return TensorSpec(name, spec.dtype.name, shape, permutation)


def _dim(size: int | None, axis: int, name: str) -> Dim:
    if size is not None:
        return int(size)
    return BATCH if axis == 0 else f"{name}_{axis}"
