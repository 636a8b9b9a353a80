"""A job of the tests: a copy of an int8 file with the scale of one layer's weights four times what it was."""

from pathlib import Path

import numpy as np

from verify.flatbuffer import unpack, write
from verify.stepping.contents import name_of, name_of_op


def ruin(int8: Path, out: Path, which: int) -> str:
    """The convolution of that number, counted from 0; returns the name of what it gives."""
    model = unpack(int8.read_bytes())
    graph = model.subgraphs[0]
    operator = [each for each in graph.operators if name_of_op(model, each) == "CONV_2D"][which]
    stored = graph.tensors[operator.inputs[1]].quantization
    stored.scale = 4 * np.asarray(stored.scale, np.float32)
    write(model, out)
    return name_of(graph.tensors[operator.outputs[0]])
