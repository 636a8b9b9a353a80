"""Weights of onnx2tf's Keras model as variables, so that the SavedModel can be fine-tuned and its graph stays small.

onnx2tf writes weights as constants into the arguments of Keras' op layers: the model has no weights of its own, and a
traced graph holds all of them (AlexNet: 9.3 GB on the way to TFLite). Here each float constant of one axis or more, in
a call that a layer recorded, becomes a ``tf.Variable``. The recorded call is ``Node._flat_arguments`` of tf_keras, to
which there is no public access; ``tests/convert/test_onnx2tf_road.py`` holds that each weight of a net is trainable.
"""

from __future__ import annotations

import re
from typing import Any


def constants_to_variables(keras_model: Any) -> list[Any]:
    """Replace the constants in place; returns all variables of the model, those that were there already first.

    A constant that several layers use becomes one variable.
    """
    import tensorflow as tf

    made: dict[int, Any] = {}
    constants: list[Any] = []
    for layer in keras_model.layers:
        for node in layer.inbound_nodes:
            for index, argument in enumerate(node._flat_arguments):
                if not _is_weight(argument):
                    continue
                if id(argument) not in made:
                    constants.append(argument)  # keeps the id from being used again
                    made[id(argument)] = tf.Variable(argument, name=_variable_name(layer.name))
                node._flat_arguments[index] = made[id(argument)]
    return [*keras_model.variables, *made.values()]


def _is_weight(argument: Any) -> bool:
    import numpy as np
    import tensorflow as tf

    if not isinstance(argument, np.ndarray | tf.__internal__.EagerTensor):
        return False
    if not argument.shape or not tf.as_dtype(argument.dtype).is_floating:
        return False
    array = np.asarray(argument)
    return array.size > 1 or array.item() != 1  # a Gemm's alpha is no weight


def _variable_name(layer_name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.\-/]", "_", layer_name).lstrip("_./-") or "weight"
