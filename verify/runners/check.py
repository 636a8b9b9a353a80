"""Checking a batch against what a model declares, before a runtime sees it.

LiteRT runs a 3-channel convolution on 5 channels without a word, so a runtime's own check cannot be relied on.
"""

from __future__ import annotations

from verify.errors import SamplesInvalid
from verify.runners.base import Array, Batch
from verify.signature import Dim, Signature, TensorSpec


def check_stored_batch(signature: Signature, inputs: Batch) -> None:
    """Names, ranks, static dims and dtypes of a batch as the model stores it; raises ``SamplesInvalid``."""
    for spec in signature.inputs:
        array = _named(signature, inputs, spec.name)
        if not _fits(spec.shape, array.shape) or array.dtype.name != spec.dtype:
            raise _misfit(spec, spec.shape, array)


def check_torch_batch(signature: Signature, inputs: Batch) -> None:
    """Names, ranks and static dims of a batch in PyTorch layout; raises ``SamplesInvalid``."""
    for spec in signature.inputs:
        array = _named(signature, inputs, spec.name)
        if not _fits(spec.torch_shape, array.shape):
            raise _misfit(spec, spec.torch_shape, array)


def _named(signature: Signature, inputs: Batch, name: str) -> Array:
    if name in inputs:
        return inputs[name]
    raise SamplesInvalid(
        f"the model takes {', '.join(each.name for each in signature.inputs)}, but the batch has no "
        f"{name}: it holds {', '.join(inputs) or 'nothing'}",
        fix="name the arrays of the samples after the model's inputs",
    )


def _misfit(spec: TensorSpec, expected: tuple[Dim, ...], array: Array) -> SamplesInvalid:
    return SamplesInvalid(
        f"the model takes {spec.name} as {described(spec.dtype, expected)}, "
        f"but the batch gives {described(array.dtype.name, array.shape)}",
        fix="check the samples' shape, and the layout that is declared for the input",
    )


def _fits(declared: tuple[Dim, ...], shape: tuple[int, ...]) -> bool:
    return len(shape) == len(declared) and all(
        isinstance(dim, str) or dim == size for dim, size in zip(declared, shape, strict=True)
    )


def described(dtype: str, shape: tuple[Dim, ...]) -> str:
    """``float32[N, 3, 224, 224]``: how messages write a tensor."""
    return f"{dtype}[{', '.join(str(dim) for dim in shape)}]"
