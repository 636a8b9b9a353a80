"""What an exporter, or PyTorch itself, raised on the way through a model's ``forward``."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterator

from torch import nn

from convert.export.known_errors.explanation import (
    ARGUMENTS,
    CONTAINER_INPUT,
    DEVICE,
    DTYPES,
    GRADIENT,
    MISSING_ATTRIBUTE,
    NUMPY,
    Explanation,
)
from convert.export.known_errors.fixed_batch import explain_fixed_batch
from convert.export.source_line import of_exception
from verify.samples import InputSpec

_DEVICE = re.compile(
    r"not compiled with CUDA|not linked with support for cuda|is not on the expected device"
    r"|Expected all tensors to be on the same device|Found no NVIDIA driver"
)
_NUMPY = re.compile(r"\.numpy\(\) is not supported for tensor subclasses|Can't call numpy\(\) on")
_DTYPES = re.compile(
    r"must have the same dtype, but got|to have the same dtype, but got|expected scalar type \w+ but found"
    r"|Input type \(.+\) and (?:bias|weight) type \(.+\) should be the same"
)
_GRADIENT = re.compile(
    r"does not require grad and does not have a grad_fn|Inference tensors cannot be saved for backward"
)
_KEYED = re.compile(
    r"new\(\): invalid data type 'str'|'(?:Fake)?Tensor' object has no attribute '(?:keys|items|get|pop)'"
)
_CALL = re.compile(
    r"forward\(\) (?:missing|got|takes)|missing a required argument|mismatch between the structure of `inputs`"
)
_SIZES = re.compile(r"(?i)\bsizes?\b|shape|dimension|fixed the batch|specialized it to be a constant")
_KEY = re.compile(r"\w\[[\"']")
_NO_ATTRIBUTE = re.compile(r"^'(\w+)' object has no attribute '(\w+)'")

Rule = Callable[[BaseException, nn.Module, tuple[InputSpec, ...]], Explanation | None]


def explain_failure(error: BaseException, module: nn.Module, inputs: tuple[InputSpec, ...]) -> Explanation | None:
    """The known cause of a failed export, looked for in the error and what caused it; then in how the model runs."""
    for cause in _chain(error):
        for rule in _RULES:
            explanation = rule(cause, module, inputs)
            if explanation is not None:
                return explanation
    return explain_fixed_batch(module, inputs) if _SIZES.search(str(error)) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _device(error: BaseException, _module: nn.Module, _inputs: tuple[InputSpec, ...]) -> Explanation | None:
    if not _DEVICE.search(str(error)):
        return None
    return Explanation(
        DEVICE,
        f"forward names a device of its own, and the model is converted on the CPU ({error})",
        fix="leave .cuda() and device='cuda' out of forward; make new tensors with device=x.device, and keep constants "
        "as buffers (self.register_buffer): they follow the model",
        line=of_exception(error),
    )


def _numpy(error: BaseException, _module: nn.Module, _inputs: tuple[InputSpec, ...]) -> Explanation | None:
    if not _NUMPY.search(str(error)):
        return None
    return Explanation(
        NUMPY,
        "forward turns a tensor into a NumPy array: what NumPy computes from it cannot be recorded, and a trace would "
        "keep the example's numbers for good",
        fix="compute it with torch (torch.tanh for np.tanh), or before the model's inputs, or after its outputs",
        line=of_exception(error),
    )


def _dtypes(error: BaseException, _module: nn.Module, _inputs: tuple[InputSpec, ...]) -> Explanation | None:
    if not _DTYPES.search(str(error)):
        return None
    return Explanation(
        DTYPES,
        f"forward mixes float types ({error}): weights and inputs are float32, something in forward is not",
        fix="leave .double() and .half() out of forward, and make constants float32: torch.from_numpy(array).float()",
        line=of_exception(error),
    )


def _gradient(error: BaseException, _module: nn.Module, _inputs: tuple[InputSpec, ...]) -> Explanation | None:
    if not _GRADIENT.search(str(error)):
        return None
    return Explanation(
        GRADIENT,
        "forward takes a gradient, which inference does not have",
        fix="write the derivative out in forward, or leave that part out of the exported model",
        line=of_exception(error),
    )


def _container_input(error: BaseException, _module: nn.Module, inputs: tuple[InputSpec, ...]) -> Explanation | None:
    line = of_exception(error) or ""
    by_key = isinstance(error, IndexError | TypeError) and _KEY.search(line)  # a text is a sequence of indices to torch
    if not by_key and not _KEYED.search(str(error)):
        return None
    given = ", ".join(spec.name for spec in inputs)
    return Explanation(
        CONTAINER_INPUT,
        f"forward takes a dict, and a model file takes tensors, each with a name; {given} was given as a tensor",
        fix="put a class beside the net, with an argument for each tensor, and give it as --arch: class Flat(Net): def "
        "forward(self, image, mask): return super().forward({'image': image, 'mask': mask}); a subclass loads the "
        "same checkpoint",
        line=line,
    )


def _arguments(error: BaseException, module: nn.Module, _inputs: tuple[InputSpec, ...]) -> Explanation | None:
    taken = inspect.signature(module.forward).parameters.values()
    kinds = inspect.Parameter
    star = next((f"*{each.name}" for each in taken if each.kind is kinds.VAR_POSITIONAL), None)
    named = [each.name for each in taken if each.kind is kinds.KEYWORD_ONLY and each.default is kinds.empty]
    if not _CALL.search(str(error)) or not (star or named):
        return None
    return Explanation(
        ARGUMENTS,
        f"forward takes {star or ' and '.join(named)}, and inputs are given to it in order, one for each name",
        fix="put a subclass beside the net with an argument for each tensor, as --arch: class Flat(Net): def "
        "forward(self, image, mask): return super().forward(image, mask=mask); it loads the same checkpoint",
        line=f"def forward{inspect.signature(module.forward)}",
    )


def _missing_attribute(error: BaseException, module: nn.Module, _inputs: tuple[InputSpec, ...]) -> Explanation | None:
    found = _NO_ATTRIBUTE.match(str(error)) if isinstance(error, AttributeError) else None
    owner = next((each for each in module.modules() if found and type(each).__name__ == found[1]), None)
    if found is None or owner is None:
        return None
    names = [name for name in (*vars(owner), *(name for name, _ in owner.named_children())) if not name.startswith("_")]
    close = difflib.get_close_matches(found[2], names, 2)
    hint = f"; it has {' and '.join(close)}" if close else ""
    return Explanation(
        MISSING_ATTRIBUTE,
        f"forward uses self.{found[2]}, which {found[1]} does not have{hint}",
        fix=f"make it in {found[1]}.__init__, as the class that the checkpoint was saved from does; is --arch that?",
        line=of_exception(error),
    )


_RULES: tuple[Rule, ...] = (_arguments, _device, _numpy, _dtypes, _gradient, _container_input, _missing_attribute)
