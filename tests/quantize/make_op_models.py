"""Writes one float TFLite file an op, ``OP.tflite`` each with an input ``x`` (N, 6, 8, 4), like its sibling."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(sys.argv[1])
RANDOM = np.random.default_rng(0)
X = tf.TensorSpec((None, 6, 8, 4), tf.float32, "x")


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(0, 1, shape).astype(np.float32)


def save(name: str, function) -> None:
    module = tf.Module()
    module.function = tf.function(lambda x: {"y": function(x)}, autograph=False)
    concrete = module.function.get_concrete_function(X)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    (FOLDER / f"{name}.tflite").write_bytes(converter.convert())


def prelu(x):
    alpha = np.abs(normal(1, 1, 4)) * 0.3
    return tf.nn.relu(x) + -alpha * tf.nn.relu(-x)


def filled(x):
    return tf.fill(tf.stack([tf.shape(x)[0], 3]), tf.reduce_max(x))


def scattered(x):
    rows = tf.reshape(tf.range(tf.shape(x)[0]), (-1, 1)) * 2
    return tf.scatter_nd(rows, x, tf.stack([tf.shape(x)[0] * 2, 6, 8, 4]))


def first_where(mask):
    return lambda x: tf.where(mask(x), x, tf.constant(0.0))


OPS = {
    "ABS": tf.abs,
    "ARG_MAX": lambda x: tf.argmax(x, -1, tf.int32),
    "ARG_MIN": lambda x: tf.argmin(x, -1, tf.int32),
    "ADD_N": lambda x: tf.add_n([x, tf.reverse(x, [3]), tf.reverse(x, [2])]),
    "BATCH_TO_SPACE_ND": lambda x: tf.batch_to_space(tf.tile(x, [4, 1, 1, 1]), [2, 2], [[0, 0], [0, 0]]),
    "DEPTH_TO_SPACE": lambda x: tf.nn.depth_to_space(x, 2),
    "DIV_CONSTANT": lambda x: x / np.array([0.5, 2.0, 3.0, 7.0], np.float32),
    "ELU": tf.nn.elu,
    "EXP": tf.exp,
    "EXPAND_DIMS": lambda x: tf.expand_dims(x, 1),
    "FILL": filled,
    "GREATER": first_where(lambda x: x > 0.5),
    "GREATER_EQUAL": first_where(lambda x: x >= 0.5),
    "L2_NORMALIZATION": lambda x: tf.math.l2_normalize(x, -1, epsilon=1e-6),
    "LEAKY_RELU": lambda x: tf.nn.leaky_relu(x, 0.1),
    "LESS": first_where(lambda x: x < 0.5),
    "LESS_EQUAL": first_where(lambda x: x <= 0.5),
    "LOG": lambda x: tf.math.log(tf.abs(x) + 1.0),
    "LOG_SOFTMAX": tf.nn.log_softmax,
    "LOGISTIC_IN_CONCATENATION": lambda x: tf.concat([tf.sigmoid(x), x * 3.0], -1),
    "MATRIX_DIAG": tf.linalg.diag,
    "MINIMUM": lambda x: tf.minimum(x, tf.reverse(x, [1]) * 0.5),
    "NEG": lambda x: -(x + 1.0),
    "NEG_OF_POSITIVE": lambda x: -tf.nn.relu(x),
    "PRELU": prelu,
    "REDUCE_MAX": lambda x: tf.reduce_max(x, [1, 2]),
    "REDUCE_PROD": lambda x: tf.reduce_prod(x, 3),
    "RELU6": lambda x: tf.nn.relu6(x * 3.0 + 3.0),
    "RELU6_ALONE": tf.nn.relu6,
    "RELU_0_TO_1": lambda x: tf.minimum(tf.maximum(x, 0.0), 1.0),
    "RELU_N1_TO_1": lambda x: tf.maximum(-1.0, tf.minimum(x, 1.0)),
    "RESIZE_NEAREST_NEIGHBOR": lambda x: tf.image.resize(x, (12, 16), "nearest"),
    "REVERSE_V2": lambda x: tf.reverse(x, [2]),
    "SCATTER_ND": scattered,
    "SPACE_TO_BATCH_ND": lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]),
    "SPLIT_V": lambda x: tf.concat(tf.split(x, [1, 3], 3)[::-1], 3),
    "SQUARE": tf.square,
    "SQUEEZE": lambda x: tf.squeeze(tf.reduce_sum(x, 1, keepdims=True), 1),
    "TILE": lambda x: tf.tile(x, [1, 2, 1, 3]),
    "TOPK_V2": lambda x: tf.math.top_k(x, 2).values,
}

for op, function in OPS.items():
    save(op, function)
