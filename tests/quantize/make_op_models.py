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
    "CAST": lambda x: tf.cast(x > 0.5, tf.float32) * x,
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

WEIGHTS = normal(3, 3, 4, 4) * 0.2

LIBRARY_OPS = {
    "ADD": lambda x: x + tf.reverse(x, [1]),
    "AVERAGE_POOL_2D": lambda x: tf.nn.avg_pool2d(x, 2, 2, "SAME"),
    "BATCH_MATMUL": lambda x: tf.matmul(x, tf.reverse(x, [1]), transpose_b=True),
    "CONCATENATION": lambda x: tf.concat([x, x * 2.0], 3),
    "CONV_2D": lambda x: tf.nn.conv2d(x, WEIGHTS, 1, "SAME") + normal(4),
    "DEPTHWISE_CONV_2D": lambda x: tf.nn.depthwise_conv2d(x, WEIGHTS[..., :1], [1, 1, 1, 1], "SAME") + normal(4),
    "EQUAL": first_where(lambda x: tf.equal(tf.nn.relu(x), 0.0)),
    "FULLY_CONNECTED": lambda x: tf.matmul(tf.reshape(x, (-1, 192)), normal(192, 7) * 0.1) + normal(7),
    "GATHER": lambda x: tf.gather(x, [2, 0], axis=3),
    "GATHER_ND": lambda x: tf.gather_nd(x, tf.reshape(tf.range(tf.shape(x)[0]), (-1, 1))),
    "GELU": lambda x: tf.nn.gelu(x * 2.0),
    "HARD_SWISH": lambda x: x * tf.nn.relu6(x + 3.0) / 6.0,
    "LOGISTIC": lambda x: tf.sigmoid(x * 2.0),
    "MAX_POOL_2D": lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME"),
    "MAXIMUM": lambda x: tf.maximum(x, tf.reverse(x, [1]) * 0.5),
    "MEAN": lambda x: tf.reduce_mean(x, [1, 2]),
    "MIRROR_PAD": lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT"),
    "MUL": lambda x: x * tf.reverse(x, [1]),
    "PACK": lambda x: tf.stack([x, x * 0.5], 1),
    "PAD": lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
    "PADV2": lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=-1.0),
    "REDUCE_MIN": lambda x: tf.reduce_min(x, [1, 2]),
    "RELU": tf.nn.relu,
    "RESHAPE": lambda x: tf.reshape(x, (-1, 48, 4)),
    "RESIZE_BILINEAR": lambda x: tf.image.resize(x, (12, 16), "bilinear"),
    "RSQRT": lambda x: tf.math.rsqrt(tf.abs(x) + 1.0),
    "SELECT_V2": lambda x: tf.where(x[..., :1] > 0.5, x, x * 0.3),
    "SLICE": lambda x: tf.slice(x, [0, 1, 2, 0], [-1, 3, 4, 4]),
    "SOFTMAX": lambda x: tf.nn.softmax(x * 3.0),
    "SPACE_TO_DEPTH": lambda x: tf.nn.space_to_depth(x, 2),
    "SPLIT": lambda x: tf.concat(tf.split(x, 2, 3)[::-1], 3),
    "SQRT": lambda x: tf.sqrt(tf.abs(x)),
    "SQUARED_DIFFERENCE": lambda x: tf.math.squared_difference(x, tf.reverse(x, [1])),
    "STRIDED_SLICE": lambda x: x[:, ::2, 1:, :],
    "SUB": lambda x: x - tf.reverse(x, [1]) * 0.5,
    "SUM": lambda x: tf.reduce_sum(x, [1, 2]),
    "TANH": lambda x: tf.tanh(x * 2.0),
    "TRANSPOSE": lambda x: tf.transpose(x, [0, 3, 1, 2]),
    "TRANSPOSE_CONV": lambda x: tf.nn.conv2d_transpose(x, WEIGHTS, tf.stack([tf.shape(x)[0], 12, 16, 4]), 2),
    "UNPACK": lambda x: tf.add_n(tf.unstack(x, axis=3)[:2]),
}

for op, function in (OPS | LIBRARY_OPS).items():
    save(op, function)
