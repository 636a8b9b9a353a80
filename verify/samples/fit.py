"""Whether an array can be an input: rank, static dims, dtype, range, finiteness. Refuses with expected and given."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from verify.errors import SamplesInvalid
from verify.samples.spec import InputSpec
from verify.signature import Dim

Array = npt.NDArray[np.generic]
Sample = dict[str, Array]
"""One sample: every input by name, batch axis 1."""


def as_input(spec: InputSpec, array: Array, origin: str) -> Array:
    """``array`` (batch axis first) as the dtype of the input; raises ``SamplesInvalid`` naming ``origin``."""
    check_shape(spec, array.shape, origin)
    target = np.dtype(spec.dtype)
    if not _can_hold(target, array.dtype):
        raise SamplesInvalid(
            f"{origin}: input {spec.name} holds {target}, but {array.dtype} was given", fix="convert it"
        )
    if not np.isfinite(array).all():
        raise SamplesInvalid(f"{origin}: input {spec.name} has NaN or infinite values", fix="leave that sample out")
    if target.kind in "iu":
        _check_range(spec, array, origin)
    return array.astype(target)


def check_shape(spec: InputSpec, shape: tuple[int, ...], origin: str) -> None:
    """Raises ``SamplesInvalid`` unless ``shape`` (batch axis first) fits the input's rank and static dims."""
    if fits(spec.shape, shape):
        return
    expected = ", ".join(("samples", *(str(dim) for dim in spec.shape[1:])))
    raise SamplesInvalid(
        f"{origin}: input {spec.name} takes ({expected}) in PyTorch layout, "
        f"but the array given has shape ({', '.join(str(size) for size in shape)})",
        fix=_shape_remedy(spec.shape, shape),
    )


def fits(expected: tuple[Dim, ...], shape: tuple[int, ...]) -> bool:
    """Same rank, and every static dim but the first (the batch) is met."""
    return len(expected) == len(shape) and all(
        isinstance(dim, str) or dim == size for dim, size in zip(expected[1:], shape[1:], strict=True)
    )


def _shape_remedy(expected: tuple[Dim, ...], shape: tuple[int, ...]) -> str:
    if len(shape) >= 4 and fits(expected, (shape[0], shape[-1], *shape[1:-1])):
        axes = (0, len(shape) - 1, *range(1, len(shape) - 1))
        return f"it looks channels-last; transpose it: array.transpose{axes}"
    if len(shape) >= 4 and fits(expected, (shape[0], *shape[2:], shape[1])):
        axes = (0, *range(2, len(shape)), 1)
        return (
            f"it looks channels-first; transpose it: array.transpose{axes}, or keep the signature.json, which says how "
            "the axes lead to the model's, beside the model"
        )
    if len(shape) == len(expected) - 1 and fits(expected, (1, *shape)):
        return "the first axis counts samples; add it: array[None]"
    return "reshape the samples; convert takes another input shape with --input"


def _can_hold(target: np.dtype[np.generic], given: np.dtype[np.generic]) -> bool:
    if target.kind == "b":
        return given.kind == "b"
    if target.kind in "iu":
        return given.kind in "biu"
    return given.kind in "biuf"


def _check_range(spec: InputSpec, array: Array, origin: str) -> None:
    limits = np.iinfo(spec.dtype)
    low = limits.min if spec.low is None else spec.low
    high = limits.max if spec.high is None else spec.high
    if array.size and not (low <= array.min() and array.max() <= high):
        raise SamplesInvalid(
            f"{origin}: input {spec.name} holds {low:g}..{high:g}, but {array.min()}..{array.max()} was given",
            fix="leave those samples out, or declare a wider range with --input",
        )
