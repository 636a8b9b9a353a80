"""Writes what the inspection tests read beside the shared models; run as a script, so that pytest stays free of TF.

A frozen graph with two ends, a TFLite file with a loop, one that needs the Flex delegate, one with float16 weights,
an int8 one whose sizes are all fixed, and four whose sizes LiteRT does or does not know beforehand.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

FOLDER = Path(sys.argv[1])
KERNEL = tf.constant(np.random.default_rng(0).normal(0, 0.3, (3, 3, 3, 8)).astype(np.float32))


def concrete(function, *specs):
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def lite(name: str, function, **options: object) -> None:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    for option, value in options.items():
        setattr(converter, option, value)
    (FOLDER / name).write_bytes(converter.convert())


def two_ends(image):
    features = tf.nn.relu(tf.nn.conv2d(image, KERNEL, 1, "SAME", name="conv"), name="features")
    return tf.reduce_mean(features, [1, 2], name="pooled"), tf.reduce_max(features, [1, 2], name="peaks")


frozen = convert_variables_to_constants_v2(concrete(two_ends, tf.TensorSpec((None, 8, 8, 3), tf.float32, "image")))
graph = frozen.graph.as_graph_def()
kept = [node for node in graph.node if node.op not in {"Identity", "NoOp"}]
del graph.node[:]
graph.node.extend(kept)
(FOLDER / "frozen.pb").write_bytes(graph.SerializeToString())


def loop(start):
    return tf.while_loop(lambda at, _: at < 3, lambda at, value: (at + 1, value * 2.0), (tf.constant(0), start))[1]


lite("loop.tflite", concrete(loop, tf.TensorSpec((2, 4), tf.float32, "start")))
lite(
    "flex.tflite",
    concrete(tf.linalg.inv, tf.TensorSpec((4, 4), tf.float32, "matrix")),
    target_spec=tf.lite.TargetSpec(supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]),
)


vector = tf.TensorSpec((None, 3), tf.float32, "vector")
lite("packed_size.tflite", concrete(lambda x: x + tf.fill(tf.stack([tf.shape(x)[0], 3]), 2.0), vector))
lite("joined_size.tflite", concrete(lambda x: x + tf.fill(tf.concat([tf.shape(x)[:1], [3]], 0), 2.0), vector))
lite("largest.tflite", concrete(lambda x: tf.math.top_k(x, 2).values, vector))
lite("to_scalar.tflite", concrete(lambda x: tf.reshape(tf.reduce_sum(x), []), tf.TensorSpec((1, 3), tf.float32, "x")))


convolved = concrete(
    lambda image: tf.nn.relu(tf.nn.conv2d(image, KERNEL, 1, "SAME")), tf.TensorSpec((1, 8, 8, 3), tf.float32, "image")
)
lite(
    "float16.tflite",
    convolved,
    optimizations=[tf.lite.Optimize.DEFAULT],
    target_spec=tf.lite.TargetSpec(supported_types=[tf.float16]),
)


def images():
    random = np.random.default_rng(1)
    for _ in range(8):
        yield [random.normal(0, 1, (1, 8, 8, 3)).astype(np.float32)]


lite(
    "fixed_int8.tflite",
    convolved,
    optimizations=[tf.lite.Optimize.DEFAULT],
    representative_dataset=images,
    target_spec=tf.lite.TargetSpec(supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS_INT8]),
    inference_input_type=tf.int8,
    inference_output_type=tf.int8,
)
