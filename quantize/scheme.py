"""What a static file is to be made of, as a person asks for it: types, exceptions by name, fixed input scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quantize.recipe import InputStats, IoType, Precision
from verify.errors import InputError

WEIGHT_BITS = (4, 8)
_BYTE = 255


@dataclass(frozen=True)
class Scheme:
    """``keep_float`` and ``keep_int16`` are patterns (:mod:`quantize.selection`).

    ``weight_bits`` 4 holds for CONV_2D and FULLY_CONNECTED; LiteRT computes no other op on int4.
    """

    activations: Precision = Precision.INT8
    weight_bits: int = 8
    per_tensor_weights: bool = False
    keep_float: tuple[str, ...] = ()
    keep_int16: tuple[str, ...] = ()
    input_stats: tuple[InputStats, ...] = ()
    require_full_int8: bool = False

    def require_consistent(self, io: IoType) -> None:
        """Raise ``InputError`` for wishes that exclude each other."""
        if self.weight_bits not in WEIGHT_BITS:
            raise InputError(f"weights of {self.weight_bits} bits; LiteRT takes 4 and 8", fix="give 4 or 8")
        if io is IoType.INT16 and self.activations is not Precision.INT16:
            raise InputError("an int8 file with int16 inputs and outputs", fix="give int8, uint8 or float32")
        if self.activations is Precision.INT16 and io not in {IoType.INT16, IoType.FLOAT32}:
            raise InputError(f"a 16x8 file with {io.value} inputs and outputs", fix="give int16 or float32")
        if self.input_stats and io not in {IoType.INT8, IoType.UINT8}:
            raise InputError(f"input statistics for {io.value} inputs", fix="give --int8-io uint8 or int8")
        if self.require_full_int8:
            self._require_full_int8_possible(io)

    def _require_full_int8_possible(self, io: IoType) -> None:
        if self.keep_float or self.keep_int16 or self.activations is not Precision.INT8:
            raise InputError(
                "every op is to be int8, and some are to be kept in float or int16",
                fix="leave out --require-full-int8, or --keep-float and --keep-int16",
            )
        if io is IoType.FLOAT32:
            raise InputError(
                "every op is to be int8, and inputs and outputs float32, which the file would have to convert",
                fix="give --int8-io int8 or uint8",
            )


def parse_input_stats(text: str, inputs: Sequence[str]) -> InputStats:
    """``127.5,127.5``, or ``image=127.5,127.5`` where a model has several inputs; raises ``InputError``."""
    name, _, numbers = text.rpartition("=")
    try:
        mean, std = map(float, numbers.split(","))
    except ValueError:
        raise InputError(
            f"{text!r} is no input statistics", fix="give MEAN,STD as in real = (stored - MEAN) / STD: 127.5,127.5"
        ) from None
    if not name and len(inputs) != 1:
        raise InputError(
            f"{text!r} does not say which of the inputs {', '.join(inputs)} it is for", fix="give NAME=MEAN,STD"
        )
    if name and name not in inputs:
        raise InputError(f"the model has no input {name!r}", fix=f"its inputs: {', '.join(inputs)}")
    if not 0 <= mean <= _BYTE or not std > 0:
        raise InputError(
            f"{text!r}: a uint8 input holds 0 only if MEAN is from 0 to 255 and STD above 0",
            fix="give MEAN,STD as in real = (stored - MEAN) / STD, stored from 0 to 255",
        )
    return InputStats(name or inputs[0], mean, std)
