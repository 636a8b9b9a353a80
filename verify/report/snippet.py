"""Python to paste: how to feed one TFLite file with LiteRT, derived from its signature.

Names come from the model, so they are only ever written as Python string literals; variables get names of our own.
"""

from __future__ import annotations

import keyword
import re

from verify.errors import SamplesInvalid
from verify.model import ModelDescription
from verify.report import words
from verify.report.types import ArtifactReport
from verify.samples.image_folder import effective_preprocessing
from verify.samples.spec import ImagePreprocessing, InputSpec
from verify.signature import Quantization, TensorSpec, channels_last_permutation

_RESERVED = frozenset({"np", "Image", "Interpreter", "run", "result", "photo", "width", "height", "left", "top"})
_RESAMPLING = {"bilinear": "BILINEAR", "bicubic": "BICUBIC", "nearest": "NEAREST", "lanczos": "LANCZOS"}
_NAME_MAX_CHARACTERS = 24


def feeding_snippet(artifact: ArtifactReport, model: ModelDescription | None) -> str:
    """A script that runs as it stands in the output folder, once the inputs are the reader's own."""
    inputs, outputs = artifact.signature.inputs, artifact.signature.outputs
    known = {spec.name: spec for spec in model.inputs} if model else {}
    variables = _variables(inputs + outputs)
    lines = [f"run = Interpreter({_literal(artifact.file)}).get_signature_runner()"]
    for spec, variable in zip(inputs, variables, strict=False):
        lines += ["", *_feeding(spec, variable, known.get(spec.name))]
    lines += ["", f"result = run({_call(inputs, variables)})"]
    for spec, variable in zip(outputs, variables[len(inputs) :], strict=True):
        lines.append(_reading(spec, variable))
    imports = ["import numpy as np", "from ai_edge_litert.interpreter import Interpreter"]
    if any(photo_preprocessing(known.get(spec.name)) for spec in inputs):
        imports.append("from PIL import Image")
    return "\n".join([*imports, "", *lines]) + "\n"


def _feeding(spec: TensorSpec, variable: str, known: InputSpec | None) -> list[str]:
    """What the reader has → what the file takes."""
    preprocessing = photo_preprocessing(known)
    lines = _photo(variable, preprocessing, spec) if preprocessing else _placeholder(variable, spec, known)
    if spec.quantization is not None:
        lines += _quantizing(variable, spec.dtype, spec.quantization)
    lines.append(f"{variable} = np.ascontiguousarray({variable}, {_numpy_dtype(spec.dtype)})")
    return lines


def photo_preprocessing(known: InputSpec | None) -> ImagePreprocessing | None:
    """How a photograph becomes this input: the known preprocessing at the input's own size; ``None`` for no photo."""
    if known is None or known.preprocessing is None or len(known.shape) != 4 or known.shape[1] != 3:
        return None
    try:
        return effective_preprocessing(known)
    except SamplesInvalid:
        return None


def _photo(variable: str, how: ImagePreprocessing, spec: TensorSpec) -> list[str]:
    to_float = f"(np.asarray(photo, np.float32) / 255 - {how.mean}) / {how.std}"
    if spec.permutation == channels_last_permutation(4):
        batch = f"{variable} = {variable}[None]  # one photo, channels last"
    else:
        batch = f"{variable} = {variable}.transpose(2, 0, 1)[None]{_permuting(spec)}  # one photo"
    return [
        'photo = Image.open("photo.jpg").convert("RGB")',
        f"width, height = (int({how.resize} * side / min(photo.size)) for side in photo.size)",
        f"photo = photo.resize((width, height), Image.Resampling.{_RESAMPLING.get(how.interpolation, 'BILINEAR')})",
        f"left, top = round((width - {how.crop}) / 2), round((height - {how.crop}) / 2)",
        f"photo = photo.crop((left, top, left + {how.crop}, top + {how.crop}))",
        f"{variable} = {to_float}",
        batch,
    ]


def _placeholder(variable: str, spec: TensorSpec, known: InputSpec | None) -> list[str]:
    """Zeros as PyTorch would take them, for the reader to replace."""
    shape = tuple(1 if isinstance(dim, str) else dim for dim in spec.torch_shape)
    dtype = "np.float32" if spec.quantization else _numpy_dtype(spec.dtype)
    bounds = f", {known.low:g} to {known.high:g}" if known and known.low is not None and known.high is not None else ""
    yours = f"  # yours: {_comment(words.dims(spec.torch_shape))}, PyTorch’s axis order{bounds}"
    lines = [f"{variable} = np.zeros({shape}, {dtype}){yours}"]
    if spec.permutation is not None:
        lines.append(f"{variable} = {variable}{_permuting(spec)}  # {words.layout(spec)}")
    return lines


def _permuting(spec: TensorSpec) -> str:
    return f".transpose{spec.permutation}" if spec.permutation is not None else ""


def _quantizing(variable: str, dtype: str, how: Quantization) -> list[str]:
    limits = f"np.iinfo({_numpy_dtype(dtype)})"
    stored = f"np.rint({variable} / {how.scale!r}) {_plus(how.zero_point)}"
    return [f"{variable} = np.clip({stored}, {limits}.min, {limits}.max)"]


def _reading(spec: TensorSpec, variable: str) -> str:
    """What the file gives → PyTorch layout and real values."""
    value = f"result[{_literal(spec.name)}]"
    if spec.quantization is not None:
        value = f"({value}.astype(np.float32) {_plus(-spec.quantization.zero_point)}) * {spec.quantization.scale!r}"
    if spec.permutation is not None:
        inverse = tuple(sorted(range(len(spec.permutation)), key=spec.permutation.__getitem__))
        value = f"({value}).transpose{inverse}"
    return f"{variable} = {value}  # {_comment(words.dims(spec.torch_shape))}"


def _call(specs: tuple[TensorSpec, ...], variables: list[str]) -> str:
    pairs = list(zip((spec.name for spec in specs), variables, strict=False))
    if all(name.isidentifier() and name.isascii() and not keyword.iskeyword(name) for name, _ in pairs):
        return ", ".join(f"{name}={variable}" for name, variable in pairs)
    return "**{" + ", ".join(f"{_literal(name)}: {variable}" for name, variable in pairs) + "}"


def _variables(specs: tuple[TensorSpec, ...]) -> list[str]:
    used = set(_RESERVED)
    chosen = []
    for spec in specs:
        base = re.sub(r"[^0-9a-z]+", "_", spec.name.lower())[:_NAME_MAX_CHARACTERS].strip("_") or "tensor"
        base = f"tensor_{base}" if base[0].isdigit() or keyword.iskeyword(base) else base
        name, number = base, 2
        while name in used:
            name, number = f"{base}_{number}", number + 1
        used.add(name)
        chosen.append(name)
    return chosen


def _numpy_dtype(dtype: str) -> str:
    return f"np.{ {'bool': 'bool_'}.get(dtype, dtype) }" if re.fullmatch(r"[a-z]+[0-9]*", dtype) else "np.float32"


def _literal(text: str) -> str:
    """A double-quoted Python string literal with everything unprintable escaped."""
    return '"' + words.printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _comment(text: str) -> str:
    return words.printable(text)


def _plus(number: int) -> str:
    return f"- {-number}" if number < 0 else f"+ {number}"
