"""What ``--input`` means: ``NAME=DIMS[:DTYPE[:LOW..HIGH]]``, as ``image=N,1,28,28`` or ``ids=N,16:int64:0..29999``."""

from __future__ import annotations

import dataclasses
import re

from verify.errors import InputSpecInvalid
from verify.samples import ImagePreprocessing, InputSpec
from verify.signature import BATCH, Dim

_FLOAT_DTYPES = ("float32",)
_OTHER_FLOATS = ("float64", "double", "float16", "half", "bfloat16")
_INTEGER_DTYPES = ("int64", "int32", "int16", "int8", "uint8")
_DTYPES = (*_FLOAT_DTYPES, *_INTEGER_DTYPES, "bool")
_RANGE = re.compile(r"(-?[\d.]+(?:e-?\d+)?)\.\.(-?[\d.]+(?:e-?\d+)?)")
_HOW = "write NAME=DIMS[:DTYPE[:LOW..HIGH]], as image=N,3,224,224 or ids=N,16:int64:0..29999 (N is the batch)"
_IMAGE_RANK = 4


def parse_input(text: str) -> InputSpec:
    """One ``--input``; raises ``InputSpecInvalid``."""
    name, separator, rest = text.partition("=")
    dims, _, kind = rest.partition(":")
    dtype, _, limits = kind.partition(":")
    if not separator or not re.fullmatch(r"[A-Za-z_][\w./-]*", name):
        raise _invalid(text, "it has no NAME= in front")
    low, high = _limits(text, limits)
    spec = InputSpec(name, _dims(text, dims), _dtype(text, dtype), low, high)
    return _with_range(spec)


def _with_range(spec: InputSpec) -> InputSpec:
    if spec.dtype in _INTEGER_DTYPES and spec.low is None:
        dims = ",".join(str(size) for size in spec.shape)
        raise InputSpecInvalid(
            f"input {spec.name} is {spec.dtype} and has no range, so no sample can be drawn for it",
            fix=f"say what it may hold: --input {spec.name}={dims}:{spec.dtype}:0..9",
        )
    return spec


def resolve_inputs(
    texts: tuple[str, ...], parameters: tuple[str, ...], required: int, defaults: tuple[InputSpec, ...]
) -> tuple[InputSpec, ...]:
    """The model's inputs, in the order of ``forward``'s parameters; raises ``InputSpecInvalid``.

    Without texts the defaults stand. Given names that all are parameters are matched by name, others by position.
    """
    if not texts:
        if defaults:
            return tuple(_with_range(spec) for spec in defaults)
        raise _missing(parameters[: max(required, 1)])
    specs = tuple(parse_input(text) for text in texts)
    names = [spec.name for spec in specs]
    if len(set(names)) != len(names):
        raise InputSpecInvalid(f"two inputs have the same name: {', '.join(names)}", fix="name each input once")
    if not required <= len(specs) <= max(len(parameters), 1):
        raise InputSpecInvalid(
            f"{len(specs)} inputs are given ({', '.join(names)}) and the model's forward takes "
            f"{_count(required, len(parameters))}: {', '.join(parameters)}",
            fix=f"give one --input for each; {_HOW}",
        )
    if set(names) <= set(parameters):
        specs = tuple(sorted(specs, key=lambda spec: parameters.index(spec.name)))
        _require_no_gap(tuple(spec.name for spec in specs), parameters)
    return tuple(_like_default(spec, defaults) for spec in specs)


def _require_no_gap(names: tuple[str, ...], parameters: tuple[str, ...]) -> None:
    """Inputs are passed in order: one that is left out moves all that follow it to the place before."""
    missing = [name for name in parameters[: len(names)] if name not in names]
    if missing:
        raise InputSpecInvalid(
            f"forward takes {', '.join(parameters)} in this order; {', '.join(names)} are given, and "
            f"{', '.join(missing)} before the last of them is not",
            fix=f"give --input {missing[0]}=... as well; or put a subclass beside the net whose forward takes "
            f"{', '.join(names)} and passes them on by name, and give it as --arch",
        )


def _like_default(spec: InputSpec, defaults: tuple[InputSpec, ...]) -> InputSpec:
    """An input that replaces a picture of the architecture keeps its preprocessing, at the size asked for."""
    default = next((d for d in defaults if d.preprocessing is not None and len(defaults) == 1), None)
    if default is None or default.preprocessing is None or len(spec.shape) != _IMAGE_RANK:
        return spec
    preprocessing, side = default.preprocessing, spec.shape[-1]
    if spec.dtype != "float32" or spec.shape[1] != default.shape[1] or not isinstance(side, int):
        return spec
    resize = round(side * preprocessing.resize / preprocessing.crop)
    scaled = dataclasses.replace(preprocessing, resize=resize, crop=side)
    return dataclasses.replace(spec, preprocessing=scaled if spec.shape[2] == side else None)


def image_input(channels: int, preprocessing: ImagePreprocessing) -> InputSpec:
    """A picture ``(N, channels, crop, crop)`` named ``image``."""
    return InputSpec("image", (BATCH, channels, preprocessing.crop, preprocessing.crop), preprocessing=preprocessing)


def _missing(parameters: tuple[str, ...]) -> InputSpecInvalid:
    names = parameters or ("x",)
    example = " ".join(f"--input {name}=N,3,224,224" for name in names)
    return InputSpecInvalid(
        f"nothing says what shape {' and '.join(names)} of this model's forward has",
        fix=f"give it, for instance {example} (N is the batch; integers take a type and range: "
        f"--input {names[0]}=N,16:int64:0..29999)",
    )


def _count(required: int, most: int) -> str:
    return str(most) if required == most else f"{required} to {most}"


def _dims(text: str, dims: str) -> tuple[Dim, ...]:
    parts = [part.strip() for part in dims.split(",")]
    if not all(re.fullmatch(r"\d+|[A-Za-z_]\w*", part) for part in parts):
        raise _invalid(text, f"{dims or 'nothing'} is no list of sizes and names")
    shape = tuple(int(part) if part.isdigit() else part for part in parts)
    if isinstance(shape[0], int):
        raise InputSpecInvalid(
            f"--input {text}: the first size is the batch, which stays free, and {shape[0]} was given",
            fix=f"write N in its place: {text.replace(f'={parts[0]}', f'={BATCH}', 1)}",
        )
    if 0 in shape:
        raise _invalid(text, "a size is 0")
    return (BATCH, *shape[1:])


def _dtype(text: str, dtype: str) -> str:
    if dtype in _OTHER_FLOATS:
        raise InputSpecInvalid(
            f"--input {text}: {dtype}, but models are converted in float32, whatever their checkpoint was saved in",
            fix=f"give it as float32: {text.replace(f':{dtype}', ':float32', 1)}; cast in front of the model",
        )
    if dtype and dtype not in _DTYPES:
        raise _invalid(text, f"{dtype} is none of {', '.join(_DTYPES)}")
    return dtype or "float32"


def _limits(text: str, limits: str) -> tuple[float | None, float | None]:
    if not limits:
        return None, None
    match = _RANGE.fullmatch(limits)
    if match is None:
        raise _invalid(text, f"{limits} is no LOW..HIGH")
    try:
        low, high = float(match[1]), float(match[2])
    except ValueError:
        raise _invalid(text, f"{limits} is no LOW..HIGH") from None
    if low > high:
        raise _invalid(text, f"{low:g} is above {high:g}")
    return low, high


def _invalid(text: str, why: str) -> InputSpecInvalid:
    return InputSpecInvalid(f"--input {text}: {why}", fix=_HOW)
