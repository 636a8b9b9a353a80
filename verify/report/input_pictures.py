"""One sample of one input, made small enough for a report: an image as a PNG of at most 96 pixels, or a few values."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

from verify.batches import Array
from verify.report.picture_types import InputPicture

MOST_PIXELS = 96
_FEW_VALUES = 16
_LEAST_PIXELS = 4
_COLOUR_TYPES = {1: 0, 3: 2}


def picture_input(name: str, sample: Array) -> InputPicture:
    """``sample`` is without its batch axis, in PyTorch layout.

    An image is ``(1 or 3, height, width)`` or ``(height, width)`` of real numbers; its lowest value becomes black and
    its highest white, whatever its normalisation was. Other than finite values become black.
    """
    values = sample.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
    image = _as_image(values) if sample.dtype.kind in "fui" else None
    return InputPicture(
        name=name,
        dtype=str(sample.dtype),
        shape=tuple(sample.shape),
        low=low,
        high=high,
        png=None if image is None or low is None or high is None else _png(_to_bytes(_smaller(image), low, high)),
        values=() if image is not None else tuple(_number(value) for value in values.ravel()[:_FEW_VALUES]),
    )


def _as_image(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """``(height, width, channels)``, or ``None`` where it is none."""
    image = values[np.newaxis] if values.ndim == 2 else values
    if image.ndim != 3 or image.shape[0] not in _COLOUR_TYPES or min(image.shape[1:]) < _LEAST_PIXELS:
        return None
    return image.transpose(1, 2, 0)


def _smaller(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Every n-th pixel: what the model saw, not an average of it."""
    step = -(-max(image.shape[:2]) // MOST_PIXELS)
    return image[::step, ::step]


def _to_bytes(image: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.uint8]:
    span = high - low or 1.0
    scaled = np.nan_to_num((image - low) / span, nan=0.0, posinf=0.0, neginf=0.0)
    return (scaled.clip(0, 1) * 255).round().astype(np.uint8)


def _png(pixels: npt.NDArray[np.uint8]) -> str:
    """Base64 of a PNG (W3C, third edition) of ``(height, width, 1 or 3)`` bytes, no filter."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _number(value: float) -> float | None:
    return float(f"{value:.7g}") if np.isfinite(value) else None
