"""Writes the SavedModels of the TFLite stage's tests, and what TensorFlow's public converter makes of one of them.

A script, so that pytest itself stays free of TensorFlow.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(sys.argv[1])
RANDOM = np.random.default_rng(0)


def weight(*shape: int) -> tf.Variable:
    return tf.Variable(RANDOM.normal(0, 0.3, shape).astype(np.float32))


def save(name: str, module: tf.Module, function, *specs: tf.TensorSpec) -> None:
    serving = tf.function(function, autograph=False).get_concrete_function(*specs)
    tf.saved_model.save(module, str(FOLDER / name), signatures={"serving_default": serving})


net = tf.Module()
net.kernel, net.table, net.dense = weight(3, 3, 3, 8), weight(10, 8), weight(4, 8)


def two_inputs(image, token):
    features = tf.nn.relu(tf.nn.conv2d(image, net.kernel, 1, "SAME"))
    pooled = tf.reduce_mean(features, [1, 2]) + tf.gather(net.table, token)
    return {"logits": tf.matmul(pooled, net.dense, transpose_b=True), "features": features}


save(
    "net",
    net,
    two_inputs,
    tf.TensorSpec((None, 8, 6, 3), tf.float32, "image"),
    tf.TensorSpec((None,), tf.int32, "token"),
)
public = tf.lite.TFLiteConverter.from_saved_model(str(FOLDER / "net")).convert()
(FOLDER / "public.tflite").write_bytes(public)


flexible = tf.Module()
flexible.scale = weight(4)


def needs_flex(x):
    return {"y": tf.math.erf(x * flexible.scale, name="gelu_3")}


save("flex", flexible, needs_flex, tf.TensorSpec((None, 4), tf.float32, "x"))
