"""Values that come from nowhere: constants, ranges, filled tensors."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.value import Value, constant
from convert.lowering.call import Call
from convert.lowering.registry import lowers


@lowers("Constant")
def constant_(call: Call) -> Value:
    """A tensor, a number or a list of numbers in an attribute."""
    attributes = call.node.attributes
    if "value" in attributes:
        return constant(np.asarray(attributes["value"].as_tensor().numpy()))
    types = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    given = next(iter(attributes))
    if given not in types:
        call.refuse(f"a constant in the attribute {given!r}")
    return constant(np.asarray(attributes[given].value, types[given]))


@lowers("ConstantOfShape")
def constant_of_shape(call: Call) -> Value:
    """One number everywhere; float32 zero by default."""
    attribute = call.node.attributes.get("value")
    fill = np.asarray(attribute.as_tensor().numpy()).reshape(()) if attribute is not None else np.float32(0)
    sizes = call.sizes(0)
    if sizes is None:
        return call.result(tf.fill(tf.cast(call.tensor(0), tf.int32), fill))
    if any(isinstance(size, Dim) for size in sizes):
        filled = tf.fill(call.trace.shape(sizes, infer_one=False), fill)
        filled.set_shape([None if isinstance(size, Dim) else size for size in sizes])
        return Value(filled, call.result(filled).layout, sizes)
    return constant(np.full([int(str(size)) for size in sizes], fill))


@lowers("Range")
def range_(call: Call) -> Value:
    """From start to limit, which may be dynamic sizes, by a step."""
    start, limit, delta = (_scalar(call, index) for index in range(3))
    return call.result(tf.range(start, limit, delta))


def _scalar(call: Call, index: int) -> object:
    value = call.value(index)
    return call.tensor(index) if not value.is_constant else np.asarray(value.data).reshape(()).item()


@lowers("EyeLike")
def eye_like(call: Call) -> Value:
    """Ones on a diagonal, in the shape of the input."""
    rows, columns = call.value(0).sizes
    if isinstance(rows, Dim) or isinstance(columns, Dim):
        call.refuse("a dynamic size")
    dtype = call.dtype("dtype").as_numpy_dtype
    return constant(np.eye(rows, columns, call.integer("k", 0), dtype=dtype))


@lowers("OptionalHasElement")
def optional_has_element(call: Call) -> Value:
    """Whether there is a value; of a tensor that is known now."""
    return constant(np.asarray(call.has(0)))


@lowers("OptionalGetElement")
def optional_get_element(call: Call) -> Value:
    """The value; a tensor is one already."""
    return call.value(0)
