"""Weights that no TFLite file holds, said before anything is converted."""

from __future__ import annotations

from collections.abc import Sequence

from convert.stages.base import Stage
from verify.artifact import Format
from verify.errors import ConversionError

LARGEST_WEIGHTS_BYTES = 2**31 - 2**26
"""A TFLite file is one flatbuffer, whose offsets are signed 32-bit numbers; the graph needs its share."""


def require_weights_fit(weight_bytes: int, stages: Sequence[Stage]) -> None:
    """Raise ``ConversionError`` when a float32 TFLite file is to be made of more weights than one can hold.

    ``vit_h_14`` (2.5 GB) and ``regnet_y_128gf`` (2.6 GB) asked for it. float16 would fit, but is made from float32.
    """
    if weight_bytes <= LARGEST_WEIGHTS_BYTES or not any(stage.produces is Format.TFLITE for stage in stages):
        return
    raise ConversionError(
        f"the weights are {weight_bytes / 1e9:.2f} GB as float32, and a TFLite file holds {2**31 / 1e9:.2f} GB: "
        "the float32 file that float16 and int8 are made from cannot be written",
        fix="stop at the SavedModel, which has no such limit (convert pth2tf), or convert a smaller variant of the "
        "architecture; two halves of the network, each with a class of its own (--arch FILE.py:CLASS), fit as well",
    )
