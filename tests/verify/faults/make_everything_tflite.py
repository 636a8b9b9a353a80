"""Writes a TFLite net that has something for almost every kind of fault, float and int8; run as a script.

    python make_everything_tflite.py FOLDER

Images (N, 12, 12, 3) → ``scores`` and ``others``, both (N, 6).
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(sys.argv[1])
RANDOM = np.random.default_rng(0)


def weights(*shape: int) -> tf.Variable:
    return tf.Variable(RANDOM.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape).astype(np.float32))


class Everything(tf.Module):
    def __init__(self) -> None:
        self.stem, self.stem_bias = weights(3, 3, 3, 8), weights(8)
        self.body, self.body_bias = weights(3, 3, 8, 8), weights(8)
        self.depthwise = weights(3, 3, 8, 1)
        self.dense, self.head, self.head_bias = weights(8, 8), weights(8, 6), weights(6)
        self.table = weights(12, 8)

    @tf.function(autograph=False)
    def __call__(self, image):
        x = tf.nn.relu6(3 * (tf.nn.conv2d(image, self.stem, 1, "SAME") + self.stem_bias))
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        y = tf.nn.leaky_relu(tf.nn.conv2d(x, self.body, 1, "SAME") + self.body_bias, 0.2)
        y = tf.nn.conv2d(tf.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]]), self.body, 1, "VALID")
        x = tf.nn.relu(x + tf.nn.depthwise_conv2d(y, self.depthwise, [1, 1, 1, 1], "SAME"))
        x = tf.compat.v1.image.resize_bilinear(x, [12, 12], half_pixel_centers=True)
        x = tf.nn.avg_pool2d(x, 3, 3, "SAME")
        tokens = tf.reshape(x, [-1, 16, 8])
        query = tf.nn.gelu(tf.reshape(tf.matmul(tf.reshape(tokens, [-1, 8]), self.dense), [-1, 16, 8]))
        mixed = tf.nn.softmax(tf.matmul(query, tf.transpose(tokens, [0, 2, 1])) * 3.0) @ tokens
        pooled = tf.concat([tf.reduce_mean(mixed[:, :8] - mixed[:, 8:], 1), tf.reduce_mean(tokens, 1)], 1)
        scores = tf.matmul(pooled[:, :8] + pooled[:, 8:], self.head) + self.head_bias
        return {"scores": scores, "others": scores * 1.5 + 0.5}


net = Everything()
serving = net.__call__.get_concrete_function(tf.TensorSpec((None, 12, 12, 3), tf.float32, "image"))
tf.saved_model.save(net, str(FOLDER / "everything"), signatures={"serving_default": serving})


def samples():
    random = np.random.default_rng(1)
    for _ in range(32):
        yield {"image": random.normal(0, 1, (1, 12, 12, 3)).astype(np.float32)}


def convert(name: str, **options: object) -> None:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(FOLDER / "everything"))
    for option, value in options.items():
        setattr(converter, option, value)
    (FOLDER / name).write_bytes(converter.convert())


convert("everything.tflite")
convert(
    "everything_int8.tflite",
    optimizations=[tf.lite.Optimize.DEFAULT],
    representative_dataset=samples,
    inference_input_type=tf.int8,
    inference_output_type=tf.int8,
)
