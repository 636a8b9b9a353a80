"""Jobs of the tests: what may happen to the anatomy's worker, and a file with an op that LiteRT cannot run."""

import os
from pathlib import Path

from quantize.recipe import Recipe
from verify.flatbuffer import unpack, write
from verify.report.anatomy import Anatomy
from verify.signature import Signature
from verify.stepping.contents import name_of_op


def abort(
    model: Path, int8: Path, recipe: Recipe, calibration: Path, signature: Signature, max_samples: int
) -> Anatomy:
    """As a kernel of LiteRT does where a check of its own fails."""
    os.abort()


def out_of_memory(
    model: Path, int8: Path, recipe: Recipe, calibration: Path, signature: Signature, max_samples: int
) -> Anatomy:
    """As NumPy says it."""
    raise MemoryError("Unable to allocate 9.31 GiB")


def unrunnable(int8: Path, out: Path) -> None:
    """The fully connected layer is said to be a kernel that is not there."""
    model = unpack(int8.read_bytes())
    operator = next(each for each in model.subgraphs[0].operators if name_of_op(model, each) == "FULLY_CONNECTED")
    operator.opcodeIndex = len(model.operatorCodes)
    code = type(model.operatorCodes[0])()
    code.builtinCode, code.deprecatedBuiltinCode, code.customCode, code.version = 32, 32, b"NotThere", 1
    model.operatorCodes.append(code)
    write(model, out)
